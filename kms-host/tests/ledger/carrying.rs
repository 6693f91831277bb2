//! A ledger carried to another one: row for row the same, and what counts added up anew. docs/export.md.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use kms_host::export::{
    self, CheckedLine, Checker, ExportFault, ExportFile, ExportKind, ExportReader, ExportWriter, Head,
};
use ledger::testing::MemoryLedger;
use ledger::{Kept, LedgerError, OpenError, OutOfOrder, Rebuild};
use shared::answer::ShownLease;
use shared::ids::HostId;
use shared::inventory::Verb;
use shared::record::{Record, key};
use store::Engine;
use tokio::sync::mpsc;

use ledger::battery::world::{
    Backend, CACHE_BYTES, DAY, HOUR, LEDGER, Machine, OTHER_PRODUCT, PRODUCT, START, World, hourly, put_rows,
};

on_every_ledger! {
    on_any_other_ledger_everything_is_as_it_was
    what_was_written_between_two_pages_is_whole_and_counted
    an_empty_ledger_is_carried_too
}

const EVERY_BACKEND: [Backend; 3] = [Backend::Memory, Backend::On(Engine::Sled), Backend::On(Engine::Fjall)];

/// The export of a ledger.
async fn exported(world: &World) -> Vec<u8> {
    let (to, mut parts) = mpsc::channel::<Result<Bytes, LedgerError>>(1);
    let head = Head::new(ExportKind::Export, START, Some(HostId::from_bytes([3; 16])), *world.ledger.meta());
    tokio::spawn(export::send(world.ledger.clone(), head, to));
    let mut lines = Vec::new();
    while let Some(part) = parts.recv().await {
        lines.extend_from_slice(&part.unwrap());
    }
    lines
}

/// Only what is of the ledger: not when it was written, and by whom.
fn rows(lines: &[u8]) -> Vec<&str> {
    let mut lines: Vec<_> = str::from_utf8(lines).unwrap().lines().collect();
    lines.remove(0);
    lines.pop();
    lines
}

/// Another ledger, on this backend, made of an export.
fn carried(lines: &[u8], backend: Backend) -> World {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("export");
    std::fs::write(&file, lines).unwrap();
    let (head, mut file) = ExportFile::open(&file).unwrap().read().unwrap();
    match backend {
        Backend::Memory => {
            let mut rebuild = Rebuild::new(&head.meta);
            let mut rows = Vec::new();
            while let Some(kept) = next_row(&mut file).unwrap() {
                rows.extend(rebuild.take(&kept).unwrap());
            }
            rows.extend(rebuild.finish());
            World::over(Arc::new(MemoryLedger::with_rows(head.meta, rows)), None)
        }
        Backend::On(engine) => {
            let path = home.path().join("ledger");
            let rows = || next_row(&mut file);
            ledger::rebuild(&path, engine, CACHE_BYTES, &head.meta, rows).unwrap();
            let ledger = ledger::open(&path, engine, CACHE_BYTES, &|_| {}).unwrap();
            World::over(ledger, Some(home))
        }
        other => panic!("no export is carried to {other:?}"),
    }
}

fn next_row(file: &mut ExportReader) -> anyhow::Result<Option<Kept>> {
    loop {
        match file.read()? {
            Some(CheckedLine::Row(kept)) => return Ok(Some(kept)),
            Some(_) => {}
            None => return Ok(None),
        }
    }
}

/// A ledger in which everything has happened that leaves a row: two products, machines in every state and with a history,
/// some that left the window, asks without state, a threshold that was met, and leases from a past that was lost.
async fn lived_in(backend: Backend) -> (World, Vec<Machine>) {
    let mut world = World::new(backend);
    world.terms.threshold = 5;
    let mut old = Machine::some(4);
    world.ask_together(&mut old).await;
    world.now = world.now + 40 * DAY;
    let mut machines = Machine::some(20);
    machines.extend((0..3).map(|_| Machine::of(OTHER_PRODUCT)));
    for machine in &mut machines {
        world.now = world.now + HOUR;
        world.ask(machine).await;
    }
    world.release(&mut machines[0]).await;
    let mut copy = machines[1].copied();
    world.ask(&mut machines[1]).await;
    world.now = world.now + HOUR;
    assert_eq!(world.ask(&mut copy).await, "refused COPIED");
    world.ask(&mut copy.rekeyed()).await;
    assert_eq!(world.change(Verb::Block, &machines[3]).await, "done, it was active");
    world.ask(&mut Machine { kept: false, ..Machine::new() }).await;
    let ahead = ShownLease {
        machine: machines[2].id,
        ledger: LEDGER,
        serial: machines[2].serial + 9,
        threshold_met_at: world.now,
        issued_at: world.now,
    };
    let mut from_the_future = Machine { lease: Some(ahead), serial: ahead.serial, ..machines[2].clone() };
    assert!(world.ask(&mut from_the_future).await.ends_with("behind"));
    machines[2] = from_the_future;
    (world, machines)
}

async fn on_any_other_ledger_everything_is_as_it_was(backend: Backend) {
    let (world, machines) = lived_in(backend).await;
    let lines = exported(&world).await;
    for other in EVERY_BACKEND {
        let mut there = carried(&lines, other);
        (there.now, there.terms) = (world.now, world.terms);
        assert_eq!(rows(&exported(&there).await), rows(&lines), "{other:?}");
        let (meta, ours) = (there.ledger.meta(), world.ledger.meta());
        assert_eq!(
            (meta.ledger, meta.hour_width_ms, meta.pepper),
            (ours.ledger, ours.hour_width_ms, ours.pepper)
        );
        for product in [PRODUCT, OTHER_PRODUCT] {
            // Both agree with a recount of their own.
            assert_eq!(there.count_of(product).await, world.count_of(product).await, "{other:?}");
            let reading =
                async |world: &World| world.ledger.reading(product, &world.terms, world.now).await.unwrap();
            let (there, here) = (reading(&there).await, reading(&world).await);
            assert_eq!(
                (there.at, there.tally, there.unkept_today, there.inactive),
                (here.at, here.tally, here.unkept_today, here.inactive)
            );
        }
        let history = async |world: &World| world.ledger.history(PRODUCT, machines[1].id).await.unwrap();
        assert_eq!(history(&there).await, history(&world).await);
        assert_eq!(there.ledger.restored().await.unwrap(), world.ledger.restored().await.unwrap());
        // And life goes on where it was.
        let mut machine = machines[5].clone();
        assert_eq!(there.ask(&mut machine).await, format!("lease {} of 18", machines[5].serial + 1));
    }
}

/// The hand-over of each page waits for whoever takes it, and meanwhile the ledger goes on.
async fn what_was_written_between_two_pages_is_whole_and_counted(backend: Backend) {
    let mut world = World::new(backend);
    let mut machines = Machine::some(700);
    world.ask_together(&mut machines).await;
    let (to, mut parts) = mpsc::channel(1);
    let head = Head::new(ExportKind::Export, START, None, *world.ledger.meta());
    tokio::spawn(export::send(world.ledger.clone(), head, to));
    let mut lines = Vec::new();
    while let Some(part) = parts.recv().await {
        lines.extend_from_slice(&part.unwrap());
        world.now = world.now + HOUR;
        world.ask_together(&mut machines).await;
    }
    for other in EVERY_BACKEND {
        let mut there = carried(&lines, other);
        there.now = world.now;
        assert_eq!(there.count().await, 700, "{other:?}: everybody, each once");
        let last = there.ledger.last_time().await.unwrap().unwrap();
        let seen = async |machine| there.seen_at(machine).await;
        for machine in machines.iter().step_by(100) {
            assert!(seen(machine).await <= last, "no record is later than the ledger");
        }
    }
}

async fn an_empty_ledger_is_carried_too(backend: Backend) {
    let world = World::new(backend);
    let lines = exported(&world).await;
    assert_eq!(rows(&lines), Vec::<&str>::new());
    let there = carried(&lines, backend);
    assert_eq!(there.ledger.last_time().await.unwrap(), None);
    assert_eq!(there.ask(&mut Machine::new()).await, "waiting 1 of 1");
}

/// What is read of an export: its rows, or the first fault.
fn read(lines: &[u8]) -> Result<u64, ExportFault> {
    let mut checker = Checker::default();
    let mut rows = 0;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        rows += u64::from(matches!(checker.take(line)?, CheckedLine::Row(_)));
    }
    checker.finish().map(|()| rows)
}

/// An export with a few rows of every kind, sealed: short, since every byte of it is tried.
async fn short() -> Vec<u8> {
    let (world, _) = lived_in(Backend::Memory).await;
    let lines = exported(&world).await;
    let (mut checker, mut kinds) = (Checker::default(), Vec::new());
    let mut writer = None;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        match checker.take(line).unwrap() {
            CheckedLine::Head(head) => writer = Some(ExportWriter::begin(&head)),
            CheckedLine::Row(kept) => {
                let kind = std::mem::discriminant(&kept);
                kinds.push(kind);
                if kinds.iter().filter(|known| **known == kind).count() < 3 {
                    writer.as_mut().unwrap().line(line);
                }
            }
            CheckedLine::File(_) | CheckedLine::End(_) => {}
        }
    }
    writer.unwrap().end()
}

#[tokio::test]
async fn a_bit_that_is_flipped_anywhere_is_found() {
    let mut lines = short().await;
    assert_eq!(read(&lines), Ok(10), "of every kind");
    for at in 0..lines.len() {
        let bit = 1 << (at % 8);
        lines[at] ^= bit;
        let fault = read(&lines).expect_err("every bit is under a seal");
        assert!(
            !matches!(fault, ExportFault::Newer { .. }),
            "byte {at}: nobody is sent for another release: {fault}"
        );
        lines[at] ^= bit;
    }
    read(&lines).unwrap();
}

#[tokio::test]
async fn an_end_that_is_cut_off_anywhere_is_missed() {
    let lines = short().await;
    for length in 0..lines.len() {
        let fault = read(&lines[..length]).expect_err("it has no end");
        assert!(matches!(fault, ExportFault::Cut { .. } | ExportFault::NotExport), "{length} bytes: {fault}");
    }
    let longer = [&lines[..], b"\n"].concat();
    assert!(matches!(read(&longer), Err(ExportFault::Damaged { .. })), "nor may anything follow it");
}

/// Each line has a sum of its own, so only the seal of the whole can tell.
#[tokio::test]
async fn lines_that_are_missing_doubled_or_exchanged_are_missed() {
    let (world, _) = lived_in(Backend::Memory).await;
    let lines = exported(&world).await;
    let lines: Vec<_> = lines.split_inclusive(|byte| *byte == b'\n').collect();
    let without = [&lines[..7], &lines[8..]].concat().concat();
    let doubled = [&lines[..7], &lines[6..]].concat().concat();
    let mut exchanged = lines.clone();
    exchanged.swap(7, 9);
    for spoilt in [without, doubled, exchanged.concat()] {
        let last = u64::try_from(spoilt.split_inclusive(|byte| *byte == b'\n').count()).unwrap();
        assert_eq!(read(&spoilt), Err(ExportFault::Damaged { line: last }));
    }
}

#[test]
fn what_is_no_export_and_what_a_later_release_wrote_are_told_apart() {
    for noise in ["", "noise", "noise\n", "{\"machines\": []}\n"] {
        assert_eq!(read(noise.as_bytes()), Err(ExportFault::NotExport), "{noise:?}");
    }
    // As a later release may write it: the same magic and the same sum, and fields that nobody knows here.
    let body = r#"{"kms_host_export":{"format":2,"colour":"red"}"#;
    let line = format!("{body},\"sum\":\"17d549b0e2927fa8\"}}\n");
    assert_eq!(read(line.as_bytes()), Err(ExportFault::Newer { found: 2 }));
}

/// Format 1, to be read by every later release: `tests/vectors/export-1.jsonl`.
#[tokio::test]
async fn the_golden_export_is_read_for_ever() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/export-1.jsonl");
    if std::env::var_os("KMS_REGENERATE").is_some() && !path.exists() {
        let (world, _) = lived_in(Backend::Memory).await;
        std::fs::write(&path, exported(&world).await).unwrap();
    }
    let lines = std::fs::read(&path).unwrap();
    let world = carried(&lines, Backend::Memory);
    assert_eq!(rows(&exported(&world).await), rows(&lines));
    assert_eq!(world.recount_of(PRODUCT).await.records, 25);
}

/// A store that was damaged in places is carried to a sound one, without the places.
#[tokio::test]
async fn damaged_rows_are_left_out_and_told() {
    let home = tempfile::tempdir().unwrap();
    let mut machines = Machine::some(30);
    {
        let ledger = ledger::create(home.path(), Engine::Sled, CACHE_BYTES, hourly()).unwrap();
        World::over(ledger, None).ask_together(&mut machines).await;
    }
    let spoilt = |key: Vec<u8>| (key, b"not what was written".to_vec());
    let rows = vec![
        spoilt(key::record(PRODUCT, machines[3].id)),
        spoilt(key::tally(PRODUCT)),
        spoilt(key::LAST_TIME.to_vec()),
    ];
    put_rows(home.path(), Engine::Sled, rows);
    let ledger = ledger::open(home.path(), Engine::Sled, CACHE_BYTES, &|_| {}).unwrap();
    let lines = exported(&World::over(ledger, None)).await;

    let last = str::from_utf8(&lines).unwrap().lines().last().unwrap();
    assert!(last.contains(r#""left_out":3"#), "{last}");
    let there = carried(&lines, Backend::On(Engine::Fjall));
    assert_eq!(there.count().await, 29);
    assert_eq!(there.ledger.last_time().await.unwrap(), Some(START), "the latest sighting");
    assert_eq!(there.ask(&mut machines[3]).await, "lease 2 of 30", "it is entered anew");
}

/// Whoever puts lines together has to seal them too; then only their order is left to be wrong.
#[test]
fn rows_that_come_twice_make_no_ledger() {
    let home = tempfile::tempdir().unwrap();
    let machine = Machine::new();
    let record = Record {
        state: shared::record::RecordState::Active,
        serial: 1,
        nonce: machine.nonce,
        asked_at: START,
        seen_at: START,
        first_seen: START,
        licensed_until: None,
        fingerprint: machine.fingerprint,
    };
    let kept = Kept::Machine { product: PRODUCT, machine: machine.id, record };
    let mut twice = [kept, kept].into_iter();
    let path = home.path().join("ledger");
    let made =
        ledger::rebuild(&path, Engine::Sled, CACHE_BYTES, &hourly(), || Ok::<_, anyhow::Error>(twice.next()));
    assert!(made.unwrap_err().is::<OutOfOrder>());
    let opened = ledger::open(&path, Engine::Sled, CACHE_BYTES, &|_| {});
    assert!(matches!(opened, Err(OpenError::Missing { .. } | OpenError::Damaged { .. })), "it is no ledger");
}
