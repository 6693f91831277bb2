//! The ticks of an axis, written: as many decimals as its steps need, a digit times a power of ten, a share with its nines.
//!
//! `axis` chooses the values that get a tick.

use crate::figures::{LARGE, SMALL, grouped, signed};

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

fn in_decimals(size: f64, step: f64) -> String {
    let limits = [1.0, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6];
    let decimals = limits.into_iter().take_while(|limit| step < limit * (1.0 - 1e-9)).count();
    grouped(&format!("{size:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
