//! Which portal a command asks. Options override the environment, and the environment overrides the default data directory.
//!
//! Only commands that ask a portal take the options for one over the network. `ask` then asks it.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};
use kms_portal::config::STAFF_PORT;
use kms_portal::home::PortalHome;
use wire::portal::{BadPortalAddress, PortalAddress};

use super::Cli;
use super::ask::PortalAt;
use super::given::{GivenPortal, asking_verbs};

/// Behind the flags of the command itself.
const HEADING: &str = "Portal on another machine";

// The flags for a portal over the network. A doc comment would take the place of what each command's help says.
#[derive(Debug, Args)]
pub(super) struct RemoteArgs {
    /// Portal on another machine to ask, as https://NAME:PORT with the port of its setting `staff_listen` [default port: 21691]. Without
    /// it, the portal in the data directory is asked.
    #[arg(long, global = true, help_heading = HEADING, env = "KMS_PORTAL_URL", value_name = "URL", value_parser = staff_address)]
    portal: Option<PortalAddress>,
    /// File with the token to show to that portal (`kms-portal token issue`).
    #[arg(long, global = true, help_heading = HEADING, env = "KMS_PORTAL_TOKEN_FILE", value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// File with the CA that has signed that portal's TLS certificate, in PEM [default: the CAs that this machine trusts].
    #[arg(long, global = true, help_heading = HEADING, env = "KMS_PORTAL_CA", value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
}

fn staff_address(text: &str) -> Result<PortalAddress, BadPortalAddress> {
    PortalAddress::parse(text, STAFF_PORT)
}

/// Gives the flags to every command that asks a portal.
pub(super) fn with_flags(command: Command) -> Command {
    let add = |command: Command, name| command.mut_subcommand(name, RemoteArgs::augment_args);
    asking_verbs().into_iter().fold(command, add)
}

/// A command, and the portal that it is for.
pub(super) struct CommandLine {
    pub(super) command: super::Command,
    pub(super) home: PortalHome,
    pub(super) at: PortalAt,
    pub(super) given: GivenPortal,
}

impl FromArgMatches for CommandLine {
    fn from_arg_matches(matches: &ArgMatches) -> Result<CommandLine, Error> {
        let Cli { data, command } = Cli::from_arg_matches(matches)?;
        let home = PortalHome::at(data);
        let at = match matches.subcommand() {
            Some((_, verb)) if verb.try_contains_id("portal").is_ok() => portal_of(verb, &home)?,
            _ => PortalAt::here(&home),
        };
        let given = matches.subcommand().map(|(_, verb)| GivenPortal::of(verb)).unwrap_or_default();
        Ok(CommandLine { command, home, at, given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = CommandLine::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The portal that a verb asks.
fn portal_of(verb: &ArgMatches, home: &PortalHome) -> Result<PortalAt, Error> {
    let is_typed = |flag: &&str| verb.value_source(flag) == Some(ValueSource::CommandLine);
    let typed = ["portal", "token_file", "ca"].iter().copied().find(is_typed);
    let refused = |text: String| Err(Error::raw(ErrorKind::ArgumentConflict, text));
    let names_data = is_typed(&"data");
    let shown = typed.map(|flag| flag.replace('_', "-"));
    match (RemoteArgs::from_arg_matches(verb)?, shown) {
        (_, Some(flag)) if names_data => refused(format!(
            "--data names a portal on this machine, and --{flag} is for one over the network: leave one of them out"
        )),
        (RemoteArgs { portal: Some(address), token_file, ca }, _) if !names_data => {
            Ok(PortalAt::over_network(home, address, token_file, ca))
        }
        (_, Some(flag)) => refused(format!(
            "--{flag} is for a portal over the network: name that with --portal, or in KMS_PORTAL_URL"
        )),
        (_, None) => Ok(PortalAt::here(home)),
    }
}
