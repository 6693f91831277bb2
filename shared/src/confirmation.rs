//! The confirmation: what licenses a machine by a product key. The portal composes and signs it, the machine verifies it.
//!
//! [`Confirmation::open`] is the only way to one from outside. It says nothing about the machine that reads it: a machine that gets one
//! asks [`Confirmation::check_answer`], and one that keeps one [`Confirmation::check_ours`]. `docs/protocol.md` 11.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use proto::v1::{Organisation, Signed};
use proto::vendor::v1;

use crate::activation::MachineActivation;
use crate::certificate::{ChainError, IssuingCertificate, Roots, is_understood};
use crate::envelope::{self, EnvelopeError, Kind, SecretKey, Verified};
use crate::features::{Features, FeaturesError};
use crate::ids::{CertificateId, Fingerprint, MachineId, Nonce, OrganisationId, ProductId};
use crate::parts::{Hardware, HardwareParts};
use crate::print::one_line;
use crate::product_key::KeyNumber;
use crate::reason::{Cause, Reason};
use crate::time::Timestamp;

/// How long before the ask a confirmation may have been made, for the clocks of machine and portal differ. Otherwise an issuing key
/// that is stolen after its end could still confirm, at an instant that is long past.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::from_hours(24);

/// What licenses a machine by a product key, for as long as it says.
#[derive(Clone, Debug)]
pub struct Confirmation {
    /// Its own id.
    pub id: CertificateId,
    /// The machine.
    pub machine: MachineId,
    /// The product.
    pub product: ProductId,
    /// The nonce of the ask.
    pub nonce: Nonce,
    /// The public number of the key.
    pub key_number: KeyNumber,
    /// Who bought the key.
    pub organisation: OrganisationId,
    /// Its name, for people. One that was read is on one line, and drives no terminal.
    pub organisation_name: String,
    /// The portal's clock when it confirmed this.
    pub confirmed_at: Timestamp,
    /// The first instant at which it licenses nobody any more, if it has an end.
    pub not_after: Option<Timestamp>,
    /// What the vendor has sold beside the product.
    pub features: Features,
    /// The ask's.
    pub fingerprint: Fingerprint,
    /// The ask's.
    pub parts: HardwareParts,
    /// Whether it is for a test.
    pub test: bool,
}

impl Confirmation {
    /// Signs it with the issuing key, whose certificate travels along.
    pub fn sign(&self, issuing_key: &SecretKey, issuing_certificate: Signed) -> v1::SignedConfirmation {
        v1::SignedConfirmation {
            signed: Some(issuing_key.sign(Kind::Confirmation, &self.encode())),
            issuing_certificate: Some(issuing_certificate),
        }
    }

    /// Verifies one from the root down.
    ///
    /// # Errors
    /// See [`ConfirmationError`]; whatever it is, it licenses nobody.
    pub fn open(wire: &v1::SignedConfirmation, roots: &Roots) -> Result<Confirmation, ConfirmationError> {
        let (issuing, verified) =
            open_issued(wire.issuing_certificate.as_ref(), wire.signed.as_ref(), Kind::Confirmation, roots)?;
        let confirmation = Confirmation::decode(verified.decode()?)?;
        check_issued(&issuing, confirmation.product, confirmation.test, confirmation.confirmed_at)?;
        Ok(confirmation)
    }

    /// The id of the issuing certificate under which one was signed that has been verified.
    pub fn issuer_of(verified: &v1::SignedConfirmation) -> Option<CertificateId> {
        let issuing = verified.issuing_certificate.as_ref()?;
        let issuing = proto::v1::IssuingCertificate::decode(issuing.payload.clone()).ok()?;
        CertificateId::from_slice(&issuing.id)
    }

    /// Whether this answers the ask of this machine, so that it may be kept. `organisation` is the only one that may license this
    /// copy, if there is one.
    ///
    /// # Errors
    /// [`ConfirmationError::Mismatch`] and what else does not hold.
    pub fn check_answer(
        &self,
        ask: &MachineActivation,
        organisation: Option<OrganisationId>,
    ) -> Result<(), ConfirmationError> {
        matches(self.machine == ask.machine(), "machine")?;
        matches(self.product == ask.product, "product")?;
        matches(self.nonce == ask.nonce, "nonce")?;
        matches(self.key_number == ask.product_key.number(), "key number")?;
        matches(self.fingerprint.as_slice() == ask.fingerprint.as_slice(), "fingerprint")?;
        matches(self.parts == ask.parts, "hardware parts")?;
        if organisation.is_some_and(|ours| ours != self.organisation) {
            return Err(ConfirmationError::OtherOrganisation(self.organisation_name.clone()));
        }
        if self.confirmed_at < ask.asked_at - CLOCK_TOLERANCE {
            return Err(ConfirmationError::BeforeTheAsk { confirmed_at: self.confirmed_at });
        }
        Ok(())
    }

    /// Whether this licenses the machine that has kept it, at this instant.
    ///
    /// # Errors
    /// It is of another machine or product, was copied here from another installation, was given to other hardware, or has ended.
    pub fn check_ours(
        &self,
        machine: MachineId,
        product: ProductId,
        fingerprint: Fingerprint,
        parts: &HardwareParts,
        now: Timestamp,
    ) -> Result<(), ConfirmationError> {
        matches(self.machine == machine, "machine")?;
        matches(self.product == product, "product")?;
        matches(!self.fingerprint.differs_from(&fingerprint), "fingerprint")?;
        if self.parts.compare(parts) == Hardware::Different {
            return Err(ConfirmationError::OtherHardware);
        }
        match self.not_after.filter(|not_after| *not_after <= now) {
            Some(not_after) => Err(ConfirmationError::Ended { not_after }),
            None => Ok(()),
        }
    }

    fn decode(wire: v1::Confirmation) -> Result<Confirmation, ConfirmationError> {
        use ConfirmationError::Malformed;
        if !is_understood(wire.must_understand) {
            return Err(ConfirmationError::NotUnderstood);
        }
        let organisation = wire.organisation.ok_or(Malformed)?;
        Ok(Confirmation {
            id: CertificateId::from_slice(&wire.id).ok_or(Malformed)?,
            machine: MachineId::from_slice(&wire.machine).ok_or(Malformed)?,
            product: ProductId::from_slice(&wire.product).ok_or(Malformed)?,
            nonce: Nonce::from_slice(&wire.nonce).ok_or(Malformed)?,
            key_number: KeyNumber::from_slice(&wire.key_number).ok_or(Malformed)?,
            organisation: OrganisationId::from_slice(&organisation.id).ok_or(Malformed)?,
            organisation_name: one_line(organisation.name),
            confirmed_at: Timestamp::from_unix_ms(wire.confirmed_at),
            not_after: Some(wire.not_after).filter(|at| *at != 0).map(Timestamp::from_unix_ms),
            features: Features::decode(wire.features).map_err(ConfirmationError::Features)?,
            fingerprint: Fingerprint::from_slice(&wire.fingerprint).ok_or(Malformed)?,
            parts: HardwareParts::decode(wire.parts.as_ref()).ok_or(Malformed)?,
            test: wire.test,
        })
    }

    fn encode(&self) -> v1::Confirmation {
        v1::Confirmation {
            id: Bytes::copy_from_slice(self.id.as_bytes()),
            machine: Bytes::copy_from_slice(self.machine.as_bytes()),
            product: Bytes::copy_from_slice(self.product.as_bytes()),
            nonce: Bytes::copy_from_slice(self.nonce.as_bytes()),
            key_number: Bytes::copy_from_slice(self.key_number.as_bytes()),
            organisation: Some(Organisation {
                id: Bytes::copy_from_slice(self.organisation.as_bytes()),
                name: self.organisation_name.clone(),
            }),
            confirmed_at: self.confirmed_at.unix_ms(),
            not_after: self.not_after.map_or(0, Timestamp::unix_ms),
            features: self.features.encode(),
            fingerprint: Bytes::copy_from_slice(self.fingerprint.as_slice()),
            parts: self.parts.encode(),
            test: self.test,
            must_understand: 0,
        }
    }
}

/// Verifies from the root down what an issuing key has signed for one machine. Returns its certificate and what it has signed, of which
/// [`check_issued`] says whether the key may sign it.
pub(crate) fn open_issued<'a>(
    issuing: Option<&Signed>,
    signed: Option<&'a Signed>,
    kind: Kind,
    roots: &Roots,
) -> Result<(IssuingCertificate, Verified<'a>), ConfirmationError> {
    let issuing = issuing.ok_or(ConfirmationError::Malformed)?;
    let issuing = IssuingCertificate::verify(issuing, roots).map_err(ConfirmationError::Issuer)?;
    let signed = signed.ok_or(ConfirmationError::Malformed)?;
    let verified = envelope::open(signed, kind, &issuing.public_key)?;
    Ok((issuing, verified))
}

/// Whether an issuing key may sign for this product, and could at this instant.
pub(crate) fn check_issued(
    issuing: &IssuingCertificate,
    product: ProductId,
    test: bool,
    signed_at: Timestamp,
) -> Result<(), ConfirmationError> {
    issuing
        .check_signs(product, test)
        .and_then(|()| issuing.check_valid_at(signed_at))
        .map_err(ConfirmationError::Issuer)
}

pub(crate) fn matches(is_ours: bool, what: &'static str) -> Result<(), ConfirmationError> {
    if is_ours { Ok(()) } else { Err(ConfirmationError::Mismatch(what)) }
}

/// Why a confirmation or a user lease licenses nobody, or not this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmationError {
    /// Bytes or fields that do not fit.
    #[error("it is malformed")]
    Malformed,
    /// Its issuing certificate does not end in a pinned root, was not valid when it confirmed, or may not confirm this.
    #[error("{0}")]
    Issuer(ChainError),
    /// The issuing key has not signed this.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It has a `must_understand` bit that this release does not know.
    #[error("it needs a newer release on this side")]
    NotUnderstood,
    /// Its features are none.
    #[error("{0}")]
    Features(FeaturesError),
    /// It names something else than was asked, or than this machine has.
    #[error("its {0} is not the one that was asked for")]
    Mismatch(&'static str),
    /// An organisation of this name has bought it, and another one may license this copy.
    #[error("the license belongs to {0}")]
    OtherOrganisation(String),
    /// It was made before it was asked for.
    #[error("it was signed at {confirmed_at}, before it was asked for")]
    BeforeTheAsk {
        /// When.
        confirmed_at: Timestamp,
    },
    /// The machine's hardware is not the one that was confirmed.
    #[error("it was given to other hardware")]
    OtherHardware,
    /// It has ended.
    #[error("it has ended at {not_after}")]
    Ended {
        /// When.
        not_after: Timestamp,
    },
}

impl ConfirmationError {
    /// The reason under which this is shown; `address` is who answered.
    pub fn cause(&self, address: &dyn fmt::Display) -> Cause {
        use ConfirmationError::{
            BeforeTheAsk, Ended, Envelope, Features, Issuer, Malformed, Mismatch, NotUnderstood,
            OtherHardware, OtherOrganisation,
        };
        let reason = match self {
            NotUnderstood | Issuer(ChainError::NotUnderstood) => Reason::NewerProtocol,
            Malformed | Features(_) | Mismatch(_) | OtherHardware => Reason::AnswerMismatch,
            Envelope(error) if error.is_of_form() => Reason::AnswerMismatch,
            Issuer(ChainError::NotYetValid { .. } | ChainError::Ended { .. })
            | BeforeTheAsk { .. }
            | Ended { .. } => Reason::AnswerOutOfTime,
            Issuer(_) | Envelope(_) => Reason::Untrusted,
            OtherOrganisation(name) => {
                return Reason::OtherOrganisation.with(&[("address", address), ("organisation", name)]);
            }
        };
        reason.with(&[("address", address), ("cause", self)])
    }
}
