//! Whether a directory is still the one that was opened.
//!
//! A directory that is removed or replaced under a running process stays open: the process goes on writing into files that have
//! no name any more, and they are gone with it. A look asks the kernel for one name that it has at hand.

use std::io;
use std::path::{Path, PathBuf};

/// A directory as it was when it was opened.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
    file: Option<(u64, u64)>,
}

/// A directory is not the one that was opened any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {what}", path.display())]
pub struct Gone {
    path: PathBuf,
    what: &'static str,
}

impl Place {
    /// Takes note of a directory.
    pub fn of(path: &Path) -> Place {
        Place { path: path.to_owned(), file: file_at(path).ok() }
    }

    /// Looks whether it is still there. What cannot be looked at is not taken to be gone.
    ///
    /// # Errors
    /// It is not.
    pub fn look(&self) -> Result<(), Gone> {
        let what = match file_at(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => "was removed",
            Ok(found) if self.file.is_some_and(|file| file != found) => "was replaced by another directory",
            Ok(_) | Err(_) => return Ok(()),
        };
        Err(Gone { path: self.path.clone(), what })
    }
}

/// Device and inode.
#[cfg(unix)]
fn file_at(path: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// Elsewhere a directory with open files is not removed.
#[cfg(not(unix))]
fn file_at(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|_| (0, 0))
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_that_is_removed_or_replaced_is_told_from_one_that_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("above/below");
        fs::create_dir_all(&path).unwrap();
        let place = Place::of(&path);
        let what = || place.look().map_err(|gone| gone.what);
        assert_eq!(what(), Ok(()));

        let aside = folder.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        assert_eq!(what(), Err("was removed"));
        fs::create_dir(&path).unwrap();
        assert_eq!(what(), Err("was replaced by another directory"));

        fs::remove_dir(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
        assert_eq!(what(), Ok(()), "put back in time");

        fs::rename(folder.path().join("above"), &aside).unwrap();
        assert_eq!(what(), Err("was removed"), "with what it lies in");
    }
}
