//! The days of a play, as instants, dates and numbers.

use std::time::Duration;

use shared::time::Timestamp;

/// Day 0 of every play, 00:00 UTC: Monday, 5 January 2026. A fixed day, so that a seed always gives the same result.
pub(crate) const DAY_ZERO: Timestamp = Timestamp::from_unix_ms(1_767_571_200_000);

pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
pub(crate) const HOURS_A_DAY: usize = 24;

/// 00:00 UTC of this day of the play.
pub(crate) fn day(number: u32) -> Timestamp {
    DAY_ZERO + DAY * number
}

/// A day of the play with its date: `day 122 (2026-05-07)`.
pub(crate) fn dated(day: f64) -> String {
    format!("day {} ({})", day.floor(), date(day))
}

/// The date of a day of the play.
pub(crate) fn date(day: f64) -> String {
    let mut text = (DAY_ZERO + DAY.mul_f64(day.max(0.0))).to_string();
    text.truncate("2026-01-05".len());
    text
}

/// An instant as a day of the play, to a thousandth.
pub(crate) fn day_of(at: Timestamp) -> f64 {
    days(at.since(DAY_ZERO))
}

/// A length in days, to a thousandth: a minute and a half.
pub(crate) fn days(length: Duration) -> f64 {
    round(length.as_secs_f64() / DAY.as_secs_f64())
}

/// To a thousandth.
pub(crate) fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// The length that so many percent of these, which are sorted, do not exceed.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let place = (sorted.len() * percent).div_ceil(100).checked_sub(1)?;
    sorted.get(place).copied()
}
