//! Whether the data directory is still the one that a host was started on.
//!
//! A directory that is removed or replaced under a running host stays open: the host goes on writing into files that have no
//! name any more, and everything it acknowledges is lost with the process. So it looks from time to time, and stops.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Home;

/// How often to look. Each look asks for two names that the kernel has at hand.
const LOOK: Duration = Duration::from_millis(200);

/// The directories of a host as they were when it opened them.
#[derive(Debug)]
pub struct Presence(Vec<Place>);

#[derive(Debug)]
struct Place {
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
}

/// The data directory, or its ledger, is not what was opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} {what} while the host was running, and the host has stopped, because nothing that it counts there would last; put the \
     directory back and start the host again", path.display()
)]
pub struct Gone {
    path: PathBuf,
    what: &'static str,
}

impl Presence {
    /// Takes note of the directories as they are, to be called once the ledger is open.
    ///
    /// # Errors
    /// One of them cannot be looked at.
    pub fn of(home: &Home) -> io::Result<Presence> {
        let places = [home.path().to_owned(), home.ledger_path()].map(|path| {
            let file = file_at(&path)?;
            Ok(Place { path, file })
        });
        places.into_iter().collect::<io::Result<_>>().map(Presence)
    }

    /// Looks whether they are still there. What cannot be looked at is not taken to be gone.
    ///
    /// # Errors
    /// One of them is not.
    pub fn look(&self) -> Result<(), Gone> {
        for Place { path, file } in &self.0 {
            let what = match file_at(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was removed",
                Ok(found) if found != *file => "was replaced by another directory",
                Ok(_) | Err(_) => continue,
            };
            return Err(Gone { path: path.clone(), what });
        }
        Ok(())
    }

    /// Completes once one of them is gone.
    pub async fn gone(&self) -> Gone {
        loop {
            if let Err(gone) = self.look() {
                return gone;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn file_at(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_removed_or_replaced_is_told_from_one_that_cannot_be_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let home = Home::at(&data);
        fs::create_dir_all(data.join("ledger")).unwrap();
        let presence = Presence::of(&home).unwrap();
        assert_eq!(presence.look(), Ok(()));

        fs::rename(data.join("ledger"), data.join("ledger.old")).unwrap();
        assert_eq!(presence.look().unwrap_err().what, "was removed");
        fs::create_dir(data.join("ledger")).unwrap();
        assert_eq!(presence.look().unwrap_err().path, data.join("ledger"));

        fs::remove_dir(data.join("ledger")).unwrap();
        fs::rename(data.join("ledger.old"), data.join("ledger")).unwrap();
        assert_eq!(presence.look(), Ok(()), "put back in time");

        fs::rename(&data, folder.path().join("moved")).unwrap();
        let gone = presence.look().unwrap_err();
        assert_eq!((gone.path.as_path(), gone.what), (data.as_path(), "was removed"));
        fs::write(&data, "").unwrap();
        assert_eq!(presence.look().unwrap_err().what, "was replaced by another directory");
    }
}
