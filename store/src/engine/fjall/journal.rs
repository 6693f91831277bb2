//! The journals of fjall 3, read by ourselves: for what fjall does not check, and for what it cannot open.
//!
//! A journal is a row of batches, each of them:
//!
//! ```text
//! 1 | items (u32) | sequence number (u64)                                                        the start
//! 2 | type | 0 | keyspace (u64) | key length (u16) | value length (u32) | the same | key | value     an item
//! 3 | XXH3 of all items (u64) | `FJL` 3                                                          the end
//! ```
//!
//! Numbers are little-endian; the type is 0 for a value, 1 or 2 for a removal. **The checksum does not cover the start**, so a
//! sequence number that has lost a bit is believed: older versions of all that is in its batch come back, or its versions hide
//! those of later ones. What is behind the last batch is zeros.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::DIRECTORY;
use crate::engine::Fault;

/// Threads of fjall's own may take a few numbers between a floor and its batch.
const ABOVE_FLOOR: u64 = 1 << 16;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const END_MAGIC: &[u8] = b"FJL\x03";

const START_BYTES: usize = 13;
const ITEM_HEADER_BYTES: usize = 21;
const END_BYTES: usize = 13;

/// The journals in a directory, by their numbers.
pub(crate) fn files(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(number) = name.strip_suffix(".jnl").and_then(|number| number.parse().ok()) {
            files.push((number, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// A journal without the zeros behind it.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = fs::read(path)?;
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(end);
    Ok(bytes)
}

/// Refuses journals in which a batch has another sequence number than it was written with.
///
/// What it buys: the order in which fjall takes the batches is the order in which they were written. Numbers grow from batch to
/// batch, and each has its floor, a number that was not above it and that the checksum covers; so a number that has changed is
/// found, or has changed the order of nothing.
pub(crate) fn check_numbers(path: &Path, floor_key: &[u8]) -> Result<(), Fault> {
    let mut last = None;
    for (_, journal) in files(path)? {
        let bytes = read(&journal)?;
        // fjall goes no further than the first that is not whole; what that costs is looked at elsewhere.
        for batch in batches(&bytes).take_while(|batch| batch.whole) {
            let floor = batch.items.iter().find(|item| item.key == floor_key).and_then(|item| item.value);
            let floor = floor.and_then(|floor| floor.try_into().ok()).map(u64::from_be_bytes);
            // A ledger of an earlier release has no floors.
            let allowed = floor.map_or(0..=u64::MAX >> 1, |floor| floor..=floor.saturating_add(ABOVE_FLOOR));
            if batch.number.is_none_or(|number| !allowed.contains(&number)) || batch.number <= last {
                let name = journal.file_name().unwrap_or_default().display();
                return Err(Fault::Damaged(format!(
                    "its file `{DIRECTORY}/{name}` has a batch with another number than it was written with"
                )));
            }
            last = batch.number;
        }
    }
    Ok(())
}

/// A batch, or what is left of one.
pub(crate) struct Batch<'j> {
    /// Its sequence number; none where its start is damaged.
    pub(crate) number: Option<u64>,
    pub(crate) items: Vec<Item<'j>>,
    /// It begins and ends as it should, and its checksum is right.
    pub(crate) whole: bool,
}

pub(crate) struct Item<'j> {
    pub(crate) key: &'j [u8],
    /// None for a removal.
    pub(crate) value: Option<&'j [u8]>,
}

/// The batches of a journal, in the order in which they were written. Behind one that is damaged, what may be an item or
/// a start is looked for byte by byte, and what is found up to the next whole batch is one that is not whole.
pub(crate) fn batches(journal: &[u8]) -> impl Iterator<Item = Batch<'_>> {
    let (mut at, mut waiting) = (0, None);
    std::iter::from_fn(move || {
        if let Some(batch) = waiting.take() {
            return Some(batch);
        }
        let mut broken: Option<Batch> = None;
        while at < journal.len() {
            if let Some((end, batch)) = whole_batch(journal, at) {
                at = end;
                return Some(match broken {
                    Some(broken) => {
                        waiting = Some(batch);
                        broken
                    }
                    None => batch,
                });
            }
            let broken = broken.get_or_insert(Batch { number: None, items: Vec::new(), whole: false });
            match item(journal, at) {
                Some((_, item)) => {
                    broken.items.push(item);
                    at += 1;
                }
                None => at += 1,
            }
        }
        broken
    })
}

fn whole_batch(journal: &[u8], at: usize) -> Option<(usize, Batch<'_>)> {
    let start = journal.get(at..at + START_BYTES).filter(|start| start[0] == START)?;
    let count = u32::from_le_bytes(start[1..5].try_into().ok()?);
    let number = u64::from_le_bytes(start[5..13].try_into().ok()?);
    let first = at + START_BYTES;
    let (mut at, mut items) = (first, Vec::new());
    for _ in 0..count {
        let (end, item) = item(journal, at)?;
        items.push(item);
        at = end;
    }
    let end = journal.get(at..at + END_BYTES).filter(|end| end[0] == END && end.ends_with(END_MAGIC))?;
    let checksum = u64::from_le_bytes(end[1..9].try_into().ok()?);
    let whole = xxhash_rust::xxh3::xxh3_64(&journal[first..at]) == checksum;
    whole.then_some((at + END_BYTES, Batch { number: Some(number), items, whole }))
}

/// An item, and where it ends.
fn item(journal: &[u8], at: usize) -> Option<(usize, Item<'_>)> {
    let header =
        journal.get(at..at + ITEM_HEADER_BYTES).filter(|header| header[0] == ITEM && header[2] == 0)?;
    let key_length = usize::from(u16::from_le_bytes(header[11..13].try_into().ok()?));
    let value_length = u32::from_le_bytes(header[13..17].try_into().ok()?) as usize;
    if header[13..17] != header[17..21] {
        return None;
    }
    let key_at = at + ITEM_HEADER_BYTES;
    let value_at = key_at + key_length;
    let end = value_at + value_length;
    let (key, value) = (journal.get(key_at..value_at)?, journal.get(value_at..end)?);
    let value = match header[1] {
        0 => Some(value),
        1 | 2 => None,
        _ => return None,
    };
    Some((end, Item { key, value }))
}
