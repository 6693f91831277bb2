//! A product key where there is no network: the codes that people read to each other.

use shared::codes::ConfirmationId;
use shared::reason::Cause;

use crate::codes::InstallationCode;
use crate::snapshot::Snapshot;

use super::Client;

impl Client {
    /// The installation id of this machine with the product key that was entered ([`set_key_for_later`](Client::set_key_for_later), or
    /// `set_key`). The user reads it to the vendor. It stays the same until the key or the hardware changes.
    ///
    /// # Errors
    /// `KEY_MISSING`: no key was entered. `CODES_NOT_TAKEN`, `CODE_KEY_OUT_OF_TIME`: this product takes no confirmation id, or not now.
    /// `IDENTITY_UNREADABLE`: this user may not activate.
    pub async fn installation_id(&self) -> Result<InstallationCode, Cause> {
        let installation = self.shell.installation.lock().await;
        installation.installation_id(self.shell.clock.now()).map(InstallationCode)
    }

    /// Enters the confirmation id that the vendor has read back, in digits or letters. When this returns, it is kept, and the machine is
    /// licensed by its key. [`confirmation_groups`](crate::confirmation_groups) names wrong groups while it is typed.
    ///
    /// # Errors
    /// The id confirms nothing here, and nothing was changed: `CODE_MALFORMED` names the wrong groups, `CODE_OTHER_INSTALLATION` says that
    /// it is for another machine or key, `CODE_ENDED` that its end has passed, and `CODE_NEWER` that this release does not understand it.
    /// Or as [`installation_id`](Client::installation_id), or nothing can be kept here.
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
