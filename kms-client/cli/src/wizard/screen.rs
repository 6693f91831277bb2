//! What the wizard shows in a terminal: a text, then numbered choices. Colour carries no meaning, and the cursor is not moved.

use std::io::{self, Write as _};

use kms_client::wizard::{Wizard, WizardChoice, WizardStep};
use kms_client::{InstallationCode, TelephoneNumber};
use kms_client_texts::Texts;
use program::code::{qr, rows};
use shared::print::Lines;

use crate::given::GivenOptions;

use super::is_meant;

/// The user's side of the terminal.
pub(super) struct Screen {
    pub(super) texts: Texts,
    /// The user's language, as a tag.
    pub(super) language: String,
    pub(super) qr: bool,
    pub(super) given: GivenOptions,
    /// Whether to print on standard error, because standard output is for the answer in JSON.
    pub(super) on_stderr: bool,
}

impl Screen {
    /// Shows a step, and what the user may choose there unless it is the end.
    pub(super) fn show(&self, wizard: &Wizard, is_end: bool) -> io::Result<()> {
        let key = wizard.key().map(|key| key.to_string()).unwrap_or_default();
        let step = wizard.step();
        let mut lines = vec![String::new(), self.of_key(step.text_key(), &[("key", &key)])];
        for cause in wizard.problem().into_iter().chain(step.cause()) {
            lines.extend([self.texts.cause(cause), self.texts.remedy(cause)]);
        }
        if let Some(before) = wizard.key_before() {
            lines.extend(self.of_key_before(*step == WizardStep::Licensed, &before.to_string()));
        }
        match step {
            WizardStep::Numbers => {
                lines.extend(wizard.numbers().into_iter().flat_map(|number| self.number(number)));
            }
            WizardStep::InstallationId(code) => lines.extend(self.installation_id(*code)),
            _ => {}
        }
        let choices = wizard.choices();
        if wizard.wants_text() {
            lines.push(self.text(if choices.is_empty() { "empty-leaves" } else { "empty-goes-back" }, &[]));
        } else if *step != WizardStep::Working && !is_end {
            let numbered = choices.iter().zip(1..);
            lines.extend(
                numbered.map(|(choice, number)| format!("  {number}. {}", self.label(wizard, choice))),
            );
            lines.push(format!("  0. {}", self.text("leave", &[])));
            let proposed = proposed(wizard).map(|choice| self.label(wizard, &choice));
            lines.extend(proposed.map(|country| self.text("proposed", &[("country", &country)])));
        }
        self.say(&lines.join("\n"))
    }

    /// The choice that is meant by this line.
    pub(super) fn chosen(&self, wizard: &Wizard, line: &str) -> Option<WizardChoice> {
        let choices = wizard.choices();
        if line.is_empty() {
            return if wizard.wants_text() { choices.into_iter().next_back() } else { proposed(wizard) };
        }
        let meant = |(choice, number): &(WizardChoice, usize)| {
            is_meant(choice, &self.label(wizard, choice), *number, line)
        };
        choices.into_iter().zip(1..).find(meant).map(|(choice, _)| choice)
    }

    pub(super) fn not_offered(&self, wizard: &Wizard) -> io::Result<()> {
        self.say(&self.text("not-offered", &[("last", &wizard.choices().len().to_string())]))
    }

    /// A text that only a terminal needs.
    pub(super) fn text(&self, name: &str, values: &[(&str, &str)]) -> String {
        self.of_key(&format!("wizard.{name}"), values)
    }

    /// Prints a text on lines of its own.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        let text = Lines(self.given.complete(text));
        if self.on_stderr { writeln!(io::stderr(), "{text}") } else { writeln!(io::stdout(), "{text}") }
    }

    fn of_key(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.texts.wizard(key, values).unwrap_or_else(|| key.to_owned())
    }

    /// What becomes of the key that has activated this machine before.
    fn of_key_before(&self, is_replaced: bool, before: &str) -> Vec<String> {
        if !is_replaced {
            return vec![self.text("key-before", &[("before", before)])];
        }
        let command = format!("`kms-client release --key {before}`");
        let give_back = self.text("give-back", &[("command", &command)]);
        vec![self.text("key-replaced", &[("before", before)]), give_back]
    }

    fn label(&self, wizard: &Wizard, choice: &WizardChoice) -> String {
        match (choice, choice.text_key()) {
            (_, Some(key)) => self.of_key(key, &[]),
            (WizardChoice::Country(code), None) => {
                let countries = wizard.countries();
                let country = countries.iter().find(|country| country.code == *code);
                country.map_or(code.as_str(), |country| country.name(&self.language)).to_owned()
            }
            (WizardChoice::Region(region), None) => region.clone(),
            (_, None) => String::new(),
        }
    }

    /// A line for all that a number has, and an empty one.
    fn number(&self, number: &TelephoneNumber) -> Vec<String> {
        let languages = number.languages.join(", ");
        let rows = [
            ("number", "number", &number.number),
            ("text-telephone", "number", &number.text_telephone),
            ("region-of-number", "region", &number.region),
            ("hours", "hours", &number.hours),
            ("languages", "languages", &languages),
        ];
        let shown = rows.into_iter().filter(|(.., value)| !value.is_empty());
        let lines = shown.map(|(name, value, text)| format!("  {}", self.text(name, &[(value, text)])));
        lines.chain([String::new()]).collect()
    }

    fn installation_id(&self, code: InstallationCode) -> Vec<String> {
        let letters = code.letters();
        let picture = qr(&letters).filter(|_| self.qr).map(|(picture, _)| picture);
        let shown = [String::new(), rows(&code.digits()), self.text("letters", &[]), rows(&letters)];
        shown.into_iter().chain(picture).collect()
    }
}

/// The country of the user's locale, if there is a number for it.
fn proposed(wizard: &Wizard) -> Option<WizardChoice> {
    let country = wizard.country().filter(|_| *wizard.step() == WizardStep::Country)?;
    Some(WizardChoice::Country(country.code))
}
