//! Kills: a process that loads a store dies by SIGKILL at a random instant, and the store is opened at once.
//!
//! Under PostgreSQL, every second kill is that of the server itself. The kernel still writes what it was given, so this finds what an
//! engine keeps in its own memory too long. `power_cut` takes away what the kernel has and the disk has not.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use world::Postgres;

use crate::Plan;
use crate::clock::Stopwatch;
use crate::process::{Loaded, Loader};
use crate::subject::Subject;
use crate::verdict::{Fault, Tally};

/// A store is killed this often before the next kill begins a new one: young ones and old ones both have their say.
const KILLS_OF_A_STORE: u32 = 20;

/// Runs the plan to its end, however bad the findings are.
///
/// # Errors
/// The run could not be made, and has shown nothing.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<Tally> {
    let seed = plan.seed.unwrap_or_else(rand::random);
    println!("kill {}: {} kills, seed {seed}", plan.store.name(), plan.cycles);
    let watch = Stopwatch::start();
    let mut random = StdRng::seed_from_u64(seed);
    let mut tally = Tally::new(Fault::Kill, plan.store, seed);
    let mut server = (plan.store == Subject::Postgres).then(start_server).transpose()?;
    while tally.faults() < plan.cycles {
        let kills = KILLS_OF_A_STORE.min(plan.cycles - tally.faults());
        kill_one_store(plan, kills, &mut random, &mut tally, server.as_mut())?;
        println!("{}", tally.progress(plan.cycles));
    }
    ensure!(tally.acknowledged() > 0, "no batch was acknowledged, so nothing could be lost");
    tally.took = watch.elapsed();
    Ok(tally)
}

/// A server of this run's own.
fn start_server() -> anyhow::Result<Postgres> {
    match Postgres::missing() {
        Some(missing) => bail!("kills of PostgreSQL cannot run here: {missing}"),
        None => Postgres::start(&[]),
    }
}

fn kill_one_store(
    plan: &Plan,
    kills: u32,
    random: &mut StdRng,
    tally: &mut Tally,
    mut server: Option<&mut Postgres>,
) -> anyhow::Result<()> {
    let home = tempfile::Builder::new().prefix("kms-faults-").tempdir().context("make a directory")?;
    let directory = match &server {
        Some(server) => PathBuf::from(server.database()?),
        None => home.path().join("store"),
    };
    let what = Loaded { subject: plan.store, directory: &directory, seed: random.random() };
    let mut before = 0;
    for _ in 0..kills {
        let mut loader = Loader::start(what, plan.no_sync)?;
        for _ in 0..random.random_range(1..=plan.store.patience()) {
            loader.next()?;
        }
        thread::sleep(Duration::from_micros(random.random_range(0..3_000)));
        match &mut server {
            Some(server) => kill_with_server(&mut loader, server, what, random)?,
            None => loader.kill()?,
        }
        if plan.store == Subject::Sqlite {
            // The check reads it in several steps, between which a last write must not arrive.
            loader.wait()?;
        }
        // At once, while the kernel may still be taking the process apart.
        let found = what.check()?;
        let acknowledged = loader.in_the_end().max(before);
        match tally.add(before, acknowledged, &found) {
            Ok(last) => before = last,
            Err(wrong) => {
                println!("  kill {}: {wrong}", tally.faults());
                // What is damaged cannot be loaded on.
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Kills the loader, or the server under it. Returns once nothing of either is under way any more.
fn kill_with_server(
    loader: &mut Loader,
    server: &mut Postgres,
    what: Loaded<'_>,
    random: &mut StdRng,
) -> anyhow::Result<()> {
    if random.random() {
        server.crash()?;
        loader.kill()?;
        return server.restart();
    }
    loader.kill()?;
    // The server ends what the loader had begun, and may commit it.
    let url = what.directory.to_str().context("the URL is no text")?;
    server.run(url, ALONE)
}

/// Returns once nobody else is connected to the database.
const ALONE: &str = "DO $$ BEGIN \
     WHILE EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()) LOOP \
         PERFORM pg_sleep(0.01); PERFORM pg_stat_clear_snapshot(); \
     END LOOP; END $$";
