//! Opening a store: create it so that it lasts, wait for a lock that is about to go, refuse what has lost records, and leave
//! what is refused as it was.
//!
//! What an open store does is `store.rs`; the mark that tells a lost tail is `mark.rs`; why an engine opens a copy first is
//! `copy.rs`.

use std::any::Any;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::closed;
use crate::copy::{self, Copy, Place};
use crate::engine::{Backing, Engine, Fault, Opened};
use crate::error::OpenError;
use crate::file::{self, FileError};
use crate::lock;
use crate::mark::Mark;

/// A killed process keeps its lock until the kernel has taken it apart, which with a large cache takes a
/// moment.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Notes what a refused opening found, where the engine had no room for a copy and may have changed what it then refused.
const DAMAGED: &str = "damaged";

/// How such a note begins. An earlier release wrote others, also of what was no damage; those are no reason to refuse.
const TOUCHED: &str = "an engine has opened it and refused it: ";

/// More than an engine asks for at once while it opens.
const PROBE_BYTES: usize = 1 << 20;

/// The parts of an open store.
pub(crate) struct Parts {
    pub(crate) backing: Box<dyn Backing>,
    pub(crate) mark: Mark,
    pub(crate) syncs: u64,
    pub(crate) was_closed_in_order: bool,
    pub(crate) locks: Vec<File>,
    /// Where its files are, if it was opened only to be looked at.
    pub(crate) copy: Option<Copy>,
}

/// What is found in a directory, and fits its mark.
struct Found {
    backing: Box<dyn Backing>,
    mark: Mark,
    syncs: u64,
}

/// Opens a store that one of our engines keeps.
pub(crate) fn open(directory: &Path, engine: Engine, cache_bytes: u64) -> Result<Parts, OpenError> {
    check_engine(directory, engine)?;
    let open = |place: &Path, marked| engine.open(place, marked, cache_bytes);
    file::make_private_dir(directory).map_err(|error| OpenError::io(directory, error))?;
    when_unlocked(directory, || open_once(directory, Some(engine), &open))
}

/// Opens a store over a backing. `open` is told whether the directory has the mark of a store already, and may be called
/// again while another process holds it.
pub(crate) fn open_with(
    directory: &Path,
    open: impl Fn(&Path, bool) -> Result<Opened, Fault>,
) -> Result<Parts, OpenError> {
    file::make_private_dir(directory).map_err(|error| OpenError::io(directory, error))?;
    when_unlocked(directory, || open_once(directory, None, &open))
}

/// Opens a copy of a store, and writes nothing where it lies.
pub(crate) fn look(directory: &Path, engine: Engine, cache_bytes: u64) -> Result<Parts, OpenError> {
    if check_engine(directory, engine)?.is_none() {
        return Err(OpenError::Missing { directory: directory.to_owned() });
    }
    when_unlocked(directory, || {
        let mut locks = Vec::new();
        for name in [Some(lock::FILE_NAME), engine.own_lock()].into_iter().flatten() {
            locks.extend(lock::share(directory, name).map_err(|fault| OpenError::of(directory, fault))?);
        }
        if let Some(found) = noted(directory) {
            return Err(OpenError::damaged(directory, found));
        }
        let was_closed_in_order =
            is_closed_in_order(directory).map_err(|error| OpenError::io(directory, error))?;
        let Tried { copy, found, .. } = open_copy(directory, engine, Place::Temporary, cache_bytes)?;
        let Found { backing, mark, syncs } = found;
        // Whoever is killed from here on leaves no records behind.
        engine.unname(copy.path());
        Ok(Parts { backing, mark, syncs, was_closed_in_order, locks, copy: Some(copy) })
    })
}

/// The engine that keeps the store, if there is one, and it is this.
fn check_engine(directory: &Path, asked: Engine) -> Result<Option<Engine>, OpenError> {
    match Engine::of(directory).map_err(|error| OpenError::io(directory, error))? {
        Some(found) if found != asked => {
            Err(OpenError::OtherEngine { directory: directory.to_owned(), found, asked })
        }
        found => Ok(found),
    }
}

/// Tries again while another process holds the store, for a while.
fn when_unlocked<T>(directory: &Path, open: impl Fn() -> Result<T, OpenError>) -> Result<T, OpenError> {
    for tried in 0..LOCK_TRIES {
        match open() {
            Err(OpenError::Locked { .. }) if tried == 0 => {
                tracing::warn!(
                    directory = %directory.display(),
                    "another process has this store open; waiting {} s for it to stop",
                    (LOCK_TRIES * LOCK_PAUSE).as_secs()
                );
            }
            Err(OpenError::Locked { .. }) => {}
            opened => return opened,
        }
        thread::sleep(LOCK_PAUSE);
    }
    open()
}

/// One try. `engine` is nothing for a backing of the caller's own, which is opened where it lies.
fn open_once(
    directory: &Path,
    engine: Option<Engine>,
    open: &impl Fn(&Path, bool) -> Result<Opened, Fault>,
) -> Result<Parts, OpenError> {
    let io = |error| OpenError::io(directory, error);
    let fault = |fault| OpenError::of(directory, fault);
    let lock = lock::take(directory).map_err(fault)?;
    // A process of an earlier release has only this one. The engine takes it itself in a moment.
    let own = engine.and_then(Engine::own_lock).map(|name| lock::share(directory, name));
    let own = own.transpose().map_err(fault)?;
    if let Some(found) = noted(directory) {
        return Err(OpenError::damaged(directory, found));
    }
    copy::remove_left(directory).map_err(io)?;
    let was_closed_in_order = is_closed_in_order(directory).map_err(io)?;
    if !was_closed_in_order {
        // What a failed write has left in memory alone would be acknowledged with the next sync.
        file::forget_cached_below(directory).map_err(io)?;
    }
    let mut tried = false;
    if let Some(engine) = engine {
        engine.remove_leftovers(directory).map_err(io)?;
        // What was closed in order and not touched since holds what this engine has written. A mark that is missing may be a loss.
        let is_as_it_was = was_closed_in_order && Mark::look(directory).map_err(io)?.0;
        if !is_as_it_was && Engine::of(directory).map_err(io)?.is_some() {
            tried = try_copy(directory, engine)?;
        }
    }
    closed::remove(directory).map_err(io)?;
    drop(own);
    let Found { backing, mark, syncs } = open_files(directory, directory, open).inspect_err(|error| {
        if let OpenError::Damaged { found, .. } = error
            && !tried
        {
            // A second try might pass with less. If this file cannot be written either, the refusal at hand still stands.
            let note = format!("{TOUCHED}{found}");
            let _ = file::replace(&directory.join(DAMAGED), note.as_bytes(), 0o600);
        }
    })?;
    // What an earlier release has noted, and was nothing.
    let _ = fs::remove_file(directory.join(DAMAGED));
    Ok(Parts { backing, mark, syncs, was_closed_in_order, locks: vec![lock], copy: None })
}

/// What was noted of a store that an engine has changed and refused. That holds until the directory is restored, which takes
/// the note away.
fn noted(directory: &Path) -> Option<String> {
    let note = fs::read(directory.join(DAMAGED)).ok()?;
    let note = String::from_utf8_lossy(&note);
    let found = note.strip_prefix(TOUCHED)?;
    Some(format!("{found}; noted in its file `{DAMAGED}`"))
}

/// A store without a mark was never finished, and has nothing to lose.
fn is_closed_in_order(directory: &Path) -> io::Result<bool> {
    let (is_marked, marked) = Mark::look(directory)?;
    match (is_marked, marked) {
        (false, _) => Ok(true),
        (true, None) => Ok(false),
        (true, Some(marked)) => closed::is_noted(directory, marked),
    }
}

/// Opens a copy, and takes away what can be made anew where only that stands in the way. Says whether there was room for one.
fn try_copy(directory: &Path, engine: Engine) -> Result<bool, OpenError> {
    for place in [Place::Store, Place::Temporary] {
        match open_copy(directory, engine, place, 0) {
            Ok(Tried { copy: _copy, found, without_derived }) => {
                close_quietly(found.backing);
                if without_derived {
                    engine.remove_derived(directory).map_err(|error| OpenError::io(directory, error))?;
                }
                return Ok(true);
            }
            Err(OpenError::NoRoom { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    tracing::warn!(directory = %directory.display(), "no room to try the opening on a copy");
    Ok(false)
}

/// A copy that an engine has opened.
struct Tried {
    /// Behind what is found in it, which is closed first.
    copy: Copy,
    found: Found,
    /// Whether it was opened without what the engine can make anew.
    without_derived: bool,
}

/// Opens a copy of what lies in `directory`: whole, and if that is refused, without what the engine can make anew.
fn open_copy(directory: &Path, engine: Engine, place: Place, cache_bytes: u64) -> Result<Tried, OpenError> {
    let open = |place: &Path, marked| engine.open(place, marked, cache_bytes);
    let open = |without_derived| {
        let copy = copy::make(directory, engine, place, without_derived)?;
        let found = open_files(copy.path(), directory, &open).map_err(|error| match error {
            OpenError::NoSpace { directory, source } => {
                OpenError::NoRoom { directory, place: copy.path().to_owned(), mebibytes: 1, source }
            }
            error => error,
        })?;
        Ok(Tried { copy, found, without_derived })
    };
    open(false).or_else(|refused| match refused {
        OpenError::Damaged { .. } => open(true).map_err(|_| refused),
        refused => Err(refused),
    })
}

/// Opens what lies in `place`, and compares it with its mark. Errors name `directory`.
fn open_files(
    place: &Path,
    directory: &Path,
    open: &impl Fn(&Path, bool) -> Result<Opened, Fault>,
) -> Result<Found, OpenError> {
    let io = |error| OpenError::io(directory, error);
    let mut mark = Mark::open(place).map_err(io)?;
    let Opened { backing, syncs } =
        match panic::catch_unwind(AssertUnwindSafe(|| open(place, mark.is_some()))) {
            Ok(opened) => opened.map_err(|fault| OpenError::of(directory, fault)),
            Err(panic) => Err(OpenError::damaged(directory, panic_message(&*panic))),
        }
        .map_err(|error| match (error, probe(place)) {
            // An engine says, or panics with, all kinds of things on a disk that takes nothing.
            (OpenError::Damaged { .. }, Err(source)) => OpenError::io(directory, source),
            (error, _) => error,
        })?;
    let refuse = |backing, found: String| {
        close_quietly(backing);
        Err(OpenError::damaged(directory, found))
    };
    if mark.is_none() {
        if syncs != 0 {
            return refuse(backing, "its file `mark` is missing".to_owned());
        }
        make_creation_durable(place).map_err(io)?;
        mark = Mark::open(place).map_err(io)?;
    }
    let Some((mark, Some(marked))) = mark else {
        return refuse(backing, "its file `mark` is not readable".to_owned());
    };
    if syncs < marked {
        let found = format!("its log ends at sync {syncs}, but sync {marked} was acknowledged");
        return refuse(backing, found);
    }
    Ok(Found { backing, mark, syncs })
}

/// Closes an engine whose store has not stopped, and notes that it was done in order.
pub(crate) fn close(directory: &Path, backing: Box<dyn Backing>, syncs: u64) -> io::Result<()> {
    if let Some(panic) = close_quietly(backing) {
        return Err(io::Error::other(panic));
    }
    file::sync_all_below(directory)?;
    closed::write(directory, syncs)
}

/// Closes an engine, which may panic on what the disk says to its last words; says with what.
pub(crate) fn close_quietly(backing: Box<dyn Backing>) -> Option<String> {
    panic::catch_unwind(AssertUnwindSafe(|| drop(backing))).err().map(|panic| panic_message(&*panic))
}

/// Whether the disk takes anything at all; asked with a file that has no name any more, so that nothing stays.
pub(crate) fn probe(directory: &Path) -> io::Result<()> {
    let path = directory.join(".probe");
    let mut file = File::create(&path)?;
    fs::remove_file(path)?;
    file.write_all(&vec![0; PROBE_BYTES])?;
    file.sync_all()
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
