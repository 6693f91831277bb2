//! What packages carry beside the program: completions for shells, and manual pages, both made from the command line itself.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use program::exit::EX_CANTCREAT;

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
pub(super) fn completions(shell: Shell) -> Result<String, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut help::command(), "kms-host", &mut script);
    String::from_utf8(script).or_exit(EX_CANTCREAT)
}

/// Writes `kms-host.1` and a page for each command into a directory.
pub(super) fn manual(directory: &Path) -> Result<String, Failure> {
    let mut command = help::command().disable_help_subcommand(true);
    command.build();
    fs::create_dir_all(directory).and_then(|()| write(&command, directory)).or_exit(EX_CANTCREAT)?;
    Ok(format!("Wrote the manual pages into {}.\n", directory.display()))
}

fn write(command: &Command, directory: &Path) -> io::Result<()> {
    for below in command.get_subcommands() {
        write(below, directory)?;
    }
    let man = Man::new(command.clone());
    fs::write(directory.join(man.get_filename()), page(command, &man)?)
}

fn page(command: &Command, man: &Man) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if command.get_name() == "kms-host" {
        list("EXIT STATUS", &help::EXIT_CODES, &mut page)?;
        list("FILES", &FILES, &mut page)?;
        list("ENVIRONMENT", &ENVIRONMENT, &mut page)?;
        examples(help::FIRST_STEPS, &mut page)?;
    } else {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        if let Some((_, lines)) = after.split_once('\n') {
            examples(lines, &mut page)?;
        }
        writeln!(page, ".SH \"SEE ALSO\"\n.BR kms\\-host (1)")?;
    }
    Ok(page)
}

fn list(title: &str, entries: &[(&str, &str)], page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".SH \"{title}\"")?;
    entries.iter().try_for_each(|(name, text)| writeln!(page, ".TP\n\\fB{}\\fR\n{}", roff(name), roff(text)))
}

/// Line by line: without this, a pager would fill them into a paragraph.
fn examples(lines: &str, page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".SH EXAMPLES\n.nf\n{}\n.fi", roff(lines))
}

/// A `.` or a `'` at the beginning of a line would be a request, and a bare `-` becomes a hyphen that cannot be pasted.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let line =
        |line: &str| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() };
    escaped.lines().map(line).collect::<Vec<_>>().join("\n")
}
