//! The directory of the state: `<directory>/<product>/` with `identity`, `identity.next`, `saved`, `key`, `hosts` and `lock`.
//!
//! This file knows names and permissions, and replaces files so that a crash leaves either the old one or the new one: it writes a
//! temporary file, flushes and renames it, and flushes the directory. `files` opens and makes one file, `identity` and `saved`
//! say what is in them, `installation` decides what becomes of them. `docs/protocol.md` 7.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::armour;
use shared::ids::ProductId;
use shared::reason::{Cause, Reason};
use zeroize::Zeroizing;

use crate::{files, random};

pub(crate) const IDENTITY: &str = "identity";
/// A new key without a lease yet, made because a host named a copy.
pub(crate) const PENDING: &str = "identity.next";
pub(crate) const SAVED: &str = "saved";
/// The product key that was entered.
#[cfg(feature = "keys")]
pub(crate) const KEY: &str = "key";
pub(crate) const HOSTS: &str = "hosts";
const LOCK: &str = "lock";

/// No list of hosts comes near this.
pub(crate) const HOSTS_MAX_BYTES: usize = 64 * 1024;

/// Whether and for whom a client keeps its state. [`Snapshot::state_dir`](crate::Snapshot::state_dir) says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keeping {
    /// In the product's directory, for every user of this machine.
    Kept,
    /// In a user's own directory, because the product's could not be written: each user counts as a machine.
    PerUser,
    /// Another user's process keeps it and asks; this one only reads.
    ReadOnly,
    /// There is a state that is read but not written, because the disk cannot be written or a newer release wrote the state. A
    /// lease in it holds; a new one ends with the process.
    Frozen,
    /// Nothing is there yet, and an [`Inspector`](crate::Inspector) begins nothing.
    NotBegun,
    /// Nowhere: this machine is licensed only while the product runs, and not counted as one.
    NotKept,
}

impl Keeping {
    /// A word for scripts and logs. Stable.
    pub const fn name(self) -> &'static str {
        match self {
            Keeping::Kept => "kept",
            Keeping::PerUser => "per-user",
            Keeping::ReadOnly => "read-only",
            Keeping::Frozen => "frozen",
            Keeping::NotBegun => "not-begun",
            Keeping::NotKept => "not-kept",
        }
    }
}

/// The directory of one product on this machine.
#[derive(Debug)]
pub(crate) struct Home {
    /// The directory in use.
    path: PathBuf,
    /// Where the administrator may have put a hosts file: the directory in use, and the first one.
    hosts_in: Vec<PathBuf>,
    /// What this process may do with the state, and why it keeps nothing.
    access: Mutex<(Keeping, Option<Cause>)>,
}

/// The lock on the state. Only its holder can write, because the writes are methods of it. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    home: Arc<Home>,
    /// None where nothing is kept.
    file: Option<File>,
}

impl Lock {
    /// Replaces a file that every user may read.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, bytes, 0o644)
    }

    /// Replaces a file that holds a private key.
    pub(crate) fn write_secret(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, bytes, 0o600)
    }

    fn replace(&self, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        if !self.home.keeps() {
            return Ok(());
        }
        self.home.replace(name, &format!("{name}.new"), bytes, mode)
    }

    /// Makes the pending key the identity.
    pub(crate) fn promote(&self) -> io::Result<()> {
        let path = self.home.path();
        if !self.home.keeps() {
            return Ok(());
        }
        fs::rename(path.join(PENDING), path.join(IDENTITY))?;
        files::sync_directory(path)
    }

    /// Removes a key or a state. A missing one counts as removed.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        if self.home.keeps() { self.home.remove_file(name) } else { Ok(()) }
    }
}

/// Unlocks instead of leaving it to the closing of the file. If the product is just starting another program, that program has the
/// file open for a moment, and the next ask would fail with `BUSY`.
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
    /// Finds out where this process can keep state, and makes the directory if necessary.
    pub(crate) fn open(primary: &Path, fallback: Option<&Path>, product: ProductId) -> Home {
        let folder = product.to_string();
        let first = primary.join(&folder);
        // Another user's identity: that user's process asks for this whole machine.
        if is_unreadable(&first.join(IDENTITY)) {
            return Home::read_only(&first);
        }
        let Err(error) = make_writable(&first) else {
            return Home::new(&first, &first, Keeping::Kept, None);
        };
        let cause = unwritable(&first, &error);
        // Not writable is not unreadable: the state that is there holds.
        if has_state(&first) {
            return Home::new(&first, &first, Keeping::Frozen, Some(cause));
        }
        if let Some(path) = fallback.map(|own| own.join(&folder))
            && make_writable(&path).is_ok()
        {
            return Home::new(&first, &path, Keeping::PerUser, None);
        }
        Home::new(&first, &first, Keeping::NotKept, Some(cause))
    }

    /// Finds the state. Makes and writes nothing.
    pub(crate) fn look(primary: &Path, fallback: Option<&Path>, product: ProductId) -> Home {
        let folder = product.to_string();
        let first = primary.join(&folder);
        if is_closed(&first.join(IDENTITY)) {
            return Home::read_only(&first);
        }
        let seen = |path: &Path, keeping| match files::probe_lock(&path.join(LOCK)) {
            Ok(()) => Home::new(&first, path, keeping, None),
            Err(error) => Home::new(&first, path, Keeping::Frozen, Some(unwritable(path, &error))),
        };
        if has_state(&first) {
            return seen(&first, Keeping::Kept);
        }
        match fallback.map(|own| own.join(&folder)).filter(|own| has_state(own)) {
            Some(path) => seen(&path, Keeping::PerUser),
            None => Home::new(&first, &first, Keeping::NotBegun, None),
        }
    }

    /// Nowhere: nothing is read or written.
    #[cfg(feature = "testing")]
    pub(crate) fn nowhere() -> Home {
        let cause =
            Reason::StateUnwritable.with(&[("path", &"the test kit"), ("cause", &"it keeps nothing")]);
        let path = Path::new("");
        Home { hosts_in: Vec::new(), ..Home::new(path, path, Keeping::NotKept, Some(cause)) }
    }

    /// Another user's process keeps the state.
    fn read_only(path: &Path) -> Home {
        let cause = Reason::IdentityUnreadable.with(&[("path", &path.display())]);
        Home::new(path, path, Keeping::ReadOnly, Some(cause))
    }

    fn new(first: &Path, path: &Path, keeping: Keeping, trouble: Option<Cause>) -> Home {
        let hosts_in = vec![path.to_owned(), first.to_owned()];
        Home { path: path.to_owned(), hosts_in, access: Mutex::new((keeping, trouble)) }
    }

    pub(crate) fn keeping(&self) -> Keeping {
        self.access().0
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether what is written here is there after a restart.
    pub(crate) fn keeps(&self) -> bool {
        matches!(self.keeping(), Keeping::Kept | Keeping::PerUser)
    }

    /// Whether another user's process asks for this one.
    pub(crate) fn is_read_only(&self) -> bool {
        self.keeping() == Keeping::ReadOnly
    }

    /// Why nothing is kept.
    pub(crate) fn trouble(&self) -> Option<Cause> {
        self.access().1.clone()
    }

    /// From here on nothing is written.
    pub(crate) fn freeze(&self, cause: Cause) {
        tracing::warn!(%cause, "the state is left as it is");
        let keeping = if has_state(&self.path) { Keeping::Frozen } else { Keeping::NotKept };
        *self.access() = (keeping, Some(cause));
    }

    /// Checks whether a directory that could not be written can be now: a disk may be read-only while a machine starts.
    pub(crate) fn thaw(&self) {
        let is_shut = matches!(self.keeping(), Keeping::Frozen | Keeping::NotKept);
        if is_shut && make_writable(&self.path).is_ok() {
            *self.access() = (Keeping::Kept, None);
        }
    }

    /// A panic elsewhere cannot leave it half changed.
    fn access(&self) -> MutexGuard<'_, (Keeping, Option<Cause>)> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock, or nothing if another process holds it.
    pub(crate) fn lock(self: &Arc<Self>) -> io::Result<Option<Lock>> {
        let home = Arc::clone(self);
        if !self.keeps() {
            return Ok(Some(Lock { home, file: None }));
        }
        let file = files::open_lock(&self.path().join(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { home, file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The content of a file, or nothing if there is none.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        match files::read(&self.path.join(name)) {
            // A file in the place of the directory or of one above it: no state is there.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
            read => read,
        }
    }

    /// The text of the administrator's hosts file.
    ///
    /// # Errors
    /// It exists and cannot be read.
    pub(crate) fn read_hosts(&self) -> Result<Option<String>, Cause> {
        for path in self.hosts_in.iter().map(|path| path.join(HOSTS)) {
            match files::read(&path) {
                Ok(Some(bytes)) if HOSTS_MAX_BYTES < bytes.len() => {
                    let cause = format!("{} is larger than 64 KiB, and not read", path.display());
                    return Err(Reason::HostsFileBad.with(&[("cause", &cause)]));
                }
                Ok(Some(bytes)) => {
                    let lossy = |_| String::from_utf8_lossy(&bytes).into_owned();
                    return Ok(Some(armour::plain(&bytes).unwrap_or_else(lossy)));
                }
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
                Err(error) => {
                    let cause = format!("{} cannot be read: {error}", path.display());
                    return Err(Reason::HostsFileBad.with(&[("cause", &cause)]));
                }
            }
        }
        Ok(None)
    }

    /// Replaces the administrator's hosts file. It takes no lock, because a round in progress would hold it for long; instead
    /// every writer has a temporary file of its own, and the last one wins. It begins no state: hosts can be named before the
    /// product's first start, and in an image.
    pub(crate) fn write_hosts(&self, bytes: &[u8]) -> io::Result<()> {
        make_folder(&self.path)?;
        let drawn = u64::from_ne_bytes(random::bytes()?);
        self.replace(HOSTS, &format!("{HOSTS}.{drawn:016x}.new"), bytes, 0o644)
    }

    /// Removes the administrator's hosts file.
    pub(crate) fn remove_hosts(&self) -> io::Result<()> {
        self.remove_file(HOSTS)
    }

    fn remove_file(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(())
            }
            Err(error) => Err(error),
            Ok(()) => files::sync_directory(&self.path),
        }
    }

    fn replace(&self, name: &str, beside: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        // 1 write beside it  2 flush  3 rename, which replaces at once  4 flush the directory. A crash at any point leaves the
        // whole old file or the whole new one.
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
            // Only the first error is reported, even if the temporary file stays behind.
            let _ = fs::remove_file(&beside);
            return Err(error);
        }
        files::sync_directory(self.path())
    }
}

/// Why nothing can be written.
pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Cause {
    Reason::StateUnwritable.with(&[("path", &path.display()), ("cause", error)])
}

/// Whether a file exists and cannot be read, by this user or by anybody for now. A disk that fails to read an identity must not
/// cost it.
fn is_unreadable(path: &Path) -> bool {
    files::read(path).is_err() && fs::symlink_metadata(path).is_ok()
}

/// Whether a file cannot be read, or its existence cannot be determined.
fn is_closed(path: &Path) -> bool {
    files::read(path).is_err_and(|error| error.kind() != io::ErrorKind::NotADirectory)
}

/// Whether a product has run here.
fn has_state(path: &Path) -> bool {
    is_folder(path) && [IDENTITY, SAVED].iter().any(|name| fs::symlink_metadata(path.join(name)).is_ok())
}

/// Makes the directory, and opens its lock to prove that it can be written.
fn make_writable(path: &Path) -> io::Result<()> {
    make_folder(path)?;
    files::open_lock(&path.join(LOCK)).map(drop)
}

/// Makes the folder. Refuses a link in its place, because somebody else has put it there.
fn make_folder(path: &Path) -> io::Result<()> {
    files::make_directory(path)?;
    if is_folder(path) { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}
