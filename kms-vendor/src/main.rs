//! The process: parses the arguments, runs one command, prints its result or its error. Read `cli.rs` next, then `commands.rs`.

mod cli;
mod commands;

mod clock;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use kms_vendor::{EX_IOERR, EX_USAGE};
use shared::print::{Lines, OneLine};

use crate::cli::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => {
            // If even this cannot be printed, there is nobody to report it to.
            if !answer.use_stderr() {
                let _ = answer.print();
                return ExitCode::SUCCESS;
            }
            // It shows arguments as they came in.
            let _ = write!(io::stderr(), "{}", Lines(answer.render()));
            return ExitCode::from(EX_USAGE);
        }
    };
    match commands::run(&cli, clock::now(), &mut rand::rng()) {
        Ok(text) => print(&Lines(text).to_string()),
        Err(failure) => {
            let _ = writeln!(io::stderr(), "error: {}", OneLine(&failure));
            ExitCode::from(failure.exit_code())
        }
    }
}

/// A closed pipe is no error: the command has done its work.
fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: done, but standard output could not be written: {error}");
            ExitCode::from(EX_IOERR)
        }
        _ => ExitCode::SUCCESS,
    }
}
