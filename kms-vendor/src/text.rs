//! Lengths of time, instants and names as people write them: in options, in `products.toml`, in `issued.jsonl`.
//!
//! How they are shown in sentences is `shared::time`.

use std::time::Duration;

use shared::time::Timestamp;

/// A length of time that [`parse_length`] reads back exactly: `180d`, `6d 18h`, `250ms`.
pub fn length_text(length: Duration) -> String {
    // humantime's own text counts in months of 30.44 days, which nobody reads as 180 days.
    const UNITS: [(u128, &str); 5] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];
    let mut rest = length.as_millis();
    let mut parts = Vec::new();
    for (unit, name) in UNITS {
        if unit <= rest {
            parts.push(format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// A length of time such as `180d`, `2h 30m` or `250ms`.
///
/// # Errors
/// A sentence for the user: the text is no length, or is finer than the wire's milliseconds.
pub fn parse_length(text: &str) -> Result<Duration, String> {
    let length = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a length of time such as 180d, 2h or 250ms"))?;
    if length.subsec_nanos() % 1_000_000 != 0 {
        return Err("a length of time is whole milliseconds".to_owned());
    }
    Ok(length)
}

/// An instant as RFC 3339 has it, in UTC: `2026-11-22T02:05:50Z`. One beyond the year 9999 has no such text.
pub fn instant_text(instant: Timestamp) -> Option<String> {
    let instant = jiff::Timestamp::from_millisecond(instant.unix_ms()).ok()?;
    Some(instant.to_string())
}

/// An instant as RFC 3339 has it: `2026-11-22T02:05:50Z`, or with another offset from UTC.
///
/// # Errors
/// A sentence for the user: the text is no instant.
pub fn parse_instant(text: &str) -> Result<Timestamp, String> {
    let instant: jiff::Timestamp = text
        .parse()
        .map_err(|_| "write an instant with its offset, such as 2026-11-22T02:05:50Z".to_owned())?;
    Ok(Timestamp::from_unix_ms(instant.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_survives_its_text() {
        for (ms, text) in
            [(0, "0s"), (1, "1ms"), (15_552_000_000, "180d"), (583_200_001, "6d 18h 1ms"), (90_000, "1m 30s")]
        {
            let length = Duration::from_millis(ms);
            assert_eq!(length_text(length), text);
            assert_eq!(parse_length(text), Ok(length));
        }
        assert!(parse_length("1500us").unwrap_err().contains("whole milliseconds"));
        assert!(parse_length("soon").unwrap_err().contains("such as 180d"));
        assert!(parse_length("99999999999999999999d").is_err());
    }

    #[test]
    fn an_instant_survives_its_text() {
        let instant = Timestamp::from_unix_ms(1_763_777_150_250);
        let text = instant_text(instant).unwrap();
        assert_eq!(text, "2025-11-22T02:05:50.25Z");
        assert_eq!(parse_instant(&text), Ok(instant));
        assert_eq!(parse_instant("2025-11-22 04:05:50.250+02:00"), Ok(instant));
        assert!(parse_instant("2025-11-22").is_err());
        assert_eq!(instant_text(Timestamp::from_unix_ms(i64::MAX)), None);
    }
}
