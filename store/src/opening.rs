//! Opening a store: create it so that it lasts, wait for a lock that is about to go, refuse what has lost
//! records.
//!
//! What an open store does is `store.rs`; the mark that tells a lost tail is `mark.rs`.

use std::any::Any;
use std::fs::{self, File};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::closed;
use crate::engine::{Backing, Engine, Fault, Opened};
use crate::error::OpenError;
use crate::file::{self, FileError};
use crate::lock;
use crate::mark::Mark;

/// A killed process keeps its lock until the kernel has taken it apart, which with a large cache takes a
/// moment.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Notes what a refused opening found.
const DAMAGED: &str = "damaged";

/// The parts of an open store.
pub(crate) struct Parts {
    pub(crate) backing: Box<dyn Backing>,
    pub(crate) mark: Mark,
    pub(crate) syncs: u64,
    pub(crate) was_closed_in_order: bool,
    pub(crate) lock: File,
}

/// Opens a store that one of our engines keeps.
pub(crate) fn open(directory: &Path, engine: Engine, cache_bytes: u64) -> Result<Parts, OpenError> {
    match Engine::of(directory).map_err(|error| OpenError::io(directory, error))? {
        Some(found) if found != engine => {
            Err(OpenError::OtherEngine { directory: directory.to_owned(), found, asked: engine })
        }
        _ => open_with(directory, |directory, marked| engine.open(directory, marked, cache_bytes)),
    }
}

/// Opens a store over a backing. `open` is told whether the directory has the mark of a store already, and may be called
/// again while another process holds it.
pub(crate) fn open_with(
    directory: &Path,
    open: impl Fn(&Path, bool) -> Result<Opened, Fault>,
) -> Result<Parts, OpenError> {
    refuse_what_was_damaged(directory)?;
    let opened = open_and_check(directory, open);
    if let Err(OpenError::Damaged { found, .. }) = &opened {
        // An engine repairs in its own way while it opens, so a second try might pass with less. If this file
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

fn open_and_check(
    directory: &Path,
    open: impl Fn(&Path, bool) -> Result<Opened, Fault>,
) -> Result<Parts, OpenError> {
    create_directory(directory).map_err(|error| OpenError::io(directory, error))?;
    for tried in 0..LOCK_TRIES {
        match open_once(directory, &open) {
            Err(OpenError::Locked { .. }) if tried == 0 => {
                tracing::warn!(directory = %directory.display(), "the store is held, waiting");
            }
            Err(OpenError::Locked { .. }) => {}
            opened => return opened,
        }
        thread::sleep(LOCK_PAUSE);
    }
    open_once(directory, &open)
}

/// One try.
fn open_once(
    directory: &Path,
    open: &impl Fn(&Path, bool) -> Result<Opened, Fault>,
) -> Result<Parts, OpenError> {
    let io = |error| OpenError::io(directory, error);
    let damaged = |found: &str| OpenError::damaged(directory, found);

    let locked = || OpenError::Locked { directory: directory.to_owned() };
    let lock = lock::take(directory).map_err(io)?.ok_or_else(locked)?;
    let mut mark = Mark::open(directory).map_err(io)?;
    let was_closed_in_order = match &mark {
        Some((_, marked)) => marked.is_some_and(|marked| closed::is_noted(directory, marked)),
        None => true,
    };
    closed::remove(directory).map_err(io)?;
    let Opened { backing, syncs } = open_engine(directory, || open(directory, mark.is_some()))?;
    if mark.is_none() {
        if syncs != 0 {
            return Err(damaged("its file `mark` is missing"));
        }
        make_creation_durable(directory).map_err(io)?;
        mark = Mark::open(directory).map_err(io)?;
    }
    let Some((mark, Some(marked))) = mark else {
        return Err(damaged("its file `mark` is not readable"));
    };
    if syncs < marked {
        return Err(damaged(&format!("its log ends at sync {syncs}, but sync {marked} was acknowledged")));
    }
    Ok(Parts { backing, mark, syncs, was_closed_in_order, lock })
}

/// Closes an engine whose store has not stopped, and notes that it was done in order.
pub(crate) fn close(directory: &Path, backing: Box<dyn Backing>, syncs: u64) -> io::Result<()> {
    // An engine may panic on what the disk says to its last words.
    panic::catch_unwind(AssertUnwindSafe(|| drop(backing)))
        .map_err(|panic| io::Error::other(panic_message(&*panic)))?;
    file::sync_all_below(directory)?;
    closed::write(directory, syncs)
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

/// Opens an engine, which may panic on what it finds on the disk.
fn open_engine(directory: &Path, open: impl FnOnce() -> Result<Opened, Fault>) -> Result<Opened, OpenError> {
    match panic::catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(Fault::Locked)) => Err(OpenError::Locked { directory: directory.to_owned() }),
        Ok(Err(Fault::Damaged(found))) => Err(OpenError::damaged(directory, found)),
        Ok(Err(Fault::Io(error))) => Err(OpenError::io(directory, error)),
        Err(panic) => Err(OpenError::damaged(directory, panic_message(&*panic))),
    }
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    message
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "the engine panicked".to_owned())
}

/// Makes a new store last: the directory's own entry, and last of all the mark.
fn make_creation_durable(directory: &Path) -> io::Result<()> {
    match file::sync_dir(file::parent(directory)) {
        // A service's data directory may stand in one that the service cannot read. Whoever made it there
        // made it last.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        synced => synced.map_err(FileError::into_io)?,
    }
    Mark::create(directory).map_err(FileError::into_io)
}
