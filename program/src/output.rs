//! What a program writes on standard output.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::Value;
use shared::print::Json;

use crate::exit::EX_IOERR;

/// Prints the result of a command that ends with `code`. The command has done its work, so a closed pipe is no error.
pub fn print(text: &str, code: u8) -> ExitCode {
    match unless_closed(write(text)) {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: done, but standard output could not be written: {error}");
            ExitCode::from(EX_IOERR)
        }
    }
}

/// Writes a text, all of it.
///
/// # Errors
/// Standard output cannot be written.
pub fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// What came of writing. A reader that closes the pipe, as `head` does, is no error.
///
/// # Errors
/// Every other error.
pub fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

/// A value as scripts read it.
pub fn json_text(value: &Value) -> String {
    format!("{}\n", Json(format_args!("{value:#}")))
}
