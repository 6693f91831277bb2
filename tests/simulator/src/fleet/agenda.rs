//! Which machine asks when: a heap for the hour that is being played, and a list for each later hour.
//!
//! A single heap of a hundred thousand machines would be touched all over at every ask. Instants beyond the play are
//! left out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use shared::time::Timestamp;

use super::calendar::{DAY_ZERO, HOUR_MS};
use super::options::Plan;

/// An instant and a machine. Two of one instant go by the machine's number.
type Due = Reverse<(i64, u32)>;

/// The machines in the order in which they ask.
pub(crate) struct Agenda {
    hour: usize,
    now: BinaryHeap<Due>,
    later: Vec<Vec<Due>>,
}

impl Agenda {
    /// An empty one for this play.
    pub(crate) fn new(plan: &Plan) -> Agenda {
        let hours = usize::try_from(plan.days * 24).expect("ten years at the most");
        Agenda { hour: 0, now: BinaryHeap::new(), later: vec![Vec::new(); hours] }
    }

    /// This machine asks at this instant, which is not before the one that was taken last.
    pub(crate) fn put(&mut self, at: Timestamp, machine: u32) {
        let entry = Reverse((at.unix_ms(), machine));
        let hour = usize::try_from((at.unix_ms() - DAY_ZERO.unix_ms()) / HOUR_MS).unwrap_or(0);
        if hour <= self.hour {
            self.now.push(entry);
        } else if let Some(later) = self.later.get_mut(hour) {
            later.push(entry);
        }
    }

    /// The next machine and its instant; none when the play is over.
    pub(crate) fn take(&mut self) -> Option<(Timestamp, u32)> {
        while self.now.is_empty() {
            self.hour += 1;
            self.now = BinaryHeap::from(std::mem::take(self.later.get_mut(self.hour)?));
        }
        let Reverse((at_ms, machine)) = self.now.pop()?;
        Some((Timestamp::from_unix_ms(at_ms), machine))
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::tests::plan;
    use super::*;

    #[test]
    fn entries_come_in_the_order_of_time_whenever_they_are_put() {
        let at = |ms: i64| Timestamp::from_unix_ms(DAY_ZERO.unix_ms() + ms);
        let mut agenda = Agenda::new(&plan("--days 7"));
        for (ms, machine) in [(9 * HOUR_MS, 1), (5, 3), (5, 2), (8 * 24 * HOUR_MS, 4)] {
            agenda.put(at(ms), machine);
        }
        assert_eq!(agenda.take(), Some((at(5), 2)));
        agenda.put(at(6), 2);
        assert_eq!(agenda.take(), Some((at(5), 3)));
        assert_eq!(agenda.take(), Some((at(6), 2)));
        assert_eq!(agenda.take(), Some((at(9 * HOUR_MS), 1)));
        assert_eq!(agenda.take(), None, "the eighth day is not played");
    }
}
