//! When the asks of an open phase are due: drawn ahead, so that no answer can delay them.
//!
//! Machines know nothing of each other, so their asks come as a Poisson process whose rate follows the phase's shape. An
//! arrival is found by drawing how many asks pass until the next (an exponential share), and looking up when the area
//! under the rate has grown by so much. Pure: the seed is an argument, and nothing here waits.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// The mean height of a shape: of straight lines between heights at equal distances.
pub(crate) fn mean(shape: &[f64]) -> f64 {
    match shape {
        [] => 0.0,
        [one] => *one,
        several => {
            let pieces = several.windows(2).map(|piece| f64::midpoint(piece[0], piece[1]));
            pieces.sum::<f64>() / divisor(several.len() - 1)
        }
    }
}

/// The instants at which asks are due, from the beginning of the phase.
pub(crate) struct Arrivals {
    random: Xoshiro256PlusPlus,
    /// Asks a second at equal distances.
    rates: Vec<f64>,
    /// Between two of them, in seconds.
    piece_s: f64,
    /// Where the next draw starts: the piece, and the seconds in it.
    piece: usize,
    in_piece_s: f64,
}

impl Arrivals {
    /// Of a phase so long, with this mean rate and this shape.
    pub(crate) fn new(mean_per_s: f64, shape: &[f64], seconds: f64, seed: u64) -> Arrivals {
        let even = [1.0, 1.0];
        let shape = if shape.len() < 2 { &even } else { shape };
        let factor = mean_per_s / mean(shape);
        Arrivals {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            rates: shape.iter().map(|height| height * factor).collect(),
            piece_s: seconds / divisor(shape.len() - 1),
            piece: 0,
            in_piece_s: 0.0,
        }
    }

    /// In which second of a piece the area from `from_s` on has grown by `area`; none if the piece ends before.
    ///
    /// The rate runs straight from `a` to `b`, so the area is a parabola: `a' s + slope / 2 s^2 = area`, solved in the
    /// form that has no cancellation and holds for a slope of zero.
    fn grown(&self, area: f64) -> Result<f64, f64> {
        let (a, b) = (self.rates[self.piece], self.rates[self.piece + 1]);
        let slope = (b - a) / self.piece_s;
        let here = a + slope * self.in_piece_s;
        let left_s = self.piece_s - self.in_piece_s;
        let left_area = left_s * f64::midpoint(here, b);
        if left_area < area {
            return Err(left_area);
        }
        let root = (here * here + 2.0 * slope * area).max(0.0).sqrt();
        Ok(self.in_piece_s + (2.0 * area / (here + root)).min(left_s))
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        // From (0, 1], so that the logarithm is finite.
        let mut area = -(1.0 - self.random.random::<f64>()).ln();
        while self.piece + 1 < self.rates.len() {
            match self.grown(area) {
                Ok(in_piece_s) => {
                    self.in_piece_s = in_piece_s;
                    let seconds = divisor(self.piece) * self.piece_s + in_piece_s;
                    return Some(Duration::from_secs_f64(seconds));
                }
                Err(left) => {
                    area -= left;
                    (self.piece, self.in_piece_s) = (self.piece + 1, 0.0);
                }
            }
        }
        None
    }
}

#[expect(clippy::cast_precision_loss, reason = "a shape has far fewer than 2^52 heights")]
fn divisor(pieces: usize) -> f64 {
    pieces as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(arrivals: &[Duration], from_s: f64, to_s: f64) -> usize {
        arrivals.iter().filter(|at| from_s <= at.as_secs_f64() && at.as_secs_f64() < to_s).count()
    }

    #[test]
    fn there_are_as_many_as_planned_give_or_take_chance() {
        let arrivals: Vec<_> = Arrivals::new(1000.0, &[1.0], 10.0, 7).collect();
        assert!((9_500..10_500).contains(&arrivals.len()), "{}", arrivals.len());
        assert!(arrivals.is_sorted() && arrivals.last().unwrap().as_secs_f64() <= 10.0);
        assert!((850..1150).contains(&between(&arrivals, 4.0, 5.0)));
    }

    #[test]
    fn they_follow_the_shape() {
        let arrivals: Vec<_> = Arrivals::new(1000.0, &[0.0, 2.0, 0.0], 10.0, 7).collect();
        let (rise, top, fall) =
            (between(&arrivals, 0.0, 1.0), between(&arrivals, 4.5, 5.5), between(&arrivals, 9.0, 10.0));
        assert!((140..260).contains(&rise) && (140..260).contains(&fall), "{rise} {fall}: 200 by the area");
        assert!((1_700..2_100).contains(&top), "{top}: 1,900 by the area");
    }

    #[test]
    fn the_same_seed_gives_the_same_instants() {
        let drawn = |seed| Arrivals::new(50.0, &[1.0, 3.0], 2.0, seed).collect::<Vec<_>>();
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn the_mean_of_a_shape_is_that_of_its_lines() {
        assert!((mean(&[0.0, 2.0, 0.0]) - 1.0).abs() < 1e-9);
        assert!((mean(&[3.0]) - 3.0).abs() < 1e-9);
    }
}
