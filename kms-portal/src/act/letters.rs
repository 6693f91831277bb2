//! Mails in the words that are sent: `mail-NAME-subject` and `mail-NAME-body` of `kms_portal_texts`.

use std::sync::LazyLock;
use std::time::Duration;

use kms_portal_rules::PersonId;
use kms_portal_rules::addresses::Address;
use kms_portal_texts::{Language, PortalTexts};
use shared::time::Timestamp;

use crate::db::{Letter, LinkPurpose, NewLink};
use crate::token::LinkToken;

/// An invitation waits until somebody is back from their holidays.
const INVITATION_LASTS: Duration = Duration::from_hours(14 * 24);

static TEXTS: LazyLock<Vec<PortalTexts>> = LazyLock::new(PortalTexts::all);

/// The mail of this name, with these values.
pub fn letter(language: Language, name: &str, values: &[(&str, &str)]) -> Letter {
    let text = |part| {
        let texts = TEXTS.iter().find(|texts| texts.language() == language).or_else(|| TEXTS.first());
        texts.map(|texts| texts.of(&format!("mail-{name}-{part}"), values)).unwrap_or_default()
    };
    Letter { language, subject: text("subject"), body: text("body") }
}

/// The path of the page that a link leads to.
pub fn link_path(token: &LinkToken) -> String {
    format!("/link/{}", *token.text())
}

/// An invitation into an organisation, whose page is at `link`.
pub fn invitation(
    (token, link): (&LinkToken, &str),
    (person, address): (PersonId, Address),
    language: Language,
    organisation: &str,
    now: Timestamp,
) -> (NewLink, Letter) {
    let values = [("organisation", organisation), ("link", link), ("address", address.typed())];
    let letter = letter(language, "invite", &values);
    let (digest, purpose, person) = (token.digest(), LinkPurpose::Invite, Some(person));
    (NewLink { digest, purpose, person, address, ends_at: now + INVITATION_LASTS }, letter)
}
