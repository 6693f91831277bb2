//! Numbers as people read them, in the table, the report and the live line: `9,990`, `12.3 ms`, `198/s`.

/// Thousands told apart: `1,200,000`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// So many things, in the singular if it is one: `1 error`, `2,000 errors`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A latency of so many microseconds, in three digits: `0.85 ms`, `12.3 ms`, `2.00 s`.
pub(crate) fn latency(us: u64) -> String {
    // From here on three digits of milliseconds would be rounded to 1000.
    if us < 999_500 {
        format!("{} ms", three_digits(ms(us)))
    } else {
        format!("{} s", three_digits(ms(us) / 1000.0))
    }
}

/// A latency, or a dash if there is none.
pub(crate) fn latency_or_dash(us: Option<u64>) -> String {
    us.map_or("-".to_owned(), latency)
}

/// How many in a second: `4.2`, `9,990`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates as an integer"
)]
pub(crate) fn rate(per_second: f64) -> String {
    if per_second < 9.95 { format!("{per_second:.1}") } else { count(per_second.round() as u64) }
}

/// So many of something within so many seconds; zero in no time.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
pub(crate) fn per_second(number: u64, seconds: f64) -> f64 {
    if 0.0 < seconds { number as f64 / seconds } else { 0.0 }
}

/// Microseconds as milliseconds.
#[expect(clippy::cast_precision_loss, reason = "a latency of far less than 2^52 µs")]
pub(crate) fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

fn three_digits(value: f64) -> String {
    let decimals = [9.995, 99.95].into_iter().filter(|limit| value < *limit).count();
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_told_apart() {
        let counts = [(0, "0"), (999, "999"), (1000, "1,000"), (9_990, "9,990"), (1_200_000, "1,200,000")];
        for (number, text) in counts {
            assert_eq!(count(number), text);
        }
        assert_eq!((counted(1, "error"), counted(2000, "error")), ("1 error".into(), "2,000 errors".into()));
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
            (3_600_000_000, "3600 s"),
        ];
        for (us, text) in latencies {
            assert_eq!(latency(us), text, "{us} µs");
        }
    }
}
