//! What is signed: exact bytes under one signature, verified first and decoded after.
//!
//! `Signed { payload_type, payload, key_id, signature }` holds Ed25519 over the DSSE v1 string of type and payload, so a
//! signature over one kind of message is never one over another. Only [`open`] makes a [`Verified`], and only a
//! `Verified` can be decoded. Which key has to have signed is the caller's to say: `certificate` knows the vendor's
//! chain, `ask` the machine's own key. `docs/protocol.md` 1.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use ed25519_dalek::Signer;
use prost::Message;
use proto::v1;
use sha2::{Digest, Sha256};

use crate::ids::{HostId, ID_BYTES, KeyId, MachineId};
use crate::named::named;

named! {
    /// What a payload is. Its name stands inside the signature.
    Kind {
        /// A machine's request.
        Ask, "kms.ask.v1";
        /// A license for a time.
        Lease, "kms.lease.v1";
        /// Counted, and too few so far.
        Waiting, "kms.waiting.v1";
        /// Neither counted nor licensed, for a reason.
        Refusal, "kms.refusal.v1";
        /// Out of the count.
        Released, "kms.released.v1";
        /// One host, one product, one organisation.
        HostCertificate, "kms.host-certificate.v1";
        /// A key that may sign for the vendor.
        IssuingCertificate, "kms.issuing-certificate.v1";
        /// Certificates and confirmations that are not to be believed any more.
        RevocationList, "kms.revocation-list.v1";
        /// What a host asks its vendor to certify, as proof that it has the key.
        HostRequest, "kms.host-request.v1";
        /// What a portal asks the offline tool to certify as an issuing key, as proof that it has the key.
        IssuingRequest, "kms.issuing-request.v1";
        /// The same for a code key.
        CodeRequest, "kms.code-request.v1";
        /// What a host asks the vendor's portal.
        HostActivation, "kms.host-activation.v1";
        /// What a machine with a product key asks the vendor's portal.
        MachineActivation, "kms.machine-activation.v1";
        /// What a machine asks that gives the place of its key back.
        MachineRelease, "kms.machine-release.v1";
        /// A license by a product key.
        Confirmation, "kms.confirmation.v1";
        /// A key that may sign what is read aloud.
        CodeCertificate, "kms.code-certificate.v1";
        /// A license by a product key, read aloud. What is signed does not travel: the machine makes it anew.
        ConfirmationId, "kms.confirmation-id.v1";
        /// The numbers to call where codes are read aloud.
        Telephones, "kms.telephones.v1";
        /// What a machine asks the vendor's portal for whoever signs in on it.
        AccountAsk, "kms.account-ask.v1";
        /// A license by an account.
        UserLease, "kms.user-lease.v1";
    }
}

/// An Ed25519 public key that is fit to verify with: on the curve and of full order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// The key in these bytes.
    ///
    /// # Errors
    /// [`EnvelopeError::BadKey`] for anything but 32 bytes of a point of full order: under a small-order key some
    /// signatures hold for every message.
    pub fn from_slice(bytes: &[u8]) -> Result<PublicKey, EnvelopeError> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| EnvelopeError::BadKey)?;
        match ed25519_dalek::VerifyingKey::from_bytes(bytes) {
            Ok(key) if !key.is_weak() => Ok(PublicKey(key)),
            _ => Err(EnvelopeError::BadKey),
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Its name in envelopes.
    pub fn key_id(&self) -> KeyId {
        KeyId::of_key(self.as_bytes())
    }

    /// The machine that holds the private half.
    pub fn machine(&self) -> MachineId {
        MachineId::of_key(self.as_bytes())
    }

    /// The host that holds the private half.
    pub fn host(&self) -> HostId {
        HostId::of_key(self.as_bytes())
    }

    /// Whether `signature` is this key's over `kind` and `payload`, strictly: no weak key, no non-canonical encoding.
    pub(crate) fn verify(
        &self,
        kind: Kind,
        payload: &[u8],
        key_id: &[u8],
        signature: &[u8],
    ) -> Result<(), EnvelopeError> {
        let signature =
            ed25519_dalek::Signature::from_slice(signature).map_err(|_| EnvelopeError::BadLength)?;
        if key_id.len() != ID_BYTES {
            return Err(EnvelopeError::BadLength);
        }
        if key_id != self.key_id().as_bytes() {
            return Err(EnvelopeError::OtherKey);
        }
        self.0
            .verify_strict(&signing_string(kind, payload), &signature)
            .map_err(|_| EnvelopeError::BadSignature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// An Ed25519 private key; wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct SecretKey(ed25519_dalek::SigningKey);

impl SecretKey {
    /// The key made from 32 random bytes, which the caller draws and wipes.
    pub fn from_seed(seed: &[u8; 32]) -> SecretKey {
        SecretKey(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The 32 bytes that it was made from, for the one file that keeps it.
    pub fn seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a message: these bytes are what travels, and what a reader verifies.
    pub fn sign(&self, kind: Kind, message: &impl Message) -> v1::Signed {
        self.sign_bytes(kind, message.encode_to_vec().into())
    }

    /// Signs bytes that are encoded already.
    pub fn sign_bytes(&self, kind: Kind, payload: Bytes) -> v1::Signed {
        let v1::Signature { key_id, signature } = self.sign_beside(kind, &payload);
        v1::Signed { payload_type: kind.name().into(), payload, key_id, signature }
    }

    /// A further signature over bytes that somebody else has signed.
    pub fn sign_beside(&self, kind: Kind, payload: &[u8]) -> v1::Signature {
        let signature = self.0.sign(&signing_string(kind, payload));
        v1::Signature {
            key_id: Bytes::copy_from_slice(self.public().key_id().as_bytes()),
            signature: Bytes::copy_from_slice(&signature.to_bytes()),
        }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// The DSSE v1 string: `DSSEv1 SP len(type) SP type SP len(payload) SP payload`.
pub fn signing_string(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let payload_type = kind.name();
    let mut string = Vec::with_capacity(payload.len() + 64);
    string.extend_from_slice(
        alloc::format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).as_bytes(),
    );
    string.extend_from_slice(payload);
    string
}

/// Bytes whose signature has been verified. Only [`open`] makes one, and only it can be decoded.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a>(&'a Bytes);

impl Verified<'_> {
    /// The message in these bytes.
    ///
    /// # Errors
    /// [`EnvelopeError::Malformed`]: somebody trusted has signed what is not a message.
    pub fn decode<M: Message + Default>(self) -> Result<M, EnvelopeError> {
        M::decode(self.0.clone()).map_err(|_| EnvelopeError::Malformed)
    }
}

/// Verifies that `key` signed this as `kind`. The one way from bytes to a message.
///
/// # Errors
/// Another type, another key, a signature that does not hold.
pub fn open<'a>(signed: &'a v1::Signed, kind: Kind, key: &PublicKey) -> Result<Verified<'a>, EnvelopeError> {
    if signed.payload_type != kind.name() {
        return Err(EnvelopeError::OtherKind);
    }
    key.verify(kind, &signed.payload, &signed.key_id, &signed.signature)?;
    Ok(Verified(&signed.payload))
}

/// SHA-256 of an encoded chain: how a machine says which one it has.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// An envelope cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It holds another kind of message than is wanted here.
    #[error("another kind of message than is wanted here")]
    OtherKind,
    /// Another key has signed it.
    #[error("signed by another key than is wanted here")]
    OtherKey,
    /// The key is not 32 bytes of a point of full order.
    #[error("the public key is unfit to verify with")]
    BadKey,
    /// The key id is not 16 bytes, or the signature is not 64.
    #[error("the key id or the signature is not as long as they are")]
    BadLength,
    /// The signature does not hold.
    #[error("the signature does not hold")]
    BadSignature,
    /// The bytes under a good signature are not the message.
    #[error("the signed bytes are not the message")]
    Malformed,
}

impl EnvelopeError {
    /// Whether this is no envelope of the kind that is wanted here, so that nothing can be said of its signature.
    pub const fn is_of_form(self) -> bool {
        match self {
            EnvelopeError::OtherKind
            | EnvelopeError::BadKey
            | EnvelopeError::BadLength
            | EnvelopeError::Malformed => true,
            EnvelopeError::OtherKey | EnvelopeError::BadSignature => false,
        }
    }
}
