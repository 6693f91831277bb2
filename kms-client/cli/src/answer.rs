//! The end of a command: an answer for people and scripts, or one line that says what to do, and an exit code.

use kms_client::{Cause, Reason};
use program::exit::{EX_IOERR, EX_NOPERM, EX_TEMPFAIL, EX_UNAVAILABLE};
use serde_json::Value;

/// The answer of a command, for people and for scripts. Its exit code need not be 0.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) text: String,
    /// Null if the command has printed everything already.
    pub(crate) json: Value,
    pub(crate) code: u8,
}

impl Answer {
    /// The answer of a command that has succeeded.
    pub(crate) fn done(text: impl Into<String>, json: Value) -> Answer {
        Answer { text: text.into(), json, code: 0 }
    }
}

/// A command that was not carried out: one line, with the remedy.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) line: String,
}

impl Failure {
    pub(crate) fn new(code: u8, line: impl Into<String>) -> Failure {
        Failure { code, line: line.into() }
    }
}

/// The library has done nothing, for this cause.
impl From<Cause> for Failure {
    fn from(cause: Cause) -> Failure {
        let code = match cause.reason() {
            Some(Reason::Busy) => EX_TEMPFAIL,
            Some(Reason::IdentityUnreadable) => EX_NOPERM,
            Some(Reason::StateUnwritable | Reason::StateDamaged | Reason::HostsFileBad) => EX_IOERR,
            _ => EX_UNAVAILABLE,
        };
        Failure::new(code, format!("{cause}; {}", cause.remedy()))
    }
}
