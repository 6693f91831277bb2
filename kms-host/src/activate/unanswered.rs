//! Why an ask is not answered with a signature, and when to try again.
//!
//! `shared::admission` and the ledger's transaction decide about signed refusals.

use std::time::Duration;

use ledger::LedgerError;
use server::unanswered::{OVERLOADED_RETRY, Unanswered};
use shared::admission;
use shared::reason::{Cause, Reason};

use crate::queue::NotSighted;
use crate::signer::SignerError;

/// Retry delay for a host that stops or has failed.
const STOPPED_RETRY: Duration = Duration::from_mins(1);

/// Retry delay for a machine whose record is damaged. An administrator has to act first, and may have done so tonight.
const DAMAGED_RETRY: Duration = Duration::from_hours(1);

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
