//! 10,000 machines at once on a key for 5,000: exactly 5,000. It takes longer than the gate has, so it is run by hand:
//! `cargo test -p kms-tests --test portal -- --ignored --nocapture`.

use std::time::Instant;

use kms_portal::battery::crowd::crowd;
use kms_portal::battery::{Opened, World};
use kms_portal::db::Db;

use crate::open::SERVER;

const MACHINES: usize = 10_000;
const PLACES: u64 = 5_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute"]
async fn on_sqlite_of_10_000_machines_at_once_5_000_get_the_5_000_places() {
    if let Some(opened) = crate::open::sqlite().await {
        let portals = [opened.db.clone()];
        told("SQLite", opened, &portals).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute"]
async fn on_postgres_of_10_000_machines_at_once_5_000_get_the_5_000_places() {
    if let Some(opened) = crate::open::postgres().await {
        let portals = [opened.db.clone()];
        told("PostgreSQL", opened, &portals).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute"]
async fn on_two_portals_of_one_postgres_of_10_000_machines_at_once_5_000_get_the_5_000_places() {
    let Some(server) = SERVER.as_ref() else { return };
    let url = server.database().unwrap();
    let portals = [Db::open_postgres(&url).await.unwrap(), Db::open_postgres(&url).await.unwrap()];
    let opened = Opened { db: portals[0].clone(), keeps: Box::new(()) };
    told("two portals on one PostgreSQL", opened, &portals).await;
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn told(database: &str, opened: Opened, portals: &[Db]) {
    let world = World::new(opened).await;
    let begun = Instant::now();
    crowd(world, portals, MACHINES, PLACES).await;
    let took = begun.elapsed();
    let asks = 2 * MACHINES as u128 * 1000 / took.as_millis();
    println!(
        "{database}: {MACHINES} machines on a key for {PLACES}, each asks twice: {took:.1?}, {asks} asks a second"
    );
}
