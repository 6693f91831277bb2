//! Opening a store: create it so that it lasts, wait for a lock that is about to go, refuse what has lost records, and leave
//! what is refused as it was.
//!
//! What an open store does is `store.rs`; the mark that tells a lost tail is `mark.rs`; why an engine opens a copy first is
//! `copy.rs`.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use super::{Held, Store, Synced};
use crate::closed;
use crate::copy::{self, Copy};
use crate::engine::{Backing, Engine, Fault, Opened, caught, sled};
use crate::error::OpenError;
use crate::file;
use crate::lock;
use crate::mark::Mark;
use crate::place::Place;

/// A killed process keeps its lock until the kernel has taken it apart, which with a large cache takes a
/// moment.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Notes what a refused opening found, where the engine had no room for a copy and may have changed what it then refused.
const DAMAGED: &str = "damaged";

/// How such a note begins. An earlier release wrote others, also of what was no damage; those are no reason to refuse.
const TOUCHED: &str = "an engine has opened it and refused it: ";

/// What is found in a directory, and fits its mark.
type Found = (Box<dyn Backing>, Synced);

impl Store {
    /// Opens the store in `path`, and creates it on this engine, with its directory (mode 0700), where there is none.
    ///
    /// The engine keeps up to about `cache_bytes` of records in memory, whatever the size of the store; sled 1 MiB at
    /// least, and fjall what was written last besides. When another process holds the store this waits up to five
    /// seconds, because a process that was just killed lets go a moment after it is gone.
    ///
    /// All that an opened store holds is on the disk, also what a killed process had written and not synced.
    ///
    /// A damaged store makes an engine panic in places. The panic is caught here and becomes
    /// [`OpenError::Damaged`], but the process's panic hook has run by then and may have printed it.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the directory and the remedy. A store that has lost the end of its log, or a file,
    /// is refused; it is never opened as it once was, nor as an empty one, nor on another engine.
    pub fn open(path: &Path, engine: Engine, cache_bytes: u64) -> Result<Self, OpenError> {
        check_engine(path, engine)?;
        open_in_place(path, Some(engine), |place, marked| engine.open(place, marked, cache_bytes))
    }

    /// Opens a copy of the store in `path`, and writes nothing there: not to a store that is whole, damaged, or on a disk
    /// that is full or can only be read. The copy lies with the system's temporary files, or is linked there where the
    /// engine allows it, and goes with this store. So does whatever is written to it.
    ///
    /// Others may look at the same time; nobody may [`open`](Self::open) it meanwhile.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open). [`OpenError::Missing`] where there is none, and [`OpenError::NoRoom`] where there is
    /// no room for the copy.
    pub fn look(path: &Path, engine: Engine, cache_bytes: u64) -> Result<Self, OpenError> {
        if check_engine(path, engine)?.is_none() {
            return Err(OpenError::Missing { directory: path.to_owned() });
        }
        when_unlocked(path, || {
            let mut locks = Vec::new();
            for name in [lock::FILE_NAME, sled::LOG] {
                locks.extend(lock::share(path, name).map_err(|fault| OpenError::of(path, fault))?);
            }
            check_not_noted(path)?;
            let was_closed_in_order = is_closed_in_order(path).map_err(|error| OpenError::io(path, error))?;
            let Tried { copy, found, .. } = open_copy(path, engine, &env::temp_dir(), cache_bytes)?;
            // Whoever is killed from here on leaves no records behind.
            engine.unname(copy.path());
            Ok(Self::of(path, found, was_closed_in_order, Held { _locks: locks, copy: Some(copy) }))
        })
    }

    /// As [`open`](Self::open), on an engine of the caller's own. `open` is told whether the directory has a store
    /// already, and is called again while another process holds it.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_with(
        path: &Path,
        open: impl Fn(&Path, bool) -> Result<Opened, Fault>,
    ) -> Result<Self, OpenError> {
        open_in_place(path, None, open)
    }

    fn of(path: &Path, (backing, synced): Found, was_closed_in_order: bool, held: Held) -> Self {
        Self {
            directory: path.to_owned(),
            place: Place::of(path),
            backing: Some(backing),
            was_closed_in_order,
            synced: Mutex::new(synced),
            stopped: OnceLock::new(),
            held: Arc::new(held),
        }
    }
}

/// The engine of the store in this directory, if there is one. Fails if it is not the one that was `asked` for.
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

/// `engine` is nothing for a backing of the caller's own, which is opened without a copy.
fn open_in_place(
    directory: &Path,
    engine: Option<Engine>,
    open: impl Fn(&Path, bool) -> Result<Opened, Fault>,
) -> Result<Store, OpenError> {
    file::make_private_dir(directory).map_err(|error| OpenError::io(directory, error))?;
    when_unlocked(directory, || open_once(directory, engine, &open))
}

fn open_once(
    directory: &Path,
    engine: Option<Engine>,
    open: &impl Fn(&Path, bool) -> Result<Opened, Fault>,
) -> Result<Store, OpenError> {
    let io = |error| OpenError::io(directory, error);
    let fault = |fault| OpenError::of(directory, fault);
    let lock = lock::take(directory).map_err(fault)?;
    // A process of an earlier release has only sled's own. sled takes it itself in a moment.
    let own = lock::share(directory, sled::LOG).map_err(fault)?;
    check_not_noted(directory)?;
    copy::remove_left(directory).map_err(io)?;
    let was_closed_in_order = is_closed_in_order(directory).map_err(io)?;
    if !was_closed_in_order {
        // What a failed write has left in memory alone would be acknowledged with the next sync.
        file::forget_cached_below(directory).map_err(io)?;
    }
    let mut tried = false;
    if let Some(engine) = engine {
        // What was closed in order and not touched since holds what this engine has written. A mark that is missing may be a loss.
        let is_as_it_was = was_closed_in_order && Mark::look(directory).map_err(io)?.0;
        if !is_as_it_was && Engine::of(directory).map_err(io)?.is_some() {
            tried = try_copy(directory, engine)?;
        }
    }
    closed::remove(directory).map_err(io)?;
    drop(own);
    let found = open_files(directory, directory, open).inspect_err(|error| {
        if let OpenError::Damaged { found, .. } = error
            && !tried
        {
            // A second try might pass with less. If this file cannot be written either, the refusal at hand still stands.
            let note = format!("{TOUCHED}{found}");
            let _ = file::replace(&directory.join(DAMAGED), note.as_bytes(), 0o600);
        }
    })?;
    // Only a note of an earlier release can be left here, about something that was no damage.
    let _ = fs::remove_file(directory.join(DAMAGED));
    Ok(Store::of(directory, found, was_closed_in_order, Held { _locks: vec![lock], copy: None }))
}

/// Refuses a store that an engine has changed and refused. That holds until the directory is restored, which takes the note away.
fn check_not_noted(directory: &Path) -> Result<(), OpenError> {
    let note = fs::read(directory.join(DAMAGED)).unwrap_or_default();
    match String::from_utf8_lossy(&note).strip_prefix(TOUCHED) {
        Some(found) => Err(OpenError::damaged(directory, format!("{found}; noted in its file `{DAMAGED}`"))),
        None => Ok(()),
    }
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
    for place in [directory, &env::temp_dir()] {
        match open_copy(directory, engine, place, 0) {
            Ok(Tried { copy: _copy, found, without_derived }) => {
                let _ = caught(|| drop(found));
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
    /// The files of the copy. Close `found` first, because it has them open.
    copy: Copy,
    found: Found,
    /// Whether it was opened without what the engine can make anew.
    without_derived: bool,
}

/// Opens a copy of what lies in `directory`: whole, and if that is refused, without what the engine can make anew.
fn open_copy(directory: &Path, engine: Engine, place: &Path, cache_bytes: u64) -> Result<Tried, OpenError> {
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
    let opened = caught(|| open(place, mark.is_some())).unwrap_or_else(|panic| Err(Fault::Damaged(panic)));
    let Opened { backing, syncs } = opened.map_err(|fault| match fault {
        // An engine says, or panics with, all kinds of things on a disk that takes nothing.
        Fault::Damaged(_) if let Err(error) = file::probe(place) => OpenError::io(directory, error),
        fault => OpenError::of(directory, fault),
    })?;
    let refuse = |backing, found: String| {
        let _ = caught(|| drop(backing));
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
    Ok((backing, Synced { mark, syncs }))
}

/// Makes a new store last: the directory's own entry, and last of all the mark.
fn make_creation_durable(directory: &Path) -> io::Result<()> {
    match file::sync_dir(file::parent(directory)) {
        // A service's data directory may stand in one that the service cannot read. Whoever made it there
        // has made it durable.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        synced => synced?,
    }
    Ok(Mark::create(directory)?)
}
