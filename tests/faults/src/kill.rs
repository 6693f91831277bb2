//! Kills: a process that loads a store dies by SIGKILL at a random instant, and the store is opened at once.
//!
//! The kernel goes on with what it was given, so this finds what an engine keeps in its own memory too long. What the
//! kernel has and the disk has not, `power_cut` takes away.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::Plan;
use crate::clock::Stopwatch;
use crate::process::{Loaded, Loader};
use crate::verdict::{Fault, Tally};

/// A store is killed this often before the next kill begins a new one: young ones and old ones both have their say.
const KILLS_OF_A_STORE: u32 = 20;

/// The most acknowledgements to wait for before a kill.
const PATIENCE: u32 = 150;

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
    while tally.faults() < plan.cycles {
        let kills = KILLS_OF_A_STORE.min(plan.cycles - tally.faults());
        kill_one_store(plan, kills, &mut random, &mut tally)?;
        println!("{}", tally.progress(plan.cycles));
    }
    ensure!(tally.acknowledged() > 0, "no batch was acknowledged, so nothing could be lost");
    tally.took = watch.elapsed();
    Ok(tally)
}

fn kill_one_store(plan: &Plan, kills: u32, random: &mut StdRng, tally: &mut Tally) -> anyhow::Result<()> {
    let home = tempfile::Builder::new().prefix("kms-faults-").tempdir().context("make a directory")?;
    let directory = home.path().join("store");
    let what = Loaded { engine: plan.store, directory: &directory, seed: random.random() };
    let mut before = 0;
    for _ in 0..kills {
        let mut loader = Loader::start(what, plan.no_sync)?;
        for _ in 0..random.random_range(1..=PATIENCE) {
            loader.next()?;
        }
        thread::sleep(Duration::from_micros(random.random_range(0..3_000)));
        loader.kill()?;
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
