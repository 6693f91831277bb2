//! Mails in the words that are sent: `mail-NAME-subject` and `mail-NAME-body` of `kms_portal_texts`.

use std::sync::LazyLock;

use kms_portal_texts::{Language, PortalTexts};

use crate::db::Letter;

static TEXTS: LazyLock<Vec<PortalTexts>> = LazyLock::new(PortalTexts::all);

/// The mail of this name, with these values.
pub fn letter(language: Language, name: &str, values: &[(&str, &str)]) -> Letter {
    let text = |part| {
        let texts = TEXTS.iter().find(|texts| texts.language() == language).or_else(|| TEXTS.first());
        texts.map(|texts| texts.of(&format!("mail-{name}-{part}"), values)).unwrap_or_default()
    };
    Letter { language, subject: text("subject"), body: text("body") }
}
