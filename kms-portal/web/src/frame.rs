//! What every page has: a title, a menu, the languages.

use std::borrow::Borrow;
use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use kms_portal_texts::{Language, PortalTexts};
use shared::time::Timestamp;

/// What every page has.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) texts: Arc<PortalTexts>,
    /// The path of the page.
    pub(crate) path: String,
    /// Who is signed in; none if nobody is.
    pub(crate) menu: Option<Menu>,
}

/// Who is signed in, as the menu shows them.
#[derive(Clone, Debug)]
pub(crate) struct Menu {
    /// Their address: one person may have several accounts.
    pub(crate) address: String,
    /// Whether they have something to do in an organisation.
    pub(crate) is_admin: bool,
}

impl Frame {
    /// A text without values.
    pub(crate) fn t(&self, key: &str) -> String {
        self.texts.of(key, &[])
    }

    /// A text with one value.
    pub(crate) fn t1(&self, key: &str, name: &str, value: impl ToString) -> String {
        self.texts.of(key, &[(name, &value.to_string())])
    }

    /// A text with two values.
    pub(crate) fn t2(
        &self,
        key: &str,
        name: &str,
        value: impl ToString,
        other: &str,
        other_value: impl ToString,
    ) -> String {
        self.texts.of(key, &[(name, &value.to_string()), (other, &other_value.to_string())])
    }

    /// A day, in UTC.
    pub(crate) fn date(&self, at: impl Borrow<Timestamp>) -> String {
        self.texts.shared().date(*at.borrow())
    }

    /// The language's tag, for `lang`.
    pub(crate) fn tag(&self) -> &'static str {
        self.texts.language().tag()
    }

    /// The languages, each with its own name.
    #[expect(clippy::unused_self, reason = "templates call methods")]
    pub(crate) fn languages(&self) -> [(&'static str, &'static str); 4] {
        [Language::English, Language::Dutch, Language::German, Language::French].map(|language| {
            let name = match language {
                Language::Dutch => "Nederlands",
                Language::German => "Deutsch",
                Language::French => "Français",
                _ => "English",
            };
            (language.tag(), name)
        })
    }
}

/// A page, as an answer.
pub(crate) fn page(page: &impl Template) -> Response {
    page_with(StatusCode::OK, page)
}

/// A page with this status.
pub(crate) fn page_with(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Every file in a folder and in those below.
    fn files(folder: &Path, found: &mut Vec<String>) {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_text_that_a_page_names_is_there() {
        let (mut english, mut all) = (Vec::new(), Vec::new());
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../texts/texts/en"), &mut english);
        let english = english.join("\n");
        let is_there = |key: &str| english.lines().any(|line| line.starts_with(&format!("{key} =")));
        for folder in ["src", "templates"] {
            files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut all);
        }
        let mut named = 0;
        for text in &all {
            for call in [".t(\"", ".t1(\"", ".t2(\""] {
                for key in text.split(call).skip(1).filter_map(|rest| rest.split('"').next()) {
                    assert!(key.is_empty() || is_there(key), "{key}");
                    named += 1;
                }
            }
        }
        assert!(100 < named);
    }
}
