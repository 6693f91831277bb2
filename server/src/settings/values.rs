//! Values of the usual kinds: how an environment variable is read, how a file is, and what a value has to be.

use std::net::SocketAddr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Value;
use tracing_subscriber::EnvFilter;

use super::SettingFault;
use crate::listen;
use crate::network::Network;

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Reads a text from a variable. It cannot fail, as other readers can.
pub fn text(text: &str) -> Result<Value, String> {
    Ok(Value::String(text.to_owned()))
}

/// Reads a whole number from a variable, or says what is wrong.
pub fn number(text: &str) -> Result<Value, String> {
    let number = text.trim().parse::<u64>().ok().and_then(|number| i64::try_from(number).ok());
    number.map(Value::Integer).ok_or_else(|| format!("{text:?} is not a whole number"))
}

/// Reads addresses with ports from a variable, separated by commas, or says what is wrong.
pub fn addresses(text: &str) -> Result<Value, String> {
    let mut addresses = Vec::new();
    for one in items(text)? {
        let address = one.parse::<SocketAddr>();
        let address = address
            .map_err(|_| format!("{one:?} is not an IP address with a port; names are not looked up"))?;
        addresses.push(Value::String(address.to_string()));
    }
    Ok(Value::Array(addresses))
}

/// Reads networks from a variable, separated by commas, or says what is wrong.
pub fn networks(text: &str) -> Result<Value, String> {
    let networks = items(text)?
        .into_iter()
        .map(|one| one.parse::<Network>().map(|network| Value::String(network.to_string())));
    networks.collect::<Result<_, _>>().map(Value::Array)
}

/// The parts of a list. A part with a blank or a semicolon in it is a wrong separator: no part has one.
fn items(text: &str) -> Result<Vec<&str>, String> {
    let items: Vec<_> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    match items.iter().find(|item| item.contains(|c: char| c.is_whitespace() || c == ';')) {
        Some(item) => Err(format!("{item:?} is more than one entry: separate entries with commas")),
        None => Ok(items),
    }
}

/// Reads networks from a file, or fails with an example.
pub fn networks_in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Network>, D::Error> {
    with_example(from, "allow = [\"10.0.0.0/8\", \"2001:db8::/32\"]")
}

/// Adds an example to serde's error.
pub fn with_example<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
    example: &str,
) -> Result<T, D::Error> {
    T::deserialize(from).map_err(|error| {
        D::Error::custom(format_args!("{}; write it as {example}", error.to_string().trim_end()))
    })
}

/// Checks the setting `listen`.
pub fn check_listen(listen: &[SocketAddr], default_port: u16) -> Result<(), SettingFault> {
    if listen.is_empty() {
        let fault =
            format!("`listen` is empty: name at least one address, such as [\"[::]:{default_port}\"]");
        return Err(("listen", fault));
    }
    listen::check(listen).map_err(|fault| ("listen", fault))
}

/// Checks the setting `log`. The log's own parser takes a misspelt level for a target, and then logs nothing else.
///
/// # Errors
/// A directive has no level; `example` has one for a part of the program.
pub fn check_log(log: &str, example: &str) -> Result<(), SettingFault> {
    if let Some(directive) = log.split(',').find(|directive| !is_directive(directive.trim())) {
        let fault = format!(
            "`log` has {directive:?}: write off, error, warn, info, debug or trace, or one of these for a part of the \
             program, such as {example:?}"
        );
        return Err(("log", fault));
    }
    // Blanks around a directive are taken away before the log sees them.
    let plain: Vec<_> = log.split(',').map(str::trim).collect();
    EnvFilter::try_new(plain.join(","))
        .map(drop)
        .map_err(|error| ("log", format!("`log` is {log:?}: {error}")))
}

/// A level, or `target=level`.
fn is_directive(directive: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let level = match directive.rsplit_once('=') {
        Some(("", _)) => return false,
        Some((_, level)) => level,
        None => directive,
    };
    LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level))
}
