//! How things are shown: tables for people, times and ids as text. A day is read here, too.

use program::table;
use shared::time::Timestamp;

/// A table, with the end of its last line.
pub(super) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    table::table(head, rows) + "\n"
}

/// An id in hex.
pub(super) fn hex(id: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(id)
}

/// On the wire, 0 stands for no instant.
pub(super) fn instant(unix_ms: i64) -> Option<i64> {
    Some(unix_ms).filter(|unix_ms| *unix_ms != 0)
}

pub(super) fn time(unix_ms: i64) -> String {
    instant(unix_ms).map_or_else(|| "-".to_owned(), |unix_ms| Timestamp::from_unix_ms(unix_ms).to_string())
}

/// The day of an instant, for lists: `--json` has the instant.
pub(super) fn day(unix_ms: i64) -> String {
    time(unix_ms).split(' ').next().unwrap_or_default().to_owned()
}

/// The beginning of a day in UTC.
pub(super) fn date(text: &str) -> Result<Timestamp, &'static str> {
    let day: jiff::civil::Date = text.parse().map_err(|_| "write a date such as 2027-12-31")?;
    let start = day.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| "this date is out of range")?;
    let unix_ms = start.timestamp().as_millisecond();
    // On the wire, 0 is no date.
    if unix_ms <= 0 {
        return Err("this date is long past");
    }
    Ok(Timestamp::from_unix_ms(unix_ms))
}
