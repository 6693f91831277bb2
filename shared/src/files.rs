//! Files that a vendor, its portal and a host exchange or keep: private keys, requests, certificates.
//!
//! Each is a body in PEM armour. Writers and readers of such a file use this module, so each form is defined once.
//! `armour` has how a body survives a mail program, `certificate` what a certificate means. Callers read and write the disk.
//! `docs/protocol.md` 2.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::time::Duration;

use bytes::Bytes;
use pem_rfc7468::LineEnding;
use prost::Message;
use proto::v1;
use proto::vendor::v1::SignedConfirmation;
use zeroize::Zeroizing;

use crate::armour::{self, ArmourError};
use crate::certificate::{Chain, Roots};
use crate::envelope::{self, EnvelopeError, Kind, PublicKey, SecretKey, Verified};
use crate::time::{from_ms, to_ms};

/// What a host sends to its vendor.
pub const HOST_REQUEST: &str = "KMS HOST REQUEST";
/// Label of a host's ask to be activated by a key. The key is in it.
pub const HOST_ACTIVATION: &str = "KMS HOST ACTIVATION";
/// A machine's ask to be confirmed by a key. The key is in it.
pub const MACHINE_ACTIVATION: &str = "KMS MACHINE ACTIVATION";
/// What the portal answers to that.
pub const CONFIRMATION: &str = "KMS CONFIRMATION";
/// A revocation list.
pub const REVOCATION_LIST: &str = "KMS REVOCATION LIST";
/// What the vendor sends back.
pub const HOST_CERTIFICATE: &str = "KMS HOST CERTIFICATE";
/// The certificate of a key that confirms codes.
pub const CODE_CERTIFICATE: &str = "KMS CODE CERTIFICATE";
/// The numbers to call where codes are read aloud.
pub const TELEPHONES: &str = "KMS TELEPHONES";
/// What a host needs to be confirmed by a code, as it is sold with a host key.
pub const HOST_TERMS: &str = "KMS HOST TERMS";
/// A host's private key.
pub const HOST_SIGNING_KEY: &str = "KMS HOST SIGNING KEY";
/// A root's private key.
pub const ROOT_KEY: &str = "KMS ROOT KEY";
/// What a portal sends to the offline tool for its issuing key.
pub const ISSUING_REQUEST: &str = "KMS ISSUING REQUEST";
/// What a portal sends to the offline tool for its code key.
pub const CODE_REQUEST: &str = "KMS CODE REQUEST";
/// The private key of an issuing certificate.
pub const ISSUING_KEY: &str = "KMS ISSUING KEY";
/// The private key that confirms codes.
pub const CODE_KEY: &str = "KMS CODE KEY";
/// An issuing certificate.
pub const ISSUING_CERTIFICATE: &str = "KMS ISSUING CERTIFICATE";

/// The first byte of a private key's body: Ed25519, the 32 bytes of the seed follow.
const KEY_VERSION: u8 = 1;

/// A body in armour.
pub fn to_pem(label: &'static str, body: &[u8]) -> String {
    pem_rfc7468::encode_string(label, LineEnding::LF, body)
        .expect("the labels are valid and bodies are short")
}

/// The body of the one block of this label. It may be a key, so it is wiped when it is dropped.
///
/// # Errors
/// [`BadFile::Armour`].
pub fn from_pem(label: &'static str, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, BadFile> {
    let block = armour::find_one(text, label).map_err(|cause| BadFile::Armour { wanted: label, cause })?;
    body(label, &block)
}

/// The bodies of all blocks of this label, in their order; none if there is none.
///
/// # Errors
/// A block is damaged, or the text is none.
pub fn all_from_pem(label: &'static str, text: &[u8]) -> Result<Vec<Zeroizing<Vec<u8>>>, BadFile> {
    match armour::find(text, label) {
        Ok(blocks) => blocks.iter().map(|block| body(label, block)).collect(),
        Err(ArmourError::Missing | ArmourError::Other(_)) => Ok(Vec::new()),
        Err(cause) => Err(BadFile::Armour { wanted: label, cause }),
    }
}

fn body(label: &'static str, block: &str) -> Result<Zeroizing<Vec<u8>>, BadFile> {
    let damaged = |_| BadFile::Armour { wanted: label, cause: ArmourError::Damaged };
    pem_rfc7468::decode_vec(block.as_bytes()).map(|(_, body)| Zeroizing::new(body)).map_err(damaged)
}

/// The file of a private key.
pub fn key_to_pem(label: &'static str, key: &SecretKey) -> Zeroizing<String> {
    let mut body = Zeroizing::new([KEY_VERSION; 33]);
    body[1..].copy_from_slice(&*key.seed());
    Zeroizing::new(to_pem(label, &*body))
}

/// The private key in its file.
///
/// # Errors
/// There is no whole one, or it is of a newer release.
pub fn key_from_pem(label: &'static str, text: &[u8]) -> Result<SecretKey, BadFile> {
    let body = from_pem(label, text)?;
    match body.split_first() {
        Some((&KEY_VERSION, seed)) => seed.try_into().map(SecretKey::from_seed).map_err(|_| BadFile::Body),
        Some((&version, _)) => Err(BadFile::Version(version)),
        None => Err(BadFile::Body),
    }
}

/// What a host asks its vendor to certify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostRequest {
    /// The key that will sign answers.
    pub signing_key: PublicKey,
    /// The width of an hour in this host's ledger.
    pub hour_width: Duration,
    /// Whether that key has signed this. Earlier releases did not sign, so anybody could request a certificate for any key.
    pub is_signed: bool,
}

impl HostRequest {
    /// The request to certify this key, signed by it.
    pub fn compose(key: &SecretKey, hour_width: Duration) -> v1::HostRequest {
        let signing_key = Bytes::copy_from_slice(key.public().as_bytes());
        let request = v1::HostRequest { signing_key, hour_width_ms: to_ms(hour_width), proof: None };
        v1::HostRequest { proof: Some(key.sign(Kind::HostRequest, &request)), ..request }
    }

    /// Its file.
    pub fn to_pem(key: &SecretKey, hour_width: Duration) -> String {
        to_pem(HOST_REQUEST, &HostRequest::compose(key, hour_width).encode_to_vec())
    }

    /// The request in its file.
    ///
    /// # Errors
    /// There is no whole one, a value is out of its bounds, or its proof does not hold.
    pub fn from_pem(text: &[u8]) -> Result<HostRequest, BadFile> {
        HostRequest::decode(&from_pem(HOST_REQUEST, text)?)
    }

    /// The request in the body of its file.
    ///
    /// # Errors
    /// As for [`HostRequest::from_pem`].
    pub fn decode(body: &[u8]) -> Result<HostRequest, BadFile> {
        let mut wire = v1::HostRequest::decode(body).map_err(|_| BadFile::Body)?;
        let signing_key = PublicKey::from_slice(&wire.signing_key).map_err(|_| BadFile::Key)?;
        let hour_width = from_ms(wire.hour_width_ms).filter(|width| !width.is_zero());
        let hour_width = hour_width.ok_or(BadFile::HourWidth)?;
        let proof = wire.proof.take();
        proof.as_ref().map_or(Ok(()), |proof| check_proof(proof, Kind::HostRequest, &signing_key, &wire))?;
        Ok(HostRequest { signing_key, hour_width, is_signed: proof.is_some() })
    }
}

/// Checks that this key has signed what the request says.
fn check_proof<M: Message + Default + PartialEq>(
    proof: &v1::Signed,
    kind: Kind,
    key: &PublicKey,
    request: &M,
) -> Result<(), BadFile> {
    let verified = envelope::open(proof, kind, key);
    let signed: M = verified.and_then(Verified::decode).map_err(BadFile::Proof)?;
    if signed == *request { Ok(()) } else { Err(BadFile::Contradiction) }
}

/// What a portal's key is to be certified for. Neither request can be taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestedKey {
    /// To sign for the vendor, for a year.
    Issuing,
    /// To confirm codes, for as long as products carry its certificate.
    Code,
}

impl RequestedKey {
    /// The label of the request.
    pub fn label(self) -> &'static str {
        match self {
            RequestedKey::Issuing => ISSUING_REQUEST,
            RequestedKey::Code => CODE_REQUEST,
        }
    }

    fn kind(self) -> Kind {
        match self {
            RequestedKey::Issuing => Kind::IssuingRequest,
            RequestedKey::Code => Kind::CodeRequest,
        }
    }
}

/// What a portal asks the offline tool to certify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// The key that will sign for the vendor. It has signed this.
    pub public_key: PublicKey,
}

impl KeyRequest {
    /// The request to certify this key, signed by it.
    pub fn compose(of: RequestedKey, key: &SecretKey) -> v1::IssuingRequest {
        let public_key = Bytes::copy_from_slice(key.public().as_bytes());
        let request = v1::IssuingRequest { public_key, proof: None };
        v1::IssuingRequest { proof: Some(key.sign(of.kind(), &request)), ..request }
    }

    /// Its file.
    pub fn to_pem(of: RequestedKey, key: &SecretKey) -> String {
        to_pem(of.label(), &KeyRequest::compose(of, key).encode_to_vec())
    }

    /// The request in its file.
    ///
    /// # Errors
    /// There is no whole one, or its proof does not hold.
    pub fn from_pem(of: RequestedKey, text: &[u8]) -> Result<KeyRequest, BadFile> {
        KeyRequest::decode(of, &from_pem(of.label(), text)?)
    }

    /// The request in the body of its file.
    ///
    /// # Errors
    /// As for [`KeyRequest::from_pem`].
    pub fn decode(of: RequestedKey, body: &[u8]) -> Result<KeyRequest, BadFile> {
        let mut wire = v1::IssuingRequest::decode(body).map_err(|_| BadFile::Body)?;
        let public_key = PublicKey::from_slice(&wire.public_key).map_err(|_| BadFile::Key)?;
        let proof = wire.proof.take().ok_or(BadFile::Body)?;
        check_proof(&proof, of.kind(), &public_key, &wire)?;
        Ok(KeyRequest { public_key })
    }
}

/// The file of an issuing certificate, which a root has signed.
pub fn issuing_certificate_to_pem(signed: &v1::Signed) -> String {
    to_pem(ISSUING_CERTIFICATE, &signed.encode_to_vec())
}

/// The issuing certificate in its file; nothing is verified yet.
///
/// # Errors
/// There is no whole one, or it is damaged.
pub fn issuing_certificate_from_pem(text: &[u8]) -> Result<v1::Signed, BadFile> {
    let body = from_pem(ISSUING_CERTIFICATE, text)?;
    v1::Signed::decode(body.as_slice()).map_err(|_| BadFile::Body)
}

/// The file of a code certificate, as a root has signed it. Its body is what a product carries.
pub fn code_certificate_to_pem(signed: &v1::Signed) -> String {
    to_pem(CODE_CERTIFICATE, &signed.encode_to_vec())
}

/// The file of telephone numbers, as a root has signed them. Its body is what a product carries.
pub fn telephones_to_pem(signed: &v1::Signed) -> String {
    to_pem(TELEPHONES, &signed.encode_to_vec())
}

/// The file of a host's signed ask to be activated by a key.
pub fn host_activation_to_pem(ask: &v1::Signed) -> String {
    to_pem(HOST_ACTIVATION, &ask.encode_to_vec())
}

/// The signed ask in its file; nothing is verified yet.
///
/// # Errors
/// There is no whole one, or it is damaged.
pub fn host_activation_from_pem(text: &[u8]) -> Result<v1::Signed, BadFile> {
    let body = from_pem(HOST_ACTIVATION, text)?;
    v1::Signed::decode(body.as_slice()).map_err(|_| BadFile::Body)
}

/// The file of a confirmation, for `kms-client proxy apply`.
pub fn confirmation_to_pem(confirmation: &SignedConfirmation) -> String {
    to_pem(CONFIRMATION, &confirmation.encode_to_vec())
}

/// The file of a revocation list.
pub fn revocation_list_to_pem(list: &v1::SignedRevocationList) -> String {
    to_pem(REVOCATION_LIST, &list.encode_to_vec())
}

/// Every revocation list in a text; nothing is verified yet.
///
/// # Errors
/// There is no whole one, or one is damaged.
pub fn revocation_lists_from_pem(text: &[u8]) -> Result<Vec<v1::SignedRevocationList>, BadFile> {
    let blocks = armour::find(text, REVOCATION_LIST);
    let blocks = blocks.map_err(|cause| BadFile::Armour { wanted: REVOCATION_LIST, cause })?;
    let list = |block: &armour::Block| {
        let body = body(REVOCATION_LIST, block)?;
        v1::SignedRevocationList::decode(body.as_slice()).map_err(|_| BadFile::Body)
    };
    blocks.iter().map(list).collect()
}

/// The file of the vendor's root public keys: each on a line, in hex, with a comment behind it.
pub fn roots_to_text(roots: &[[u8; 32]; 2]) -> String {
    let mut text = String::from("# This vendor's root public keys; every product pins both.\n");
    for (number, root) in (1..).zip(roots) {
        for byte in root {
            let _ = write!(text, "{byte:02x}");
        }
        let _ = writeln!(text, "  # root-{number}.key");
    }
    text
}

/// The two root public keys in their file. Nothing is verified.
pub fn roots_from_text(text: &str) -> Option<[[u8; 32]; 2]> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    let keys: Vec<[u8; 32]> =
        lines.filter(|line| !line.is_empty()).map(key_from_hex).collect::<Option<_>>()?;
    keys.try_into().ok()
}

fn key_from_hex(text: &str) -> Option<[u8; 32]> {
    let (halves, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = halves.iter().map(|digits| {
        let digits =
            core::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))?;
        u8::from_str_radix(digits, 16).ok()
    });
    bytes.collect::<Option<Vec<_>>>()?.try_into().ok().filter(|_| rest.is_empty())
}

/// The file of a host's certificate.
pub fn certificate_to_pem(chain: &Chain, roots: &Roots) -> String {
    let roots = roots.keys().iter().map(|root| Bytes::copy_from_slice(root.as_bytes())).collect();
    certificate_answer_to_pem(chain.encoded().clone(), roots)
}

/// The same from an encoded chain and root public keys that are not verified yet.
pub fn certificate_answer_to_pem(chain: Bytes, roots: Vec<Bytes>) -> String {
    to_pem(HOST_CERTIFICATE, &v1::HostCertificateFile { chain, roots }.encode_to_vec())
}

/// Every encoded chain in a text, with the roots that came along; nothing is verified yet. A vendor may send those of several
/// hosts in one mail.
///
/// # Errors
/// There is no whole one, or one is damaged.
pub fn certificates_from_pem(text: &[u8]) -> Result<Vec<(Bytes, Roots)>, BadFile> {
    let blocks = armour::find(text, HOST_CERTIFICATE);
    let blocks = blocks.map_err(|cause| BadFile::Armour { wanted: HOST_CERTIFICATE, cause })?;
    let certificate = |block: &armour::Block| {
        let body = body(HOST_CERTIFICATE, block)?;
        let file = v1::HostCertificateFile::decode(body.as_slice()).map_err(|_| BadFile::Body)?;
        let roots = Roots::new(file.roots.iter().map(AsRef::as_ref)).map_err(|_| BadFile::Key)?;
        Ok((file.chain, roots))
    };
    blocks.iter().map(certificate).collect()
}

/// Why a file cannot be used. The sender has to send it again, whole.
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
    /// A request that the key which it names has not signed.
    #[error("the proof that its sender has the key does not hold: {0}")]
    Proof(EnvelopeError),
    /// A request that says something else than what is signed in it.
    #[error("it was changed after its sender had signed it")]
    Contradiction,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn roots_survive_their_file_and_nothing_else_is_taken_for_them() {
        let roots = [[7; 32], [0xab; 32]];
        let text = roots_to_text(&roots);
        assert_eq!(roots_from_text(&text), Some(roots));
        assert_eq!(roots_from_text(&text.to_uppercase().replace("# ", "#")), Some(roots));
        assert_eq!(roots_from_text(text.lines().nth(1).unwrap()), None);
        assert_eq!(roots_from_text(&text.replace("07", "7")), None);
        assert_eq!(roots_from_text(&text.replace("07", "+7")), None);
        assert_eq!(roots_from_text(&format!("{text}{text}")), None);
    }
}
