//! Chance that can be played again: one stream for each machine, so that what one draws changes nothing for another.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use shared::license::Draw;

/// One machine's own stream. The generator is named and portable: a seed gives the same fleet everywhere and for ever.
#[derive(Clone, Debug)]
pub(crate) struct Chance(Xoshiro256PlusPlus);

impl Chance {
    /// The stream of this machine under this seed.
    pub(crate) fn of(seed: u64, index: u32) -> Chance {
        let base = Xoshiro256PlusPlus::seed_from_u64(seed).next_u64();
        Chance(Xoshiro256PlusPlus::seed_from_u64(base.wrapping_add(u64::from(index))))
    }

    /// A number from 0 up to, and without, `limit`; 0 if that is 0. As likely as any other, to one part in 2^64.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        let drawn = u128::from(self.0.next_u64()) * u128::from(limit);
        u64::try_from(drawn >> 64).expect("it is below the limit, which is an u64")
    }

    /// A share of the jitter.
    pub(crate) fn draw(&mut self) -> Draw {
        Draw(self.0.next_u32())
    }

    /// A number from 0 to `highest` inclusive, for the draw among SRV records.
    pub(crate) fn up_to(&mut self, highest: u32) -> u32 {
        u32::try_from(self.below(u64::from(highest) + 1)).unwrap_or(highest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If these numbers change, every published result changes: it needs a line in the changelog.
    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        let mut chance = Chance::of(1, 7);
        let drawn: Vec<_> = (0..3).map(|_| chance.below(1_000_000)).collect();
        assert_eq!(drawn, [304_816, 58_676, 167_636]);
    }

    #[test]
    fn machines_and_seeds_have_streams_of_their_own() {
        let first = |seed, index| Chance::of(seed, index).below(u64::MAX);
        assert_ne!(first(1, 0), first(1, 1));
        assert_ne!(first(1, 0), first(2, 0));
        assert_eq!(Chance::of(1, 0).below(0), 0);
    }
}
