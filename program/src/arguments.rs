//! The arguments of a program.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{Arg, Command, FromArgMatches};
use shared::print::Lines;

use crate::exit::EX_USAGE;

/// Parses the arguments of a program, its name first. An empty environment variable counts as unset.
///
/// # Errors
/// The program has to end with this exit code. Help, version or what is wrong are printed.
pub fn parse<T: FromArgMatches>(
    command: Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<T, ExitCode> {
    let mut command = without_empty_variables(command);
    let found = command.try_get_matches_from_mut(arguments);
    let parsed = found.and_then(|mut found| {
        T::from_arg_matches_mut(&mut found).map_err(|error| error.format(&mut command))
    });
    parsed.map_err(|error| {
        // If this cannot be printed, an error cannot be printed either.
        if !error.use_stderr() {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        // It contains the arguments as they were typed.
        let _ = write!(io::stderr(), "{}", Lines(error.render()));
        ExitCode::from(EX_USAGE)
    })
}

/// Treats an empty variable as unset, because a service manager can hardly unset one.
fn without_empty_variables(command: Command) -> Command {
    let is_empty =
        |argument: &Arg| argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let reset = |argument: Arg| if is_empty(&argument) { argument.env(Resettable::Reset) } else { argument };
    command.mut_args(reset).mut_subcommands(without_empty_variables)
}

/// A word of a shell with this value.
pub fn quoted(value: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-:,+@%=".contains(letter);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.into();
    }
    format!("'{}'", value.replace('\'', r"'\''")).into()
}

/// Parses the address of a name server. The port may be left out, because DNS has a well-known one.
///
/// # Errors
/// It is no address; the text says what to write.
pub fn name_server(text: &str) -> Result<SocketAddr, &'static str> {
    const DNS_PORT: u16 = 53;
    let bare = |address: IpAddr| SocketAddr::new(address, DNS_PORT);
    let parsed = text.parse().or_else(|_| text.parse().map(bare));
    parsed.map_err(|_| "write the address of a name server, such as 10.0.0.53:53 or [2001:db8::53]:53")
}
