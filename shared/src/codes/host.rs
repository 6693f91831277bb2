//! A host by codes: its confirmation id is the signature of an ordinary host certificate.
//!
//! The certificate does not travel. What it says is in the *terms*, a file that is sold with the host key, so both sides make the same
//! bytes from terms, installation id and day. Machines verify them like those of any other host. Nobody signs the terms: with wrong
//! ones, the signature does not hold.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use proto::v1;
use sha2::{Digest, Sha256};

use super::{CodeError, CodeSubject, ConfirmationId, InstallationId};
use crate::certificate::{Chain, ChainError, HostCertificate, IssuingCertificate, Roots};
use crate::envelope::{EnvelopeError, Kind, PublicKey, SecretKey};
use crate::ids::{CertificateId, ID_BYTES, ProductId};
use crate::product_key::KeyNumber;
use crate::time::{Timestamp, from_ms, to_ms};

const DAY: Duration = Duration::from_hours(24);

/// Days are counted from 2026-01-01, so 16 bits last until 2205.
const FIRST_DAY: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

/// What a host's certificate will say, but for what only the host and the day of its confirmation decide.
#[derive(Clone, Debug)]
pub struct HostTerms {
    wire: v1::HostTerms,
    product: ProductId,
    key: KeyNumber,
    valid_for: Duration,
    roots: Roots,
    issuing: IssuingCertificate,
}

impl HostTerms {
    /// The terms of a host key. The certificate's own id, key and dates do not count.
    ///
    /// # Errors
    /// The issuing certificate is signed by no root, or not for this product.
    pub fn new(
        certificate: &HostCertificate,
        valid_for: Duration,
        key: KeyNumber,
        issuing_certificate: v1::Signed,
        roots: &Roots,
    ) -> Result<HostTerms, ChainError> {
        let blank = v1::HostCertificate {
            id: Bytes::new(),
            signing_key: Bytes::new(),
            not_before: 0,
            not_after: 0,
            issued_at: 0,
            ..certificate.encode()
        };
        HostTerms::of_wire(v1::HostTerms {
            certificate: Some(blank),
            issuing_certificate: Some(issuing_certificate),
            valid_for_ms: to_ms(valid_for),
            key_number: Bytes::copy_from_slice(key.as_bytes()),
            roots: roots.keys().iter().map(|key| Bytes::copy_from_slice(key.as_bytes())).collect(),
        })
    }

    /// The terms in the body of their file.
    ///
    /// # Errors
    /// The body is damaged, or as for [`HostTerms::new`].
    pub fn decode(body: &[u8]) -> Result<HostTerms, ChainError> {
        HostTerms::of_wire(v1::HostTerms::decode(body).map_err(|_| ChainError::Malformed)?)
    }

    /// The body of their file.
    pub fn encode(&self) -> Vec<u8> {
        self.wire.encode_to_vec()
    }

    fn of_wire(wire: v1::HostTerms) -> Result<HostTerms, ChainError> {
        use ChainError::Malformed;
        let roots = Roots::new(wire.roots.iter().map(Bytes::as_ref)).map_err(|_| Malformed)?;
        let issuing = wire.issuing_certificate.as_ref().ok_or(Malformed)?;
        let issuing = IssuingCertificate::verify(issuing, &roots)?;
        let certificate = wire.certificate.as_ref().ok_or(Malformed)?;
        let product = ProductId::from_slice(&certificate.product).ok_or(Malformed)?;
        issuing.check_signs(product, certificate.test)?;
        let key = KeyNumber::from_slice(&wire.key_number).ok_or(Malformed)?;
        let valid_for = from_ms(wire.valid_for_ms).filter(|length| !length.is_zero()).ok_or(Malformed)?;
        Ok(HostTerms { wire, product, key, valid_for, roots, issuing })
    }

    /// The installation id of the host with this key under these terms.
    pub fn installation_id(&self, signing_key: PublicKey) -> InstallationId {
        InstallationId::of_host(signing_key, self.product, self.key)
    }

    /// The product whose machines the host will license.
    pub fn product(&self) -> ProductId {
        self.product
    }

    /// The public number of the host key.
    pub fn key(&self) -> KeyNumber {
        self.key
    }

    /// How long a certificate under these terms is valid, from the day of its confirmation on.
    pub fn valid_for(&self) -> Duration {
        self.valid_for
    }

    /// When a certificate ends that is confirmed at this instant: it counts from the beginning of that day, in UTC.
    pub fn ends_at(&self, confirmed_at: Timestamp) -> Timestamp {
        self.issuing.not_after.min(beginning_of_day(confirmed_at) + self.valid_for)
    }

    /// The certificate of the key that has to confirm.
    pub fn issuing_certificate(&self) -> &IssuingCertificate {
        &self.issuing
    }

    /// The vendor's roots, for the host's certificate file.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// The exact bytes of the certificate of this host, if it is confirmed on this day.
    fn certificate(&self, id: &InstallationId, day: u16) -> Option<Bytes> {
        let CodeSubject::Host(signing_key) = id.installed else { return None };
        let begin = FIRST_DAY + DAY * u32::from(day);
        let digest = Sha256::new()
            .chain_update(b"kms v1 certificate by code")
            .chain_update(id.to_bytes())
            .chain_update(day.to_be_bytes());
        let certificate_id: [u8; ID_BYTES] = digest.finalize()[..ID_BYTES].try_into().ok()?;
        let certificate = v1::HostCertificate {
            id: Bytes::copy_from_slice(CertificateId::from_bytes(certificate_id).as_bytes()),
            signing_key: Bytes::copy_from_slice(signing_key.as_bytes()),
            // A day earlier, because the host's clock may be behind.
            not_before: (begin - DAY).unix_ms(),
            not_after: (begin + self.valid_for).unix_ms(),
            issued_at: begin.unix_ms(),
            ..self.wire.certificate.clone()?
        };
        (*id == self.installation_id(signing_key)).then(|| certificate.encode_to_vec().into())
    }
}

/// The beginning of the day of this instant, in UTC: a confirmation says the day, and no hour.
pub fn beginning_of_day(at: Timestamp) -> Timestamp {
    at - Duration::from_millis(at.unix_ms().rem_euclid(to_ms(DAY)).unsigned_abs())
}

impl ConfirmationId {
    /// Confirms a host today with the issuing key of its terms. Twice on one day, it is the same confirmation.
    ///
    /// # Errors
    /// [`CodeError::OtherInstallation`] if the id is of a machine, or of another product or key than the terms;
    /// [`CodeError::Terms`] if the key is not that of the terms, or they make no certificate that holds.
    pub fn of_host(
        id: &InstallationId,
        terms: &HostTerms,
        now: Timestamp,
        issuing_key: &SecretKey,
    ) -> Result<ConfirmationId, CodeError> {
        let day = now.since(FIRST_DAY).as_secs() / DAY.as_secs();
        let day = u16::try_from(day).map_err(|_| CodeError::Malformed)?;
        let certificate = terms.certificate(id, day).ok_or(CodeError::OtherInstallation)?;
        let signature = issuing_key.sign_beside(Kind::HostCertificate, &certificate).signature;
        let signature = signature[..].try_into().expect("a signature has 64 bytes");
        let confirmation = ConfirmationId { options: day, signature };
        confirmation.chain(id, terms).map(|_| confirmation)
    }

    /// The host's certificate and its chain, which machines verify like any other.
    ///
    /// # Errors
    /// [`CodeError::OtherInstallation`] if the confirmation is not for this host under these terms.
    pub fn chain(&self, id: &InstallationId, terms: &HostTerms) -> Result<Chain, CodeError> {
        let payload = terms.certificate(id, self.options).ok_or(CodeError::OtherInstallation)?;
        let signed = v1::Signed {
            payload_type: Kind::HostCertificate.name().into(),
            payload,
            key_id: Bytes::copy_from_slice(terms.issuing.public_key.key_id().as_bytes()),
            signature: Bytes::copy_from_slice(&self.signature),
        };
        let chain = Chain::encode(signed, terms.wire.issuing_certificate.clone());
        Chain::verify(&chain, &terms.roots).map_err(|error| match error {
            ChainError::HostCertificate(EnvelopeError::BadSignature) => CodeError::OtherInstallation,
            other => CodeError::Terms(other),
        })
    }
}
