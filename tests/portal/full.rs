//! 10,000 machines at once on a key for 5,000: exactly 5,000. It takes longer than the gate has, so it is run by hand:
//! `cargo test -p kms-tests --test portal -- --ignored --nocapture`.

use std::time::Instant;

use kms_portal::battery::crowd::crowd;
use kms_portal::battery::{Opened, World};

const MACHINES: usize = 10_000;
const PLACES: u64 = 5_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute"]
async fn on_sqlite_of_10_000_machines_at_once_5_000_get_the_5_000_places() {
    told("SQLite", crate::open::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute"]
async fn on_postgres_of_10_000_machines_at_once_5_000_get_the_5_000_places() {
    told("PostgreSQL", crate::open::postgres().await).await;
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn told(database: &str, opened: Option<Opened>) {
    let Some(opened) = opened else { return };
    let world = World::new(opened).await;
    let begun = Instant::now();
    let db = world.db.clone();
    crowd(world, &[db], MACHINES, PLACES).await;
    let took = begun.elapsed();
    let asks = 2 * MACHINES as u128 * 1000 / took.as_millis();
    println!(
        "{database}: {MACHINES} machines on a key for {PLACES}, each asks twice: {took:.1?}, {asks} asks a second"
    );
}
