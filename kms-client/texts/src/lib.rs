//! License states, reasons and the wizard as texts for a product's screens, in English, Dutch, German and French.
//!
//! ```
//! use kms_client_texts::{Language, Texts};
//! use shared::license::LicenseState;
//! use shared::time::Timestamp;
//!
//! let texts = Texts::new(Language::from_tag("nl_NL.UTF-8").unwrap_or_default());
//! let state = LicenseState::Licensed { until: Timestamp::from_unix_ms(1_798_761_600_000) };
//! assert_eq!(texts.state(&state), "Gelicentieerd tot 1 januari 2027. De licentie wordt vanzelf verlengd.");
//! ```
//!
//! It is a crate of its own, so that a product with its own texts does not carry these. Each language is a Project Fluent file in
//! `texts/`. The English file has none for reasons, because the library has them. A value in a reason's text, such as a system
//! error, is shown as it is, in its own language.

use std::time::Duration;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use shared::license::LicenseState;
use shared::print::OneLine;
use shared::reason::{Cause, Fault, Reason};
use shared::time::Timestamp;

/// A language that there are texts in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Dutch.
    Dutch,
    /// German.
    German,
    /// French.
    French,
}

impl Language {
    /// All of them.
    pub const ALL: &[Language] = &[Language::English, Language::Dutch, Language::German, Language::French];

    /// The language of a tag or a locale: `de`, `de-AT`, `nl_NL.UTF-8`. `None` if there are no texts in it.
    pub fn from_tag(tag: &str) -> Option<Language> {
        let language = tag.split(['-', '_', '.', '@']).next()?;
        Language::ALL.iter().copied().find(|known| known.tag().eq_ignore_ascii_case(language))
    }

    /// Its tag, as in BCP 47.
    pub const fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Dutch => "nl",
            Language::German => "de",
            Language::French => "fr",
        }
    }

    const fn source(self) -> &'static str {
        match self {
            Language::English => include_str!("../texts/en.ftl"),
            Language::Dutch => include_str!("../texts/nl.ftl"),
            Language::German => include_str!("../texts/de.ftl"),
            Language::French => include_str!("../texts/fr.ftl"),
        }
    }
}

/// The texts of one language.
pub struct Texts {
    bundle: FluentBundle<FluentResource>,
    utc_offset_s: i32,
}

impl Texts {
    /// In this language, with dates in UTC.
    pub fn new(language: Language) -> Texts {
        let locale = language.tag().parse().into_iter().collect();
        let mut bundle = FluentBundle::new_concurrent(locale);
        // The marks around values isolate the direction of text, and many widgets show them as boxes.
        bundle.set_use_isolating(false);
        // The tests parse every file. A text that cannot be parsed would be shown in English.
        let resource = FluentResource::try_new(language.source().to_owned());
        bundle.add_resource_overriding(resource.unwrap_or_else(|(read, _)| read));
        Texts { bundle, utc_offset_s: 0 }
    }

    /// Shows dates in the time zone this many seconds east of UTC. A product knows it from its system.
    #[must_use]
    pub fn with_utc_offset(self, seconds: i32) -> Texts {
        Texts { utc_offset_s: seconds, ..self }
    }

    /// Adds texts of a program of its own, a Project Fluent file in the same language. [`Texts::own`] shows them.
    #[must_use]
    pub fn with_own(mut self, source: &str) -> Texts {
        let resource = FluentResource::try_new(source.to_owned());
        self.bundle.add_resource_overriding(resource.unwrap_or_else(|(read, _)| read));
        self
    }

    /// A text of the program's own with these values, or its key if there is none. A value that is a number in decimal chooses its
    /// plural.
    pub fn own(&self, key: &str, values: &[(&str, &str)]) -> String {
        let value = |(name, value): &(&str, &str)| {
            let number = value.parse::<u32>().ok().filter(|number| number.to_string() == *value);
            let value = number.map_or_else(|| OneLine(*value).to_string().into(), FluentValue::from);
            ((*name).to_owned(), value)
        };
        self.text(key, None, &values.iter().map(value).collect()).unwrap_or_else(|| key.to_owned())
    }

    /// The text for a license state: one to three sentences.
    pub fn state(&self, state: &LicenseState) -> String {
        let mut values = FluentArgs::new();
        values.set("until", state.until().map_or("none".to_owned(), |until| self.date(until)));
        values.set("since", state.since().map_or("none".to_owned(), |since| self.date(since)));
        if let LicenseState::ClockWrong { by, ahead, .. } = state {
            values.set("by", self.length(*by));
            values.set("direction", if *ahead { "ahead" } else { "behind" });
        }
        let key = state.text_key().replace('.', "-");
        self.text(&key, None, &values).unwrap_or_else(|| state.to_string())
    }

    /// What happened, in a sentence.
    pub fn cause(&self, cause: &Cause) -> String {
        let text = match cause.reason() {
            Some(reason) => self
                .reason_text(reason, None, cause)
                .unwrap_or_else(|| sentence(cause.summary().unwrap_or_default(), &cause.what())),
            None => self.unknown(None, cause),
        };
        let Some(by) = cause.unsigned_by() else { return text };
        let values = [("text", text.clone()), ("by", OneLine(by).to_string())].into_iter().collect();
        self.text("unsigned", None, &values).unwrap_or(text)
    }

    /// What to do about it, in a sentence.
    pub fn remedy(&self, cause: &Cause) -> String {
        match cause.reason() {
            Some(reason) => {
                let text = self.reason_text(reason, Some("remedy"), cause);
                text.unwrap_or_else(|| sentence(cause.remedy(), cause.remedy()))
            }
            None => self.unknown(Some("remedy"), cause),
        }
    }

    /// Who can fix it.
    pub fn fault(&self, fault: Fault) -> String {
        let key = match fault {
            Fault::Nobody => "fault-nobody",
            Fault::Machine => "fault-machine",
            Fault::Host => "fault-host",
            Fault::Network => "fault-network",
            Fault::Vendor => "fault-vendor",
            _ => return fault.to_string(),
        };
        self.text(key, None, &FluentArgs::new()).unwrap_or_else(|| fault.to_string())
    }

    /// A text of the wizard, by the `text_key` of a step or choice of `kms_client::wizard`. Steps name the product key by its number, in
    /// the value `key`. `None` if this release does not know the text key, or a value is missing that the text needs.
    ///
    /// ```
    /// use kms_client_texts::{Language, Texts};
    ///
    /// let texts = Texts::new(Language::German);
    /// assert_eq!(texts.wizard("wizard.way", &[]).unwrap(), "Wie möchten Sie aktivieren?");
    /// ```
    pub fn wizard(&self, text_key: &str, values: &[(&str, &str)]) -> Option<String> {
        let values = values.iter().map(|(name, value)| (*name, OneLine(value).to_string()));
        self.text(&text_key.replace('.', "-"), None, &values.collect())
    }

    /// A day: `1 januari 2027`.
    pub fn date(&self, at: Timestamp) -> String {
        let offset = i64::from(self.utc_offset_s) * 1000;
        let (year, month, day) = Timestamp::from_unix_ms(at.unix_ms().saturating_add(offset)).date();
        let values = [("year", year), ("month", month), ("day", day)];
        self.text("date", None, &values.into_iter().collect()).unwrap_or_else(|| at.to_string())
    }

    /// A length of time in its largest unit, rounded down: `3 jours`.
    pub fn length(&self, length: Duration) -> String {
        let minutes = length.as_secs() / 60;
        let (unit, count) = match minutes {
            0..60 => ("minutes", minutes.max(1)),
            60..1440 => ("hours", minutes / 60),
            _ => ("days", minutes / 1440),
        };
        let mut values = FluentArgs::new();
        values.set("unit", unit);
        values.set("count", count);
        self.text("length", None, &values).unwrap_or_else(|| format!("{count} {unit}"))
    }

    fn reason_text(&self, reason: Reason, attribute: Option<&str>, cause: &Cause) -> Option<String> {
        let of_portal = if cause.is_of_portal() { "-of-portal" } else { "" };
        let key = reason.code().to_lowercase().replace('_', "-") + of_portal;
        let value = |name| (name, OneLine(cause.parameter(name).unwrap_or("?")).to_string());
        self.text(&key, attribute, &reason.parameters().map(value).collect())
    }

    fn unknown(&self, attribute: Option<&str>, cause: &Cause) -> String {
        let values = [("code", OneLine(&cause.code).to_string())].into_iter().collect();
        self.text("unknown", attribute, &values).unwrap_or_else(|| cause.to_string())
    }

    /// A message or its attribute, with these values. `None` if this language does not have it.
    fn text(&self, key: &str, attribute: Option<&str>, values: &FluentArgs<'_>) -> Option<String> {
        let message = self.bundle.get_message(key)?;
        let pattern = match attribute {
            Some(name) => message.get_attribute(name)?.value(),
            None => message.value()?,
        };
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(values), &mut errors).into_owned();
        errors.is_empty().then_some(text)
    }
}

/// A line of the library as a sentence. A line that begins with a value keeps its first letter.
fn sentence(template: &str, line: &str) -> String {
    let mut letters = line.chars();
    match letters.next().filter(|_| template.starts_with(char::is_lowercase)) {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => format!("{line}."),
    }
}
