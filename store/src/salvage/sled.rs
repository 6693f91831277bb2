//! The log of sled 0.34: segments of messages, each a whole page or one change to a page.
//!
//! A message begins with a CRC-32, its kind, length, the number of its segment, and the page that it is about; numbers are
//! varints. A page holds keys without the prefix that all of them share, then values; a change holds one key without the
//! prefix that its page had then. Later segments have larger numbers, wherever in the file they lie, so messages are taken in
//! the order of these numbers, as sled itself does when it has no snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::{Salvaged, Verify};
use crate::batch::MAX_VALUE_BYTES;
use crate::bytes::{byte, u32};

/// sled's default, which `engine/sled.rs` does not change.
const SEGMENT_BYTES: usize = 512 * 1024;
const SEGMENT_HEADER_BYTES: usize = 20;

const FREE: u8 = 4;
const LAST_KIND: u8 = 11;
const NODE: u8 = 8;
const LINK: u8 = 10;

/// No key or value of a store is longer; a length beyond it is damage.
const PART_BYTES_MAX: u64 = MAX_VALUE_BYTES as u64;

/// Where in the log something stands.
type Place = (u64, usize);

pub(super) fn salvage(directory: &Path, verify: Verify) -> io::Result<Salvaged> {
    let mut log = Log { file: File::open(directory.join("db"))?, segment: Vec::new() };
    // 1. Which generation of each segment the file has. One that was begun anew has the rest of an older one behind it.
    let mut generations = BTreeSet::new();
    for at in 0.. {
        if !log.read(at)? {
            break;
        }
        for message in messages(&log.segment) {
            generations.insert((message.segment, at));
        }
    }
    // 2. All of them in the order in which they were written.
    let mut pages = Pages { verify, by_id: HashMap::new(), unplaced: Vec::new() };
    for (number, at) in generations {
        log.read(at)?;
        for message in messages(&log.segment).filter(|message| message.segment == number) {
            pages.take((number, message.at), &message);
        }
    }
    Ok(pages.finish())
}

struct Log {
    file: File,
    segment: Vec<u8>,
}

impl Log {
    /// Whether there is such a segment; the last one may be short.
    fn read(&mut self, segment: u64) -> io::Result<bool> {
        self.segment.clear();
        self.file.seek(SeekFrom::Start(segment * SEGMENT_BYTES as u64))?;
        (&self.file).take(SEGMENT_BYTES as u64).read_to_end(&mut self.segment)?;
        Ok(!self.segment.is_empty())
    }
}

struct Message<'s> {
    at: usize,
    kind: u8,
    segment: u64,
    page: u64,
    body: &'s [u8],
    /// Its checksum is right.
    whole: bool,
}

/// The messages of a segment. Behind one that is damaged the next one is looked for byte by byte.
fn messages(segment: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut at = SEGMENT_HEADER_BYTES;
    let mut follows = true;
    std::iter::from_fn(move || {
        while at < segment.len() {
            let here = at;
            let is_next = std::mem::replace(&mut follows, false);
            match message(segment, here) {
                Some((end, message)) if message.whole => {
                    (at, follows) = (end, true);
                    return Some(message);
                }
                // Damaged, and where a message is expected: its length may be wrong, so the search goes on inside it.
                Some((_, message)) if is_next && matches!(message.kind, NODE | LINK) => {
                    at += 1;
                    return Some(message);
                }
                _ => at += 1,
            }
        }
        None
    })
}

/// What may be a message, and where it ends.
fn message(segment: &[u8], at: usize) -> Option<(usize, Message<'_>)> {
    let mut rest = &segment[at..];
    let crc = u32(&mut rest)?;
    let kind = byte(&mut rest).filter(|kind| (1..=LAST_KIND).contains(kind))?;
    let length = usize::try_from(varint(&mut rest)?).ok()?;
    let (number, page) = (varint(&mut rest)?, varint(&mut rest)?);
    let body_at = segment.len() - rest.len();
    let body = rest.split_off(..length)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(&segment[at + 4..body_at]);
    let whole = hasher.finalize() ^ u32::MAX == crc;
    Some((body_at + length, Message { at, kind, segment: number, page, body, whole }))
}

/// sled's varint: one byte up to 240, then two, three, and a byte that says how many follow.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let first = u64::from(byte(bytes)?);
    Some(match first {
        0..=240 => first,
        241..=248 => 240 + 256 * (first - 241) + u64::from(byte(bytes)?),
        249 => 2288 + 256 * u64::from(byte(bytes)?) + u64::from(byte(bytes)?),
        _ => {
            let mut number = [0; 8];
            let length = usize::try_from(first - 247).ok()?;
            number[..length].copy_from_slice(bytes.split_off(..length)?);
            u64::from_le_bytes(number)
        }
    })
}

fn part<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = varint(bytes).filter(|length| *length <= PART_BYTES_MAX)?;
    bytes.split_off(..usize::try_from(length).ok()?)
}

/// The pages of all trees, as far as they were read.
struct Pages<'v> {
    verify: Verify<'v>,
    by_id: HashMap<u64, Page>,
    /// Changes to pages whose prefix is not known: the page, and the key without it.
    unplaced: Vec<(Place, u64, Vec<u8>, Vec<u8>)>,
}

#[derive(Default)]
struct Page {
    prefix: Vec<u8>,
    /// Where it stands whole for the last time.
    whole_at: Option<Place>,
    records: BTreeMap<Vec<u8>, (Place, Vec<u8>)>,
}

impl Pages<'_> {
    fn take(&mut self, place: Place, message: &Message) {
        let page = self.by_id.entry(message.page).or_default();
        match message.kind {
            FREE if message.whole => {
                self.by_id.remove(&message.page);
            }
            NODE => {
                let Some(node) = node(message.body) else { return };
                let former = std::mem::take(&mut page.prefix);
                // What is no longer in a whole page was removed, or has gone to another page.
                let mut before = BTreeMap::new();
                if message.whole {
                    before = std::mem::take(&mut page.records);
                    page.whole_at = Some(place);
                }
                let prefix = &node.lo[..node.prefix_length.min(node.lo.len())];
                for (key, value) in node.records {
                    let Some(whole) = [prefix, &former]
                        .into_iter()
                        .map(|prefix| [prefix, key].concat())
                        .find(|key| (self.verify)(key, value))
                    else {
                        // Damaged before it was written: the version before it may be better.
                        let key = [prefix, key].concat();
                        page.records.extend(before.remove_entry(&key));
                        continue;
                    };
                    page.records.insert(whole, (place, value.to_vec()));
                }
                page.prefix = if message.whole { prefix.to_vec() } else { former };
            }
            LINK => match link(message.body) {
                Some((key, Some(value))) => {
                    let whole = [page.prefix.as_slice(), key].concat();
                    if (self.verify)(&whole, value) {
                        page.records.insert(whole, (place, value.to_vec()));
                    } else {
                        self.unplaced.push((place, message.page, key.to_vec(), value.to_vec()));
                    }
                }
                Some((key, None)) if message.whole => {
                    page.records.remove(&[page.prefix.as_slice(), key].concat());
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn finish(self) -> Salvaged {
        let prefixes: BTreeSet<_> = self.by_id.values().map(|page| page.prefix.clone()).collect();
        // A whole page that was written later has the record, or it was removed or has gone to another page.
        let is_last = |place: &Place, page| {
            self.by_id
                .get(page)
                .is_none_or(|page: &Page| page.whole_at.is_none_or(|whole_at| whole_at < *place))
        };
        let unplaced = self.unplaced.iter().filter(|(place, page, ..)| is_last(place, page));
        let placed: Vec<_> = unplaced
            .filter_map(|(place, _, key, value)| {
                let mut keys = prefixes.iter().map(|prefix| [prefix.as_slice(), key].concat());
                keys.find(|key| (self.verify)(key, value)).map(|key| (key, (*place, value.clone())))
            })
            .collect();
        let mut newest: BTreeMap<Vec<u8>, (Place, Vec<u8>)> = BTreeMap::new();
        for (key, (place, value)) in self.by_id.into_values().flat_map(|page| page.records).chain(placed) {
            if newest.get(&key).is_none_or(|(other, _)| *other < place) {
                newest.insert(key, (place, value));
            }
        }
        newest.into_iter().map(|(key, (_, value))| (key, value)).collect()
    }
}

/// A page with records, as far as it can be read.
struct Node<'b> {
    prefix_length: usize,
    lo: &'b [u8],
    records: Vec<(&'b [u8], &'b [u8])>,
}

/// next | merging child | merging | prefix length | lo | hi | 0 for a leaf | how many | keys | values
fn node(mut body: &[u8]) -> Option<Node<'_>> {
    let bytes = &mut body;
    varint(bytes)?;
    varint(bytes)?;
    byte(bytes)?;
    let prefix_length = usize::from(byte(bytes)?);
    let (lo, _hi) = (part(bytes)?, part(bytes)?);
    let mut node = Node { prefix_length, lo, records: Vec::new() };
    if byte(bytes)? != 0 {
        return Some(node);
    }
    let count = varint(bytes)?;
    let mut keys = Vec::new();
    for _ in 0..count {
        let Some(key) = part(bytes) else { break };
        keys.push(key);
    }
    node.records = keys.into_iter().map_while(|key| Some((key, part(bytes)?))).collect();
    Some(node)
}

/// 0 key value, or 1 key.
fn link(mut body: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let bytes = &mut body;
    match byte(bytes)? {
        0 => Some((part(bytes)?, Some(part(bytes)?))),
        1 => Some((part(bytes)?, None)),
        _ => None,
    }
}
