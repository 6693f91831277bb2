//! What can be read from the files of a store without its engine: all of a whole one, and all but a few records of one in
//! which bytes have changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kms_store::{Batch, Engine, salvage};

use crate::damaged::copy;
use crate::world::{Random, Records, everything, open, seed};

const KEYS: u64 = 2_000;
const BATCHES: u64 = 3_000;

/// Bytes that change in one copy.
const FLIPS: u64 = 3;

/// What one changed byte may cost: the length of a key in a page of sled's hides those behind it.
const LOST_A_FLIP: usize = 40;

/// FNV-1a over the key and the value, so that a value says whether it is one.
fn sum(key: &[u8], value: &[u8]) -> [u8; 8] {
    let hash = key.iter().chain(value).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.to_be_bytes()
}

fn verifies(key: &[u8], value: &[u8]) -> bool {
    value.split_last_chunk::<8>().is_some_and(|(value, found)| *found == sum(key, value))
}

/// A store with what a ledger has: records that are replaced, a few that are removed. What it holds, and all it ever held.
struct Loaded {
    home: tempfile::TempDir,
    records: Records,
    ever: BTreeSet<(Vec<u8>, Vec<u8>)>,
}

fn load(engine: Engine, seed: u64) -> Loaded {
    let home = tempfile::tempdir().unwrap();
    let (mut random, mut records, mut ever) = (Random::new(seed), Records::new(), BTreeSet::new());
    let store = open(engine, home.path());
    for number in 0..BATCHES {
        let mut batch = Batch::new();
        for _ in 0..=random.below(12) {
            let key = format!("m-product-of-16-bytes/{:05}", random.below(KEYS)).into_bytes();
            if random.below(20) == 0 {
                batch.remove(key.clone());
                records.remove(&key);
                continue;
            }
            let mut value = random.bytes(75);
            value.extend(sum(&key, &value));
            batch.put(key.clone(), value.clone());
            records.insert(key.clone(), value.clone());
            ever.insert((key, value));
        }
        store.write(batch).unwrap();
        if number % 10 == 0 {
            store.sync().unwrap();
        }
    }
    store.sync().unwrap();
    assert_eq!(everything(&store), records);
    Loaded { home, records, ever }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

fn bytes(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files(directory).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_whole_store_is_read_without_its_engine() {
    let seed = seed();
    for engine in Engine::ALL {
        let Loaded { home, records, .. } = load(engine, seed);
        let before = bytes(home.path());
        let salvaged = salvage(home.path(), &verifies).unwrap();
        assert!(salvaged == records, "{engine:?}: {} of {}", salvaged.len(), records.len());
        assert!(before == bytes(home.path()), "{engine:?}: it has written");
    }
}

#[test]
fn a_store_in_which_bytes_have_changed_gives_all_but_a_few_records_and_none_that_never_was() {
    let seed = seed();
    for engine in Engine::ALL {
        let Loaded { home, records, ever } = load(engine, seed);
        let mut random = Random::new(seed ^ 1);
        for round in 0..60 {
            let damaged = tempfile::tempdir().unwrap();
            copy(home.path(), damaged.path());
            let mut at = Vec::new();
            for _ in 0..FLIPS {
                let files = files(damaged.path());
                // Where the records are: the large ones.
                let large: Vec<_> =
                    files.iter().filter(|path| fs::metadata(path).unwrap().len() > 4_096).collect();
                let file = large[usize::try_from(random.below(large.len() as u64)).unwrap()];
                let mut bytes = fs::read(file).unwrap();
                let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
                let place = random.below(used as u64);
                bytes[usize::try_from(place).unwrap()] ^= 1 << random.below(8);
                fs::write(file, bytes).unwrap();
                at.push((file.strip_prefix(damaged.path()).unwrap().to_owned(), place));
            }
            let salvaged = salvage(damaged.path(), &verifies).unwrap();
            let never: Vec<_> = salvaged
                .iter()
                .filter(|(key, value)| !ever.contains(&((*key).clone(), (*value).clone())))
                .collect();
            assert!(never.is_empty(), "{engine:?}, {at:?}: {never:?}");
            let newest = records.iter().filter(|(key, value)| salvaged.get(*key) == Some(value)).count();
            assert!(
                records.len() <= newest + LOST_A_FLIP * at.len(),
                "{engine:?}, round {round}, {at:?}: {newest} of {} are the newest",
                records.len()
            );
            println!("{engine:?} {newest} of {}, {} more", records.len(), salvaged.len() - newest);
        }
    }
}
