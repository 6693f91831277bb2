//! Everybody at the same moment: each machine is answered or told when to come back, and sees nothing else.
//!
//! The bursts of ten thousand take the whole machine, so they are asked for by name, and print what was seen:
//! `cargo test --release -p kms-tests --test suite burst -- --ignored --nocapture --test-threads 1`. No figure is asserted but
//! the count. `unsigned` tells of a single full queue, `kills` of a host that goes away.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use kms_client::{Clock, SystemClock};
use proto::admin::v1::VerifyRequest;
use proto::v1::{ActivateRequest, ActivateResponse, Answer};
use rand::RngExt;
use shared::answer::Verdict;
use shared::ask::Ask;
use shared::reason::ERROR_DOMAIN;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;
use world::HostProcess;
use world::asker::{Asker, Wire, connected_wire};
use world::cores::on_every_core;
use world::shop::WITHOUT_LIMITS;

use crate::stage::{Stage, an_hour_ago, answered, now, serve};

const THRESHOLD: u32 = 25;

/// A machine is told to come back this often at most; by then all others have long been served.
const TRIES: usize = 8;

/// A burst that takes longer has hung.
const BURST_LIMIT: Duration = Duration::from_mins(3);

/// What either side opens beside the connections of a burst, other stories of the suite included.
const OTHER_DESCRIPTORS: u64 = 1000;

#[derive(Clone, Copy, Debug)]
enum Travel {
    /// Over so many connections, which all share.
    Shared(usize),
    /// Each ask over a connection of its own, as in the field.
    Own,
}

/// A machine that is about to ask.
struct Ready {
    asker: Asker,
    ask: Ask,
    request: ActivateRequest,
}

/// What became of a machine.
struct Told {
    asker: Asker,
    /// The ask that was answered, and the answer. An error is whatever else it saw: that ends its part.
    end: Result<(Ask, Answer), String>,
    /// The reasons for which it was told to come back, in order.
    delays: Vec<String>,
    longest: Waits,
}

/// How a machine reaches the host.
enum Way {
    Shared(Wire),
    Own(SocketAddr),
}

/// What the host, or the way to it, said to one ask.
enum Heard {
    Answer(Answer),
    /// The reason, and how long to stay away.
    Later(String, Duration),
    /// Anything else.
    Fault(String),
}

/// The longest that a machine waited, of all its asks.
#[derive(Default)]
struct Waits {
    /// For a connection.
    connecting: Duration,
    /// For any word on it.
    answering: Duration,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes the whole machine; the head of this file has the command"]
async fn ten_thousand_at_once_over_64_connections_are_all_answered() {
    check(10_000, Travel::Shared(64), "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes the whole machine; the head of this file has the command"]
async fn ten_thousand_at_once_over_a_connection_each_are_all_answered() {
    check(10_000, Travel::Own, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_before_a_small_queue_come_back_when_told_and_are_all_answered() {
    let waits = check(1_000, Travel::Shared(64), "queue = 4").await;
    assert!(0 < waits, "the queue was never full, so this was no story");
}

/// A burst of so many machines at a host of this configuration, with every machine answered in the end. Returns how often one
/// was told to come back.
async fn check(machines: usize, travel: Travel, configuration: &str) -> usize {
    if let Travel::Own = travel {
        allow_descriptors(u64::try_from(machines).unwrap() + OTHER_DESCRIPTORS);
    }
    let stage = Stage::with_threshold(THRESHOLD);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    std::fs::write(home.path().join("kms-host.toml"), format!("{configuration}\n{WITHOUT_LIMITS}")).unwrap();
    let host = serve(&home).await;
    let ready = on_every_core(vec![(); machines], |()| Ready::of(Asker::new(&stage.shop).unwrap()));

    let clock = SystemClock::new();
    let began = clock.monotonic();
    let told = tokio::time::timeout(BURST_LIMIT, burst(ready, host.address(), travel)).await;
    let told = told.expect("the burst comes to an end");
    let took = clock.monotonic().saturating_sub(began);

    println!(
        "{machines} at once, {travel:?}, {configuration:?}: {:.1} s\n{}",
        took.as_secs_f64(),
        seen(&told)
    );
    let faults = faults(&told);
    assert!(faults.is_empty(), "{faults:#?}");
    let waits: usize = told.iter().map(|told| told.delays.len()).sum();
    check_verdicts(told);
    check_count(&host, machines, waits).await;
    waits
}

/// Every answer is for the ask that it came for, and signed. The count that was told grew one by one, so all but the first few
/// have a lease.
fn check_verdicts(told: Vec<Told>) {
    let machines = told.len();
    let leases = on_every_core(told, |Told { mut asker, end, .. }| {
        let (ask, answer) = end.unwrap();
        match asker.judge(&ask, &answer, now()).unwrap() {
            Verdict::Leased(_) => true,
            Verdict::Waiting(_) => false,
            other => panic!("{other:?}"),
        }
    });
    let waiting = leases.iter().filter(|leased| !**leased).count();
    assert_eq!(waiting, usize::try_from(THRESHOLD - 1).unwrap(), "of {machines}");
}

/// What the host says of it agrees.
async fn check_count(host: &HostProcess, machines: usize, waits: usize) {
    let [machines, waits] = [machines, waits].map(|number| u64::try_from(number).unwrap());
    let verified = host.admin().await.unwrap().verify(VerifyRequest {}).await.unwrap().into_inner();
    let product = &verified.products[0];
    assert_eq!((verified.records, verified.damaged), (machines, 0));
    assert_eq!([product.count, product.recounted], [machines; 2]);
    assert_eq!(answered(host, "LEASE").await + answered(host, "WAITING").await, machines);
    assert_eq!(answered(host, "OVERLOADED").await, waits);
}

/// All of them start together and each goes on until it is answered.
async fn burst(ready: Vec<Ready>, address: SocketAddr, travel: Travel) -> Vec<Told> {
    let mut shared = Vec::new();
    if let Travel::Shared(connections) = travel {
        for _ in 0..connections {
            shared.push(connected_wire(address).await.unwrap());
        }
    }
    let start = Arc::new(Barrier::new(ready.len()));
    let mut asking = JoinSet::new();
    for (nth, ready) in ready.into_iter().enumerate() {
        let way = shared.get(nth % shared.len().max(1)).cloned().map_or(Way::Own(address), Way::Shared);
        let start = start.clone();
        asking.spawn(async move {
            start.wait().await;
            ready.ask_until_answered(way).await
        });
    }
    asking.join_all().await
}

impl Ready {
    fn of(mut asker: Asker) -> Ready {
        let ask = asker.compose(now());
        let request = asker.request(&ask);
        Ready { asker, ask, request }
    }

    /// Asks, and again each time when it was told to.
    async fn ask_until_answered(self, way: Way) -> Told {
        let Ready { mut asker, mut ask, mut request } = self;
        let (mut delays, mut longest) = (Vec::new(), Waits::default());
        let end = loop {
            match way.ask(request, &mut longest).await {
                Heard::Answer(answer) => break Ok((ask, answer)),
                Heard::Fault(fault) => break Err(fault),
                Heard::Later(reason, _) if delays.len() == TRIES => {
                    break Err(format!("{reason} even after {TRIES} delays"));
                }
                Heard::Later(reason, delay) => {
                    delays.push(reason);
                    // As the client library draws it.
                    // The host gives its reason and its delay; a story need not wait as long as a machine does.
                    let part = rand::rng().random_range(0.04..=0.1);
                    tokio::time::sleep(delay.mul_f64(part)).await;
                }
            }
            Ready { asker, ask, request } = Ready::of(asker);
        };
        Told { asker, end, delays, longest }
    }
}

impl Way {
    async fn ask(&self, request: ActivateRequest, longest: &mut Waits) -> Heard {
        let clock = SystemClock::new();
        let began = clock.monotonic();
        let wire = match self {
            Way::Shared(wire) => Ok(wire.clone()),
            Way::Own(address) => connected_wire(*address).await,
        };
        let connected = clock.monotonic();
        let said = match wire {
            Ok(mut wire) => {
                wire.activate(request).await.map_or_else(|status| Heard::of(&status), Heard::from)
            }
            Err(error) => Heard::Fault(format!("{error:#}")),
        };
        longest.connecting = longest.connecting.max(connected.saturating_sub(began));
        longest.answering = longest.answering.max(clock.monotonic().saturating_sub(connected));
        said
    }
}

impl From<Response<ActivateResponse>> for Heard {
    fn from(response: Response<ActivateResponse>) -> Heard {
        let answer = response.into_inner().answer;
        answer.map_or_else(|| Heard::Fault("an empty answer".to_owned()), Heard::Answer)
    }
}

impl Heard {
    /// A reason with a delay, or whatever else it is.
    fn of(status: &Status) -> Heard {
        let polite = [Code::ResourceExhausted, Code::Unavailable].contains(&status.code());
        let info = status.get_details_error_info().filter(|info| polite && info.domain == ERROR_DOMAIN);
        let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
        if let (Some(info), Some(delay)) = (info, delay) {
            return Heard::Later(info.reason, delay);
        }
        let causes = std::iter::successors(status.source(), |&error: &&(dyn Error + 'static)| error.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        Heard::Fault(format!(
            "{:?} without a reason and a delay: {} {causes:?}",
            status.code(),
            status.message()
        ))
    }
}

/// Every kind of error that a machine saw, and how many saw it.
fn faults(told: &[Told]) -> BTreeMap<&str, usize> {
    let mut faults = BTreeMap::new();
    for fault in told.iter().filter_map(|told| told.end.as_ref().err()) {
        *faults.entry(fault.as_str()).or_default() += 1;
    }
    faults
}

/// How many were answered after which delays, and how long the slowest of them waited for a word.
fn seen(told: &[Told]) -> String {
    let mut groups: BTreeMap<&[String], (usize, Waits)> = BTreeMap::new();
    for told in told.iter().filter(|told| told.end.is_ok()) {
        let (machines, longest) = groups.entry(&told.delays).or_default();
        *machines += 1;
        longest.connecting = longest.connecting.max(told.longest.connecting);
        longest.answering = longest.answering.max(told.longest.answering);
    }
    let mut text = String::new();
    for (delays, (machines, longest)) in groups {
        let after =
            if delays.is_empty() { "at once".to_owned() } else { format!("after {}", delays.join(", ")) };
        let Waits { connecting, answering } = longest;
        let _ = writeln!(
            text,
            "{machines:>7} answered {after}; the slowest connected in {connecting:.1?} and had a word in {answering:.1?}"
        );
    }
    text
}

/// Lets this process and the hosts that it starts open so many descriptors: either end of a connection is one.
fn allow_descriptors(needed: u64) {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let [soft, hard] = [3, 4].map(|nth| {
        let word = line.split_ascii_whitespace().nth(nth).unwrap();
        word.parse().unwrap_or(u64::MAX)
    });
    assert!(needed <= hard, "RLIMIT_NOFILE is {hard} at most and {needed} are needed: raise the hard limit");
    if needed <= soft {
        return;
    }
    let raised = Command::new("prlimit")
        .args(["--pid", &std::process::id().to_string(), &format!("--nofile={needed}:")])
        .status();
    assert!(
        raised.is_ok_and(|exit| exit.success()),
        "RLIMIT_NOFILE is {soft}: run `ulimit -Sn {needed}` before"
    );
}
