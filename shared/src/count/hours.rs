//! The running count: how many machines were seen in the window, kept so that a decision costs the same at ten machines and at ten
//! million.
//!
//! For each product one row keeps the total. One counter for each absolute hour keeps how many active machines were last seen in
//! it. `docs/protocol.md` 6.

use super::{Rows, Terms};
use crate::ids::ProductId;
use crate::record::{Inactive, Record, RecordState, Tally};
use crate::time::{Timestamp, to_ms};

/// The running count as of `now`: sheds the hours that have left the window. Every decision and every reading begins
/// here. Nothing is written; a caller that changes it further puts it.
///
/// # Errors
/// A row could not be read.
pub fn read<R: Rows>(
    rows: &mut R,
    product: ProductId,
    terms: &Terms,
    now: Timestamp,
) -> Result<Tally, R::Error> {
    let (hour, window_hours) = (hour_of(rows, now), window_hours(rows, terms));
    let Some(mut tally) = rows.tally(product)? else {
        return Ok(Tally { hour, window_hours, total: 0, active: 0, threshold_met_at: None });
    };
    let passed = hour.saturating_sub(tally.hour);
    // Another window, a silence longer than the window, or a doubt that was settled at an earlier time.
    if tally.window_hours != window_hours || i64::from(window_hours) <= passed || hour < tally.hour {
        return sum(rows, product, hour, window_hours, tally.threshold_met_at);
    }
    for left in 1..=passed {
        let leaving = tally.hour + left - i64::from(window_hours);
        tally.total = tally.total.saturating_sub(rows.hour(product, leaving)?);
    }
    tally.hour = hour;
    Ok(tally)
}

/// Ends a doubt of the host's clock: ledger time becomes `now`, even if that is earlier, and the product is summed anew.
///
/// # Errors
/// A row could not be read.
pub fn settle<R: Rows>(
    rows: &mut R,
    product: ProductId,
    terms: &Terms,
    now: Timestamp,
) -> Result<(), R::Error> {
    rows.put_last_time(now);
    let Some(tally) = rows.tally(product)? else {
        return Ok(());
    };
    let (hour, window_hours) = (hour_of(rows, now), window_hours(rows, terms));
    // Evidence from a time that has not come yet would outlive its window.
    let threshold_met_at = tally.threshold_met_at.map(|at| at.min(now));
    let tally = sum(rows, product, hour, window_hours, threshold_met_at)?;
    rows.put_tally(product, tally);
    Ok(())
}

/// Whether a machine last seen at `seen_at` is in the count of this row.
pub fn is_counted(tally: &Tally, seen_at: Timestamp, hour_width_ms: u64) -> bool {
    in_window(tally, absolute_hour(seen_at, hour_width_ms))
}

/// The absolute hour of an instant, for hours of this width.
pub fn absolute_hour(at: Timestamp, hour_width_ms: u64) -> i64 {
    at.unix_ms().div_euclid(i64::try_from(hour_width_ms.max(1)).unwrap_or(i64::MAX))
}

/// The day, in UTC, under which asks of machines without state are added up.
pub fn day_of(at: Timestamp) -> i64 {
    at.unix_ms().div_euclid(86_400_000)
}

fn hour_of<R: Rows>(rows: &R, at: Timestamp) -> i64 {
    absolute_hour(at, rows.hour_width_ms())
}

fn window_hours<R: Rows>(rows: &R, terms: &Terms) -> u32 {
    let window_ms = u64::try_from(to_ms(terms.count_window)).unwrap_or(u64::MAX);
    u32::try_from(window_ms.div_ceil(rows.hour_width_ms().max(1)).max(1)).unwrap_or(u32::MAX)
}

/// Counted iff hour(seen) > hour(now) - ceil(window / width).
fn in_window(tally: &Tally, hour: i64) -> bool {
    tally.hour.saturating_sub(i64::from(tally.window_hours)) < hour
}

fn sum<R: Rows>(
    rows: &mut R,
    product: ProductId,
    hour: i64,
    window_hours: u32,
    threshold_met_at: Option<Timestamp>,
) -> Result<Tally, R::Error> {
    let mut tally = Tally { hour, window_hours, total: 0, active: 0, threshold_met_at };
    for (hour, machines) in rows.hours(product)? {
        tally.active += machines;
        if in_window(&tally, hour) {
            tally.total += machines;
        }
    }
    Ok(tally)
}

/// Takes a record out of the numbers: an active one out of its hour and the count, any other out of the number of its state.
pub(crate) fn leave<R: Rows>(
    rows: &mut R,
    product: ProductId,
    tally: &mut Tally,
    record: &Record,
) -> Result<(), R::Error> {
    change(rows, product, tally, record, (Inactive::take, |machines| machines.saturating_sub(1)))
}

/// Puts a record into the numbers that [`leave`] takes it out of.
pub(crate) fn enter<R: Rows>(
    rows: &mut R,
    product: ProductId,
    tally: &mut Tally,
    record: &Record,
) -> Result<(), R::Error> {
    change(rows, product, tally, record, (Inactive::add, |machines| machines + 1))
}

/// Changes every number in which a record is counted.
fn change<R: Rows>(
    rows: &mut R,
    product: ProductId,
    tally: &mut Tally,
    record: &Record,
    (inactive, active): (impl FnOnce(&mut Inactive, RecordState), impl Fn(u64) -> u64),
) -> Result<(), R::Error> {
    if record.state != RecordState::Active {
        let mut states = rows.inactive(product)?;
        inactive(&mut states, record.state);
        rows.put_inactive(product, states);
        return Ok(());
    }
    let hour = hour_of(rows, record.seen_at);
    let machines = rows.hour(product, hour)?;
    rows.put_hour(product, hour, active(machines));
    tally.active = active(tally.active);
    if in_window(tally, hour) {
        tally.total = active(tally.total);
    }
    Ok(())
}
