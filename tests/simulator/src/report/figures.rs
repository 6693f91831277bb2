//! Numbers as they are written in a report: the same digits on every machine, thousands told apart.
//!
//! [`figure`] is for a value, the others for the ticks of an axis.

/// From here on a number is written with an exponent.
const LARGE: f64 = 1e15;

/// Below this, too.
const SMALL: f64 = 1e-6;

/// A value, with three digits that count, or all of a whole number: `0.00124`, `12.4`, `1,240`.
pub(crate) fn figure(value: f64) -> String {
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
    let short =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    signed(value, &grouped(short))
}

/// A tick of a linear axis: as many decimals as its steps need.
pub(super) fn in_steps(value: f64, step: f64) -> String {
    let size = value.abs();
    if size < step * 1e-6 {
        return "0".into();
    }
    if size >= LARGE || step < SMALL {
        return signed(value, &format!("{size:e}"));
    }
    signed(value, &in_decimals(size, step))
}

/// A tick of a logarithmic axis: a digit times a power of ten.
pub(super) fn power(digit: f64, decade: f64) -> String {
    let value = digit * 10_f64.powf(decade);
    if (SMALL..LARGE).contains(&value) { in_decimals(value, value) } else { format!("{digit}e{decade}") }
}

/// The share with so many nines, in percent: `90%`, `99%`, `99.9%`.
pub(super) fn nines(nines: u32) -> String {
    match nines {
        0 => "0%".into(),
        1 => "90%".into(),
        2 => "99%".into(),
        more => format!("99.{}%", "9".repeat(more as usize - 2)),
    }
}

/// A share in percent, with as many decimals as set it apart from one: `50%`, `99.95%`.
pub(crate) fn percent(share: f64) -> String {
    let rest = (1.0 - share).abs();
    let decimals =
        [0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6].into_iter().take_while(|limit| rest < limit * 0.999).count();
    let decimals = if rest > 0.0 { decimals + 1 } else { 0 };
    let digits = format!("{:.decimals$}", share * 100.0);
    let short =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    format!("{short}%")
}

fn in_decimals(size: f64, step: f64) -> String {
    let limits = [1.0, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6];
    let decimals = limits.into_iter().take_while(|limit| step < limit * (1.0 - 1e-9)).count();
    grouped(&format!("{size:.decimals$}"))
}

/// With the sign that typographers use, and none for a zero.
fn signed(value: f64, digits: &str) -> String {
    let zero = digits.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if value < 0.0 && !zero { format!("\u{2212}{digits}") } else { digits.to_owned() }
}

/// A comma after every three digits before the point.
fn grouped(digits: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn ticks_have_the_decimals_of_their_steps() {
        assert_eq!(in_steps(0.1 + 0.2, 0.1), "0.3");
        assert_eq!(in_steps(1.5, 0.5), "1.5");
        assert_eq!(in_steps(-2000.0, 1000.0), "\u{2212}2,000");
        assert_eq!(in_steps(-0.0, 20.0), "0");
        assert_eq!(power(5.0, -2.0), "0.05");
        assert_eq!(power(1.0, 4.0), "10,000");
        assert_eq!(power(1.0, 20.0), "1e20");
        assert_eq!(nines(5), "99.999%");
    }
}
