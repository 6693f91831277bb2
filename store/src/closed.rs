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

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use walkdir::WalkDir;
use xxhash_rust::xxh3::Xxh3;

use crate::file;
use crate::lock;

const FILE_NAME: &str = lock::NOTE;
const VERSION: u8 = 2;

/// Whether a directory holds no store: nothing, or only what says something about one, such as the note of an orderly end.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn is_empty(directory: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        if !is_note(&entry?.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a file is not the store's own content.
fn is_note(name: &OsStr) -> bool {
    [FILE_NAME, lock::FILE_NAME].iter().any(|note| name == *note)
}

/// Notes that the store in `directory`, with all its files on the disk, was closed after so many syncs.
pub(crate) fn write(directory: &Path, syncs: u64) -> io::Result<()> {
    let note = encode(syncs, fingerprint(directory)?);
    Ok(file::replace(&directory.join(FILE_NAME), &note, 0o600)?)
}

/// Whether the store whose mark has this number was closed in order, and its files are as they were then. A note that cannot be
/// read is none.
pub(crate) fn is_noted(directory: &Path, marked: u64) -> io::Result<bool> {
    let Ok(note) = fs::read(directory.join(FILE_NAME)) else { return Ok(false) };
    Ok(note == encode(marked, fingerprint(directory)?))
}

/// Takes the note away, durably.
pub(crate) fn remove(directory: &Path) -> io::Result<()> {
    if file::if_there(fs::remove_file(directory.join(FILE_NAME)))?.is_some() {
        file::sync_dir(directory)?;
    }
    Ok(())
}

fn encode(syncs: u64, fingerprint: u64) -> Vec<u8> {
    [&[VERSION], syncs.to_be_bytes().as_slice(), &fingerprint.to_be_bytes()].concat()
}

/// Tells whether a file was written, replaced, removed or added, without reading any.
fn fingerprint(directory: &Path) -> io::Result<u64> {
    let mut hash = Xxh3::new();
    for entry in WalkDir::new(directory).sort_by_file_name() {
        let entry = entry?;
        let found = entry.metadata()?;
        if entry.depth() == 0 || found.is_dir() || is_note(entry.file_name()) {
            continue;
        }
        let path = entry.path().strip_prefix(directory).expect("it was found there");
        let path = path.as_os_str().as_encoded_bytes();
        hash.update(&(path.len() as u64).to_be_bytes());
        hash.update(path);
        hash.update(&found.len().to_be_bytes());
        let changed_at = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        hash.update(&changed_at.as_nanos().to_be_bytes());
    }
    Ok(hash.digest())
}
