//! Opening a store: create it so that it lasts, wait for a lock that is about to go, refuse what has lost
//! records.
//!
//! What an open store does is `store.rs`; the mark that tells a lost tail is `mark.rs`.

use std::any::Any;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::error::{self, OpenError};
use crate::file::{self, FileError};
use crate::mark::{Mark, SYNCS_KEY, SYNCS_TREE};

/// A killed process keeps its lock until the kernel has taken it apart, which with a large cache takes a
/// moment.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// How sled 0.34.7 words the one error that means "locked"; its kind is only `Other`.
const LOCKED: &str = "could not acquire lock";

/// sled panics below 256 bytes and crawls long before that.
const LEAST_CACHE_BYTES: u64 = 1 << 20;

/// Notes what a refused opening found.
const DAMAGED: &str = "damaged";

/// The parts of an open store.
pub(crate) struct Opened {
    pub(crate) db: sled::Db,
    pub(crate) syncs_tree: sled::Tree,
    pub(crate) db_file: File,
    pub(crate) mark: Mark,
    pub(crate) syncs: u64,
}

pub(crate) fn open(directory: &Path, cache_bytes: u64) -> Result<Opened, OpenError> {
    refuse_what_was_damaged(directory)?;
    let opened = open_and_check(directory, cache_bytes);
    if let Err(OpenError::Damaged { found, .. }) = &opened {
        // sled repairs in its own way while it opens, so a second try might pass with less. If this file
        // cannot be written either, the refusal at hand still stands.
        let _ = file::replace(&directory.join(DAMAGED), found.as_bytes(), 0o600);
    }
    opened
}

/// A refusal holds until the directory is restored, which takes this file away.
fn refuse_what_was_damaged(directory: &Path) -> Result<(), OpenError> {
    match fs::read(directory.join(DAMAGED)) {
        Ok(found) => {
            let found = String::from_utf8_lossy(&found);
            Err(OpenError::damaged(directory, format!("{found}; noted in its file `{DAMAGED}`")))
        }
        // Whatever is wrong with the directory, the opening will say it better.
        Err(_) => Ok(()),
    }
}

fn open_and_check(directory: &Path, cache_bytes: u64) -> Result<Opened, OpenError> {
    let io = |error| OpenError::io(directory, error);
    let damaged = |found: &str| OpenError::damaged(directory, found);

    create_directory(directory).map_err(io)?;
    // Before sled, which would put an empty file in the place of one that is gone.
    if Mark::exists(directory).map_err(io)? {
        check_db_file(directory)?;
    }
    let (db, syncs_tree, syncs) = open_when_unlocked(directory, cache_bytes)?;
    let db_file = OpenOptions::new().read(true).write(true).open(directory.join("db")).map_err(io)?;
    make_opening_durable(directory, &db, &db_file).map_err(io)?;

    // Under sled's lock, hence never while another process creates it.
    if !Mark::exists(directory).map_err(io)? {
        if syncs != 0 {
            return Err(damaged("its file `mark` is missing"));
        }
        make_creation_durable(directory).map_err(io)?;
    }
    let (mark, marked) = Mark::open(directory).map_err(io)?;
    let Some(marked) = marked else {
        return Err(damaged("its file `mark` is not readable"));
    };
    if syncs < marked {
        return Err(damaged(&format!("its log ends at sync {syncs}, but sync {marked} was acknowledged")));
    }
    Ok(Opened { db, syncs_tree, db_file, mark, syncs })
}

/// Creates the directory and any above it that are missing, each durable before the next.
fn create_directory(directory: &Path) -> io::Result<()> {
    let parent = file::parent(directory);
    if directory.is_dir() || parent == directory {
        return Ok(());
    }
    create_directory(parent)?;
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(directory) {
        // Another process was faster; the lock decides which of us goes on.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => file::sync_dir(parent).map_err(FileError::into_io),
    }
}

/// Refuses a store whose log is gone or empty: a store that has a mark has at least one segment.
fn check_db_file(directory: &Path) -> Result<(), OpenError> {
    match fs::metadata(directory.join("db")) {
        Ok(db) if db.len() == 0 => Err(OpenError::damaged(directory, "its file `db` is empty")),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(OpenError::damaged(directory, "its file `db` is missing"))
        }
        Err(error) => Err(OpenError::io(directory, error)),
    }
}

type Sled = (sled::Db, sled::Tree, u64);

fn open_when_unlocked(directory: &Path, cache_bytes: u64) -> Result<Sled, OpenError> {
    for tried in 0..LOCK_TRIES {
        match open_sled(directory, cache_bytes) {
            Err(OpenError::Locked { .. }) if tried == 0 => {
                tracing::warn!(directory = %directory.display(), "the store is held, waiting");
            }
            Err(OpenError::Locked { .. }) => {}
            opened => return opened,
        }
        thread::sleep(LOCK_PAUSE);
    }
    open_sled(directory, cache_bytes)
}

/// One try. The one place where sled may panic on what it finds on the disk.
fn open_sled(directory: &Path, cache_bytes: u64) -> Result<Sled, OpenError> {
    let open = || -> sled::Result<Sled> {
        let db = sled::Config::new()
            .path(directory)
            .cache_capacity(cache_bytes.max(LEAST_CACHE_BYTES))
            // Syncing is ours alone. sled's own timer would only compete with it.
            .flush_every_ms(None)
            .open()?;
        let syncs_tree = db.open_tree(SYNCS_TREE)?;
        let syncs = read_syncs(&syncs_tree)?;
        Ok((db, syncs_tree, syncs))
    };
    match panic::catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(sled::Error::Io(error))) if error.to_string().contains(LOCKED) => {
            Err(OpenError::Locked { directory: directory.to_owned() })
        }
        // A file that ends too early is damage, not a failing disk.
        Ok(Err(sled::Error::Io(error))) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(OpenError::io(directory, error))
        }
        Ok(Err(error)) => Err(OpenError::damaged(directory, error::describe(&error))),
        Err(panic) => Err(OpenError::damaged(directory, panic_message(&*panic))),
    }
}

/// The number of the last sync in sled's log, 0 when there was none.
fn read_syncs(tree: &sled::Tree) -> sled::Result<u64> {
    let Some(bytes) = tree.get(SYNCS_KEY)? else {
        return Ok(0);
    };
    let number = bytes.as_ref().try_into().map_err(|_| {
        sled::Error::Unsupported(format!(
            "the number of its last sync has {} bytes instead of 8",
            bytes.len()
        ))
    })?;
    Ok(u64::from_be_bytes(number))
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "sled panicked".to_owned())
}

/// Syncs what sled did while it opened: it may have shown us records that a killed process left in the page
/// cache, and may have renamed a snapshot into place.
fn make_opening_durable(directory: &Path, db: &sled::Db, db_file: &File) -> io::Result<()> {
    db.flush()?;
    db_file.sync_all()?;
    file::sync_dir(directory).map_err(FileError::into_io)
}

/// Makes a new store last: the remaining files, the entries that name them, and last of all the mark.
fn make_creation_durable(directory: &Path) -> io::Result<()> {
    File::open(directory.join("conf"))?.sync_all()?;
    file::sync_dir(&directory.join("blobs")).map_err(FileError::into_io)?;
    match file::sync_dir(file::parent(directory)) {
        // A service's data directory may stand in one that the service cannot read. Whoever made it there
        // made it last.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        synced => synced.map_err(FileError::into_io)?,
    }
    Mark::create(directory).map_err(FileError::into_io)
}
