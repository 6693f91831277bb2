//! `kms-host config`: shows and checks the settings, before a host uses them.

use std::io;
use std::path::Path;
use std::sync::Arc;

use kms_host::clock::SystemClock;
use kms_host::config::{Config, KEYS, SettingSources, Settings};
use kms_host::home::Home;
use kms_host::portal;
use kms_host::watch::retention;
use program::exit::{EX_CONFIG, EX_UNAVAILABLE};
use program::output::json_text;
use serde_json::json;
use server::admin::socket;
use server::certificate;
use server::listen;
use server::settings::{Key, Origin};
use shared::print::OneLine;
use shared::time::Clock as _;

use super::owner::{self, become_owner};
use super::{Failure, OrExit, runtime, say};

/// Prints one line if the settings are correct, including the files that they name.
pub(super) fn check(home: &Home, file: Option<&Path>) -> Result<String, Failure> {
    let settings = read(home, file)?;
    if !home.path().exists() {
        check_settings_alone(home, &settings)?;
    }
    // The service has to be able to read the files, and root can read any.
    become_owner(home)?;
    // For a user who may not read the certificates, only the settings are checked.
    if let Ok(certificates) = home.certificates() {
        retention::check(settings.config.retention_days, &certificates).or_exit(EX_CONFIG)?;
    }
    let tls = settings.config.read_tls(home.path()).or_exit(EX_CONFIG)?;
    for told in certificate::faults(&tls, SystemClock::new().now()) {
        warn_of(&told);
    }
    let clock = Arc::new(SystemClock::new());
    portal::check_tls(&settings.config, home.path(), clock).or_exit(EX_CONFIG)?;
    check_listening(home, &settings)?;
    let set = KEYS.iter().filter(|key| is_set(&settings, key)).count();
    let file = settings.file().display();
    let found =
        if settings.file().exists() { format!("{file} is valid") } else { format!("there is no {file}") };
    Ok(match set {
        0 => format!("ok: {found}; every setting is at its default\n"),
        _ => format!("ok: {found}; {set} of {} settings are set\n", KEYS.len()),
    })
}

/// Without a data directory there are no certificates to check the settings against. Without a settings file either, nothing is left to
/// check, and most likely the directory is misspelt.
fn check_settings_alone(home: &Home, settings: &Settings) -> Result<(), Failure> {
    let data = home.path().display();
    if settings.file().exists() {
        warn_of(&format!("there is no directory {data}: only the settings were checked"));
        return Ok(());
    }
    let error = anyhow::anyhow!(
        "there is no directory {data}: name the host's directory with --data, or a settings file with --config; `kms-host init \
         --data {data}` makes a host"
    );
    Err(error).or_exit(EX_CONFIG)
}

/// Checks that `serve` could listen. An address in use is the host's own if a host serves this directory, or if this user cannot see
/// whether one does.
fn check_listening(home: &Home, settings: &Settings) -> Result<(), Failure> {
    let runtime = runtime()?;
    let _entered = runtime.enter();
    match listen::try_all(&settings.config.listen) {
        Err(error) if error.source.kind() == io::ErrorKind::AddrInUse && may_be_served(home) => Ok(()),
        listened => listened.or_exit(EX_UNAVAILABLE),
    }
}

fn may_be_served(home: &Home) -> bool {
    let path = home.socket_path();
    let hidden = path.metadata().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    hidden || socket::is_served(&path)
}

/// Prints settings as a settings file.
pub(super) fn show(
    home: &Home,
    file: Option<&Path>,
    effective: bool,
    as_json: bool,
) -> Result<String, Failure> {
    let settings = read(home, file)?;
    let shown: Vec<_> = KEYS.iter().filter(|key| effective || is_set(&settings, key)).collect();
    if as_json {
        return Ok(json_text(&to_json(&settings, &shown)));
    }
    if shown.is_empty() {
        return Ok("# Nothing is set; --effective shows the defaults.\n".to_owned());
    }
    let lines: Vec<_> =
        shown.iter().map(|key| (assignment(&settings, key), settings.origin(key.name))).collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
    let lines: Vec<_> = lines.iter().map(|(line, origin)| format!("{line:width$}  # {origin}")).collect();
    Ok(lines.join("\n") + "\n")
}

/// Prints warnings about settings on standard error.
pub(super) fn warn(settings: &Settings) {
    for warning in settings.warnings() {
        warn_of(&warning);
    }
}

fn warn_of(warning: &str) {
    say(format_args!("warning: {}", OneLine(warning)));
}

fn read(home: &Home, file: Option<&Path>) -> Result<Settings, Failure> {
    let settings = owner::settings(home, &SettingSources::new(file, home.path()))?;
    warn(&settings);
    Ok(settings)
}

fn is_set(settings: &Settings, key: &Key) -> bool {
    settings.origin(key.name) != Origin::Default
}

fn assignment(settings: &Settings, key: &Key) -> String {
    match settings.value(key.name) {
        Some(value) => format!("{} = {value}", key.name),
        None => format!("# {} is not set", key.name),
    }
}

fn to_json(settings: &Settings, shown: &[&Key]) -> serde_json::Value {
    let setting = |key: &&Key| {
        let kind = match settings.origin(key.name) {
            Origin::Default => "default",
            Origin::File(_) => "file",
            Origin::Variable(_) => "environment",
            Origin::CommandLine => "command line",
        };
        json!({
            "key": key.name,
            "value": settings.value(key.name),
            "from": kind,
            "variable": key.variable::<Config>(),
        })
    };
    json!({
        "file": settings.file(),
        "settings": shown.iter().map(setting).collect::<Vec<_>>(),
        "unknown_variables": settings.unknown,
    })
}
