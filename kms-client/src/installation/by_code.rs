//! An installation by codes: the installation id that its user reads to the vendor, and the confirmation id that the vendor reads back.
//!
//! `docs/protocol.md` 12.

use std::sync::Arc;

use shared::codes::{CodeError, ConfirmationId, InstallationId};
use shared::reason::{Cause, Reason};
use shared::time::Timestamp;

use crate::home::Lock;
use crate::saved::{HeldConfirmation, TypedConfirmation};

use super::Installation;

impl Installation {
    /// The installation id of this machine with the key that was entered.
    ///
    /// # Errors
    /// No key was entered, the product takes no codes now, or this user may not read the identity.
    pub(crate) fn installation_id(&self, now: Timestamp) -> Result<InstallationId, Cause> {
        let number = self.saved.key_number().ok_or(Reason::KeyMissing)?;
        let keys = &self.terms.code_keys;
        // Nobody shall make a call whose answer is refused.
        let valid = keys.iter().map(|key| key.check_valid_at(now));
        match valid.reduce(Result::or) {
            None => return Err(Reason::CodesNotTaken.into()),
            Some(Err(error)) => return Err(Reason::CodeKeyOutOfTime.with(&[("cause", &error)])),
            Some(Ok(())) => {}
        }
        let unreadable = || Reason::IdentityUnreadable.with(&[("path", &self.home.path().display())]);
        let public_key = self.asker().ok_or_else(unreadable)?.key.public();
        Ok(InstallationId::of_machine(&public_key, self.terms.id, number, &self.parts()))
    }

    /// Enters the confirmation id that the vendor has read back. It is durable when this returns.
    ///
    /// Writes in this order: 1 `saved` with all that changes, 2 a pending identity, which `saved` names already.
    ///
    /// # Errors
    /// As [`installation_id`](Installation::installation_id), or it confirms nothing of this machine now, or it cannot be kept.
    pub(crate) async fn enter_confirmation(
        &mut self,
        confirmation: ConfirmationId,
        now: Timestamp,
        lock: &Arc<Lock>,
    ) -> Result<(), Cause> {
        let (typed, held) = self.judge_confirmation(confirmation, now)?;
        let before = self.saved.clone();
        self.saved.confirm_by_code(&typed, held, now);
        if let Err(cause) = self.save(lock).await {
            self.saved = before;
            return Err(cause);
        }
        self.promote(lock).await
    }

    fn judge_confirmation(
        &self,
        confirmation: ConfirmationId,
        now: Timestamp,
    ) -> Result<(TypedConfirmation, HeldConfirmation), Cause> {
        self.installation_id(now)?;
        let (Some(asker), Some(number)) = (self.asker(), self.saved.key_number()) else {
            return Err(CodeError::OtherInstallation.into());
        };
        // A clock that is set back makes no term longer.
        let entered_at = now.max(self.saved.license.facts().latest_seen);
        let typed = TypedConfirmation {
            confirmation,
            public_key: asker.key.public(),
            parts: self.parts(),
            entered_at,
        };
        let (held, key) = typed.verify(number, &self.terms)?;
        key.check_valid_at(now).map_err(|error| Reason::CodeKeyOutOfTime.with(&[("cause", &error)]))?;
        match held.term.not_after.filter(|not_after| *not_after <= entered_at) {
            Some(ended_at) => Err(Reason::CodeEnded.with(&[("ended_at", &ended_at)])),
            None => Ok((typed, held)),
        }
    }
}
