//! Where the state lies: `<directory>/<product>/` with `identity`, `identity.next`, `saved`, `hosts` and `lock`.
//!
//! This file knows names, permissions and how to write so that a crash leaves either the old or the new: a temporary
//! beside it, flushed, renamed, and the directory flushed. How one file is opened and made is told in `files`, what the
//! files mean in `identity` and `saved`, what becomes of them in `installation`. `docs/protocol.md` 7.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use shared::ids::ProductId;
use zeroize::Zeroizing;

use crate::{files, random};

pub(crate) const IDENTITY: &str = "identity";
/// A new key, made because a host named a copy, that holds no lease yet.
pub(crate) const PENDING: &str = "identity.next";
pub(crate) const SAVED: &str = "saved";
pub(crate) const HOSTS: &str = "hosts";
const LOCK: &str = "lock";

/// Where a client keeps its state, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// In the product's directory, for every user of this machine.
    Kept {
        /// The directory, that of the product inside it included.
        path: PathBuf,
    },
    /// In a user's own directory, because the product's could not be written: each user counts as a machine.
    PerUser {
        /// The directory, that of the product inside it included.
        path: PathBuf,
    },
    /// Another user's process keeps it and asks; this one only reads.
    ReadOnly {
        /// The directory, that of the product inside it included.
        path: PathBuf,
    },
    /// Nowhere: this machine is licensed only while the product runs, and not counted as one.
    NotKept {
        /// The directory that could not be written.
        path: PathBuf,
    },
}

impl Keeping {
    /// The directory that is used, or could not be.
    pub fn path(&self) -> &Path {
        match self {
            Keeping::Kept { path }
            | Keeping::PerUser { path }
            | Keeping::ReadOnly { path }
            | Keeping::NotKept { path } => path,
        }
    }
}

/// The directory of one product on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    keeping: Keeping,
    /// Why the first directory could not be used, if so.
    pub(crate) refused: Option<String>,
    /// Where the administrator may have named hosts: the directory in use, and the first one.
    hosts_in: Vec<PathBuf>,
}

/// Whoever holds it may write, and nobody else does; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: Option<File>,
}

/// Given back, not left to the closing: where the product is just starting another program, that one has the file open,
/// too, for a moment, and the next ask would be told `BUSY`.
impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(file) = &self.file
            && let Err(error) = file.unlock()
        {
            tracing::debug!(%error, "the lock ends when its file is closed");
        }
    }
}

impl Home {
    /// Finds out where this process can keep state, and makes the directory if need be.
    pub(crate) fn open(primary: &Path, fallback: Option<&Path>, product: ProductId) -> Home {
        let folder = product.to_string();
        let first = primary.join(&folder);
        let home = |keeping: Keeping, refused| Home {
            hosts_in: [keeping.path(), &first].map(Path::to_owned).to_vec(),
            keeping,
            refused,
        };
        // Another user's identity: that user's process asks, for all of us.
        if is_unreadable(&first.join(IDENTITY)) {
            return home(Keeping::ReadOnly { path: first.clone() }, None);
        }
        let Err(error) = make_writable(&first) else {
            return home(Keeping::Kept { path: first.clone() }, None);
        };
        let refused = Some(error.to_string());
        if let Some(path) = fallback.map(|own| own.join(&folder))
            && make_writable(&path).is_ok()
        {
            return home(Keeping::PerUser { path }, refused);
        }
        home(Keeping::NotKept { path: first.clone() }, refused)
    }

    pub(crate) fn keeping(&self) -> &Keeping {
        &self.keeping
    }

    pub(crate) fn path(&self) -> &Path {
        self.keeping.path()
    }

    /// Whether what is written here is there after a restart.
    pub(crate) fn keeps(&self) -> bool {
        matches!(self.keeping, Keeping::Kept { .. } | Keeping::PerUser { .. })
    }

    /// Takes the lock, or nothing if another process holds it.
    pub(crate) fn lock(&self) -> io::Result<Option<Lock>> {
        if !self.keeps() {
            return Ok(Some(Lock { file: None }));
        }
        let file = files::open_lock(&self.path().join(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The content of a file, or nothing if there is none.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        if matches!(self.keeping, Keeping::NotKept { .. }) {
            return Ok(None);
        }
        files::read(&self.path().join(name))
    }

    /// The file in which the administrator has named hosts.
    pub(crate) fn read_hosts(&self) -> Option<String> {
        let read = |path: &PathBuf| match files::read(&path.join(HOSTS)) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the hosts that are named here cannot be read");
                None
            }
        };
        self.hosts_in.iter().find_map(read).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Replaces a file that every user may read. Only the holder of the lock writes `saved`.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, &format!("{name}.new"), bytes, 0o644)
    }

    /// Replaces a file that holds a private key.
    pub(crate) fn write_secret(&self, name: &str, bytes: &[u8], _lock: &Lock) -> io::Result<()> {
        self.replace(name, &format!("{name}.new"), bytes, 0o600)
    }

    /// Replaces the file in which the administrator names hosts. It takes no lock, because a round under way would hold
    /// it for long; instead every writer has a temporary of his own, and the last one is right.
    pub(crate) fn write_hosts(&self, bytes: &[u8]) -> io::Result<()> {
        let drawn = u64::from_ne_bytes(random::bytes()?);
        self.replace(HOSTS, &format!("{HOSTS}.{drawn:016x}.new"), bytes, 0o644)
    }

    /// Makes the pending key the identity.
    pub(crate) fn promote(&self, _lock: &Lock) -> io::Result<()> {
        if !self.keeps() {
            return Ok(());
        }
        fs::rename(self.path().join(PENDING), self.path().join(IDENTITY))?;
        files::sync_directory(self.path())
    }

    /// Removes a file; one that is not there is removed already.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        if !self.keeps() {
            return Ok(());
        }
        match fs::remove_file(self.path().join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => files::sync_directory(self.path()),
        }
    }

    fn replace(&self, name: &str, beside: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        if !self.keeps() {
            return Ok(());
        }
        // 1 write beside it  2 flush  3 rename, which replaces at once  4 flush the directory: a crash at any point
        // leaves the old file or the new one, whole.
        let beside = self.path().join(beside);
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let written = files::create(&beside, mode).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        if let Err(error) = written.and_then(|()| fs::rename(&beside, self.path().join(name))) {
            // What was in the way is told; a temporary that stays behind as well is not.
            let _ = fs::remove_file(&beside);
            return Err(error);
        }
        files::sync_directory(self.path())
    }
}

/// Whether a file is there and cannot be read: by this user, or by nobody for now. A disk that fails to read an
/// identity must not cost it.
fn is_unreadable(path: &Path) -> bool {
    files::read(path).is_err() && fs::symlink_metadata(path).is_ok()
}

/// Makes the directory, and proves that it can be written by opening its lock.
fn make_writable(path: &Path) -> io::Result<()> {
    files::make_directory(path)?;
    // The folder in it is ours to make: one that leads elsewhere was put there by somebody else.
    if !fs::symlink_metadata(path)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    files::open_lock(&path.join(LOCK)).map(drop)
}
