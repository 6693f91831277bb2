//! A product key where there is no network: the codes that people read to each other.

use shared::codes::ConfirmationId;
use shared::reason::Cause;

use crate::codes::InstallationCode;
use crate::snapshot::Snapshot;

use super::Client;

impl Client {
    /// What the user reads to the vendor, so that this machine is confirmed for the product key that was entered
    /// ([`set_key_for_later`](Client::set_key_for_later), or `set_key`). It stays the same until the key or the hardware is another.
    ///
    /// # Errors
    /// `KEY_MISSING`: no key was entered. `CODES_NOT_TAKEN`, `CODE_KEY_OUT_OF_TIME`: this product takes no confirmation id, or not now.
    /// `IDENTITY_UNREADABLE`: this user may not activate.
    pub async fn installation_id(&self) -> Result<InstallationCode, Cause> {
        let installation = self.shell.installation.lock().await;
        installation.installation_id(self.shell.clock.now()).map(InstallationCode)
    }

    /// Takes what the vendor has read back: the confirmation id, in digits or letters. It is kept when this returns, and the machine is
    /// licensed by its key. [`confirmation_groups`](crate::confirmation_groups) names wrong groups while it is typed.
    ///
    /// # Errors
    /// It confirms nothing here, and nothing was changed: `CODE_MALFORMED` names the wrong groups, `CODE_OTHER_INSTALLATION` says that it is
    /// for another machine or key, `CODE_ENDED` and `CODE_NEWER` what they say. Or as [`installation_id`](Client::installation_id), or
    /// nothing can be kept here.
    pub async fn enter_confirmation(&self, text: &str) -> Result<Snapshot, Cause> {
        let confirmation: ConfirmationId = text.parse()?;
        let (mut installation, lock) = self.shell.to_change().await?;
        let entered = installation.enter_confirmation(confirmation, self.shell.clock.now(), &lock).await;
        self.shell.publish(&installation);
        drop(installation);
        self.wake();
        entered.map(|()| self.snapshot())
    }
}
