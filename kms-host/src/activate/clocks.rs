//! The host's own clock while it serves: read once for each ask, doubted, and trusted again.
//!
//! `shared::doubt` decides when to doubt, and `shared::admission` which machines may vote.

use std::sync::{MutexGuard, PoisonError};

use server::unanswered::Unanswered;
use shared::admission::Applicant;
use shared::count;
use shared::doubt::{ClockReading, Doubt, HostClock, Moment};
use shared::reason::Reason;
use shared::time::Timestamp;

use super::Host;
use super::unanswered::unreadable;
use crate::queue::NotSighted;

impl Host {
    /// Why the host doubts its clock, if it does.
    pub fn doubt(&self) -> Option<Doubt> {
        self.read_clocks();
        self.own_clock().doubt()
    }

    /// Confirms the clock for an administrator. Returns the doubt that this ended.
    ///
    /// # Errors
    /// The ledger could not be settled at this time; the doubt stays.
    pub async fn confirm_clock(&self) -> Result<Option<Doubt>, Unanswered> {
        let now = self.read_clocks();
        let in_doubt = self.own_clock().doubt().is_some();
        let ended = if in_doubt { self.end_doubt(now).await? } else { None };
        let holds_for = count::known_for(self.certificates().longest_window());
        self.own_clock().confirm(now.monotonic, holds_for);
        tracing::warn!(now = %now.wall, "the administrator has confirmed the clock");
        Ok(ended)
    }

    /// If one of the two clocks is wrong, machines that have been known for a day say which.
    pub(super) async fn hear_of_clocks(&self, applicant: &Applicant<'_>) -> Result<(), Unanswered> {
        let (product, now) = (applicant.chain.host().product, applicant.now);
        if !applicant.is_about_a_clock(&self.own_clock()) {
            return Ok(());
        }
        let record = self.ledger.record(product, applicant.machine).await.map_err(unreadable)?;
        if !record.is_some_and(|record| applicant.may_vote(&self.own_clock(), &record)) {
            return Ok(());
        }
        let known = self.known_machines(now.wall).await?;
        let (before, enough_agree, after) = {
            let mut own_clock = self.own_clock();
            (own_clock.doubt(), applicant.vote(&mut own_clock, known), own_clock.doubt())
        };
        if let (None, Some(doubt)) = (before, after) {
            log_doubt(&doubt);
        }
        if enough_agree {
            self.end_doubt(now).await?;
            tracing::warn!(now = %now.wall, "known machines agree with the clock: the doubt has ended");
        }
        Ok(())
    }

    /// Settles the ledger at the wall clock, and ends the doubt after that, so that no machine is counted before.
    async fn end_doubt(&self, now: Moment) -> Result<Option<Doubt>, Unanswered> {
        let settled = self.queue.settle(self.certificates().terms(now.wall), now.wall).await;
        settled.map_err(NotSighted::from)?;
        Ok(self.own_clock().end(now))
    }

    /// The number of machines with an active record, over all products.
    async fn known_machines(&self, now: Timestamp) -> Result<u64, Unanswered> {
        let mut known = 0;
        for (product, terms) in self.certificates().terms(now) {
            known += self.ledger.reading(product, &terms, now).await.map_err(unreadable)?.tally.active;
        }
        Ok(known)
    }

    pub(super) fn read_clocks(&self) -> Moment {
        let reading = ClockReading { wall: self.clock.now(), monotonic: self.clock.monotonic() };
        let mut own_clock = self.own_clock();
        let before = own_clock.doubt();
        let now = own_clock.read(reading);
        if let (None, Some(doubt)) = (before, own_clock.doubt()) {
            log_doubt(&doubt);
        }
        now
    }

    /// Never held across an await.
    pub(super) fn own_clock(&self) -> MutexGuard<'_, HostClock> {
        self.own_clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn log_doubt(doubt: &Doubt) {
    tracing::error!(%doubt, remedy = Reason::HostClock.remedy(), "the host doubts its clock");
}
