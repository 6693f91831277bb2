//! What is told when a key gives nothing, and as which gRPC status.

use std::time::Duration;

use server::unanswered::{Unanswered, status_as};
use shared::reason::{Cause, Reason};
use tonic::{Code, Status};

use crate::db::DbError;
use crate::rules::KeyRefusal;

/// Retry delay while the database fails.
const DATABASE_RETRY: Duration = Duration::from_mins(1);

/// The reason of a refusal, as hosts and machines know it.
pub(super) fn cause(refused: &KeyRefusal) -> Cause {
    match refused {
        KeyRefusal::Unknown => Reason::KeyUnknown.into(),
        KeyRefusal::Blocked => Reason::KeyBlocked.into(),
        KeyRefusal::Ended { ends_at } => Reason::KeyEnded.with(&[("ended_at", ends_at)]),
        KeyRefusal::Exhausted { used, granted } => {
            Reason::KeyExhausted.with(&[("used", used), ("granted", granted)])
        }
        KeyRefusal::HostsExhausted { hosts } => Reason::HostsExhausted.with(&[("hosts", hosts)]),
        KeyRefusal::ActivationsExhausted { activations } => {
            Reason::ActivationsExhausted.with(&[("activations", activations)])
        }
        KeyRefusal::ReleasesExhausted { releases, .. } => {
            Reason::ReleasesExhausted.with(&[("releases", releases)])
        }
        KeyRefusal::NotActivatedHere => Reason::NotActivatedHere.into(),
        KeyRefusal::Replayed => Reason::Replayed.into(),
        KeyRefusal::HourWidth => Reason::Malformed.with(&[("cause", refused)]),
        KeyRefusal::IssuerEnded => Reason::IssuerEnded.into(),
    }
}

/// What the database said is for the portal's own log.
pub(super) fn of_database(error: &DbError) -> Unanswered {
    let remedy = error.remedy();
    tracing::error!(
        error = crate::remedy::cause(error),
        remedy,
        "the database has not done what it was asked"
    );
    Unanswered { cause: Reason::PortalFailed.with(&[("cause", error)]), retry_in: Some(DATABASE_RETRY) }
}

/// The status of a refusal. Whoever asks goes by the reason; a code tells proxies and tools whether to try again.
pub(super) fn status(refused: Unanswered) -> Status {
    let code = match refused.cause.reason() {
        Some(Reason::Malformed | Reason::SignatureBad | Reason::KeyMalformed | Reason::KeyNewer) => {
            Code::InvalidArgument
        }
        Some(Reason::TooManyWrongKeys) => Code::ResourceExhausted,
        Some(Reason::PortalFailed | Reason::IssuerEnded) => Code::Unavailable,
        _ => Code::FailedPrecondition,
    };
    status_as(code, refused)
}
