//! The note `closed`: a small file that is there only while a store is closed, and was closed in order.
//!
//! What it buys: the next opening knows whether the last process came to its end. If it did not, the kernel may still show
//! pages that never reached the disk, and totals that a caller keeps may disagree with its records. Both cost time to find
//! out, and neither needs a look after an orderly end.
//!
//! It is written last at closing and removed first at opening, durably both times, so a crash leaves none. Its bytes are those
//! of the mark, with the same number. Another number means that an earlier release, which does not know this file, has had
//! the store in between.

use std::fs;
use std::io;
use std::path::Path;

use crate::file::{self, FileError};
use crate::mark;

const FILE_NAME: &str = "closed";

/// Notes that the store in `directory`, with all its files on the disk, was closed after so many syncs.
pub(crate) fn write(directory: &Path, syncs: u64) -> io::Result<()> {
    file::replace(&directory.join(FILE_NAME), &mark::encode(syncs), 0o600).map_err(FileError::into_io)
}

/// Whether the store whose mark has this number was closed in order. A note that cannot be read is none.
pub(crate) fn is_noted(directory: &Path, marked: u64) -> bool {
    fs::read(directory.join(FILE_NAME)).is_ok_and(|bytes| mark::decode(&bytes) == Some(marked))
}

/// Takes the note away, durably.
pub(crate) fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(FILE_NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => file::sync_dir(directory).map_err(FileError::into_io),
    }
}
