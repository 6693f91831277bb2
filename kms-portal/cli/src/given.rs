//! The options that a person gave, put behind every command that this program prints. So a remedy works when it is pasted.

use std::ffi::OsStr;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, Subcommand as _};
use program::arguments::quoted;

use super::AskingVerb;

/// The options that name the portal.
const OPTIONS: [&str; 4] = ["data", "portal", "token_file", "ca"];

/// Those of the options that were typed, as a shell takes them, each behind a space. What is in the environment is there for the next
/// command, too.
#[derive(Debug, Default)]
pub(super) struct GivenPortal {
    words: String,
    /// The verbs that take these options; empty if all do.
    verbs: Vec<String>,
}

impl GivenPortal {
    pub(super) fn of(verb: &ArgMatches) -> GivenPortal {
        let typed = OPTIONS.into_iter().filter(|option| {
            verb.try_contains_id(option).is_ok()
                && verb.value_source(option) == Some(ValueSource::CommandLine)
        });
        let raw = |option| verb.get_raw(option).and_then(|mut values| values.next());
        let words = typed.clone().filter_map(|option| {
            let value = raw(option).map(OsStr::to_string_lossy)?;
            Some(format!(" --{} {}", option.replace('_', "-"), quoted(&value)))
        });
        let verbs = if typed.clone().any(|option| option != "data") { asking_verbs() } else { Vec::new() };
        GivenPortal { words: words.collect(), verbs }
    }

    /// This text, with the options behind each of its commands in backticks that names no portal itself.
    pub(super) fn complete(&self, text: &str) -> String {
        let mut completed = String::with_capacity(text.len());
        for (index, part) in text.split('`').enumerate() {
            if index != 0 {
                completed.push('`');
            }
            completed.push_str(part);
            if index % 2 == 1 && self.fits(part) {
                completed.push_str(&self.words);
            }
        }
        completed
    }

    fn fits(&self, command: &str) -> bool {
        let mut words = command.split(' ');
        let is_ours = words.next() == Some("kms-portal");
        let verb = words.next().filter(|_| is_ours);
        let takes =
            verb.is_some_and(|verb| self.verbs.is_empty() || self.verbs.iter().any(|one| one == verb));
        takes && !words.any(|word| ["--data", "--portal"].contains(&word))
    }
}

/// The verbs that take the options for a portal over the network.
pub(super) fn asking_verbs() -> Vec<String> {
    let asking = AskingVerb::augment_subcommands(Command::new("asking"));
    asking.get_subcommands().map(|verb| verb.get_name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_behind_every_command_that_takes_them() {
        let complete = |typed: &[&str], text: &str| {
            let command = crate::help::command();
            let matches = command.try_get_matches_from([&["kms-portal"], typed].concat()).unwrap();
            GivenPortal::of(matches.subcommand().unwrap().1).complete(text)
        };
        let text = "run `kms-portal key list`, `kms-portal init --codes`, `kms-portal restore B --data NEW` or `kms-vendor init`";
        assert_eq!(complete(&["status"], text), text);
        assert_eq!(
            complete(&["status", "--data", "its p"], text),
            "run `kms-portal key list --data 'its p'`, `kms-portal init --codes --data 'its p'`, \
             `kms-portal restore B --data NEW` or `kms-vendor init`"
        );
        assert_eq!(
            complete(&["status", "--portal", "https://p:1", "--token-file", "t"], text),
            "run `kms-portal key list --portal https://p:1 --token-file t`, `kms-portal init --codes`, \
             `kms-portal restore B --data NEW` or `kms-vendor init`"
        );
    }
}
