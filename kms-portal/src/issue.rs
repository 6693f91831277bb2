//! What the portal makes: product keys, the confirmations of machines, the certificates of hosts, the terms of host keys, revocation lists.
//!
//! The issuing key signs confirmations, certificates and lists, with its certificate beside them. `codes` signs what is read aloud. `db`
//! keeps each with its place or activation, so the same ask gets the same bytes.

mod codes;
mod keys;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kms_portal_rules::keys::KeyRefusal;
use prost::Message as _;
use proto::v1::{Signed, SignedRevocationList};
use shared::certificate::{Chain, ChainError, HostCertificate, IssuingCertificate, Roots};
use shared::codes::{ConfirmationId, HostTerms, InstallationId};
use shared::confirmation::Confirmation;
use shared::envelope::{Kind, PublicKey, SecretKey};
use shared::ids::CertificateId;
use shared::product_key::KeyNumber;
use shared::revocation::{ListTooLarge, RevocationList, Revocations};
use shared::time::Timestamp;
use shared::user_lease::UserLease;

pub use codes::{CodeSigner, SignedCode, SoldMachine, TermsFault, Unconfirmed};
pub(crate) use keys::offer_tag;
pub use keys::{KeyMac, Pepper};

/// Signs for the portal. It is a trait because a key may live in hardware.
///
/// # Errors
/// [`KeyRefusal::IssuerEnded`]: the issuing certificate may not sign this, or not now.
#[async_trait]
pub trait Issue: Send + Sync + 'static {
    /// The key that signs.
    fn public_key(&self) -> PublicKey;

    /// Signs a confirmation: an encoded `kms.vendor.v1.SignedConfirmation`.
    async fn confirm(&self, confirmation: &Confirmation) -> Result<Bytes, KeyRefusal>;

    /// Signs a user lease: an encoded `kms.vendor.v1.SignedUserLease`.
    async fn lease(&self, lease: &UserLease) -> Result<Bytes, KeyRefusal>;

    /// Signs a host certificate: an encoded chain.
    async fn certify(&self, certificate: &HostCertificate, now: Timestamp) -> Result<Bytes, KeyRefusal>;

    /// The terms by which hosts of this key make their certificates from a code. A certificate's own id, key and dates do not count.
    async fn terms(
        &self,
        certificate: &HostCertificate,
        valid_for: Duration,
        key: KeyNumber,
        now: Timestamp,
    ) -> Result<HostTerms, KeyRefusal>;

    /// Confirms a host under such terms, as of this day.
    ///
    /// # Errors
    /// [`TermsFault`]: nobody is confirmed under them any more.
    async fn confirm_host(
        &self,
        id: &InstallationId,
        terms: &HostTerms,
        day: Timestamp,
        now: Timestamp,
    ) -> Result<ConfirmationId, TermsFault>;

    /// Signs a revocation list, at the instant that it says. It has too many ids, if it is larger than hosts can hand to machines.
    async fn revoke(
        &self,
        list: &RevocationList,
    ) -> Result<Result<SignedRevocationList, ListTooLarge>, KeyRefusal>;

    /// The id of its certificate.
    fn id(&self) -> CertificateId;
}

/// What roots have revoked, as far as the portal has heard. Nothing is signed under such a certificate: nobody would believe it, and
/// machines would pay for it with places.
#[derive(Debug, Default)]
struct Heard(RwLock<Arc<Revocations>>);

impl Heard {
    fn kept(&self) -> Arc<Revocations> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self, by_root: Arc<Revocations>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = by_root;
    }

    /// When a root has revoked this certificate.
    fn revoked_at(&self, certificate: CertificateId) -> Option<Timestamp> {
        self.kept().issuer(certificate).map(|revoked| revoked.at)
    }

    fn is_revoked(&self, certificate: CertificateId, now: Timestamp) -> bool {
        self.revoked_at(certificate).is_some_and(|revoked_at| revoked_at <= now)
    }
}

/// An issuing key with its certificate.
pub struct Issuer {
    key: SecretKey,
    certificate: IssuingCertificate,
    signed: Signed,
    roots: Roots,
    heard: Heard,
}

impl Issuer {
    /// This key with the certificate that one of these roots has signed for it.
    ///
    /// # Errors
    /// [`NotAnIssuer`]: the certificate does not verify, or is for another key.
    pub fn new(key: SecretKey, signed: Signed, roots: &Roots) -> Result<Issuer, NotAnIssuer> {
        let certificate = IssuingCertificate::verify(&signed, roots).map_err(NotAnIssuer::Certificate)?;
        if certificate.public_key != key.public() {
            return Err(NotAnIssuer::OtherKey);
        }
        let roots = roots.clone();
        Ok(Issuer { key, certificate, signed, roots, heard: Heard::default() })
    }

    /// When a root has revoked the certificate, if the portal knows of that.
    pub fn revoked_at(&self) -> Option<Timestamp> {
        self.heard.revoked_at(self.certificate.id)
    }

    /// What roots have revoked, as far as was heard.
    pub fn heard(&self) -> Arc<Revocations> {
        self.heard.kept()
    }

    /// Signs nothing from now on under what this list of a root has.
    pub fn take_note(&self, by_root: Arc<Revocations>) {
        self.heard.take(by_root);
    }

    fn is_valid_at(&self, now: Timestamp) -> bool {
        !self.heard.is_revoked(self.certificate.id, now) && self.certificate.check_valid_at(now).is_ok()
    }

    /// The certificate.
    pub fn certificate(&self) -> &IssuingCertificate {
        &self.certificate
    }

    /// Whether it can sign for this product now.
    pub fn signs(&self, product: shared::ids::ProductId, test: bool, now: Timestamp) -> bool {
        let may = self.certificate.covers(product) && self.certificate.allows(test);
        may && self.is_valid_at(now)
    }

    fn check(&self, product: shared::ids::ProductId, test: bool, now: Timestamp) -> Result<(), KeyRefusal> {
        if self.signs(product, test, now) {
            return Ok(());
        }
        let IssuingCertificate { not_before, not_after, .. } = self.certificate;
        let revoked_at = self.revoked_at().map(tracing::field::display);
        tracing::warn!(%product, test, %not_before, %not_after, revoked_at, "the issuing certificate cannot sign");
        Err(KeyRefusal::IssuerEnded)
    }
}

#[async_trait]
impl Issue for Issuer {
    fn public_key(&self) -> PublicKey {
        self.key.public()
    }

    async fn confirm(&self, confirmation: &Confirmation) -> Result<Bytes, KeyRefusal> {
        self.check(confirmation.product, confirmation.test, confirmation.confirmed_at)?;
        Ok(confirmation.sign(&self.key, self.signed.clone()).encode_to_vec().into())
    }

    async fn lease(&self, lease: &UserLease) -> Result<Bytes, KeyRefusal> {
        self.check(lease.product, lease.test, lease.issued_at)?;
        Ok(lease.sign(&self.key, self.signed.clone()).encode_to_vec().into())
    }

    async fn certify(&self, certificate: &HostCertificate, now: Timestamp) -> Result<Bytes, KeyRefusal> {
        self.check(certificate.product, certificate.test, now)?;
        let signed = self.key.sign(Kind::HostCertificate, &certificate.encode());
        Ok(Chain::encode(signed, Some(self.signed.clone())))
    }

    async fn terms(
        &self,
        certificate: &HostCertificate,
        valid_for: Duration,
        key: KeyNumber,
        now: Timestamp,
    ) -> Result<HostTerms, KeyRefusal> {
        self.check(certificate.product, certificate.test, now)?;
        let terms = HostTerms::new(certificate, valid_for, key, self.signed.clone(), &self.roots);
        terms.map_err(|_| KeyRefusal::IssuerEnded)
    }

    async fn confirm_host(
        &self,
        id: &InstallationId,
        terms: &HostTerms,
        day: Timestamp,
        now: Timestamp,
    ) -> Result<ConfirmationId, TermsFault> {
        self.confirm_host_by(id, terms, day, now)
    }

    async fn revoke(
        &self,
        list: &RevocationList,
    ) -> Result<Result<SignedRevocationList, ListTooLarge>, KeyRefusal> {
        if !self.is_valid_at(list.issued_at) {
            return Err(KeyRefusal::IssuerEnded);
        }
        let list = list.clone().within_limit(Some(&self.signed));
        Ok(list.map(|list| list.sign(&self.key, Some(self.signed.clone()))))
    }

    fn id(&self) -> CertificateId {
        self.certificate.id
    }
}

/// The public half only.
impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Issuer").field(&self.certificate).finish()
    }
}

/// Why a key with this certificate issues nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnIssuer {
    /// The certificate does not hold.
    #[error("{0}")]
    Certificate(ChainError),
    /// It is for another key.
    #[error("the issuing certificate is for another key than the portal's")]
    OtherKey,
}
