//! `kms-bench`: how many durable activations a second the host does, beside two echoes measured in the same run.
//!
//! A figure alone says more about the machine than about the host, so what counts here are ratios: to a bare echo, which
//! is what gRPC itself can do, and to a signed echo, which is what nobody who verifies and signs can go beyond. `rounds`
//! is the plan, `load` the clock and the requests, `steps` where the time goes, `report` what is printed. Nothing here asserts a speed.

mod rounds;

mod asks;
mod load;
mod verify;

mod steps;

mod echo;
mod host;
mod log;
mod syncs;

mod cpu;
mod place;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::rounds::Plan;

/// Prints the host's durable activations a second beside a bare and a signed echo, measured in turns in one run.
///
/// Takes about a minute and a quarter. Exit code 1 if any answer is missing or wrong. Build it with --release, and leave
/// the machine alone meanwhile.
#[derive(Debug, Parser)]
#[command(name = "kms-bench", version, max_term_width = 100)]
struct Cli {
    /// How often each service is measured, in turns with the others.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each measurement takes at the most, in seconds.
    #[arg(long, default_value_t = 1.2, value_parser = seconds)]
    seconds: f64,
    /// Requests in flight; several numbers, several tables.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256, 1024], value_parser = clap::value_parser!(u16).range(1..=1024))]
    in_flight: Vec<u16>,
    /// Connections that carry them, kept open.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// A directory on the disk to measure; the ledger is made in it and removed again [default: the system's own].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The same with a fresh connection for every ask, as in the field; 0 for none.
    #[arg(long, value_delimiter = ',', default_values_t = [64], value_parser = clap::value_parser!(u16).range(0..=256))]
    fresh: Vec<u16>,
    /// Write the host's log as it does by default, a line for every answer, to a file beside the ledger.
    #[arg(long)]
    log: bool,
    /// Three short rounds, to see that it works; the figures say little.
    #[arg(long, conflicts_with_all = ["rounds", "seconds", "in_flight", "fresh"])]
    quick: bool,
}

impl Cli {
    fn plan(self) -> Plan {
        let Cli { rounds, seconds, in_flight, connections, data, fresh, log, quick } = self;
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

fn main() -> ExitCode {
    match rounds::run(&Cli::parse().plan()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// From a tenth of a second, below which a disk's moods are all that is seen, to a minute.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0.1 to 60".to_owned()),
    }
}
