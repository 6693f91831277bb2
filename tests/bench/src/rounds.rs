//! The plan: every service in turns, round after round, so that what else the machine does falls on all of them alike.
//!
//! A round signs the asks of new machines, sends them to the bare echo, to the signed echo and to a host over each ledger,
//! and has the machines that a host licensed renew there. Signing before and verifying after are outside of every
//! measurement.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use kms_host::clock::SystemClock;
use kms_host::config::Config;
use shared::ask::Ask;
use shared::time::Clock;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::asks::{self, Asker};
use crate::echo::{self, Bare, Signed};
use crate::host::{self, Keeper, Running, Site};
use crate::load::{Connections, Load, Run, Travel};
use crate::options::Services;
use crate::sample::{Round, SAMPLED, Sample};
use crate::verify::{self, Judge};
use crate::{cpu, place, steps, tables};

/// How many asks a second are signed for a host of unknown speed; afterwards for the fastest that it has shown, and some.
const FIRST_GUESS_PER_S: f64 = 20_000.0;

/// Asks to sign, relative to what the fastest run would have used: time ends a run, not a lack of asks.
const MARGIN: f64 = 1.3;

/// Asks of one run: bounds the memory, at about a kilobyte each. A run that uses them up ends early.
const ASKS_MAX: usize = 500_000;

/// Requests in flight while everything warms up.
const WARM_IN_FLIGHT: u16 = 64;

/// The name of the load's threads, which tells them from those of the services.
const LOAD_THREADS: &str = "load";

/// Measures, prints, and checks at the end that the disk has what was acknowledged.
///
/// # Errors
/// An answer is missing or wrong, or something could not be set up. There are no figures then.
pub(crate) fn run(plan: &Services) -> anyhow::Result<()> {
    let folder = place::scratch(plan.data.as_deref())?;
    if plan.log {
        write_log(&folder.path().join("host.log"))?;
    }
    tables::head(plan, &place::Place::of(folder.path()));
    let mut bench = Bench::start(plan, folder.path())?;
    bench.round(WARM_IN_FLIGHT, Travel::Kept, plan.length / 4).context("warming up")?;
    let kept = plan.in_flight.iter().map(|in_flight| (*in_flight, Travel::Kept));
    let fresh =
        plan.fresh.iter().filter(|in_flight| **in_flight != 0).map(|in_flight| (*in_flight, Travel::Fresh));
    for (in_flight, travel) in kept.chain(fresh) {
        let rounds: anyhow::Result<Vec<Round>> =
            (0..plan.rounds).map(|_| bench.round(in_flight, travel, plan.length)).collect();
        tables::table(in_flight, travel, &rounds?);
    }
    tables::steps(&steps::measure(&bench.hosts[0].site, &bench.loading, &bench.clock, folder.path())?);
    tables::foot(&bench.finish()?);
    Ok(())
}

/// The services, the connections to them, and what is known of them so far.
struct Bench {
    hosts: Vec<Served>,
    clock: Arc<dyn Clock>,
    serving: Runtime,
    loading: Runtime,
    echoed: proto::v1::ActivateResponse,
    to_bare: Connections,
    to_signed: Connections,
    /// The fastest that any host was so far.
    fastest_per_s: f64,
    /// How many rounds there were.
    turn: usize,
}

/// A host that is measured.
struct Served {
    site: Site,
    running: Running,
    connections: Connections,
    /// How many hold a lease of it.
    machines: usize,
}

impl Bench {
    fn start(plan: &Services, folder: &Path) -> anyhow::Result<Bench> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let serving = Builder::new_multi_thread().enable_all().thread_name("serve").build()?;
        let loading = Builder::new_multi_thread().enable_all().thread_name(LOAD_THREADS).build()?;
        let open = |address| loading.block_on(Connections::open(address, plan.connections));
        let shop = host::open_shop(folder)?;
        let mut hosts = Vec::new();
        for keeper in Keeper::ALL {
            let name = format!("host-on-{}", keeper.name());
            let site = Site::make(&shop, &name, keeper, clock.now())?;
            let running = site.start(&serving, clock.clone())?;
            let connections = open(running.address)?;
            hosts.push(Served { site, running, connections, machines: 0 });
        }
        let signs = &hosts[0].site;
        let signed =
            Signed { key: signs.signing_key()?, installed: signs.installed.clone(), clock: clock.clone() };
        let echoed = some_lease(&signed, &*clock)?;
        let stop = CancellationToken::new();
        let bare = serving.block_on(echo::serve(Bare(echoed.clone()), stop.clone()))?;
        let signed = serving.block_on(echo::serve(signed, stop))?;
        let (to_bare, to_signed) = (open(bare)?, open(signed)?);
        let fastest_per_s = FIRST_GUESS_PER_S;
        Ok(Bench { hosts, clock, serving, loading, echoed, to_bare, to_signed, fastest_per_s, turn: 0 })
    }

    /// Each service once.
    fn round(&mut self, in_flight: u16, travel: Travel, length: Duration) -> anyhow::Result<Round> {
        let measuring = Measuring { in_flight, travel, length };
        let product = self.hosts[0].site.installed.chain.host().product;
        let new = Arc::new(asks::first(self.asks_for(length), product, self.clock.now()));

        let (bare, run) = self.measure(&self.to_bare, &new, measuring, None)?;
        verify::same(&run, &self.echoed).context("the bare echo")?;

        let (signed, run) = self.measure(&self.to_signed, &new, measuring, None)?;
        verify::sample(&run, SAMPLED, &new, &self.judge(&self.hosts[0].site)).context("the signed echo")?;

        // Each is first in its turn: what one leaves to the disk and to its threads falls on the next.
        let hosts = self.hosts.len();
        let mut pairs: Vec<_> = (0..hosts).map(|_| None).collect();
        for host in (0..hosts).cycle().skip(self.turn % hosts).take(hosts) {
            // No host has seen them yet.
            let pair = self.measure_host(host, (*new).clone(), measuring);
            pairs[host] = Some(pair.with_context(|| self.hosts[host].site.keeper.name())?);
        }
        self.turn += 1;
        Ok([bare, signed].into_iter().chain(pairs.into_iter().flatten().flatten()).collect())
    }

    /// Measures a host with new machines, and then with the machines that it licensed.
    fn measure_host(
        &mut self,
        host: usize,
        new: Vec<Asker>,
        measuring: Measuring,
    ) -> anyhow::Result<[Sample; 2]> {
        let Served { site, running, connections, .. } = &self.hosts[host];
        let new = Arc::new(new);
        let (activation, run) = self.measure(connections, &new, measuring, Some(running))?;
        let new = Arc::into_inner(new).expect("the tasks that sent them have ended");
        let licensed = verify::all(&run, new, &self.judge(site)).context("new machines")?;
        let machines = licensed.len();

        let known = Arc::new(asks::renewals(licensed, self.clock.now()));
        let (renewal, run) = self.measure(connections, &known, measuring, Some(running))?;
        let known = Arc::into_inner(known).expect("the tasks that sent them have ended");
        verify::all(&run, known, &self.judge(site)).context("renewals")?;

        self.fastest_per_s = self.fastest_per_s.max(activation.per_second).max(renewal.per_second);
        self.hosts[host].machines += machines;
        Ok([activation, renewal])
    }

    /// Over and over to an echo, which remembers nothing; to a host each ask once.
    fn measure(
        &self,
        to: &Connections,
        askers: &Arc<Vec<Asker>>,
        Measuring { in_flight, travel, length }: Measuring,
        host: Option<&Running>,
    ) -> anyhow::Result<(Sample, Run)> {
        let load = Load { askers: askers.clone(), over_and_over: host.is_none(), in_flight, travel, length };
        let syncs = || host.map_or(0, |host| host.syncs.syncs());
        let calls = || cpu::calls_except_by(LOAD_THREADS);
        let (cpu, synced, called) = (cpu::spent_except_by(LOAD_THREADS), syncs(), calls());
        let run = self.loading.block_on(to.send(load, self.clock.clone()))?;
        let cpu =
            cpu::spent_except_by(LOAD_THREADS).zip(cpu).map(|(after, before)| after.saturating_sub(before));
        let sample = Sample::of(&run, askers, cpu, syncs() - synced)?;
        Ok((Sample { calls: calls() - called, ..sample }, run))
    }

    fn asks_for(&self, length: Duration) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and cut below"
        )]
        let wanted = (self.fastest_per_s * MARGIN * length.as_secs_f64()) as usize;
        wanted.clamp(1, ASKS_MAX)
    }

    fn judge<'a>(&self, site: &'a Site) -> Judge<'a> {
        Judge { chain: &site.installed.chain, roots: &site.roots, now: self.clock.now() }
    }

    /// Stops every host, opens its ledger again and counts: every machine that holds a lease is on the disk.
    fn finish(self) -> anyhow::Result<Vec<(Keeper, usize)>> {
        let Bench { hosts, clock, serving, .. } = self;
        let mut found = Vec::new();
        for Served { site, running, connections, machines } in hosts {
            drop(connections);
            let ledger = running.stop(&serving)?;
            let counted = site.recount(ledger, &serving, &*clock)?.counted;
            ensure!(
                u64::try_from(machines) == Ok(counted),
                "{machines} machines hold leases, and the ledger on {} has {counted}",
                site.keeper.name()
            );
            found.push((site.keeper, machines));
        }
        Ok(found)
    }
}

/// How one service is measured.
#[derive(Clone, Copy)]
struct Measuring {
    in_flight: u16,
    travel: Travel,
    length: Duration,
}

/// What the bare echo gives to everybody: a lease as the signed one would have made it for somebody.
fn some_lease(signed: &Signed, clock: &dyn Clock) -> anyhow::Result<proto::v1::ActivateResponse> {
    let product = signed.installed.chain.host().product;
    let asker = asks::first(1, product, clock.now()).pop().context("one was made")?;
    let ask = asker.request.ask.as_ref().context("every request has one")?;
    Ok(signed.lease(&Ask::open(ask, None)?))
}

/// As `kms-host serve` does by default, but into a file.
fn write_log(path: &Path) -> anyhow::Result<()> {
    let file = std::sync::Mutex::new(std::fs::File::create(path)?);
    tracing_subscriber::fmt()
        .with_env_filter(Config::default().log)
        .with_writer(file)
        .with_ansi(false)
        .with_target(false)
        .try_init()
        .map_err(|error| anyhow::anyhow!(error))
}
