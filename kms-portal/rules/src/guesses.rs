//! How often somebody may be wrong about a password or a code.
//!
//! Wrong guesses at an account are counted twice: for each source, and for all sources together. The first count slows down that source. The
//! second slows down sources from which nobody has ever signed in to the account. So an attacker with many addresses gets nowhere, and the
//! owner of the account, at the usual place, does not notice.

use std::time::Duration;

use shared::time::Timestamp;

/// Wrong guesses of a source that cost nothing.
const OF_A_SOURCE: u32 = 5;

/// Wrong guesses from all sources that cost nothing. Beyond it, unknown sources wait.
const OF_ALL: u32 = 50;

/// The first wait. Each one after it is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// After how long without a wrong guess everything is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// Wrong guesses in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    /// How many.
    pub times: u32,
    /// The last one.
    pub last_at: Option<Timestamp>,
}

impl Wrong {
    /// With one more.
    pub fn again(self, now: Timestamp) -> Wrong {
        let times = if self.is_forgotten(now) { 1 } else { self.times.saturating_add(1) };
        Wrong { times, last_at: Some(now) }
    }

    fn is_forgotten(self, now: Timestamp) -> bool {
        self.last_at.is_none_or(|last_at| last_at + FORGOTTEN_AFTER <= now)
    }

    /// Until when nothing is tried, if so many cost nothing.
    fn waits_until(self, free: u32, now: Timestamp) -> Option<Timestamp> {
        let over = self.times.checked_sub(free).filter(|_| !self.is_forgotten(now))?;
        let wait = FIRST_WAIT.saturating_mul(1 << over.min(16)).min(LONGEST_WAIT);
        self.last_at.map(|last_at| last_at + wait).filter(|until| now < *until)
    }
}

/// Until when a guess is not looked at; none if it is looked at now.
///
/// `of_source` are the wrong guesses at this account from this source, `of_all` those from all sources. `is_known` says whether somebody
/// has signed in to the account from this source before. A guess that is not looked at is answered like a wrong one, and is not counted.
pub fn waits_until(of_source: Wrong, of_all: Wrong, is_known: bool, now: Timestamp) -> Option<Timestamp> {
    let for_source = of_source.waits_until(OF_A_SOURCE, now);
    let for_all = of_all.waits_until(OF_ALL, now).filter(|_| !is_known);
    for_source.max(for_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

    fn wrong(times: u32) -> Wrong {
        (0..times).fold(Wrong::default(), |wrong, _| wrong.again(START))
    }

    #[test]
    fn five_wrong_guesses_cost_nothing_and_each_one_after_them_twice_as_much() {
        let wait = |times| {
            waits_until(wrong(times), Wrong::default(), false, START)
                .map(|until| until.since(START).as_secs())
        };
        assert_eq!([4, 5, 6, 7, 14, 99].map(wait), [None, Some(2), Some(4), Some(8), Some(900), Some(900)]);
    }

    #[test]
    fn an_attacker_with_many_addresses_does_not_lock_the_owner_out() {
        let attacked = wrong(5_000);
        assert!(waits_until(Wrong::default(), attacked, false, START).is_some(), "another new address waits");
        assert_eq!(waits_until(Wrong::default(), attacked, true, START), None, "the owner does not");
    }

    #[test]
    fn a_day_later_everything_is_forgotten() {
        let (long, after) = (wrong(30), START + FORGOTTEN_AFTER);
        assert_eq!(waits_until(long, Wrong::default(), false, after), None);
        assert_eq!(long.again(after).times, 1);
    }
}
