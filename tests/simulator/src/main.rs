//! `kms-simulator`: simulated fleets against real hosts.
//!
//! `demo` tells the whole story of an activation in under a minute, `dev` runs a throwaway vendor, product and host to
//! try things against. The parts come from the world in `tests/src`; the host that both run is `kms-host` itself, as a
//! process of its own.

mod demo;
mod dev;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use world::Program;

/// Simulated fleets against real hosts.
#[derive(Debug, Parser)]
#[command(name = "kms-simulator", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell the whole story in under a minute: vendor, host, DNS, thirty machines, renewals, a killed host, a lapse.
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
        /// The folder; made if it is not there, used again if it is.
        #[arg(default_value = "./kms-dev")]
        folder: PathBuf,
        /// Where machines are served.
        #[arg(long, default_value = "127.0.0.1:21688")]
        listen: SocketAddr,
        /// Machines needed before leases are issued: 1 in a new folder. A folder that is used again keeps its own.
        #[arg(long)]
        threshold: Option<u32>,
    },
    /// `kms-host`, for the commands above, which run it as a process of its own.
    #[command(hide = true, disable_help_flag = true)]
    Host {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let told = match Cli::parse().command {
        Command::Host { arguments } => {
            return kms_host::cli::main_with([OsString::from("kms-host")].into_iter().chain(arguments));
        }
        Command::Demo { keep } => run(demo::tell(keep)),
        Command::Dev { folder, listen, threshold } => {
            run(dev::run(&folder, listen, threshold)).map(|()| true)
        }
    };
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run<T>(story: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(story)
}

/// This very program, told to be a host.
fn host_program() -> anyhow::Result<Program> {
    Ok(Program { path: std::env::current_exe()?, arguments: vec!["host".into()] })
}
