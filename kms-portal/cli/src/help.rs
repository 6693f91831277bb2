//! The help: examples for each command, and the exit codes. The manual pages show the same (`pages.rs`).

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use super::{Cli, remote};

/// No line is longer than 72 characters, so that no terminal wraps it.
pub(super) const FIRST_STEPS: &str = "\
First steps:
  kms-portal init --data ./portal --roots roots.pub --name localhost
      Create a portal, and issuing-request.pem for the offline tool.
  kms-vendor issuer sign --request ./portal/issuing-request.pem \\
      --out issuing.pem
      Sign it, where the vendor's roots are.
  kms-portal install-issuer issuing.pem --data ./portal
  kms-portal serve --data ./portal
      Serve hosts and machines until the process is told to stop.
  kms-portal product add --file atlas.toml --data ./portal
      Add a product, from `kms-vendor product file`.
  kms-portal key issue --product Atlas --kind host \\
      --organisation \"Example Works\" --data ./portal
      Issue a host key. It is printed once.

From another machine:
  kms-portal token issue --name CI --role seller --out ci.token
      Issue a token, on the portal's machine. Its setting staff_listen
      says where it serves staff.
  kms-portal key list --portal https://activation.example.com:21691 \\
      --ca portal-ca.pem --token-file ci.token
      Ask it. KMS_PORTAL_URL, KMS_PORTAL_CA and KMS_PORTAL_TOKEN_FILE
      do the same.";

/// Code and meaning, as in BSD's sysexits.h.
pub(super) const EXIT_CODES: [(&str, &str); 11] = [
    ("0", "done"),
    ("1", "doctor has found something that keeps the portal from serving"),
    ("64", "wrong usage"),
    ("65", "wrong file, unknown key, or a refused request"),
    ("66", "a file is missing or cannot be read"),
    ("69", "no portal answers, or no port to listen on"),
    ("73", "a file or a portal is there already, or cannot be created"),
    ("74", "the disk, the database or standard output has failed"),
    ("75", "the portal cannot answer now; try again"),
    ("77", "not allowed for this user, or for this token"),
    ("78", "wrong settings, or a key or certificate is missing"),
];

/// Examples by command.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "init",
        "kms-portal init --roots roots.pub --name activation.example.com\n\
         kms-portal init --data ./portal --roots roots.pub --name localhost\n\
         kms-portal init --codes",
    ),
    ("install-issuer", "kms-portal install-issuer issuing.pem"),
    ("install-code-key", "kms-portal install-code-key code.pem"),
    ("dev", "kms-portal dev\nkms-portal dev --folder ./trial --port 8080"),
    ("serve", "kms-portal serve\nkms-portal serve --data ./portal --listen 127.0.0.1:21690"),
    ("config", "kms-portal config sample\nkms-portal config check --config kms-portal.toml"),
    ("status", "kms-portal status\nkms-portal status --json"),
    (
        "product",
        "kms-portal product add --file atlas.toml --threshold 25\n\
         kms-portal product set Atlas --feature export\n\
         kms-portal product set Atlas --organisation \"Small Site\" --threshold 5",
    ),
    (
        "organisation",
        "kms-portal organisation add \"Example Works\"\n\
         kms-portal organisation list\n\
         kms-portal organisation invite \"Example Works\" --name \"Ann Lee\" \\\n    --address ann@example.com",
    ),
    (
        "offer",
        "kms-portal offer set basic --title Basic --service mail=Mail \\\n    --service files=Files --product files=Atlas --not-in mail=AW\n\
         kms-portal offer keys basic --seats 50 --days 365",
    ),
    (
        "key",
        "kms-portal key issue --product Atlas --kind host \\\n    --organisation \"Example Works\"\n\
         kms-portal key issue --product Atlas --kind mak --machines 50 \\\n    --organisation \"Example Works\"\n\
         kms-portal key block 3F8K-9QWX --note \"stolen, ticket 7\"\n\
         kms-portal key raise 3F8K-9QWX --machines 20\n\
         kms-portal key export --organisation \"Example Works\"\n\
         kms-portal key terms 3F8K-9QWX --out terms.pem\n\
         kms-portal key free 3F8K-9QWX 9d0af0a5e1c24d86b7f3a2c4d5e6f708",
    ),
    (
        "subscription",
        "kms-portal subscription add \"Example Works\" --offer team \\\n    --seats 50 --ends 2028-01-01\n\
         kms-portal subscription list \"Example Works\"\n\
         kms-portal subscription renew \"Example Works\" \\\n    5d2c7c1f6a0e4b8f9a3b2c1d0e9f8a7b --ends 2029-01-01\n\
         kms-portal subscription disable \"Example Works\" \\\n    5d2c7c1f6a0e4b8f9a3b2c1d0e9f8a7b --note \"invoice 7 is open\"",
    ),
    (
        "token",
        "kms-portal token issue --name CI --role seller --out ci.token\n\
         kms-portal token list\n\
         kms-portal token revoke CI --note \"the server was replaced\"",
    ),
    (
        "outbox",
        "kms-portal outbox list --given-up\n\
         kms-portal outbox show 17\n\
         kms-portal outbox retry",
    ),
    (
        "webhook",
        "kms-portal webhook set mail --url https://mail.example.com/hook\n\
         kms-portal webhook list\n\
         kms-portal webhook remove mail --note \"the service was shut down\"",
    ),
    ("audit", "kms-portal audit\nkms-portal audit --limit 20 --json\nkms-portal audit verify"),
    ("reload", "kms-portal reload"),
    ("answer", "kms-portal answer request.pem --out answer.pem"),
    (
        "confirm",
        "kms-portal confirm\n\
         kms-portal confirm --language de --letters\n\
         kms-portal confirm 0645GF-J6HB7Y-H6KGDH-QSMAQH-SW59D7-4ECR02 --json",
    ),
    (
        "revoke",
        "kms-portal revoke 3F8K-9QWX --reason \"refunded, ticket 7\"\n\
         kms-portal revoke 3748e2d2e6dbd2aa466c97c4a18b021e \\\n    --reason \"the host was stolen\"",
    ),
    ("revocations", "kms-portal revocations list\nkms-portal revocations export revoked.pem"),
    ("install-revocations", "kms-portal install-revocations revoked.pem"),
    ("doctor", "kms-portal doctor\nkms-portal doctor --data ./portal --json"),
    ("backup", "kms-portal backup /media/usb/portal-2027-01-31"),
    ("restore", "kms-portal restore /media/usb/portal-2027-01-31 --data ./portal"),
    ("explain", "kms-portal explain KEY_BLOCKED"),
    ("completions", "kms-portal completions bash > kms-portal.bash"),
    ("manual", "kms-portal manual ./man"),
];

pub(super) fn command() -> Command {
    let codes = EXIT_CODES.iter().fold("Exit codes:".to_owned(), |mut codes, (code, meaning)| {
        let _ = write!(codes, "\n  {code:<3} {meaning}");
        codes
    });
    let command = remote::with_flags(Cli::command()).after_help(format!("{FIRST_STEPS}\n\n{codes}"));
    EXAMPLES.iter().fold(command, |command, (name, examples)| {
        let lines: String = examples.lines().flat_map(|line| ["\n  ", line]).collect();
        command.mut_subcommand(name, |command| command.after_help(format!("Examples:{lines}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together_and_its_examples_are_valid() {
        command().debug_assert();
        for (_, examples) in EXAMPLES {
            // No terminal wraps them, with the indent.
            assert!(examples.lines().all(|line| line.chars().count() <= 74), "{examples}");
            for example in examples.replace("\\\n", " ").lines() {
                let words = shell_words(example.split(['|', '>', '<']).next().unwrap_or_default());
                let parsed = command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            }
        }
        assert!(FIRST_STEPS.lines().all(|line| line.chars().count() <= 72));
    }

    /// The help of twelve commands was that of the flags which they share.
    #[test]
    fn each_command_says_what_it_does() {
        let (told, written) = (command(), Cli::command());
        for verb in written.get_subcommands() {
            let told = told.find_subcommand(verb.get_name()).unwrap();
            assert_eq!(told.get_about().map(ToString::to_string), verb.get_about().map(ToString::to_string));
            assert_eq!(
                told.get_long_about().map(ToString::to_string),
                verb.get_long_about().map(ToString::to_string)
            );
        }
    }

    fn shell_words(line: &str) -> Vec<String> {
        line.split('"')
            .enumerate()
            .flat_map(|(index, part)| match index % 2 {
                0 => part.split_whitespace().map(str::to_owned).collect(),
                _ => vec![part.to_owned()],
            })
            .collect()
    }
}
