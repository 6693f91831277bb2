//! Completions and manual pages, which packages carry beside the program. [`program::pages`] writes them.

use std::path::Path;

use clap_complete::Shell;
use program::exit::EX_CANTCREAT;
use program::pages::{self, Manual};

use super::failure::{Failure, OrExit as _};
use super::help;

const FILES: &[(&str, &str)] = &[
    ("/var/lib/kms-portal/", "Default data directory (--data)."),
    ("/etc/kms-portal/kms-portal.toml", "Settings of the portal that the package installs."),
    ("kms-portal.toml", "In the data directory: settings, if --config names no other file."),
    (
        "issuing.key",
        "In the data directory: the issuing key. Whoever reads it can issue licenses until its certificate ends or a root revokes it.",
    ),
    ("issuing-request.pem", "In the data directory: the request to carry to the offline tool."),
    ("issuing.certificate", "In the data directory: what a root has signed for the issuing key."),
    (
        "code.key, code-request.pem, code.certificates",
        "In the data directory: the key that confirms machines by codes, its request, and what roots have signed for it. `kms-portal init \
         --codes` makes the first two.",
    ),
    (
        "pepper",
        "In the data directory: the secret without which no key that was sold is recognised. It cannot be made again. Keep a copy apart \
         from that of the database.",
    ),
    ("roots.pub", "In the data directory: the vendor's root public keys."),
    (
        "portal.db",
        "In the data directory: what was sold and activated, unless the setting `database` names a PostgreSQL server.",
    ),
    (
        "portal-ca.pem, tls.pem, tls.key",
        "In the data directory: a CA of the portal's own, and the TLS certificate that it has signed.",
    ),
    ("admin.sock", "In the data directory: where a running portal answers staff."),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("KMS_PORTAL_DATA", "Data directory, if --data is not given."),
    (
        "KMS_PORTAL_URL, KMS_PORTAL_TOKEN_FILE, KMS_PORTAL_CA",
        "Portal to ask over the network, if --portal, --token-file and --ca are not given.",
    ),
    (
        "KMS_PORTAL_DATABASE, KMS_PORTAL_LISTEN, ...",
        "Every setting has a variable: KMS_PORTAL_ and its name in capitals. It goes before the file. An empty variable is an unset \
         one. `kms-portal config sample` lists all settings.",
    ),
    (
        "LC_ALL, LC_MESSAGES, LANG",
        "Language of confirm, if --language is not given: the first that is set decides.",
    ),
    ("NOTIFY_SOCKET, WATCHDOG_USEC", "Set by systemd for a service; serve reports to it."),
];

/// A script that completes `kms-portal` in this shell.
pub(super) fn completions(shell: Shell) -> String {
    pages::completions(help::command(), shell)
}

/// Writes `kms-portal.1` and a page for each command into a directory.
pub(super) fn manual(directory: &Path) -> Result<String, Failure> {
    let manual = Manual {
        exit_status: &help::EXIT_CODES,
        files: FILES,
        environment: ENVIRONMENT,
        first_steps: help::FIRST_STEPS,
    };
    manual.write(help::command(), directory).or_exit(EX_CANTCREAT)?;
    Ok(format!("Wrote the manual pages into {}.\n", directory.display()))
}
