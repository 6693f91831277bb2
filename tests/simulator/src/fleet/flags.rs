//! Values on the command line: lengths of time and shares.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use shared::time::{Length, to_ms};

/// A length of time as it is written on the command line: `7d`, `4h`, `1d12h`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        parse_length(text).map(Span)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Length(self.0).to_string().replace(' ', ""))
    }
}

/// A length of time, to the millisecond.
pub(crate) fn parse_length(text: &str) -> Result<Duration, String> {
    let length =
        humantime::parse_duration(text).map_err(|error| format!("{error}: write 7d, 4h or 1d12h"))?;
    Ok(Duration::from_millis(u64::try_from(to_ms(length)).unwrap_or(0)))
}

/// A whole number of hundredths, with or without its sign.
pub(crate) fn parse_percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim_end().parse().ok();
    let wrong = || format!("`{text}` is no share: write a whole number from 0 to 100, as in 30%");
    number.filter(|percent| *percent <= 100).ok_or_else(wrong)
}
