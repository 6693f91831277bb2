//! The note `closed`: a small file that is there only while a store is closed, and was closed in order.
//!
//! The next opening learns two things from it. The last process came to its end: otherwise the kernel may still show pages that
//! never reached the disk, and totals that a caller keeps may disagree with its records. And nobody has touched the files
//! since: otherwise an engine may change what it then refuses, so it opens a copy first (`copy.rs`). Each check costs a read of
//! the whole store, and an orderly restart needs neither.
//!
//! The note is written last at closing and removed first at opening, durably both times, so a crash leaves none. Its bytes:
//! version (2), the number of the last sync (u64, big-endian), and a checksum over name, length and time of the last change of
//! every file. A number other than the mark's means that an earlier release, which does not know this file, has had the store
//! in between. Version 1 had no checksum; it counts as none.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use xxhash_rust::xxh3::Xxh3;

use crate::file::{self, FileError};
use crate::lock;

const FILE_NAME: &str = "closed";
const VERSION: u8 = 2;

/// Whether a directory holds no store: nothing, or only what says something about one, such as the note of an orderly end.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn is_empty(directory: &Path) -> io::Result<bool> {
    let is_note = |name: &OsStr| [FILE_NAME, lock::FILE_NAME].iter().any(|note| name == *note);
    for entry in fs::read_dir(directory)? {
        if !is_note(&entry?.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Notes that the store in `directory`, with all its files on the disk, was closed after so many syncs.
pub(crate) fn write(directory: &Path, syncs: u64) -> io::Result<()> {
    let note = encode(syncs, fingerprint(directory)?);
    file::replace(&directory.join(FILE_NAME), &note, 0o600).map_err(FileError::into_io)
}

/// Whether the store whose mark has this number was closed in order, and its files are as they were then. A note that cannot be
/// read is none.
pub(crate) fn is_noted(directory: &Path, marked: u64) -> io::Result<bool> {
    let Ok(note) = fs::read(directory.join(FILE_NAME)) else { return Ok(false) };
    Ok(note == encode(marked, fingerprint(directory)?))
}

/// Takes the note away, durably.
pub(crate) fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(FILE_NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => file::sync_dir(directory).map_err(FileError::into_io),
    }
}

fn encode(syncs: u64, fingerprint: u64) -> Vec<u8> {
    [&[VERSION], syncs.to_be_bytes().as_slice(), &fingerprint.to_be_bytes()].concat()
}

/// Tells whether a file was written, replaced, removed or added, without reading any.
fn fingerprint(directory: &Path) -> io::Result<u64> {
    let mut files = BTreeMap::new();
    collect(directory, &mut files)?;
    let mut hash = Xxh3::new();
    for (path, (bytes, changed_at)) in files {
        let path = path.strip_prefix(directory).unwrap_or(&path).as_os_str().as_encoded_bytes();
        hash.update(&(path.len() as u64).to_be_bytes());
        hash.update(path);
        hash.update(&bytes.to_be_bytes());
        hash.update(&changed_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_be_bytes());
    }
    Ok(hash.digest())
}

/// Length and time of the last change of each file below a directory, without what is not the store's own content.
fn collect(directory: &Path, files: &mut BTreeMap<PathBuf, (u64, SystemTime)>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let (path, found) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        if found.is_dir() {
            collect(&path, files)?;
        } else if ![FILE_NAME, lock::FILE_NAME].iter().any(|name| path.ends_with(name)) {
            files.insert(path, (found.len(), found.modified()?));
        }
    }
    Ok(())
}
