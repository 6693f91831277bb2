//! The private keys of a vendor: which there are, how each is kept, and how one signs.
//!
//! `keys` has their files, `custody` says how they may be kept.

use std::path::PathBuf;

use bytes::Bytes;
use prost::Message;
use proto::v1;
use rand::CryptoRng;
use shared::envelope::{self, Kind, PublicKey, SecretKey};
use shared::files::{ISSUING_KEY, ROOT_KEY};

use crate::custody::{Custody, KeyPlace, Locked};
use crate::error::VendorError;
use crate::keys;
use crate::product::random;
use crate::registry;
use crate::signer::Signer;
use crate::token::{TokenFile, TokenKey};
use crate::vendor::{ROOT_KEY_FILES, Vendor};

const ISSUING_KEY_FILE: &str = "issuing.key";

/// A private key that was opened and can sign.
pub(crate) struct SigningKey {
    public: PublicKey,
    holder: Holder,
}

enum Holder {
    File(SecretKey),
    Token(TokenKey),
}

impl SigningKey {
    pub(crate) fn sign(&self, kind: Kind, message: &impl Message) -> Result<v1::Signed, VendorError> {
        let signed = match &self.holder {
            Holder::File(key) => key.sign(kind, message),
            Holder::Token(key) => {
                let payload = Bytes::from(message.encode_to_vec());
                let signature = key.sign(&envelope::signing_string(kind, &payload))?;
                let key_id = Bytes::copy_from_slice(self.public.key_id().as_bytes());
                v1::Signed { payload_type: kind.name().into(), payload, key_id, signature: signature.into() }
            }
        };
        // A disk or a token may have failed quietly, and a token may hold another key. Nobody could use what they signed.
        envelope::open(&signed, kind, &self.public).map_err(VendorError::OwnSignature)?;
        Ok(signed)
    }
}

impl From<SecretKey> for SigningKey {
    fn from(key: SecretKey) -> SigningKey {
        SigningKey { public: key.public(), holder: Holder::File(key) }
    }
}

/// Makes a root key, and writes its file: what `stem` says for its public half, with the ending `key`, or `token` if a token has made it.
/// Returns its public half.
pub(crate) fn make(
    stem: impl FnOnce(&PublicKey) -> PathBuf,
    custody: &Custody,
    rng: &mut impl CryptoRng,
) -> Result<PublicKey, VendorError> {
    if let Custody::Token(token, pin) = custody {
        // Not the name of the file: a token may have keys of other vendors, and of roots that were replaced.
        let name = format!("kms-root-{}", data_encoding::HEXLOWER.encode(&random(rng)[..4]));
        let (file, public) = token.generate(&name, pin)?;
        registry::write(&stem(&public).with_extension("token"), &file)?;
        return Ok(public);
    }
    let key = keys::generate(rng);
    keys::write(&stem(&key.public()).with_extension("key"), ROOT_KEY, &key, custody)?;
    Ok(key.public())
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
    /// Opens the root key that was chosen to sign, in its file or on its token.
    pub(crate) fn root_of(&self, signer: Signer) -> Result<SigningKey, VendorError> {
        let root = match signer {
            Signer::Root1 => self.verifying().keys()[0],
            Signer::Root2 => self.verifying().keys()[1],
            Signer::Issuer => return Err(VendorError::IssuerSignsIssuer),
        };
        self.check_finished(signer)?;
        let path = self.key_path(signer);
        if let Some(file) = self.token_file(signer)? {
            let token = file.token();
            let locked = Locked::Token(&token.label);
            let pin = self.unlock().passphrase(locked);
            let pin = pin.map_err(|source| VendorError::Unlock { what: locked.to_string(), source })?;
            let pin = pin.ok_or_else(|| VendorError::Locked(locked.to_string()))?;
            return Ok(SigningKey { public: root, holder: Holder::Token(file.open(&pin)?) });
        }
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

    /// Where this root is on a token, unless its key is in a file.
    fn token_file(&self, signer: Signer) -> Result<Option<TokenFile>, VendorError> {
        if self.key_path(signer).symlink_metadata().is_ok() {
            return Ok(None);
        }
        registry::read(&self.key_path(signer).with_extension("token"))
    }

    /// How this private key is kept. It is not opened.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn key_place(&self, signer: Signer) -> Result<KeyPlace, VendorError> {
        match self.token_file(signer)? {
            Some(file) => Ok(KeyPlace::Token(file.token().label)),
            None => keys::place(&self.key_path(signer)),
        }
    }

    /// Keeps a private key in another way from now on. The file is replaced at once, but what was in it may stay on the medium.
    ///
    /// # Errors
    /// The key is not here, it cannot be opened, or the file cannot be written. The file is as it was.
    pub fn keep_key(&self, signer: Signer, custody: &Custody) -> Result<(), VendorError> {
        let _lock = self.lock()?;
        if let KeyPlace::Token(_) = self.key_place(signer)? {
            return Err(VendorError::OnToken(self.key_path(signer)));
        }
        let (path, label) = (self.key_path(signer), signer.label());
        let key = keys::read(&path, label, self.unlock())?;
        keys::rewrite(&path, label, &key, custody)
    }
}
