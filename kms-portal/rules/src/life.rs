//! A subscription from its start to its end.
//!
//! Active, then 30 days in which everything works as before, then 90 days in which only administrators get in, then ended for good. The
//! lengths belong to the subscription, because they are part of what was sold. Nothing is written when time passes: the standing follows
//! from a few instants, so a job that was down for a month has nothing to make up for.

use std::time::Duration;

use shared::time::Timestamp;

use crate::DAY;

/// The instants of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// From when on it licenses people.
    pub starts_at: Timestamp,
    /// The first instant after its term. The contract has days in a zone; this is the start of the day after the last one.
    pub ends_at: Timestamp,
    /// How long everything works after the term.
    pub grace: Duration,
    /// How long after that everything is kept for administrators.
    pub held: Duration,
    /// When its organisation cancelled it in the middle of its term.
    pub cancelled_at: Option<Timestamp>,
    /// When the vendor disabled it, for fraud or an open invoice.
    pub disabled_at: Option<Timestamp>,
}

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeStage {
    /// It has not started.
    Ahead,
    /// It is paid.
    Active,
    /// Its term is over, and everything works as before.
    Expired,
    /// Nobody but administrators gets in, and nothing can be assigned.
    Disabled(DisabledBy),
    /// It is over for good.
    Ended,
}

/// What has disabled a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabledBy {
    /// It was not renewed in time.
    Term,
    /// Its organisation cancelled it.
    Cancellation,
    /// The vendor.
    Vendor,
}

impl LifeStage {
    /// Whether its seats can be assigned.
    pub const fn gives_seats(self) -> bool {
        matches!(self, LifeStage::Active | LifeStage::Expired)
    }

    /// Whether people use what they were assigned.
    pub const fn works(self) -> bool {
        self.gives_seats()
    }
}

impl Subscription {
    /// A subscription for this time, with the usual lengths: 30 days, then 90.
    pub const fn new(starts_at: Timestamp, ends_at: Timestamp) -> Subscription {
        let (grace, held) = (Duration::from_hours(30 * 24), Duration::from_hours(90 * 24));
        Subscription { starts_at, ends_at, grace, held, cancelled_at: None, disabled_at: None }
    }

    /// Where it stands at this instant, and until when; none where nothing but an act changes it.
    pub fn at(&self, now: Timestamp) -> (LifeStage, Option<Timestamp>) {
        let ended_at = self.ended_at(now);
        if ended_at <= now {
            return (LifeStage::Ended, None);
        }
        // What was disabled stays so until somebody acts, or it ends.
        if self.disabled_at.is_some_and(|at| at <= now) {
            return (LifeStage::Disabled(DisabledBy::Vendor), Some(ended_at));
        }
        if self.cancelled_at.is_some_and(|at| at <= now) {
            return (LifeStage::Disabled(DisabledBy::Cancellation), Some(ended_at));
        }
        let works_until = self.ends_at + self.grace;
        if now < self.starts_at {
            (LifeStage::Ahead, Some(self.starts_at))
        } else if now < self.ends_at {
            (LifeStage::Active, Some(self.ends_at))
        } else if now < works_until {
            (LifeStage::Expired, Some(works_until))
        } else {
            (LifeStage::Disabled(DisabledBy::Term), Some(ended_at))
        }
    }

    /// The instants at which it may begin or cease to give seats.
    pub fn changes(&self) -> impl Iterator<Item = Timestamp> {
        let always = [self.starts_at, self.ends_at + self.grace];
        always.into_iter().chain(self.cancelled_at).chain(self.disabled_at)
    }

    /// Until when people use what they were assigned, if they do now.
    pub fn works_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.at(now).0.works().then(|| self.ends_at + self.grace)
    }

    /// From when on it is over for good. After a cancellation there is no grace, because the organisation wanted the end.
    fn ended_at(&self, now: Timestamp) -> Timestamp {
        match self.cancelled_at.filter(|cancelled_at| *cancelled_at <= now) {
            Some(cancelled_at) if cancelled_at < self.ends_at => cancelled_at + self.held,
            _ => self.ends_at + self.grace + self.held,
        }
    }

    /// What renewing it, or reactivating it, would do at this instant. Shown before anybody pays.
    ///
    /// # Errors
    /// Who has to be asked instead.
    pub fn renewal(&self, now: Timestamp) -> Result<Renewal, NotRenewed> {
        match self.at(now).0 {
            LifeStage::Ended => Err(NotRenewed::Ended),
            LifeStage::Disabled(DisabledBy::Vendor) => Err(NotRenewed::AskTheVendor),
            // The time that was paid is not over.
            LifeStage::Disabled(DisabledBy::Cancellation) if now < self.ends_at => {
                Ok(Renewal::KeepsItsEnd(self.ends_at))
            }
            // Nobody pays for the time in which it did not work.
            LifeStage::Disabled(_) => Ok(Renewal::RunsFrom(now)),
            LifeStage::Ahead | LifeStage::Active | LifeStage::Expired => Ok(Renewal::RunsFrom(self.ends_at)),
        }
    }

    /// The subscription after a payment for a term until `ends_at`. A payment never shortens a term, so a repeated payment, a late one and
    /// two in the wrong order do no harm.
    pub fn paid_until(mut self, ends_at: Timestamp) -> Subscription {
        self.ends_at = self.ends_at.max(ends_at);
        self.cancelled_at = None;
        self
    }

    /// Cancelled at this instant.
    ///
    /// # Errors
    /// [`NotCancelled`]: its term is over, or it was cancelled before.
    pub fn cancel(mut self, now: Timestamp) -> Result<Subscription, NotCancelled> {
        match self.at(now).0 {
            LifeStage::Ahead | LifeStage::Active => {
                self.cancelled_at = Some(now);
                Ok(self)
            }
            LifeStage::Expired | LifeStage::Disabled(_) | LifeStage::Ended => Err(NotCancelled),
        }
    }
}

/// What the next term of a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Nothing new is bought: it works again until the end that it had.
    KeepsItsEnd(Timestamp),
    /// The next term begins at this instant.
    RunsFrom(Timestamp),
}

/// A subscription cannot be renewed or reactivated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRenewed {
    /// It is over for good. A new one has to be bought.
    #[error("the subscription is over for good; buy a new one")]
    Ended,
    /// The vendor has disabled it, and only the vendor can lift that.
    #[error("the vendor has disabled the subscription; ask the vendor")]
    AskTheVendor,
}

/// There is nothing to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only a subscription whose term runs can be cancelled")]
pub struct NotCancelled;

/// How long an organisation has to resolve that more seats are assigned than bought. Nobody is cut off before.
pub const TOO_MANY_ASSIGNED_FOR: Duration = DAY.saturating_mul(90);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);
    const YEAR: Duration = Duration::from_hours(365 * 24);
    const MS: Duration = Duration::from_millis(1);

    fn sold() -> Subscription {
        Subscription::new(START, START + YEAR)
    }

    /// Day 0 is the first one after the term.
    fn after(days: u32) -> Timestamp {
        START + YEAR + DAY * days
    }

    #[test]
    fn a_term_ends_in_thirty_days_as_before_ninety_for_administrators_and_then_for_good() {
        use LifeStage::{Active, Ahead, Disabled, Ended, Expired};
        let expected = [
            (START - MS, Ahead, Some(START)),
            (START, Active, Some(after(0))),
            (after(0) - MS, Active, Some(after(0))),
            (after(0), Expired, Some(after(30))),
            (after(30) - MS, Expired, Some(after(30))),
            (after(30), Disabled(DisabledBy::Term), Some(after(120))),
            (after(120) - MS, Disabled(DisabledBy::Term), Some(after(120))),
            (after(120), Ended, None),
        ];
        for (now, standing, until) in expected {
            assert_eq!(sold().at(now), (standing, until), "{now}");
        }
    }

    #[test]
    fn a_cancellation_has_no_grace_and_can_be_taken_back_for_ninety_days() {
        let now = START + DAY * 100;
        let cancelled = sold().cancel(now).unwrap();
        assert_eq!(cancelled.at(now), (LifeStage::Disabled(DisabledBy::Cancellation), Some(now + DAY * 90)));
        assert_eq!(cancelled.at(now + DAY * 90).0, LifeStage::Ended);
        assert_eq!(cancelled.renewal(now + DAY), Ok(Renewal::KeepsItsEnd(after(0))), "it was paid");
        assert_eq!(cancelled.cancel(now + DAY), Err(NotCancelled));
        // Cancelled a day before the end, and reactivated after it.
        let late = sold().cancel(after(0) - DAY).unwrap();
        assert_eq!(late.renewal(after(10)), Ok(Renewal::RunsFrom(after(10))));
    }

    #[test]
    fn a_renewal_runs_from_the_old_end_where_nothing_stopped_and_from_now_where_it_had() {
        assert_eq!(sold().renewal(START), Ok(Renewal::RunsFrom(after(0))));
        assert_eq!(sold().renewal(after(29)), Ok(Renewal::RunsFrom(after(0))));
        assert_eq!(sold().renewal(after(119)), Ok(Renewal::RunsFrom(after(119))));
        assert_eq!(sold().renewal(after(120)), Err(NotRenewed::Ended), "day 120 is a day late");
    }

    #[test]
    fn only_the_vendor_enables_a_subscription_that_the_vendor_disabled() {
        let disabled = Subscription { disabled_at: Some(START + DAY), ..sold() };
        assert_eq!(disabled.at(START).0, LifeStage::Active);
        assert_eq!(disabled.at(START + DAY), (LifeStage::Disabled(DisabledBy::Vendor), Some(after(120))));
        assert_eq!(disabled.renewal(START + DAY), Err(NotRenewed::AskTheVendor));
        assert_eq!(
            disabled.paid_until(after(365)).at(START + DAY).0,
            LifeStage::Disabled(DisabledBy::Vendor)
        );
    }

    #[test]
    fn a_payment_in_the_second_of_the_end_renews_and_a_payment_twice_or_late_changes_nothing() {
        let paid = sold().paid_until(after(365));
        assert_eq!(paid.at(after(0)).0, LifeStage::Active);
        assert_eq!(paid.paid_until(after(365)), paid);
        assert_eq!(paid.paid_until(after(0)), paid, "the payment for the term before came late");
    }

    proptest! {
        /// It never goes back by itself, and the instant that is named is the one at which it changes.
        #[test]
        fn time_leads_one_way(
            days in 0_u32..1000, cancelled in prop::option::of(0_u32..600), disabled in prop::option::of(0_u32..600),
        ) {
            let at = |day: u32| START + DAY * day;
            let subscription =
                Subscription { cancelled_at: cancelled.map(at), disabled_at: disabled.map(at), ..sold() };
            let rank = |standing| match standing {
                LifeStage::Ahead => 0,
                LifeStage::Active => 1,
                LifeStage::Expired => 2,
                LifeStage::Disabled(_) => 3,
                LifeStage::Ended => 4,
            };
            let now = at(days);
            let (standing, until) = subscription.at(now);
            prop_assert!(rank(standing) <= rank(subscription.at(now + DAY).0));
            prop_assert_eq!(until.is_none(), standing == LifeStage::Ended);
            if let Some(until) = until {
                prop_assert!(now < until);
                prop_assert_ne!(subscription.at(until).0, standing);
            }
        }
    }
}
