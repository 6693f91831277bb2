//! The mark: a small file beside the engine's that says how many syncs were acknowledged.
//!
//! When the end of an engine's log is lost, it opens what is left as if nothing more had ever been written. So
//! each sync has a number, kept in two places: in the log behind all that the sync covers, and here once
//! the sync is done. A store whose log knows fewer syncs than its mark has lost acknowledged records.
//!
//! The mark itself is not synced: after a power cut it may be behind the log, never ahead. Its bytes:
//! version (1), number (u64, big-endian), the number's complement. They fit one sector and never tear.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use crate::file::{self, FileError};

pub(crate) const FILE_NAME: &str = "mark";
const VERSION: u8 = 1;
const MARK_BYTES: usize = 17;

/// The open mark of a store.
pub(crate) struct Mark {
    file: File,
}

impl Mark {
    /// Writes the mark of a store that has not synced yet.
    pub(crate) fn create(directory: &Path) -> Result<(), FileError> {
        file::create_new(&directory.join(FILE_NAME), &encode(0), 0o600)
    }

    /// Opens the mark, if there is one, and reads its number; no number when its bytes are not a mark.
    pub(crate) fn open(directory: &Path) -> io::Result<Option<(Self, Option<u64>)>> {
        let opened = File::options().read(true).write(true).open(directory.join(FILE_NAME));
        let Some(file) = file::if_there(opened)? else { return Ok(None) };
        let number = number(&file)?;
        Ok(Some((Self { file }, number)))
    }

    /// Whether there is a mark, and its number if that is readable; looking at it takes no right to write.
    pub(crate) fn look(directory: &Path) -> io::Result<(bool, Option<u64>)> {
        match file::if_there(File::open(directory.join(FILE_NAME)))? {
            Some(file) => Ok((true, number(&file)?)),
            None => Ok((false, None)),
        }
    }

    pub(crate) fn advance(&mut self, syncs: u64) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(&encode(syncs))
    }
}

fn number(file: &File) -> io::Result<Option<u64>> {
    let mut bytes = Vec::new();
    file.take(MARK_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(decode(&bytes))
}

pub(crate) fn encode(syncs: u64) -> [u8; MARK_BYTES] {
    let mut bytes = [VERSION; MARK_BYTES];
    bytes[1..9].copy_from_slice(&syncs.to_be_bytes());
    bytes[9..].copy_from_slice(&(!syncs).to_be_bytes());
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Option<u64> {
    let bytes: &[u8; MARK_BYTES] = bytes.try_into().ok()?;
    let (number, _) = bytes[1..].split_first_chunk()?;
    let syncs = u64::from_be_bytes(*number);
    (*bytes == encode(syncs)).then_some(syncs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1, to be read by every later version.
    const GOLDEN: [u8; MARK_BYTES] =
        [1, 0, 0, 0, 0, 0, 0, 0x02, 0x9a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd, 0x65];

    #[test]
    fn the_golden_mark_is_sync_666() {
        assert_eq!((encode(666), decode(&GOLDEN)), (GOLDEN, Some(666)));
    }

    #[test]
    fn a_mark_with_any_bit_flipped_or_any_byte_missing_is_none() {
        for bit in 0..MARK_BYTES * 8 {
            let mut bytes = GOLDEN;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bytes), None, "bit {bit}");
        }
        for length in 0..MARK_BYTES {
            assert_eq!(decode(&GOLDEN[..length]), None, "{length} bytes");
        }
    }
}
