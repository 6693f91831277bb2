//! The host's order of checks on an ask whose signatures hold: checks 10 to 13 of `docs/protocol.md` 1.
//!
//! 10 the host's doubt, which this ask may begin or end  11 the machine's clock  12 the certificate  13 the disk. Blames no
//! machine's clock while the host doubts its own. Pure: the host reads its clocks once and looks up what it is asked for.
//! What comes before is `Ask::open`; what comes after is decided in the ledger's transaction, by `count`.

use core::time::Duration;

use crate::certificate::{Chain, ChainError};
use crate::count::{self, Outcome, Terms};
use crate::doubt::{self, HostClock, Moment, Skew};
use crate::ids::MachineId;
use crate::reason::{Cause, Reason};
use crate::record::Record;
use crate::serial::Mark;
use crate::time::Length;

/// Retry delay while the host's disk is short of room. Somebody has to make room. Until then ten thousand machines cost 17
/// refusals a second.
const DISK_FULL_RETRY: Duration = Duration::from_mins(10);

/// A refusal that the host signs.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why.
    pub cause: Cause,
    /// When to ask again.
    pub ask_again: Duration,
}

/// A machine whose ask is to be admitted.
#[derive(Clone, Copy, Debug)]
pub struct Applicant<'a> {
    /// The chain of the certificate that answers.
    pub chain: &'a Chain,
    /// The machine.
    pub machine: MachineId,
    /// What it presents.
    pub presented: Mark,
    /// When it came in, read once for all checks.
    pub now: Moment,
}

impl Applicant<'_> {
    /// The first step: whether a clock is wrong. If so, this machine's time counts if it [`may_vote`](Self::may_vote).
    pub fn is_about_a_clock(&self, clock: &HostClock) -> bool {
        clock.doubt().is_some() || self.skew() != Skew::Agrees
    }

    /// Whether the time of the machine with this record counts as a vote on the host's clock.
    pub fn may_vote(&self, clock: &HostClock, record: &Record) -> bool {
        count::may_vote(record, &self.presented, &Terms::of(&self.chain.host().policy), clock.trusted())
    }

    /// Takes this machine's vote. `known` is how many machines have an active record. Returns whether enough of them agree: then
    /// settle the ledger at the wall clock, and [end](HostClock::end) the doubt after that.
    pub fn vote(&self, clock: &mut HostClock, known: u64) -> bool {
        clock.witness(self.now, self.machine, self.skew(), known)
    }

    /// The second step: checks 10 to 13, in their order.
    ///
    /// # Errors
    /// The first that fails.
    pub fn check(&self, clock: &HostClock, disk_is_short: bool) -> Result<(), Refusal> {
        let certificate = self.chain.host();
        let later = |cause| Refusal { cause, ask_again: certificate.policy.retry_interval };
        if let Some(doubt) = clock.doubt() {
            let cause = Reason::HostClock.with(&[("cause", &doubt)]);
            return Err(Refusal { cause, ask_again: doubt::ASK_AGAIN });
        }
        let direction = match self.skew() {
            Skew::Agrees => None,
            Skew::Ahead => Some("ahead"),
            Skew::Behind => Some("behind"),
        };
        if let Some(direction) = direction {
            return Err(later(Reason::ClockSkew.with(&[
                ("by", &Length(self.presented.asked_at.apart(self.now.wall))),
                ("direction", &direction),
                ("tolerance", &Length(certificate.policy.clock_tolerance)),
                ("host_time", &self.now.wall),
            ])));
        }
        self.chain.check_valid_at(self.now.wall).map_err(|error| {
            later(match error {
                ChainError::NotYetValid { not_before } => Reason::CertificateNotBegun
                    .with(&[("certificate", &certificate.id), ("not_before", &not_before)]),
                _ => Reason::CertificateEnded
                    .with(&[("certificate", &certificate.id), ("not_after", &self.chain.ends_at())]),
            })
        })?;
        if disk_is_short {
            return Err(Refusal { cause: Reason::DiskFull.into(), ask_again: DISK_FULL_RETRY });
        }
        Ok(())
    }

    /// The last step, once the ledger has decided: a machine that was counted agrees with the clock.
    pub fn decided(&self, clock: &mut HostClock, outcome: &Outcome) {
        if outcome.votes {
            clock.witness(self.now, self.machine, Skew::Agrees, u64::MAX);
        }
    }

    fn skew(&self) -> Skew {
        let tolerance = self.chain.host().policy.clock_tolerance;
        Skew::of(self.presented.asked_at, self.now.wall, tolerance)
    }
}
