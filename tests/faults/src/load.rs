//! The load: numbered batches, the same in every process that knows the seed, and what a store that took them must hold.
//!
//! Both roles of the second process are here, the one that loads and the one that checks. What a check comes to is in
//! `verdict.rs`; who starts the roles is `process.rs`.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::{Batch, Engine, MAX_VALUE_BYTES, Store};

use crate::Role;
use crate::verdict::Found;

/// Small, so that the engine has to evict and read again.
const CACHE_BYTES: u64 = 1 << 20;

/// The key under which a loaded store keeps the number of its last batch.
const BATCH_KEY: &[u8] = b"batch";

/// What the keys begin with that only fill.
const FILLING: &[u8] = b"filling/";

/// Of a quarter of a megabyte each: 62 MB, and fjall begins another journal behind 64.
const FILLING_BATCHES: u64 = 236;

/// How many different keys there are: few enough that most are replaced or removed within a run.
const KEYS: u32 = 3_000;

/// Loads the store from its last batch on, and prints each number once its batch is durable, until nobody reads them.
pub(crate) fn load(role: &Role, engine: Engine) -> anyhow::Result<()> {
    let store = Store::open(&role.directory, engine, CACHE_BYTES)?;
    let mut acknowledgements = io::stdout().lock();
    let records = everything(&store)?;
    if records.is_empty() && role.seed.is_multiple_of(3) {
        fill(&store)?;
    }
    for number in last_batch(&records)? + 1.. {
        store.write(batch(role.seed, number))?;
        if !role.no_sync {
            store.sync()?;
        }
        if writeln!(acknowledgements, "{number}").is_err() {
            break;
        }
    }
    Ok(())
}

/// Writes and removes again what brings fjall close to a second journal, so that many a fault meets two. Nothing of it counts:
/// a store that is struck meanwhile may have any of it.
fn fill(store: &Store) -> anyhow::Result<()> {
    for number in 0..FILLING_BATCHES {
        let mut batch = Batch::new();
        for part in 0..64_u64 {
            batch.put(filling_key(part), vec![number.to_le_bytes()[0]; MAX_VALUE_BYTES]);
        }
        store.write(batch)?;
    }
    let mut batch = Batch::new();
    (0..64).for_each(|part| batch.remove(filling_key(part)));
    store.write(batch)?;
    Ok(store.sync()?)
}

fn filling_key(part: u64) -> Vec<u8> {
    [FILLING, &part.to_be_bytes()].concat()
}

/// Opens the store and compares every record with what its last batch says that there must be.
pub(crate) fn check(role: &Role, engine: Engine) -> Found {
    let read = || -> anyhow::Result<Found> {
        let store = Store::open(&role.directory, engine, CACHE_BYTES)?;
        judge(role.seed, &everything(&store)?)
    };
    read().unwrap_or_else(|error| Found::Closed { reason: format!("{error:#}") })
}

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

fn judge(seed: u64, records: &Records) -> anyhow::Result<Found> {
    let last = last_batch(records)?;
    Ok(if *records == loaded(seed, last) { Found::Whole { last } } else { Found::Halved { last } })
}

fn everything(store: &Store) -> anyhow::Result<Records> {
    let mut records = Records::new();
    for record in store.records(b"", None) {
        let (key, value) = record?;
        if !key.starts_with(FILLING) {
            records.insert(key, value);
        }
    }
    Ok(records)
}

fn last_batch(records: &Records) -> anyhow::Result<u64> {
    let Some(number) = records.get(BATCH_KEY) else {
        return Ok(0);
    };
    let number = number.as_slice().try_into().context("the number of its last batch is not one")?;
    Ok(u64::from_be_bytes(number))
}

/// A key, and the value to put or `None` to remove it.
type Operation = (Vec<u8>, Option<Vec<u8>>);

/// What batch `number` does: its own number, and a few of the keys put or removed. One batch in four is large, so that fjall
/// folds its journal into tables within the life of a store.
fn operations(seed: u64, number: u64) -> Vec<Operation> {
    // The factor spreads neighbouring numbers over all bits, so that no two seeds share batches.
    let mut random = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut operations = vec![(BATCH_KEY.to_vec(), Some(number.to_be_bytes().to_vec()))];
    let (most_operations, most_bytes) =
        if number.is_multiple_of(4) { (120, MAX_VALUE_BYTES) } else { (20, 200) };
    for _ in 0..random.random_range(1..=most_operations) {
        let key = format!("machine/{:04}", random.random_range(0..KEYS)).into_bytes();
        let mut value = vec![0; random.random_range(0..most_bytes)];
        random.fill(&mut value[..]);
        operations.push((key, random.random_bool(0.8).then_some(value)));
    }
    operations
}

fn batch(seed: u64, number: u64) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in operations(seed, number) {
        match value {
            Some(value) => batch.put(key, value),
            None => batch.remove(key),
        }
    }
    batch
}

/// Every record of a store that took the batches 1 to `last`.
fn loaded(seed: u64, last: u64) -> Records {
    let mut records = Records::new();
    for (key, value) in (1..=last).flat_map(|number| operations(seed, number)) {
        match value {
            Some(value) => records.insert(key, value),
            None => records.remove(&key),
        };
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u64 = 7;

    #[test]
    fn a_store_that_took_every_batch_is_whole() {
        assert_eq!(judge(SEED, &loaded(SEED, 300)).unwrap(), Found::Whole { last: 300 });
        assert_eq!(judge(SEED, &Records::new()).unwrap(), Found::Whole { last: 0 });
    }

    #[test]
    fn a_batch_of_which_one_operation_is_missing_is_halved() {
        let before = loaded(SEED, 299);
        let all = operations(SEED, 300);
        let (key, value) = all.last().unwrap();
        let mut records = loaded(SEED, 300);
        match before.get(key) {
            Some(old) => records.insert(key.clone(), old.clone()),
            None => records.remove(key),
        };
        assert!(value.is_some() || before.contains_key(key), "the operation changes something");

        assert_eq!(judge(SEED, &records).unwrap(), Found::Halved { last: 300 });
    }

    #[test]
    fn a_batch_that_arrived_without_its_number_is_halved() {
        let mut records = loaded(SEED, 300);
        records.insert(BATCH_KEY.to_vec(), 299_u64.to_be_bytes().to_vec());
        assert_eq!(judge(SEED, &records).unwrap(), Found::Halved { last: 299 });
    }

    #[test]
    fn another_seed_is_another_load() {
        assert_eq!(judge(SEED + 1, &loaded(SEED, 300)).unwrap(), Found::Halved { last: 300 });
    }
}
