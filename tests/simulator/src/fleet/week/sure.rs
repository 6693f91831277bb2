//! When a machine has surely asked from the network, whatever its jitter draws. Pure: instants go in.
//!
//! A machine that finds no host asks again within a back-off step, or when it is next switched on after that; jitter only
//! makes it earlier. So between an instant and the first at which it is on a whole step later it has asked, and if it
//! was never away in between, it has asked from the network. Such a stretch is sure; a shorter stay may be missed.

use std::time::Duration;

use shared::time::Timestamp;

use super::{Absence, On, Week, is_workday, since_zero_ms};
use crate::fleet::calendar::{DAY_MS, DAY_ZERO};

/// How many absences to look past. A machine without a sure stretch between any of them has none.
const TRIES: usize = 16;

impl Week {
    /// When the first sure stretch ends that begins at this instant or later; none if its stays are too short for one.
    pub(crate) fn surely_asks_by(&self, from: Timestamp, step: Duration) -> Option<Timestamp> {
        let mut from = from;
        for _ in 0..TRIES {
            let by = self.next_on(from + step);
            let Some((_, back_at)) = self.absence_within(from, by) else { return Some(by) };
            from = back_at;
        }
        None
    }

    /// When the last sure stretch begins that ends before this instant.
    pub(crate) fn last_sure_start(&self, before: Timestamp, step: Duration) -> Option<Timestamp> {
        let mut before = before;
        for _ in 0..TRIES {
            let by = self.last_on(before);
            let from = by - step;
            let Some((away_at, _)) = self.absence_within(from, by) else { return Some(from) };
            before = away_at;
        }
        None
    }

    /// Whether it may be switched on and on the network at all from one instant until before another.
    pub(crate) fn may_come(&self, from: Timestamp, before: Timestamp) -> bool {
        let mut at = self.next_on(from);
        for _ in 0..TRIES {
            let Some((_, back_at)) = self.absence_within(at, at) else { return at < before };
            at = self.next_on(back_at);
        }
        true
    }

    /// The last absence of which a part lies between these instants, both included: its first instant, and the first
    /// after it.
    fn absence_within(&self, from: Timestamp, by: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let Absence { away, phase_ms } = self.absence?;
        let into_ms = (since_zero_ms(by) + phase_ms).rem_euclid(away.cycle_ms);
        let away_at = Timestamp::from_unix_ms(by.unix_ms() - into_ms);
        let back_at = Timestamp::from_unix_ms(away_at.unix_ms() + away.length_ms);
        (from < back_at).then_some((away_at, back_at))
    }

    /// The last millisecond before this instant in which it is switched on.
    fn last_on(&self, before: Timestamp) -> Timestamp {
        let last = Timestamp::from_unix_ms(before.unix_ms() - 1);
        let On::Office { begins_ms, length_ms } = self.on else { return last };
        let mut day = (since_zero_ms(last) - begins_ms).div_euclid(DAY_MS);
        while !is_workday(day) {
            day -= 1;
        }
        let ends_ms = DAY_ZERO.unix_ms() + day * DAY_MS + begins_ms + length_ms;
        last.min(Timestamp::from_unix_ms(ends_ms - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Away;
    use super::super::tests::{at, office};
    use super::*;
    use crate::fleet::calendar::DAY;

    const STEP: Duration = DAY;

    fn laptop() -> Week {
        let away = Away::parse("14d/56d").unwrap();
        Week { absence: Some(Absence { away, phase_ms: 0 }), ..office(8, 18) }
    }

    #[test]
    fn an_office_machine_has_asked_a_step_later_or_when_it_is_on_again() {
        let week = office(8, 18);
        for (from, by) in [(at(0, 9), at(1, 9)), (at(0, 20), at(2, 8)), (at(4, 9), at(7, 8))] {
            assert_eq!(week.surely_asks_by(from, STEP), Some(by), "{from}");
        }
    }

    #[test]
    fn a_laptop_is_waited_for_and_reached_no_later_than_a_step_before_it_goes() {
        let week = laptop();
        assert_eq!(week.surely_asks_by(at(3, 9), STEP), Some(at(15, 8)), "two weeks away, and a step");
        let millisecond = Duration::from_millis(1);
        // It leaves on day 56, a Monday: the last sure stretch ends on Friday evening.
        let last = at(56 - 4, 18) - millisecond;
        assert_eq!(week.last_sure_start(at(60, 9), STEP), Some(last));
        assert!(week.surely_asks_by(last, STEP).unwrap() < at(56, 0));
        assert!(
            at(60, 9) < week.surely_asks_by(last + millisecond, STEP).unwrap(),
            "a moment later is too late"
        );
    }

    #[test]
    fn whose_stays_are_shorter_than_a_step_is_never_sure_though_it_may_come() {
        let away = Away::parse("13d18h/14d").unwrap();
        let week = Week { absence: Some(Absence { away, phase_ms: 0 }), on: On::Always };
        assert_eq!(
            (week.surely_asks_by(at(0, 0), STEP), week.last_sure_start(at(99, 0), STEP)),
            (None, None)
        );
        assert!(week.may_come(at(0, 0), at(14, 0)) && !week.may_come(at(0, 0), at(13, 18)));
    }
}
