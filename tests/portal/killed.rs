//! What was acknowledged survives a SIGKILL: of the portal on SQLite, of the server under PostgreSQL.
//!
//! Seven tasks activate machines and say so once each is acknowledged. After some of them everything is killed, and opened again.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use kms_portal::battery::{Opened, World};
use kms_portal::db::{Db, ListedPlace};
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use shared::product_key::KeyNumber;
use tokio::sync::mpsc;
use world::Postgres;

use crate::open::SERVER;

/// The database of the process that is killed.
const KILLED: &str = "KMS_TEST_KILLED";
const TASKS: usize = 7;
const PLACES: u64 = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_portal_on_sqlite_has_acknowledged_survives_its_kill() {
    if let Some(file) = std::env::var_os(KILLED) {
        return activate_until_killed(Path::new(&file)).await;
    }
    let mut rng = seeded();
    for _ in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portal.db");
        Db::create_sqlite(&file).unwrap();
        let mut portal = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "killed::what_a_portal_on_sqlite_has_acknowledged_survives_its_kill",
                "--nocapture",
            ])
            .env(KILLED, &file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(portal.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut told = lines.filter_map(|line| line.strip_prefix("told ").map(str::to_owned));
        let key: KeyNumber = told.next().unwrap().parse().unwrap();
        let first: Vec<_> = told.by_ref().take(rng.random_range(1..300)).collect();
        portal.kill().unwrap();
        let acknowledged = first.into_iter().chain(told).collect();
        portal.wait().unwrap();
        check(&Db::open_sqlite(&file).await.unwrap(), key, acknowledged).await;
    }
}

async fn activate_until_killed(file: &Path) {
    let db = Db::open_sqlite(file).await.unwrap();
    let (key, mut acknowledged) = activate(db).await;
    println!("told {key}");
    while let Some(machine) = acknowledged.recv().await {
        println!("told {machine}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_on_postgres_survives_the_kill_of_the_server() {
    if SERVER.is_none() {
        return;
    }
    let mut rng = seeded();
    let mut server = Postgres::start(&[]).unwrap();
    for _ in 0..2 {
        let url = server.database().unwrap();
        let (key, mut told) = activate(Db::open_postgres(&url).await.unwrap()).await;
        let mut acknowledged = BTreeSet::new();
        for _ in 0..rng.random_range(1..300) {
            acknowledged.insert(told.recv().await.unwrap());
        }
        server.crash().unwrap();
        // Those that were under way end with an error, and then nobody tells anything any more.
        while let Some(machine) = told.recv().await {
            acknowledged.insert(machine);
        }
        server.restart().unwrap();
        check(&Db::open_postgres(&url).await.unwrap(), key, acknowledged).await;
    }
}

/// Activates machines, and tells which were acknowledged, until the database fails or the key is exhausted.
async fn activate(db: Db) -> (KeyNumber, mpsc::UnboundedReceiver<String>) {
    let world = Arc::new(World::new(Opened { db, keeps: Box::new(()) }).await);
    let key = Arc::new(world.machine_key(PLACES).await);
    let number = key.number();
    let (tell, told) = mpsc::unbounded_channel();
    for _ in 0..TASKS {
        let (world, key, tell) = (Arc::clone(&world), Arc::clone(&key), tell.clone());
        tokio::spawn(async move {
            loop {
                let machine = world.machine();
                let Ok(Ok(_)) = world.db.activate_machine(world.activation(&key, &machine)).await else {
                    break;
                };
                tell.send(machine.identity.public().machine().to_string()).unwrap();
            }
        });
    }
    (number, told)
}

async fn check(db: &Db, key: KeyNumber, acknowledged: BTreeSet<String>) {
    let places = db.places(key, None, u32::MAX).await.unwrap();
    let listed: BTreeSet<_> =
        places.iter().filter_map(ListedPlace::online).map(|place| place.holder.machine.to_string()).collect();
    let lost: Vec<_> = acknowledged.difference(&listed).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(listed.len() as u64 <= PLACES);
    // At most what was under way had no time to be acknowledged.
    assert!(listed.len() <= acknowledged.len() + TASKS, "{} of {}", acknowledged.len(), listed.len());
    assert!(db.miscounted().await.unwrap().is_empty());
}

fn seeded() -> StdRng {
    let seed =
        std::env::var("KMS_TEST_SEED").map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap());
    println!("KMS_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}
