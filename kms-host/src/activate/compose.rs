//! Makes the answer from the decision, ready to be signed.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use shared::answer::{self, Header};
use shared::count::{Decision, Outcome};
use shared::envelope::Kind;
use shared::reason::Cause;

use super::Host;
use super::case::Case;

/// An answer that is ready to be signed, and its log fields.
pub(super) struct Composed {
    pub(super) kind: Kind,
    pub(super) payload: Bytes,
    pub(super) said: Logged,
}

pub(super) enum Logged {
    Answered { name: &'static str, serial: u64, count: Option<u64> },
    Refused(Cause),
}

impl Host {
    pub(super) fn compose(&self, case: &Case<'_>, outcome: &Outcome) -> Composed {
        let (ask, policy) = (&case.ask, &case.installed.chain.host().policy);
        if outcome.ledger_is_behind {
            tracing::warn!(
                machine = %ask.machine(), product = %ask.product,
                "a lease of this ledger is ahead of its record: the ledger was restored from a backup, or runs twice"
            );
        }
        let header = |serial| self.header(case, serial);
        let (name, kind, payload, serial, count) = match outcome.decision {
            Decision::Lease { serial, grant } => {
                let lease = answer::compose_lease(&header(serial), policy, &grant, ask.fingerprint);
                ("LEASE", Kind::Lease, lease.encode_to_vec(), serial, Some(grant.count))
            }
            Decision::Waiting { serial, count } => {
                let waiting = answer::compose_waiting(&header(serial), policy, count);
                ("WAITING", Kind::Waiting, waiting.encode_to_vec(), serial, Some(count))
            }
            Decision::Released { serial } => {
                let released = answer::compose_released(&header(serial));
                ("RELEASED", Kind::Released, released.encode_to_vec(), serial, None)
            }
            Decision::Refused(reason) => {
                return self.compose_refusal(case, reason.into(), policy.retry_interval);
            }
            Decision::Verify => unreachable!("what was verified is not claimed"),
        };
        Composed { kind, payload: payload.into(), said: Logged::Answered { name, serial, count } }
    }

    pub(super) fn compose_refusal(&self, case: &Case<'_>, cause: Cause, ask_again: Duration) -> Composed {
        let refusal = answer::compose_refusal(&self.header(case, case.ask.serial), &cause, ask_again);
        let payload = refusal.encode_to_vec().into();
        Composed { kind: Kind::Refusal, payload, said: Logged::Refused(cause) }
    }

    fn header(&self, case: &Case<'_>, serial: u64) -> Header {
        Header::answering(&case.ask, serial, case.now.wall, self.id, self.ledger.meta().ledger)
    }
}
