//! The vendor's directory: how it comes to be, and how it is opened again.
//!
//! | file | holds |
//! |---|---|
//! | `root-1.key`, `root-2.key` | the root keys, plain or encrypted (`sealed`); either may be kept elsewhere until it signs |
//! | `roots.pub` | their public halves, which every product pins |
//! | `products.toml` | products and their numbers |
//! | `organisations.toml` | the ids of the organisations that were certified |
//! | `issuing.key`, `issuing.certificate` | a key that signs while the roots stay away, if there is one |
//! | `issued.jsonl` | one line for every certificate, written before it is handed out |
//! | `revoked.toml` | what was taken back, and the number of the last list |
//!
//! What is done with it stands in `product`, `issue`, `issuer`, `telephones` and `revoke`; `root` and `custody` say how a key is
//! kept.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::CryptoRng;
use shared::armour;
use shared::certificate::Roots;
use shared::files::{self, ROOT_KEY};
use store::regular;

use crate::custody::{Custody, NoUnlock, Unlock};
use crate::error::VendorError;
use crate::keys;

/// Everybody may read it; only the vendor's user changes it.
pub(crate) const PUBLIC: u32 = 0o644;

pub(crate) const ROOT_KEY_FILES: [&str; 2] = ["root-1.key", "root-2.key"];
const ROOTS_FILE: &str = "roots.pub";

/// An opened vendor's directory.
///
/// It keeps no state but the public roots: every call reads the files afresh, and one that changes them holds a lock
/// meanwhile, so several processes may share a directory.
#[derive(Clone, Debug)]
pub struct Vendor {
    dir: PathBuf,
    /// Two of them.
    roots: Roots,
    unlock: Arc<dyn Unlock>,
}

impl Vendor {
    /// Makes two root keys in `dir`, which is created for its owner alone if it does not exist.
    ///
    /// # Errors
    /// [`VendorError::Exists`] if a root key or `roots.pub` is there already: a root key is never overwritten.
    pub fn init(dir: &Path, rng: &mut impl CryptoRng) -> Result<Vendor, VendorError> {
        Vendor::init_with(dir, &[Custody::Plain, Custody::Plain], rng)
    }

    /// As [`Vendor::init`], with each root key kept in this way. A key that is encrypted is never on the disk in plain.
    ///
    /// # Errors
    /// As [`Vendor::init`].
    pub fn init_with(
        dir: &Path,
        custody: &[Custody; 2],
        rng: &mut impl CryptoRng,
    ) -> Result<Vendor, VendorError> {
        Vendor::check_is_new(dir)?;
        store::file::make_private_dir(dir)
            .map_err(|source| VendorError::CreateDir { dir: dir.to_owned(), source })?;
        let mut roots = [[0; 32]; 2];
        for ((root, name), custody) in roots.iter_mut().zip(ROOT_KEY_FILES).zip(custody) {
            let key = keys::generate(rng);
            keys::write(&dir.join(name), ROOT_KEY, &key, custody)?;
            *root = *key.public().as_bytes();
        }
        // Last, because its presence says that the directory is complete.
        store::file::create_new(&dir.join(ROOTS_FILE), files::roots_to_text(&roots).as_bytes(), PUBLIC)?;
        Vendor::open(dir)
    }

    /// Checks that [`Vendor::init`] would overwrite nothing.
    ///
    /// # Errors
    /// [`VendorError::Exists`].
    pub fn check_is_new(dir: &Path) -> Result<(), VendorError> {
        ROOT_KEY_FILES.into_iter().chain([ROOTS_FILE]).try_for_each(|name| refuse_existing(&dir.join(name)))
    }

    /// Opens a directory that [`Vendor::init`] has made. The private keys need not be in it.
    ///
    /// # Errors
    /// [`VendorError::NotAVendor`] without a `roots.pub`, [`VendorError::Damaged`] for one that is not two keys.
    pub fn open(dir: &Path) -> Result<Vendor, VendorError> {
        let path = dir.join(ROOTS_FILE);
        let text = regular::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => VendorError::NotAVendor(dir.to_owned()),
            _ => VendorError::read(&path, source),
        })?;
        let text = armour::plain(&text).map_err(|error| VendorError::damaged(&path, error))?;
        let roots = files::roots_from_text(&text)
            .ok_or_else(|| VendorError::damaged(&path, "it is not two public keys in hex"))?;
        let roots = Roots::new(roots.iter().map(<[u8; 32]>::as_slice))
            .map_err(|error| VendorError::damaged(&path, error))?;
        Ok(Vendor { dir: dir.to_owned(), roots, unlock: Arc::new(NoUnlock) })
    }

    /// Asks this whenever a private key has to be opened that is encrypted.
    #[must_use]
    pub fn with_unlock(self, unlock: Arc<dyn Unlock>) -> Vendor {
        Vendor { unlock, ..self }
    }

    /// What every product pins: both roots' public keys.
    pub fn roots(&self) -> [[u8; 32]; 2] {
        [0, 1].map(|index| *self.roots.keys()[index].as_bytes())
    }

    /// Short digests of both roots, to be compared by people.
    pub fn root_digests(&self) -> Vec<String> {
        self.roots.keys().iter().map(|root| root.key_id().to_string()).collect()
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The roots, to verify with what this vendor signs.
    pub(crate) fn verifying(&self) -> &Roots {
        &self.roots
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What opens private keys.
    pub(crate) fn unlock(&self) -> &dyn Unlock {
        &*self.unlock
    }

    /// Keeps other processes from changing this directory until the returned file is dropped.
    pub(crate) fn lock(&self) -> Result<File, VendorError> {
        let path = self.path(".lock");
        let lock = || {
            let file = regular::open(&path, OpenOptions::new().create(true).append(true))?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|source| VendorError::Io { doing: "lock", path: path.clone(), source })
    }
}

pub(crate) fn refuse_existing(path: &Path) -> Result<(), VendorError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(VendorError::read(path, source)),
        Ok(_) => Err(VendorError::Exists(path.to_owned())),
    }
}
