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
use crate::bytes::{array, u32, u64};
use crate::engine::Fault;

/// Threads of fjall's own may take a few numbers between a floor and its batch.
const ABOVE_FLOOR: u64 = 1 << 16;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const END_MAGIC: &[u8] = b"FJL\x03";

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

/// Refuses journals of which one is missing, or in which a batch has another sequence number than it was written with. Returns
/// all but the newest, which are not written to any more, and where the last entry of each ends.
///
/// What it buys: the order in which fjall takes the batches is the order in which they were written. Numbers grow from batch to
/// batch, and each has its floor, a number that was not above it and that the checksum covers; so a number that has changed is
/// found, or has changed the order of nothing.
pub(super) fn check(path: &Path, floor_key: &[u8]) -> Result<Vec<(PathBuf, u64)>, Fault> {
    let files = files(path)?;
    // Journals are numbered without gaps.
    if let Some(pair) = files.windows(2).find(|pair| pair[0].0 + 1 != pair[1].0) {
        return Err(Fault::Damaged(format!("its file `{DIRECTORY}/{}.jnl` is missing", pair[0].0 + 1)));
    }
    let (mut last, mut sealed) = (None, Vec::new());
    for (_, path) in files {
        let bytes = read(&path)?;
        // fjall goes no further than the first that is not whole; what that costs is looked at elsewhere.
        for batch in batches(&bytes).take_while(|batch| batch.whole) {
            let floor = batch.items.iter().find(|item| item.key == floor_key).and_then(|item| item.value);
            let floor = floor.and_then(|floor| floor.try_into().ok()).map(u64::from_be_bytes);
            // A ledger of an earlier release has no floors.
            let allowed = floor.map_or(0..=u64::MAX >> 1, |floor| floor..=floor.saturating_add(ABOVE_FLOOR));
            if batch.number.is_none_or(|number| !allowed.contains(&number)) || batch.number <= last {
                let name = path.file_name().unwrap_or_default().display();
                return Err(Fault::Damaged(format!(
                    "its file `{DIRECTORY}/{name}` has a batch with another number than it was written with"
                )));
            }
            last = batch.number;
        }
        sealed.push((path, bytes.len() as u64));
    }
    sealed.pop();
    Ok(sealed)
}

/// A batch, or what is left of one.
#[derive(Default)]
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
pub(crate) fn batches(mut journal: &[u8]) -> impl Iterator<Item = Batch<'_>> {
    let mut waiting = None;
    std::iter::from_fn(move || {
        if let Some(batch) = waiting.take() {
            return Some(batch);
        }
        let mut broken: Option<Batch> = None;
        while !journal.is_empty() {
            if let Some((batch, behind)) = whole_batch(journal) {
                journal = behind;
                if broken.is_none() {
                    return Some(batch);
                }
                waiting = Some(batch);
                break;
            }
            broken.get_or_insert_default().items.extend(item(&mut { journal }));
            journal = &journal[1..];
        }
        broken
    })
}

/// A batch, and what is behind it.
fn whole_batch(journal: &[u8]) -> Option<(Batch<'_>, &[u8])> {
    let mut rest = journal.strip_prefix(&[START])?;
    let (count, number) = (u32(&mut rest)?, u64(&mut rest)?);
    let first = rest;
    let items = (0..count).map(|_| item(&mut rest)).collect::<Option<_>>()?;
    let checksum_of = &first[..first.len() - rest.len()];
    let mut rest = rest.strip_prefix(&[END])?;
    let checksum = u64(&mut rest)?;
    let behind = rest.strip_prefix(END_MAGIC)?;
    let whole = xxhash_rust::xxh3::xxh3_64(checksum_of) == checksum;
    whole.then_some((Batch { number: Some(number), items, whole }, behind))
}

fn item<'j>(bytes: &mut &'j [u8]) -> Option<Item<'j>> {
    let [ITEM, kind, 0] = array(bytes)? else { return None };
    let _keyspace = u64(bytes)?;
    let key_bytes = u16::from_le_bytes(array(bytes)?);
    let value_bytes = u32(bytes)?;
    if u32(bytes)? != value_bytes {
        return None;
    }
    let (key, value) = (bytes.split_off(..key_bytes.into())?, bytes.split_off(..value_bytes as usize)?);
    let value = match kind {
        0 => Some(value),
        1 | 2 => None,
        _ => return None,
    };
    Some(Item { key, value })
}
