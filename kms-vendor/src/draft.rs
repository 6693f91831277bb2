//! A new root key until `roots.pub` names it: `root-new-DIGEST.key`, or `.token`. The digest is that of its public key, so after an
//! interruption the name says which key it is, and nobody has to open it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use shared::envelope::PublicKey;

use crate::error::VendorError;

const PREFIX: &str = "root-new-";

/// A private key is in a file of its own, or on a token to which a file points.
const ENDINGS: [&str; 2] = ["key", "token"];

/// The name of a new key's file, whose ending is still to be set.
pub(crate) fn stem(dir: &Path, key: &PublicKey) -> PathBuf {
    dir.join(format!("{PREFIX}{}.key", key.key_id()))
}

/// Whether this key has not got its name yet.
pub(crate) fn is_there(dir: &Path, key: &PublicKey) -> bool {
    let stem = stem(dir, key);
    ENDINGS.iter().any(|ending| exists(&stem.with_extension(ending)))
}

/// Gives this new key the name of a root's file. It may have it already.
pub(crate) fn give_name(dir: &Path, key: &PublicKey, file: &Path) -> Result<(), VendorError> {
    let stem = stem(dir, key);
    for ending in ENDINGS {
        let (from, to) = (stem.with_extension(ending), file.with_extension(ending));
        if exists(&from) {
            rename(&from, &to)?;
        }
    }
    Ok(store::file::sync_dir(dir)?)
}

/// Moves a root's file to a name that says which key it is. Returns that name, if the key is here.
pub(crate) fn set_aside(file: &Path, key: &PublicKey) -> Result<Option<PathBuf>, VendorError> {
    let aside = |number: u32, ending| {
        let again = if number == 1 { String::new() } else { format!("-{number}") };
        file.with_file_name(format!("root-{}{again}.{ending}", key.key_id()))
    };
    for ending in ENDINGS {
        let from = file.with_extension(ending);
        if exists(&from) {
            // A copy may be there, and a private key is never overwritten.
            let free = (1..=u32::MAX).map(|number| aside(number, ending)).find(|path| !exists(path));
            rename(&from, &free.expect("a directory has fewer than 2^32 files"))?;
        }
    }
    store::file::sync_dir(store::file::parent(file))?;
    Ok(ENDINGS.map(|ending| aside(1, ending)).into_iter().find(|path| exists(path)))
}

/// Removes new keys that nothing names: they were made just before an interruption, and have signed nothing.
pub(crate) fn discard(dir: &Path) -> Result<(), VendorError> {
    let failed = |path: &Path, source| VendorError::Io { doing: "remove", path: path.to_owned(), source };
    for entry in fs::read_dir(dir).map_err(|source| VendorError::read(dir, source))? {
        let entry = entry.map_err(|source| VendorError::read(dir, source))?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            fs::remove_file(entry.path()).map_err(|source| failed(&entry.path(), source))?;
        }
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Result<(), VendorError> {
    let renamed: io::Result<()> = fs::rename(from, to);
    renamed.map_err(|source| VendorError::Io { doing: "rename", path: from.to_owned(), source })
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
