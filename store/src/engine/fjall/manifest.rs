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

use super::DIRECTORY;
use crate::bytes::{array, byte, u32, u64, u128};
use crate::engine::Fault;
use crate::file;

/// Ends each archive: magic, version, kind of checksum, checksum of the table of contents, its place, its length.
const TRAILER_BYTES: usize = 38;
const TRAILER_START: &[u8] = b"SFA!\x01\x00";
const CONTENTS_START: &[u8] = b"TOC!";

/// Many times what fjall writes: some ten entries with short names.
const MOST_CONTENTS_BYTES: u64 = 64 << 10;

/// The file that says which version of the list holds: number, checksum, kind of checksum. Where it is lost fjall would begin the
/// keyspace anew, empty, beside the others.
const CURRENT: &str = "current";

/// Refuses a keyspace whose list of tables, or the table of contents of one of them, is not what was written.
pub(super) fn check(path: &Path, keyspace: &str) -> Result<(), Fault> {
    let path = path.join("keyspaces").join(keyspace);
    let refused = |name: &str, is: &str| {
        Fault::Damaged(format!("its file `{DIRECTORY}/keyspaces/{keyspace}/{name}` is {is}"))
    };
    let other = |name: &str| refused(name, "not what was written");
    let current = file::if_there(fs::read(path.join(CURRENT)))?.ok_or_else(|| refused(CURRENT, "missing"))?;
    let (number, checksum) = version(&current).ok_or_else(|| other(CURRENT))?;
    let name = format!("v{number}");
    let list = fs::read(path.join(&name))?;
    let whole = Some(&list).filter(|list| xxh3_128(list) == checksum);
    for table in whole.and_then(|list| tables(list)).ok_or_else(|| other(&name))? {
        let name = format!("tables/{table}");
        contents(&mut File::open(path.join(&name))?)?.ok_or_else(|| other(&name))?;
    }
    Ok(())
}

/// The number and the checksum of the list that holds.
fn version(mut current: &[u8]) -> Option<(u64, u128)> {
    let version = (u64(&mut current)?, u128(&mut current)?);
    (current == [0]).then_some(version)
}

/// The numbers of the tables in a list: levels of runs of tables.
fn tables(list: &[u8]) -> Option<Vec<u64>> {
    let contents = contents(&mut io::Cursor::new(list)).ok()??;
    let entries = &mut contents.as_slice();
    for _ in 0..u32(entries)? {
        let (position, length) = (u64(entries)?, u64(entries)?);
        let name_bytes = u16::from_le_bytes(array(entries)?).into();
        if entries.split_off(..name_bytes)? == b"tables" {
            let (start, length) = (usize::try_from(position).ok()?, usize::try_from(length).ok()?);
            return tables_of(list.get(start..start.checked_add(length)?)?);
        }
    }
    None
}

fn tables_of(mut section: &[u8]) -> Option<Vec<u64>> {
    let section = &mut section;
    let mut tables = Vec::new();
    for _ in 0..byte(section)? {
        for _ in 0..byte(section)? {
            for _ in 0..u32(section)? {
                tables.push(u64(section)?);
                // The kind of its checksum, the checksum, and a sequence number.
                section.split_off(..1 + 16 + 8)?;
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
    let Some(mut trailer) = trailer.strip_prefix(TRAILER_START) else { return Ok(None) };
    let (Some(checksum), Some(position), Some(length)) =
        (u128(&mut trailer), u64(&mut trailer), u64(&mut trailer))
    else {
        return Ok(None);
    };
    if position.checked_add(length) != Some(end) || MOST_CONTENTS_BYTES < length {
        return Ok(None);
    }
    let mut contents = Vec::new();
    archive.seek(SeekFrom::Start(position))?;
    archive.take(length).read_to_end(&mut contents)?;
    Ok(contents.strip_prefix(CONTENTS_START).filter(|_| xxh3_128(&contents) == checksum).map(<[u8]>::to_vec))
}
