//! Fairness: how many new machines and how many bad asks are taken, and when new machines would inflate the count.
//!
//! A key costs nothing, so machines that do not exist can be made to ask. A [`Bucket`] bounds how many are entered; what goes
//! past it is seen by people, through [`inflates`]. Time is monotonic and passed in. Who a source is and what is remembered
//! of it is the host's affair; whether a machine is new is decided in `count`. `docs/protocol.md` 6.

use core::time::Duration;

use crate::reason::Reason;

const DAY: Duration = Duration::from_hours(24);

/// A limit for a length of time. All of it may be used at once. Time then refills it evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    most: u64,
    /// What refills one; zero where there is no limit.
    each_ns: u64,
}

impl Rate {
    /// A limit for a day; 0 is no limit.
    pub fn a_day(most: u64) -> Rate {
        Rate::per(DAY, most)
    }

    /// A limit for a minute; 0 is no limit.
    pub fn a_minute(most: u64) -> Rate {
        Rate::per(Duration::from_mins(1), most)
    }

    /// How many; 0 is no limit.
    pub const fn most(&self) -> u64 {
        self.most
    }

    fn per(period: Duration, most: u64) -> Rate {
        let period_ns = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        Rate { most, each_ns: period_ns.checked_div(most).map_or(0, |each_ns| each_ns.max(1)) }
    }

    /// The time that refills one; none where there is no limit.
    fn each(&self) -> Option<Duration> {
        (self.each_ns != 0).then(|| Duration::from_nanos(self.each_ns))
    }

    /// The time that refills all of them.
    fn all(&self) -> Duration {
        Duration::from_nanos(self.each_ns.saturating_mul(self.most))
    }
}

/// How many sources it takes to use up what is guaranteed to each: their shares together are as much as the site may bring, once
/// more.
const SHARES: u64 = 4000;

/// How many machines each source may enter in a day, though all others together have used up the limit of the site. A few
/// addresses cannot keep an office out that has its first machines to enter. By default it is 25, which is the threshold of most products.
pub fn guaranteed(per_site: &Rate) -> Rate {
    Rate::a_day(if per_site.most == 0 { 0 } else { (per_site.most / SHARES).max(1) })
}

/// What is left of a rate. It is one instant, of a clock that never goes back: when it will be full again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at: Duration,
}

impl Bucket {
    /// Takes one out.
    ///
    /// # Errors
    /// It is empty; how long until there is one.
    pub fn take(&mut self, rate: &Rate, now: Duration) -> Result<(), Duration> {
        let Some(each) = rate.each() else { return Ok(()) };
        let full_at = self.full_at.max(now).saturating_add(each);
        let wait = full_at.saturating_sub(now.saturating_add(rate.all()));
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = full_at;
        Ok(())
    }

    /// Whether there is one to take. Takes none.
    ///
    /// # Errors
    /// As [`Bucket::take`].
    pub fn look(&self, rate: &Rate, now: Duration) -> Result<(), Duration> {
        { *self }.take(rate, now)
    }

    /// Puts back what was taken and not needed.
    pub fn give_back(&mut self, rate: &Rate) {
        self.full_at = self.full_at.saturating_sub(rate.each().unwrap_or_default());
    }

    /// Whether it is as if nobody had ever taken from it: it may be forgotten.
    pub fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }

    /// Goes over to another rate. What was taken stays taken: of twice as many, as many more are left.
    pub fn change(&mut self, old: &Rate, new: &Rate, now: Duration) {
        let owed_ns = self.full_at.saturating_sub(now).as_nanos();
        let taken_ns = (owed_ns * u128::from(new.each_ns)).checked_div(u128::from(old.each_ns)).unwrap_or(0);
        let owed = Duration::from_nanos(u64::try_from(taken_ns).unwrap_or(u64::MAX));
        self.full_at = now.saturating_add(owed.min(new.all()));
    }
}

/// Fewer new machines of one source are no alarm: where so few are needed, any first machine would be one. It is the lowest
/// threshold that is a default.
const FEWEST_TOLD: u64 = 5;

/// Whether the new machines of one source are so many that fakes among them would decide: as many as are needed, and without
/// them the count would be below the threshold, or they are more than all others together.
pub fn inflates(new_of_source: u64, count: u64, threshold: u32) -> bool {
    let (threshold, others) = (u64::from(threshold), count.saturating_sub(new_of_source));
    threshold.max(FEWEST_TOLD) <= new_of_source && (others < threshold || others < new_of_source)
}

/// Whether many asks that are refused for this are an attack or a fault. Refusals that are the host's own doing do not count, and
/// neither does a copy, which heals.
pub fn is_bad(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::TooLarge
            | Reason::Malformed
            | Reason::ProductUnknown
            | Reason::SignatureBad
            | Reason::ClockSkew
            | Reason::ChainNeeded
            | Reason::NewMachinesLimited
            | Reason::Replayed
            | Reason::Blocked
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NOON: Duration = Duration::from_hours(12);

    /// How many can be taken at this moment.
    fn takes(bucket: &mut Bucket, rate: &Rate, now: Duration) -> u64 {
        let mut taken = 0;
        while taken <= 2 * rate.most() && bucket.take(rate, now).is_ok() {
            taken += 1;
        }
        taken
    }

    #[test]
    fn ten_thousand_enter_at_once_and_the_next_when_a_ten_thousandth_of_a_day_has_passed() {
        let (rate, mut bucket) = (Rate::a_day(10_000), Bucket::default());
        let each = Duration::from_millis(8640);
        assert_eq!(takes(&mut bucket, &rate, NOON), 10_000);
        assert_eq!(bucket.take(&rate, NOON), Err(each));
        assert_eq!(bucket.take(&rate, (NOON + each).saturating_sub(SECOND)), Err(SECOND));
        assert_eq!(bucket.look(&rate, NOON + each), Ok(()), "a look takes nothing");
        assert_eq!(bucket.take(&rate, NOON + each), Ok(()));
        assert_eq!(takes(&mut bucket, &rate, NOON + each + SECOND), 0);
    }

    #[test]
    fn a_day_later_it_is_full_again_and_not_fuller() {
        let (rate, mut bucket) = (Rate::a_day(24), Bucket::default());
        assert_eq!(takes(&mut bucket, &rate, NOON), 24);
        let almost = (NOON + DAY).saturating_sub(SECOND);
        assert!(!bucket.is_full(almost));
        assert!(bucket.is_full(NOON + DAY));
        assert_eq!(takes(&mut bucket.clone(), &rate, almost), 23);
        assert_eq!(takes(&mut bucket.clone(), &rate, NOON + DAY), 24);
        assert_eq!(takes(&mut bucket, &rate, NOON + 10 * DAY), 24);
    }

    /// 7 do not divide a day. What is lost to rounding must not be one of them.
    #[test]
    fn numbers_that_do_not_divide_their_time_are_given_in_full() {
        for most in [1, 7, 600, 99_991, 1_000_000_000] {
            let (rate, mut bucket) = (Rate::a_minute(most), Bucket::default());
            let some = most.min(100_000);
            assert!((0..some).all(|_| bucket.take(&rate, NOON).is_ok()));
            assert_eq!(bucket.take(&rate, NOON).is_ok(), some < most, "{most}");
        }
    }

    #[test]
    fn what_was_not_needed_is_there_for_the_next() {
        let (rate, mut bucket) = (Rate::a_day(2), Bucket::default());
        assert_eq!(takes(&mut bucket, &rate, NOON), 2);
        bucket.give_back(&rate);
        assert_eq!(takes(&mut bucket, &rate, NOON), 1);
    }

    #[test]
    fn zero_is_no_limit() {
        let (rate, mut bucket) = (Rate::a_day(0), Bucket::default());
        assert!((0..100_000).all(|_| bucket.take(&rate, NOON).is_ok()));
        bucket.give_back(&rate);
        assert!(bucket.is_full(NOON));
    }

    #[test]
    fn another_limit_begins_with_what_was_taken_under_the_old_one() {
        let taken = |old, taken, new| {
            let (old, new, mut bucket) = (Rate::a_day(old), Rate::a_day(new), Bucket::default());
            assert!((0..taken).all(|_| bucket.take(&old, NOON).is_ok()));
            bucket.change(&old, &new, NOON);
            takes(&mut bucket, &new, NOON)
        };
        assert_eq!(taken(10, 10, 30), 20);
        assert_eq!(taken(10, 4, 8), 4);
        assert_eq!(taken(10, 10, 3), 0);
        assert_eq!(taken(0, 5, 3), 3, "without a limit nothing was noted");
    }

    #[test]
    fn new_machines_of_one_source_are_told_of_where_they_decide() {
        // Too few of them to reach anything.
        assert!(!inflates(24, 24, 25));
        // The count stands on them.
        assert!(inflates(25, 49, 25));
        assert!(!inflates(25, 50, 25));
        // They are most of it.
        assert!(!inflates(500, 1000, 25));
        assert!(inflates(501, 1001, 25));
        // They have left the count again.
        assert!(inflates(30, 10, 25));
        // There is no alarm for somebody who tries it out with a machine or two.
        assert!(!inflates(4, 4, 1));
        assert!(inflates(5, 5, 1));
    }
}
