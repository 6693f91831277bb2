//! Calls that are refused without a signature: why, when to try again, and the gRPC status that says so.

use std::time::Duration;

use shared::fair;
use shared::print::shorten;
use shared::reason::{Cause, ERROR_DOMAIN, Reason};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Retry delay if there is no room for another call.
pub const OVERLOADED_RETRY: Duration = Duration::from_secs(15);

/// Largest parameter of a reason, in bytes. A status travels in headers, where hyper's client takes 16 KiB in all.
const QUOTED_MAX: usize = 500;

/// A call that is refused without a signature.
#[derive(Debug)]
pub struct Unanswered {
    /// Why.
    pub cause: Cause,
    /// The retry delay, if trying again helps.
    pub retry_in: Option<Duration>,
}

impl Unanswered {
    /// Whether the fault is the caller's.
    pub fn is_bad(&self) -> bool {
        self.cause.reason().is_some_and(|reason| reason == Reason::TooManyBadAsks || fair::is_bad(reason))
    }
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

/// A failure as a gRPC status: the reason in `ErrorInfo`, and `RetryInfo` if waiting helps.
pub fn status(unanswered: Unanswered) -> Status {
    status_as(code(&unanswered.cause), unanswered)
}

/// The same, under this code.
pub fn status_as(code: Code, unanswered: Unanswered) -> Status {
    let Unanswered { mut cause, retry_in } = unanswered;
    // What is quoted from a request may be long, and all of it travels twice, in headers.
    for (_, value) in &mut cause.parameters {
        *value = shorten(value, QUOTED_MAX);
    }
    let parameters = cause.parameters.iter().cloned().collect::<std::collections::HashMap<_, _>>();
    let mut details = ErrorDetails::with_error_info(cause.code.clone(), ERROR_DOMAIN, parameters);
    if let Some(retry_in) = retry_in {
        details.set_retry_info(Some(retry_in));
    }
    Status::with_error_details(code, cause.to_string(), details)
}

fn code(cause: &Cause) -> Code {
    match cause.reason() {
        // These are said to administrators alone.
        Some(Reason::MachineAmbiguous) => Code::InvalidArgument,
        Some(Reason::AuditUnwritable | Reason::MachineBlocked) => Code::FailedPrecondition,
        Some(Reason::NotAdministrator) => Code::PermissionDenied,
        Some(Reason::MachineUnknown) => Code::NotFound,
        reason => reason.and_then(Reason::unsigned_status).map_or(Code::Internal, Code::from_i32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine believes no unsigned error whose reason a host would have signed.
    #[test]
    fn what_machines_are_told_without_a_signature_is_what_they_believe() {
        for reason in Reason::ALL {
            let said = match code(&(*reason).into()) {
                Code::ResourceExhausted | Code::Unavailable => Some(true),
                Code::Internal => Some(false),
                // Some of these are said to administrators alone.
                _ => None,
            };
            let believed = reason.may_be_unsigned();
            assert!(said.is_none_or(|said| said == believed), "{}", reason.code());
        }
    }

    /// The table of reasons in protocol.md is what an independent client is written from.
    #[test]
    fn the_table_of_reasons_in_protocol_md_is_what_a_host_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md");
        let text = std::fs::read_to_string(path).unwrap();
        let rows = text
            .lines()
            .skip_while(|line| !line.starts_with("| reason | parameters | gRPC status |"))
            .skip(2)
            .take_while(|line| line.starts_with('|'));
        let mut written = Vec::new();
        for row in rows {
            let [_, codes, parameters, status, ..] = row.split('|').map(str::trim).collect::<Vec<_>>()[..]
            else {
                panic!("a row of another shape: {row}");
            };
            for code in codes.split(", ") {
                let reason = Reason::from_code(code).unwrap_or_else(|| panic!("no reason: {code}"));
                assert_eq!(sorted(parameters, '`', '`'), sorted(reason.summary(), '{', '}'), "{code}");
                assert_eq!(status, status_name(reason), "{code}");
                written.push(reason);
            }
        }
        // The list of all has them in the order in which an ask meets them.
        let place = |of| Reason::ALL.iter().position(|reason| *reason == of).unwrap();
        let mut said = Reason::ALL[place(Reason::TooManyBadAsks)..=place(Reason::Blocked)].to_vec();
        said.push(Reason::TlsRequired);
        for reasons in [&mut written, &mut said] {
            reasons.sort_by_key(|reason| reason.code());
        }
        assert_eq!(written, said);
    }

    /// What stands between the marks, in the order of the alphabet.
    fn sorted(text: &str, open: char, close: char) -> Vec<&str> {
        let mut rest = text;
        let mut found = Vec::new();
        while let Some((_, after)) = rest.split_once(open) {
            let (name, next) = after.split_once(close).unwrap();
            found.push(name);
            rest = next;
        }
        found.sort_unstable();
        found
    }

    fn status_name(reason: Reason) -> &'static str {
        match code(&reason.into()) {
            _ if !reason.may_be_unsigned() => "signed",
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::FailedPrecondition => "FAILED_PRECONDITION",
            Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Code::Unavailable => "UNAVAILABLE",
            other => panic!("{} is {other:?}", reason.code()),
        }
    }
}
