//! The files of fjall 3: tables of sorted blocks, and journals of batches.
//!
//! A block has a header of 33 bytes that begins with `LSM` 3, then records: type, sequence number, key and value, lengths as
//! varints. Every tenth or sixteenth record has its whole key; those between leave out what they share with it. A batch of a
//! journal is described in `engine/fjall/journal.rs`. Compression is off.
//!
//! Of two versions of a record the one with the larger sequence number is newer; a batch's own number is believed only between
//! those of its neighbours, because its checksum does not cover it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::{Salvaged, Verify};
use crate::bytes::byte;
use crate::engine::PartKind;
use crate::engine::fjall::{self, journal, journal::Batch};

const MAGIC: &[u8] = b"LSM\x03";
const HEADER_BYTES: usize = 33;
const TRAILER_BYTES: usize = 31;

const DATA_BLOCK: u8 = 0;
const VALUE: u8 = 0;
const TOMBSTONES: [u8; 2] = [1, 2];
const BLOCK_ENDS: u8 = 255;

/// How new a version is: its sequence number, and behind that its place in the journals; 0 in a table.
type Age = (u64, u64);

pub(super) fn salvage(directory: &Path, verify: Verify) -> io::Result<Salvaged> {
    let path = directory.join(fjall::DIRECTORY);
    let mut versions = Versions { verify, newest: BTreeMap::new() };
    // The keyspace `1` is the caller's; where that name is gone, nothing is lost by looking at all of them.
    for table in fjall::parts(directory)?.iter().filter(|part| part.kind == PartKind::Lasting) {
        versions.take_table(&fs::read(directory.join(&table.path))?);
    }
    versions.take_journals(&path)?;
    Ok(versions.newest.into_iter().filter_map(|(key, (_, value))| Some((key, value?))).collect())
}

struct Versions<'v> {
    verify: Verify<'v>,
    newest: BTreeMap<Vec<u8>, (Age, Option<Vec<u8>>)>,
}

impl Versions<'_> {
    fn put(&mut self, key: Vec<u8>, age: Age, value: Option<&[u8]>) {
        if self.newest.get(&key).is_none_or(|(other, _)| *other < age) {
            self.newest.insert(key, (age, value.map(<[u8]>::to_vec)));
        }
    }

    fn take_table(&mut self, table: &[u8]) {
        let starts = table.windows(MAGIC.len()).enumerate().filter(|(_, bytes)| *bytes == MAGIC);
        // What is before the first block and between two that were found belongs to one whose header is damaged.
        let mut bounds = vec![0];
        bounds.extend(starts.map(|(at, _)| at).chain([table.len()]));
        bounds.dedup();
        for block in bounds.windows(2) {
            self.take_block(&table[block[0]..block[1]]);
        }
    }

    fn take_block(&mut self, block: &[u8]) {
        let Some((header, data)) = block.split_at_checked(HEADER_BYTES) else { return };
        let (kind, length) = (header[4], &header[21..25]);
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let checksum = &header[5..21];
        let whole =
            data.get(..length).filter(|data| xxhash_rust::xxh3::xxh3_128(data).to_le_bytes() == checksum);
        if let Some(whole) = whole
            && kind == DATA_BLOCK
            && header.starts_with(MAGIC)
        {
            self.take_whole(whole);
        }
        // The header of the block behind it may be damaged.
        self.search(&data[whole.map_or(0, <[u8]>::len)..]);
    }

    fn take_whole(&mut self, data: &[u8]) {
        let Some(interval) = data.len().checked_sub(TRAILER_BYTES).map(|trailer| usize::from(data[trailer]))
        else {
            return;
        };
        let (mut rest, mut base) = (data, Vec::new());
        for number in 0_usize.. {
            let shares = interval == 0 || number % interval != 0;
            let Some((record, behind)) = record(rest, shares.then_some(base.as_slice())) else { break };
            rest = behind;
            if !shares {
                base.clone_from(&record.key);
            }
            if record.value.is_none_or(|value| (self.verify)(&record.key, value)) {
                self.put(record.key, (record.number, 0), record.value);
            }
        }
    }

    /// Looks for records at every byte of what is no whole block. A removal has no checksum, so it is not believed.
    fn search(&mut self, mut data: &[u8]) {
        let mut bases: [Vec<u8>; 2] = Default::default();
        while !data.is_empty() {
            let whole = record(data, None);
            let shared = bases.iter().filter_map(|base| record(data, Some(base)));
            let found = whole
                .iter()
                .cloned()
                .chain(shared)
                .find(|(record, _)| record.value.is_some_and(|value| (self.verify)(&record.key, value)));
            if let Some((record, behind)) = found {
                bases[1].clone_from(&record.key);
                if whole.is_some_and(|(whole, _)| whole.key == record.key) {
                    bases[0].clone_from(&record.key);
                }
                self.put(record.key, (record.number, 0), record.value);
                data = behind;
                continue;
            }
            // The value may be damaged and the key be whole: others leave out what they share with it.
            let of_value = whole.filter(|(record, _)| record.value.is_some() && !record.key.is_empty());
            if let Some((record, _)) = of_value {
                bases[0] = record.key;
            }
            data = &data[1..];
        }
    }

    fn take_journals(&mut self, path: &Path) -> io::Result<()> {
        let (mut last, mut place) = (0, 0);
        for (_, journal) in journal::files(path)? {
            let bytes = journal::read(&journal)?;
            let mut batches = journal::batches(&bytes).peekable();
            while let Some(batch) = batches.next() {
                let next = batches.peek().and_then(|next| next.number);
                let believed = |number: &u64| last < *number && next.is_none_or(|next| *number < next);
                last = batch.number.filter(believed).unwrap_or(last);
                place += 1;
                self.take_batch(&batch, (last, place));
            }
        }
        Ok(())
    }

    fn take_batch(&mut self, batch: &Batch, age: Age) {
        for item in &batch.items {
            if item.value.map_or(batch.whole, |value| (self.verify)(item.key, value)) {
                self.put(item.key.to_vec(), age, item.value);
            }
        }
    }
}

#[derive(Clone)]
struct Record<'b> {
    number: u64,
    key: Vec<u8>,
    value: Option<&'b [u8]>,
}

/// type | number | key length | key | value length | value; with a base, which part of it the key begins with before the
/// key's length. And what is behind it.
fn record<'b>(mut bytes: &'b [u8], base: Option<&[u8]>) -> Option<(Record<'b>, &'b [u8])> {
    let bytes = &mut bytes;
    let kind = byte(bytes).filter(|kind| *kind != BLOCK_ENDS)?;
    let number = varint(bytes)?;
    let shared = match base {
        Some(base) => base.get(..usize::try_from(varint(bytes)?).ok()?)?,
        None => &[],
    };
    let key = part(bytes)?;
    let value = match kind {
        VALUE => Some(part(bytes)?),
        kind if TOMBSTONES.contains(&kind) => None,
        _ => return None,
    };
    Some((Record { number, key: [shared, key].concat(), value }, bytes))
}

fn part<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(varint(bytes)?).ok()?;
    bytes.split_off(..length)
}

/// LEB128.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let next = byte(bytes)?;
        number |= u64::from(next & 0x7f).checked_shl(shift)?;
        if next & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
