//! Licenses by an account: what a machine asks on which somebody signs in, and the lease that it gets.
//!
//! [`AccountAsk::open`] is the portal's only way to an ask, and [`UserLease::open`] the machine's only way to a lease from outside. A
//! machine that gets a lease asks [`UserLease::check_answer`], and one that keeps one [`UserLease::check_ours`]. `docs/protocol.md` 13.

use alloc::string::String;
use core::time::Duration;

use bytes::Bytes;
use proto::v1::{Organisation, Signed};
use proto::vendor::v1;

use crate::activation::{self, ActivationError, field};
use crate::certificate::{Roots, is_understood};
use crate::confirmation::{CLOCK_TOLERANCE, ConfirmationError, check_issued, matches, open_issued};
use crate::envelope::{Kind, PublicKey, SecretKey};
use crate::features::{Features, is_feature};
use crate::ids::{Fingerprint, MachineId, Nonce, OrganisationId, ProductId};
use crate::parts::{Hardware, HardwareParts};
use crate::print::one_line;
use crate::time::Timestamp;

/// The longest name of a device, in bytes.
pub const DEVICE_NAME_MAX_BYTES: usize = 64;

/// The longest name of an account, in bytes. RFC 5321 has no longer address.
pub const ACCOUNT_MAX_BYTES: usize = 254;

/// The longest lease. A portal gives 30 days.
const LEASE_MAX: Duration = Duration::from_hours(400 * 24);

crate::ids! {
    /// A person as one product knows them: another id for each product.
    ProductPersonId;
}

/// What a machine asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountPurpose {
    /// To be let in by a person.
    SignIn,
    /// A new lease for the person who has let it in.
    Renew,
    /// To be forgotten.
    SignOut,
}

/// A machine's ask for whoever signs in on it.
#[derive(Clone, Debug)]
pub struct AccountAsk {
    /// The machine's public key.
    pub machine_key: PublicKey,
    /// The product.
    pub product: ProductId,
    /// What is asked.
    pub purpose: AccountPurpose,
    /// The name of this ask.
    pub nonce: Nonce,
    /// The machine's clock when it made this ask.
    pub asked_at: Timestamp,
    /// Tells installations apart.
    pub fingerprint: Fingerprint,
    /// Tells hardware apart.
    pub parts: HardwareParts,
    /// How people call this machine. One that was read is on one line.
    pub device_name: String,
}

impl AccountAsk {
    /// The machine that asks.
    pub fn machine(&self) -> MachineId {
        self.machine_key.machine()
    }

    /// Signs it with the machine's key.
    pub fn sign(&self, identity: &SecretKey) -> Signed {
        let purpose = match self.purpose {
            AccountPurpose::SignIn => v1::AccountPurpose::SignIn,
            AccountPurpose::Renew => v1::AccountPurpose::Renew,
            AccountPurpose::SignOut => v1::AccountPurpose::SignOut,
        };
        let wire = v1::AccountAsk {
            machine_key: Bytes::copy_from_slice(self.machine_key.as_bytes()),
            product: Bytes::copy_from_slice(self.product.as_bytes()),
            purpose: purpose.into(),
            nonce: Bytes::copy_from_slice(self.nonce.as_bytes()),
            asked_at: self.asked_at.unix_ms(),
            fingerprint: Bytes::copy_from_slice(self.fingerprint.as_slice()),
            parts: self.parts.encode(),
            device_name: self.device_name.clone(),
        };
        identity.sign(Kind::AccountAsk, &wire)
    }

    /// Opens one for this purpose: verifies that the machine itself has signed it.
    ///
    /// # Errors
    /// See [`ActivationError`].
    pub fn open(signed: &Signed, wanted: AccountPurpose) -> Result<AccountAsk, ActivationError> {
        let key = |wire: &v1::AccountAsk| wire.machine_key.clone();
        let (machine_key, wire) = activation::open(signed, Kind::AccountAsk, key)?;
        let purpose = match wire.purpose() {
            v1::AccountPurpose::SignIn => Some(AccountPurpose::SignIn),
            v1::AccountPurpose::Renew => Some(AccountPurpose::Renew),
            v1::AccountPurpose::SignOut => Some(AccountPurpose::SignOut),
            v1::AccountPurpose::Unspecified => None,
        };
        let is_named = wire.device_name.len() <= DEVICE_NAME_MAX_BYTES;
        let is_named = is_named && (wire.device_name.is_empty() || wanted == AccountPurpose::SignIn);
        Ok(AccountAsk {
            machine_key,
            product: field(ProductId::from_slice(&wire.product), "product")?,
            purpose: field(purpose.filter(|purpose| *purpose == wanted), "purpose")?,
            nonce: field(Nonce::from_slice(&wire.nonce), "nonce")?,
            asked_at: Timestamp::from_unix_ms(wire.asked_at),
            fingerprint: field(Fingerprint::from_slice(&wire.fingerprint), "fingerprint")?,
            parts: field(HardwareParts::decode(wire.parts.as_ref()), "hardware parts")?,
            device_name: field(is_named.then(|| one_line(wire.device_name)), "device name")?,
        })
    }
}

/// What licenses a machine for a person, for as long as it says.
#[derive(Clone, Debug)]
pub struct UserLease {
    /// The machine.
    pub machine: MachineId,
    /// The product.
    pub product: ProductId,
    /// Who has signed in, as this product knows them.
    pub person: ProductPersonId,
    /// The account, for people. One that was read is on one line, and drives no terminal.
    pub account: String,
    /// Whose licence the person uses.
    pub organisation: OrganisationId,
    /// Its name, for people. One that was read is on one line, and drives no terminal.
    pub organisation_name: String,
    /// What the person has, as the vendor names it. It is written as features are.
    pub offer: String,
    /// What belongs to it beside the product.
    pub features: Features,
    /// The portal's clock when it signed this.
    pub issued_at: Timestamp,
    /// When the machine asks for the next one.
    pub renew_after: Timestamp,
    /// The first instant at which it licenses nobody any more.
    pub not_after: Timestamp,
    /// The nonce of the ask.
    pub nonce: Nonce,
    /// The ask's.
    pub fingerprint: Fingerprint,
    /// The ask's.
    pub parts: HardwareParts,
    /// Whether it is for a test.
    pub test: bool,
}

impl UserLease {
    /// Signs it with the issuing key, whose certificate travels along.
    pub fn sign(&self, issuing_key: &SecretKey, issuing_certificate: Signed) -> v1::SignedUserLease {
        v1::SignedUserLease {
            signed: Some(issuing_key.sign(Kind::UserLease, &self.encode())),
            issuing_certificate: Some(issuing_certificate),
        }
    }

    /// Verifies one from the root down.
    ///
    /// # Errors
    /// See [`ConfirmationError`]; whatever it is, it licenses nobody.
    pub fn open(wire: &v1::SignedUserLease, roots: &Roots) -> Result<UserLease, ConfirmationError> {
        let (issuing, verified) =
            open_issued(wire.issuing_certificate.as_ref(), wire.signed.as_ref(), Kind::UserLease, roots)?;
        let lease = UserLease::decode(verified.decode()?)?;
        check_issued(&issuing, lease.product, lease.test, lease.issued_at)?;
        Ok(lease)
    }

    /// Whether this answers the ask of this machine, so that it may be kept. `organisation` is the only one that may license this
    /// copy, if there is one.
    ///
    /// # Errors
    /// [`ConfirmationError::Mismatch`] and what else does not hold.
    pub fn check_answer(
        &self,
        ask: &AccountAsk,
        organisation: Option<OrganisationId>,
    ) -> Result<(), ConfirmationError> {
        matches(self.machine == ask.machine(), "machine")?;
        matches(self.product == ask.product, "product")?;
        matches(self.nonce == ask.nonce, "nonce")?;
        matches(self.fingerprint.as_slice() == ask.fingerprint.as_slice(), "fingerprint")?;
        matches(self.parts == ask.parts, "hardware parts")?;
        if organisation.is_some_and(|ours| ours != self.organisation) {
            return Err(ConfirmationError::OtherOrganisation(self.organisation_name.clone()));
        }
        if self.issued_at < ask.asked_at - CLOCK_TOLERANCE {
            return Err(ConfirmationError::BeforeTheAsk { confirmed_at: self.issued_at });
        }
        Ok(())
    }

    /// Whether this is of the machine that has kept it. Whether it has ended is the license's to say.
    ///
    /// # Errors
    /// It is of another machine or product, was copied here from another installation, or was given to other hardware.
    pub fn check_ours(
        &self,
        machine: MachineId,
        product: ProductId,
        fingerprint: Fingerprint,
        parts: &HardwareParts,
    ) -> Result<(), ConfirmationError> {
        matches(self.machine == machine, "machine")?;
        matches(self.product == product, "product")?;
        matches(!self.fingerprint.differs_from(&fingerprint), "fingerprint")?;
        match self.parts.compare(parts) {
            Hardware::Different => Err(ConfirmationError::OtherHardware),
            _ => Ok(()),
        }
    }

    fn decode(wire: v1::UserLease) -> Result<UserLease, ConfirmationError> {
        use ConfirmationError::Malformed;
        if !is_understood(wire.must_understand) {
            return Err(ConfirmationError::NotUnderstood);
        }
        let organisation = wire.organisation.ok_or(Malformed)?;
        let [issued_at, renew_after, not_after] =
            [wire.issued_at, wire.renew_after, wire.not_after].map(Timestamp::from_unix_ms);
        let is_in_order = issued_at < renew_after && renew_after < not_after;
        if !is_in_order || LEASE_MAX < not_after.since(issued_at) {
            return Err(Malformed);
        }
        if ACCOUNT_MAX_BYTES < wire.account.len() || !is_feature(&wire.offer) {
            return Err(Malformed);
        }
        Ok(UserLease {
            machine: MachineId::from_slice(&wire.machine).ok_or(Malformed)?,
            product: ProductId::from_slice(&wire.product).ok_or(Malformed)?,
            person: ProductPersonId::from_slice(&wire.person).ok_or(Malformed)?,
            account: one_line(wire.account),
            organisation: OrganisationId::from_slice(&organisation.id).ok_or(Malformed)?,
            organisation_name: one_line(organisation.name),
            offer: wire.offer,
            features: Features::decode(wire.features).map_err(ConfirmationError::Features)?,
            issued_at,
            renew_after,
            not_after,
            nonce: Nonce::from_slice(&wire.nonce).ok_or(Malformed)?,
            fingerprint: Fingerprint::from_slice(&wire.fingerprint).ok_or(Malformed)?,
            parts: HardwareParts::decode(wire.parts.as_ref()).ok_or(Malformed)?,
            test: wire.test,
        })
    }

    fn encode(&self) -> v1::UserLease {
        v1::UserLease {
            machine: Bytes::copy_from_slice(self.machine.as_bytes()),
            product: Bytes::copy_from_slice(self.product.as_bytes()),
            person: Bytes::copy_from_slice(self.person.as_bytes()),
            account: self.account.clone(),
            organisation: Some(Organisation {
                id: Bytes::copy_from_slice(self.organisation.as_bytes()),
                name: self.organisation_name.clone(),
            }),
            offer: self.offer.clone(),
            features: self.features.encode(),
            issued_at: self.issued_at.unix_ms(),
            renew_after: self.renew_after.unix_ms(),
            not_after: self.not_after.unix_ms(),
            nonce: Bytes::copy_from_slice(self.nonce.as_bytes()),
            fingerprint: Bytes::copy_from_slice(self.fingerprint.as_slice()),
            parts: self.parts.encode(),
            test: self.test,
            must_understand: 0,
        }
    }
}
