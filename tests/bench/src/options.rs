//! What is measured, as the command line says it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ledger::Engine;

/// The services side by side: what to measure, and how long.
#[derive(Debug, Args)]
pub(crate) struct Services {
    /// How often each service is measured, in turns with the others.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// The longest that each measurement takes, in seconds.
    #[arg(long = "seconds", default_value = "1", value_parser = seconds)]
    pub(crate) length: Duration,
    /// Requests in flight; several numbers, several tables.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256, 1024], value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) in_flight: Vec<u16>,
    /// Requests in flight, each over a fresh connection, as in the field; 0 for none.
    #[arg(long, value_delimiter = ',', default_values_t = [64], value_parser = clap::value_parser!(u16).range(0..=256))]
    pub(crate) fresh: Vec<u16>,
    /// Connections that carry them, kept open.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) connections: u16,
    /// A directory on the disk to measure; the ledgers are made in it and removed again [default: the system's own].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Write the hosts' log as they do by default, a line for every answer, to a file beside the ledgers.
    #[arg(long)]
    pub(crate) log: bool,
    /// Three short rounds, to see that it works; the figures say little.
    #[arg(long, conflicts_with_all = ["rounds", "length", "in_flight", "fresh"])]
    pub(crate) quick: bool,
}

/// Portals on each database.
#[derive(Debug, Args)]
pub(crate) struct Portals {
    /// How often each is measured, in turns with the others.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// The longest that each measurement takes, in seconds.
    #[arg(long = "seconds", default_value = "1", value_parser = seconds)]
    pub(crate) length: Duration,
    /// Requests in flight; several numbers, several tables.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256], value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) in_flight: Vec<u16>,
    /// Connections that carry them, kept open.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) connections: u16,
    /// A directory on the disk to measure, for SQLite; PostgreSQL is in the system's own temporary one [default: the system's own].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Two short rounds, to see that it works; the figures say little.
    #[arg(long, conflicts_with_all = ["rounds", "length", "in_flight"])]
    pub(crate) quick: bool,
}

/// Hosts over ledgers of different sizes.
#[derive(Debug, Args)]
pub(crate) struct Sizes {
    /// What keeps the ledgers.
    #[arg(long, default_value = "sled")]
    pub(crate) ledger: Engine,
    /// How many machines the ledgers have before it begins. The largest known good is 10000000.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000], value_parser = machines)]
    pub(crate) machines: Vec<usize>,
    /// How often each host is measured, in turns with the others.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// The longest that each measurement takes, in seconds.
    #[arg(long = "seconds", default_value = "1.2", value_parser = seconds)]
    pub(crate) length: Duration,
    /// Requests in flight.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) in_flight: u16,
    /// A directory on the disk to measure; the ledgers are made in it and removed again [default: the system's own].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

impl Services {
    /// These, or with `--quick` three short rounds.
    pub(crate) fn shortened(self) -> Services {
        if !self.quick {
            return self;
        }
        let (length, in_flight, fresh) = (Duration::from_millis(200), vec![16], vec![16]);
        Services { rounds: 3, length, in_flight, fresh, ..self }
    }
}

impl Portals {
    /// These, or with `--quick` two short rounds.
    pub(crate) fn shortened(self) -> Portals {
        if !self.quick {
            return self;
        }
        Portals { rounds: 2, length: Duration::from_millis(200), in_flight: vec![16], ..self }
    }
}

fn machines(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(machines) if (1..=20_000_000).contains(&machines) => Ok(machines),
        _ => Err("a number of machines from 1 to 20000000".to_owned()),
    }
}

/// From a tenth of a second to a minute. A shorter measurement shows nothing but how the disk varies.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=60.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds from 0.1 to 60".to_owned()),
    }
}
