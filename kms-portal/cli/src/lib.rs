//! The command line of the vendor's staff. `serve` runs the portal. Most other commands ask a running portal, over its socket or over the
//! network. `init`, `install-issuer` and `install-code-key` work on the data directory, whether the portal runs or not.

mod answer;
mod ask;
mod confirm;
mod daemon;
mod dev;
mod failure;
mod given;
mod help;
mod keys;
mod offers;
mod offline;
mod organisations;
mod outbox;
mod pages;
mod products;
mod reasons;
mod remote;
mod revocations;
mod shown;
mod staff;
mod subscriptions;
mod tokens;
mod upkeep;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use kms_portal::config::USUAL_PATH;
use kms_portal::home::{PortalHome, TlsName};
use kms_portal::remedy;
use program::exit::EX_USAGE;
use program::{arguments, output};
use shared::print::Lines;

use self::ask::PortalAt;
use self::failure::{Failure, OrExit as _};
use self::given::GivenPortal;
use self::remote::CommandLine;

/// Sell product keys, and activate hosts and machines by them.
#[derive(Debug, Parser)]
#[command(name = "kms-portal", version, max_term_width = 100)]
struct Cli {
    /// Data directory of the portal: issuing key, pepper, settings, database, admin socket.
    #[arg(long, global = true, env = "KMS_PORTAL_DATA", default_value = USUAL_PATH)]
    data: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    SetUp(SetUpVerb),
    #[command(flatten)]
    Asking(Box<AskingVerb>),
    #[command(flatten)]
    Upkeep(UpkeepVerb),
}

/// What makes a portal, on its own machine.
#[derive(Debug, Subcommand)]
enum SetUpVerb {
    /// Create a portal, or the parts of one that are missing.
    ///
    /// Creates the issuing key with the request to carry to the offline tool, the pepper, the TLS certificate, the settings and the
    /// database. What exists is left as it is.
    Init(Init),
    /// Install the issuing certificate that the offline tool has signed.
    InstallIssuer {
        /// File from `kms-vendor issuer sign`.
        file: PathBuf,
        /// Install it even if it may sign less than the one that is installed.
        #[arg(long)]
        force: bool,
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Install a certificate that the offline tool has signed for the code key. Those before are kept.
    InstallCodeKey {
        /// File from `kms-vendor code-key sign`.
        file: PathBuf,
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Serve hosts and machines until SIGTERM or SIGINT.
    ///
    /// SIGHUP reads everything again that needs no restart, like `kms-portal reload`.
    Serve(Serve),
    /// Serve a portal with a small made-up world, to look at its pages and try its API.
    ///
    /// Prints the address, who can sign in, and a token. It needs no other command, serves this machine alone, and prints mails
    /// instead of sending them.
    Dev(dev::Dev),
    /// Print a sample of the settings, or check them.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// What asks a portal: the one on this machine, or another one over the network.
#[derive(Debug, Subcommand)]
enum AskingVerb {
    /// Show the running portal: issuing certificate, TLS, addresses.
    Status(Output),
    /// Read settings, roots, certificates and the files of TLS again.
    ///
    /// If one of them cannot be used, everything stays as it is. Names the settings that wait for a restart.
    Reload(Output),
    /// Add, change and list products.
    Product {
        #[command(subcommand)]
        command: products::ProductVerb,
    },
    /// Say what people can have, and issue keys by which subscriptions begin.
    Offer {
        #[command(subcommand)]
        command: offers::OfferVerb,
    },
    /// Add and list organisations, and invite their administrators.
    Organisation {
        #[command(subcommand)]
        command: organisations::OrganisationVerb,
    },
    /// Issue, list, show, block and raise product keys.
    Key {
        #[command(subcommand)]
        command: keys::KeyVerb,
    },
    /// Sell, renew, disable and list subscriptions of organisations, for their people.
    Subscription {
        #[command(subcommand)]
        command: subscriptions::SubscriptionVerb,
    },
    /// Issue, list and revoke tokens, for people and programs that ask over the network.
    Token {
        #[command(subcommand)]
        command: tokens::TokenVerb,
    },
    /// List mails and events that leave the portal, show them, and try them again.
    Outbox {
        #[command(subcommand)]
        command: outbox::OutboxVerb,
    },
    /// Set which services of yours are told what happens to the people who have them.
    Webhook {
        #[command(subcommand)]
        command: outbox::WebhookVerb,
    },
    /// Answer a host, or machines, that have sent their requests as a file.
    ///
    /// A host makes the request with `kms-host activate --request FILE`, and installs the answer with `kms-host install-certificate`.
    /// Machines add theirs to one file with `kms-client proxy collect FILE`, and take the answer with `kms-client proxy apply FILE`. The same
    /// file answered twice gives the same answer and costs nothing.
    Answer(answer::AnswerFile),
    /// Confirm a machine or a host by telephone: take its installation id, show the confirmation id.
    ///
    /// Without CODE it asks for the groups one by one, says at once which is wrong, and shows whose key it is before it confirms anything.
    /// The same installation id again gets the same confirmation and costs nothing, so a call may break off.
    Confirm(confirm::CodeCall),
    /// Revoke a key with all that it has activated, a host, one of its certificates, or a machine.
    ///
    /// Nobody's license stops working. A revoked host gives no leases that machines accept, and a revoked machine shows a notice.
    Revoke(revocations::RevokeOrder),
    /// Show what was revoked, or write it into a file for hosts.
    Revocations {
        #[command(subcommand)]
        command: revocations::RevocationsVerb,
    },
    /// Install a revocation list that a root has signed, so that hosts and machines get it.
    ///
    /// After a restore, install the list of a host (`revocations/` in its directory): it has what the backup does not know.
    InstallRevocations {
        /// File from `kms-vendor revoke`.
        file: PathBuf,
        #[command(flatten)]
        noted: Noted,
    },
    /// List what staff has changed, the latest first.
    #[command(args_conflicts_with_subcommands = true)]
    Audit {
        #[command(subcommand)]
        command: Option<AuditVerb>,
        /// Most changes to list.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        output: Output,
    },
}

/// What looks after a portal on its own machine, or needs none.
#[derive(Debug, Subcommand)]
enum UpkeepVerb {
    /// Check everything that can keep the portal from serving.
    ///
    /// Prints a line for each check, and what to do about each that fails. Changes nothing.
    Doctor {
        /// Settings file [default: the file that `serve` reads].
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// Back up the whole portal into a new folder. It may be running.
    ///
    /// The folder has the issuing key and the pepper in it: whoever reads it can issue licenses. A PostgreSQL database is not in it.
    Backup {
        /// Folder to make.
        folder: PathBuf,
        /// Settings file [default: the file that `serve` reads].
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Make a portal from a backup, in an empty directory.
    ///
    /// The old portal must never serve again: both would give away the same places.
    Restore {
        /// Folder from `kms-portal backup`.
        folder: PathBuf,
    },
    /// Explain a code: meaning, fault, remedy.
    Explain {
        /// Code, such as KEY_BLOCKED [default: list all].
        code: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Print completions for a shell.
    Completions {
        /// Shell to print completions for.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command.
    Manual {
        /// Directory to write them into; it is created.
        directory: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum AuditVerb {
    /// Check that no change was altered or taken out afterwards.
    Verify(Output),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print a settings file with every setting, explained and at its default.
    Sample,
    /// Check the settings in file and environment, and the files of TLS that they name.
    Check {
        /// Settings file [default: the file that `serve` reads].
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Init {
    /// The vendor's root public keys: `roots.pub` from the directory of `kms-vendor`.
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// Name or IP address by which hosts and machines reach the portal, for its TLS certificate. May be repeated. A certificate of the
    /// portal's own CA is made anew for other names, or if it ends soon.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<TlsName>,
    /// Make a code key as well, with the request for the offline tool: it confirms machines by codes that are read aloud.
    #[arg(long)]
    codes: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
struct Serve {
    /// Settings file [default: kms-portal.toml in the data directory].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to serve hosts and machines at, instead of the setting `listen`. May be repeated.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<SocketAddr>,
    /// Write the log as JSON, one object per line.
    #[arg(long)]
    log_json: bool,
}

#[derive(Clone, Copy, Debug, Args)]
struct Output {
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// A change that is recorded with a reason.
#[derive(Clone, Debug, Args)]
struct Noted {
    /// Reason for the audit log.
    #[arg(long, default_value = "")]
    note: String,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    main_with(std::env::args_os())
}

/// Runs a command line, its program name first.
pub fn main_with(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let typed: CommandLine = match arguments::parse(help::command(), arguments) {
        Ok(typed) => typed,
        Err(code) => return code,
    };
    let CommandLine { command, home, at, given } = typed;
    let done = match command {
        Command::SetUp(verb) => set_up(&home, verb),
        Command::Asking(verb) => ask_portal(&at, *verb),
        Command::Upkeep(verb) => look_after(&home, verb, &given),
    };
    match done {
        Ok(text) => output::print(&Lines(given.complete(&text)).to_string(), 0),
        Err(Failure { code, error }) => {
            failure::say(&given.complete(&remedy::message(&*error)));
            ExitCode::from(code)
        }
    }
}

fn set_up(home: &PortalHome, verb: SetUpVerb) -> Result<String, Failure> {
    match verb {
        SetUpVerb::Init(wanted) => offline::init(home, &wanted),
        SetUpVerb::InstallIssuer { file, force, json } => offline::install_issuer(home, &file, force, json),
        SetUpVerb::InstallCodeKey { file, json } => offline::install_code_key(home, &file, json),
        SetUpVerb::Dev(wanted) => dev::dev(&wanted),
        SetUpVerb::Serve(wanted) => daemon::serve(home, &wanted),
        SetUpVerb::Config { command: ConfigCommand::Sample } => Ok(kms_portal::config::sample()),
        SetUpVerb::Config { command: ConfigCommand::Check { config } } => {
            offline::check_config(home, config.as_deref())
        }
    }
}

fn ask_portal(at: &PortalAt, verb: AskingVerb) -> Result<String, Failure> {
    match verb {
        AskingVerb::Status(output) => staff::status(at, output.json),
        AskingVerb::Reload(output) => staff::reload(at, output.json),
        AskingVerb::Product { command } => products::run(at, command),
        AskingVerb::Organisation { command } => organisations::run(at, command),
        AskingVerb::Offer { command } => offers::run(at, command),
        AskingVerb::Key { command } => keys::run(at, command),
        AskingVerb::Subscription { command } => subscriptions::run(at, command),
        AskingVerb::Token { command } => tokens::run(at, command),
        AskingVerb::Outbox { command } => outbox::run(at, command),
        AskingVerb::Webhook { command } => outbox::run_webhook(at, command),
        AskingVerb::Answer(wanted) => answer::answer(at, &wanted),
        AskingVerb::Confirm(call) => confirm::confirm(at, &call),
        AskingVerb::Revoke(wanted) => revocations::revoke(at, &wanted),
        AskingVerb::Revocations { command } => revocations::run(at, command),
        AskingVerb::InstallRevocations { file, noted } => revocations::install(at, &file, noted),
        AskingVerb::Audit { command: Some(AuditVerb::Verify(output)), .. } => staff::verify(at, output.json),
        AskingVerb::Audit { command: None, limit, output } => staff::audit(at, limit, output.json),
    }
}

fn look_after(home: &PortalHome, verb: UpkeepVerb, given: &GivenPortal) -> Result<String, Failure> {
    match verb {
        UpkeepVerb::Doctor { config, output } => upkeep::doctor(home, config.as_deref(), output.json, given),
        UpkeepVerb::Backup { folder, config } => upkeep::backup(home, &folder, config.as_deref()),
        UpkeepVerb::Restore { folder } => upkeep::restore(home, &folder),
        UpkeepVerb::Explain { code, output } => program::explain::explain("kms-portal", code.as_deref())
            .map_err(anyhow::Error::msg)
            .or_exit(EX_USAGE)
            .map(|(text, value)| if output.json { output::json_text(&value) } else { text }),
        UpkeepVerb::Completions { shell } => Ok(pages::completions(shell)),
        UpkeepVerb::Manual { directory } => pages::manual(&directory),
    }
}
