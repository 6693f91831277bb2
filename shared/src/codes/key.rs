//! The code key: signs confirmation ids, and nothing else. A root has certified it, and the product carries the certificate.
//!
//! It is no issuing key, because a product outlives the year of one. Its certificate has a type of its own, so neither key can stand in
//! for the other, also at readers that do not know codes.

use alloc::vec::Vec;

use bytes::Bytes;
use prost::Message as _;
use proto::v1;

use crate::certificate::{ChainError, IssuingCertificate, Roots};
use crate::envelope::{Kind, PublicKey};
use crate::features::Features;
use crate::ids::{CertificateId, ProductId};
use crate::time::Timestamp;

/// What a root signs for a code key.
#[derive(Clone, Debug)]
pub struct CodeCertificate {
    /// The key and its limits.
    pub limits: IssuingCertificate,
    /// What a confirmation may grant, each by its place; 63 at most.
    pub feature_sets: Vec<Features>,
}

impl CodeCertificate {
    /// Verifies an encoded one on its own, for whatever products and times it is.
    ///
    /// # Errors
    /// No root has signed it, or this release does not understand it.
    pub fn verify(certificate: &[u8], roots: &Roots) -> Result<CodeCertificate, ChainError> {
        let signed = signed(certificate)?;
        let open = || roots.open(&signed, Kind::CodeCertificate)?.decode::<v1::CodeCertificate>();
        CodeCertificate::decode(open().map_err(ChainError::IssuingCertificate)?)
    }

    /// Reads an encoded one of which nobody says who has signed it. **Trust nothing that it says.** It is for certificates that were
    /// verified under a root that was replaced since: products in use still have them.
    ///
    /// # Errors
    /// These are other bytes, or this release does not understand it.
    pub fn read_unverified(certificate: &[u8]) -> Result<CodeCertificate, ChainError> {
        let wire = v1::CodeCertificate::decode(signed(certificate)?.payload);
        CodeCertificate::decode(wire.map_err(|_| ChainError::Malformed)?)
    }

    fn decode(wire: v1::CodeCertificate) -> Result<CodeCertificate, ChainError> {
        let limits = IssuingCertificate::decode(wire.limits.ok_or(ChainError::Malformed)?)?;
        let sets = wire.feature_sets.into_iter().map(|set| Features::decode(set.features));
        let feature_sets = sets.collect::<Result<_, _>>().map_err(ChainError::Features)?;
        Ok(CodeCertificate { limits, feature_sets })
    }

    /// The place of the set with exactly these features, the first being 1; 0 for no features. `None` if no confirmation can grant them.
    pub fn place_of(&self, features: &Features) -> Option<u8> {
        if *features == Features::NONE {
            return Some(0);
        }
        let index = self.feature_sets.iter().position(|set| set == features)?;
        u8::try_from(index + 1).ok()
    }

    /// For the vendor, whose root signs it.
    pub fn encode(&self) -> v1::CodeCertificate {
        let set = |features: &Features| v1::FeatureSet { features: features.encode() };
        v1::CodeCertificate {
            limits: Some(self.limits.encode()),
            feature_sets: self.feature_sets.iter().map(set).collect(),
        }
    }
}

fn signed(certificate: &[u8]) -> Result<v1::Signed, ChainError> {
    v1::Signed::decode(Bytes::copy_from_slice(certificate)).map_err(|_| ChainError::Malformed)
}

/// A code key that a root has certified for a product. It says nothing about the time.
#[derive(Clone, Debug)]
pub struct CodeKey(CodeCertificate);

impl CodeKey {
    /// The key of an encoded certificate, such as a product carries. `test` is whether the product is for tests.
    ///
    /// # Errors
    /// No root has signed it, it is for other products, or this release does not understand it.
    pub fn verify(
        certificate: &[u8],
        roots: &Roots,
        product: ProductId,
        test: bool,
    ) -> Result<CodeKey, ChainError> {
        let certificate = CodeCertificate::verify(certificate, roots)?;
        certificate.limits.check_signs(product, test)?;
        Ok(CodeKey(certificate))
    }

    /// The key.
    pub fn public_key(&self) -> PublicKey {
        self.0.limits.public_key
    }

    /// The id of its certificate, by which a root revokes it.
    pub fn id(&self) -> CertificateId {
        self.0.limits.id
    }

    /// Whether what it confirms is for a test.
    pub fn is_test(&self) -> bool {
        self.0.limits.test
    }

    /// What it may grant, each set by its place.
    pub fn feature_sets(&self) -> &[Features] {
        &self.0.feature_sets
    }

    /// Whether it may confirm at this instant. What it has confirmed outlives it.
    ///
    /// # Errors
    /// [`ChainError::NotYetValid`] or [`ChainError::Ended`].
    pub fn check_valid_at(&self, at: Timestamp) -> Result<(), ChainError> {
        self.0.limits.check_valid_at(at)
    }

    /// A set of features by its place, the first being 1; none for 0.
    pub(super) fn features(&self, place: u8) -> Option<Features> {
        match usize::from(place).checked_sub(1) {
            None => Some(Features::NONE),
            Some(index) => self.0.feature_sets.get(index).cloned(),
        }
    }
}
