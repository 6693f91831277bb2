//! Why an ask got no answer: a stable code, whose fault it is, and a line for people.
//!
//! The codes are those of the client library (`shared::reason`), and two of `outcome` for what a load tool runs out of
//! before a host does. Nobody has signed any of this.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use shared::MAX_MESSAGE_BYTES;
use shared::reason::{Cause, Reason, is_code};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::load::outcome::{OWN_FILES, OWN_PORTS};

/// `man 3 errno`: ENFILE for the whole system, EMFILE for this process; the same numbers on every Unix.
const TOO_MANY_FILES: [i32; 2] = [23, 24];

/// A text is for one line of a table.
const TEXT_MAX_CHARS: usize = 200;

/// No answer, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// `HOST_UNREACHABLE`, `HOST_SILENT`, `NOT_A_HOST`, [`OWN_FILES`], [`OWN_PORTS`], or what a host has said itself:
    /// `OVERLOADED`.
    pub(crate) code: String,
    /// What happened, harmless to print.
    pub(crate) text: String,
    /// When the host would like to be asked again.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the ask was certainly not sent.
    pub(super) never_left: bool,
}

impl Failure {
    fn new(code: &str, text: &dyn fmt::Display) -> Failure {
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        let text = text.to_string().chars().take(TEXT_MAX_CHARS).map(printable).collect();
        Failure { code: code.to_owned(), text, retry_after: None, never_left: false }
    }

    pub(super) fn unreachable(text: &dyn fmt::Display) -> Failure {
        Failure::new(Reason::HostUnreachable.code(), text)
    }

    pub(super) fn silent(text: &dyn fmt::Display) -> Failure {
        Failure::new(Reason::HostSilent.code(), text)
    }

    pub(super) fn not_a_host(text: &dyn fmt::Display) -> Failure {
        Failure::new(Reason::NotAHost.code(), text)
    }

    /// What the client library found.
    pub(super) fn of_client(cause: &Cause) -> Failure {
        let text = cause.to_string();
        let text = text.strip_prefix(&format!("{}: ", cause.code)).unwrap_or(&text).to_owned();
        Failure::new(&cause.code, &text)
    }

    /// No connection.
    pub(super) fn of_io(error: &io::Error) -> Failure {
        match (error.kind(), error.raw_os_error()) {
            (_, Some(number)) if TOO_MANY_FILES.contains(&number) => Failure::new(
                OWN_FILES,
                &format!(
                    "{error}: this process may not open more connections; raise `ulimit -n`, or keep connections"
                ),
            ),
            (io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse, _) => Failure::new(
                OWN_PORTS,
                &format!(
                    "{error}: no port is left here; spread the asks with --sources, or keep connections"
                ),
            ),
            _ => Failure::unreachable(error),
        }
    }

    /// A connection that ended before the answer: the host died, or what listens there speaks something else.
    pub(super) fn broken(error: &(dyn Error + 'static)) -> Failure {
        match causes(error).find_map(|error| error.downcast_ref::<io::Error>()) {
            Some(io) => Failure::unreachable(&format!("the connection broke: {io}")),
            None => Failure::not_a_host(&innermost(error)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

/// What a gRPC status says; `ended` is how the connection did. A status with a reason of ours comes from a host, all
/// others from whatever else listens there.
pub(super) fn explain(status: &Status, ended: Option<&hyper::Result<()>>) -> Failure {
    if let Some(info) = status.get_details_error_info().filter(|info| is_code(&info.reason)) {
        let retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
        let message = status.message();
        let named = message.strip_prefix(&info.reason).and_then(|text| text.strip_prefix(": "));
        return Failure { retry_after, ..Failure::new(&info.reason, &named.unwrap_or(message)) };
    }
    let failure = match (ended, status.source()) {
        (Some(Err(error)), _) => Failure::broken(error),
        (Some(Ok(())), Some(_)) => Failure::unreachable(&"it hung up before it answered"),
        (_, Some(source)) => Failure::broken(source),
        (_, None) => unexplained(status),
    };
    Failure { never_left: never_left(status), ..failure }
}

fn unexplained(status: &Status) -> Failure {
    match status.code() {
        // tonic reports its own deadline as cancelled.
        Code::DeadlineExceeded | Code::Cancelled => Failure::silent(&status.message()),
        Code::Unimplemented => Failure::not_a_host(&"it does not offer activation"),
        // tonic reports an answer beyond the limit as out of range.
        Code::OutOfRange => {
            Failure::not_a_host(&format!("its answer is larger than {MAX_MESSAGE_BYTES} bytes"))
        }
        code => Failure::not_a_host(&format!("gRPC status {code:?}: {}", status.message())),
    }
}

/// hyper gives an ask back that waited for its turn on a connection which then closed.
fn never_left(status: &Status) -> bool {
    let Some(source) = status.source() else { return false };
    causes(source).filter_map(|error| error.downcast_ref::<hyper::Error>()).any(hyper::Error::is_canceled)
}

/// The last of a chain of errors says what happened; those before it say where.
fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// An error, the one that caused it, and so on.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    fn check(failure: &Failure, code: &str, text: &str) {
        assert_eq!(failure.code, code);
        assert!(failure.text.contains(text), "{failure}");
    }

    #[test]
    fn what_runs_out_here_is_not_blamed_on_the_host() {
        let of = |number| Failure::of_io(&io::Error::from_raw_os_error(number));
        check(&of(24), OWN_FILES, "ulimit -n");
        check(&of(23), OWN_FILES, "ulimit -n");
        check(&Failure::of_io(&io::ErrorKind::AddrNotAvailable.into()), OWN_PORTS, "--sources");
        check(&Failure::of_io(&io::ErrorKind::ConnectionRefused.into()), "HOST_UNREACHABLE", "refused");
    }

    #[test]
    fn a_host_that_has_too_much_to_do_says_when_to_come_back() {
        let mut details =
            ErrorDetails::with_error_info("OVERLOADED", "kms", [("queue".to_owned(), "9".to_owned())]);
        details.set_retry_info(Some(Duration::from_secs(3)));
        let status = Status::with_error_details(Code::ResourceExhausted, "OVERLOADED: too much", details);
        let failure = explain(&status, None);
        check(&failure, "OVERLOADED", "too much");
        assert_eq!((failure.retry_after, failure.never_left), (Some(Duration::from_secs(3)), false));
        assert_eq!(failure.to_string(), "OVERLOADED: too much");
    }

    #[test]
    fn what_a_stranger_says_is_cut_and_harmless_to_print() {
        let status = Status::with_error_details(
            Code::Internal,
            format!("\u{1b}[2J{}", "long ".repeat(99)),
            ErrorDetails::with_error_info("\u{1b}[2J", "", [("a".to_owned(), "b".to_owned())]),
        );
        let failure = explain(&status, None);
        check(&failure, "NOT_A_HOST", "gRPC status Internal");
        assert!(failure.text.len() <= TEXT_MAX_CHARS && !failure.text.contains('\u{1b}'), "{failure:?}");
    }
}
