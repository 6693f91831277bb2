//! The private keys of a vendor: which there are, how each is kept, and how one signs.
//!
//! `keys` has their files, `custody` says how they may be kept.

use std::path::PathBuf;

use prost::Message;
use proto::v1;
use shared::envelope::{self, Kind, SecretKey};
use shared::files::{ISSUING_KEY, ROOT_KEY};

use crate::custody::{Custody, KeyPlace};
use crate::error::VendorError;
use crate::keys;
use crate::signer::Signer;
use crate::vendor::{ROOT_KEY_FILES, Vendor};

const ISSUING_KEY_FILE: &str = "issuing.key";

/// A private key that is open, and can sign.
pub(crate) struct SigningKey(SecretKey);

impl SigningKey {
    pub(crate) fn sign(&self, kind: Kind, message: &impl Message) -> Result<v1::Signed, VendorError> {
        let signed = self.0.sign(kind, message);
        // A disk or a token may have failed quietly. Nobody could use what they signed.
        envelope::open(&signed, kind, &self.0.public()).map_err(VendorError::OwnSignature)?;
        Ok(signed)
    }
}

impl From<SecretKey> for SigningKey {
    fn from(key: SecretKey) -> SigningKey {
        SigningKey(key)
    }
}

impl Signer {
    /// The file of the private key, in the vendor's directory.
    pub fn file_name(self) -> &'static str {
        match self {
            Signer::Root1 => ROOT_KEY_FILES[0],
            Signer::Root2 => ROOT_KEY_FILES[1],
            Signer::Issuer => ISSUING_KEY_FILE,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Signer::Root1 | Signer::Root2 => ROOT_KEY,
            Signer::Issuer => ISSUING_KEY,
        }
    }
}

impl Vendor {
    /// The root key that was chosen to sign what only a root may, from wherever it was brought back to.
    pub(crate) fn root_of(&self, signer: Signer) -> Result<SigningKey, VendorError> {
        let root = match signer {
            Signer::Root1 => self.verifying().keys()[0],
            Signer::Root2 => self.verifying().keys()[1],
            Signer::Issuer => return Err(VendorError::IssuerSignsIssuer),
        };
        let path = self.key_path(signer);
        let key = keys::read(&path, ROOT_KEY, self.unlock())?;
        if key.public() != root {
            return Err(VendorError::damaged(&path, "it is not the key that roots.pub names"));
        }
        Ok(key.into())
    }

    /// Where the file of this private key is, or would be.
    pub fn key_path(&self, signer: Signer) -> PathBuf {
        self.path(signer.file_name())
    }

    /// How this private key is kept. It is not opened.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn key_place(&self, signer: Signer) -> Result<KeyPlace, VendorError> {
        keys::place(&self.key_path(signer))
    }

    /// Keeps a private key in another way from now on. The file is replaced at once, but what was in it may stay on the medium.
    ///
    /// # Errors
    /// The key is not here, it cannot be opened, or the file cannot be written. The file is as it was.
    pub fn keep_key(&self, signer: Signer, custody: &Custody) -> Result<(), VendorError> {
        let _lock = self.lock()?;
        let (path, label) = (self.key_path(signer), signer.label());
        let key = keys::read(&path, label, self.unlock())?;
        keys::rewrite(&path, label, &key, custody)
    }
}
