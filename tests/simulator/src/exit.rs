//! How a command ends, and the exit code that scripts see.

use std::process::ExitCode;

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
