//! `kms-bench`: how many durable activations a second the host does, beside two echoes measured in the same run.
//!
//! A figure alone says more about the machine than about the host, so what counts here are ratios: to a bare echo, which
//! shows what gRPC itself can do, and to a signed echo, the limit for any server that verifies and signs. `rounds` measures the
//! services by turns, `load` has the clock and the requests, `steps` says where the time goes, `tables` prints; `sizes` compares
//! hosts with ledgers of different sizes, `portal` measures activations by key. Nothing here asserts a speed.

mod options;
mod portal;
mod rounds;
mod sizes;

mod asks;
mod load;
mod prepare;
mod sample;
mod verify;

mod steps;

mod echo;
mod host;
mod log;
mod syncs;

mod cpu;
mod place;
mod tables;

use std::ffi::OsString;
use std::iter;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::options::{Portals, Services, Sizes};

/// Prints the host's durable activations a second beside a bare and a signed echo, measured in turns in one run.
///
/// Takes about seven minutes. Exit code 1 if any answer is missing or wrong. Build it with --release, and let nothing else run
/// at the same time.
#[derive(Debug, Parser)]
#[command(name = "kms-bench", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    services: Services,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hosts over ledgers of different sizes, in turns: what an answer costs, how soon they are ready, their memory.
    ///
    /// It fills the ledgers first, on two cores at some 60,000 machines a second.
    Sizes(Sizes),
    /// Activations by key a second, on SQLite and on PostgreSQL, beside a signed echo, in turns.
    Portal(Portals),
    /// This program as kms-host, for the hosts of `sizes`.
    #[command(hide = true, disable_help_flag = true)]
    Host {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let Cli { services, command } = Cli::parse();
    let done = match command {
        None => rounds::run(&services.shortened()),
        Some(Command::Sizes(sizes)) => sizes::run(&sizes),
        Some(Command::Portal(portals)) => portal::run(&portals.shortened()),
        Some(Command::Host { arguments }) => {
            return kms_host_cli::main_with(iter::once("kms-host".into()).chain(arguments));
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
