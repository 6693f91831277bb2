//! What a store does when its files are not what it wrote.
//!
//! Files that are missing, cut or unreadable as a whole: it has every record, or it refuses. A part of sled's
//! log that is damaged: it may go back to older records (`lib.rs` says why), but never to a value that nobody
//! wrote, nor to an empty store. Never a panic in either case. fjall's own files are a chapter of their own.
//!
//! Each damage is done to a copy of a closed store whose every record was synced.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use kms_store::{Engine, OpenError, ReadError, Store};

use crate::world::{self, CACHE_BYTES, Random, Records, batch, everything, loaded, open, seed};

/// Enough for sled to have reused parts of its log, where damage makes it panic.
const BATCHES: u64 = 1_800;
const LOAD_SEED: u64 = 21_688;

on_every_engine! {
    an_older_log_under_a_newer_mark_is_refused
    a_mark_that_is_missing_or_unreadable_is_refused
}

/// A store that was never reopened: sled reads its log from the start.
fn young() -> &'static Path {
    static YOUNG: OnceLock<tempfile::TempDir> = OnceLock::new();
    YOUNG.get_or_init(|| closed_after(Engine::Sled, 1)).path()
}

/// A store that was opened three times: it has a snapshot of sled's, and a log that goes on behind it.
fn grown() -> &'static Path {
    static GROWN: OnceLock<tempfile::TempDir> = OnceLock::new();
    GROWN.get_or_init(|| closed_after(Engine::Sled, 3)).path()
}

/// As that, on fjall.
fn grown_on_fjall() -> &'static Path {
    static GROWN: OnceLock<tempfile::TempDir> = OnceLock::new();
    GROWN.get_or_init(|| closed_after(Engine::Fjall, 3)).path()
}

pub(crate) fn grown_on(engine: Engine) -> &'static Path {
    match engine {
        Engine::Sled => grown(),
        Engine::Fjall => grown_on_fjall(),
    }
}

/// What both hold.
pub(crate) fn records() -> &'static Records {
    static RECORDS: OnceLock<Records> = OnceLock::new();
    RECORDS.get_or_init(|| loaded(LOAD_SEED, BATCHES))
}

fn closed_after(engine: Engine, openings: u64) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for opening in 0..openings {
        let store = open(engine, home.path());
        for number in opening * BATCHES / openings + 1..=(opening + 1) * BATCHES / openings {
            store.write(batch(LOAD_SEED, number)).unwrap();
            store.sync().unwrap();
        }
    }
    home
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let copied = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &copied);
        } else {
            fs::copy(entry.path(), copied).unwrap();
        }
    }
}

/// The one file whose name starts so: `db`, `conf`, `mark`, or `snap`, which sled gives a number.
fn file(directory: &Path, name: &str) -> PathBuf {
    let mut files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name)).unwrap()
}

pub(crate) fn on(name: &str, harm: impl FnOnce(&mut Vec<u8>)) -> impl FnOnce(&Path) {
    move |directory| {
        let path = file(directory, name);
        let mut bytes = fs::read(&path).unwrap();
        harm(&mut bytes);
        fs::write(path, bytes).unwrap();
    }
}

fn without(name: &str) -> impl FnOnce(&Path) {
    move |directory| fs::remove_file(file(directory, name)).unwrap()
}

pub(crate) fn keeps(length: usize) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| bytes.truncate(length)
}

pub(crate) fn flip(bit: usize) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| {
        let at = bit / 8 % bytes.len();
        bytes[at] ^= 1 << (bit % 8);
    }
}

pub(crate) fn noise(seed: u64) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| *bytes = Random::new(seed).bytes(bytes.len() as u64)
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Whole,
    Refused,
}

/// Opens the store in `directory` and holds it to the promise. A refusal is one at every further try.
fn outcome(engine: Engine, directory: &Path, damage: &str) -> Outcome {
    match Store::open(directory, engine, CACHE_BYTES) {
        Ok(store) => {
            assert!(everything(&store) == *records(), "{damage}: opened with other records");
            Outcome::Whole
        }
        Err(OpenError::Damaged { .. }) => {
            let again = Store::open(directory, engine, CACHE_BYTES);
            assert!(
                matches!(again, Err(OpenError::Damaged { .. })),
                "{damage}: refused once, then {again:?}"
            );
            Outcome::Refused
        }
        Err(other) => panic!("{damage}: {other:?}"),
    }
}

fn after(original: &Path, damage: &str, harm: impl FnOnce(&Path)) -> Outcome {
    let home = tempfile::tempdir().unwrap();
    copy(original, home.path());
    let engine = Engine::of(home.path()).unwrap().unwrap();
    harm(home.path());
    outcome(engine, home.path(), damage)
}

#[test]
fn an_undamaged_copy_is_whole() {
    assert_eq!(after(young(), "none", |_| {}), Outcome::Whole);
    assert_eq!(after(grown(), "none", |_| {}), Outcome::Whole);
    assert_eq!(after(grown_on_fjall(), "none", |_| {}), Outcome::Whole);
}

#[test]
fn a_log_that_is_missing_or_empty_is_refused_and_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    copy(grown(), home.path());
    let log = home.path().join("db");
    fs::remove_file(&log).unwrap();

    let error = Store::open(home.path(), Engine::Sled, CACHE_BYTES).unwrap_err();

    assert!(error.remedy().contains("restore the whole directory from a backup"), "{}", error.remedy());
    assert!(!log.exists(), "an empty log was put in its place");
    assert_eq!(after(grown(), "empty log", on("db", Vec::clear)), Outcome::Refused);
}

/// sled panics on some of these: a page whose first version lay behind the cut.
#[test]
fn a_log_cut_anywhere_is_refused_unless_only_free_space_was_lost() {
    let mut refused = 0;
    for original in [young(), grown()] {
        let length = usize::try_from(fs::metadata(original.join("db")).unwrap().len()).unwrap();
        for kept in (1..length).step_by(length / 24) {
            if after(original, &format!("log cut to {kept} of {length}"), on("db", keeps(kept)))
                == Outcome::Refused
            {
                refused += 1;
            }
        }
        assert_eq!(after(original, "half a log", on("db", keeps(length / 2))), Outcome::Refused);
    }
    assert!(refused > 24, "only {refused} of 50 cuts were noticed");
}

#[test]
fn a_log_of_zeros_or_of_noise_is_refused() {
    let seed = seed();
    for original in [young(), grown()] {
        assert_eq!(after(original, "zeros", on("db", |bytes| bytes.fill(0))), Outcome::Refused);
        assert_eq!(after(original, "noise", on("db", noise(seed))), Outcome::Refused);
    }
}

/// The whole point of the mark: to an engine alone, this is a store that was closed a little earlier.
fn an_older_log_under_a_newer_mark_is_refused(engine: Engine) {
    let older = tempfile::tempdir().unwrap();
    let store = open(engine, older.path());
    store.write(batch(LOAD_SEED, 1)).unwrap();
    store.sync().unwrap();
    drop(store);
    fs::copy(grown_on(engine).join("mark"), older.path().join("mark")).unwrap();

    let error = Store::open(older.path(), engine, CACHE_BYTES).unwrap_err();

    let told = error.to_string();
    assert!(told.contains("its log ends at sync 1, but sync 1800 was acknowledged"), "{told}");
}

fn a_mark_that_is_missing_or_unreadable_is_refused(engine: Engine) {
    let missing = after(grown_on(engine), "no mark", without("mark"));
    let cut = after(grown_on(engine), "cut mark", on("mark", keeps(9)));
    let flipped = after(grown_on(engine), "flipped mark", on("mark", flip(64)));
    assert_eq!([missing, cut, flipped], [Outcome::Refused, Outcome::Refused, Outcome::Refused]);
}

/// sled can do without either file or says that it cannot; both are honest.
#[test]
fn sleds_small_files_damaged_leave_all_or_nothing() {
    after(grown(), "no conf", without("conf"));
    after(grown(), "empty conf", on("conf", Vec::clear));
    after(grown(), "no snapshot", without("snap"));
    for length in [0, 5, 100] {
        after(grown(), "cut snapshot", on("snap", keeps(length)));
    }
    for bit in (0..400).step_by(9) {
        after(grown(), &format!("bit {bit} of conf"), on("conf", flip(bit)));
        after(grown(), &format!("bit {bit} of snap"), on("snap", flip(bit)));
    }
}

#[test]
fn damage_in_the_middle_of_the_log_never_becomes_a_value_nor_an_empty_store() {
    let mut random = Random::new(seed());
    let written = world::ever_written(LOAD_SEED, BATCHES);
    let mut refused = 0;
    for round in 0..60 {
        let kind = ["flip", "zeros", "noise"][round % 3];
        let home = tempfile::tempdir().unwrap();
        copy(if round < 30 { young() } else { grown() }, home.path());
        on("db", |bytes| {
            let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
            let end = bytes.len().min(at + 4_096);
            match kind {
                "flip" => bytes[at] ^= 1 << random.below(8),
                "zeros" => bytes[at..end].fill(0),
                _ => bytes[at..end].copy_from_slice(&random.bytes((end - at) as u64)),
            }
        })(home.path());

        match Store::open(home.path(), Engine::Sled, CACHE_BYTES) {
            Err(OpenError::Damaged { .. }) => refused += 1,
            Err(other) => panic!("{kind} in round {round}: {other:?}"),
            Ok(store) => {
                let (mut found, mut ended_early) = (0, false);
                for record in store.records(b"", None) {
                    let Ok((key, value)) = record else {
                        ended_early = true;
                        continue;
                    };
                    assert!(written.contains(&(key, value)), "{kind} in round {round}: nobody wrote this");
                    found += 1;
                }
                let enough = records().len() / 2 < found || ended_early;
                assert!(enough, "{kind} in round {round}: only {found} records, and nobody said why");
            }
        }
    }
    assert!(refused > 0, "no damage was noticed: this test shows nothing");
}

/// Damage that comes while the store is open, and more records than the cache holds.
#[test]
fn a_page_damaged_under_an_open_store_is_an_error_and_never_another_value() {
    let home = tempfile::tempdir().unwrap();
    copy(grown(), home.path());
    let store = open(Engine::Sled, home.path());
    on("db", noise(LOAD_SEED))(home.path());

    let mut damaged = 0;
    for (key, value) in records() {
        match store.get(key) {
            Ok(found) => assert!(found.as_ref() == Some(value), "another value"),
            Err(ReadError::Damaged { .. }) => damaged += 1,
            Err(other) => panic!("{other:?}"),
        }
    }

    assert!(damaged > 0, "every record came from the cache: this test shows nothing");
    let errors = store.records(b"", None).filter(Result::is_err).take(2).count();
    assert_eq!(errors, 1, "a scan ends after its first error");
}
