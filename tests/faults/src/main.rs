//! `kms-faults`: cuts the power of a store, kills its process or attacks a host, and says what came of it.
//!
//! `power_cut` and `kill` are the two drivers. Both start this program again in two hidden roles: `load` writes numbered
//! batches and acknowledges each, and checks what is left of them; `portal` does that to a portal's database. `verdict` is what a driver
//! adds up and prints, `disk` is the disk whose power is cut, on top of `image`. `attack` stands apart: its store is a whole host, and
//! peers harm it.

mod power_cut;

mod kill;

mod load;
mod portal;
mod process;
mod subject;
mod verdict;

mod disk;
mod image;

mod attack;

mod clock;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::subject::Subject;
use crate::verdict::Tally;

/// What a run comes to when it could not be made, or not to its end. clap ends with the same code over its own errors.
const NO_RESULT: u8 = 2;

/// Cuts the power of a store, or kills its process, again and again, and says what was lost; or attacks a host.
///
/// Exit code 1 if anything acknowledged was lost, a batch was halved, a store would not open, or a promise was broken under attack.
/// Exit code 2 if the run could not be made; it has then shown nothing.
#[derive(Debug, Parser)]
#[command(name = "kms-faults", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Cuts the power: what the disk has not been given is gone. Linux only, as root.
    PowerCut(PowerCut),
    /// Kills the process (SIGKILL): what it has not given to the kernel is gone.
    Kill(Plan),
    /// Attacks a host, and says how well other machines are served meanwhile. Linux only.
    Attack(attack::Plan),
    /// Attacks the host at an address until it is killed.
    #[command(hide = true)]
    Strike(attack::Strike),
    /// The host that is attacked.
    #[command(hide = true, disable_help_flag = true)]
    Host {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<std::ffi::OsString>,
    },
    /// Loads a store until it is killed, and prints the number of each batch that is durable.
    #[command(hide = true)]
    Load(Role),
    /// Opens a store and prints what is in it.
    #[command(hide = true)]
    Check(Role),
}

#[derive(Debug, Args)]
struct PowerCut {
    #[command(flatten)]
    plan: Plan,
    /// Before each cut, make the disk fail a write, then start the process again once the disk works.
    #[arg(long)]
    failed_writes: bool,
    /// It has mounts of its own already.
    #[arg(long, hide = true)]
    apart: bool,
}

/// What both drivers are told.
#[derive(Debug, Args)]
struct Plan {
    /// What is loaded: an engine, sled or fjall; or a portal's database, sqlite or postgres.
    #[arg(long, default_value = "sled")]
    store: Subject,
    /// How many cuts, or kills.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    cycles: u32,
    /// Draws the same load and the same plan again; not the same instants [default: a new one, printed].
    #[arg(long, env = "KMS_TEST_SEED")]
    seed: Option<u64>,
    /// Acknowledge without a sync, to see that the driver notices.
    #[arg(long, hide = true)]
    no_sync: bool,
}

/// What a process in one of the hidden roles is told.
#[derive(Debug, Args)]
struct Role {
    #[arg(long)]
    store: Subject,
    /// Of PostgreSQL, the URL.
    #[arg(long)]
    directory: PathBuf,
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    no_sync: bool,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::PowerCut(PowerCut { plan, failed_writes, apart: true }) => {
            power_cut::run(&plan, failed_writes).map(judge)
        }
        Command::PowerCut(PowerCut { apart: false, .. }) => {
            power_cut::run_apart().map(|never| match never {})
        }
        Command::Kill(plan) => kill::run(&plan).map(judge),
        Command::Attack(plan) => attack::run(&plan),
        Command::Strike(strike) => attack::strike(&strike),
        Command::Host { words } => {
            Ok(kms_host_cli::main_with(std::iter::once("kms-host".into()).chain(words)))
        }
        Command::Load(role) => {
            let loaded = match role.store {
                Subject::Engine(engine) => load::load(&role, engine),
                Subject::Sqlite | Subject::Postgres => portal::load(&role),
            };
            loaded.map(|()| ExitCode::SUCCESS)
        }
        Command::Check(role) => {
            let found = match role.store {
                Subject::Engine(engine) => load::check(&role, engine),
                Subject::Sqlite | Subject::Postgres => portal::check(&role),
            };
            println!("{found}");
            Ok(ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("ERROR: {error:#}");
        ExitCode::from(NO_RESULT)
    })
}

fn judge(tally: Tally) -> ExitCode {
    println!("{tally}");
    if tally.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
