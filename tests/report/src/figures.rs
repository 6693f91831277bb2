//! Numbers as people read them, in every table, report and live line: `9,990`, `12.3 ms`, `198/s`, `99.95%`.
//!
//! The same digits on every machine, with commas between thousands. `ticks.rs` writes the ticks of an axis.

use std::fmt;

/// From here on a number is written with an exponent.
pub const LARGE: f64 = 1e15;

/// Below this, too.
pub const SMALL: f64 = 1e-6;

/// A whole number: `1,200,000`.
pub fn count(number: impl Into<u64>) -> String {
    grouped(&number.into().to_string())
}

/// A number of things, in the singular if it is one: `1 error`, `2,000 errors`.
pub fn counted(number: impl Into<u64>, thing: &str) -> String {
    let number = number.into();
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A latency, given in microseconds, with three digits: `0.85 ms`, `12.3 ms`, `2.00 s`.
pub fn latency(us: u64) -> String {
    // From here on three digits of milliseconds would be rounded to 1000.
    if us < 999_500 {
        format!("{} ms", three_digits(ms(us)))
    } else {
        format!("{} s", three_digits(ms(us) / 1000.0))
    }
}

/// A latency, or a dash if there is none.
pub fn latency_or_dash(us: Option<u64>) -> String {
    or_dash(us.map(latency))
}

/// How many in a second: `4.2`, `9,990`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates as an integer"
)]
pub fn rate(per_second: f64) -> String {
    if per_second < 9.95 { format!("{per_second:.1}") } else { count(per_second.round() as u64) }
}

/// A rate: `number` in this many seconds; zero if the time is zero.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
pub fn per_second(number: u64, seconds: f64) -> f64 {
    if 0.0 < seconds { number as f64 / seconds } else { 0.0 }
}

/// Microseconds as milliseconds.
#[expect(clippy::cast_precision_loss, reason = "a latency of far less than 2^52 µs")]
pub fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// A value, with three digits that count, or all of a whole number: `0.00124`, `12.4`, `1,240`.
pub fn figure(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "\u{2013}".into();
    }
    if size >= LARGE || (0.0 < size && size < SMALL) {
        return signed(value, &format!("{size:.2e}"));
    }
    let decimals =
        [100.0, 10.0, 1.0, 0.1, 0.01, 0.001, 0.0001].into_iter().take_while(|limit| size < *limit).count();
    let digits = format!("{size:.decimals$}");
    signed(value, &grouped(short(&digits)))
}

/// A share in percent, with as many decimals as set it apart from one: `50%`, `99.95%`.
pub fn percent(share: f64) -> String {
    let rest = (1.0 - share).abs();
    let decimals =
        [0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6].into_iter().take_while(|limit| rest < limit * 0.999).count();
    let decimals = if rest > 0.0 { decimals + 1 } else { 0 };
    let digits = format!("{:.decimals$}", share * 100.0);
    format!("{}%", short(&digits))
}

/// A value, or a dash where there is none.
pub fn or_dash<T: fmt::Display>(value: Option<T>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

/// With the sign that typographers use, and none for a zero.
pub fn signed(value: f64, digits: &str) -> String {
    let zero = digits.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if value < 0.0 && !zero { format!("\u{2212}{digits}") } else { digits.to_owned() }
}

/// A comma after every three digits before the point.
pub fn grouped(digits: &str) -> String {
    let whole = digits.find('.').unwrap_or(digits.len());
    let mut text = String::with_capacity(digits.len() + whole / 3);
    for (at, digit) in digits.char_indices() {
        if 0 < at && at < whole && (whole - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Without zeros at the end of a fraction.
fn short(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

fn three_digits(value: f64) -> String {
    let decimals = [9.995, 99.95].into_iter().filter(|limit| value < *limit).count();
    grouped(&format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_told_apart() {
        let counts: [(u64, &str); 5] =
            [(0, "0"), (999, "999"), (1000, "1,000"), (9_990, "9,990"), (1_200_000, "1,200,000")];
        for (number, text) in counts {
            assert_eq!(count(number), text);
        }
        assert_eq!(
            (counted(1_u64, "error"), counted(2000_u64, "error")),
            ("1 error".into(), "2,000 errors".into())
        );
        assert_eq!((rate(4.24), rate(9.96), rate(9990.4)), ("4.2".into(), "10".into(), "9,990".into()));
        assert!(per_second(7, 0.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_latency_has_three_digits_on_both_sides_of_each_edge() {
        let latencies = [
            (0, "0.00 ms"),
            (850, "0.85 ms"),
            (9_994, "9.99 ms"),
            (9_995, "10.0 ms"),
            (99_949, "99.9 ms"),
            (99_950, "100 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (2_000_895, "2.00 s"),
            (3_600_000_000, "3,600 s"),
        ];
        for (us, text) in latencies {
            assert_eq!(latency(us), text, "{us} µs");
        }
    }

    #[test]
    fn values_have_three_digits_that_count() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.001_239, "0.00124"),
            (0.5, "0.5"),
            (12.44, "12.4"),
            (100.0, "100"),
            (99.999, "100"),
            (1_234.6, "1,235"),
            (-1_234_567.0, "\u{2212}1,234,567"),
            (123_456.0, "123,456"),
            (2.5e18, "2.50e18"),
            (1e-9, "1.00e-9"),
            (f64::NAN, "\u{2013}"),
            (f64::INFINITY, "\u{2013}"),
        ] {
            assert_eq!(figure(value), expected);
        }
    }

    #[test]
    fn shares_are_never_rounded_to_one() {
        for (share, expected) in
            [(0.0, "0%"), (0.5, "50%"), (0.125, "12.5%"), (0.99, "99%"), (0.9995, "99.95%"), (1.0, "100%")]
        {
            assert_eq!(percent(share), expected);
        }
    }
}
