//! What is remembered of a product key beside the key itself: its public number, and the confirmation, which is verified again each
//! time it is read.

use bytes::Bytes;
use prost::Message as _;
use proto::v1::SignedRevocationList;
use proto::vendor::v1::SignedConfirmation;
use shared::certificate::Roots;
use shared::confirmation::Confirmation;
use shared::features::Features;
use shared::ids::{CertificateId, MachineId, ProductId};
use shared::license::{ByKey, Event, Facts, KeyTerm};
use shared::parts::{Hardware, HardwareParts};
use shared::product_key::KeyNumber;
use shared::revocation::Revoked;
use shared::time::Timestamp;

use crate::product::Terms;
use crate::random;

use super::{ByKeyFields, Organisation, Saved};

/// What licenses this machine by its product key, however it came. It was verified from the root down.
#[derive(Clone, Debug)]
pub(crate) struct HeldConfirmation {
    /// The number of the key that it is for. Another one may have been entered since.
    pub(crate) key: KeyNumber,
    pub(crate) term: KeyTerm,
    pub(crate) features: Features,
    /// The hardware that was confirmed.
    pub(crate) parts: HardwareParts,
    pub(crate) test: bool,
    /// Whether somebody has typed it.
    pub(crate) by_code: bool,
    /// The id of its place. One that was typed does not say it.
    pub(crate) id: Option<CertificateId>,
    /// The id of the certificate of the key that has signed it.
    pub(crate) issuer: Option<CertificateId>,
    pub(crate) product: ProductId,
}

impl HeldConfirmation {
    /// A confirmation that was verified, as it travels.
    fn of(confirmation: Confirmation, wire: &SignedConfirmation) -> HeldConfirmation {
        let Confirmation { id, product, key_number, confirmed_at, not_after, features, parts, test, .. } =
            confirmation;
        HeldConfirmation {
            key: key_number,
            term: KeyTerm { confirmed_at, not_after },
            features,
            parts,
            test,
            by_code: false,
            id: Some(id),
            issuer: Confirmation::issuer_of(wire),
            product,
        }
    }
}

impl Saved {
    /// The number of the key that was entered, if one was.
    pub(crate) fn key_number(&self) -> Option<KeyNumber> {
        KeyNumber::from_slice(&self.by_key.number)
    }

    /// Whether a confirmation is there, also one by a code that this build does not read.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmation.is_some() || cfg!(not(feature = "codes")) && self.by_key.by_code.is_some()
    }

    /// The confirmation of the key that was entered; none while only the old key has one.
    pub(crate) fn own_confirmation(&self) -> Option<&HeldConfirmation> {
        self.confirmation.as_ref().filter(|held| self.key_number() == Some(held.key))
    }

    /// The number of the old key, if that has confirmed this machine and the key that was entered has not yet.
    pub(crate) fn key_before(&self) -> Option<KeyNumber> {
        self.confirmation.as_ref().map(|held| held.key).filter(|key| self.key_number() != Some(*key))
    }

    /// Uses this key from now on. If it is confirmed already, it stays so. A confirmation of the old key stays until this one is confirmed.
    pub(crate) fn enter_key(&mut self, number: KeyNumber, at_once: bool, now: Timestamp) {
        let entered = Bytes::copy_from_slice(number.as_bytes());
        let is_other = self.by_key.number != entered;
        if is_other && !self.is_confirmed() {
            self.drop_confirmation();
        } else if is_other && self.by_key.confirmed_number.is_empty() {
            self.by_key.confirmed_number = self.by_key.number.clone();
        }
        if self.by_key.confirmed_number == entered {
            self.by_key.confirmed_number = Bytes::new();
        }
        self.by_key.number = entered;
        match self.own_confirmation() {
            Some(_) if is_other => self.license.step(now, Event::KeyEnteredAgain, random::draw()),
            Some(_) => false,
            None => self.license.step(now, Event::KeyEntered { at_once }, random::draw()),
        };
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
        let held = HeldConfirmation::of(confirmation, wire);
        let fields = ByKeyFields { confirmation: wire.encode_to_vec().into(), ..ByKeyFields::default() };
        self.hold_confirmation(fields, held, now);
    }

    /// Holds what was verified, and keeps these fields, from which it is verified again. The key stays.
    pub(super) fn hold_confirmation(&mut self, fields: ByKeyFields, held: HeldConfirmation, now: Timestamp) {
        self.by_key = ByKeyFields { number: self.by_key.number.clone(), ..fields };
        self.license.step(now, Event::Confirmed(held.term), random::draw());
        self.confirmation = Some(held);
        self.note_revocation();
    }

    /// Keeps those of these lists that are newer.
    pub(crate) fn take_revocations(&mut self, lists: &[SignedRevocationList], roots: &Roots) {
        self.revocations.take_all(lists, roots);
        self.note_revocation();
    }

    /// What takes back the confirmation that licenses this machine, if anything does.
    pub(crate) fn revocation(&self) -> Option<&Revoked> {
        let held = self.confirmation.as_ref()?;
        self.revocations.of_key(held.key, held.id, held.issuer, held.product, held.test)
    }

    /// Whether the confirmation of the key that was entered is taken back with the certificate of the key that has signed it, and not by
    /// itself.
    pub(crate) fn is_issuer_revoked(&self) -> bool {
        let issuer = self.own_confirmation().and_then(|held| held.issuer);
        let of_issuer = issuer.and_then(|issuer| self.revocations.issuer(issuer));
        of_issuer.is_some() && self.revocation() == of_issuer
    }

    pub(super) fn note_revocation(&mut self) {
        let at = self.revocation().map(|revoked| revoked.at);
        self.license.set_revoked(at);
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
        let Some(held) = &self.confirmation else { return false };
        let is_other = held.parts.compare(&terms.hardware()) == Hardware::Different;
        let event = match self.license.facts().key {
            Some(ByKey::Confirmed(_)) if is_other => Event::HardwareChanged,
            Some(ByKey::HardwareChanged { .. }) if !is_other => Event::HardwareRestored(held.term),
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
) -> Option<HeldConfirmation> {
    let entered = KeyNumber::from_slice(&fields.number)?;
    let number = KeyNumber::from_slice(&fields.confirmed_number).unwrap_or(entered);
    let confirmation =
        keep(&fields.confirmation, machine, terms).filter(|(kept, _)| kept.key_number == number);
    let held = confirmation.map(|(kept, wire)| HeldConfirmation::of(kept, &wire));
    #[cfg(feature = "codes")]
    let held = held.or_else(|| super::by_code::keep(fields.by_code.as_ref()?, number, machine, terms));
    facts.key = Some(match &held {
        None => ByKey::Entered,
        Some(_) if fields.hardware_changed_at != 0 => {
            ByKey::HardwareChanged { since: Timestamp::from_unix_ms(fields.hardware_changed_at) }
        }
        Some(held) => ByKey::Confirmed(held.term),
    });
    facts.other_key_waits = held.is_some() && number != entered;
    held
}

fn keep(encoded: &Bytes, machine: MachineId, terms: &Terms) -> Option<(Confirmation, SignedConfirmation)> {
    if encoded.is_empty() {
        return None;
    }
    let kept = SignedConfirmation::decode(encoded.clone()).map_err(|error| error.to_string());
    let kept = kept.and_then(|wire| {
        let opened = Confirmation::open(&wire, &terms.roots).map_err(|error| error.to_string());
        opened.map(|kept| (kept, wire))
    });
    let ours = kept.and_then(|(kept, wire)| {
        // The license looks at the hardware and at the end by itself.
        let (parts, now) = (kept.parts, kept.confirmed_at);
        let checked = kept.check_ours(machine, terms.id, terms.fingerprint, &parts, now);
        checked.map(|()| (kept, wire)).map_err(|error| error.to_string())
    });
    match ours {
        Ok(kept) => Some(kept),
        Err(error) => {
            tracing::warn!(%error, "the saved confirmation does not verify and is left out");
            None
        }
    }
}
