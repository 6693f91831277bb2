//! A copy of a closed store in a folder of its own, for an engine to open.
//!
//! An engine writes while it opens: it repairs, it cuts what it cannot read, it folds. So nobody but who means to write may
//! open a store where it lies. Whoever only looks opens a copy, and whoever means to write opens a copy first, so that a
//! store that is refused is left as it was.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::engine::Engine;
use crate::error::OpenError;
use crate::file;
use crate::mark;

/// What the folders of copies are named after. One that a killed process has left in the store's own directory is removed by
/// the next opening.
const PREFIX: &str = ".copy-";

/// A file or a folder that an engine needs, by its path inside the store.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    pub(crate) kind: PartKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartKind {
    /// The engine may change it.
    Changing,
    /// The engine never changes it but by removing it, so a link to it will do.
    Lasting,
    /// The engine can make it anew from the others.
    Derived,
}

/// Where a copy may lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// In the store's own directory.
    Store,
    /// Where the system has temporary files.
    Temporary,
}

/// Copies the store in `directory`, which nobody else may have open. `without_derived` leaves out what can be made anew.
///
/// # Errors
/// [`OpenError::NoRoom`] where the place has no room for it or takes nothing.
pub(crate) fn make(
    directory: &Path,
    engine: Engine,
    place: Place,
    without_derived: bool,
) -> Result<TempDir, OpenError> {
    let io = |error| OpenError::io(directory, error);
    let place = match place {
        Place::Store => directory.to_owned(),
        Place::Temporary => env::temp_dir(),
    };
    let mut parts = engine.parts(directory).map_err(io)?;
    parts.retain(|part| !without_derived || part.kind != PartKind::Derived);
    parts.push(Part { path: mark::FILE_NAME.into(), kind: PartKind::Changing });
    let mut bytes = 0;
    for part in parts.iter().filter(|part| part.kind != PartKind::Lasting) {
        bytes += fs::metadata(directory.join(&part.path)).map_or(0, |found| found.len());
    }
    let no_room = |source| OpenError::NoRoom {
        directory: directory.to_owned(),
        place: place.clone(),
        mebibytes: (bytes >> 20) + 1,
        source,
    };
    let copy = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&place).map_err(no_room)?;
    for Part { path, kind } in parts {
        let (from, to) = (directory.join(&path), copy.path().join(&path));
        let mut source = match File::open(&from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            source => source.map_err(io)?,
        };
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
            .map_err(|error| if is_full(&error) { no_room(error) } else { io(error) })?;
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

/// Whether an error says that there is no space.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Symbolic, since the place may be another file system.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(std::path::absolute(from)?, to);
    #[cfg(not(unix))]
    Err(io::ErrorKind::Unsupported.into())
}
