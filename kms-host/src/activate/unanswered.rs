//! Asks that cannot be answered with a signature, and when to try again.
//!
//! `shared::admission` and the ledger's transaction decide about signed refusals.

use std::time::Duration;

use ledger::LedgerError;
use shared::admission;
use shared::fair;
use shared::reason::{Cause, Reason};

use crate::queue::NotSighted;
use crate::signer::SignerError;

/// Retry delay if the queue is full, or there is no place for another call.
const OVERLOADED_RETRY: Duration = Duration::from_secs(15);

/// Retry delay for a host that stops or has failed.
const STOPPED_RETRY: Duration = Duration::from_mins(1);

/// Retry delay for a machine whose record is damaged. An administrator has to act first, and may have done so tonight.
const DAMAGED_RETRY: Duration = Duration::from_hours(1);

/// An ask that cannot be answered with a signature.
#[derive(Debug)]
pub struct Unanswered {
    /// Why.
    pub cause: Cause,
    /// The retry delay, if trying again helps.
    pub retry_in: Option<Duration>,
}

impl Unanswered {
    /// Whether the fault is the ask's.
    pub(crate) fn is_bad(&self) -> bool {
        self.cause.reason().is_some_and(|reason| reason == Reason::TooManyBadAsks || fair::is_bad(reason))
    }
}

/// An ask that does not reach the ledger.
pub(super) enum Stop {
    /// It is refused, signed.
    Refuse(Cause, Duration),
    /// It cannot be answered.
    Fail(Unanswered),
}

impl From<admission::Refusal> for Stop {
    fn from(refusal: admission::Refusal) -> Stop {
        Stop::Refuse(refusal.cause, refusal.ask_again)
    }
}

pub(super) fn unreadable(error: LedgerError) -> Unanswered {
    tracing::error!(%error, remedy = error.remedy(), "the ledger cannot be read");
    NotSighted::of(&error).into()
}

impl From<Cause> for Unanswered {
    fn from(cause: Cause) -> Unanswered {
        Unanswered { cause, retry_in: None }
    }
}

impl From<Reason> for Unanswered {
    fn from(reason: Reason) -> Unanswered {
        Unanswered { cause: reason.into(), retry_in: None }
    }
}

impl From<SignerError> for Unanswered {
    fn from(error: SignerError) -> Unanswered {
        tracing::error!(%error, "an answer was not signed");
        Unanswered { cause: Reason::SignerFailed.into(), retry_in: Some(STOPPED_RETRY) }
    }
}

impl From<NotSighted> for Unanswered {
    fn from(not_sighted: NotSighted) -> Unanswered {
        let (reason, retry_in) = match not_sighted {
            NotSighted::Overloaded | NotSighted::Unavailable | NotSighted::Late => {
                (Reason::Overloaded, OVERLOADED_RETRY)
            }
            NotSighted::Failed => (Reason::LedgerFailed, STOPPED_RETRY),
            NotSighted::Damaged => (Reason::LedgerDamaged, DAMAGED_RETRY),
            NotSighted::Stopping => (Reason::Stopping, STOPPED_RETRY),
        };
        Unanswered { cause: reason.into(), retry_in: Some(retry_in) }
    }
}
