//! Generates private keys, and writes and reads their files. `vendor` says where the files are, `custody` how they may be kept.

use std::io;
use std::path::Path;

use age::DecryptError;
use age::secrecy::ExposeSecret as _;
use rand::CryptoRng;
use shared::envelope::SecretKey;
use shared::files;
use store::file::FileError;
use zeroize::Zeroizing;

use crate::custody::{Custody, KeyPlace, Locked, Unlock};
use crate::error::VendorError;
use crate::sealed;

/// A private key: its owner alone.
const PRIVATE: u32 = 0o600;

/// A new key.
pub(crate) fn generate(rng: &mut impl CryptoRng) -> SecretKey {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *seed);
    SecretKey::from_seed(&seed)
}

/// Writes a key to a new file that only its owner can read.
pub(crate) fn write(
    path: &Path,
    label: &'static str,
    key: &SecretKey,
    custody: &Custody,
) -> Result<(), VendorError> {
    match put(store::file::create_new, path, label, key, custody)? {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(VendorError::Exists(path.to_owned()))
        }
        written => Ok(written?),
    }
}

/// Writes a key in the place of its file.
pub(crate) fn rewrite(
    path: &Path,
    label: &'static str,
    key: &SecretKey,
    custody: &Custody,
) -> Result<(), VendorError> {
    Ok(put(store::file::replace, path, label, key, custody)??)
}

fn put(
    write: fn(&Path, &[u8], u32) -> Result<(), FileError>,
    path: &Path,
    label: &'static str,
    key: &SecretKey,
    custody: &Custody,
) -> Result<Result<(), FileError>, VendorError> {
    let plain = files::key_to_pem(label, key);
    let encrypted = match custody {
        Custody::Token(..) => return Err(VendorError::OnToken(path.to_owned())),
        Custody::Plain => return Ok(write(path, plain.as_bytes(), PRIVATE)),
        Custody::Passphrase(passphrase) if passphrase.expose_secret().is_empty() => {
            return Err(VendorError::EmptyPassphrase);
        }
        Custody::Passphrase(passphrase) => sealed::with_passphrase(plain.as_bytes(), passphrase),
        Custody::Recipients(recipients) => sealed::to_recipients(plain.as_bytes(), recipients),
    };
    let encrypted = encrypted.map_err(VendorError::Encrypt)?;
    if let Custody::Passphrase(passphrase) = custody {
        // What is put in the place of a key has to open: there may be no other copy.
        sealed::open_with_passphrase(&encrypted, passphrase).map_err(|error| opening(path, error))?;
    }
    Ok(write(path, &encrypted, PRIVATE))
}

/// Reads a key that [`write`] wrote, or that age has encrypted since.
pub(crate) fn read(path: &Path, label: &'static str, unlock: &dyn Unlock) -> Result<SecretKey, VendorError> {
    let file = read_file(path)?;
    let plain = if sealed::is_sealed(&file) { open(path, &file, unlock)? } else { file };
    files::key_from_pem(label, &plain).map_err(|error| VendorError::damaged(path, error))
}

/// How the key in this file is kept.
pub(crate) fn place(path: &Path) -> Result<KeyPlace, VendorError> {
    match read_file(path) {
        Ok(file) if sealed::is_sealed(&file) => sealed::opener(&file).map_err(|error| opening(path, error)),
        Ok(_) => Ok(KeyPlace::Plain),
        Err(VendorError::KeyMissing(_)) => Ok(KeyPlace::Elsewhere),
        Err(error) => Err(error),
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, VendorError> {
    let file = store::regular::read(path).map(Zeroizing::new);
    file.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => VendorError::KeyMissing(path.to_owned()),
        _ => VendorError::read(path, source),
    })
}

fn open(path: &Path, file: &[u8], unlock: &dyn Unlock) -> Result<Zeroizing<Vec<u8>>, VendorError> {
    let asking = |source| VendorError::Unlock { what: path.display().to_string(), source };
    let opened = if sealed::opener(file).map_err(|error| opening(path, error))? == KeyPlace::Passphrase {
        let passphrase = unlock.passphrase(Locked::File(path)).map_err(asking)?;
        let passphrase = passphrase.ok_or_else(|| VendorError::Locked(path.display().to_string()))?;
        sealed::open_with_passphrase(file, &passphrase)
    } else {
        sealed::open_with_identities(file, &unlock.identities().map_err(asking)?)
    };
    opened.map_err(|error| opening(path, error))
}

fn opening(path: &Path, error: DecryptError) -> VendorError {
    let path = path.to_owned();
    match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            VendorError::WrongPassphrase(path.display().to_string())
        }
        DecryptError::NoMatchingKeys => VendorError::NoIdentity(path),
        DecryptError::ExcessiveWork { required, .. } => {
            VendorError::SealedOtherwise { path, how: format!("with 2^{required} rounds of scrypt") }
        }
        DecryptError::UnknownFormat => {
            VendorError::SealedOtherwise { path, how: "in a newer form of age".to_owned() }
        }
        // Its armour, header or contents.
        _ => VendorError::damaged(&path, "it is no whole age file"),
    }
}
