//! What fjall believes without a look: which tables there are, and where the parts of each lie.
//!
//! fjall 3.1 keeps a checksum beside the list of a keyspace's tables and does not compare it ("TODO: maybe validate current
//! version using the checksum in `current`"), and it takes memory for a table of contents before it compares that one's. A bit
//! that went bad there ends the process: by a panic while another is under way, or for want of 42 GB. So both are compared
//! here, before fjall opens.

use std::fs::{self, File};
use std::io::{self, Read as _, SeekFrom};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

/// Ends each archive: magic, version, kind of checksum, checksum of the table of contents, its place, its length.
const TRAILER_BYTES: usize = 38;
const TRAILER_START: &[u8] = b"SFA!\x01\x00";
const CONTENTS_START: &[u8] = b"TOC!";

/// Many times what fjall writes: some ten entries with short names.
const MOST_CONTENTS_BYTES: u64 = 64 << 10;

/// The file that says which version of the list holds: number, checksum, kind of checksum.
const CURRENT: &str = "current";

/// Checks the list of a keyspace's tables, and the table of contents of each. What is wrong is a name, and what it is.
pub(super) fn check(keyspace: &Path) -> io::Result<Result<(), String>> {
    let current = fs::read(keyspace.join(CURRENT))?;
    let mut bytes = Bytes(&current);
    let (Some(number), Some(checksum), Some(0), true) =
        (bytes.u64(), bytes.u128(), bytes.u8(), bytes.0.is_empty())
    else {
        return Ok(Err(CURRENT.to_owned()));
    };
    let name = format!("v{number}");
    let list = fs::read(keyspace.join(&name))?;
    if xxh3_128(&list) != checksum {
        return Ok(Err(name));
    }
    let Some(tables) = tables(&list) else {
        return Ok(Err(name));
    };
    for table in tables {
        let name = format!("tables/{table}");
        if contents(&mut File::open(keyspace.join(&name))?)?.is_none() {
            return Ok(Err(name));
        }
    }
    Ok(Ok(()))
}

/// The numbers of the tables in a list: levels of runs of tables.
fn tables(list: &[u8]) -> Option<Vec<u64>> {
    let contents = contents(&mut io::Cursor::new(list)).ok()??;
    let mut entries = Bytes(&contents);
    for _ in 0..entries.u32()? {
        let (position, length) = (entries.u64()?, entries.u64()?);
        let name_bytes = entries.u16()?.into();
        if entries.take(name_bytes)? == b"tables" {
            let (start, length) = (usize::try_from(position).ok()?, usize::try_from(length).ok()?);
            return tables_of(Bytes(list.get(start..start.checked_add(length)?)?));
        }
    }
    None
}

fn tables_of(mut section: Bytes) -> Option<Vec<u64>> {
    let mut tables = Vec::new();
    for _ in 0..section.u8()? {
        for _ in 0..section.u8()? {
            for _ in 0..section.u32()? {
                tables.push(section.u64()?);
                // The kind of its checksum, the checksum, and a sequence number.
                section.take(1 + 16 + 8)?;
            }
        }
    }
    Some(tables)
}

/// The table of contents at the end of an archive, without how it starts; nothing where it is not what was written.
fn contents(archive: &mut (impl io::Read + io::Seek)) -> io::Result<Option<Vec<u8>>> {
    let length = archive.seek(SeekFrom::End(0))?;
    let Some(end) = length.checked_sub(TRAILER_BYTES as u64) else { return Ok(None) };
    let mut trailer = [0; TRAILER_BYTES];
    archive.seek(SeekFrom::Start(end))?;
    archive.read_exact(&mut trailer)?;
    let Some(trailer) = trailer.strip_prefix(TRAILER_START) else { return Ok(None) };
    let mut trailer = Bytes(trailer);
    let (Some(checksum), Some(position), Some(length)) = (trailer.u128(), trailer.u64(), trailer.u64())
    else {
        return Ok(None);
    };
    if position.checked_add(length) != Some(end) || MOST_CONTENTS_BYTES < length {
        return Ok(None);
    }
    let mut contents = Vec::new();
    archive.seek(SeekFrom::Start(position))?;
    archive.take(length).read_to_end(&mut contents)?;
    if xxh3_128(&contents) != checksum {
        return Ok(None);
    }
    Ok(contents.strip_prefix(CONTENTS_START).map(<[u8]>::to_vec))
}

/// Bytes that are still to be read; integers are little-endian.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }
}
