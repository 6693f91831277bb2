//! The portal's texts for pages and mail, in English, Dutch, German and French.
//!
//! Each subject has a Project Fluent file in each language: `texts/en/accounts.ftl`. Dates and lengths of time are those of
//! [`kms_client_texts`]. A test compares the languages: each has the same keys with the same values.

use kms_client_texts::Texts;

pub use kms_client_texts::Language;

macro_rules! subjects {
    ($($subject:literal)*) => {
        /// The files of a language.
        const fn sources(language: Language) -> &'static [&'static str] {
            match language {
                Language::Dutch => &[$(include_str!(concat!("../texts/nl/", $subject, ".ftl"))),*],
                Language::German => &[$(include_str!(concat!("../texts/de/", $subject, ".ftl"))),*],
                Language::French => &[$(include_str!(concat!("../texts/fr/", $subject, ".ftl"))),*],
                _ => &[$(include_str!(concat!("../texts/en/", $subject, ".ftl"))),*],
            }
        }
    };
}

// A new subject is listed here, and has a file in each of the four languages.
subjects! { "accounts" "devices" "domains" "frame" "licences" "organisation" "passkeys" "people" "subscriptions" "tokens" }

/// The texts of one language.
pub struct PortalTexts {
    language: Language,
    texts: Texts,
}

impl PortalTexts {
    /// In this language, with dates in UTC.
    pub fn new(language: Language) -> PortalTexts {
        let texts =
            sources(language).iter().fold(Texts::new(language), |texts, source| texts.with_own(source));
        PortalTexts { language, texts }
    }

    /// In every language, in the order of [`Language::ALL`].
    pub fn all() -> Vec<PortalTexts> {
        Language::ALL.iter().map(|language| PortalTexts::new(*language)).collect()
    }

    /// The language.
    pub const fn language(&self) -> Language {
        self.language
    }

    /// The text of this key, or the key itself if there is none. A value that is a number in decimal chooses its plural.
    pub fn of(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.texts.own(key, values)
    }

    /// Dates and lengths of time.
    pub const fn shared(&self) -> &Texts {
        &self.texts
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The keys of a language, each with the values that its text names.
    fn keys(language: Language) -> BTreeMap<String, Vec<String>> {
        let mut keys = BTreeMap::<String, Vec<String>>::new();
        for source in sources(language) {
            let mut key = None;
            for line in source.lines().filter(|line| !line.starts_with('#')) {
                if let Some((name, _)) = line.split_once(" =").filter(|_| !line.starts_with([' ', '}', '.']))
                {
                    assert!(
                        keys.insert(name.to_owned(), Vec::new()).is_none(),
                        "{language:?} has {name} twice"
                    );
                    key = Some(name.to_owned());
                }
                let values = line.split('$').skip(1).map(|rest| {
                    let is_name = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
                    rest.chars().take_while(|sign| is_name(*sign)).collect::<String>()
                });
                if let Some(named) = key.as_ref().and_then(|key| keys.get_mut(key)) {
                    named.extend(values);
                    named.sort();
                    named.dedup();
                }
            }
        }
        keys
    }

    #[test]
    fn every_language_has_every_text_with_the_same_values() {
        for language in Language::ALL {
            assert_eq!(keys(*language), keys(Language::English), "{language:?}");
        }
    }

    #[test]
    fn every_text_is_read() {
        for texts in PortalTexts::all() {
            for (key, values) in keys(texts.language()) {
                let values: Vec<_> = values.iter().map(|name| (name.as_str(), "1")).collect();
                assert_ne!(texts.of(&key, &values), key, "{:?}", texts.language());
            }
        }
    }
}
