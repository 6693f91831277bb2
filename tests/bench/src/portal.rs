//! `kms-bench portal`: activations by key per second, on SQLite and on PostgreSQL, beside a signed echo, in turns in one run.
//!
//! The echo verifies each ask as strictly as a portal does, signs a confirmation for it, and keeps nothing. So it is the limit for any
//! portal. `served` has the echo and the portals, `asks` the asks and the answers.

mod asks;
mod served;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use report::Table;
use shared::time::Clock;
use tokio::runtime::{Builder, Runtime};
use wire::SystemClock;

use self::asks::{Asker, Figures, ask_all, first, renewed, verify};
use self::served::{Database, Ground, Served};
use crate::options::Portals;
use crate::sample::{median, ms};
use crate::{cpu, place};

/// The name of the load's threads, which tells them from those of what is measured.
const LOAD_THREADS: &str = "load";

/// Asks that are signed before a measurement, for each second of it. A run that uses them up ends early.
const ASKS_PER_S: f64 = 12_000.0;

const HEAD: [&str; 6] = ["", "per s: median [min..max]", "of the echo", "p50 ms", "p99 ms", "CPU us"];

/// Measures, prints, and checks at the end that the databases have what was acknowledged.
///
/// # Errors
/// An answer is missing or wrong, or something could not be set up. There are no figures then.
pub(crate) fn run(plan: &Portals) -> anyhow::Result<()> {
    let folder = place::scratch(plan.data.as_deref())?;
    println!("{}", place::Place::of(folder.path()));
    if cfg!(debug_assertions) {
        println!("WARNING  this is a debug build: the figures say nothing; run it with --release");
    }
    let serving = Builder::new_multi_thread().enable_all().thread_name("serve").build()?;
    let loading = Builder::new_multi_thread().enable_all().thread_name(LOAD_THREADS).build()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ground = Ground::lay(folder.path(), &serving, clock.clone())?;
    let bench = Bench { plan, serving, loading, clock, ground };
    println!(
        "load     {} rounds of {} ms each, {} kept connections over TLS, in this process",
        plan.rounds,
        plan.length.as_millis(),
        plan.connections
    );
    if let Some(missing) = &bench.ground.missing {
        println!("NOT RUN  PostgreSQL: {missing}");
    }
    let served = bench.start()?;
    bench.round(&served, 16, plan.length / 4).context("warming up")?;
    for &in_flight in &plan.in_flight {
        let rounds: anyhow::Result<Vec<_>> =
            (0..plan.rounds).map(|_| bench.round(&served, in_flight, plan.length)).collect();
        print_table(in_flight, &served, &rounds?);
    }
    let mut found = Vec::new();
    for (served, places) in &served {
        if let Some(database) = served.database {
            let used = bench.serving.block_on(served.used())?;
            let confirmed = places.load(std::sync::atomic::Ordering::Relaxed);
            ensure!(used == confirmed, "{confirmed} machines were confirmed, {} has {used}", database.name());
            found.push(format!("{used} on {}", database.name()));
        }
    }
    println!("{FOOT}{}", found.join(", "));
    bench.finish(served);
    Ok(())
}

const FOOT: &str = "
signed echo    opens each ask and signs a confirmation for it, without a database
on ..., new    durable activations, each of a machine never seen before, all by one key
on ..., again  the same machines with a new ask, each confirmed anew
CPU us         processor time of the process without the load, for one answer; PostgreSQL's own processes are not in it
checked        every confirmation of the portals and one in 16 of the echo, after the clock had stopped; places that are taken: ";

/// What is measured, and how many machines it has confirmed.
type Subject = (Served, std::sync::atomic::AtomicU64);

struct Bench<'a> {
    plan: &'a Portals,
    serving: Runtime,
    loading: Runtime,
    clock: Arc<dyn Clock>,
    ground: Ground,
}

/// The figures of one round: of the echo, then two for each portal.
type Round = Vec<Figures>;

impl Bench<'_> {
    /// The echo, and a portal on each database that there is.
    fn start(&self) -> anyhow::Result<Vec<Subject>> {
        let mut all = vec![self.ground.echo(&self.serving)?];
        for database in Database::ALL {
            if let Some(url) = self.ground.url(database)? {
                all.push(self.ground.portal(database, url, &self.serving)?);
            }
        }
        Ok(all.into_iter().map(|served| (served, 0.into())).collect())
    }

    fn round(&self, served: &[Subject], in_flight: u16, length: Duration) -> anyhow::Result<Round> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, at most a million"
        )]
        let count = (ASKS_PER_S * length.as_secs_f64()) as usize;
        let new = Arc::new(first(count, &self.ground.key, self.ground.product, self.clock.now()));
        let mut round = Vec::new();
        for (served, places) in served {
            let name = || served.database.map_or("the echo", Database::name);
            let (figures, licensed) = self.measure(served, &new, in_flight, length).with_context(name)?;
            round.push(figures);
            if served.database.is_some() {
                places.fetch_add(licensed.len() as u64, std::sync::atomic::Ordering::Relaxed);
                let again = Arc::new(renewed(licensed, &self.ground.key, self.clock.now()));
                round.push(self.measure(served, &again, in_flight, length).with_context(name)?.0);
            }
        }
        Ok(round)
    }

    /// Makes one measurement. Returns the machines that were confirmed, too.
    fn measure(
        &self,
        served: &Served,
        askers: &Arc<Vec<Asker>>,
        in_flight: u16,
        length: Duration,
    ) -> anyhow::Result<(Figures, Vec<Asker>)> {
        // A portal closes a connection that has been idle for a while.
        let connections = self.loading.block_on(served.connect(self.plan.connections, self.clock.clone()))?;
        let before = cpu::spent_except_by(LOAD_THREADS);
        let asking = ask_all(&connections, askers, in_flight, length, &self.clock);
        let run = self.loading.block_on(asking)?;
        let cpu = cpu::spent_except_by(LOAD_THREADS)
            .zip(before)
            .map(|(after, before)| after.saturating_sub(before));
        let one_in = if served.database.is_some() { 1 } else { crate::sample::SAMPLED };
        verify(&run, one_in, askers, &self.ground.roots)?;
        let confirmed = run.replies.iter().map(|reply| askers[reply.asker].clone()).collect();
        Ok((Figures::of(run, cpu), confirmed))
    }

    fn finish(self, served: Vec<Subject>) {
        for (served, _) in served {
            self.serving.block_on(served.stop());
        }
        self.ground.clear();
    }
}

fn print_table(in_flight: u16, served: &[Subject], rounds: &[Round]) {
    let names = served.iter().flat_map(|(served, _)| match served.database {
        None => vec!["signed echo".to_owned()],
        Some(database) => ["new", "again"].map(|what| format!("on {}, {what}", database.name())).to_vec(),
    });
    let rows = names.enumerate().map(|(row, name)| {
        let figures = || rounds.iter().map(|round| &round[row]);
        let rates = || figures().map(|figures| figures.per_second);
        let (least, most) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
        let mut latencies: Vec<_> = figures().flat_map(|figures| figures.latencies.iter().copied()).collect();
        latencies.sort_unstable();
        let at = |percent: usize| ms(latencies[(latencies.len() - 1) * percent / 100]);
        let cpu = figures().map(|figures| figures.cpu_us).collect::<Option<Vec<_>>>();
        [
            name,
            format!("{:.0} [{least:.0}..{most:.0}]", median(rates())),
            format!("{:.2}", median(rounds.iter().map(|round| round[row].per_second / round[0].per_second))),
            at(50),
            at(99),
            cpu.map_or("-".to_owned(), |cpu| format!("{:.1}", median(cpu.into_iter()))),
        ]
    });
    println!("\n{in_flight} in flight\n{}", Table::of(HEAD, rows).printed(&[0]));
}
