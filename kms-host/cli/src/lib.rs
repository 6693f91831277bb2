//! The command line: what an administrator types. `serve` is the daemon. The other commands ask a running host over its socket, or
//! work on the data directory of a host that does not run. Groups and examples are in `cli/help.rs`.

mod audit;
mod backup;
mod certificates;
mod code;
mod config;
mod copies;
mod daemon;
mod doctor;
mod export;
mod help;
mod inventory;
mod lines;
mod machine;
mod offline;
mod online;
mod owner;
mod pages;
mod portal;
mod refusals;
mod sources;
mod terminal;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use kms_host::certificates::Allowed;
use kms_host::config::Config;
use kms_host::home::{Home, USUAL_PATH};
use kms_host::remedy;
use program::exit::{EX_IOERR, EX_USAGE};
use program::{arguments, output};
use server::settings::sample;
use shared::print::Lines;
use tokio::runtime::Runtime;

/// Count an organisation's machines, and sign their leases.
#[derive(Debug, Parser)]
#[command(name = "kms-host", version, max_term_width = 100)]
struct Cli {
    /// Data directory of the host: signing key, certificates, ledger, admin socket.
    #[arg(long, global = true, env = "KMS_HOST_DATA", default_value = USUAL_PATH)]
    data: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a host, or the parts of one that are missing.
    ///
    /// Creates the ledger, the signing key, and the request to send to the vendor. What exists is left as it is.
    Init(Init),
    /// Print the request to send to the vendor.
    Request,
    /// Install a certificate from the vendor.
    InstallCertificate {
        /// The vendor's file, or - for standard input. Text before and after the certificate does no harm.
        file: PathBuf,
        #[command(flatten)]
        allow: Allow,
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Activate the host with a host key at the vendor's portal.
    ///
    /// Installs the certificate that the portal gives, and a running host takes it up. If the answer is lost, the same command
    /// continues and costs nothing.
    Activate(portal::Activate),
    /// Install a list of what the vendor has revoked.
    ///
    /// The host hands the list to its machines.
    InstallRevocations {
        /// The vendor's file, or - for standard input. Text before and after the list does no harm.
        file: PathBuf,
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Print a sample of the settings, check them, or show them.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Serve machines until SIGTERM or SIGINT.
    ///
    /// SIGHUP reloads certificates and settings, like `kms-host reload`.
    Serve(Serve),
    /// Check everything that can keep machines from a license.
    ///
    /// Prints a line for each check, and what to do about each that fails. Changes nothing.
    Doctor(Doctor),
    /// Explain a code: meaning, fault, remedy.
    Explain {
        /// Code, such as CLOCK_SKEW or 0xC004F074 [default: list all].
        code: Option<String>,
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Show the running host: alarms, clock, counts.
    Status {
        /// Exit with 1 if there is an alarm. If no host answers, the exit code is 69 with or without this option.
        #[arg(long)]
        exit_code: bool,
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// List the machines that the host knows; options narrow it.
    ///
    /// Every machine is listed, however long ago it was seen, unless `retention_days` has removed it.
    Machines(inventory::SearchArgs),
    /// Show, block, unblock or forget one machine.
    Machine {
        #[command(subcommand)]
        command: machine::MachineCommand,
    },
    /// List identities that more than one machine has used.
    ///
    /// For each, shows what became of it: under which new identity the copy goes on, or that both machines still ask.
    Copies(copies::Copies),
    /// Show every certificate: product, numbers, end.
    Certificates(Output),
    /// List the latest refusals, or their number by reason.
    Refusals(refusals::Refusals),
    /// List what administrators have changed, or verify that log.
    Audit(audit::AuditArgs),
    /// List the addresses from which machines ask.
    ///
    /// The address with the most new machines comes first. An IPv6 address counts as its /64. The numbers begin at the host's start.
    /// They are in memory only and never stored, because addresses are personal data in many places.
    Sources(Output),
    /// Recount every record, and compare with the count.
    Verify(Output),
    /// Reload settings and certificates, and print the result.
    Reload(Noted),
    /// Confirm the host's clock, if the host doubts it.
    Clock {
        #[command(subcommand)]
        command: ClockCommand,
    },
    /// Back up the whole host into one file. It may be running.
    ///
    /// The file includes the signing key: whoever reads it can sign leases as this host.
    Backup(Backup),
    /// Restore a host from a backup, into an empty directory.
    ///
    /// The old host must never run again: machines would take the two for one.
    Restore {
        /// Backup to read, or - for standard input.
        file: PathBuf,
        #[command(flatten)]
        engine: NewLedger,
    },
    /// Write the ledger into a file. The host may be running.
    Export(Export),
    /// Create the ledger from an export or a backup.
    ///
    /// The directory must not have a ledger yet. Its key and certificates stay as they are.
    Import {
        /// Export or backup to read, or - for standard input.
        file: PathBuf,
        #[command(flatten)]
        engine: NewLedger,
    },
    /// Print completions for a shell.
    Completions {
        /// Shell to print completions for.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command.
    Manual {
        /// Directory to write the pages to; created if it is missing.
        directory: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print a settings file with every setting, explained and at its default.
    Sample,
    /// Check the settings in file and environment, and what `serve` would do with them.
    Check(ConfigFile),
    /// Show which settings are set, and where: in the file or in the environment.
    Show {
        #[command(flatten)]
        file: ConfigFile,
        /// Show every setting, including those at their default.
        #[arg(long)]
        effective: bool,
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// Settings file [default: kms-host.toml in the data directory, if it exists]. The service of the package uses
    /// /etc/kms-host/kms-host.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum ClockCommand {
    /// Confirm that the host's clock is right, which ends its doubt.
    Confirm(Noted),
}

/// A change that the audit log gives a reason for.
#[derive(Debug, Args)]
struct Noted {
    /// Reason for the audit log.
    #[arg(long, default_value = "")]
    note: String,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Init {
    /// Length of an hour in the ledger. Anything but 1h is for tests, and works with test certificates only.
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    hour: Duration,
    /// Succeed without a change if nothing is missing.
    #[arg(long)]
    if_needed: bool,
    #[command(flatten)]
    engine: NewLedger,
}

#[derive(Debug, Args)]
struct Backup {
    /// File to write the backup to, or - for standard output. With --check, backup to read, or - for standard input.
    file: PathBuf,
    /// Check an existing backup instead of writing one: read all of it, and report whether it is intact.
    #[arg(long, conflicts_with_all = ["force", "config"])]
    check: bool,
    /// Overwrite the file if it exists.
    #[arg(long)]
    force: bool,
    /// Settings file to include [default: the file that `serve` reads].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Export {
    /// File to write, or - for standard output.
    file: PathBuf,
    /// Overwrite the file if it exists.
    #[arg(long)]
    force: bool,
    /// Save every intact record of a damaged ledger, even if the ledger does not open. Stop the host first.
    #[arg(long)]
    salvage: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// What a new ledger is made on.
#[derive(Debug, Args)]
struct NewLedger {
    /// Settings file, whose `ledger` names the engine for the new ledger [default: the file that `serve` reads].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    file: ConfigFile,
    /// Address and port to serve machines at, instead of the setting `listen`. May be repeated.
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    listen: Vec<SocketAddr>,
    /// Write the log as JSON, one object per line.
    #[arg(long)]
    log_json: bool,
}

#[derive(Debug, Args)]
struct Doctor {
    /// Settings file [default: the file that `serve` reads].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Domain to look for the host's SRV record in, instead of this machine's own. May be repeated.
    #[arg(long = "domain", value_name = "NAME")]
    domains: Vec<String>,
    /// Name server to ask, instead of the system's.
    #[arg(long, value_name = "ADDR:PORT", value_parser = arguments::name_server)]
    dns: Option<SocketAddr>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// What the administrator accepts, although machines may refuse it.
#[derive(Debug, Args)]
struct Allow {
    /// Install it even if it names another organisation than the installed certificates for its product, and set those aside.
    #[arg(long)]
    new_organisation: bool,
    /// Install it even if it is signed under root keys that are not known for its product.
    #[arg(long)]
    new_vendor: bool,
    /// Install it even if it is marked as test and the installed one is not.
    #[arg(long)]
    test: bool,
}

#[derive(Debug, Args)]
struct Output {
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(
        |_| "write an IP address and a port, such as [::]:21688 or 192.0.2.7:21688; names are not looked up",
    )
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    main_with(std::env::args_os())
}

/// Runs a command line, its program name first.
pub fn main_with(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let cli: Cli = match arguments::parse(help::command(), arguments) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let home = Home::at(cli.data);
    let done = match cli.command {
        Command::Init(init) => offline::init(&home, &init),
        Command::Request => offline::request(&home),
        Command::InstallCertificate { file, allow, json } => {
            let Allow { new_organisation: organisation, new_vendor: vendor, test } = allow;
            offline::install_certificate(&home, &file, Allowed { organisation, vendor, test }, json)
        }
        Command::Activate(wanted) => portal::activate(&home, &wanted),
        Command::InstallRevocations { file, json } => offline::install_revocations(&home, &file, json),
        Command::Serve(serve) => daemon::serve(&home, &serve),
        Command::Config { command } => match command {
            ConfigCommand::Sample => Ok(sample::<Config>()),
            ConfigCommand::Check(file) => config::check(&home, file.config.as_deref()),
            ConfigCommand::Show { file, effective, json } => {
                config::show(&home, file.config.as_deref(), effective, json)
            }
        },
        Command::Doctor(wanted) => doctor::examine(&home, wanted),
        Command::Explain { code, json } => program::explain::explain("kms-host", code.as_deref())
            .map_err(anyhow::Error::msg)
            .or_exit(EX_USAGE)
            .map(|(text, value)| if json { output::json_text(&value) } else { text }),
        Command::Status { exit_code, json } => online::status(&home, json, exit_code),
        Command::Machines(search) => inventory::machines(&home, &search),
        Command::Machine { command } => machine::run(&home, &command),
        Command::Copies(wanted) => copies::copies(&home, &wanted),
        Command::Certificates(output) => certificates::certificates(&home, output.json),
        Command::Refusals(wanted) => refusals::refusals(&home, &wanted),
        Command::Audit(wanted) => audit::audit(&home, &wanted),
        Command::Sources(output) => sources::list(&home, output.json),
        Command::Verify(output) => online::verify(&home, output.json),
        Command::Reload(noted) => online::reload(&home, &noted),
        Command::Clock { command: ClockCommand::Confirm(noted) } => online::confirm_clock(&home, &noted),
        Command::Backup(Backup { file, check: true, json, .. }) => backup::check(&file, json),
        Command::Backup(wanted) => backup::backup(&home, &wanted),
        Command::Restore { file, engine } => backup::restore(&home, &file, &engine),
        Command::Export(wanted) => export::export(&home, &wanted),
        Command::Import { file, engine } => export::import(&home, &file, &engine),
        Command::Completions { shell } => Ok(pages::completions(shell)),
        Command::Manual { directory } => pages::manual(&directory),
    };
    match done {
        Ok(text) => print(&text, 0),
        Err(failure) => {
            let code = print(&failure.shown, failure.code);
            say(format_args!("error: {}", remedy::message(&*failure.error)));
            code
        }
    }
}

/// Says something on standard error. What cannot be printed cannot be told either.
fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", Lines(text));
}

fn print(text: &str, code: u8) -> ExitCode {
    output::print(&terminal::paint(&Lines(text).to_string()), code)
}

/// The command did what it was told, and has found something wrong.
const EX_FOUND: u8 = 1;

/// A command that did not do what it was told, and the code that scripts see.
struct Failure {
    code: u8,
    error: anyhow::Error,
    /// What it found all the same, for standard output.
    shown: String,
}

/// For a command that waits for a host, a disk or a portal.
fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit(EX_IOERR)
}

/// Gives an error the code that scripts see.
trait OrExit<T> {
    fn or_exit(self, code: u8) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: u8) -> Result<T, Failure> {
        self.map_err(|error| Failure { code, error: error.into(), shown: String::new() })
    }
}
