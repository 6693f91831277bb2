//! `kms-simulator`: simulated fleets against real hosts.
//!
//! `demo` tells the whole story of an activation in under a minute, `dev` runs a throwaway vendor, product and host to
//! try things against. `load` asks a host as a fleet would and measures it, `fleet` plays years of a fleet in virtual time;
//! both make a `report`. The parts come from the world in `tests/src`; the host that is run is `kms-host` itself, as a
//! process of its own. Users read the page beside the manifest.
//!
//! It is a library for its own tests only.

mod demo;
mod dev;
mod exit;
mod portal;

mod fleet;
#[doc(hidden)]
pub mod load;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};
use program::exit::{EX_IOERR, EX_UNAVAILABLE};
use program::{arguments, output};
use world::Program;

use self::exit::{Failure, OrExit};

/// Simulated fleets against real hosts.
#[derive(Debug, Parser)]
#[command(name = "kms-simulator", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done and as expected, 1 done and something is wrong, 64 wrong usage, 65 wrong file, 69 no host can be
started or asked, 73 cannot be made, 74 disk or standard output.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell the whole story in under a minute: vendor, portal, keys, host, DNS, thirty machines, a killed host, a lapse, laptops.
    ///
    /// Everything is the real thing: sockets on loopback, a DNS server, sled on disk, Ed25519. Only time is compressed,
    /// by a certificate that is marked as test. Ends with a table of what was read back from the host and the machines,
    /// and with exit code 1 if a line of it is not so.
    Demo {
        /// Keep the folder with the vendor, the host and the machines, and say where it is.
        #[arg(long)]
        keep: bool,
    },
    /// Run a throwaway vendor, product and host in one folder until Ctrl-C, and print what to try next.
    ///
    /// SIGINT and SIGTERM end the host, too. Killed with SIGKILL it leaves its host behind: the next `dev` on the folder
    /// then says that another process serves it, and `kill` ends that one.
    Dev {
        /// Folder of the vendor, the product and the host; made if it does not exist, else used again.
        #[arg(default_value = "./kms-dev")]
        folder: PathBuf,
        /// Address on which machines are served.
        #[arg(long, default_value = "127.0.0.1:21688")]
        listen: SocketAddr,
        /// Machines needed before leases are issued: 1 in a new folder. A folder that is used again keeps its own.
        #[arg(long)]
        threshold: Option<u32>,
        /// Run the vendor's portal as well: the host is activated by a key, and there is one for laptops.
        #[arg(long)]
        portal: bool,
    },
    /// Ask a host as a fleet would, measure what it answers, and verify its leases.
    ///
    /// Without --host or --domain it makes a throwaway vendor, product and host of its own, and removes them again. Asks are
    /// planned ahead and sent on time whatever the host does, and what an ask waited counts from when it was due: a slow
    /// host is not hidden. A run whose host is gone ends after a few seconds. Exit code 1 if an answer is wrong or missing, or
    /// not what the scenario expects.
    Load(Box<load::Options>),
    /// Play years of a fleet in seconds, by the real rules: who is licensed when, what the host is asked, how long it may
    /// be down.
    ///
    /// Nothing is sent, signed or kept; time is virtual, and the same seed gives the same result.
    Fleet(Box<fleet::Plan>),
    /// Add up the results of several processes that ran `load` beside each other.
    Report(load::ReportOptions),
    /// `kms-host`, for the commands above, which run it as a process of its own.
    #[command(hide = true, disable_help_flag = true)]
    Host {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// `kms-portal`, for `demo` and `dev`.
    #[command(hide = true, disable_help_flag = true)]
    Portal {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// `kms-client`, for the demo.
    #[command(hide = true, disable_help_flag = true)]
    Client {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// The life of the process: arguments, one command, its exit code.
pub fn main() -> ExitCode {
    let Cli { command } = match arguments::parse(Cli::command(), std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    exit::code(match command {
        Command::Load(options) => {
            Program::this_one().or_exit(EX_IOERR).and_then(|program| run(load::run(*options, program)))
        }
        Command::Fleet(plan) => fleet::run(*plan).map(|()| true),
        Command::Report(options) => load::report(&options),
        Command::Host { arguments } => {
            return kms_host_cli::main_with([OsString::from("kms-host")].into_iter().chain(arguments));
        }
        Command::Portal { arguments } => {
            return kms_portal_cli::main_with([OsString::from("kms-portal")].into_iter().chain(arguments));
        }
        Command::Client { arguments } => {
            return kms_client_cli::main_with([OsString::from("kms-client")].into_iter().chain(arguments));
        }
        Command::Demo { keep } => run(async { demo::tell(keep).await.or_exit(EX_UNAVAILABLE) }),
        Command::Dev { folder, listen, threshold, portal } => {
            run(dev::run(&folder, listen, threshold, portal)).map(|()| true)
        }
    })
}

fn run<T>(story: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().or_exit(EX_IOERR)?.block_on(story)
}

/// Prints a text. A reader that closes the pipe is no error.
fn print(text: &str) -> anyhow::Result<()> {
    output::unless_closed(output::write(text)).context("standard output cannot be written")
}
