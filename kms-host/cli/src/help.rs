//! The help: commands in groups, and examples for each. The manual pages show the same examples (`pages.rs`).

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use super::Cli;

/// Commands by what they are for, in the order in which an administrator needs them.
const GROUPS: [(&str, &[&str]); 5] = [
    (
        "Set up a host",
        &["init", "request", "activate", "install-certificate", "install-revocations", "config", "serve"],
    ),
    ("See how it is", &["status", "doctor", "explain", "certificates", "verify"]),
    ("Look at machines", &["machines", "machine", "copies", "refusals", "sources"]),
    ("Administer it", &["reload", "clock", "audit"]),
    ("Back it up, move it, package it", &["backup", "restore", "export", "import", "completions", "manual"]),
];

/// The column behind the names of commands.
const ABOUT_COLUMN: usize = 23;

/// No line is longer than 72 characters, so that no terminal wraps it.
pub(super) const FIRST_STEPS: &str = "\
First steps:
  kms-host init --data ./host
      Create a host, and host-request.pem to send to the vendor.
  kms-host install-certificate ANSWER.pem --data ./host
      Install what the vendor has sent back.
  kms-host serve --data ./host
      Serve machines until the process is told to stop.
  kms-host status --data ./host
      Show the count, from another terminal.

Settings:
  kms-host config sample > ./host/kms-host.toml
      Write a file with every setting, for you to edit.
  kms-host config check --data ./host
      Check the settings before a restart or a reload.
  kms-host reload --data ./host
      Apply the settings to the running host.

When something is wrong:
  kms-host doctor --data ./host
      Check everything, and print what to do.
  kms-host explain CLOCK_SKEW
      Print what a code in a log or at a machine means.

Run as root, kms-host works as the owner of the data directory, so that
the service can read what root creates.";

/// Code and meaning, as in BSD's sysexits.h.
pub(super) const EXIT_CODES: [(&str, &str); 11] = [
    ("0", "done"),
    ("1", "doctor found a failure, or status --exit-code an alarm"),
    ("64", "wrong usage"),
    ("65", "wrong file, key or code, damaged ledger, or unknown machine"),
    ("66", "a file that is named cannot be read"),
    ("69", "no host or portal answers, directory in use, or no port to listen on"),
    ("73", "a file or a directory cannot be created, or exists already"),
    ("74", "the disk or standard output has failed"),
    ("75", "another command is activating the host"),
    ("77", "not allowed for this user"),
    ("78", "wrong settings, or a certificate, key or ledger is missing"),
];

/// Examples by command.
const EXAMPLES: [(&str, &str); 26] = [
    ("init", "kms-host init\nkms-host init --data ./host\nkms-host init --if-needed --json"),
    ("request", "kms-host request > host-request.pem"),
    (
        "activate",
        "kms-host activate --portal https://kms.example.com\n\
         kms-host activate --request request.pem < KEY\n\
         kms-host activate --terms host-terms.pem\n\
         kms-host activate --terms host-terms.pem --confirm -",
    ),
    (
        "install-certificate",
        "kms-host install-certificate ANSWER.pem\nkms-host install-certificate - < ANSWER.pem",
    ),
    (
        "install-revocations",
        "kms-host install-revocations revoked.pem\nkms-host install-revocations - < revoked.pem",
    ),
    (
        "config",
        "kms-host config sample > kms-host.toml\nkms-host config check --config kms-host.toml\n\
         kms-host config show --effective",
    ),
    ("serve", "kms-host serve\nkms-host serve --data ./host --listen 192.0.2.7:21688"),
    (
        "status",
        "kms-host status\nkms-host status --exit-code\nkms-host status --json | jq '.products[].count'",
    ),
    ("doctor", "kms-host doctor\nkms-host doctor --domain corp.example --dns 192.0.2.53"),
    ("explain", "kms-host explain\nkms-host explain CLOCK_SKEW\nkms-host explain 0xC004F074"),
    ("certificates", "kms-host certificates\nkms-host certificates --json | jq '.certificates[].left_ms'"),
    ("verify", "kms-host verify"),
    (
        "machines",
        "kms-host machines --counted --limit 20\nkms-host machines --product \"Example CAD\" --state blocked\n\
         kms-host machines --seen-before 90d --csv > gone.csv",
    ),
    (
        "machine",
        "kms-host machine show 4f2a81\nkms-host machine block 4f2a81 --note \"ticket 4711\"\n\
         kms-host machine unblock 4f2a81",
    ),
    ("copies", "kms-host copies\nkms-host copies --product \"Example CAD\""),
    ("refusals", "kms-host refusals --by-reason\nkms-host refusals --reason COPIED"),
    ("sources", "kms-host sources\nkms-host sources --json | jq '.sources[0]'"),
    ("reload", "kms-host reload\nkms-host reload --note \"new certificate\""),
    ("clock", "kms-host clock confirm --note \"the time server is back\""),
    ("audit", "kms-host audit --last 20\nkms-host audit --verify"),
    ("backup", "kms-host backup /backup/host.jsonl\nkms-host backup --check /backup/host.jsonl"),
    ("restore", "kms-host restore /backup/host.jsonl --data ./host"),
    ("export", "kms-host export /backup/ledger.jsonl\nkms-host export --salvage /backup/ledger.jsonl"),
    ("import", "kms-host import /backup/ledger.jsonl"),
    ("completions", "kms-host completions bash > kms-host.bash"),
    ("manual", "kms-host manual ./man"),
];

/// The command line with its help.
pub(super) fn command() -> Command {
    let mut command = Cli::command();
    let template = template(&command);
    for (name, examples) in EXAMPLES {
        let examples = format!("Examples:\n{}", indented(examples));
        command = command.mut_subcommand(name, |command| command.after_help(examples));
    }
    let mut codes = String::new();
    for (code, meaning) in EXIT_CODES {
        let _ = write!(codes, "\n  {code:<3} {meaning}");
    }
    command.help_template(template).after_help(format!(
        "{FIRST_STEPS}\n\nExit codes:{codes}\n\nTrying again may help with 69, 74 and 75."
    ))
}

/// clap lists all commands under one heading.
fn template(command: &Command) -> String {
    let mut template = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (title, names) in GROUPS {
        let _ = write!(template, "\n{title}:\n");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string);
            let _ =
                writeln!(template, "  {name:<width$}{}", about.unwrap_or_default(), width = ABOUT_COLUMN - 2);
        }
    }
    template + "\nOptions:\n{options}{after-help}"
}

fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(command: &Command) -> Vec<Command> {
        let below = command.get_subcommands().flat_map(all);
        std::iter::once(command.clone()).chain(below).collect()
    }

    #[test]
    fn every_command_stands_in_one_group_and_has_examples() {
        let command = Cli::command();
        let mut names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
        let mut grouped: Vec<_> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let mut shown: Vec<_> = EXAMPLES.iter().map(|(name, _)| *name).collect();
        for list in [&mut names, &mut grouped, &mut shown] {
            list.sort_unstable();
        }
        assert_eq!(grouped, names);
        assert_eq!(shown, names);
    }

    /// Two columns of text were broken in the middle where the terminal had 80.
    #[test]
    fn no_line_of_the_commands_and_of_the_examples_is_wrapped() {
        let help = command().term_width(80).render_long_help().to_string();
        let (_, groups) = help.split_once("\nSet up a host:\n").unwrap();
        let (groups, rest) = groups.split_once("\nOptions:\n").unwrap();
        let too_long =
            |text: &str, most| text.lines().find(|line| most < line.chars().count()).map(str::to_owned);
        assert_eq!(too_long(groups, 80), None);
        assert!(rest.contains(FIRST_STEPS), "{rest}");
        for command in all(&command()) {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert_eq!(too_long(&after, 76), None, "{}", command.get_name());
        }
    }

    #[test]
    fn every_example_is_a_command_that_exists() {
        let mut tried = 0;
        for command in all(&command()) {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in after.lines().filter_map(|line| line.strip_prefix("  kms-host ")) {
                let line = line.split(['|', '>', '<']).next().unwrap_or_default();
                let mut words = vec!["kms-host".to_owned()];
                for (nth, part) in line.split('"').enumerate() {
                    if nth % 2 == 1 {
                        words.push(part.to_owned());
                    } else {
                        words.extend(part.split_whitespace().map(str::to_owned));
                    }
                }
                let parsed = super::command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
                tried += 1;
            }
        }
        assert!(40 < tried, "only {tried} examples");
    }
}
