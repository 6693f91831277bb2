//! Ledgers of different sizes, side by side: what an answer costs, how soon the host is ready, how much memory it takes.
//!
//! Each host is a process of its own, the one that an administrator runs, over a ledger that `prepare` has filled. They are
//! measured in turns, so that what else the machine does falls on all of them alike.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use kms_host::clock::SystemClock;
use kms_host::config::Config;
use report::Table;
use shared::time::Clock;
use tokio::runtime::{Builder, Runtime};
use world::shop::WITHOUT_LIMITS;
use world::{HostProcess, Program};

use crate::asks;
use crate::cpu;
use crate::host::{self, Keeper, Site};
use crate::load::{Connections, Load, Travel};
use crate::options::Sizes;
use crate::place::{self, Place};
use crate::prepare;
use crate::sample::{Sample, cpu_us, latencies, median, ms};
use crate::verify::{self, Judge};

/// How long before now the host's certificate begins: before the first machine was seen.
const CERTIFIED_SINCE: Duration = Duration::from_hours(60 * 24);

/// The most asks of one measurement, by new machines and by machines that renew.
const ASKS: usize = 16_000;

/// And at the least, of new ones: a small fleet grows by this in a round.
const ASKS_MIN: usize = 1_000;

/// Connections that carry them, kept open.
const CONNECTIONS: u16 = 4;

/// A host over a ledger of one size.
struct Sized {
    machines: usize,
    site: Site,
    known: prepare::Sample,
    prepared_in: Duration,
    disk_bytes: u64,
    process: HostProcess,
    ready_in: Duration,
    ready_memory: Memory,
    connections: Connections,
    new: Vec<Sample>,
    renewals: Vec<Sample>,
    licensed: usize,
}

/// Of a process, in bytes.
#[derive(Clone, Copy)]
struct Memory {
    /// What is its own now.
    anonymous: u64,
    /// The most that it ever had, files that it has mapped included.
    peak: u64,
}

/// Prepares, measures, prints, and checks that every count is what it has to be.
///
/// # Errors
/// An answer is missing or wrong, or something could not be set up.
pub(crate) fn run(plan: &Sizes) -> anyhow::Result<()> {
    let folder = place::scratch(plan.data.as_deref())?;
    println!("{}", Place::of(folder.path()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let shop = host::open_shop(folder.path())?;
    let mut hosts = Vec::new();
    for machines in &plan.machines {
        let name = format!("host-of-{machines}");
        let since = clock.now() - CERTIFIED_SINCE;
        let site = Site::make(&shop, &name, Keeper::On(plan.ledger), since)?;
        let sized = prepare(plan, &runtime, &*clock, *machines, site);
        hosts.push(sized.with_context(|| format!("{machines} machines"))?);
    }
    for _ in 0..plan.rounds {
        for host in &mut hosts {
            host.round(plan, &runtime, &clock).with_context(|| format!("{} machines", host.machines))?;
        }
    }
    report(plan, &hosts)?;
    for host in hosts {
        let counted = runtime.block_on(host.process.count())?;
        let expected = u64::try_from(host.machines + host.licensed)?;
        ensure!(counted == expected, "{expected} machines hold leases, and the host counts {counted}");
        drop(host.connections);
        runtime.block_on(host.process.stop())?;
    }
    println!(
        "\nevery lease was verified after the clock had stopped, and every host counts all of its machines"
    );
    Ok(())
}

fn prepare(
    plan: &Sizes,
    runtime: &Runtime,
    clock: &dyn Clock,
    machines: usize,
    site: Site,
) -> anyhow::Result<Sized> {
    let sampled = usize::try_from(plan.rounds)? * ASKS;
    let began = clock.monotonic();
    let known = prepare::fill(&site, runtime, machines, sampled, clock.now())?;
    let prepared_in = clock.monotonic().saturating_sub(began);
    let disk_bytes = bytes_below(&site.home.path().join("ledger"))?;
    let config = format!("ledger = \"{}\"\nlog = \"warn\"\n{WITHOUT_LIMITS}", plan.ledger.name());
    fs::write(site.home.path().join("kms-host.toml"), config)?;

    let began = clock.monotonic();
    let listen = ([127, 0, 0, 1], 0).into();
    let process = runtime.block_on(HostProcess::start(&Program::this_one()?, &site.home, listen))?;
    let ready_in = clock.monotonic().saturating_sub(began);
    let ready_memory = memory(&process)?;
    let connections = runtime.block_on(Connections::open(process.address(), CONNECTIONS))?;
    eprintln!("{machines} machines are prepared in {:.1} s", prepared_in.as_secs_f64());
    let (new, renewals, licensed) = (Vec::new(), Vec::new(), 0);
    Ok(Sized {
        machines,
        site,
        known,
        prepared_in,
        disk_bytes,
        process,
        ready_in,
        ready_memory,
        connections,
        new,
        renewals,
        licensed,
    })
}

impl Sized {
    /// New machines, and then some that were there before.
    fn round(&mut self, plan: &Sizes, runtime: &Runtime, clock: &Arc<dyn Clock>) -> anyhow::Result<()> {
        let product = self.site.installed.chain.host().product;
        let judge = Judge { chain: &self.site.installed.chain, roots: &self.site.roots, now: clock.now() };
        let send = |asks: Vec<asks::Asker>, samples: &mut Vec<Sample>| {
            let asks = Arc::new(asks);
            let load = Load {
                askers: asks.clone(),
                over_and_over: false,
                in_flight: plan.in_flight,
                travel: Travel::Kept,
                length: plan.length,
            };
            let before = cpu::spent_by(self.process.id());
            let run = runtime.block_on(self.connections.send(load, clock.clone()))?;
            let spent =
                cpu::spent_by(self.process.id()).zip(before).map(|(now, then)| now.saturating_sub(then));
            samples.push(Sample::of(&run, &asks, spent, 0)?);
            let asks = Arc::into_inner(asks).context("the tasks that sent them have ended")?;
            verify::all(&run, asks, &judge)
        };
        let new = asks::first((self.machines / 20).clamp(ASKS_MIN, ASKS), product, clock.now());
        let licensed = send(new, &mut self.new).context("new machines")?;
        self.licensed += licensed.len();
        // An equal part in each round; no machine renews twice.
        let rounds_left = usize::try_from(plan.rounds)? + 1 - self.new.len();
        let some = self.known.split_off(self.known.len() - self.known.len() / rounds_left.max(1));
        if !some.is_empty() {
            send(asks::renewals(some, clock.now()), &mut self.renewals).context("renewals")?;
        }
        Ok(())
    }
}

fn rate(samples: &[Sample]) -> f64 {
    median(samples.iter().map(|sample| sample.per_second))
}

fn cells(samples: &[Sample]) -> [String; 3] {
    if samples.is_empty() {
        return ["-", "-", "-"].map(str::to_owned);
    }
    let cpu = cpu_us(samples.iter()).map_or("-".to_owned(), |cpu| format!("{cpu:.0}"));
    [format!("{:.0}", rate(samples)), ms(latencies(samples.iter()).value_at_quantile(0.99)), cpu]
}

const HEAD: [&str; 13] = [
    "machines",
    "prepared in s",
    "on disk MB",
    "ready in s",
    "memory MB",
    "new per s",
    "p99 ms",
    "CPU us",
    "renewals per s",
    "p99 ms",
    "CPU us",
    "of the first",
    "memory, peak MB",
];

fn report(plan: &Sizes, hosts: &[Sized]) -> anyhow::Result<()> {
    println!(
        "ledger   {}, cache {} MiB, files in the page cache; {} in flight over {} kept connections; {} rounds of at most \
         {} ms in turns\n",
        plan.ledger.name(),
        Config::default().cache_mib,
        plan.in_flight,
        CONNECTIONS,
        plan.rounds,
        plan.length.as_millis()
    );
    let mut rows = Vec::new();
    for host in hosts {
        let after = memory(&host.process)?;
        let [new, new_p99, new_cpu] = cells(&host.new);
        let [renewals, renewals_p99, renewals_cpu] = cells(&host.renewals);
        rows.push([
            format!("{}+{}", host.machines, host.licensed),
            format!("{:.1}", host.prepared_in.as_secs_f64()),
            megabytes(host.disk_bytes),
            format!("{:.2}", host.ready_in.as_secs_f64()),
            megabytes(host.ready_memory.anonymous),
            new,
            new_p99,
            new_cpu,
            renewals,
            renewals_p99,
            renewals_cpu,
            format!(
                "{:.2} {:.2}",
                rate(&host.new) / rate(&hosts[0].new),
                rate(&host.renewals) / rate(&hosts[0].renewals)
            ),
            format!("{} {}", megabytes(after.anonymous), megabytes(after.peak)),
        ]);
    }
    println!("{}", Table::of(HEAD, rows).printed(&[]));
    println!(
        "
machines       that the ledger had before, and that came; new ones never seen, renewals by old ones, all over it
prepared in    what filling it took here, keys and leases of those that renew included
ready in       from starting the process to its first answer
memory         the process's own when it was ready, and last after the load, with its peak"
    );
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    format!("{}", bytes / 1_000_000)
}

/// As `/proc/PID/status` has it.
fn memory(process: &HostProcess) -> anyhow::Result<Memory> {
    let id = process.id().context("the host is gone")?;
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("a line is missing")?;
        let kilobytes = line.trim_start_matches(':').trim().trim_end_matches(" kB");
        anyhow::Ok(kilobytes.parse::<u64>()? * 1024)
    };
    Ok(Memory { anonymous: bytes("RssAnon")?, peak: bytes("VmHWM")? })
}

/// What files take on the disk, holes left out.
fn bytes_below(directory: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
