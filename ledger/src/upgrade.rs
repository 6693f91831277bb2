//! A ledger of an earlier format becomes one of this: what this format keeps beside the records is counted from them.
//!
//! Format 2 has the numbers of records that are not active, and events, of which an earlier ledger has none. The records stay as
//! they are, and what says the format is written last, so that a process killed in between leaves a ledger of the earlier
//! format, which is upgraded again from the beginning. `docs/protocol.md` 6.

use std::collections::BTreeMap;
use std::path::Path;

use shared::ids::ProductId;
use shared::record::{FORMAT_VERSION, Inactive, Meta, key};
use store::{Batch, Store};

use super::base::Base as _;
use super::filling::Filling;
use super::{LedgerError, reads};

/// How many records are read at a time.
const PAGE: usize = 1000;

/// Of how many records the log hears how far it is.
const PROGRESS: u64 = 1_000_000;

/// Brings the ledger in this store from the format in which it was found to this one, durably. `progress` hears after each page
/// how many records are read.
pub(super) fn upgrade(
    directory: &Path,
    store: &Store,
    (found, meta): (u8, &Meta),
    progress: &dyn Fn(u64),
) -> Result<(), LedgerError> {
    let directory = directory.display();
    tracing::info!(%directory, found, format = FORMAT_VERSION, "upgrading the ledger; every record is read");
    // 1: the numbers, which nobody reads as long as the format is the earlier one.
    let (numbers, records) = count(store, progress)?;
    let mut filling = Filling::of(store);
    for (product, inactive) in numbers {
        let key = key::inactive(product);
        let value = inactive.encode(&key);
        filling.put((key, value))?;
    }
    filling.finish()?;
    tracing::debug!(records, "the numbers of the new format are written");
    // 2: the format, once all that it promises is on the disk.
    let mut batch = Batch::new();
    batch.put(key::META, meta.encode(key::META));
    store.write(batch)?;
    tracing::debug!("the new format is written");
    store.sync()?;
    tracing::info!(%directory, format = FORMAT_VERSION, records, "the ledger is upgraded");
    Ok(())
}

/// How many records of each product are not active, and how many there are in all.
fn count(store: &Store, progress: &dyn Fn(u64)) -> Result<(BTreeMap<ProductId, Inactive>, u64), LedgerError> {
    // An upgrade that was cut short may have left numbers, which an earlier release has not kept since.
    let left = store.scan(&[key::INACTIVE], None, usize::MAX)?;
    let mut numbers: BTreeMap<_, _> =
        left.iter().filter_map(|(key, _)| Some((key::parse_inactive(key)?, Inactive::default()))).collect();
    let (mut records, mut after) = (0, None);
    loop {
        let page = reads::machines(store, None, after.as_ref(), PAGE)?;
        for listed in &page.rows {
            let inactive = numbers.entry(listed.product).or_default();
            // Nobody knows what a damaged one was; a recount leaves it out, too.
            if let Some(record) = &listed.record {
                inactive.add(record.state);
            }
            records += 1;
            if records % PROGRESS == 0 {
                tracing::info!(records, "still upgrading the ledger");
            }
        }
        tracing::debug!(records, "a page of records is read");
        progress(records);
        after = page.next;
        if after.is_none() {
            return Ok((numbers, records));
        }
    }
}
