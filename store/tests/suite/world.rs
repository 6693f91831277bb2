//! What the stories share: a small random generator, a model of what a loaded store must hold, a second
//! process.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use kms_store::{Batch, Engine, Store};

pub(crate) const CACHE_BYTES: u64 = 1 << 20;
pub(crate) const SEED_VARIABLE: &str = "KMS_STORE_SEED";
pub(crate) const ENGINE_VARIABLE: &str = "KMS_STORE_CHILD_ENGINE";
pub(crate) const DIRECTORY_VARIABLE: &str = "KMS_STORE_CHILD_DIRECTORY";

pub(crate) type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// SplitMix64: small, and the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn bytes(&mut self, length: u64) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// The seed of this run: from the variable, else a new one; printed either way.
pub(crate) fn seed() -> u64 {
    let given = env::var(SEED_VARIABLE).ok();
    let seed = given.map_or_else(
        || RandomState::new().hash_one("seed"),
        |text| text.parse().expect("a seed is a decimal number"),
    );
    println!("{SEED_VARIABLE}={seed}");
    seed
}

pub(crate) fn open(engine: Engine, directory: &Path) -> Store {
    Store::open(directory, engine, CACHE_BYTES).unwrap()
}

/// The store that a child was told to open; nothing when a person runs the role.
pub(crate) fn open_as_told() -> Option<Store> {
    let (directory, name) = (env::var_os(DIRECTORY_VARIABLE)?, env::var(ENGINE_VARIABLE).ok()?);
    Some(open(name.parse().unwrap(), Path::new(&directory)))
}

/// The key under which a loaded store keeps the number of its last batch.
pub(crate) const BATCH_KEY: &[u8] = b"batch";

/// What batch `number` of the load does, the same in every process: a few of 3,000 keys put or removed.
fn operations(seed: u64, number: u64) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut random = Random::new(seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let count = 1 + random.below(20);
    let mut operations = vec![(BATCH_KEY.to_vec(), Some(number.to_be_bytes().to_vec()))];
    for _ in 0..count {
        let key = format!("machine/{:04}", random.below(3_000)).into_bytes();
        let length = random.below(200);
        let value = (random.below(5) > 0).then(|| random.bytes(length));
        operations.push((key, value));
    }
    operations
}

pub(crate) fn batch(seed: u64, number: u64) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in operations(seed, number) {
        match value {
            Some(value) => batch.put(key, value),
            None => batch.remove(key),
        }
    }
    batch
}

/// Every record of a store that was loaded with the batches 1 to `last`.
pub(crate) fn loaded(seed: u64, last: u64) -> Records {
    let mut records = Records::new();
    for (key, value) in (1..=last).flat_map(|number| operations(seed, number)) {
        match value {
            Some(value) => records.insert(key, value),
            None => records.remove(&key),
        };
    }
    records
}

/// Every record that the batches 1 to `last` ever put, replaced and removed ones too.
pub(crate) fn ever_written(seed: u64, last: u64) -> BTreeSet<(Vec<u8>, Vec<u8>)> {
    let operations = (1..=last).flat_map(|number| operations(seed, number));
    operations.filter_map(|(key, value)| Some((key, value?))).collect()
}

pub(crate) fn last_batch(store: &Store) -> u64 {
    let number = store.get(BATCH_KEY).unwrap();
    number.map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()))
}

pub(crate) fn everything(store: &Store) -> Records {
    store.records(b"", None).map(Result::unwrap).collect()
}

/// This test program, started again in one of its ignored tests.
pub(crate) struct Process {
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Process {
    pub(crate) fn start(role: &str, engine: Engine, directory: &Path, seed: u64) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([role, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY_VARIABLE, directory)
            .env(ENGINE_VARIABLE, engine.name())
            .env(SEED_VARIABLE, seed.to_string())
            .stdin(Stdio::piped())
            // The test harness talks on stdout; stderr is the child's own.
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The child's next line, `None` once it is gone.
    pub(crate) fn line(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After a failed assertion too, no child stays behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
