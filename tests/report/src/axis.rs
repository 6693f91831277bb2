//! Where a value stands on an axis, and which values get a tick.
//!
//! Pure: numbers in, shares of the axis out. A [`Ruler`] knows nothing of pixels; `chart` asks it for the share and
//! multiplies. How a tick is written is in `ticks`.

use super::{Scale, ticks};

/// Beyond this, sums and differences of values are no longer numbers.
const LARGEST: f64 = 1e300;

/// The room after the last share below one, in nines: one itself would be endlessly far away.
const ROOM_FOR_ONE: f64 = 0.5;

/// An axis of at most this many powers of ten has labels at 2 and 5 too.
const FEW_DECADES: f64 = 2.5;

/// An axis that has been laid over the values it has to show.
#[derive(Clone, Debug)]
pub(super) struct Ruler {
    scale: Scale,
    /// In the measure of the scale: itself, its logarithm, its nines.
    low: f64,
    high: f64,
    /// Whether a share of one is among the values, which then stands at the end.
    one: bool,
}

/// A line across the drawing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// From 0 at the start of the axis to 1 at its end.
    pub(super) share: f64,
    /// Empty for a line between two numbers.
    pub(super) label: String,
}

impl Ruler {
    /// Ends exactly where the values end: for time. `None` if no value has a place.
    pub(super) fn exact(scale: Scale, values: impl Iterator<Item = f64>) -> Option<Ruler> {
        let measures: Vec<f64> = values.filter_map(|value| measure(scale, value)).collect();
        let one = measures.contains(&f64::INFINITY);
        let finite = || measures.iter().copied().filter(|measure| measure.is_finite());
        let (mut low, mut high) =
            finite().reduce(f64::min).zip(finite().reduce(f64::max)).unwrap_or((0.0, 0.0));
        if measures.is_empty() {
            return None;
        }
        match scale {
            Scale::Linear => (low, high) = (low.min(0.0), high.max(0.0)),
            Scale::Log => {}
            Scale::Nines => low = 0.0,
        }
        if one {
            high += ROOM_FOR_ONE;
        }
        if high <= low {
            (low, high) = widened(scale, low);
        }
        Some(Ruler { scale, low, high, one })
    }

    /// Ends at the next tick on either side, so that nothing touches the edge: for what is counted or measured.
    pub(super) fn rounded(scale: Scale, values: impl Iterator<Item = f64>, most: u32) -> Option<Ruler> {
        let Ruler { low, high, one, .. } = Ruler::exact(scale, values)?;
        let (low, high) = match scale {
            Scale::Linear => {
                let step = nice_step(low, high, most);
                // A sum that is above a tick by the last of its digits does not need the next one.
                let (low, high) = ((low / step + 1e-6).floor() * step, (high / step - 1e-6).ceil() * step);
                (low, if low < high { high } else { low + step })
            }
            Scale::Log => (log_below(low), log_above(high)),
            Scale::Nines => (low, high),
        };
        Some(Ruler { scale, low, high, one })
    }

    /// From 0 to 1, or `None` if the value has no place: not a number, or below zero where that cannot be shown.
    pub(super) fn share(&self, value: f64) -> Option<f64> {
        let share = (measure(self.scale, value)? - self.low) / (self.high - self.low);
        Some(share.clamp(0.0, 1.0))
    }

    /// At most about `most` ticks, ascending; lines without a label may stand between them.
    pub(super) fn ticks(&self, most: u32) -> Vec<Tick> {
        match self.scale {
            Scale::Linear => self.linear_ticks(most),
            Scale::Log => self.log_ticks(most),
            Scale::Nines => self.nines_ticks(),
        }
    }

    fn linear_ticks(&self, most: u32) -> Vec<Tick> {
        let step = nice_step(self.low, self.high, most);
        let first = (self.low / step - 1e-9).ceil();
        let at = |nth: u32| (first + f64::from(nth)) * step;
        (0..=most)
            .map(at)
            .take_while(|value| *value <= self.high + step * 1e-9)
            .map(|value| Tick { share: self.of_measure(value), label: ticks::in_steps(value, step) })
            .collect()
    }

    fn log_ticks(&self, most: u32) -> Vec<Tick> {
        let decades = self.high - self.low;
        let step = (decades / f64::from(most.max(2))).ceil().max(1.0);
        let first = (self.low / step).floor();
        let mut ticks = Vec::new();
        for nth in 0..=most.max(2) + 2 {
            let decade = (first + f64::from(nth)) * step;
            for digit in [1.0, 2.0, 5.0] {
                let at = decade + f64::log10(digit);
                let wanted = digit < 1.5 || step < 1.5;
                if wanted && self.low - 1e-9 <= at && at <= self.high + 1e-9 {
                    let labelled = digit < 1.5 || decades <= FEW_DECADES;
                    let label = if labelled { ticks::power(digit, decade) } else { String::new() };
                    ticks.push(Tick { share: self.of_measure(at), label });
                }
            }
        }
        ticks
    }

    fn nines_ticks(&self) -> Vec<Tick> {
        let half = (f64::log10(2.0), "50%".to_owned());
        let nines = (1_u32..=16).map(|nines| (f64::from(nines), ticks::nines(nines)));
        let end = self.one.then(|| Tick { share: 1.0, label: "100%".into() });
        [half]
            .into_iter()
            .chain(nines)
            .filter(|(measure, _)| *measure <= self.high + 1e-9)
            .map(|(measure, label)| Tick { share: self.of_measure(measure), label })
            .chain(end)
            .collect()
    }

    fn of_measure(&self, measure: f64) -> f64 {
        ((measure - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// The ends of an axis over a single value.
fn widened(scale: Scale, only: f64) -> (f64, f64) {
    match scale {
        Scale::Linear | Scale::Nines => (only, only + 1.0),
        Scale::Log => (only - 0.5, only + 0.5),
    }
}

/// What the scale measures of a value; endless for a share of one.
fn measure(scale: Scale, value: f64) -> Option<f64> {
    let wanted = match scale {
        Scale::Linear => value.abs() <= LARGEST,
        Scale::Log => 0.0 < value && value.is_finite(),
        Scale::Nines => (0.0..=1.0).contains(&value),
    };
    wanted.then(|| match scale {
        Scale::Linear => value,
        Scale::Log => value.log10(),
        Scale::Nines => -(1.0 - value).log10(),
    })
}

/// The smallest of 1, 2, 5 times a power of ten with which `most` steps cover the stretch.
fn nice_step(low: f64, high: f64, most: u32) -> f64 {
    let rough = (high - low) / f64::from(most.max(1));
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0].map(|digit| digit * power).into_iter().find(|step| rough <= step * (1.0 + 1e-9));
    // The smallest numbers of all have no logarithm to go by.
    let step = step.unwrap_or(10.0 * power);
    if step.is_normal() { step } else { 1.0 }
}

/// The next of 1, 2, 5 times a power of ten that is not above; all as logarithms.
fn log_below(measure: f64) -> f64 {
    let decade = (measure + 1e-9).floor();
    let digits = [5.0, 2.0, 1.0].map(f64::log10);
    decade + digits.into_iter().find(|digit| decade + digit <= measure + 1e-9).unwrap_or(0.0)
}

/// The next of 1, 2, 5 times a power of ten that is not below; all as logarithms.
fn log_above(measure: f64) -> f64 {
    let decade = (measure + 1e-9).floor();
    let digits = [1.0, 2.0, 5.0].map(f64::log10);
    decade + digits.into_iter().find(|digit| measure - 1e-9 <= decade + digit).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ruler: &Ruler, most: u32) -> String {
        let labels = ruler.ticks(most).into_iter().map(|tick| tick.label);
        labels.filter(|label| !label.is_empty()).collect::<Vec<_>>().join(" ")
    }

    fn rounded(scale: Scale, values: &[f64]) -> Ruler {
        Ruler::rounded(scale, values.iter().copied(), 5).unwrap()
    }

    fn exact(scale: Scale, values: &[f64]) -> Ruler {
        Ruler::exact(scale, values.iter().copied()).unwrap()
    }

    #[test]
    fn steps_are_one_two_five() {
        for (highest, expected) in [
            (1.0, "0 0.2 0.4 0.6 0.8 1.0"),
            (0.037, "0 0.01 0.02 0.03 0.04"),
            (7.0, "0 2 4 6 8"),
            (10.000_000_1, "0 2 4 6 8 10"),
            (9.1, "0 2 4 6 8 10"),
            (23.0, "0 5 10 15 20 25"),
            (1800.0, "0 500 1,000 1,500 2,000"),
            (4_200_000.0, "0 1,000,000 2,000,000 3,000,000 4,000,000 5,000,000"),
        ] {
            assert_eq!(labels(&rounded(Scale::Linear, &[highest]), 5), expected);
        }
    }

    #[test]
    fn time_ends_where_the_values_end() {
        let days = exact(Scale::Linear, &[0.0, 730.0]);
        assert_eq!(labels(&days, 8), "0 100 200 300 400 500 600 700");
        assert_eq!(days.share(730.0), Some(1.0));
        assert_eq!(days.share(365.0), Some(0.5));
    }

    #[test]
    fn values_below_zero_have_room() {
        assert_eq!(labels(&rounded(Scale::Linear, &[-3.0, 5.0]), 5), "\u{2212}4 \u{2212}2 0 2 4 6");
    }

    #[test]
    fn powers_of_ten_are_equally_far_apart() {
        let ruler = rounded(Scale::Log, &[0.1, 1000.0]);
        assert_eq!(labels(&ruler, 5), "0.1 1 10 100 1,000");
        assert!((ruler.share(10.0).unwrap() - 0.5).abs() < 1e-9);
        assert_eq!(labels(&rounded(Scale::Log, &[3.1, 41.0]), 5), "2 5 10 20 50");
        assert_eq!((ruler.share(0.0), ruler.share(-1.0)), (None, None));
    }

    #[test]
    fn nines_are_equally_far_apart_and_one_stands_at_the_end() {
        let ruler = exact(Scale::Nines, &[0.0, 0.5, 0.999, 1.0]);
        assert_eq!(labels(&ruler, 5), "50% 90% 99% 99.9% 100%");
        let share = |value| ruler.share(value).unwrap();
        assert!((share(0.99) - share(0.9) - share(0.9)).abs() < 1e-9);
        assert!(share(0.999) < 0.9 && (share(1.0) - 1.0).abs() < 1e-9);
        assert_eq!((ruler.share(1.1), ruler.share(-0.1)), (None, None));
    }

    #[test]
    fn whatever_comes_gets_a_place_or_none_and_never_a_panic() {
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324];
        for scale in [Scale::Linear, Scale::Log, Scale::Nines] {
            assert!(Ruler::exact(scale, [f64::NAN, f64::INFINITY].into_iter()).is_none());
            for few in
                (0..odd.len()).map(|from| &odd[from..]).chain([&[0.0][..], &[-1e300, 1e300], &[1.0, 1.0]])
            {
                let Some(ruler) = Ruler::rounded(scale, few.iter().copied(), 5) else { continue };
                let ticks = ruler.ticks(5);
                assert!(
                    ticks.len() < 40 && ticks.iter().all(|tick| (0.0..=1.0).contains(&tick.share)),
                    "{few:?}"
                );
                let shares = few.iter().filter_map(|value| ruler.share(*value));
                assert!(shares.into_iter().all(|share| (0.0..=1.0).contains(&share)), "{scale:?} {few:?}");
            }
        }
    }
}
