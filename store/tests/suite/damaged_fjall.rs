//! What a store on fjall does when its files are not what it wrote: each file in turn, in each way.
//!
//! It has every record, or it refuses, or it says of what it cannot read that it cannot. It never gives another value,
//! and a store that has lost a record that was acknowledged never looks whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use kms_store::{Batch, Engine, MAX_VALUE_BYTES, OpenError, ReadError, Store};

use crate::damaged::copy;
use crate::world::{CACHE_BYTES, Process, Random, Records, everything, open, open_as_told, seed};

/// Enough that fjall has folded most of it into tables, and some is in the journal alone.
const BATCHES: u64 = 45;
const PER_BATCH: u64 = 100;

/// A closed store, and what it holds.
fn original() -> &'static (tempfile::TempDir, Records) {
    static ORIGINAL: OnceLock<(tempfile::TempDir, Records)> = OnceLock::new();
    ORIGINAL.get_or_init(|| {
        let home = tempfile::tempdir().unwrap();
        let mut random = Random::new(21_688);
        let mut records = Records::new();
        let store = open(Engine::Fjall, home.path());
        for _ in 0..BATCHES {
            let mut batch = Batch::new();
            for _ in 0..PER_BATCH {
                let key = format!("machine/{:05}", random.below(20_000)).into_bytes();
                let value = random.bytes(MAX_VALUE_BYTES as u64);
                batch.put(key.clone(), value.clone());
                records.insert(key, value);
            }
            store.write(batch).unwrap();
            store.sync().unwrap();
        }
        drop(store);
        (home, records)
    })
}

/// Every file of the engine's, by its path inside the store.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![directory.join("fjall")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(directory).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Whole,
    Refused,
    /// Some reads say that they cannot.
    Unreadable,
}

/// Does a damage to a copy, and holds what is left to the promise.
fn after(damage: &str, harm: impl FnOnce(&Path)) -> Outcome {
    let (original, records) = original();
    let home = tempfile::tempdir().unwrap();
    copy(original.path(), home.path());
    harm(home.path());
    let store = match Store::open(home.path(), Engine::Fjall, CACHE_BYTES) {
        Ok(store) => store,
        Err(OpenError::Damaged { .. }) => {
            let again = Store::open(home.path(), Engine::Fjall, CACHE_BYTES);
            assert!(
                matches!(again, Err(OpenError::Damaged { .. })),
                "{damage}: refused once, then {again:?}"
            );
            return Outcome::Refused;
        }
        Err(other) => panic!("{damage}: {other:?}"),
    };
    let mut unreadable = 0;
    for (key, value) in records {
        match store.get(key) {
            Ok(found) => assert!(found.as_ref() == Some(value), "{damage}: another value, or none"),
            Err(ReadError::Damaged { .. }) => unreadable += 1,
            Err(other) => panic!("{damage}: {other:?}"),
        }
    }
    if unreadable > 0 {
        return Outcome::Unreadable;
    }
    assert!(everything(&store) == *records, "{damage}: opened with other records");
    Outcome::Whole
}

#[test]
fn an_undamaged_copy_is_whole_and_has_tables_and_a_journal() {
    assert_eq!(after("none", |_| {}), Outcome::Whole);
    let files = files(original().0.path());
    let named = |part: &str| files.iter().filter(|path| path.to_str().unwrap().contains(part)).count();
    assert!(named("tables/") > 1 && named(".jnl") > 0, "{files:?}");
}

#[test]
fn a_file_that_is_missing_or_cut_leaves_all_or_nothing() {
    let mut noticed = 0;
    for file in files(original().0.path()) {
        let name = file.display();
        let length = fs::metadata(original().0.path().join(&file)).unwrap().len();
        let cut = |directory: &Path, length| {
            fs::File::options().write(true).open(directory.join(&file)).unwrap().set_len(length).unwrap();
        };
        let missing = after(&format!("{name} missing"), |it| fs::remove_file(it.join(&file)).unwrap());
        let empty = after(&format!("{name} empty"), |it| cut(it, 0));
        let half = after(&format!("half of {name}"), |it| cut(it, length / 2));
        noticed += [missing, empty, half].into_iter().filter(|outcome| *outcome != Outcome::Whole).count();
    }
    assert!(noticed > 6, "only {noticed} were noticed: this test shows nothing");
}

#[test]
fn bits_and_blocks_that_went_bad_never_become_a_value() {
    let mut random = Random::new(seed());
    let mut noticed = 0;
    for file in files(original().0.path()) {
        for kind in ["flip", "zeros", "noise"] {
            let outcome = after(&format!("{kind} in {}", file.display()), |directory| {
                let mut bytes = fs::read(directory.join(&file)).unwrap();
                if bytes.is_empty() {
                    return;
                }
                let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
                let end = bytes.len().min(at + 4_096);
                match kind {
                    "flip" => bytes[at] ^= 1 << random.below(8),
                    "zeros" => bytes[at..end].fill(0),
                    _ => bytes[at..end].copy_from_slice(&random.bytes((end - at) as u64)),
                }
                fs::write(directory.join(&file), bytes).unwrap();
            });
            noticed += usize::from(outcome != Outcome::Whole);
        }
    }
    assert!(noticed > 0, "no damage was noticed: this test shows nothing");
}

/// fjall takes memory for as many entries as a table of contents says that it has, before it looks whether that is what was
/// written: with one bit flipped it asked for 42 GB, and the process was gone.
#[test]
fn a_bit_in_the_list_of_tables_or_in_the_contents_of_one_is_refused_and_never_ends_the_process() {
    let mut random = Random::new(seed());
    let mut archives = files(original().0.path());
    let lists: Vec<_> = archives.iter().filter(|file| file.ends_with("current")).cloned().collect();
    archives.retain(|file| file.to_str().unwrap().contains("tables/"));
    for list in &lists {
        let bytes = fs::read(original().0.path().join(list)).unwrap();
        let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        archives.push(list.with_file_name(format!("v{number}")));
    }
    assert!(archives.len() > 4, "{archives:?}");
    for file in &archives {
        let bytes = fs::read(original().0.path().join(file)).unwrap();
        // What ends an archive: where its table of contents begins, and how long it is.
        let trailer = bytes.len() - 38;
        let position = u64::from_le_bytes(bytes[trailer + 22..trailer + 30].try_into().unwrap());
        let contents = usize::try_from(position).unwrap();
        let mut places = vec![(contents + 7, 7), (contents + 7, 6), (contents + 6, 7), (trailer + 25, 3)];
        let behind = (bytes.len() - contents) as u64;
        places.extend(
            (0..4).map(|_| (contents + usize::try_from(random.below(behind)).unwrap(), random.below(8))),
        );
        for (at, bit) in places {
            let name = file.display();
            let outcome = after(&format!("bit {bit} of byte {at} of {name}"), |it| {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                fs::write(it.join(file), bytes).unwrap();
            });
            assert_eq!(outcome, Outcome::Refused, "bit {bit} of byte {at} of {name}");
        }
    }
    for file in &lists {
        for bit in (0..25 * 8).step_by(7) {
            let outcome = after(&format!("bit {bit} of {}", file.display()), |it| {
                let mut bytes = fs::read(it.join(file)).unwrap();
                bytes[bit / 8] ^= 1 << (bit % 8);
                fs::write(it.join(file), bytes).unwrap();
            });
            assert_eq!(outcome, Outcome::Refused, "bit {bit} of {}", file.display());
        }
    }
}

/// Loads with the largest batches until it is killed.
#[test]
#[ignore = "a role that another test starts in a second process"]
fn heavy_loader() {
    let Some(store) = open_as_told() else {
        return;
    };
    let mut random = Random::new(seed());
    for number in 0_u64.. {
        let mut batch = Batch::new();
        for part in 0..100_u64 {
            batch.put(
                [number.to_be_bytes(), part.to_be_bytes()].concat(),
                random.bytes(MAX_VALUE_BYTES as u64),
            );
        }
        store.write(batch).unwrap();
        store.sync().unwrap();
        eprintln!("{number}");
    }
}

/// A store that was killed while it had two journals: the older one still has records that no table has.
fn with_two_journals() -> (tempfile::TempDir, u64) {
    let home = tempfile::tempdir().unwrap();
    let mut loader = Process::start("damaged_fjall::heavy_loader", Engine::Fjall, home.path(), 7);
    let (mut acknowledged, mut beside) = (0, 0);
    while let Some(line) = loader.line() {
        acknowledged = line.parse().expect("the number of a batch");
        let journals =
            files(home.path()).iter().filter(|file| file.extension() == Some("jnl".as_ref())).count();
        // Some syncs later, so that the newer one has the number of a sync.
        beside += usize::from(journals == 2);
        if beside == 4 {
            loader.child.kill().unwrap();
        }
        assert!(acknowledged < 2_000, "no journal was sealed in 800 MB");
    }
    (home, acknowledged)
}

#[test]
fn a_sealed_journal_that_is_cut_or_has_a_hole_is_refused_and_so_is_a_lost_keyspace() {
    let (original, acknowledged) = with_two_journals();
    let sealed =
        files(original.path()).into_iter().find(|file| file.extension() == Some("jnl".as_ref())).unwrap();
    let opened_after = |harm: &dyn Fn(&Path)| {
        let home = tempfile::tempdir().unwrap();
        copy(original.path(), home.path());
        harm(home.path());
        Store::open(home.path(), Engine::Fjall, CACHE_BYTES).map(|store| (store, home))
    };
    let end = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let change = |directory: &Path, harm: &dyn Fn(&mut Vec<u8>, usize)| {
        let path = directory.join(&sealed);
        let mut bytes = fs::read(&path).unwrap();
        let end = end(&bytes);
        harm(&mut bytes, end);
        fs::write(path, bytes).unwrap();
    };

    let (whole, _home) = opened_after(&|_| {}).unwrap();
    for number in 0..=acknowledged {
        assert!(whole.get(&[number.to_be_bytes(), [0; 8]].concat()).unwrap().is_some(), "batch {number}");
    }
    drop(whole);
    let hole = opened_after(&|it| change(it, &|bytes, end| bytes[end - 2_000_000..end - 1_900_000].fill(0)));
    let cut = opened_after(&|it| change(it, &|bytes, end| bytes[end - 2_000_000..].fill(0)));
    let missing = opened_after(&|it| fs::remove_dir_all(it.join("fjall/keyspaces/1")).unwrap());
    for (damage, opened, told) in [
        ("hole", hole, "not readable to its end"),
        ("cut", cut, "not readable to its end"),
        ("no keyspace", missing, "`fjall/keyspaces/1/current` is missing"),
    ] {
        let found = opened.err().unwrap_or_else(|| panic!("{damage}: it opened"));
        assert!(
            matches!(&found, OpenError::Damaged { .. }) && found.to_string().contains(told),
            "{damage}: {found}"
        );
    }
}

/// Where in a journal the sequence number of each batch lies: behind the magic that ends the one before it, a tag and a count.
fn numbers(journal: &[u8]) -> Vec<usize> {
    let ends = journal.windows(4).enumerate().filter(|(_, bytes)| *bytes == b"FJL\x03").map(|(at, _)| at + 4);
    let used = journal.iter().rposition(|byte| *byte != 0).unwrap();
    std::iter::once(0).chain(ends).filter(|start| *start < used).map(|start| start + 5).collect()
}

/// fjall's checksum of a batch leaves out its sequence number. One bit of it brought back older rows, and everything but a
/// recount said that all was well.
#[test]
fn no_bit_of_a_batchs_number_brings_back_an_older_record() {
    let original = tempfile::tempdir().unwrap();
    let mut records = Records::new();
    let store = open(Engine::Fjall, original.path());
    for number in 0..24_u64 {
        let mut batch = Batch::new();
        for key in [number % 3, 3 + number % 5, 8] {
            let (key, value) = (format!("machine/{key}"), format!("seen {number}"));
            batch.put(key.clone(), value.clone());
            records.insert(key.into_bytes(), value.into_bytes());
        }
        store.write(batch).unwrap();
        store.sync().unwrap();
    }
    drop(store);
    let journal = PathBuf::from("fjall/0.jnl");
    let numbers = numbers(&fs::read(original.path().join(&journal)).unwrap());
    assert!(numbers.len() >= 48, "two batches a turn: {numbers:?}");

    let (mut random, mut refused) = (Random::new(seed()), 0);
    // The low bits of each, which change the order of neighbours; and any other.
    let bits = numbers.iter().flat_map(|at| [(*at, 0), (*at, 1), (*at, 3), (*at, 4 + random.below(60))]);
    for (at, bit) in bits.collect::<Vec<_>>() {
        let home = tempfile::tempdir().unwrap();
        copy(original.path(), home.path());
        let path = home.path().join(&journal);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at + usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
        fs::write(&path, bytes).unwrap();
        match Store::open(home.path(), Engine::Fjall, CACHE_BYTES) {
            Ok(store) => assert!(everything(&store) == records, "bit {bit} at {at}: other records"),
            Err(OpenError::Damaged { .. }) => refused += 1,
            Err(other) => panic!("bit {bit} at {at}: {other:?}"),
        }
    }
    assert!(refused > 150, "{refused}");
}
