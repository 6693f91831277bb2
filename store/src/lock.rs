//! The lock of a store: an empty file that whoever has it open holds, on every engine.
//!
//! It is held from before an engine opens until after the last file is on the disk. An engine's own lock would be free again
//! while the note `closed` is still to be written.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::engine::Fault;
use crate::{file, mark};

pub(crate) const FILE_NAME: &str = "lock";
/// The note of an orderly end, which is still written under the lock.
pub(crate) const NOTE: &str = "closed";

/// Takes the lock, and makes its file where there is none.
pub(crate) fn take(directory: &Path) -> Result<File, Fault> {
    let path = checked(directory, FILE_NAME)?;
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(Fault::Io)?;
    held(file.try_lock())?;
    Ok(file)
}

/// Shares a lock with others who only look. Nothing is written: a file that is not there is held by nobody.
pub(crate) fn share(directory: &Path, name: &str) -> Result<Option<File>, Fault> {
    let file = file::if_there(File::open(checked(directory, name)?)).map_err(Fault::Io)?;
    held(file.as_ref().map_or(Ok(()), File::try_lock_shared))?;
    Ok(file)
}

/// The path of a lock, once all in the directory can be opened: engines open what they find, opening a pipe waits for its other
/// end, and a link in the place of the lock may lead to any file. A link that leads nowhere is told by whoever needs it.
fn checked(directory: &Path, lock: &str) -> Result<PathBuf, Fault> {
    let path = directory.join(lock);
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return Err(odd(format!("its file `{lock}` is not a regular file; remove it")));
    }
    for entry in fs::read_dir(directory).map_err(Fault::Io)? {
        let entry = entry.map_err(Fault::Io)?;
        let (name, found) = (entry.file_name(), fs::metadata(entry.path()));
        let is_own = [mark::FILE_NAME, NOTE].iter().any(|own| name == *own);
        if found.is_ok_and(|found| !found.is_file() && (is_own || !found.is_dir())) {
            let what = if is_own { "not a regular file" } else { "neither a file nor a directory" };
            return Err(odd(format!("its `{}` is {what}; remove it", name.display())));
        }
    }
    Ok(path)
}

/// Of a kind that no disk reports, since trying again would not help.
fn odd(text: String) -> Fault {
    Fault::Io(io::Error::new(io::ErrorKind::InvalidInput, text))
}

fn held(locked: Result<(), TryLockError>) -> Result<(), Fault> {
    locked.map_err(|error| match error {
        TryLockError::WouldBlock => Fault::Locked,
        TryLockError::Error(error) => Fault::Io(error),
    })
}
