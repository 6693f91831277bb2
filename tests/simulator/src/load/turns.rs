//! Which machine has the next turn: those of a phase, in an order that is drawn once.
//!
//! New machines have their turn once each, known ones over and over. Which machines a phase is about is fixed when it
//! begins.

use std::sync::atomic::{AtomicUsize, Ordering};

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

use super::ground::Ground;
use super::scenario::{Phase, Who};

pub(crate) struct Turns {
    order: Vec<usize>,
    over_and_over: bool,
    taken: AtomicUsize,
}

impl Turns {
    /// Those of this phase.
    pub(crate) fn of(phase: &Phase, ground: &Ground, seed: u64) -> Turns {
        let wanted = match phase.who {
            Who::New => false,
            Who::Known => true,
            Who::Nobody => return Turns::new(Vec::new(), false, seed),
        };
        let have_asked = ground.have_asked();
        let machines = u32::try_from(have_asked.len()).unwrap_or(u32::MAX);
        let some = usize::try_from(phase.of(machines)).unwrap_or(usize::MAX);
        let numbers = have_asked.iter().take(some).enumerate().filter(|(_, asked)| **asked == Some(wanted));
        let order = numbers.map(|(number, _)| number).collect();
        Turns::new(order, phase.who == Who::Known, seed)
    }

    fn new(mut order: Vec<usize>, over_and_over: bool, seed: u64) -> Turns {
        order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
        Turns { order, over_and_over, taken: AtomicUsize::new(0) }
    }

    /// The next one; none if all have had theirs.
    pub(crate) fn next(&self) -> Option<usize> {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        if self.over_and_over && !self.order.is_empty() {
            return Some(self.order[taken % self.order.len()]);
        }
        self.order.get(taken).copied()
    }

    /// The machines, in their order.
    pub(crate) fn numbers(&self) -> &[usize] {
        &self.order
    }

    pub(crate) fn machines(&self) -> u32 {
        u32::try_from(self.order.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_machines_have_one_turn_and_known_ones_one_after_the_other() {
        let once = Turns::new(vec![1, 2, 3], false, 7);
        let mut taken: Vec<_> = std::iter::from_fn(|| once.next()).collect();
        taken.sort_unstable();
        assert_eq!(taken, [1, 2, 3]);

        let again = Turns::new(vec![1, 2, 3], true, 7);
        let taken: Vec<_> = (0..6).filter_map(|_| again.next()).collect();
        assert_eq!(taken[..3], taken[3..], "nobody has a second turn before all have had their first");
        assert_eq!(Turns::new(Vec::new(), true, 7).next(), None);
    }

    #[test]
    fn the_order_comes_from_the_seed() {
        let order = |seed| Turns::new((0..100).collect(), true, seed).order;
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
