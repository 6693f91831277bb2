//! The vendor's directory, and how it is opened. `starting` makes one.
//!
//! | file | holds |
//! |---|---|
//! | `root-1.key`, `root-2.key` | the root keys, plain or encrypted (`sealed`); either may be kept elsewhere until it signs |
//! | `root-new-DIGEST.key` | a new root key, until `init` or `roots replace` has finished (`draft`) |
//! | `root-1.token`, `root-2.token` | instead of these: where a root key is on a PKCS #11 token (`token`) |
//! | `roots.pub` | their public halves, which every product pins |
//! | `products.toml` | products and their numbers |
//! | `organisations.toml` | the ids of the organisations that were certified |
//! | `issuing.key`, `issuing.certificate` | a key that signs while the roots stay away, if there is one |
//! | `issued.jsonl` | one line for every certificate, written before it is handed out |
//! | `replaced-roots.toml` | root keys that were replaced, and when; there is none as long as none was |
//! | `revoked.toml` | what was taken back, and the number of the last list |
//!
//! What is done with it stands in `product`, `issue`, `issuer`, `telephones` and `revoke`; `root` and `custody` say how a key is
//! kept.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shared::armour;
use shared::certificate::Roots;
use shared::files;
use store::regular;

use crate::custody::{NoUnlock, Unlock};
use crate::error::VendorError;

/// Everybody may read it; only the vendor's user changes it.
pub(crate) const PUBLIC: u32 = 0o644;

pub(crate) const ROOT_KEY_FILES: [&str; 2] = ["root-1.key", "root-2.key"];
pub(crate) const ROOTS_FILE: &str = "roots.pub";

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
        let lock = lock().map_err(|source| VendorError::Io { doing: "lock", path: path.clone(), source })?;
        // A command that was killed has left drafts, and a private key may be in one.
        store::file::sweep(&self.dir);
        Ok(lock)
    }
}

pub(crate) fn refuse_existing(path: &Path) -> Result<(), VendorError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(VendorError::read(path, source)),
        Ok(_) => Err(VendorError::Exists(path.to_owned())),
    }
}
