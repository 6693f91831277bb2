//! What travels between a vendor and its customers as a file, and what a vendor keeps in PEM: labels, bytes, refusals.
//!
//! `kms-host` writes the request and reads the certificate; it has these labels too. No generated type is seen behind
//! this module, except the signed envelopes. The messages stand in `proto/kms/v1/files.proto`.

use std::time::Duration;

use bytes::Bytes;
use pem_rfc7468::LineEnding;
use prost::Message as _;
use proto::v1;
use shared::armour::{self, ArmourError};
use shared::certificate::UNDERSTOOD;
use shared::envelope::{PublicKey, SecretKey, Verified};
use shared::ids::{CertificateId, ProductId};
use shared::time::{Timestamp, from_ms};
use zeroize::Zeroizing;

pub use shared::armour::{HOST_CERTIFICATE, HOST_REQUEST, ISSUING_CERTIFICATE, ISSUING_KEY, ROOT_KEY};

/// The first byte of a private key's body: Ed25519, the 32 bytes of the seed follow.
const KEY_VERSION: u8 = 1;

/// What a host asks its vendor to certify.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostRequest {
    /// The key that will sign answers.
    pub(crate) signing_key: PublicKey,
    /// The width of an hour in this host's ledger.
    pub(crate) hour_width: Duration,
}

impl HostRequest {
    pub(crate) fn from_pem(pem: &[u8]) -> Result<HostRequest, BadFile> {
        let body = from_pem(HOST_REQUEST, pem)?;
        let wire = v1::HostRequest::decode(Bytes::from(body)).map_err(|_| BadFile::Body)?;
        let hour_width = from_ms(wire.hour_width_ms).filter(|width| !width.is_zero());
        Ok(HostRequest {
            signing_key: PublicKey::from_slice(&wire.signing_key).map_err(|_| BadFile::Key)?,
            hour_width: hour_width.ok_or(BadFile::HourWidth)?,
        })
    }
}

/// The chain of one host certificate, and of the issuing certificate that its key belongs to.
pub(crate) fn encode_chain(host: v1::Signed, issuing: Option<v1::Signed>) -> Bytes {
    let chain = v1::Chain { host_certificate: Some(host), issuing_certificate: issuing };
    chain.encode_to_vec().into()
}

/// The file that a host installs.
pub(crate) fn certificate_to_pem(chain: Bytes, roots: &[[u8; 32]; 2]) -> String {
    let roots = roots.iter().map(|root| Bytes::copy_from_slice(root)).collect();
    let file = v1::HostCertificateFile { chain, roots };
    to_pem(HOST_CERTIFICATE, &file.encode_to_vec())
}

/// What an issuing certificate says.
pub(crate) struct IssuingCertificate {
    pub(crate) id: CertificateId,
    pub(crate) public_key: PublicKey,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// Empty means any.
    pub(crate) products: Vec<ProductId>,
    pub(crate) test: bool,
}

impl IssuingCertificate {
    pub(crate) fn encode(&self) -> v1::IssuingCertificate {
        let products = self.products.iter();
        v1::IssuingCertificate {
            id: Bytes::copy_from_slice(self.id.as_bytes()),
            public_key: Bytes::copy_from_slice(self.public_key.as_bytes()),
            not_before: self.not_before.unix_ms(),
            not_after: self.not_after.unix_ms(),
            products: products.map(|id| Bytes::copy_from_slice(id.as_bytes())).collect(),
            test: self.test,
            must_understand: 0,
        }
    }

    pub(crate) fn decode(verified: Verified<'_>) -> Option<IssuingCertificate> {
        let wire: v1::IssuingCertificate = verified.decode().ok()?;
        if wire.must_understand & !UNDERSTOOD != 0 {
            return None;
        }
        let products = wire.products.iter().map(|id| ProductId::from_slice(id));
        Some(IssuingCertificate {
            id: CertificateId::from_slice(&wire.id)?,
            public_key: PublicKey::from_slice(&wire.public_key).ok()?,
            not_before: Timestamp::from_unix_ms(wire.not_before),
            not_after: Timestamp::from_unix_ms(wire.not_after),
            products: products.collect::<Option<_>>()?,
            test: wire.test,
        })
    }
}

pub(crate) fn issuing_to_pem(signed: &v1::Signed) -> String {
    to_pem(ISSUING_CERTIFICATE, &signed.encode_to_vec())
}

pub(crate) fn issuing_from_pem(pem: &[u8]) -> Result<v1::Signed, BadFile> {
    let body = from_pem(ISSUING_CERTIFICATE, pem)?;
    v1::Signed::decode(Bytes::from(body)).map_err(|_| BadFile::Body)
}

pub(crate) fn key_to_pem(label: &'static str, key: &SecretKey) -> Zeroizing<String> {
    let mut body = Zeroizing::new([KEY_VERSION; 33]);
    body[1..].copy_from_slice(&*key.seed());
    Zeroizing::new(to_pem(label, &*body))
}

pub(crate) fn key_from_pem(label: &'static str, pem: &[u8]) -> Result<SecretKey, BadFile> {
    let body = Zeroizing::new(from_pem(label, pem)?);
    let Some((&version, seed)) = body.split_first() else {
        return Err(BadFile::Body);
    };
    if version != KEY_VERSION {
        return Err(BadFile::Version(version));
    }
    let seed = seed.try_into().map_err(|_| BadFile::Body)?;
    Ok(SecretKey::from_seed(seed))
}

fn to_pem(label: &'static str, body: &[u8]) -> String {
    pem_rfc7468::encode_string(label, LineEnding::LF, body)
        .expect("the labels are valid and bodies are short")
}

fn from_pem(label: &'static str, pem: &[u8]) -> Result<Vec<u8>, BadFile> {
    let bad = |cause| BadFile::Armour { wanted: label, cause };
    let block = armour::find_one(pem, label).map_err(bad)?;
    let (_, body) = pem_rfc7468::decode_vec(block.as_bytes()).map_err(|_| bad(ArmourError::Damaged))?;
    Ok(body)
}

/// A file is not what it should be. Whoever handed it over has to send it again, whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadFile {
    /// No armour of this label, or none that is whole.
    #[error("a whole {wanted} is not in it: {cause}")]
    Armour {
        /// The label that was wanted.
        wanted: &'static str,
        /// What there is instead.
        cause: ArmourError,
    },
    /// Written in a form that this release does not know.
    #[error("its body has version {0}, which this release does not know")]
    Version(u8),
    /// What the armour holds is not the message.
    #[error("what it holds is damaged")]
    Body,
    /// Not 32 bytes of a public key of full order.
    #[error("the public key in it is unfit to verify with")]
    Key,
    /// The width of an hour is not a positive length of time.
    #[error("the width of an hour in it is no length of time")]
    HourWidth,
}
