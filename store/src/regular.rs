//! Reads regular files of a sane size, and nothing that would wait for ever.
//!
//! Opening a pipe waits for its writer, and reading a device may never end. A directory may belong to somebody else than the
//! user who runs a command in it, such as root, so either may be there, or a link to any file of the machine.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// No key, certificate or configuration is nearly as large.
const LIMIT_MIB: u64 = 1;

/// Reads a regular file, following links.
///
/// # Errors
/// It cannot be read, is not a regular file, or is too large.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_bounded(open(path, OpenOptions::new().read(true))?)
}

/// As [`read`], and takes a file of up to so many whole MiB.
///
/// # Errors
/// As for [`read`].
pub fn read_up_to(path: &Path, mib: u64) -> io::Result<Vec<u8>> {
    read_at_most(open(path, OpenOptions::new().read(true))?, mib)
}

/// As [`read`], and refuses a link: whoever may write into a directory could have another user's file read by it.
///
/// # Errors
/// As for [`read`], or it is a link.
pub fn read_unlinked(path: &Path) -> io::Result<Vec<u8>> {
    read_bounded(open_with(path, OpenOptions::new().read(true), NOFOLLOW)?)
}

/// Reads all of it, as [`read`] does with a file.
///
/// # Errors
/// It cannot be read, or is too large.
pub fn read_bounded(from: impl Read) -> io::Result<Vec<u8>> {
    read_at_most(from, LIMIT_MIB)
}

fn read_at_most(from: impl Read, mib: u64) -> io::Result<Vec<u8>> {
    let limit = mib << 20;
    // Enough room from the start: a vector that grows would leave pieces of a key behind.
    let mut bytes = Vec::with_capacity(4096);
    from.take(limit + 1).read_to_end(&mut bytes)?;
    if limit < bytes.len() as u64 {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {mib} MiB")));
    }
    Ok(bytes)
}

/// Opens a regular file of any size with these options, following links.
///
/// # Errors
/// It cannot be opened, or is not a regular file.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    open_with(path, options, 0)
}

#[cfg(unix)]
const NOFOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
#[cfg(not(unix))]
const NOFOLLOW: i32 = 0;

#[cfg(unix)]
fn open_with(path: &Path, options: &mut OpenOptions, flags: i32) -> io::Result<File> {
    use rustix::{fs::OFlags, io::Errno};
    // Without NONBLOCK the opening of a pipe waits for a writer.
    let at_once = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags | at_once);
    let opened = options.open(path).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => io::Error::other("it is a link; put the file itself there"),
        Some(Errno::NXIO | Errno::ISDIR) => io::Error::other(NOT_REGULAR),
        _ => error,
    });
    only_regular(opened?)
}

#[cfg(not(unix))]
fn open_with(path: &Path, options: &mut OpenOptions, _flags: i32) -> io::Result<File> {
    only_regular(options.open(path)?)
}

fn only_regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other(NOT_REGULAR)) }
}

const NOT_REGULAR: &str = "it is not a regular file";

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::Mode;

    use super::*;

    /// A pipe as `signing.key` or `kms-host.toml` once made every command wait for ever.
    #[test]
    fn only_a_regular_file_is_read_and_nothing_waits() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let told = |path: &Path| read(path).unwrap_err().to_string();
        fs::write(at("file"), b"text").unwrap();
        fs::write(at("empty"), b"").unwrap();
        fs::write(at("large"), vec![b' '; 1 << 20]).unwrap();
        fs::write(at("too-large"), vec![b' '; (1 << 20) + 1]).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        symlink("file", at("link")).unwrap();
        symlink("pipe", at("link-to-pipe")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();

        assert_eq!(read(&at("file")).unwrap(), b"text");
        assert_eq!(read(&at("link")).unwrap(), b"text");
        assert_eq!(read(&at("empty")).unwrap(), b"");
        assert_eq!(read(&at("large")).unwrap().len(), 1 << 20);
        assert!(told(&at("too-large")).contains("larger than 1 MiB"));
        for none in [at("pipe"), at("link-to-pipe"), at("socket"), "/dev/zero".into(), folder.path().into()] {
            assert!(told(&none).contains("not a regular file"), "{}: {}", none.display(), told(&none));
        }
        assert_eq!(read(&at("none")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(read_unlinked(&at("file")).unwrap(), b"text");
        assert!(read_unlinked(&at("link")).unwrap_err().to_string().contains("is a link"));
    }
}
