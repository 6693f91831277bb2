//! The process: parses the arguments, runs one command, prints its result or its error. Read `cli.rs` next, then `cli/commands.rs`.

mod cli;
mod clock;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::CommandFactory as _;
use program::{arguments, output};
use shared::print::{Lines, OneLine};

use crate::cli::{Cli, commands};

fn main() -> ExitCode {
    let cli: Cli = match arguments::parse(Cli::command(), std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match commands::run(&cli, clock::now(), &mut rand::rng()) {
        Ok(text) => output::print(&Lines(text).to_string(), 0),
        Err(failure) => {
            let _ = writeln!(io::stderr(), "error: {}", OneLine(&failure));
            ExitCode::from(failure.exit_code())
        }
    }
}
