//! What hosts and machines ask the vendor's portal, on both sides: they compose and sign it, the portal opens it.
//!
//! Each ask is signed by the key that it names, so nobody activates or releases in another's name. Opening one is the portal's only
//! way in. What the portal decides is its own; what a machine makes of the answer is in `confirmation`, and a host's answer is a
//! chain (`certificate`). `docs/protocol.md` 11.

use core::time::Duration;

use bytes::Bytes;
use prost::Message;
use proto::v1::Signed;
use proto::vendor::v1;

use crate::envelope::{self, EnvelopeError, Kind, PublicKey, SecretKey};
use crate::ids::{Fingerprint, HostId, MachineId, Nonce, ProductId};
use crate::parts::HardwareParts;
use crate::product_key::{KeyError, KeyKind, KeyNumber, ProductKey};
use crate::reason::{Cause, Reason};
use crate::time::{Timestamp, from_ms, to_ms};

/// A host's ask for a certificate.
#[derive(Clone, Debug)]
pub struct HostActivation {
    /// The host's public key.
    pub signing_key: PublicKey,
    /// On what it is to be certified.
    pub claim: Claim,
    /// The width of an hour in its ledger.
    pub hour_width: Duration,
    /// The name of this ask.
    pub nonce: Nonce,
    /// The host's clock when it made this ask.
    pub asked_at: Timestamp,
}

/// On what a host is to be certified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A host key that was bought.
    Key(ProductKey),
    /// An earlier activation by the same portal: its certificate for this product is renewed.
    Renewal(ProductId),
}

impl HostActivation {
    /// The host that asks.
    pub fn host(&self) -> HostId {
        self.signing_key.host()
    }

    /// Signs it with the host's key.
    pub fn sign(&self, key: &SecretKey) -> Signed {
        let (product_key, product) = match &self.claim {
            Claim::Key(key) => (Bytes::copy_from_slice(key.as_bytes()), Bytes::new()),
            Claim::Renewal(product) => (Bytes::new(), Bytes::copy_from_slice(product.as_bytes())),
        };
        let wire = v1::HostActivation {
            signing_key: Bytes::copy_from_slice(self.signing_key.as_bytes()),
            product_key,
            product,
            hour_width_ms: to_ms(self.hour_width),
            nonce: Bytes::copy_from_slice(self.nonce.as_bytes()),
            asked_at: self.asked_at.unix_ms(),
        };
        key.sign(Kind::HostActivation, &wire)
    }

    /// Opens one: verifies that the host itself has signed it.
    ///
    /// # Errors
    /// See [`ActivationError`].
    pub fn open(signed: &Signed) -> Result<HostActivation, ActivationError> {
        let key = |wire: &v1::HostActivation| wire.signing_key.clone();
        let (signing_key, wire) = open(signed, Kind::HostActivation, key)?;
        let hour_width = from_ms(wire.hour_width_ms).filter(|width| !width.is_zero());
        let hour_width = field(hour_width, "width of an hour")?;
        let nonce = field(Nonce::from_slice(&wire.nonce), "nonce")?;
        let claim = match (wire.product_key.as_ref(), wire.product.as_ref()) {
            ([], product) => Claim::Renewal(field(ProductId::from_slice(product), "product")?),
            (key, []) => {
                let key = ProductKey::from_slice(key)?;
                key.check_kind(KeyKind::Host)?;
                Claim::Key(key)
            }
            _ => return Err(ActivationError::Field("product")),
        };
        let asked_at = Timestamp::from_unix_ms(wire.asked_at);
        Ok(HostActivation { signing_key, claim, hour_width, nonce, asked_at })
    }
}

/// A machine's ask for a confirmation.
#[derive(Clone, Debug)]
pub struct MachineActivation {
    /// The machine's public key.
    pub machine_key: PublicKey,
    /// The product.
    pub product: ProductId,
    /// The multiple-activation key.
    pub product_key: ProductKey,
    /// The name of this ask. A machine sends the same signed bytes again until it has an answer.
    pub nonce: Nonce,
    /// The machine's clock when it made this ask.
    pub asked_at: Timestamp,
    /// Tells installations apart.
    pub fingerprint: Fingerprint,
    /// Tells hardware apart.
    pub parts: HardwareParts,
}

impl MachineActivation {
    /// The machine that asks.
    pub fn machine(&self) -> MachineId {
        self.machine_key.machine()
    }

    /// Signs it with the machine's key.
    pub fn sign(&self, identity: &SecretKey) -> Signed {
        let wire = v1::MachineActivation {
            machine_key: Bytes::copy_from_slice(self.machine_key.as_bytes()),
            product: Bytes::copy_from_slice(self.product.as_bytes()),
            product_key: Bytes::copy_from_slice(self.product_key.as_bytes()),
            nonce: Bytes::copy_from_slice(self.nonce.as_bytes()),
            asked_at: self.asked_at.unix_ms(),
            fingerprint: Bytes::copy_from_slice(self.fingerprint.as_slice()),
            parts: self.parts.encode(),
        };
        identity.sign(Kind::MachineActivation, &wire)
    }

    /// Opens one: verifies that the machine itself has signed it.
    ///
    /// # Errors
    /// See [`ActivationError`].
    pub fn open(signed: &Signed) -> Result<MachineActivation, ActivationError> {
        let key = |wire: &v1::MachineActivation| wire.machine_key.clone();
        let (machine_key, wire) = open(signed, Kind::MachineActivation, key)?;
        let product = field(ProductId::from_slice(&wire.product), "product")?;
        let nonce = field(Nonce::from_slice(&wire.nonce), "nonce")?;
        let fingerprint = field(Fingerprint::from_slice(&wire.fingerprint), "fingerprint")?;
        let parts = field(HardwareParts::decode(wire.parts.as_ref()), "hardware parts")?;
        let product_key = ProductKey::from_slice(&wire.product_key)?;
        product_key.check(KeyKind::MultipleActivation, product)?;
        let asked_at = Timestamp::from_unix_ms(wire.asked_at);
        Ok(MachineActivation { machine_key, product, product_key, nonce, asked_at, fingerprint, parts })
    }
}

/// A machine's ask to give its place back.
#[derive(Clone, Debug)]
pub struct MachineRelease {
    /// The machine's public key.
    pub machine_key: PublicKey,
    /// The product.
    pub product: ProductId,
    /// The public number of the key. The key itself need not be kept for this.
    pub key_number: KeyNumber,
    /// The name of this ask.
    pub nonce: Nonce,
    /// The machine's clock when it made this ask.
    pub asked_at: Timestamp,
}

impl MachineRelease {
    /// The machine that asks.
    pub fn machine(&self) -> MachineId {
        self.machine_key.machine()
    }

    /// Signs it with the machine's key.
    pub fn sign(&self, identity: &SecretKey) -> Signed {
        let wire = v1::MachineRelease {
            machine_key: Bytes::copy_from_slice(self.machine_key.as_bytes()),
            product: Bytes::copy_from_slice(self.product.as_bytes()),
            key_number: Bytes::copy_from_slice(self.key_number.as_bytes()),
            nonce: Bytes::copy_from_slice(self.nonce.as_bytes()),
            asked_at: self.asked_at.unix_ms(),
        };
        identity.sign(Kind::MachineRelease, &wire)
    }

    /// Opens one: verifies that the machine itself has signed it.
    ///
    /// # Errors
    /// See [`ActivationError`].
    pub fn open(signed: &Signed) -> Result<MachineRelease, ActivationError> {
        let key = |wire: &v1::MachineRelease| wire.machine_key.clone();
        let (machine_key, wire) = open(signed, Kind::MachineRelease, key)?;
        Ok(MachineRelease {
            machine_key,
            product: field(ProductId::from_slice(&wire.product), "product")?,
            key_number: field(KeyNumber::from_slice(&wire.key_number), "key number")?,
            nonce: field(Nonce::from_slice(&wire.nonce), "nonce")?,
            asked_at: Timestamp::from_unix_ms(wire.asked_at),
        })
    }
}

/// Verifies an ask with the key that stands inside it. It has to be read once for that key before it is verified; nothing else of
/// that reading leaves this function.
pub(crate) fn open<M: Message + Default>(
    signed: &Signed,
    kind: Kind,
    key: impl Fn(&M) -> Bytes,
) -> Result<(PublicKey, M), ActivationError> {
    let claimed = M::decode(signed.payload.clone()).map_err(|_| ActivationError::Malformed)?;
    let key = PublicKey::from_slice(&key(&claimed)).map_err(ActivationError::Signature)?;
    let verified = envelope::open(signed, kind, &key).map_err(ActivationError::Signature)?;
    Ok((key, verified.decode().map_err(ActivationError::Signature)?))
}

pub(crate) fn field<T>(value: Option<T>, name: &'static str) -> Result<T, ActivationError> {
    value.ok_or(ActivationError::Field(name))
}

/// Why an ask cannot be used: a fault of the asker, or of somebody on the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActivationError {
    /// The payload is not the message.
    #[error("it is not the message that it calls itself")]
    Malformed,
    /// A field that does not fit; which one.
    #[error("its {0} does not fit")]
    Field(&'static str),
    /// The product key in it is none, or one for something else.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The key that it names has not signed it.
    #[error("it is not signed by the key that it names: {0}")]
    Signature(EnvelopeError),
}

impl ActivationError {
    /// The reason with which the portal refuses it.
    pub fn cause(&self) -> Cause {
        match self {
            ActivationError::Key(error) => error.clone().into(),
            ActivationError::Signature(error) if !error.is_of_form() => Reason::SignatureBad.into(),
            _ => Reason::Malformed.with(&[("cause", self)]),
        }
    }
}
