//! Makes a vendor's directory: two root keys, each kept in its own way, and `roots.pub`. If it is interrupted, the same command again
//! finishes it.

use std::path::Path;

use rand::CryptoRng;
use shared::files;

use crate::custody::Custody;
use crate::draft;
use crate::error::VendorError;
use crate::root;
use crate::vendor::{PUBLIC, ROOT_KEY_FILES, ROOTS_FILE, Vendor, refuse_existing};

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
        if let Some(begun) = Vendor::finish_init(dir)? {
            return Ok(begun);
        }
        Vendor::check_is_new(dir)?;
        store::file::make_private_dir(dir)
            .map_err(|source| VendorError::CreateDir { dir: dir.to_owned(), source })?;
        // 1. Both keys, which nothing names yet.
        store::file::sweep(dir);
        draft::discard(dir)?;
        let mut roots = [[0; 32]; 2];
        for (root, custody) in roots.iter_mut().zip(custody) {
            *root = *root::make(|new| draft::stem(dir, new), custody, rng)?.as_bytes();
        }
        // 2. What says that they are the roots. From here on this can be finished.
        store::file::create_new(&dir.join(ROOTS_FILE), files::roots_to_text(&roots).as_bytes(), PUBLIC)?;
        // 3. Their names.
        let vendor = Vendor::open(dir)?;
        vendor.name_roots()?;
        Ok(vendor)
    }

    /// Finishes the directory, if [`Vendor::init`] was interrupted after it had made both keys.
    ///
    /// # Errors
    /// The directory is damaged, or the disk refuses.
    pub fn finish_init(dir: &Path) -> Result<Option<Vendor>, VendorError> {
        match Vendor::open(dir) {
            Ok(vendor) if vendor.is_begun()? => vendor.name_roots().map(|()| Some(vendor)),
            Ok(_) | Err(VendorError::NotAVendor(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a key of the first pair has not got its name yet.
    pub(crate) fn is_begun(&self) -> Result<bool, VendorError> {
        let is_draft = |key| draft::is_there(self.dir(), key);
        Ok(self.verifying().keys().iter().any(is_draft) && self.is_first_pair()?)
    }

    fn name_roots(&self) -> Result<(), VendorError> {
        let mut named = self.verifying().keys().iter().zip(ROOT_KEY_FILES);
        named.try_for_each(|(key, name)| draft::give_name(self.dir(), key, &self.path(name)))
    }

    /// Checks that [`Vendor::init`] would overwrite nothing.
    ///
    /// # Errors
    /// [`VendorError::Exists`].
    pub fn check_is_new(dir: &Path) -> Result<(), VendorError> {
        let tokens = ["root-1.token", "root-2.token"];
        let mut names = ROOT_KEY_FILES.into_iter().chain(tokens).chain([ROOTS_FILE]);
        names.try_for_each(|name| refuse_existing(&dir.join(name)))
    }
}
