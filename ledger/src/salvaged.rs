//! What is left of a ledger whose store does not open, or cannot be read in places.
//!
//! Every value carries a checksum over its key and itself, so each row that is whole is recognised wherever it lies in the
//! files. Nothing is written. Read next: `kms-store`'s `salvage`, which knows the files.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use shared::ids::{Fingerprint, ProductId};
use shared::record::{self, Event, Inactive, Meta, Record, Tally, key};

use super::{Kept, kept};

/// The rows of a ledger that are whole.
#[derive(Clone, Default)]
pub struct Salvaged {
    /// What it says of itself, where that is whole.
    pub meta: Option<Meta>,
    /// The rows, in the order of their keys.
    pub rows: Vec<Kept>,
    /// How many machines more it had by its own numbers, as far as these are whole.
    pub missing: u64,
}

/// Reads the files of the ledger in a directory. Nobody may write to it meanwhile.
///
/// # Errors
/// A file cannot be read at all, or there is no ledger.
pub fn salvage(path: &Path) -> io::Result<Salvaged> {
    let rows = store::salvage(path, &is_whole)?;
    let mut salvaged = Salvaged::default();
    // What the ledger says it has of each product, less what was found.
    let mut missing: BTreeMap<ProductId, i64> = BTreeMap::new();
    for (key, value) in &rows {
        if key == key::META {
            salvaged.meta = Meta::decode(key, value).ok().map(|(_format, meta)| meta);
        }
        if let Some((product, inactive)) = key::parse_inactive(key).zip(Inactive::decode(key, value).ok()) {
            *missing.entry(product).or_default() += number(inactive.total());
        }
        if let Some((product, tally)) = key::parse_tally(key).zip(Tally::decode(key, value).ok()) {
            *missing.entry(product).or_default() += number(tally.active);
        }
        let kept = kept::read(key, value).ok().flatten();
        if let Some(Kept::Machine { product, .. }) = &kept {
            *missing.entry(*product).or_default() -= 1;
        }
        salvaged.rows.extend(kept);
    }
    salvaged.missing = missing.into_values().filter_map(|missing| u64::try_from(missing).ok()).sum();
    Ok(salvaged)
}

impl Salvaged {
    /// Fingerprints say nothing without the pepper that they were kept under. Machines bring theirs again.
    pub fn forget_fingerprints(&mut self) {
        for kept in &mut self.rows {
            if let Kept::Machine { record, .. } = kept {
                record.fingerprint = Fingerprint::NONE;
            }
        }
    }
}

fn number(records: u64) -> i64 {
    i64::try_from(records).unwrap_or(i64::MAX)
}

/// Whether this is a row of a ledger, with the checksum that it was written with.
fn is_whole(key: &[u8], value: &[u8]) -> bool {
    match key.first() {
        Some(&key::RECORDS) => Record::decode(key, value).is_ok(),
        Some(&key::EVENTS) => Event::decode(key, value).is_ok(),
        Some(&key::TALLIES) => Tally::decode(key, value).is_ok(),
        Some(&key::INACTIVE) => Inactive::decode(key, value).is_ok(),
        _ if key == key::META => Meta::decode(key, value).is_ok(),
        Some(_) => record::decode_number(key, value).is_ok(),
        None => false,
    }
}
