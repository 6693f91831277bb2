//! A ledger of the first format: it is upgraded when it is opened, and a kill at any moment of that loses nothing.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use ledger::battery::world::{CACHE_BYTES, DAY, HOUR, OTHER_PRODUCT, PRODUCT, START, World, put_rows};
use shared::count;
use shared::ids::{Fingerprint, MachineId, Nonce, ProductId};
use shared::record::{Inactive, Record, RecordState, Tally, encode_number, key};
use store::{Engine, Store};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

on_every_engine! {
    a_ledger_of_the_first_format_opens_with_all_that_it_had
    a_ledger_that_is_only_looked_at_keeps_its_format
    numbers_that_an_upgrade_cut_short_has_left_are_not_believed
    a_process_killed_at_any_moment_of_the_upgrade_loses_nothing
}

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Machines of [`PRODUCT`]; some of each state, and more than two pages of them.
const MACHINES: u64 = 2400;

/// A row of a golden vector of `shared`: the bytes as the first format wrote them.
fn golden(vector: &str) -> (Vec<u8>, Vec<u8>) {
    let field = |name: &str| {
        let line = vector.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        data_encoding::HEXLOWER.decode(line.unwrap().as_bytes()).unwrap()
    };
    (field("key"), field("value"))
}

fn state(number: u64) -> RecordState {
    match number % 6 {
        0 => RecordState::Released,
        1 => RecordState::Replaced,
        2 if number % 12 == 2 => RecordState::Blocked,
        _ => RecordState::Active,
    }
}

/// What the first format kept of these machines.
fn first_format() -> Rows {
    let mut rows = Rows::from([
        golden(include_str!("../../shared/tests/vectors/meta.txt")),
        // A product of which nothing but this record is known.
        golden(include_str!("../../shared/tests/vectors/record-replaced.txt")),
    ]);
    let (mut hours, mut active) = (BTreeMap::new(), 0);
    for number in 0..MACHINES {
        let seen_at = START - u32::try_from(number % 50).unwrap() * HOUR;
        let record = Record {
            state: state(number),
            serial: number + 1,
            nonce: Nonce::from_bytes([1; 16]),
            asked_at: seen_at,
            seen_at,
            first_seen: START - DAY,
            licensed_until: None,
            fingerprint: Fingerprint::NONE,
        };
        let key = key::record(PRODUCT, machine(number));
        rows.insert(key.clone(), record.encode(&key));
        if record.state == RecordState::Active {
            *hours.entry(count::absolute_hour(seen_at, 3_600_000)).or_insert(0) += 1;
            active += 1;
        }
    }
    for (hour, machines) in hours {
        let key = key::hour(PRODUCT, hour);
        rows.insert(key.clone(), encode_number(&key, machines));
    }
    let hour = count::absolute_hour(START, 3_600_000);
    let tally = Tally { hour, window_hours: 720, total: active, active, threshold_met_at: Some(START) };
    let key = key::tally(PRODUCT);
    rows.insert(key.clone(), tally.encode(&key));
    let last_time = encode_number(key::LAST_TIME, START.unix_ms().cast_unsigned());
    rows.insert(key::LAST_TIME.to_vec(), last_time);
    rows
}

fn machine(number: u64) -> MachineId {
    MachineId::from_bytes(u128::from(number).to_be_bytes())
}

/// A directory with a ledger of the first format.
fn first_format_on(engine: Engine) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    put_rows(home.path(), engine, first_format().into_iter().collect());
    home
}

fn everything(engine: Engine, directory: &Path) -> Rows {
    let store = Store::open(directory, engine, CACHE_BYTES).unwrap();
    store.records(b"", None).map(Result::unwrap).collect()
}

fn open(engine: Engine, directory: &Path) -> World {
    World::over(ledger::open(directory, engine, CACHE_BYTES, &|_| {}).unwrap(), None)
}

/// Opens the ledger, upgrading it if need be, and looks at everything.
async fn check(engine: Engine, directory: &Path) {
    let world = open(engine, directory);
    let mut states: [u64; 4] = [0; 4];
    for number in 0..MACHINES {
        let place = match state(number) {
            RecordState::Active => 0,
            RecordState::Released => 1,
            RecordState::Replaced => 2,
            RecordState::Blocked => 3,
        };
        states[place] += 1;
    }
    assert_eq!((world.count().await, world.known().await), (states[0], states));
    assert_eq!((world.recount_of(PRODUCT).await.records, world.count_of(OTHER_PRODUCT).await), (MACHINES, 0));
    drop(world);

    let mut expected = first_format();
    let (meta, golden_meta) = golden(include_str!("../../shared/tests/vectors/meta-2.txt"));
    expected.insert(meta, golden_meta);
    let [_, released, replaced, blocked] = states;
    let of_golden =
        key::parse_record(&golden(include_str!("../../shared/tests/vectors/record-replaced.txt")).0);
    let (of_golden, _) = of_golden.unwrap();
    for (product, inactive) in [
        (PRODUCT, Inactive { released, replaced, blocked }),
        (of_golden, Inactive { replaced: 1, ..Inactive::default() }),
    ] {
        let key = key::inactive(product);
        expected.insert(key.clone(), inactive.encode(&key));
    }
    assert!(everything(engine, directory) == expected, "all rows are as they were, and two are new");
}

async fn a_ledger_of_the_first_format_opens_with_all_that_it_had(engine: Engine) {
    let home = first_format_on(engine);
    check(engine, home.path()).await;
    check(engine, home.path()).await;
}

async fn a_ledger_that_is_only_looked_at_keeps_its_format(engine: Engine) {
    let home = first_format_on(engine);
    let before = everything(engine, home.path());
    let (ledger, format) = ledger::look(home.path(), engine, CACHE_BYTES).unwrap();
    assert_eq!((format, ledger.last_time().await.unwrap()), (1, Some(START)));
    drop(ledger);
    assert!(everything(engine, home.path()) == before);
}

/// The release that knows only the first format may have run in between.
async fn numbers_that_an_upgrade_cut_short_has_left_are_not_believed(engine: Engine) {
    let home = first_format_on(engine);
    let left = |product: ProductId| {
        let key = key::inactive(product);
        let value = Inactive { released: 99, replaced: 99, blocked: 99 }.encode(&key);
        (key, value)
    };
    put_rows(home.path(), engine, vec![left(PRODUCT), left(OTHER_PRODUCT)]);
    let world = open(engine, home.path());
    assert_eq!(world.recount_of(PRODUCT).await.records, MACHINES);
    world.count().await;
    world.count_of(OTHER_PRODUCT).await;
}

async fn a_process_killed_at_any_moment_of_the_upgrade_loses_nothing(engine: Engine) {
    let mut told = Vec::new();
    for moment in 0.. {
        // Killed while it waits at this moment, and while it goes on from there.
        for goes_on in [false, true] {
            let home = first_format_on(engine);
            let mut upgrader = Upgrader::start(engine, home.path());
            for _ in 0..moment {
                upgrader.line().expect("it says what it said before");
                upgrader.go_on();
            }
            let Some(line) = upgrader.line() else {
                assert_eq!(told.len(), 7, "{told:#?}");
                return;
            };
            if goes_on {
                upgrader.go_on();
            }
            upgrader.child.kill().unwrap();
            upgrader.child.wait().unwrap();
            if !goes_on {
                let format = everything(engine, home.path())[key::META][0];
                let possible = match &line {
                    line if line.contains("the ledger is upgraded") => 2..=2,
                    // It may be in the buffers of the process only.
                    line if line.contains("the new format is written") => 1..=2,
                    _ => 1..=1,
                };
                assert!(possible.contains(&format), "format {format}: {line}");
                told.push(line);
            }
            check(engine, home.path()).await;
        }
    }
}

const DIRECTORY_VARIABLE: &str = "KMS_UPGRADE_DIRECTORY";
const ENGINE_VARIABLE: &str = "KMS_UPGRADE_ENGINE";

/// The child of the story: opens the ledger, and waits for its parent at each thing that the upgrade tells the log.
#[test]
#[ignore = "a role that another test starts in a second process"]
fn upgrader() {
    let (Some(directory), Ok(name)) = (env::var_os(DIRECTORY_VARIABLE), env::var(ENGINE_VARIABLE)) else {
        return;
    };
    let only_the_upgrade = Targets::new().with_target("kms_ledger::upgrade", LevelFilter::DEBUG);
    let to_parent = tracing_subscriber::fmt::layer().with_writer(|| Halting);
    tracing_subscriber::registry().with(only_the_upgrade).with(to_parent).init();
    ledger::open(Path::new(&directory), name.parse().unwrap(), CACHE_BYTES, &|_| {}).unwrap();
}

/// Writes a line, and returns when it may go on.
struct Halting;

impl Write for Halting {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(line)?;
        io::stdin().read_line(&mut String::new())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Upgrader {
    child: Child,
    lines: io::Lines<BufReader<ChildStderr>>,
}

impl Upgrader {
    fn start(engine: Engine, directory: &Path) -> Upgrader {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["upgraded::upgrader", "--exact", "--ignored", "--nocapture"])
            .env(DIRECTORY_VARIABLE, directory)
            .env(ENGINE_VARIABLE, engine.name())
            .stdin(Stdio::piped())
            // The test harness talks on stdout; stderr is the child's own.
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Upgrader { child, lines }
    }

    /// What it says next, `None` once it is done.
    fn line(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }

    fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }
}

impl Drop for Upgrader {
    fn drop(&mut self) {
        // After a failed assertion too, no child stays behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
