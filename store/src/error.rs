//! What can go wrong, and by whose fault it is. [`OpenError::remedy`] says what to do; about a store that stops while it is used,
//! somebody has to see to its disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::batch::TooLarge;
use crate::engine::{Engine, Fault};
use crate::file;

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error("another process is running on the store in {}", .directory.display())]
    Locked {
        /// The store's directory.
        directory: PathBuf,
    },
    /// Another engine keeps it.
    #[error("the store in {} is kept by {}, and {} was asked for", .directory.display(), .found.name(), .asked.name())]
    OtherEngine {
        /// The store's directory.
        directory: PathBuf,
        /// The engine whose files are there.
        found: Engine,
        /// The one that was asked for.
        asked: Engine,
    },
    /// What is there is not the whole of what was once synced.
    #[error("the store in {} is damaged ({found}), and was not replaced by an empty one", .directory.display())]
    Damaged {
        /// The store's directory.
        directory: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The disk or the user's quota is full. Engines need some space even to open.
    #[error("no space is left for the store in {}", .directory.display())]
    NoSpace {
        /// The store's directory.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is none.
    #[error("there is no store in {}", .directory.display())]
    Missing {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// There is no room for the copy that an engine opens for whoever only looks.
    #[error(
        "looking at the store in {} needs a copy of it, and {} does not take one", .directory.display(), .place.display()
    )]
    NoRoom {
        /// The store's directory.
        directory: PathBuf,
        /// Where the copy was to be.
        place: PathBuf,
        /// What it takes.
        mebibytes: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system refused something else.
    #[error("the store in {} could not be opened", .directory.display())]
    Io {
        /// The store's directory.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl OpenError {
    /// What to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Locked { .. } => "stop that process, or give this one a directory of its own".to_owned(),
            Self::OtherEngine { found, .. } => {
                format!("ask for {} again, or name a directory of its own for the other", found.name())
            }
            Self::Damaged { .. } => "restore the whole directory from a backup".to_owned(),
            Self::NoSpace { .. } => "free space there and start again".to_owned(),
            Self::Missing { .. } => "name the directory that has one".to_owned(),
            Self::NoRoom { mebibytes, .. } => {
                format!("free {mebibytes} MiB there, or name a folder that has them with TMPDIR")
            }
            Self::Io { .. } => {
                "see that the directory and all in it belong to this user and can be written".to_owned()
            }
        }
    }

    pub(crate) fn damaged(directory: &Path, found: impl Into<String>) -> Self {
        Self::Damaged { directory: directory.to_owned(), found: found.into() }
    }

    pub(crate) fn of(directory: &Path, fault: Fault) -> Self {
        match fault {
            Fault::Locked => Self::Locked { directory: directory.to_owned() },
            Fault::Damaged(found) => Self::damaged(directory, found),
            Fault::Io(error) => Self::io(directory, error),
        }
    }

    pub(crate) fn io(directory: &Path, source: io::Error) -> Self {
        let directory = directory.to_owned();
        if file::is_full(&source) {
            Self::NoSpace { directory, source }
        } else {
            Self::Io { directory, source }
        }
    }
}

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The page that holds the record is not what was written.
    #[error("the store in {} is damaged ({found})", .directory.display())]
    Damaged {
        /// The store's directory.
        directory: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The operating system could not read it.
    #[error("the store in {} could not be read", .directory.display())]
    Io {
        /// The store's directory.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl ReadError {
    pub(crate) fn of(directory: &Path, fault: Fault) -> Self {
        let directory = directory.to_owned();
        match fault {
            Fault::Io(source) => Self::Io { directory, source },
            Fault::Damaged(found) => Self::Damaged { directory, found },
            Fault::Locked => Self::Io { directory, source: io::ErrorKind::WouldBlock.into() },
        }
    }
}

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The caller's mistake: nothing of it was written.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The store has failed, now or earlier, and stays so.
    #[error(transparent)]
    Stopped(#[from] SyncError),
}

/// The failure that stopped a store for good. It is the same for every call that follows, hence cheap to
/// clone.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "the store in {} could not {step} and has stopped, and nothing since its last sync may be acknowledged",
    .directory.display()
)]
pub struct SyncError {
    pub(crate) directory: PathBuf,
    pub(crate) step: &'static str,
    pub(crate) source: Arc<io::Error>,
}

impl SyncError {
    /// What the operating system, or the engine, said.
    pub fn cause(&self) -> &io::Error {
        &self.source
    }
}
