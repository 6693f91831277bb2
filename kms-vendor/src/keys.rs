//! Generates private keys, and writes and reads their files. `vendor` says where the files are.

use std::io;
use std::path::Path;

use rand::CryptoRng;
use shared::envelope::SecretKey;
use shared::files;
use zeroize::Zeroizing;

use crate::error::VendorError;

/// A private key: its owner alone.
const PRIVATE: u32 = 0o600;

/// A new key.
pub(crate) fn generate(rng: &mut impl CryptoRng) -> SecretKey {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *seed);
    SecretKey::from_seed(&seed)
}

/// Writes a key to a new file that only its owner can read.
pub(crate) fn write(path: &Path, label: &'static str, key: &SecretKey) -> Result<(), VendorError> {
    let pem = files::key_to_pem(label, key);
    match store::file::create_new(path, pem.as_bytes(), PRIVATE) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(VendorError::Exists(path.to_owned()))
        }
        written => Ok(written?),
    }
}

/// Reads a key that [`write`] wrote.
pub(crate) fn read(path: &Path, label: &'static str) -> Result<SecretKey, VendorError> {
    let pem = store::regular::read(path).map(Zeroizing::new);
    let pem = pem.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => VendorError::KeyMissing(path.to_owned()),
        _ => VendorError::read(path, source),
    })?;
    files::key_from_pem(label, &pem).map_err(|error| VendorError::damaged(path, error))
}
