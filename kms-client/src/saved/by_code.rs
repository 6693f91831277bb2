//! A confirmation id that the user has typed, in the saved state. It is verified again each time it is read.
//!
//! For that, the installation id is made anew from the machine's public key and from the hardware parts at the time of the entry,
//! because the hardware may have changed since.

use std::slice;

use bytes::Bytes;
use proto::state::v1;
use shared::codes::{CodeError, CodeKey, ConfirmationId, Confirmed, InstallationId};
use shared::envelope::PublicKey;
use shared::ids::MachineId;
use shared::license::KeyTerm;
use shared::parts::HardwareParts;
use shared::product_key::KeyNumber;
use shared::time::Timestamp;

use crate::product::Terms;

use super::by_key::HeldConfirmation;
use super::{ByKeyFields, Saved};

/// A confirmation id, and what its installation id was made of.
pub(crate) struct TypedConfirmation {
    pub(crate) confirmation: ConfirmationId,
    pub(crate) public_key: PublicKey,
    pub(crate) parts: HardwareParts,
    pub(crate) entered_at: Timestamp,
}

impl TypedConfirmation {
    /// What it confirms of this machine with the key of this number, and the code key that says so.
    pub(crate) fn verify<'k>(
        &self,
        number: KeyNumber,
        terms: &'k Terms,
    ) -> Result<(HeldConfirmation, &'k CodeKey), CodeError> {
        let id = InstallationId::of_machine(&self.public_key, terms.id, number, &self.parts);
        let confirm = |key: &'k CodeKey| (self.confirmation.confirm(&id, slice::from_ref(key)), key);
        let signed = |(confirmed, _): &(Result<Confirmed, CodeError>, _)| {
            *confirmed != Err(CodeError::OtherInstallation)
        };
        let confirmed = terms.code_keys.iter().map(confirm).find(signed);
        let (confirmed, key) = confirmed.ok_or(CodeError::OtherInstallation)?;
        let Confirmed { ends_at, features } = confirmed?;
        let held = HeldConfirmation {
            key: number,
            term: KeyTerm { confirmed_at: self.entered_at, not_after: ends_at },
            features,
            parts: self.parts,
            test: key.is_test(),
            by_code: true,
            id: None,
            issuer: Some(key.id()),
            product: terms.id,
        };
        Ok((held, key))
    }

    fn encode(&self) -> v1::ConfirmationByCode {
        v1::ConfirmationByCode {
            confirmation_id: Bytes::copy_from_slice(&self.confirmation.to_bytes()),
            public_key: Bytes::copy_from_slice(self.public_key.as_bytes()),
            parts: self.parts.encode(),
            entered_at: self.entered_at.unix_ms(),
        }
    }

    fn decode(wire: &v1::ConfirmationByCode) -> Option<TypedConfirmation> {
        Some(TypedConfirmation {
            confirmation: ConfirmationId::from_slice(&wire.confirmation_id)?,
            public_key: PublicKey::from_slice(&wire.public_key).ok()?,
            parts: HardwareParts::decode(wire.parts.as_ref())?,
            entered_at: Timestamp::from_unix_ms(wire.entered_at),
        })
    }
}

impl Saved {
    /// Takes a confirmation id that was verified. Nobody has said who bought the key.
    pub(crate) fn confirm_by_code(
        &mut self,
        typed: &TypedConfirmation,
        held: HeldConfirmation,
        now: Timestamp,
    ) {
        self.machine = typed.public_key.machine();
        self.organisation = None;
        let fields = ByKeyFields { by_code: Some(typed.encode()), ..ByKeyFields::default() };
        self.hold_confirmation(fields, held, now);
    }
}

/// What the file says that somebody has typed, if it licenses this machine.
pub(super) fn keep(
    wire: &v1::ConfirmationByCode,
    number: KeyNumber,
    machine: MachineId,
    terms: &Terms,
) -> Option<HeldConfirmation> {
    let typed = TypedConfirmation::decode(wire).filter(|typed| typed.public_key.machine() == machine);
    // An ended code key has confirmed it while it was valid.
    let kept = typed.ok_or(CodeError::OtherInstallation).and_then(|typed| typed.verify(number, terms));
    match kept {
        Ok((held, _)) => Some(held),
        Err(error) => {
            tracing::warn!(%error, "the saved confirmation id does not verify and is left out");
            None
        }
    }
}
