//! Signatures of webhooks, as Standard Webhooks has them: HMAC-SHA-256 over the id, the time and the body.
//!
//! The portal signs what it tells the vendor's services, and checks what the vendor's billing tells it.

use std::fmt;
use std::time::Duration;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use shared::time::Timestamp;
use zeroize::Zeroizing;

/// What every secret begins with, as text.
const PREFIX: &str = "whsec_";

/// What every signature of this kind begins with.
const VERSION: &str = "v1";

/// How far a message's time may be from the clock. Somebody who has recorded one cannot send it later.
const TOLERANCE: Duration = Duration::from_mins(5);

/// A secret that two sides share.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

impl WebhookSecret {
    /// A new one.
    pub fn draw() -> WebhookSecret {
        WebhookSecret(Zeroizing::new(rand::random::<[u8; 32]>().to_vec()))
    }

    /// A secret of these bytes, which are 24 to 64.
    pub fn from_slice(bytes: &[u8]) -> Option<WebhookSecret> {
        (24..=64).contains(&bytes.len()).then(|| WebhookSecret(Zeroizing::new(bytes.to_vec())))
    }

    /// Reads one, as it is written in settings.
    pub fn parse(text: &str) -> Option<WebhookSecret> {
        let bytes = BASE64.decode(text.trim().strip_prefix(PREFIX)?.as_bytes()).ok().map(Zeroizing::new)?;
        WebhookSecret::from_slice(&bytes)
    }

    /// As it is written in settings.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", BASE64.encode(&self.0)))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The signature of a message.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        format!("{VERSION},{}", BASE64.encode(&self.mac(id, seconds(at), body).finalize().into_bytes()))
    }

    /// Whether one of these signatures is that of the message, and the message was sent just now. `sent_at` is in seconds, as it was sent.
    pub fn verify(&self, id: &str, sent_at: &str, body: &[u8], signatures: &str, now: Timestamp) -> bool {
        let Ok(at) = sent_at.parse::<i64>() else { return false };
        let is_now = Timestamp::from_unix_ms(at.saturating_mul(1000)).apart(now) <= TOLERANCE;
        is_now
            && signatures.split(' ').any(|signature| {
                let shown = signature.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix(','));
                let shown = shown.and_then(|shown| BASE64.decode(shown.as_bytes()).ok());
                shown.is_some_and(|shown| self.mac(id, at, body).verify_slice(&shown).is_ok())
            })
    }

    fn mac(&self, id: &str, at: i64, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("an HMAC takes keys of any length");
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(body);
        mac
    }
}

/// The time of a message, as it is sent.
pub fn seconds(at: Timestamp) -> i64 {
    at.unix_ms().div_euclid(1000)
}

/// Never the secret.
impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of the libraries of Standard Webhooks.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: Timestamp = Timestamp::from_unix_ms(1_614_265_330_000);
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn a_signature_is_that_of_the_specification() {
        let secret = WebhookSecret::parse(SECRET).unwrap();
        assert_eq!((secret.text().as_str(), secret.sign(ID, AT, BODY).as_str()), (SECRET, SIGNATURE));
    }

    #[test]
    fn a_message_is_taken_for_five_minutes_with_its_own_signature_alone() {
        let secret = WebhookSecret::parse(SECRET).unwrap();
        let verify = |id, at: &str, body, signatures: &str, now| secret.verify(id, at, body, signatures, now);
        let at = "1614265330";
        let two = format!("v1,c2lnbmVk v1a,{} {SIGNATURE}", &SIGNATURE[3..]);
        for now in [AT, AT + TOLERANCE, AT - TOLERANCE] {
            assert!(verify(ID, at, BODY, SIGNATURE, now) && verify(ID, at, BODY, &two, now), "{now}");
        }
        let late = AT + TOLERANCE + Duration::from_millis(1);
        for (id, at, body, signatures, now) in [
            (ID, at, BODY, SIGNATURE, late),
            ("msg_other", at, BODY, SIGNATURE, AT),
            (ID, "1614265331", BODY, SIGNATURE, AT),
            (ID, "soon", BODY, SIGNATURE, AT),
            (ID, at, b"{}", SIGNATURE, AT),
            (ID, at, BODY, "", AT),
            (ID, at, BODY, &SIGNATURE[3..], AT),
            (ID, at, BODY, "v1,", AT),
        ] {
            assert!(!verify(id, at, body, signatures, now), "{id} {at} {signatures}");
        }
        assert!(!WebhookSecret::draw().verify(ID, at, BODY, SIGNATURE, AT));
        assert_eq!(WebhookSecret::parse("whsec_c2hvcnQ="), None, "too short");
    }
}
