//! A copy of a closed store in a folder of its own, for an engine to open.
//!
//! An engine writes while it opens: it repairs, it cuts what it cannot read, it folds. So a command that only looks opens a
//! copy. An opening to write tries a copy first, unless the store was closed in order and not touched since: that way a store
//! that is refused is left as it was.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

use crate::engine::{Engine, Part, PartKind};
use crate::error::OpenError;
use crate::file;
use crate::mark;

/// How the names of copies in the store's own directory begin. One that a killed process has left is removed by the next opening.
const PREFIX: &str = ".copy-";

/// How the names of copies among the system's temporary files begin. A copy is locked while its process lives; one that a killed
/// process has left is removed by the next look.
const TEMPORARY_PREFIX: &str = ".kms-store-copy-";

/// A sweeper may take the name of a copy that is not locked yet. It does so once.
const NAME_TRIES: u32 = 3;

/// A copy, removed when it is dropped.
pub(crate) struct Copy {
    folder: TempDir,
    /// Open and locked, where the system allows it for folders.
    _lock: Option<File>,
}

impl Copy {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A folder of its own, which the next sweep leaves alone.
    fn create(place: &Path, prefix: &str) -> io::Result<Copy> {
        let mut tries = 0;
        loop {
            tries += 1;
            let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(place)?;
            let lock = File::open(folder.path()).ok().filter(|folder| folder.lock().is_ok());
            if folder.path().exists() || NAME_TRIES <= tries {
                return Ok(Copy { folder, _lock: lock });
            }
        }
    }
}

/// Copies the store in `directory`, which nobody else may have open, into a folder in `place`: the same, or the system's for
/// temporary files. `without_derived` leaves out what can be made anew.
///
/// # Errors
/// [`OpenError::NoRoom`] where the place has no room for it or takes nothing.
pub(crate) fn make(
    directory: &Path,
    engine: Engine,
    place: &Path,
    without_derived: bool,
) -> Result<Copy, OpenError> {
    let io = |error| OpenError::io(directory, error);
    let prefix = if place == directory { PREFIX } else { TEMPORARY_PREFIX };
    sweep(place);
    let mut parts = engine.parts(directory).map_err(io)?;
    parts.retain(|part| !without_derived || part.kind != PartKind::Derived);
    parts.push(Part { path: mark::FILE_NAME.into(), kind: PartKind::Changing });
    let mut bytes = 0;
    for part in parts.iter().filter(|part| part.kind != PartKind::Lasting) {
        bytes += fs::metadata(directory.join(&part.path)).map_or(0, |found| found.len());
    }
    let no_room = |source| OpenError::NoRoom {
        directory: directory.to_owned(),
        place: place.to_owned(),
        mebibytes: (bytes >> 20) + 1,
        source,
    };
    let copy = Copy::create(place, prefix).map_err(no_room)?;
    for Part { path, kind } in parts {
        let (from, to) = (directory.join(&path), copy.path().join(&path));
        let Some(mut source) = file::if_there(File::open(&from)).map_err(io)? else { continue };
        let folder = if from.is_dir() { &to } else { file::parent(&to) };
        fs::create_dir_all(folder).map_err(no_room)?;
        if from.is_dir() {
            continue;
        }
        if kind == PartKind::Lasting && link(&from, &to).is_ok() {
            continue;
        }
        let mut target = File::create_new(to).map_err(no_room)?;
        io::copy(&mut source, &mut target)
            .map_err(|error| if file::is_full(&error) { no_room(error) } else { io(error) })?;
    }
    Ok(copy)
}

/// Removes copies that a killed process has left in the store's own directory.
pub(crate) fn remove_left(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Removes the copies of killed processes among the system's temporary files, as far as this user may.
fn sweep(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().as_encoded_bytes().starts_with(TEMPORARY_PREFIX.as_bytes());
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let Ok(folder) = File::open(entry.path()) else { continue };
        if folder.try_lock().is_ok() {
            // What cannot be removed belongs to somebody else.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Symbolic, since the place may be another file system.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(std::path::absolute(from)?, to);
    #[cfg(not(unix))]
    Err(io::ErrorKind::Unsupported.into())
}
