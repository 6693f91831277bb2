//! Reading the files of a data directory: regular files of a sane size, and nothing that would wait for ever.
//!
//! Opening a pipe waits for its writer, and reading a device may never end. A data directory belongs to somebody else than
//! root, so root may meet either there, and a link to any file of the machine.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

/// No key, certificate or configuration is nearly as large.
const LIMIT_BYTES: u64 = 1 << 20;

/// Reads a regular file, following links.
///
/// # Errors
/// It cannot be read, is not a regular file, or is too large.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_with(path, OFlags::empty())
}

/// As [`read`], and refuses a link: whoever may write into a directory could have another user's file read by it.
///
/// # Errors
/// As for [`read`], or it is a link.
pub(crate) fn read_unlinked(path: &Path) -> io::Result<Vec<u8>> {
    read_with(path, OFlags::NOFOLLOW)
}

/// Opens a regular file of any size, following links.
///
/// # Errors
/// It cannot be opened, or is not a regular file.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::empty())
}

fn read_with(path: &Path, flags: OFlags) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_with(path, flags)?.take(LIMIT_BYTES + 1).read_to_end(&mut bytes)?;
    if LIMIT_BYTES < bytes.len() as u64 {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(bytes)
}

fn open_with(path: &Path, flags: OFlags) -> io::Result<File> {
    // Without NONBLOCK the opening of a pipe waits for a writer.
    let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP => io::Error::other("it is a link; put the file itself there"),
        Errno::NXIO => io::Error::other(NOT_REGULAR),
        error => error.into(),
    })?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other(NOT_REGULAR)) }
}

const NOT_REGULAR: &str = "it is not a regular file";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

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
