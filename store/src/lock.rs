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
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
