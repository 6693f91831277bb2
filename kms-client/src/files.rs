//! How one file of the state is opened, made and given to its owner, and how a directory is made durable.
//!
//! An administrator runs commands as root in a directory that belongs to the product's user, and the owner of a directory can
//! put a link or a pipe in the place of any file. So links are not followed, opening does not wait, and only files that were made
//! here are given away. `home` has the names of the files, and replaces them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// No file of ours comes near this. A larger one is not ours, and is not read into memory.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// Works with the disk on another thread: a flush may take a second on a busy disk, and the vendor's runtime may have one thread.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The content of a file, or nothing if there is none.
pub(crate) fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match open_regular(OpenOptions::new().read(true), path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    // Enough room from the start: a vector that grows would leave pieces of a key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(FILE_MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Opens a lock, or makes it.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    match create(path, 0o600) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            open_regular(OpenOptions::new().write(true), path)
        }
        made => made,
    }
}

/// Checks whether an existing lock could be taken. Makes and changes nothing.
pub(crate) fn probe_lock(path: &Path) -> io::Result<()> {
    match open_regular(OpenOptions::new().write(true), path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened.map(drop),
    }
}

/// Makes a file where there is none, not even a link that leads nowhere.
pub(crate) fn create(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let file = options.open(path)?;
    // The umask may have removed bits from the mode.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    #[cfg(not(unix))]
    let _ = mode;
    give_to_owner(&file, path);
    Ok(file)
}

/// Opens a file that exists. Anything else in its place is an error that says so.
fn open_regular(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    match options.open(path) {
        Ok(file) if file.metadata()?.is_file() => return Ok(file),
        // The system's own errors do not say that it is a link or a pipe.
        Err(error) if fs::symlink_metadata(path).map_or(true, |found| found.is_file()) => return Err(error),
        Ok(_) | Err(_) => {}
    }
    let name = path.file_name().unwrap_or_default().display();
    Err(io::Error::other(format!("`{name}` is not a regular file")))
}

/// Gives the file to the owner of its directory: an administrator who runs a command as root must not take the state away from
/// the product's own user. Only root can give a file away; anybody else's files belong to the directory's owner already.
///
/// Call it with a file that was just made, never with one that was found: that may be a link to somebody else's.
#[cfg(unix)]
fn give_to_owner(file: &File, path: &Path) {
    use std::os::unix::fs::MetadataExt;
    let Some(directory) = path.parent().and_then(|directory| fs::symlink_metadata(directory).ok()) else {
        return;
    };
    let (Ok(own), Ok(named)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return;
    };
    // The directory may have been replaced by a link since the file was made.
    let is_there = directory.is_dir() && (own.dev(), own.ino(), own.nlink()) == (named.dev(), named.ino(), 1);
    if is_there
        && directory.uid() != own.uid()
        && let Err(error) = std::os::unix::fs::fchown(file, Some(directory.uid()), Some(directory.gid()))
    {
        tracing::debug!(%error, "a file of the state belongs to another user than its directory");
    }
}

#[cfg(not(unix))]
fn give_to_owner(_file: &File, _path: &Path) {}

/// Makes a directory and those above it, each durable: a power cut that removed the directory would remove an identity that a
/// host has counted.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, DIRECTORY_MODE);
    let above = match path.parent() {
        Some(above) if above != Path::new("") => above,
        _ => Path::new("."),
    };
    let made = match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && above != Path::new(".") => {
            make_directory(above)?;
            builder.create(path)
        }
        made => made,
    };
    match made {
        Ok(()) => settle_directory(path, above)?,
        // Another process may have made it, or it existed before, in a file system that cannot be written.
        Err(_) if path.is_dir() => return Ok(()),
        Err(error) => return Err(error),
    }
    match sync_directory(above) {
        // A user who may write into a directory and not read it cannot flush it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Every user may read a directory of the state; only its owner writes there.
#[cfg(unix)]
const DIRECTORY_MODE: u32 = 0o755;

/// Gives a directory that was just made its mode, whatever the umask, and the owner of the directory above it. Otherwise a
/// directory that root made in a user's directory would be closed to that user.
#[cfg(unix)]
fn settle_directory(path: &Path, above: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
    let mut options = OpenOptions::new();
    let directory = options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY).open(path)?;
    let (own, owner) = (directory.metadata()?, fs::metadata(above)?);
    directory.set_permissions(PermissionsExt::from_mode(DIRECTORY_MODE))?;
    // Only root can give it away. If it is not empty, somebody has put it in the place of the one that was made here.
    if own.uid() != owner.uid()
        && fs::read_dir(path)?.next().is_none()
        && let Err(error) = fchown(&directory, Some(owner.uid()), Some(owner.gid()))
    {
        tracing::debug!(%error, "a directory of the state belongs to another user than the one above it");
    }
    Ok(())
}

#[cfg(not(unix))]
fn settle_directory(_path: &Path, _above: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes the names in a directory durable.
#[cfg(unix)]
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// On other systems a directory cannot be opened for a flush; the file system orders the rename itself.
#[cfg(not(unix))]
pub(crate) fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}
