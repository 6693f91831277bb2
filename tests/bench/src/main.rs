//! `kms-bench`: how many durable activations a second the host does, beside two echoes measured in the same run.
//!
//! A figure alone says more about the machine than about the host, so what counts here are ratios: to a bare echo, which
//! is what gRPC itself can do, and to a signed echo, which is what nobody who verifies and signs can go beyond. `rounds`
//! is the plan, `load` the clock and the requests, `steps` where the time goes, `report` what is printed; `sizes` has hosts of
//! different sizes beside each other. Nothing here asserts a speed.

mod rounds;
mod sizes;

mod asks;
mod load;
mod prepare;
mod verify;

mod steps;

mod echo;
mod host;
mod log;
mod syncs;

mod cpu;
mod place;
mod report;

use std::ffi::OsString;
use std::iter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ledger::Engine;

use crate::rounds::Plan;

/// Prints the host's durable activations a second beside a bare and a signed echo, measured in turns in one run.
///
/// Takes about seven minutes. Exit code 1 if any answer is missing or wrong. Build it with --release, and leave the machine
/// alone meanwhile.
#[derive(Debug, Parser)]
#[command(name = "kms-bench", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    services: Services,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct Services {
    /// How often each service is measured, in turns with the others.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each measurement takes at the most, in seconds.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// Requests in flight; several numbers, several tables.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256, 1024], value_parser = clap::value_parser!(u16).range(1..=1024))]
    in_flight: Vec<u16>,
    /// The same with a fresh connection for every ask, as in the field; 0 for none.
    #[arg(long, value_delimiter = ',', default_values_t = [64], value_parser = clap::value_parser!(u16).range(0..=256))]
    fresh: Vec<u16>,
    /// Connections that carry them, kept open.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// A directory on the disk to measure; the ledgers are made in it and removed again [default: the system's own].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write the hosts' log as they do by default, a line for every answer, to a file beside the ledgers.
    #[arg(long)]
    log: bool,
    /// Three short rounds, to see that it works; the figures say little.
    #[arg(long, conflicts_with_all = ["rounds", "seconds", "in_flight", "fresh"])]
    quick: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hosts over ledgers of different sizes, in turns: what an answer costs, how soon they are ready, their memory.
    ///
    /// It fills the ledgers first, on two cores at some 60,000 machines a second.
    Sizes(Sizes),
    /// This program as kms-host, for the hosts of `sizes`.
    #[command(hide = true, disable_help_flag = true)]
    Host {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
struct Sizes {
    /// What keeps the ledgers.
    #[arg(long, default_value = "sled")]
    ledger: Engine,
    /// How many machines the ledgers have before it begins. The largest known good is 10000000.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000], value_parser = machines)]
    machines: Vec<usize>,
    /// How often each host is measured, in turns with the others.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each measurement takes at the most, in seconds.
    #[arg(long, default_value_t = 1.2, value_parser = seconds)]
    seconds: f64,
    /// Requests in flight.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    in_flight: u16,
    /// A directory on the disk to measure; the ledgers are made in it and removed again [default: the system's own].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Services {
    fn plan(self) -> Plan {
        let Services { rounds, seconds, in_flight, fresh, connections, data, log, quick } = self;
        let fresh = fresh.into_iter().filter(|in_flight| *in_flight != 0).collect();
        let plan = Plan {
            rounds,
            length: Duration::from_secs_f64(seconds),
            in_flight,
            fresh,
            connections,
            data,
            log,
        };
        if quick {
            let (length, in_flight, fresh) = (Duration::from_millis(200), vec![16], vec![16]);
            return Plan { rounds: 3, length, in_flight, fresh, ..plan };
        }
        plan
    }
}

impl Sizes {
    fn run(self) -> anyhow::Result<()> {
        let Sizes { ledger, machines, rounds, seconds, in_flight, data } = self;
        let folder = place::scratch(data.as_deref())?;
        sizes::run(&sizes::Plan {
            engine: ledger,
            machines: &machines,
            rounds,
            length: Duration::from_secs_f64(seconds),
            in_flight,
            connections: 4,
            folder: folder.path(),
        })
    }
}

fn main() -> ExitCode {
    let Cli { services, command } = Cli::parse();
    let done = match command {
        None => rounds::run(&services.plan()),
        Some(Command::Sizes(sizes)) => sizes.run(),
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

fn machines(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(machines) if (1..=20_000_000).contains(&machines) => Ok(machines),
        _ => Err("a number of machines from 1 to 20000000".to_owned()),
    }
}

/// From a tenth of a second, below which a disk's moods are all that is seen, to a minute.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0.1 to 60".to_owned()),
    }
}
