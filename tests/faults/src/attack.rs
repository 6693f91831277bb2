//! `attack`: a host, peers that mean it harm, and fifty machines a second from other addresses that want nothing but a lease.
//!
//! Host and attackers are processes of their own: this program again, in two hidden roles. What the attackers do is in
//! `tests/src/attack.rs`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use shared::policy::Policy;
use shared::time::Clock as _;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use world::asker::{Asker, wire_from};
use world::attack::Attack;
use world::{HostProcess, Program, Shop};

use crate::clock::Stopwatch;

/// Well-behaved machines a second.
const ASKS_A_SECOND: u32 = 50;

/// A machine that has waited so long has no answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// How much later than without an attack 99 of 100 may be answered.
const LATER_LIMIT: Duration = Duration::from_millis(250);

/// How much memory a host may take, and how much more than before a while after an attack.
const MEMORY_LIMIT_MIB: u64 = 256;
const LEFT_LIMIT_MIB: u64 = 32;

/// What the driver is told.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Which attacks, by name [default: every one].
    #[arg(value_name = "ATTACK")]
    attacks: Vec<Attack>,
    /// How long each takes, in seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How long the host is left alone after each, in seconds, before its memory is read again.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=600))]
    rest: u64,
    /// Another kms-host than the one in this program.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// What an attacking process is told.
#[derive(Debug, Args)]
pub(crate) struct Strike {
    attack: Attack,
    host: SocketAddr,
}

/// How it went.
struct AttackResult {
    name: &'static str,
    asked: usize,
    answered: usize,
    /// In order.
    took: Vec<Duration>,
    before_mib: u64,
    most_mib: u64,
    after_mib: u64,
    log_lines: usize,
}

/// One process attacks until it is killed.
pub(crate) fn strike(strike: &Strike) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (connections, addresses) = strike.attack.size();
    runtime.block_on(strike.attack.run(strike.host, connections, addresses));
    Ok(ExitCode::SUCCESS)
}

/// Prints the table.
///
/// # Errors
/// A host did not start, or a process could not be watched.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let attacks = if plan.attacks.is_empty() { Attack::ALL.to_vec() } else { plan.attacks.clone() };
    println!(
        "{:<14} {:>6} {:>8} {:>7} {:>7} {:>6} {:>6} {:>6} {:>5}",
        "attack", "asked", "answered", "p50 ms", "p99 ms", "before", "most", "after", "log"
    );
    let bare = runtime.block_on(attacked(plan, None))?;
    println!("{bare}");
    let mut is_kept = true;
    for attack in attacks {
        let row = runtime.block_on(attacked(plan, Some(attack)))?;
        let broken = row.broken(bare.part(99));
        is_kept &= broken.is_empty();
        println!("{}", format!("{row}  {}", broken.join(", ")).trim_end());
    }
    println!("memory in MiB; a row names what it breaks");
    Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn attacked(plan: &Plan, attack: Option<Attack>) -> anyhow::Result<AttackResult> {
    let folder = tempfile::tempdir()?;
    let shop = Shop::open(folder.path(), "Atlas", Policy { threshold: 1, ..Policy::CLIENT }, false)?;
    let now = kms_host::clock::SystemClock::new().now();
    let home = shop.make_host("host", now - Duration::from_hours(1))?;
    let program = match &plan.program {
        Some(path) => Program { path: path.clone(), arguments: Vec::new() },
        None => Program::this_one()?,
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let host = HostProcess::start(&program, &home, listen).await?;
    let pid = host.id().context("the host has ended")?;
    // The first asks warm what every host has warm.
    ask_for(&shop, host.address(), Duration::from_secs(3)).await?;
    let (before_mib, lines_before) = (memory_mib(pid, "VmRSS")?, log_lines(&host)?);
    let attackers = attack.map(|attack| start(attack, host.address())).transpose()?;
    if attack.is_some() {
        sleep(Duration::from_secs(1)).await;
    }
    let (asked, mut took) = ask_for(&shop, host.address(), Duration::from_secs(plan.seconds)).await?;
    let most_mib = memory_mib(pid, "VmHWM")?;
    let log_lines = log_lines(&host)? - lines_before;
    drop(attackers);
    sleep(Duration::from_secs(plan.rest)).await;
    let after_mib = memory_mib(pid, "VmRSS")?;
    host.kill().await?;
    took.sort_unstable();
    let name = attack.map_or("none", Attack::name);
    Ok(AttackResult { name, asked, answered: took.len(), took, before_mib, most_mib, after_mib, log_lines })
}

fn start(attack: Attack, host: SocketAddr) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["strike", attack.name(), &host.to_string()]).stdin(Stdio::null()).kill_on_drop(true);
    command.spawn().context("start the attackers")
}

/// Has new machines ask for so long, each from an address and on a connection of its own. How many asked, and how long each that
/// was given a lease had waited.
async fn ask_for(shop: &Shop, host: SocketAddr, length: Duration) -> anyhow::Result<(usize, Vec<Duration>)> {
    let mut asking = JoinSet::new();
    let mut ticks = interval(Duration::from_secs(1) / ASKS_A_SECOND);
    let began = Stopwatch::start();
    let mut asked = 0_usize;
    while began.elapsed() < length {
        ticks.tick().await;
        let [_, _, high, low] = u32::try_from(asked).unwrap_or(0).to_be_bytes();
        let from = IpAddr::V4(Ipv4Addr::new(127, 77, high, low.max(1)));
        let mut asker = Asker::new(shop)?;
        let mut wire = wire_from(from, host)?;
        asking.spawn(async move {
            let began = Stopwatch::start();
            let at = kms_host::clock::SystemClock::new().now();
            let answer = timeout(ANSWER_LIMIT, asker.ask(&mut wire, at)).await;
            matches!(answer, Ok(Ok(_))).then(|| began.elapsed())
        });
        asked += 1;
    }
    Ok((asked, asking.join_all().await.into_iter().flatten().collect()))
}

/// A line of `/proc/PID/status`, proc(5), which has it in kB.
fn memory_mib(pid: u32, name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read the host's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib: u64 = line.and_then(|line| line.split_whitespace().next()).context("no such line")?.parse()?;
    Ok(kib >> 10)
}

/// How many warnings and errors its log has.
fn log_lines(host: &HostProcess) -> anyhow::Result<usize> {
    let log = std::fs::read_to_string(host.home().path().with_extension("log"))?;
    Ok(log.lines().filter(|line| line.contains(" WARN ") || line.contains("ERROR ")).count())
}

impl AttackResult {
    /// So many of 100 were answered by then.
    fn part(&self, percent: usize) -> Duration {
        let nth = (self.took.len() * percent).div_ceil(100).max(1) - 1;
        self.took.get(nth).copied().unwrap_or(ANSWER_LIMIT)
    }

    /// Which promises do not hold.
    fn broken(&self, bare: Duration) -> Vec<&'static str> {
        let broken = [
            (self.answered < self.asked, "NOT ALL ANSWERED"),
            (bare + LATER_LIMIT < self.part(99), "TOO LATE"),
            (MEMORY_LIMIT_MIB < self.most_mib, "TOO MUCH MEMORY"),
            (self.before_mib + LEFT_LIMIT_MIB < self.after_mib, "MEMORY IS KEPT"),
        ];
        broken.into_iter().filter_map(|(is_broken, what)| is_broken.then_some(what)).collect()
    }
}

impl fmt::Display for AttackResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [half, most] = [50, 99].map(|percent| self.part(percent).as_secs_f64() * 1000.0);
        let AttackResult { name, asked, answered, before_mib, most_mib, after_mib, log_lines, .. } = self;
        write!(
            f,
            "{name:<14} {asked:>6} {answered:>8} {half:>7.1} {most:>7.1} {before_mib:>6} {most_mib:>6} {after_mib:>6} {log_lines:>5}"
        )
    }
}
