//! What a machine asks, on both sides: the client composes and signs it, the host opens it.
//!
//! The machine's own key signs, and the machine's name follows from that key, so nobody is counted, renewed or released
//! in another's name. [`UnverifiedAsk::verify`] is the host's only way in. What becomes of an ask is decided in `count`;
//! what the machine makes of the answer in `answer`. `docs/protocol.md` 1.

use alloc::borrow::ToOwned;
use alloc::string::String;

use bytes::Bytes;
use proto::v1;

use crate::envelope::{self, EnvelopeError, Kind, PublicKey, SecretKey};
use crate::ids::{Fingerprint, HostId, MachineId, Nonce, ProductId};
use crate::serial::Mark;
use crate::time::Timestamp;

/// The highest serial that a machine may present; above it an ask is malformed.
pub const SERIAL_MAX: u64 = 1 << 62;

/// The longest text that an ask may carry for the inventory, in bytes.
const TEXT_MAX_BYTES: usize = 64;

/// The longest code of a reason that an ask may carry, in bytes.
const CODE_MAX_BYTES: usize = 48;

/// What a machine asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskKind {
    /// A lease: the first one, or the renewal of the one that it presents.
    Activate,
    /// To leave the count at once.
    Release,
}

/// A machine's request. Composed by the client, or opened by the host, which then knows that the machine signed it.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The machine's public key.
    pub machine_key: PublicKey,
    /// The product.
    pub product: ProductId,
    /// The name of this ask.
    pub nonce: Nonce,
    /// The machine's clock when it sent this.
    pub asked_at: Timestamp,
    /// The serial of the last answer that the machine accepted.
    pub serial: u64,
    /// What tells installations apart.
    pub fingerprint: Fingerprint,
    /// The lease that it holds, expired or not; nobody has verified it yet.
    pub held_lease: Option<v1::Signed>,
    /// The digest of the chain that it has.
    pub chain_digest: Option<[u8; 32]>,
    /// The key of the identity that this one replaces.
    pub replaces: Option<PublicKey>,
    /// Whether the machine can keep state.
    pub kept: bool,
    /// What it asks for.
    pub kind: AskKind,
    /// The product's edition, for the inventory.
    pub edition: String,
    /// The client library's version, for the inventory.
    pub library_version: String,
    /// The last answer that the machine did not take.
    pub rejected: Option<Rejected>,
}

/// An answer that a machine did not take: for the host that gave it, which could not know otherwise. No rule reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The code of the reason.
    pub code: String,
    /// The host that the answer names. Nobody has verified it.
    pub host: Option<HostId>,
}

impl Rejected {
    /// This answer, rejected for this reason.
    pub fn new(code: &str, answer: &v1::Answer) -> Rejected {
        let payload = answer.signed.as_ref().map(|signed| signed.payload.clone()).unwrap_or_default();
        // All four answers begin with the header, and this one has nothing else.
        let header = <v1::Released as prost::Message>::decode(payload).ok().and_then(|answer| answer.header);
        Rejected { code: code.to_owned(), host: header.and_then(|header| HostId::from_slice(&header.host)) }
    }

    /// Reads it. A report that does not fit is dropped, because nothing depends on it.
    pub fn decode(wire: &v1::Rejected) -> Option<Rejected> {
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let is_code = (1..=CODE_MAX_BYTES).contains(&wire.code.len()) && wire.code.bytes().all(fits);
        is_code.then(|| Rejected { code: wire.code.clone(), host: HostId::from_slice(&wire.host) })
    }

    /// As it travels, and as a machine keeps it.
    pub fn encode(&self) -> v1::Rejected {
        let host = self.host.map(|host| Bytes::copy_from_slice(host.as_bytes()));
        v1::Rejected { code: self.code.clone(), host: host.unwrap_or_default() }
    }
}

impl Ask {
    /// The machine that asks.
    pub fn machine(&self) -> MachineId {
        self.machine_key.machine()
    }

    /// What it presents of the answer before.
    pub fn mark(&self) -> Mark {
        Mark { serial: self.serial, nonce: self.nonce, asked_at: self.asked_at }
    }

    /// Signs it with the machine's key.
    pub fn sign(&self, identity: &SecretKey) -> v1::Signed {
        identity.sign(Kind::Ask, &self.encode())
    }

    /// Opens an ask that nobody has to look into first. See [`UnverifiedAsk::verify`].
    ///
    /// # Errors
    /// [`AskError::Malformed`] or [`AskError::Signature`].
    pub fn open(signed: &v1::Signed, replaced_signature: Option<&v1::Signature>) -> Result<Ask, AskError> {
        UnverifiedAsk::read(signed.clone()).verify(replaced_signature)
    }

    fn decode(wire: &v1::Ask, machine_key: PublicKey) -> Result<Ask, AskError> {
        let kind = match wire.kind() {
            v1::AskKind::Activate => AskKind::Activate,
            v1::AskKind::Release => AskKind::Release,
            v1::AskKind::Unspecified => return Err(AskError::Malformed),
        };
        let texts_fit = wire.edition.len() <= TEXT_MAX_BYTES && wire.library_version.len() <= TEXT_MAX_BYTES;
        if SERIAL_MAX < wire.serial || !texts_fit {
            return Err(AskError::Malformed);
        }
        let replaces = match wire.replaces.as_ref() {
            [] => None,
            key => Some(PublicKey::from_slice(key).map_err(AskError::Signature)?),
        };
        if replaces == Some(machine_key) {
            return Err(AskError::Malformed);
        }
        Ok(Ask {
            machine_key,
            product: ProductId::from_slice(&wire.product).ok_or(AskError::Malformed)?,
            nonce: Nonce::from_slice(&wire.nonce).ok_or(AskError::Malformed)?,
            asked_at: Timestamp::from_unix_ms(wire.asked_at),
            serial: wire.serial,
            fingerprint: Fingerprint::from_slice(&wire.fingerprint).ok_or(AskError::Malformed)?,
            held_lease: wire.held_lease.clone(),
            chain_digest: match wire.chain_digest.as_ref() {
                [] => None,
                digest => Some(digest.try_into().map_err(|_| AskError::Malformed)?),
            },
            replaces,
            kept: wire.kept,
            kind,
            edition: wire.edition.clone(),
            library_version: wire.library_version.clone(),
            rejected: wire.rejected.as_ref().and_then(Rejected::decode),
        })
    }

    fn encode(&self) -> v1::Ask {
        v1::Ask {
            machine_key: Bytes::copy_from_slice(self.machine_key.as_bytes()),
            product: Bytes::copy_from_slice(self.product.as_bytes()),
            nonce: Bytes::copy_from_slice(self.nonce.as_bytes()),
            asked_at: self.asked_at.unix_ms(),
            serial: self.serial,
            fingerprint: Bytes::copy_from_slice(self.fingerprint.as_slice()),
            held_lease: self.held_lease.clone(),
            chain_digest: self.chain_digest.map(|digest| Bytes::copy_from_slice(&digest)).unwrap_or_default(),
            replaces: self.replaces.map(|key| Bytes::copy_from_slice(key.as_bytes())).unwrap_or_default(),
            kept: self.kept,
            kind: match self.kind {
                AskKind::Activate => v1::AskKind::Activate.into(),
                AskKind::Release => v1::AskKind::Release.into(),
            },
            edition: self.edition.clone(),
            library_version: self.library_version.clone(),
            rejected: self.rejected.as_ref().map(Rejected::encode),
        }
    }
}

/// An ask as it came in. It is read once; whatever it says is a claim, until [`UnverifiedAsk::verify`] gives an [`Ask`].
#[derive(Clone, Debug)]
pub struct UnverifiedAsk {
    signed: v1::Signed,
    /// What is in its payload, or nothing if that is not an ask.
    claims: Option<v1::Ask>,
}

impl UnverifiedAsk {
    /// Reads what was signed, without a look at the signature.
    pub fn read(signed: v1::Signed) -> UnverifiedAsk {
        let claims = prost::Message::decode(signed.payload.clone()).ok();
        UnverifiedAsk { signed, claims }
    }

    /// The product that it claims, so that an ask for somebody else costs the host no verification.
    pub fn product(&self) -> Option<ProductId> {
        ProductId::from_slice(&self.claims.as_ref()?.product)
    }

    /// The machine that it claims to come from.
    pub fn machine(&self) -> Option<MachineId> {
        Some(PublicKey::from_slice(&self.claims.as_ref()?.machine_key).ok()?.machine())
    }

    /// The serial, nonce and time that it claims.
    pub fn mark(&self) -> Option<Mark> {
        let v1::Ask { serial, nonce, asked_at, .. } = self.claims.as_ref()?;
        let nonce = Nonce::from_slice(nonce)?;
        Some(Mark { serial: *serial, nonce, asked_at: Timestamp::from_unix_ms(*asked_at) })
    }

    /// The identity that it claims to replace.
    pub fn replaced(&self) -> Option<MachineId> {
        Some(PublicKey::from_slice(&self.claims.as_ref()?.replaces).ok()?.machine())
    }

    /// Verifies that the machine itself, and the identity that it replaces if it names one, has signed it. The key stands inside the
    /// signed bytes, and is one of the claims until its signature holds.
    ///
    /// # Errors
    /// [`AskError::Malformed`] or [`AskError::Signature`].
    pub fn verify(&self, replaced_signature: Option<&v1::Signature>) -> Result<Ask, AskError> {
        let claims = self.claims.as_ref().ok_or(AskError::Malformed)?;
        let machine_key = PublicKey::from_slice(&claims.machine_key).map_err(AskError::Signature)?;
        // What it reads is what `claims` was read from.
        envelope::open(&self.signed, Kind::Ask, &machine_key).map_err(AskError::Signature)?;
        let ask = Ask::decode(claims, machine_key)?;
        match (&ask.replaces, replaced_signature) {
            (None, None) => Ok(ask),
            (Some(old), Some(beside)) => {
                let v1::Signature { key_id, signature } = beside;
                let verified = old.verify(Kind::Ask, &self.signed.payload, key_id, signature);
                verified.map(|()| ask).map_err(AskError::Signature)
            }
            (Some(_), None) => Err(AskError::Signature(EnvelopeError::BadSignature)),
            (None, Some(_)) => Err(AskError::Malformed),
        }
    }
}

/// Why an ask cannot be answered with a signature: a fault of the asker, or of somebody on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Bytes or fields that do not fit.
    #[error("the ask is malformed")]
    Malformed,
    /// The machine, or the identity that it replaces, has not signed this.
    #[error("the ask is not signed by its machine: {0}")]
    Signature(EnvelopeError),
}
