//! Passkeys: made and used by a browser, verified here (WebAuthn).
//!
//! The browser gets a challenge, and what is needed to verify its answer stays in the database, for five minutes and one answer. A passkey
//! says by itself whose it is, so nobody types an address to sign in with one, and no answer tells whether an address exists.

use kms_portal_rules::PersonId;
use serde::{Deserialize, Serialize};
use server::Source;
use shared::time::Timestamp;
use webauthn_rs::Webauthn;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Uuid, WebauthnBuilder,
};

use super::accounts::new_session;
use crate::api::PortalCore;
use crate::db::{Actor, Ceremony, DbError, Person, StoredPasskey};
use crate::token::{CeremonyToken, SessionToken};
use crate::web_address::WebAddress;

/// Verifies the passkeys of one address.
pub struct Passkeys(Webauthn);

/// What a browser is asked, and the cookie of its answer.
pub struct AskedPasskey {
    /// The options for `navigator.credentials`: JSON.
    pub options: String,
    /// The cookie that names the ceremony.
    pub cookie: CeremonyToken,
}

/// Why there is no passkey, or nobody is signed in by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotByPasskey {
    /// The answer came too late, or twice.
    #[error("this took too long, or was sent twice; try again")]
    NotAsked,
    /// The answer is not what was asked for, or its passkey is not known.
    #[error("this passkey is not one of an account here")]
    Wrong,
    /// There are too many passkeys, or too many ceremonies at once.
    #[error("there is no room for another one now")]
    NoRoom,
}

/// A passkey with what its owner reads of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamedPasskey {
    /// How its owner calls it.
    pub label: String,
    /// When somebody last signed in with it, in milliseconds since 1970.
    used_at_ms: Option<i64>,
    passkey: Passkey,
}

impl NamedPasskey {
    /// Reads what is kept of a passkey. None if it is damaged.
    pub fn of(stored: &StoredPasskey) -> Option<NamedPasskey> {
        serde_json::from_str(&stored.secret).ok()
    }

    /// When somebody last signed in with it.
    pub fn used_at(&self) -> Option<Timestamp> {
        self.used_at_ms.map(Timestamp::from_unix_ms)
    }
}

impl Passkeys {
    /// For people who find the portal at this address. None if it is a number: a passkey belongs to a name.
    pub fn of(address: &WebAddress) -> Option<Passkeys> {
        let origin = Url::parse(&address.to_string()).ok()?;
        let built = WebauthnBuilder::new(address.host(), &origin).and_then(WebauthnBuilder::build);
        built.ok().map(Passkeys)
    }

    /// Asks a browser to make a passkey for a person.
    pub async fn ask_to_make(
        &self,
        portal: &PortalCore,
        person: &Person,
        source: Source,
    ) -> Result<Result<AskedPasskey, NotByPasskey>, DbError> {
        let known = portal.db.passkeys(person.id).await?;
        let known = known.iter().filter_map(NamedPasskey::of).map(|known| known.passkey.cred_id().clone());
        let id = Uuid::from_bytes(*person.id.as_bytes());
        let asked =
            self.0.start_passkey_registration(id, &person.address, &person.name, Some(known.collect()));
        let Ok((options, state)) = asked else { return Ok(Err(NotByPasskey::Wrong)) };
        let mut options = serde_json::to_value(&options.public_key).expect("options are JSON");
        // Otherwise it could not say whose it is.
        options["authenticatorSelection"]["residentKey"] = "required".into();
        options["authenticatorSelection"]["requireResidentKey"] = true.into();
        begin(portal, Some(person.id), &state, &options, source).await
    }

    /// Takes the passkey that a browser has made.
    pub async fn add(
        &self,
        portal: &PortalCore,
        person: &Person,
        cookie: &CeremonyToken,
        answer: &str,
        label: &str,
        actor: Actor,
    ) -> Result<Result<(), NotByPasskey>, DbError> {
        let Some(ceremony) = take(portal, cookie).await? else { return Ok(Err(NotByPasskey::NotAsked)) };
        let state = serde_json::from_str::<PasskeyRegistration>(&ceremony.state).ok();
        let answer = serde_json::from_str::<RegisterPublicKeyCredential>(answer).ok();
        let made = state.zip(answer).filter(|_| ceremony.person == Some(person.id));
        let made = made.and_then(|(state, answer)| self.0.finish_passkey_registration(&answer, &state).ok());
        let Some(passkey) = made else { return Ok(Err(NotByPasskey::Wrong)) };
        let id = id_of(&passkey);
        let named =
            NamedPasskey { label: label.trim().chars().take(60).collect(), used_at_ms: None, passkey };
        let added = portal.db.add_passkey(person.id, id, json(&named), actor).await?;
        Ok(if added { Ok(()) } else { Err(NotByPasskey::NoRoom) })
    }

    /// Asks a browser to sign somebody in, whoever it is.
    pub async fn ask_to_sign_in(
        &self,
        portal: &PortalCore,
        source: Source,
    ) -> Result<Result<AskedPasskey, NotByPasskey>, DbError> {
        let Ok((options, state)) = self.0.start_discoverable_authentication() else {
            return Ok(Err(NotByPasskey::Wrong));
        };
        begin(portal, None, &state, &options.public_key, source).await
    }

    /// Signs in whoever's passkey has signed; returns the cookie of the session.
    pub async fn sign_in(
        &self,
        portal: &PortalCore,
        cookie: &CeremonyToken,
        answer: &str,
        source: Source,
    ) -> Result<Result<SessionToken, NotByPasskey>, DbError> {
        let Some(ceremony) = take(portal, cookie).await? else { return Ok(Err(NotByPasskey::NotAsked)) };
        let state = serde_json::from_str::<DiscoverableAuthentication>(&ceremony.state).ok();
        let answer = serde_json::from_str::<PublicKeyCredential>(answer).ok();
        let Some((state, answer)) = state.zip(answer).filter(|_| ceremony.person.is_none()) else {
            return Ok(Err(NotByPasskey::Wrong));
        };
        let Ok((person, id)) = self.0.identify_discoverable_authentication(&answer) else {
            return Ok(Err(NotByPasskey::Wrong));
        };
        let person = PersonId::from_bytes(*person.as_bytes());
        let passkeys = portal.db.passkeys(person).await?;
        let known = passkeys.iter().filter_map(NamedPasskey::of);
        let Some(mut named) = known.into_iter().find(|known| known.passkey.cred_id().as_slice() == id) else {
            return Ok(Err(NotByPasskey::Wrong));
        };
        let Ok(signed) = self.0.finish_discoverable_authentication_v2(&answer, state, &named.passkey) else {
            return Ok(Err(NotByPasskey::Wrong));
        };
        named.passkey.update_credential(&signed);
        named.used_at_ms = Some(portal.clock.now().unix_ms());
        portal.db.use_passkey(person, id_of(&named.passkey), json(&named)).await?;
        let session = SessionToken::draw();
        let begun =
            portal.db.begin_session(person, new_session(&session, source, portal.clock.now())).await?;
        Ok(if begun { Ok(session) } else { Err(NotByPasskey::Wrong) })
    }
}

async fn begin(
    portal: &PortalCore,
    person: Option<PersonId>,
    state: &impl Serialize,
    options: &impl Serialize,
    source: Source,
) -> Result<Result<AskedPasskey, NotByPasskey>, DbError> {
    let cookie = CeremonyToken::draw();
    let ceremony = Ceremony { digest: cookie.digest(), person, state: json(state) };
    let kept = portal.db.begin_ceremony(ceremony, source.to_string(), portal.clock.now()).await?;
    Ok(if kept { Ok(AskedPasskey { options: json(options), cookie }) } else { Err(NotByPasskey::NoRoom) })
}

async fn take(portal: &PortalCore, cookie: &CeremonyToken) -> Result<Option<Ceremony>, DbError> {
    portal.db.take_ceremony(cookie.digest(), portal.clock.now()).await
}

fn id_of(passkey: &Passkey) -> String {
    data_encoding::BASE64URL_NOPAD.encode(passkey.cred_id().as_slice())
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("what a ceremony consists of is JSON")
}
