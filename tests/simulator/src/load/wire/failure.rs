//! Why an ask got no answer: a stable code, whose fault it is, and a line for people.
//!
//! The codes are those of the client library (`shared::reason`), and two of `outcome` for what a load tool runs out of
//! before a host does. None of this is signed.

use std::fmt;
use std::io;
use std::time::Duration;

use shared::reason::Reason;

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
}

impl From<::wire::Failure> for Failure {
    fn from(failure: ::wire::Failure) -> Failure {
        let ::wire::Failure { cause, retry_after, never_left } = failure;
        let text = cause.to_string();
        let text = text.strip_prefix(&format!("{}: ", cause.code)).unwrap_or(&text);
        Failure { retry_after, never_left, ..Failure::new(&cause.code, &text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(failure: &Failure, code: &str, text: &str) {
        assert_eq!(failure.code, code);
        assert!(failure.text.contains(text), "{failure:?}");
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
    fn what_a_host_says_is_cut_and_keeps_its_hint() {
        let cause = Reason::NotAHost.with(&[("address", &"kms1"), ("cause", &"long ".repeat(99))]);
        let failed = ::wire::Failure { cause, retry_after: Some(Duration::from_secs(3)), never_left: true };
        let failure = Failure::from(failed);
        check(&failure, "NOT_A_HOST", "what answers at kms1 is not an activation host: long long");
        assert!(failure.text.len() <= TEXT_MAX_CHARS && failure.never_left, "{failure:?}");
        assert_eq!(failure.retry_after, Some(Duration::from_secs(3)));
    }
}
