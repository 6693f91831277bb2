//! What is remembered of a product key beside the key itself: its public number, and the confirmation, which is verified again each
//! time it is read.

use bytes::Bytes;
use prost::Message as _;
use proto::vendor::v1::SignedConfirmation;
use shared::confirmation::Confirmation;
use shared::ids::MachineId;
use shared::license::{ByKey, Event, Facts, KeyTerm};
use shared::parts::Hardware;
use shared::product_key::KeyNumber;
use shared::time::Timestamp;

use crate::product::Terms;
use crate::random;

use super::{ByKeyFields, Organisation, Saved};

impl Saved {
    /// The number of the key that was entered, if one was.
    pub(crate) fn key_number(&self) -> Option<KeyNumber> {
        KeyNumber::from_slice(&self.by_key.number)
    }

    /// Goes by this key from now on. One that is confirmed already stays so.
    pub(crate) fn enter_key(&mut self, number: KeyNumber, at_once: bool, now: Timestamp) {
        if self.key_number() != Some(number) {
            self.by_key.number = Bytes::copy_from_slice(number.as_bytes());
            self.drop_confirmation();
        }
        if self.confirmation.is_none() {
            self.license.step(now, Event::KeyEntered { at_once }, random::draw());
        }
    }

    /// Goes by hosts from now on. The organisation is that of the lease again, if one is held.
    pub(crate) fn clear_key(&mut self, now: Timestamp) {
        self.by_key.number = Bytes::new();
        self.drop_confirmation();
        let certificate = self.license.lease().map(|lease| lease.chain().host());
        self.organisation = certificate.map(|certificate| Organisation {
            id: certificate.organisation,
            name: certificate.organisation_name.clone(),
        });
        self.license.step(now, Event::KeyCleared, random::draw());
    }

    /// Takes a confirmation that was checked.
    pub(crate) fn confirm(&mut self, wire: &SignedConfirmation, confirmation: Confirmation, now: Timestamp) {
        self.machine = confirmation.machine;
        self.organisation = Some(Organisation {
            id: confirmation.organisation,
            name: confirmation.organisation_name.clone(),
        });
        self.by_key.confirmation = wire.encode_to_vec().into();
        self.license.step(now, Event::Confirmed(term(&confirmation)), random::draw());
        self.confirmation = Some(confirmation);
    }

    /// The place was given back.
    pub(crate) fn give_back(&mut self, now: Timestamp) {
        self.drop_confirmation();
        self.license.step(now, Event::GivenBack, random::draw());
    }

    fn drop_confirmation(&mut self) {
        self.by_key = ByKeyFields { number: self.by_key.number.clone(), ..ByKeyFields::default() };
        self.confirmation = None;
    }

    /// Compares the hardware with that of the confirmation. Returns whether this has changed anything.
    pub(crate) fn check_hardware(&mut self, terms: &Terms, now: Timestamp) -> bool {
        let Some(confirmation) = &self.confirmation else { return false };
        let is_other = confirmation.parts.compare(&terms.hardware()) == Hardware::Different;
        let event = match self.license.facts().key {
            Some(ByKey::Confirmed(_)) if is_other => Event::HardwareChanged,
            Some(ByKey::HardwareChanged { .. }) if !is_other => Event::Confirmed(term(confirmation)),
            _ => return false,
        };
        self.license.step(now, event, random::draw());
        true
    }
}

/// The confirmation in the file, if it licenses this machine, and in the facts how far it has come with its key.
pub(super) fn read(
    fields: &ByKeyFields,
    machine: MachineId,
    terms: &Terms,
    facts: &mut Facts,
) -> Option<Confirmation> {
    let number = KeyNumber::from_slice(&fields.number)?;
    let confirmation = keep(&fields.confirmation, machine, terms).filter(|kept| kept.key_number == number);
    facts.key = Some(match &confirmation {
        None => ByKey::Entered,
        Some(_) if fields.hardware_changed_at != 0 => {
            ByKey::HardwareChanged { since: Timestamp::from_unix_ms(fields.hardware_changed_at) }
        }
        Some(confirmation) => ByKey::Confirmed(term(confirmation)),
    });
    confirmation
}

fn keep(encoded: &Bytes, machine: MachineId, terms: &Terms) -> Option<Confirmation> {
    if encoded.is_empty() {
        return None;
    }
    let kept = SignedConfirmation::decode(encoded.clone()).map_err(|error| error.to_string());
    let kept =
        kept.and_then(|wire| Confirmation::open(&wire, &terms.roots).map_err(|error| error.to_string()));
    let ours = kept.and_then(|kept| {
        // The license looks at the hardware and at the end by itself.
        let (parts, now) = (kept.parts, kept.confirmed_at);
        let checked = kept.check_ours(machine, terms.id, terms.fingerprint, &parts, now);
        checked.map(|()| kept).map_err(|error| error.to_string())
    });
    match ours {
        Ok(confirmation) => Some(confirmation),
        Err(error) => {
            tracing::warn!(%error, "the saved confirmation does not verify and is left out");
            None
        }
    }
}

fn term(confirmation: &Confirmation) -> KeyTerm {
    KeyTerm { confirmed_at: confirmation.confirmed_at, not_after: confirmation.not_after }
}
