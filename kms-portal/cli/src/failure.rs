//! A command that did not do what it was told, and the code that scripts see.

use std::io::{self, Write as _};

use kms_portal::home::{PortalHomeError, Trouble};
use program::exit::{EX_CANTCREAT, EX_CONFIG, EX_DATAERR, EX_IOERR};
use shared::print::Lines;

/// Why, and as which exit code.
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) error: anyhow::Error,
}

impl From<PortalHomeError> for Failure {
    fn from(error: PortalHomeError) -> Failure {
        let code = match error.trouble() {
            Trouble::Missing => EX_CONFIG,
            Trouble::Exists => EX_CANTCREAT,
            Trouble::Data => EX_DATAERR,
            Trouble::Disk => EX_IOERR,
        };
        Failure { code, error: error.into() }
    }
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

/// Says an error on standard error. What cannot be printed cannot be told either.
pub(crate) fn say(error: &str) {
    let _ = writeln!(io::stderr(), "{}", Lines(format_args!("error: {error}")));
}

/// Says what is no error, and may be a mistake.
pub(crate) fn warn(warning: &str) {
    let _ = writeln!(io::stderr(), "{}", Lines(format_args!("warning: {warning}")));
}
