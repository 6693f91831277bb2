//! A file that a command writes for its user: checked before the work is done, written after it.
//!
//! Some results cannot be made twice, such as a token. So a command learns before its work whether the result can be written.

use std::io;
use std::path::{Path, PathBuf};

use crate::file::{self, FileError};

/// A place at which a file can be written.
#[derive(Clone, Debug)]
pub struct OutputFile {
    path: PathBuf,
    mode: u32,
    /// Whether it may take the place of another file; `None` if the command never allows that.
    force: Option<bool>,
}

impl OutputFile {
    /// The file at this path. `force` is the command's option to replace one that is there. The file has the permissions `mode`.
    ///
    /// # Errors
    /// There is a file that may not be replaced, or none can be made.
    pub fn check(path: &Path, mode: u32, force: bool) -> Result<OutputFile, OutputError> {
        OutputFile::looked_at(path, mode, Some(force))
    }

    /// As [`OutputFile::check`], for a file that is always a new one.
    ///
    /// # Errors
    /// As [`OutputFile::check`].
    pub fn check_new(path: &Path, mode: u32) -> Result<OutputFile, OutputError> {
        OutputFile::looked_at(path, mode, None)
    }

    fn looked_at(path: &Path, mode: u32, force: Option<bool>) -> Result<OutputFile, OutputError> {
        let output = OutputFile { path: path.to_owned(), mode, force };
        let unwritable = |error| OutputError::Unwritable { path: path.to_owned(), error };
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unwritable(error)),
            Ok(_) if path.is_dir() => return Err(OutputError::Folder(path.to_owned())),
            Ok(_) if force != Some(true) => return Err(output.exists()),
            // The file would replace a device, a pipe or a socket.
            Ok(_) if path.exists() && !path.is_file() => return Err(OutputError::Odd(path.to_owned())),
            Ok(_) => {}
        }
        if path.file_name().is_none() {
            return Err(OutputError::Folder(path.to_owned()));
        }
        // Without a name, so nothing stays.
        tempfile::tempfile_in(file::parent(path)).map_err(unwritable)?;
        Ok(output)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of it, durably.
    ///
    /// # Errors
    /// Another file has appeared meanwhile, or the disk refuses. Nothing is written then.
    pub fn write(&self, bytes: &[u8]) -> Result<(), OutputError> {
        let write = if self.force == Some(true) { file::replace } else { file::create_new };
        write(&self.path, bytes, self.mode).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => self.exists(),
            _ => OutputError::Failed(error),
        })
    }

    fn exists(&self) -> OutputError {
        OutputError::Exists { path: self.path.clone(), may_force: self.force.is_some() }
    }
}

/// Why a file cannot be written, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// There is one.
    #[error(
        "{} exists; name another file, or {}",
        .path.display(),
        if *.may_force { "replace it with --force" } else { "remove it" }
    )]
    Exists {
        /// The file.
        path: PathBuf,
        /// Whether the command can replace it.
        may_force: bool,
    },
    /// There is a folder.
    #[error("{} is a folder; name a file", .0.display())]
    Folder(PathBuf),
    /// There is a device, a pipe or a socket.
    #[error("{} is no regular file; name another file", .0.display())]
    Odd(PathBuf),
    /// No file can be made there.
    #[error("no file can be written to {}: {error}; name another file", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system. It is in the text, so it is not the source as well.
        error: io::Error,
    },
    /// It was not written.
    #[error("{}; name another file", in_full(.0))]
    Failed(FileError),
}

fn in_full(error: &FileError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    format!("{error}: {}", source.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn refused(path: &Path, force: bool) -> String {
        OutputFile::check(path, 0o644, force).unwrap_err().to_string()
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there");
        fs::write(&there, "old").unwrap();
        let shown = there.display();
        assert_eq!(
            refused(&there, false),
            format!("{shown} exists; name another file, or replace it with --force")
        );
        let new = OutputFile::check_new(&there, 0o600).unwrap_err().to_string();
        assert_eq!(new, format!("{shown} exists; name another file, or remove it"));
        for odd in [folder.path(), Path::new("/"), Path::new("..")] {
            assert!(refused(odd, true).ends_with(" is a folder; name a file"));
        }
        assert!(refused(&folder.path().join("missing/file"), true).contains("; name another file"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "looking leaves nothing");
        OutputFile::check(&there, 0o644, true).unwrap().write(b"new").unwrap();
        assert_eq!(fs::read(&there).unwrap(), b"new");
    }

    /// Replaced with --force, `/dev/null` was a file from then on.
    #[cfg(unix)]
    #[test]
    fn a_device_is_not_replaced_and_a_dangling_link_is() {
        assert_eq!(refused(Path::new("/dev/null"), true), "/dev/null is no regular file; name another file");
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(refused(&link, false).contains("exists"));
        OutputFile::check(&link, 0o644, true).unwrap().write(b"new").unwrap();
        assert!(link.symlink_metadata().unwrap().is_file());
    }

    #[test]
    fn a_file_that_appears_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let output = OutputFile::check(&path, 0o644, false).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(output.write(b"ours").unwrap_err().to_string().contains("exists; name another file"));
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
    }
}
