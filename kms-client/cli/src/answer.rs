//! The end of a command: an answer for people and scripts, or one line that says what to do, and an exit code.

use kms_client::{Cause, Reason};
use serde_json::Value;

/// sysexits.h: the command was used incorrectly.
pub(crate) const EX_USAGE: u8 = 64;
/// sysexits.h: the input data was incorrect in some way.
pub(crate) const EX_DATAERR: u8 = 65;
/// sysexits.h: an input file did not exist or was not readable.
pub(crate) const EX_NOINPUT: u8 = 66;
/// sysexits.h: a service is unavailable.
pub(crate) const EX_UNAVAILABLE: u8 = 69;
/// sysexits.h: an error occurred while doing input or output.
pub(crate) const EX_IOERR: u8 = 74;
/// sysexits.h: temporary failure; the user is invited to try again later.
pub(crate) const EX_TEMPFAIL: u8 = 75;
/// sysexits.h: insufficient permission.
pub(crate) const EX_NOPERM: u8 = 77;

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
            Some(Reason::StateUnwritable | Reason::StateDamaged | Reason::HostNameBad) => EX_IOERR,
            _ => EX_UNAVAILABLE,
        };
        Failure::new(code, format!("{cause}; {}", cause.remedy()))
    }
}
