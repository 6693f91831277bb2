//! What tests, benches and simulated hosts are certified with. Only with the feature `testing`.
//!
//! It stands once, so that a new field of a certificate is filled in here and nowhere else.

use alloc::borrow::ToOwned;
use core::time::Duration;

use bytes::Bytes;

use crate::certificate::{Chain, HostCertificate};
use crate::envelope::{Kind, PublicKey, SecretKey};
use crate::features::Features;
use crate::ids::{CertificateId, OrganisationId, ProductId};
use crate::policy::Policy;
use crate::time::Timestamp;

/// A host certificate with the default numbers, for a year. Change the fields that a story is about.
pub fn certificate(signing_key: PublicKey, product: ProductId, not_before: Timestamp) -> HostCertificate {
    HostCertificate {
        id: CertificateId::from_bytes([6; 16]),
        signing_key,
        product,
        product_name: "Atlas".to_owned(),
        organisation: OrganisationId::from_bytes([7; 16]),
        organisation_name: "Example Works".to_owned(),
        not_before,
        not_after: not_before + Duration::from_hours(365 * 24),
        test: false,
        policy: Policy::CLIENT,
        issued_at: None,
        seats: None,
        features: Features::NONE,
    }
}

/// The encoded chain of a certificate that a root has signed itself.
pub fn chain(root: &SecretKey, certificate: &HostCertificate) -> Bytes {
    Chain::encode(root.sign(Kind::HostCertificate, &certificate.encode()), None)
}
