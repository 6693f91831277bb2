//! The command line: what an administrator types. `serve` is the daemon; the commands beside it speak to a running one
//! over its socket, or prepare one that does not run.

mod audit;
mod backup;
mod certificates;
mod config;
mod copies;
mod daemon;
mod doctor;
mod explain;
mod export;
mod inventory;
mod lines;
mod machine;
mod offline;
mod online;
mod owner;
mod pages;
mod refusals;
mod signals;
mod sources;
mod supervised;
mod terminal;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use shared::print::Lines;

use crate::certificates::Allowed;
use crate::home::{Home, USUAL_PATH};
use crate::remedy;

/// The activation host: counts an organisation's machines and signs their leases.
#[derive(Debug, Parser)]
#[command(name = "kms-host", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    /// The host's data directory: signing key, certificates, ledger, admin socket.
    #[arg(long, global = true, env = "KMS_HOST_DATA", default_value = USUAL_PATH)]
    data: PathBuf,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
First steps:
  kms-host init --data ./host                              makes the host, and host-request.pem for the vendor
  kms-host install-certificate ANSWER.pem --data ./host    puts in what the vendor has sent back
  kms-host serve --data ./host                             serves until it is told to stop
  kms-host status --data ./host                            what it counts, in another terminal

Root works as the owner of the data directory, so that the service can read what root makes.

Settings:
  kms-host config sample > ./host/kms-host.toml            a file with every setting, for you to change
  kms-host config check --data ./host                      check them before a restart or a reload
  kms-host reload --data ./host                            take them up, and print the result

When something is wrong:
  kms-host doctor --data ./host                            looks at everything, and says what to do
  kms-host explain CLOCK_SKEW                              what a reason in a log or at a machine means

Exit codes: 0 done, 1 doctor found a failure or `status --exit-code` an alarm, 64 wrong usage, 65 wrong file, damaged
ledger or unknown machine, 69 no host answers, another process serves the directory, or it cannot listen, 73 cannot be
made, 74 the disk or standard output has failed, 77 not allowed to this user, 78 wrong configuration. Trying again may
help with 69 and 74.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a host, or what is missing of one: its ledger, its signing key, and the request to send to the vendor.
    Init(Init),
    /// Print the request to send to the vendor.
    Request,
    /// Put in a certificate that the vendor has issued for this host's request.
    InstallCertificate {
        /// The vendor's file; - is standard input. Text before and behind it does no harm.
        file: PathBuf,
        #[command(flatten)]
        allow: Allow,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a sample of the settings, check them, or show them and where they come from.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Serve machines until SIGTERM or SIGINT. SIGHUP has it read certificates and settings again.
    Serve(Serve),
    /// Look at everything that can keep machines from their licenses: a line each, with what to do.
    Doctor(Doctor),
    /// Say what a reason means, whose fault it is and what to do; without CODE, list all.
    Explain {
        /// The code, such as CLOCK_SKEW.
        code: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show the running host: its clock, its certificates, the count of each product.
    Status {
        /// Exit with 1 if there is an alarm, for monitoring. If no host answers, the exit code is 69 with or without this.
        #[arg(long)]
        exit_code: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the machines that the running host knows, however long ago they were seen. Options narrow the list.
    Machines(inventory::Search),
    /// Show, block, unblock or forget one machine.
    Machine {
        #[command(subcommand)]
        command: machine::MachineCommand,
    },
    /// List identities that more than one machine has shown, and what became of them.
    Copies(copies::Copies),
    /// Show every certificate of the running host: its product, its numbers, its end.
    Certificates(Output),
    /// List the latest refusals of the running host, newest first, or their numbers by reason.
    Refusals(refusals::Refusals),
    /// List what administrators have changed, the latest last, or verify the audit log.
    Audit(audit::Audit),
    /// List the addresses from which machines ask, the largest first: what each has brought since the host was started.
    ///
    /// An IPv6 address counts as its /64. The list is kept in memory alone and ends with the host: addresses of machines are
    /// personal data in many places, and are not stored.
    Sources(Output),
    /// Count every record again and compare with the running count.
    Verify(Output),
    /// Have the running host read its settings and certificates again, wait, and print the result.
    Reload {
        /// Reason for the audit log.
        #[arg(long, default_value = "")]
        note: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Confirm the host's clock when the host doubts it.
    Clock {
        #[command(subcommand)]
        command: ClockCommand,
    },
    /// Write a backup: one file with the whole host, its signing key included. The host may be running.
    Backup(Backup),
    /// Restore a host from a backup, into a directory that is empty or missing. The old host must never run again.
    Restore {
        /// The backup; - is standard input.
        file: PathBuf,
        #[command(flatten)]
        made: MadeOn,
    },
    /// Write the ledger into a file, for `import`. The host may be running.
    Export {
        /// The file; - is standard output.
        file: PathBuf,
        /// Overwrite a file that is there.
        #[arg(long)]
        force: bool,
        /// Save every intact record of a damaged ledger, even if the ledger does not open. Stop the host first.
        #[arg(long)]
        salvage: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a ledger from an export or a backup, in a directory that has none.
    Import {
        /// The export or the backup; - is standard input.
        file: PathBuf,
        #[command(flatten)]
        made: MadeOn,
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
    /// Print a file with every setting, explained and at its default.
    Sample,
    /// Check the settings in file and environment, without serving.
    Check(ConfigFile),
    /// Show what is set, and where: in the file or in the environment.
    Show {
        #[command(flatten)]
        file: ConfigFile,
        /// Show every setting, those at their default too.
        #[arg(long)]
        effective: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration; otherwise kms-host.toml in the data directory, if there is one. For the host of the package,
    /// /etc/kms-host/kms-host.toml.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum ClockCommand {
    /// Confirm that the host's clock is right. This ends a doubt.
    Confirm {
        /// Reason for the audit log.
        #[arg(long, default_value = "")]
        note: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Init {
    /// The configuration, whose `ledger` says what to make the ledger on; otherwise the one that `serve` would read.
    #[arg(long)]
    config: Option<PathBuf>,
    /// How long an hour of the ledger is. Any but 1h is for tests, and serves only under test certificates.
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    hour: Duration,
    /// Succeed, and change nothing, where nothing is missing.
    #[arg(long)]
    if_needed: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Backup {
    /// The file; - is standard output, with --check standard input.
    file: PathBuf,
    /// Check an existing backup instead of writing one: read all of it, and say whether it is intact.
    #[arg(long, conflicts_with_all = ["force", "config"])]
    check: bool,
    /// Overwrite a file that is there.
    #[arg(long)]
    force: bool,
    /// The configuration to take along, where it is not the one that `serve` would read.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct MadeOn {
    /// The configuration, whose `ledger` says what to make the ledger on; otherwise the one that `serve` would read.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Serve {
    /// The configuration; otherwise kms-host.toml in the data directory, if there is one. For the host of the package,
    /// /etc/kms-host/kms-host.toml.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Where to serve machines, instead of the configuration's `listen`; may be given more than once.
    #[arg(long, value_parser = address)]
    listen: Vec<SocketAddr>,
    /// Write the log as JSON, one object a line.
    #[arg(long)]
    log_json: bool,
}

#[derive(Debug, Args)]
struct Doctor {
    /// The configuration; otherwise the one that `serve` would read.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Look for the host's SRV record in this domain instead of this machine's own; again for each one.
    #[arg(long = "domain", value_name = "NAME")]
    domains: Vec<String>,
    /// Ask this name server instead of the system's.
    #[arg(long, value_name = "ADDR:PORT", value_parser = doctor::name_server)]
    dns: Option<SocketAddr>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is meant, though machines may refuse it.
#[derive(Debug, Args)]
struct Allow {
    /// Install it even if it names another organisation than the installed certificates for its product, and set those aside.
    #[arg(long)]
    new_organisation: bool,
    /// Install it even if it brings root keys that are not known for its product.
    #[arg(long)]
    new_vendor: bool,
    /// Install it even if it is marked as test and the installed one is not.
    #[arg(long)]
    test: bool,
}

#[derive(Debug, Args)]
struct Output {
    /// Print JSON.
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
    let mut command = Cli::command().mut_args(unset_if_empty);
    let parsed = command.try_get_matches_from_mut(arguments);
    let parsed = parsed.and_then(|mut found| {
        Cli::from_arg_matches_mut(&mut found).map_err(|error| error.format(&mut command))
    });
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() {
                // It shows arguments as they came in.
                say(error.render().to_string().trim_end());
                return exit(EX_USAGE);
            }
            // Help and version are no errors; what cannot be printed cannot be told either.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
    };
    let home = Home::at(cli.data);
    let done = match cli.command {
        Command::Init(init) => offline::init(&home, &init),
        Command::Request => offline::request(&home),
        Command::InstallCertificate { file, allow, json } => {
            let allow =
                Allowed { organisation: allow.new_organisation, vendor: allow.new_vendor, test: allow.test };
            offline::install_certificate(&home, &file, allow, json)
        }
        Command::Serve(serve) => daemon::serve(&home, serve.config.as_deref(), &serve.listen, serve.log_json),
        Command::Config { command } => match command {
            ConfigCommand::Sample => Ok(crate::config::sample()),
            ConfigCommand::Check(file) => config::check(&home, file.config.as_deref()),
            ConfigCommand::Show { file, effective, json } => {
                config::show(&home, file.config.as_deref(), effective, json)
            }
        },
        Command::Doctor(Doctor { config, domains, dns, json }) => {
            doctor::examine(&home, config.as_deref(), domains, dns, json)
        }
        Command::Explain { code, json } => explain::explain(code.as_deref(), json),
        Command::Status { exit_code, json } => online::status(&home, json, exit_code),
        Command::Machines(search) => inventory::machines(&home, &search),
        Command::Machine { command } => machine::run(&home, &command),
        Command::Copies(wanted) => copies::copies(&home, &wanted),
        Command::Certificates(output) => certificates::certificates(&home, output.json),
        Command::Refusals(wanted) => refusals::refusals(&home, &wanted),
        Command::Audit(wanted) => audit::audit(&home, &wanted),
        Command::Sources(output) => sources::list(&home, output.json),
        Command::Verify(output) => online::verify(&home, output.json),
        Command::Reload { note, json } => online::reload(&home, &note, json),
        Command::Clock { command: ClockCommand::Confirm { note, json } } => {
            online::confirm_clock(&home, &note, json)
        }
        Command::Backup(Backup { file, check: true, json, .. }) => backup::check(&file, json),
        Command::Backup(Backup { file, check: false, force, config, json }) => {
            backup::backup(&home, &file, force, config.as_deref(), json)
        }
        Command::Restore { file, made } => backup::restore(&home, &file, made.config.as_deref(), made.json),
        Command::Export { file, force, salvage, json } => export::export(&home, &file, force, salvage, json),
        Command::Import { file, made } => export::import(&home, &file, made.config.as_deref(), made.json),
        Command::Completions { shell } => pages::completions(shell),
        Command::Manual { directory } => pages::manual(&directory),
    };
    match done {
        Ok(text) => print(&text),
        Err(failure) => {
            let printed = print(&failure.shown);
            say(format_args!("error: {}", remedy::told(&*failure.error)));
            if printed == ExitCode::SUCCESS { exit(failure.code) } else { printed }
        }
    }
}

/// A variable that is empty is an unset one: a service manager can hardly unset it.
fn unset_if_empty(argument: clap::Arg) -> clap::Arg {
    let is_empty = argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    if is_empty { argument.env(clap::builder::Resettable::Reset) } else { argument }
}

/// Says something on standard error. What cannot be printed cannot be told either.
fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", Lines(text));
}

/// What was done is done, whether or not somebody still reads the text about it.
fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(terminal::paint(&Lines(text).to_string()).as_bytes()).and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(format_args!("error: done, but standard output could not be written: {error}"));
            exit(EX_IOERR)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// A value as scripts read it.
fn json_text(value: &serde_json::Value) -> String {
    format!("{:#}\n", shared::print::Json(format_args!("{value:#}")))
}

/// The command did what it was told, and has found something wrong.
const EX_FOUND: u8 = 1;

// As in BSD's sysexits.h.
const EX_USAGE: u8 = 64;
const EX_DATAERR: u8 = 65;
const EX_UNAVAILABLE: u8 = 69;
const EX_CANTCREAT: u8 = 73;
const EX_IOERR: u8 = 74;
const EX_NOPERM: u8 = 77;
const EX_CONFIG: u8 = 78;

fn exit(code: u8) -> ExitCode {
    ExitCode::from(code)
}

/// A command that did not do what it was told, and the code that scripts see.
struct Failure {
    code: u8,
    error: anyhow::Error,
    /// What it found all the same, for standard output.
    shown: String,
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
