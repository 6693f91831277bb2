//! The product key on this machine: entered now or for later, and cleared.

use prost::Message as _;
use proto::vendor::v1::SignedConfirmation;
use shared::product_key::{KeyKind, KeyNumber, ProductKey};
use shared::reason::{Cause, Reason};

use crate::portal;

use super::Client;

impl Client {
    /// Enters a product key (a multiple-activation key), however it is typed. From now on the vendor's portal licenses this machine, and
    /// no host is asked. The portal is asked by [`run`](Client::run) at once, or by [`activate`](Client::activate).
    ///
    /// A license that is held runs on until the portal has confirmed the key. A key that was confirmed already stays so.
    ///
    /// # Errors
    /// The text is no such key, and nothing was sent anywhere: `KEY_MALFORMED` names the wrong groups. Or nothing can be kept here.
    pub async fn set_key(&self, text: &str) -> Result<KeyNumber, Cause> {
        self.enter(text, true).await
    }

    /// Like [`set_key`](Client::set_key), for a user who wants to activate later: only [`activate`](Client::activate) asks the portal.
    /// Until then the state is [`KeyEntered`](crate::LicenseState::KeyEntered).
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
        let key: ProductKey = text.parse()?;
        let number = key.number();
        let product = self.shell.installation.lock().await.terms.id;
        key.check(KeyKind::MultipleActivation, product)?;
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
