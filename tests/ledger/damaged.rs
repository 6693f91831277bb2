//! A ledger whose files are damaged: who is served all the same, what is saved, and how it is noticed that totals and records
//! disagree.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::battery::world::{
    CACHE_BYTES, HOUR, LEDGER, Machine, OTHER_PRODUCT, PRODUCT, START, World, hourly,
};
use ledger::testing;
use ledger::{Kept, Ledger, LedgerError, salvage};
use shared::ask::AskKind;
use shared::ids::MachineId;
use shared::inventory::Verb;
use shared::record::{Record, RecordState, key};
use store::{Batch, Engine, Store};

on_every_engine! {
    a_whole_ledger_is_salvaged_whole
    a_ledger_with_changed_bytes_gives_up_few_machines_and_makes_a_new_one
    a_ledger_that_has_lost_its_name_is_salvaged_under_another
    totals_are_checked_exactly_while_machines_ask
    an_older_row_that_came_back_is_noticed
}

const SEED_VARIABLE: &str = "KMS_LEDGER_SEED";

/// A ledger in a directory, in which machines have come, asked again, left, were blocked and forgotten.
async fn lived_in(engine: Engine, directory: &Path, machines: usize) -> World {
    let ledger = ledger::create(directory, engine, CACHE_BYTES, hourly()).unwrap();
    let mut world = World::over(ledger, None);
    let mut machines = Machine::some(machines);
    for _ in 0..6 {
        for some in machines.chunks_mut(25) {
            world.ask_together(some).await;
        }
        world.now = world.now + HOUR;
    }
    world.release_together(&mut machines[..5]).await;
    for (number, verb) in [(5, Verb::Block), (6, Verb::Forget)] {
        world.change(verb, &machines[number]).await;
    }
    world.ask(&mut Machine::of(OTHER_PRODUCT)).await;
    world
}

/// Every row that makes another ledger of this one, as text.
async fn rows(ledger: &dyn Ledger) -> BTreeMap<Vec<u8>, String> {
    let page = ledger.kept(None, usize::MAX).await.unwrap();
    assert_eq!(page.damaged, 0);
    as_text(&page.rows)
}

fn as_text(rows: &[Kept]) -> BTreeMap<Vec<u8>, String> {
    rows.iter().map(|kept| (kept.key(), format!("{kept:?}"))).collect()
}

async fn a_whole_ledger_is_salvaged_whole(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    drop(lived_in(engine, home.path(), 400).await);

    let salvaged = salvage(home.path()).unwrap();

    let ledger = ledger::open(home.path(), engine, CACHE_BYTES, &|_| {}).unwrap();
    let (found, kept) = (as_text(&salvaged.rows), rows(&*ledger).await);
    assert!(found == kept, "{} rows of {}", found.len(), kept.len());
    assert_eq!(salvaged.missing, 0);
    let meta = salvaged.meta.unwrap();
    assert_eq!((meta.ledger, meta.pepper), (LEDGER, [9; 32]));
}

/// SplitMix64: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
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

/// The files in which rows are.
fn large_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(large_files(&path));
        } else if entry.metadata().unwrap().len() > 4096 {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Three flipped bytes cost a whole ledger on sled: no record was lost but those in them, and no command gave out the others.
async fn a_ledger_with_changed_bytes_gives_up_few_machines_and_makes_a_new_one(engine: Engine) {
    const MACHINES: usize = 400;
    let seed = env::var(SEED_VARIABLE)
        .map_or_else(|_| RandomState::new().hash_one("seed"), |seed| seed.parse().unwrap());
    println!("{SEED_VARIABLE}={seed}");
    let mut random = Random(seed);
    let original = tempfile::tempdir().unwrap();
    let path = original.path().join("ledger");
    drop(lived_in(engine, &path, MACHINES).await);
    let whole = as_text(&salvage(&path).unwrap().rows);
    for round in 0..20 {
        let home = tempfile::tempdir().unwrap();
        let damaged = home.path().join("ledger");
        copy(&path, &damaged);
        for _ in 0..3 {
            let files = large_files(&damaged);
            let file = &files[random.below(files.len())];
            let mut bytes = fs::read(file).unwrap();
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
            bytes[random.below(used)] ^= 1 << random.below(8);
            fs::write(file, bytes).unwrap();
        }

        let salvaged = salvage(&damaged).unwrap();

        let found = as_text(&salvaged.rows);
        let newest = whole.iter().filter(|(key, row)| found.get(*key) == Some(row)).count();
        assert!(whole.len() <= newest + 120, "round {round}: {newest} of {}", whole.len());
        assert!(
            found.keys().all(|key| whole.contains_key(key) || key::parse_record(key).is_some()),
            "round {round}"
        );
        let again = home.path().join("again");
        let mut left = salvaged.rows.iter();
        let meta = salvaged.meta.unwrap_or_else(hourly);
        ledger::rebuild(&again, engine, CACHE_BYTES, &meta, || anyhow::Ok(left.next().copied())).unwrap();
        let ledger = ledger::open(&again, engine, CACHE_BYTES, &|_| {}).unwrap();
        assert_eq!(ledger.recheck().await.unwrap(), [], "round {round}");
    }
}

async fn a_ledger_that_has_lost_its_name_is_salvaged_under_another(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    drop(lived_in(engine, home.path(), 50).await);
    // Wherever the files say which ledger it is, they say nothing now.
    for file in large_files(home.path()) {
        let mut bytes = fs::read(&file).unwrap();
        let found: Vec<_> = bytes
            .windows(16)
            .enumerate()
            .filter(|(_, id)| *id == LEDGER.as_bytes())
            .map(|(at, _)| at)
            .collect();
        for at in found {
            bytes[at] ^= 1;
        }
        fs::write(&file, bytes).unwrap();
    }

    let salvaged = salvage(home.path()).unwrap();

    assert!(salvaged.meta.is_none());
    let machines = salvaged.rows.iter().filter(|kept| matches!(kept, Kept::Machine { .. })).count();
    assert!(40 <= machines, "{machines}");
}

async fn totals_are_checked_exactly_while_machines_ask(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    // Made first, so that a walk has passed them soon.
    let mut machines = Machine::some(300);
    let mut world = lived_in(engine, home.path(), 2_000).await;
    let (ledger, done) = (Arc::clone(&world.ledger), Arc::new(AtomicBool::new(false)));
    let asked = Arc::clone(&done);
    let checking = tokio::spawn(async move {
        while !asked.load(Ordering::Relaxed) {
            assert_eq!(ledger.recheck().await.unwrap(), []);
        }
    });
    for _ in 0..6 {
        world.now = world.now + HOUR;
        for some in machines.chunks_mut(50) {
            world.ask_together(some).await;
        }
        world.release_together(&mut machines[..10]).await;
        world.change(Verb::Block, &machines[20]).await;
        world.change(Verb::Unblock, &machines[20]).await;
        world.change(Verb::Forget, &machines[30]).await;
        machines[30] = Machine::new();
    }
    done.store(true, Ordering::Relaxed);
    checking.await.unwrap();
}

async fn an_older_row_that_came_back_is_noticed(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let machine = {
        let world = lived_in(engine, home.path(), 300).await;
        let machine = Machine::new();
        world.apply(world.sighting(&machine, AskKind::Activate)).await;
        machine
    };
    // What a bit in a journal did: the record of another hour, with a checksum that is right.
    let store = Store::open(home.path(), engine, CACHE_BYTES).unwrap();
    let key = key::record(PRODUCT, machine.id);
    let mut record = Record::decode(&key, &store.get(&key).unwrap().unwrap()).unwrap();
    record.seen_at = record.seen_at - HOUR;
    let mut batch = Batch::new();
    batch.put(key.clone(), record.encode(&key));
    store.write(batch).unwrap();
    store.sync().unwrap();
    drop(store);

    let ledger = ledger::open(home.path(), engine, CACHE_BYTES, &|_| {}).unwrap();
    let found = ledger.recheck().await.unwrap();
    assert_eq!(
        found.iter().map(|found| (found.product, found.others)).collect::<Vec<_>>(),
        [(PRODUCT, true)]
    );
    assert_eq!(found[0].active, found[0].active_found);
}

/// fjall alone: what it has folded into tables is read page by page. On sled a damaged page is found when the log is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_on_a_damaged_page_is_told_and_all_others_are_served() {
    const MACHINES: u32 = 150_000;
    let home = tempfile::tempdir().unwrap();
    let id = |number: u32| {
        MachineId::from_bytes([&number.to_be_bytes()[..], &[7; 12]].concat().try_into().unwrap())
    };
    let record = Record {
        state: RecordState::Active,
        serial: 1,
        nonce: Machine::new().nonce,
        asked_at: START,
        seen_at: START,
        first_seen: START,
        licensed_until: None,
        fingerprint: Machine::new().fingerprint,
    };
    let machine = |number| Kept::Machine { product: PRODUCT, machine: id(number), record };
    let product = Kept::Product { product: PRODUCT, threshold_met_at: None };
    let mut rows = (0..MACHINES).map(machine).chain([product]);
    ledger::rebuild(home.path(), Engine::Fjall, CACHE_BYTES, &hourly(), || anyhow::Ok(rows.next())).unwrap();
    let tables = large_files(&home.path().join("fjall/keyspaces/1/tables"));
    let table = tables.first().expect("it has tables");
    let mut bytes = fs::read(table).unwrap();
    // In its first block, among the first machines.
    bytes[600] ^= 1;
    fs::write(table, bytes).unwrap();

    let world = World::over(ledger::open(home.path(), Engine::Fjall, CACHE_BYTES, &|_| {}).unwrap(), None);
    assert!(world.ledger.damage().is_none());
    let on_it = Machine { id: id(3), ..Machine::new() };
    let refused =
        testing::sight(&*world.ledger, vec![world.sighting(&on_it, AskKind::Activate)]).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Unreadable { .. }) && !refused.is_fatal(), "{refused}");
    assert!(world.ledger.damage().is_some());

    world.ask(&mut Machine { id: id(90_000), ..Machine::new() }).await;
    world.ask(&mut Machine { id: id(MACHINES + 7), ..Machine::new() }).await;
    let listed = world.ledger.kept(None, usize::MAX).await;
    assert!(
        matches!(listed, Err(LedgerError::Unreadable { .. })),
        "an export says so: {:?}",
        listed.map(|page| page.rows.len())
    );
    drop(world);

    let salvaged = salvage(home.path()).unwrap();
    let machines: Vec<_> = salvaged.rows.iter().filter(|kept| matches!(kept, Kept::Machine { .. })).collect();
    assert!((MACHINES as usize..=MACHINES as usize + 1).contains(&machines.len()), "{}", machines.len());
}
