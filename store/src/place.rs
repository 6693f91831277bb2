//! Whether a store's directory, and what lies in it, is still what was opened.
//!
//! A directory or file that is removed or replaced under a running process stays open: the process goes on writing into files
//! that have no name any more, and they are gone with it. A look asks the kernel for a few names that it has at hand.

use std::io;
use std::path::{Path, PathBuf};

use crate::engine::Engine;
use crate::mark;

/// A store's directory as it was when it was opened, with those files in it that stay the same for as long as it is open.
#[derive(Clone, Debug)]
pub struct Place(Vec<(Option<(u64, u64)>, PathBuf)>);

/// A directory, or a file in it, is not the one that was opened any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {what}", path.display())]
pub struct Gone {
    path: PathBuf,
    what: &'static str,
}

impl Place {
    /// Takes note of a directory.
    pub fn of(directory: &Path) -> Place {
        let lasting = Engine::ALL.iter().flat_map(|engine| engine.files()).chain([&mark::FILE_NAME]);
        Place::of_files(directory, lasting.map(|name| directory.join(name)))
    }

    /// Takes note of a directory, and of those of these files that are there.
    pub fn of_files(directory: &Path, files: impl IntoIterator<Item = PathBuf>) -> Place {
        let there = files.into_iter().filter(|path| path.exists());
        let paths = [directory.to_owned()].into_iter().chain(there);
        Place(paths.map(|path| (file_at(&path).ok(), path)).collect())
    }

    /// Looks whether all of it is still there. What cannot be looked at is not taken to be gone.
    ///
    /// # Errors
    /// It is not.
    pub fn look(&self) -> Result<(), Gone> {
        for (file, path) in &self.0 {
            let what = match file_at(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was removed",
                Ok(found) if file.is_some_and(|file| file != found) => "was replaced",
                Ok(_) | Err(_) => continue,
            };
            return Err(Gone { path: path.clone(), what });
        }
        Ok(())
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
        assert_eq!(what(), Err("was replaced"));

        fs::remove_dir(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
        assert_eq!(what(), Ok(()), "put back in time");

        fs::rename(folder.path().join("above"), &aside).unwrap();
        assert_eq!(what(), Err("was removed"), "with what it lies in");
    }
}
