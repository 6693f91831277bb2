//! The admin socket as a file: bound, connected to and removed, however long its path is.
//!
//! The address of a unix socket holds 107 bytes. A longer path is reached through a descriptor of its folder, under `/proc/self/fd`.
//! `admin` answers the calls.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use tokio::net::{UnixListener, UnixStream};

/// `sun_path` of unix(7), less the byte that ends it.
const ADDRESS_BYTES: usize = 107;

/// A path that fits an address as long as this exists.
struct Short {
    path: PathBuf,
    _folder: Option<OwnedFd>,
}

fn short(path: &Path) -> io::Result<Short> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    if path.as_os_str().len() <= ADDRESS_BYTES {
        return Ok(Short { path: path.to_owned(), _folder: None });
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok(Short { path, _folder: Some(folder) })
}

/// A bound socket, to be removed when the program stops.
#[derive(Debug)]
pub struct Bound {
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
}

/// Binds it, for its owner alone. The caller holds the data directory, so a dead program has left any socket that exists.
///
/// # Errors
/// It cannot be made.
pub fn bind(path: &Path) -> io::Result<(UnixListener, Bound)> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&short(path)?.path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok((listener, Bound { path: path.to_owned(), file: file_at(path)? }))
}

impl Bound {
    /// Removes it, unless another program has put its own in its place.
    pub fn remove(self) {
        if file_at(&self.path).is_ok_and(|file| file == self.file) {
            // The next one replaces a socket that is left.
            let _ = fs::remove_file(self.path);
        }
    }
}

fn file_at(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// Connects to the program that serves it.
///
/// # Errors
/// There is no socket, nobody serves it, or this user may not open it.
pub async fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(&short(path)?.path).await
}

/// Whether a program serves it, even if it is too busy or frozen to accept. It never waits.
pub fn is_served(path: &Path) -> bool {
    let connected = || {
        let short = short(path)?;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(&short.path)?)?;
        io::Result::Ok(())
    };
    connected().map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `init` and the vendor's certificate went well, and then the host could not start: its socket's path was too long.
    #[tokio::test]
    async fn a_socket_is_served_at_a_path_of_any_length() {
        let folder = tempfile::tempdir().unwrap();
        let name = "admin.sock";
        let base = folder.path().as_os_str().len() + 2 + name.len();
        for length in [base + 1, ADDRESS_BYTES, ADDRESS_BYTES + 1, base + 200, base + 255] {
            let inside = folder.path().join("d".repeat(length - base));
            fs::create_dir(&inside).unwrap();
            let path = inside.join(name);
            assert_eq!(path.as_os_str().len(), length);
            assert!(!is_served(&path));
            let (listener, bound) = bind(&path).unwrap();
            let (connected, accepted) = tokio::join!(connect(&path), listener.accept());
            assert!(connected.is_ok() && accepted.is_ok() && is_served(&path), "{length} bytes");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            drop(listener);
            assert!(!is_served(&path), "a dead one");
            bound.remove();
            assert!(!path.exists());
        }
    }

    #[tokio::test]
    async fn a_socket_of_another_host_in_its_place_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let (_old, bound) = bind(&path).unwrap();
        fs::rename(&path, folder.path().join("moved")).unwrap();
        let (_new, _) = bind(&path).unwrap();
        bound.remove();
        assert!(path.exists());
    }
}
