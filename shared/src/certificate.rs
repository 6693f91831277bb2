//! The chain of trust: pinned root, optional issuing certificate, host certificate.
//!
//! [`Chain::verify`] is the only way to a [`Chain`]. So a [`Chain`] ends in a pinned root, its numbers hold, and this release knows
//! everything in it. It does not know the time: [`Chain::check_valid_at`] is asked where the protocol says at which instant.
//! `answer` says what the chain signs. `docs/protocol.md` 2.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use bytes::Bytes;
use prost::Message;
use proto::v1;

use crate::envelope::{self, EnvelopeError, Kind, PublicKey, Verified};
use crate::features::{Features, FeaturesError};
use crate::ids::{CertificateId, HostId, OrganisationId, ProductId};
use crate::policy::{Policy, PolicyError};
use crate::print::one_line;
use crate::time::Timestamp;

/// The `must_understand` bits that this release knows: none.
const UNDERSTOOD: u32 = 0;

/// Whether this release knows every bit of a `must_understand` word.
pub(crate) const fn is_understood(must_understand: u32) -> bool {
    must_understand & !UNDERSTOOD == 0
}

/// The vendor's public keys: the only thing that is trusted from the start. Two, so that one can be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots(Vec<PublicKey>);

impl Roots {
    /// These keys, 32 bytes each.
    ///
    /// # Errors
    /// [`EnvelopeError::BadKey`] for no key, or one that is unfit to verify with.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Result<Roots, EnvelopeError> {
        let keys: Vec<_> = keys.into_iter().map(PublicKey::from_slice).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(EnvelopeError::BadKey);
        }
        Ok(Roots(keys))
    }

    /// The keys.
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// Whether each of these keys is one of those.
    pub fn are_among(&self, those: &Roots) -> bool {
        self.0.iter().all(|key| those.0.contains(key))
    }

    /// Opens what one of the roots has signed.
    pub(crate) fn open<'a>(&self, signed: &'a v1::Signed, kind: Kind) -> Result<Verified<'a>, EnvelopeError> {
        let key_id = |root: &&PublicKey| signed.key_id == root.key_id().as_bytes()[..];
        let root = self.0.iter().find(key_id).ok_or(EnvelopeError::OtherKey)?;
        envelope::open(signed, kind, root)
    }
}

/// What the vendor signs when a host is activated: one signing key, one product, one organisation, the numbers.
#[derive(Clone, Debug)]
pub struct HostCertificate {
    /// Its own id.
    pub id: CertificateId,
    /// The key that signs answers.
    pub signing_key: PublicKey,
    /// The product.
    pub product: ProductId,
    /// Its name, for people. One that was read is on one line, and drives no terminal.
    pub product_name: String,
    /// The organisation whose machines are served.
    pub organisation: OrganisationId,
    /// Its name, for people. This one is on one line as well.
    pub organisation_name: String,
    /// The first instant at which it is valid.
    pub not_before: Timestamp,
    /// The first instant at which it is valid no more.
    pub not_after: Timestamp,
    /// Whether lower bounds were lifted for a test.
    pub test: bool,
    /// The product's numbers.
    pub policy: Policy,
    /// When the vendor issued it. Certificates of earlier releases do not say.
    pub issued_at: Option<Timestamp>,
    /// How many machines the organisation has paid for, if the vendor says so. It refuses nobody.
    pub seats: Option<NonZeroU32>,
    /// What the vendor has sold beside the product.
    pub features: Features,
}

impl HostCertificate {
    /// When it was issued. A certificate that does not say counts from its first instant.
    pub fn dated(&self) -> Timestamp {
        self.issued_at.unwrap_or(self.not_before)
    }

    /// The host that it names.
    pub fn host(&self) -> HostId {
        self.signing_key.host()
    }

    fn decode(wire: v1::HostCertificate) -> Result<HostCertificate, ChainError> {
        if !is_understood(wire.must_understand) {
            return Err(ChainError::NotUnderstood);
        }
        let organisation = wire.organisation.ok_or(ChainError::Malformed)?;
        Ok(HostCertificate {
            id: CertificateId::from_slice(&wire.id).ok_or(ChainError::Malformed)?,
            signing_key: PublicKey::from_slice(&wire.signing_key).map_err(ChainError::HostCertificate)?,
            product: ProductId::from_slice(&wire.product).ok_or(ChainError::Malformed)?,
            // Names are for people alone, and everybody prints them.
            product_name: one_line(wire.product_name),
            organisation: OrganisationId::from_slice(&organisation.id).ok_or(ChainError::Malformed)?,
            organisation_name: one_line(organisation.name),
            not_before: Timestamp::from_unix_ms(wire.not_before),
            not_after: Timestamp::from_unix_ms(wire.not_after),
            test: wire.test,
            policy: Policy::decode(&wire.policy.ok_or(ChainError::Malformed)?).map_err(ChainError::Policy)?,
            issued_at: Some(wire.issued_at).filter(|at| *at != 0).map(Timestamp::from_unix_ms),
            seats: NonZeroU32::new(wire.seats),
            features: Features::decode(wire.features).map_err(ChainError::Features)?,
        })
    }

    /// For the vendor, who signs it. No other side encodes a certificate.
    pub fn encode(&self) -> v1::HostCertificate {
        v1::HostCertificate {
            id: Bytes::copy_from_slice(self.id.as_bytes()),
            signing_key: Bytes::copy_from_slice(self.signing_key.as_bytes()),
            product: Bytes::copy_from_slice(self.product.as_bytes()),
            product_name: self.product_name.clone(),
            organisation: Some(v1::Organisation {
                id: Bytes::copy_from_slice(self.organisation.as_bytes()),
                name: self.organisation_name.clone(),
            }),
            not_before: self.not_before.unix_ms(),
            not_after: self.not_after.unix_ms(),
            test: self.test,
            must_understand: 0,
            policy: Some(self.policy.encode()),
            issued_at: self.issued_at.map_or(0, Timestamp::unix_ms),
            seats: self.seats.map_or(0, NonZeroU32::get),
            features: self.features.encode(),
        }
    }
}

/// A key that a root lets sign host certificates, confirmations and revocation lists for a while.
#[derive(Clone, Debug)]
pub struct IssuingCertificate {
    /// Its own id.
    pub id: CertificateId,
    /// The key that signs.
    pub public_key: PublicKey,
    /// The first instant at which it is valid.
    pub not_before: Timestamp,
    /// The first instant at which it is valid no more.
    pub not_after: Timestamp,
    /// The products that it may sign for; empty means any.
    pub products: Vec<ProductId>,
    /// Whether it may sign nothing but what is marked as test.
    pub test: bool,
}

impl IssuingCertificate {
    /// Verifies one on its own.
    ///
    /// # Errors
    /// As for [`Chain::verify`].
    pub fn verify(signed: &v1::Signed, roots: &Roots) -> Result<IssuingCertificate, ChainError> {
        let verified =
            roots.open(signed, Kind::IssuingCertificate).map_err(ChainError::IssuingCertificate)?;
        IssuingCertificate::decode(verified.decode().map_err(ChainError::IssuingCertificate)?)
    }

    /// From bytes that were verified.
    pub(crate) fn decode(wire: v1::IssuingCertificate) -> Result<IssuingCertificate, ChainError> {
        if !is_understood(wire.must_understand) {
            return Err(ChainError::NotUnderstood);
        }
        let products = wire.products.iter().map(|id| ProductId::from_slice(id));
        Ok(IssuingCertificate {
            id: CertificateId::from_slice(&wire.id).ok_or(ChainError::Malformed)?,
            public_key: PublicKey::from_slice(&wire.public_key).map_err(ChainError::IssuingCertificate)?,
            not_before: Timestamp::from_unix_ms(wire.not_before),
            not_after: Timestamp::from_unix_ms(wire.not_after),
            products: products.collect::<Option<_>>().ok_or(ChainError::Malformed)?,
            test: wire.test,
        })
    }

    /// For the vendor, whose root signs it.
    pub fn encode(&self) -> v1::IssuingCertificate {
        v1::IssuingCertificate {
            id: Bytes::copy_from_slice(self.id.as_bytes()),
            public_key: Bytes::copy_from_slice(self.public_key.as_bytes()),
            not_before: self.not_before.unix_ms(),
            not_after: self.not_after.unix_ms(),
            products: self.products.iter().map(|id| Bytes::copy_from_slice(id.as_bytes())).collect(),
            test: self.test,
            must_understand: 0,
        }
    }

    /// What this certificate may sign, and another one in its place may not.
    pub fn loses(&self, other: &IssuingCertificate) -> Option<&'static str> {
        let keeps_products = match self.products.as_slice() {
            [] => other.products.is_empty(),
            products => products.iter().all(|product| other.covers(*product)),
        };
        if !keeps_products {
            return Some("not every product");
        }
        if !self.test && other.test {
            return Some("tests only");
        }
        (other.not_after < self.not_after).then_some("it ends earlier")
    }

    /// Whether it may sign for this product.
    pub fn covers(&self, product: ProductId) -> bool {
        self.products.is_empty() || self.products.contains(&product)
    }

    /// Whether it may sign what has this mark.
    pub fn allows(&self, test: bool) -> bool {
        test || !self.test
    }

    /// Whether it may sign what is for this product and has this mark. A stolen issuing key signs only what its certificate names.
    ///
    /// # Errors
    /// [`ChainError::IssuerProducts`] or [`ChainError::IssuerTestOnly`].
    pub fn check_signs(&self, product: ProductId, test: bool) -> Result<(), ChainError> {
        if !self.covers(product) {
            return Err(ChainError::IssuerProducts);
        }
        if self.allows(test) { Ok(()) } else { Err(ChainError::IssuerTestOnly) }
    }

    /// Whether it is valid at this instant.
    ///
    /// # Errors
    /// [`ChainError::NotYetValid`] or [`ChainError::Ended`].
    pub fn check_valid_at(&self, at: Timestamp) -> Result<(), ChainError> {
        check_dates(self.not_before, self.not_after, at)
    }
}

/// A chain that ends in a pinned root. It says nothing about the time. A clone shares it.
#[derive(Clone, Debug)]
pub struct Chain(Arc<Links>);

#[derive(Debug)]
struct Links {
    encoded: Bytes,
    digest: [u8; 32],
    host: HostCertificate,
    issuing: Option<IssuingCertificate>,
}

impl Chain {
    /// The chain of a host certificate, with the issuing certificate whose key has signed it.
    pub fn encode(host: v1::Signed, issuing: Option<v1::Signed>) -> Bytes {
        v1::Chain { host_certificate: Some(host), issuing_certificate: issuing }.encode_to_vec().into()
    }

    /// Verifies an encoded `Chain` from the root down.
    ///
    /// # Errors
    /// See [`ChainError`]; whatever it is, nothing that this chain signs is to be believed.
    pub fn verify(encoded: &Bytes, roots: &Roots) -> Result<Chain, ChainError> {
        let wire = v1::Chain::decode(encoded.clone()).map_err(|_| ChainError::Malformed)?;
        let issuing = wire.issuing_certificate.as_ref();
        let issuing = issuing.map(|signed| IssuingCertificate::verify(signed, roots)).transpose()?;
        let signed = wire.host_certificate.as_ref().ok_or(ChainError::Malformed)?;
        let verified = match &issuing {
            None => roots.open(signed, Kind::HostCertificate),
            Some(issuing) => envelope::open(signed, Kind::HostCertificate, &issuing.public_key),
        };
        let verified = verified.map_err(ChainError::HostCertificate)?;
        let host = HostCertificate::decode(verified.decode().map_err(ChainError::HostCertificate)?)?;
        issuing.as_ref().map_or(Ok(()), |issuing| issuing.check_signs(host.product, host.test))?;
        Ok(Chain(Arc::new(Links {
            encoded: encoded.clone(),
            digest: envelope::digest(encoded),
            host,
            issuing,
        })))
    }

    /// The host certificate.
    pub fn host(&self) -> &HostCertificate {
        &self.0.host
    }

    /// The issuing certificate, unless a root has signed the host certificate itself.
    pub fn issuing(&self) -> Option<&IssuingCertificate> {
        self.0.issuing.as_ref()
    }

    /// The exact bytes that were verified.
    pub fn encoded(&self) -> &Bytes {
        &self.0.encoded
    }

    /// SHA-256 of the exact bytes.
    pub fn digest(&self) -> [u8; 32] {
        self.0.digest
    }

    /// Whether every certificate of the chain is valid at this instant.
    ///
    /// # Errors
    /// [`ChainError::NotYetValid`] or [`ChainError::Ended`], with the instant that decides.
    pub fn check_valid_at(&self, at: Timestamp) -> Result<(), ChainError> {
        self.0.issuing.as_ref().map_or(Ok(()), |issuing| issuing.check_valid_at(at))?;
        check_dates(self.0.host.not_before, self.0.host.not_after, at)
    }

    /// The first instant at which a certificate of this chain has ended.
    pub fn ends_at(&self) -> Timestamp {
        let host = self.0.host.not_after;
        self.0.issuing.as_ref().map_or(host, |issuing| host.min(issuing.not_after))
    }

    /// The first instant at which every certificate of this chain has begun.
    pub fn begins_at(&self) -> Timestamp {
        let host = self.0.host.not_before;
        self.0.issuing.as_ref().map_or(host, |issuing| host.max(issuing.not_before))
    }

    /// Orders chains from the one issued first to the one issued last. No two certificates are equal.
    pub fn issue_order(&self) -> (Timestamp, Timestamp, CertificateId) {
        (self.0.host.dated(), self.0.host.not_before, self.0.host.id)
    }
}

fn check_dates(not_before: Timestamp, not_after: Timestamp, at: Timestamp) -> Result<(), ChainError> {
    if at < not_before {
        return Err(ChainError::NotYetValid { not_before });
    }
    if not_after <= at {
        return Err(ChainError::Ended { not_after });
    }
    Ok(())
}

/// Which of several chains for one product answers (protocol.md 2):
///
/// 1. of those that are valid, the one that was issued last
/// 2. where none is, of those that have ended the one that ended last
/// 3. where none has begun, the one that begins first
///
/// Between equals the first instant decides, then the id, so every reader chooses the same.
pub fn choose<'a>(chains: impl Iterator<Item = &'a Chain> + Clone, now: Timestamp) -> Option<&'a Chain> {
    let valid = chains.clone().filter(|chain| chain.check_valid_at(now).is_ok());
    let ended = chains.clone().filter(|chain| chain.ends_at() <= now);
    valid
        .max_by_key(|chain| chain.issue_order())
        .or_else(|| ended.max_by_key(|chain| (chain.ends_at(), chain.issue_order())))
        .or_else(|| chains.min_by_key(|chain| (chain.begins_at(), chain.issue_order())))
}

/// Why a chain is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Not a chain: bytes or fields that do not fit.
    #[error("the chain is malformed")]
    Malformed,
    /// The host certificate cannot be opened.
    #[error("host certificate: {0}")]
    HostCertificate(EnvelopeError),
    /// The issuing certificate cannot be opened.
    #[error("issuing certificate: {0}")]
    IssuingCertificate(EnvelopeError),
    /// It has a `must_understand` bit that this release does not know: update this side.
    #[error("a certificate needs a newer release on this side")]
    NotUnderstood,
    /// The issuing certificate is for other products.
    #[error("the issuing certificate may not sign for this product")]
    IssuerProducts,
    /// The issuing certificate is for tests.
    #[error("the issuing certificate may sign only what is marked as test")]
    IssuerTestOnly,
    /// Its numbers cannot hold.
    #[error("host certificate: {0}")]
    Policy(PolicyError),
    /// Its features are none.
    #[error("host certificate: {0}")]
    Features(FeaturesError),
    /// Not valid yet.
    #[error("the certificate is valid only from {not_before} on")]
    NotYetValid {
        /// When it begins.
        not_before: Timestamp,
    },
    /// Valid no more.
    #[error("the certificate has ended at {not_after}")]
    Ended {
        /// When it ended.
        not_after: Timestamp,
    },
}
