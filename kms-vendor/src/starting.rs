//! Makes a vendor's directory: two root keys, each kept in its own way, and `roots.pub` last.

use std::path::Path;

use rand::CryptoRng;
use shared::files;

use crate::custody::Custody;
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
        Vendor::check_is_new(dir)?;
        store::file::make_private_dir(dir)
            .map_err(|source| VendorError::CreateDir { dir: dir.to_owned(), source })?;
        let mut roots = [[0; 32]; 2];
        for ((root, name), custody) in roots.iter_mut().zip(ROOT_KEY_FILES).zip(custody) {
            *root = *root::make(&dir.join(name), custody, rng)?.as_bytes();
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
        let tokens = ["root-1.token", "root-2.token"];
        let mut names = ROOT_KEY_FILES.into_iter().chain(tokens).chain([ROOTS_FILE]);
        names.try_for_each(|name| refuse_existing(&dir.join(name)))
    }
}
