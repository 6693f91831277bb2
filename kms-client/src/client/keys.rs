//! The product key on this machine: entered now or for later, and cleared.

use prost::Message as _;
use proto::vendor::v1::SignedConfirmation;
use shared::product_key::{KeyNumber, ProductKey};
use shared::reason::{Cause, Reason};

use crate::key_file::read_key;
use crate::outcome::Round;
use crate::portal;

use super::Client;

impl Client {
    /// Enters a product key (a multiple-activation key), however it is typed. From now on the vendor's portal licenses this machine, and
    /// no host is asked. The portal is asked by [`run`](Client::run) at once, or by [`activate`](Client::activate).
    ///
    /// What licenses this machine now does so until the portal has confirmed the key: a lease, or another key, which
    /// [`EnteredKey::before`](crate::EnteredKey::before) then names. The vendor counts the place of that key until
    /// [`release_key`](Client::release_key) gives it back. A key that was confirmed already stays so.
    ///
    /// # Errors
    /// The text is no such key, and nothing was sent anywhere: `KEY_MALFORMED` names the wrong groups. Or nothing can be kept here.
    pub async fn set_key(&self, text: &str) -> Result<KeyNumber, Cause> {
        self.enter(text, true).await
    }

    /// Like [`set_key`](Client::set_key), for a user who wants to activate later: only [`activate`](Client::activate) asks the portal.
    /// Until then the state is [`KeyEntered`](crate::LicenseState::KeyEntered), unless a lease or another key licenses this machine.
    ///
    /// # Errors
    /// As [`set_key`](Client::set_key).
    pub async fn set_key_for_later(&self, text: &str) -> Result<KeyNumber, Cause> {
        self.enter(text, false).await
    }

    /// Forgets the product key and what it was confirmed with. From now on hosts are asked. The key's place is not given back:
    /// [`release`](Client::release) does that.
    ///
    /// # Errors
    /// As [`identity_reset`](Client::identity_reset).
    pub async fn clear_key(&self) -> Result<(), Cause> {
        self.change_key(None, true).await
    }

    /// Gives back the place of a product key that has activated this machine before (`EnteredKey::activated` was its number). What licenses
    /// this machine now is not changed. For the key that licenses it now, this is [`release`](Client::release).
    ///
    /// # Errors
    /// As [`release`](Client::release). If the portal counts no place of the key for this machine, the outcome is `NOT_ACTIVATED_HERE`. That
    /// is also its answer if only a confirmation id has activated this machine, and the key never did so over the internet.
    pub async fn release_key(&self, number: KeyNumber) -> Result<Round, Cause> {
        if self.snapshot().key.and_then(|key| key.activated()) == Some(number) {
            return self.release().await;
        }
        let (mut installation, lock) = self.shell.to_change().await?;
        portal::release_other(&self.shell, &mut installation, &lock, number).await
    }

    /// The signed ask of this machine, for another machine that carries it to the vendor's portal
    /// ([`Inspector::carry_ask`](crate::Inspector::carry_ask)). The product key is in it: treat it as a secret. It is the same until it is
    /// answered.
    ///
    /// # Errors
    /// As [`identity_reset`](Client::identity_reset); `KEY_MISSING` if no key was entered.
    pub async fn key_ask(&self) -> Result<Vec<u8>, Cause> {
        let (mut installation, lock) = self.shell.to_change().await?;
        if installation.key.is_none() {
            return Err(Reason::KeyMissing.into());
        }
        portal::compose(&self.shell, &mut installation, &lock).await.map(|ask| ask.encode_to_vec())
    }

    /// Takes a confirmation that was carried back, if it answers the ask of this machine. Returns whether it does; one for another
    /// machine changes nothing.
    ///
    /// # Errors
    /// It answers the ask of this machine and does not verify, or it cannot be kept.
    pub async fn apply_confirmation(&self, confirmation: &[u8]) -> Result<bool, Cause> {
        let Ok(wire) = SignedConfirmation::decode(confirmation) else { return Ok(false) };
        let (mut installation, lock) = self.shell.to_change().await?;
        let accepted = portal::accept(&self.shell, &mut installation, &lock, &wire).await;
        self.shell.publish(&installation);
        drop(installation);
        self.wake();
        accepted
    }

    async fn enter(&self, text: &str, at_once: bool) -> Result<KeyNumber, Cause> {
        let product = self.shell.installation.lock().await.terms.id;
        let key = read_key(text, product)?;
        let number = key.number();
        self.change_key(Some(key), at_once).await?;
        Ok(number)
    }

    async fn change_key(&self, key: Option<ProductKey>, at_once: bool) -> Result<(), Cause> {
        let (mut installation, lock) = self.shell.to_change().await?;
        let changed = installation.change_key(key, at_once, self.shell.clock.now(), &lock).await;
        self.shell.publish(&installation);
        drop(installation);
        self.wake();
        changed
    }
}
