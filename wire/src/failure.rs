//! The cause of a failure, from a gRPC status or the end of a connection.
//!
//! None of this is signed, so it changes no state. The worst that a peer can achieve is that it is passed over.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::time::Duration;

use shared::MAX_MESSAGE_BYTES;
use shared::reason::{Cause, ERROR_DOMAIN, Reason, is_code};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `HOST_UNREACHABLE`, `HOST_SILENT`, `NOT_A_HOST`, or a reason that hosts leave unsigned, such as `OVERLOADED`.
    pub cause: Cause,
    /// How long the host wants to be left alone. It is a hint.
    pub retry_after: Option<Duration>,
    /// Whether the ask was certainly not sent.
    pub never_left: bool,
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Failure {
        Failure { cause, retry_after: None, never_left: false }
    }
}

/// There is no connection to the host.
pub fn unreachable(host: &str, cause: &dyn Display) -> Failure {
    Reason::HostUnreachable.with(&[("address", &host), ("cause", cause)]).into()
}

/// TLS is wanted, and its files or settings cannot be used.
pub fn tls_files_bad(cause: &str) -> Cause {
    Reason::TlsFilesBad.with(&[("cause", &cause)])
}

/// The connection was accepted, and no answer came in time.
pub fn silent(host: &str) -> Failure {
    Reason::HostSilent.with(&[("address", &host)]).into()
}

/// What answers there is not a host.
pub fn not_a_host(host: &str, cause: &dyn Display) -> Failure {
    Reason::NotAHost.with(&[("address", &host), ("cause", cause)]).into()
}

/// The refusal in a status of the vendor's portal, which TLS has shown to be the portal's.
#[cfg(feature = "portal")]
pub(crate) fn refused_by_portal(status: &Status) -> Option<Failure> {
    let info = status.get_details_error_info();
    let info = info.filter(|info| info.domain == ERROR_DOMAIN && is_code(&info.reason))?;
    let retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    Some(Failure { cause: Cause::by_portal(info.reason, info.metadata), retry_after, never_left: false })
}

/// The failure for a gRPC status. If it has a reason that our hosts leave unsigned, it may come from a host. Any other comes from
/// another program that listens there, or from the end of the connection, which `tls_ended` and `ended` describe.
pub(crate) fn explain(
    host: &str,
    status: &Status,
    tls_ended: Option<&Cause>,
    ended: Option<&hyper::Result<()>>,
) -> Failure {
    let info = status.get_details_error_info();
    if let Some(info) = info.filter(|info| info.domain == ERROR_DOMAIN && is_code(&info.reason)) {
        let Some(cause) = Cause::unsigned(info.reason.clone(), info.metadata, &host) else {
            return not_a_host(host, &format!("it says {} without a signature", info.reason));
        };
        let retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
        return Failure { cause, retry_after, never_left: false };
    }
    let failure = match (tls_ended, ended) {
        (Some(cause), _) => cause.clone().into(),
        (None, Some(Err(error))) => broken(host, error),
        (None, Some(Ok(()))) if status.source().is_some() => {
            unreachable(host, &"it closed the connection before it answered")
        }
        (None, Some(Ok(())) | None) => unexplained(host, status),
    };
    Failure { never_left: never_left(status), ..failure }
}

fn unexplained(host: &str, status: &Status) -> Failure {
    match status.code() {
        // tonic reports its own deadline as cancelled.
        Code::DeadlineExceeded | Code::Cancelled => silent(host),
        Code::Unimplemented => not_a_host(host, &"it does not offer activation"),
        // tonic reports an answer beyond the limit as out of range.
        Code::OutOfRange => not_a_host(host, &format!("its answer is larger than {MAX_MESSAGE_BYTES} bytes")),
        code => match status.source() {
            Some(source) => broken(host, source),
            None => not_a_host(host, &format!("gRPC status {code:?}: {}", status.message())),
        },
    }
}

/// A connection that ended before the answer: the host died, or another program listens there.
pub(crate) fn broken(host: &str, error: &(dyn Error + 'static)) -> Failure {
    match causes(error).find_map(|error| error.downcast_ref::<io::Error>()) {
        Some(io) => unreachable(host, &format!("the connection broke: {io}")),
        // The last error of a chain says what happened, the others say where.
        None => not_a_host(host, &causes(error).last().map(ToString::to_string).unwrap_or_default()),
    }
}

/// hyper cancels an ask that has waited for its turn on a connection when the connection closes.
fn never_left(status: &Status) -> bool {
    let Some(source) = status.source() else { return false };
    causes(source).filter_map(|error| error.downcast_ref::<hyper::Error>()).any(hyper::Error::is_canceled)
}

/// An error, the one that caused it, and so on.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use tonic_types::ErrorDetails;

    fn told(code: Code, message: &str, info: Option<(&str, &str)>) -> String {
        let details = info.map_or_else(ErrorDetails::default, |(reason, domain)| {
            let mut details = ErrorDetails::with_error_info(reason, domain, [("limit".into(), "9".into())]);
            details.set_retry_info(Some(Duration::from_secs(3)));
            details
        });
        let status = Status::with_error_details(code, message, details);
        let Failure { cause, retry_after, .. } = explain("kms1", &status, None, None);
        let after = retry_after.map_or(String::new(), |after| format!(", after {after:?}"));
        format!("{cause}{after}\n").replace("what answers at kms1 is not an activation host", "..")
    }

    /// The load tool took words from a stranger that a machine does not take, such as BLOCKED.
    #[test]
    fn only_what_hosts_leave_unsigned_is_taken_from_a_status() {
        let all = [
            told(Code::ResourceExhausted, "", Some(("OVERLOADED", "kms"))),
            told(Code::ResourceExhausted, "", Some(("SEATS_TAKEN", "kms"))),
            told(Code::ResourceExhausted, "", Some(("BLOCKED", "kms"))),
            told(Code::ResourceExhausted, "full", Some(("OVERLOADED", "example.com"))),
            told(Code::Internal, "full", Some(("\u{1b}[2J", "kms"))),
            told(Code::Internal, "\u{1b}[2J", None),
            told(Code::Unimplemented, "", None),
            told(Code::OutOfRange, "", None),
            told(Code::Cancelled, "", None),
        ];
        expect![[r"
            OVERLOADED: the host has more asks waiting than it will hold (unsigned, by kms1), after 3s
            SEATS_TAKEN: a reason that this release does not know, limit 9 (unsigned, by kms1), after 3s
            NOT_A_HOST: ..: it says BLOCKED without a signature
            NOT_A_HOST: ..: gRPC status ResourceExhausted: full
            NOT_A_HOST: ..: gRPC status Internal: full
            NOT_A_HOST: ..: gRPC status Internal: \u{1b}[2J
            NOT_A_HOST: ..: it does not offer activation
            NOT_A_HOST: ..: its answer is larger than 16384 bytes
            HOST_SILENT: kms1 did not answer in time
        "]]
        .assert_eq(&all.concat());
    }

    /// A portal signs no refusal, and a machine took its KEY_EXHAUSTED for another program's.
    #[cfg(feature = "portal")]
    #[test]
    fn a_portal_says_every_reason_without_a_signature() {
        let told = |reason: &str, domain: &str| {
            let details = ErrorDetails::with_error_info(
                reason,
                domain,
                [("used".into(), "5".into()), ("granted".into(), "5".into())],
            );
            let status = Status::with_error_details(Code::FailedPrecondition, "", details);
            refused_by_portal(&status).map(|failure| failure.cause.to_string())
        };
        expect!["KEY_EXHAUSTED: every place of this key is taken: 5 of 5"]
            .assert_eq(&told("KEY_EXHAUSTED", "kms").unwrap());
        expect!["REPLAYED: the host has answered a later ask of this machine"]
            .assert_eq(&told("REPLAYED", "kms").unwrap());
        assert_eq!(told("KEY_EXHAUSTED", "example.com"), None);
        assert_eq!(told("key exhausted", "kms"), None);
    }
}
