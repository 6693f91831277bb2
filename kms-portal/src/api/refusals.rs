//! As which gRPC status a refusal is told, and what is told while the database fails.

use std::time::Duration;

use server::unanswered::{Unanswered, status_as};
use shared::reason::Reason;
use tonic::{Code, Status};

use crate::db::DbError;

/// Retry delay while the database fails.
const DATABASE_RETRY: Duration = Duration::from_mins(1);

/// What the database said is for the portal's own log.
pub(super) fn of_database(error: &DbError) -> Unanswered {
    log(error);
    Unanswered { cause: Reason::PortalFailed.with(&[("cause", error)]), retry_in: Some(DATABASE_RETRY) }
}

/// For staff, who can do something about it: the cause and its remedy.
pub(super) fn for_staff(error: &DbError) -> Status {
    log(error);
    let code = if error.is_fatal() { Code::Internal } else { Code::Unavailable };
    Status::new(code, crate::remedy::message(error))
}

fn log(error: &DbError) {
    let (error, remedy) = (crate::remedy::cause(error), error.remedy());
    tracing::error!(error, remedy, "the database has not done what it was asked");
}

/// The status of a refusal. Whoever asks goes by the reason; a code tells proxies and tools whether to try again. Reasons that hosts leave
/// unsigned, too, have the code that they have there.
pub(super) fn status(refused: Unanswered) -> Status {
    let code = match refused.cause.reason() {
        Some(Reason::KeyMalformed | Reason::KeyNewer) => Code::InvalidArgument,
        Some(Reason::TooManyWrongKeys | Reason::TooManyWrongTokens | Reason::TooManySignIns) => {
            Code::ResourceExhausted
        }
        Some(Reason::TokenUnknown | Reason::TokenEnded) => Code::Unauthenticated,
        Some(Reason::NotPermitted) => Code::PermissionDenied,
        Some(Reason::PortalFailed | Reason::IssuerEnded) => Code::Unavailable,
        reason => {
            let code = reason.and_then(Reason::unsigned_status);
            code.map_or(Code::FailedPrecondition, Code::from_i32)
        }
    };
    status_as(code, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A portal that was busy said so under a code that tells proxies not to try again.
    #[test]
    fn what_hosts_say_without_a_signature_has_the_same_code_here() {
        let mut seen = 0;
        for reason in Reason::ALL {
            if let Some(code) = reason.unsigned_status() {
                assert_eq!(status((*reason).into()).code(), Code::from_i32(code), "{}", reason.code());
                seen += 1;
            }
        }
        assert!(5 < seen);
    }
}
