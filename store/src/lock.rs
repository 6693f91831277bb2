//! The lock of a store: an empty file that whoever has it open holds, on every engine.
//!
//! It is held from before an engine opens until after the last file is on the disk. An engine's own lock would be free again
//! while the note `closed` is still to be written.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

const FILE_NAME: &str = "lock";

/// Takes the lock; `None` while another process has it.
pub(crate) fn take(directory: &Path) -> io::Result<Option<File>> {
    let path = directory.join(FILE_NAME);
    // Opening a pipe would wait for its reader, and a link may lead to any file.
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("its file `lock` is not a regular file; remove it"));
    }
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
