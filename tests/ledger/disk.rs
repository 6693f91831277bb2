//! What only a ledger on disk can show: that it is made once, opens again, and loses nothing that it has answered.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use ledger::battery::world::{
    CACHE_BYTES, HOUR, LEDGER, Machine, PRODUCT, START, World, hourly, meta, put_rows,
};
use ledger::testing;
use ledger::{Ledger, OpenError};
use shared::ask::AskKind;
use shared::count::Terms;
use shared::record::key;
use store::{Engine, Store};

on_every_engine! {
    it_opens_as_it_was_left
    a_ledger_is_made_once
    a_store_that_was_made_and_never_filled_is_no_ledger_yet
    a_newer_or_damaged_ledger_is_refused_by_name
    a_batch_of_any_size_is_committed_in_pieces
    no_reading_sees_half_of_a_write
    a_killed_process_loses_nothing_that_it_has_answered
}

fn create(engine: Engine, directory: &Path) -> World {
    World::over(ledger::create(directory, engine, CACHE_BYTES, hourly()).unwrap(), None)
}

fn open(engine: Engine, directory: &Path) -> World {
    World::over(ledger::open(directory, engine, CACHE_BYTES, &|_| {}).unwrap(), None)
}

fn refusal(opened: Result<Arc<dyn Ledger>, OpenError>) -> String {
    let error = opened.err().expect("it is refused");
    format!("{error}; {}", error.remedy())
}

async fn it_opens_as_it_was_left(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let mut machines = Machine::some(3);
    {
        let world = create(engine, home.path());
        world.ask_together(&mut machines).await;
        world.release(&mut machines[2]).await;
    }
    let world = open(engine, home.path());
    assert_eq!((world.ledger.meta().ledger, world.ledger.meta().pepper), (LEDGER, [9; 32]));
    assert_eq!(world.ledger.last_time().await.unwrap(), Some(START));
    assert_eq!(world.count().await, 2);
    assert_eq!(world.ask(&mut machines[0]).await, "waiting 2 of 2");
}

async fn a_ledger_is_made_once(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let told = refusal(ledger::open(&home.path().join("none"), engine, CACHE_BYTES, &|_| {}));
    assert!(told.contains("`kms-host init`"), "{told}");
    assert!(!home.path().join("none").exists(), "looking for one does not make one");
    // What a host writes as it ends, in a directory whose ledger somebody has removed.
    std::fs::write(home.path().join("closed"), "").unwrap();
    let told = refusal(ledger::open(home.path(), engine, CACHE_BYTES, &|_| {}));
    assert!(told.contains("`kms-host init`"), "{told}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "nothing was made");

    ledger::create(home.path(), engine, CACHE_BYTES, hourly()).unwrap();

    let told = refusal(ledger::create(home.path(), engine, CACHE_BYTES, meta(100)));
    assert!(told.contains("already"), "{told}");
    let kept = ledger::open(home.path(), engine, CACHE_BYTES, &|_| {}).unwrap();
    assert_eq!(hour_width_ms(&*kept), 3_600_000, "and it was left as it is");
}

fn hour_width_ms(ledger: &dyn Ledger) -> u64 {
    ledger.meta().hour_width_ms
}

async fn a_store_that_was_made_and_never_filled_is_no_ledger_yet(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    drop(Store::open(home.path(), engine, CACHE_BYTES).unwrap());
    let told = refusal(ledger::open(home.path(), engine, CACHE_BYTES, &|_| {}));
    assert!(told.contains("`kms-host init`"), "{told}");
    ledger::create(home.path(), engine, CACHE_BYTES, hourly()).unwrap();
}

async fn a_newer_or_damaged_ledger_is_refused_by_name(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    drop(ledger::create(home.path(), engine, CACHE_BYTES, hourly()).unwrap());
    let whole = hourly().encode(key::META);

    let mut newer = whole.clone();
    newer[0] = 3;
    put_rows(home.path(), engine, vec![(key::META.to_vec(), newer)]);
    let told = refusal(ledger::open(home.path(), engine, CACHE_BYTES, &|_| {}));
    assert!(told.contains("format 3 and this release reads 2"), "{told}");

    let mut damaged = whole;
    damaged[5] ^= 1;
    put_rows(home.path(), engine, vec![(key::META.to_vec(), damaged)]);
    let told = refusal(ledger::open(home.path(), engine, CACHE_BYTES, &|_| {}));
    assert!(told.contains("damaged") && told.contains("backup"), "{told}");
    assert!(told.contains(home.path().to_str().unwrap()), "{told}");
}

/// A thousand machines, each last seen in an hour of its own, change two thousand rows and more: the store takes 256 at
/// a time.
async fn a_batch_of_any_size_is_committed_in_pieces(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let mut machines = Machine::some(1000);
    {
        let mut world = create(engine, home.path());
        world.terms.count_window = 2000 * HOUR;
        ask_hour_by_hour(&mut world, &mut machines).await;
        world.now = world.now + HOUR;
        let told = world.ask_together(&mut machines).await;
        assert_eq!((told.len(), told[999].as_str()), (1000, "lease 2 of 1000"));
    }
    let mut world = open(engine, home.path());
    world.terms.count_window = 2000 * HOUR;
    world.now = START + 1001 * HOUR;
    assert_eq!(world.count().await, 1000);
    world.terms.count_window = HOUR;
    assert_eq!(world.count().await, 1000, "all in the hour in which they asked together");
}

/// Machines, each in an hour of its own, go on to later hours while somebody reads: a reading in between would miss
/// some, or see them twice.
async fn no_reading_sees_half_of_a_write(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let mut world = create(engine, home.path());
    let mut machines = Machine::some(60);
    ask_hour_by_hour(&mut world, &mut machines).await;
    let (ledger, terms) = (Arc::clone(&world.ledger), world.terms);
    let moving = tokio::spawn(async move {
        for _ in 0..60 {
            ask_hour_by_hour(&mut world, &mut machines).await;
        }
    });
    // Another window than the one that is kept: every reading is summed from all hours.
    let another_window = Terms { count_window: terms.count_window + HOUR, ..terms };
    while !moving.is_finished() {
        let tally = ledger.reading(PRODUCT, &another_window, START).await.unwrap().tally;
        assert_eq!((tally.active, tally.total), (60, 60));
    }
    moving.await.unwrap();
}

/// All in one batch, an hour apart.
async fn ask_hour_by_hour(world: &mut World, machines: &mut [Machine]) {
    let mut sightings = Vec::new();
    for machine in &*machines {
        world.now = world.now + HOUR;
        sightings.push(world.sighting(machine, AskKind::Activate));
    }
    let outcomes = testing::sight(&*world.ledger, sightings).await.unwrap();
    for (machine, outcome) in machines.iter_mut().zip(&outcomes) {
        machine.hear(outcome);
    }
}

async fn a_killed_process_loses_nothing_that_it_has_answered(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    drop(create(engine, home.path()));
    let mut answered = 0;
    for batches in [1, 4, 9] {
        let mut loader = Loader::start(engine, home.path());
        for _ in 0..batches {
            answered = loader.answered().expect("the loader is alive");
        }
        // Somewhere in the next batch.
        loader.child.kill().unwrap();
        while let Some(more) = loader.answered() {
            answered = more;
        }
        let world = open(engine, home.path());
        let recount = world.recount_of(PRODUCT).await;
        let count = world.count().await;
        assert!(answered <= count, "{answered} answered, {count} counted");
        assert!(count <= answered + LOAD as u64, "{answered} answered, {count} counted");
        assert_eq!(recount.records, count, "every record whole, and counted");
    }
}

/// More than one write of the store.
const LOAD: usize = 600;
const DIRECTORY_VARIABLE: &str = "KMS_LEDGER_DIRECTORY";
const ENGINE_VARIABLE: &str = "KMS_LEDGER_ENGINE";

/// The child of the story: enters new machines until it is killed, and says how many it has answered.
#[tokio::test]
#[ignore = "a role that another test starts in a second process"]
async fn loader() {
    let (Some(directory), Ok(name)) = (env::var_os(DIRECTORY_VARIABLE), env::var(ENGINE_VARIABLE)) else {
        return;
    };
    let world = open(name.parse().unwrap(), Path::new(&directory));
    loop {
        let mut machines = Machine::some(LOAD);
        for machine in &mut machines {
            // Numbers of this process are not enough: the machines of the last one are still there.
            machine.id = shared::ids::MachineId::from_bytes(rand::random());
        }
        world.ask_together(&mut machines).await;
        eprintln!("{}", world.ledger.reading(PRODUCT, &world.terms, START).await.unwrap().tally.total);
    }
}

struct Loader {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl Loader {
    fn start(engine: Engine, directory: &Path) -> Loader {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["disk::loader", "--exact", "--ignored", "--nocapture"])
            .env(DIRECTORY_VARIABLE, directory)
            .env(ENGINE_VARIABLE, engine.name())
            // The test harness talks on stdout; stderr is the child's own.
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Loader { child, lines }
    }

    /// How many machines it has answered, `None` once it is gone.
    fn answered(&mut self) -> Option<u64> {
        let line = self.lines.next()?.unwrap();
        Some(line.parse().expect("a number of machines"))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // After a failed assertion too, no child stays behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
