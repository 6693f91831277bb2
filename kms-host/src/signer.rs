//! Signs answers. It is an async trait, so that a key can live in a device or behind a socket one day.

use async_trait::async_trait;
use bytes::Bytes;
use proto::v1;
use shared::envelope::{Kind, PublicKey, SecretKey};

/// Signs the host's answers.
#[async_trait]
pub trait Signer: Send + Sync + 'static {
    /// The key that verifies it.
    fn public_key(&self) -> PublicKey;

    /// Signs these exact bytes.
    ///
    /// # Errors
    /// The key cannot be used now. Nothing was signed.
    async fn sign(&self, kind: Kind, payload: Bytes) -> Result<v1::Signed, SignerError>;
}

/// The signing key cannot be used now. The fault is the host's.
#[derive(Debug, thiserror::Error)]
#[error("the signing key cannot be used: {0}")]
pub struct SignerError(pub String);

/// A key that was read from its file when the host started.
pub struct KeyInMemory(SecretKey);

impl KeyInMemory {
    /// Signs with this key.
    pub fn new(key: SecretKey) -> KeyInMemory {
        KeyInMemory(key)
    }
}

#[async_trait]
impl Signer for KeyInMemory {
    fn public_key(&self) -> PublicKey {
        self.0.public()
    }

    async fn sign(&self, kind: Kind, payload: Bytes) -> Result<v1::Signed, SignerError> {
        Ok(self.0.sign_bytes(kind, payload))
    }
}
