//! What packages carry beside the program, completions and manual pages, as [`program::pages`] writes them.

use std::path::Path;

use clap_complete::Shell;
use program::exit::EX_CANTCREAT;
use program::pages::{self, Manual};

use super::{Failure, OrExit, help};

const FILES: [(&str, &str); 8] = [
    ("/var/lib/kms-host/", "Default data directory (--data)."),
    ("/etc/kms-host/kms-host.toml", "Settings of the host that the package installs."),
    ("kms-host.toml", "In the data directory: settings, if --config names no other file."),
    (
        "signing.key",
        "In the data directory: the host's private key. Whoever reads it can sign leases as this host.",
    ),
    ("host-request.pem", "In the data directory: the request to send to the vendor."),
    (
        "certificates/, known/",
        "In the data directory: certificates from the vendor, and the first one that served each product.",
    ),
    ("ledger/", "In the data directory: which machines were seen, and when."),
    ("audit.jsonl", "In the data directory: what administrators have changed."),
];

const ENVIRONMENT: [(&str, &str); 5] = [
    ("KMS_HOST_DATA", "Data directory, if --data is not given."),
    (
        "KMS_HOST_QUEUE, KMS_HOST_LISTEN, ...",
        "Every setting has a variable: KMS_HOST_ and its name in capitals. It goes before the file. An empty variable is an unset \
         one. `kms-host config sample` lists all settings.",
    ),
    ("TMPDIR", "Where commands that only look put their copy of the ledger, while no host runs."),
    ("NO_COLOR", "If set, no colour is used on a terminal."),
    ("NOTIFY_SOCKET, WATCHDOG_USEC", "Set by systemd for a service; serve reports to it."),
];

/// A script that completes `kms-host` in this shell.
pub(super) fn completions(shell: Shell) -> String {
    pages::completions(help::command(), shell)
}

/// Writes `kms-host.1` and a page for each command into a directory.
pub(super) fn manual(directory: &Path) -> Result<String, Failure> {
    let manual = Manual {
        exit_status: &help::EXIT_CODES,
        files: &FILES,
        environment: &ENVIRONMENT,
        first_steps: help::FIRST_STEPS,
    };
    manual.write(help::command(), directory).or_exit(EX_CANTCREAT)?;
    Ok(format!("Wrote the manual pages into {}.\n", directory.display()))
}
