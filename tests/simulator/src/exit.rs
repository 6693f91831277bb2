//! The codes that scripts see, as in BSD's sysexits.h and at the other programs.

use std::process::ExitCode;

pub(crate) const EX_USAGE: u8 = 64;
pub(crate) const EX_DATAERR: u8 = 65;
pub(crate) const EX_UNAVAILABLE: u8 = 69;
pub(crate) const EX_CANTCREAT: u8 = 73;
pub(crate) const EX_IOERR: u8 = 74;

/// A command that did not do what it was told.
pub(crate) struct Failure {
    code: u8,
    error: anyhow::Error,
}

/// Gives an error the code that scripts see.
pub(crate) trait OrExit<T> {
    fn or_exit(self, code: u8) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: u8) -> Result<T, Failure> {
        self.map_err(|error| Failure { code, error: error.into() })
    }
}

/// The exit code of a command; an error is printed first. 1 says that the command ran to its end and found something wrong.
pub(crate) fn code(told: Result<bool, Failure>) -> ExitCode {
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure { code, error }) => {
            eprintln!("error: {error:#}");
            ExitCode::from(code)
        }
    }
}
