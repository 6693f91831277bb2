//! The file of a private key in an age file, which a passphrase or an age key opens (<https://age-encryption.org/v1>).
//!
//! The age file contains the file of `keys`, unchanged, so `age -d root-1.key` opens it without this program.

use std::io::{Read as _, Write as _};
use std::iter;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{DecryptError, Decryptor, EncryptError, Encryptor, Identity, Recipient};
use zeroize::Zeroizing;

use crate::custody::{KeyPlace, Passphrase};

/// scrypt takes 256 MiB and about a second. The factor is fixed, because age would choose it for this machine, and a slower one might
/// refuse the file.
const WORK_FACTOR: u8 = 18;

/// scrypt takes 4 GiB. More would be a trap rather than a key.
const WORK_FACTOR_MAX: u8 = 22;

/// A key's file has less than 200 bytes.
const PLAIN_MAX_BYTES: u64 = 4096;

/// Whether this is an age file, in armour or not.
pub(crate) fn is_sealed(file: &[u8]) -> bool {
    let begins = |words: &str| file.trim_ascii_start().starts_with(words.as_bytes());
    begins("-----BEGIN AGE ENCRYPTED FILE-----") || begins("age-encryption.org/")
}

/// What opens this age file.
pub(crate) fn opener(file: &[u8]) -> Result<KeyPlace, DecryptError> {
    let is_scrypt = Decryptor::new_buffered(ArmoredReader::new(file))?.is_scrypt();
    Ok(if is_scrypt { KeyPlace::Passphrase } else { KeyPlace::Recipients })
}

/// Encrypts this into an age file, in armour, that the passphrase opens.
pub(crate) fn with_passphrase(plain: &[u8], passphrase: &Passphrase) -> Result<Vec<u8>, EncryptError> {
    let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
    recipient.set_work_factor(WORK_FACTOR);
    seal(plain, iter::once(&recipient as &dyn Recipient))
}

/// Encrypts this into an age file, in armour, that any of these keys opens.
pub(crate) fn to_recipients(
    plain: &[u8],
    recipients: &[age::x25519::Recipient],
) -> Result<Vec<u8>, EncryptError> {
    seal(plain, recipients.iter().map(|recipient| recipient as &dyn Recipient))
}

fn seal<'a>(
    plain: &[u8],
    recipients: impl Iterator<Item = &'a dyn Recipient>,
) -> Result<Vec<u8>, EncryptError> {
    let mut file = Vec::new();
    let armoured = ArmoredWriter::wrap_output(&mut file, Format::AsciiArmor)?;
    let mut writer = Encryptor::with_recipients(recipients)?.wrap_output(armoured)?;
    writer.write_all(plain)?;
    writer.finish()?.finish()?;
    Ok(file)
}

/// Decrypts an age file with this passphrase.
pub(crate) fn open_with_passphrase(
    file: &[u8],
    passphrase: &Passphrase,
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let mut identity = age::scrypt::Identity::new(passphrase.clone());
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    open(file, iter::once(&identity as &dyn Identity))
}

/// Decrypts an age file with one of these identities.
pub(crate) fn open_with_identities(
    file: &[u8],
    identities: &[Box<dyn Identity + Send + Sync>],
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    open(file, identities.iter().map(|identity| &**identity as &dyn Identity))
}

fn open<'a>(
    file: &[u8],
    identities: impl Iterator<Item = &'a dyn Identity>,
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let reader = Decryptor::new_buffered(ArmoredReader::new(file))?.decrypt(identities)?;
    // Enough room from the start: a vector that grows would leave pieces of the key behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(4096));
    reader.take(PLAIN_MAX_BYTES).read_to_end(&mut plain)?;
    Ok(plain)
}
