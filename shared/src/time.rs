//! Instants and the clock that shells pass in.
//!
//! An instant is milliseconds since the Unix epoch in UTC, as on the wire; a length of time is a
//! [`Duration`]. Instants come from other people's machines, so all arithmetic saturates.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// An instant: milliseconds since the Unix epoch, UTC, any `i64`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant this many milliseconds after the Unix epoch.
    pub const fn from_unix_ms(unix_ms: i64) -> Timestamp {
        Timestamp(unix_ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(i128::from(self.0) - i128::from(earlier.0)).unwrap_or(0))
    }

    /// How far apart the two are, whichever is later.
    pub fn apart(self, other: Timestamp) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, length: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(to_ms(length)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, length: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(to_ms(length)))
    }
}

/// A length of time in milliseconds as the wire carries it; one beyond `i64` is the largest.
pub fn to_ms(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

/// A length of time from the wire; a negative one is `None`.
pub fn from_ms(length_ms: i64) -> Option<Duration> {
    u64::try_from(length_ms).ok().map(Duration::from_millis)
}

impl Timestamp {
    /// Year, month (1 to 12) and day of the month, in UTC and the proleptic Gregorian calendar.
    pub fn date(self) -> (i64, i64, i64) {
        // Years begin in March here, so that the leap day is the last of its year; an era is 400 of them.
        let day = self.0.div_euclid(86_400_000) + 719_468;
        let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day_of_month = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        (year, month, day_of_month)
    }

    /// The first instant of a month (1 to 12), in UTC and the proleptic Gregorian calendar: [`date`](Timestamp::date) the other way.
    pub fn of_month(year: i64, month: i64) -> Timestamp {
        // Years begin in March here, too.
        let (year, march_month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * march_month + 2) / 5;
        let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Timestamp((era * 146_097 + day_of_era - 719_468) * 86_400_000)
    }
}

/// `2026-11-22 02:05:50Z`: for people, to the second.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let second = self.0.div_euclid(1000).rem_euclid(86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.0)
    }
}

/// A length of time for people, in its two largest units: `179 d 23 h`, `4 h 1 min`, `250 ms`.
pub struct Length(pub Duration);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u128, &str); 5] =
            [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
        let ms = self.0.as_millis();
        let Some(largest) = UNITS.iter().position(|(unit, _)| *unit <= ms) else {
            return f.write_str("0 s");
        };
        let (unit, name) = UNITS[largest];
        write!(f, "{} {name}", ms / unit)?;
        match UNITS.get(largest + 1) {
            Some((next, name)) if 0 < ms % unit / next => write!(f, " {} {name}", ms % unit / next),
            _ => Ok(()),
        }
    }
}

/// The two clocks of a machine. Rules never hold one: shells read it and pass what it said.
///
/// It is a trait so that a test can move the time in-process. Nothing in this crate implements it.
pub trait Clock: Send + Sync {
    /// The wall clock: what the administrator or the network has set, and may set again.
    fn now(&self) -> Timestamp;

    /// Time since some fixed instant; never goes back, and may stand still while the machine sleeps.
    fn monotonic(&self) -> Duration;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_month_begins_with_its_first_day() {
        for (year, month) in (-801..=2401).flat_map(|year| (1..=12).map(move |month| (year, month))) {
            let begin = Timestamp::of_month(year, month);
            assert_eq!(begin.date(), (year, month, 1));
            assert_ne!((begin - Duration::from_millis(1)).date(), (year, month, 1));
        }
    }

    #[test]
    fn an_instant_reads_as_its_date() {
        for (unix_ms, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (-1, "1969-12-31 23:59:59Z"),
            (951_782_400_000, "2000-02-29 00:00:00Z"),
            (1_763_777_150_999, "2025-11-22 02:05:50Z"),
            (4_107_542_399_000, "2100-02-28 23:59:59Z"),
            (4_107_542_400_000, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(Timestamp::from_unix_ms(unix_ms).to_string(), text);
        }
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let (first, last) = (Timestamp::from_unix_ms(i64::MIN), Timestamp::from_unix_ms(i64::MAX));
        assert_eq!(last + Duration::MAX, last);
        assert_eq!(first - Duration::MAX, first);
        assert_eq!(first.since(last), Duration::ZERO);
        assert_eq!(last.since(first), Duration::from_millis(u64::MAX));
        assert_eq!(first.apart(last), Duration::from_millis(u64::MAX));
        assert!(!last.to_string().is_empty() && !first.to_string().is_empty());
    }

    #[test]
    fn a_length_reads_in_its_two_largest_units() {
        for (ms, text) in [
            (0, "0 s"),
            (250, "250 ms"),
            (61_000, "1 min 1 s"),
            (14_460_000, "4 h 1 min"),
            (86_400_000, "1 d"),
        ] {
            assert_eq!(Length(Duration::from_millis(ms)).to_string(), text);
        }
    }
}
