//! What is printed: where it was measured, a table for each depth, and what the rows mean.
//!
//! Ratios are taken within a round, where both sides had the same machine, and then the median of them is shown. Latencies
//! are those of all rounds together.

use kms_host::config::Config;
use report::Table;

use crate::host::Keeper;
use crate::load::Travel;
use crate::options::Services;
use crate::place::Place;
use crate::sample::{Round, SAMPLED, Sample, Service, cpu_us, latencies, median, ms};
use crate::steps::Step;

const HEAD: [&str; 13] = [
    "",
    "per s: median [min..max]",
    "of bare",
    "of signed",
    "of log",
    "p50 ms",
    "p99 ms",
    "CPU us",
    "sleeps",
    "writes",
    "ask B",
    "answer B",
    "per sync",
];

/// Where and how, before anything is measured.
pub(crate) fn head(plan: &Services, place: &Place) {
    println!("{place}");
    if place.is_in_memory() {
        println!("WARNING  a sync means nothing on this file system: name a directory on a disk with --data");
    }
    if cfg!(debug_assertions) {
        println!("WARNING  this is a debug build: the figures say nothing; run it with --release");
    }
    let log = if plan.log { "to a file, a line for every answer" } else { "off (--log writes it)" };
    println!(
        "load     {} rounds of {} ms each, {} kept connections, in this process: it shares the cores with what it \
         measures",
        plan.rounds,
        plan.length.as_millis(),
        plan.connections
    );
    println!(
        "host     default settings, threshold 1, log {log}; its ledger begins empty, cache {} MiB",
        Config::default().cache_mib
    );
}

/// The rounds at one depth.
pub(crate) fn table(in_flight: u16, travel: Travel, rounds: &[Round]) {
    let rows = Service::all().into_iter().enumerate().map(|(row, service)| cells(service, row, rounds));
    let table = Table::of(HEAD, rows).printed(&[0]);
    let how = match travel {
        Travel::Kept => "over kept connections",
        Travel::Fresh => "a fresh connection for each",
    };
    println!("\n{in_flight} in flight, {how}\n{table}");
}

/// Where the time of one answer goes.
pub(crate) fn steps(steps: &[Step]) {
    let widest = steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
    println!("\none answer, step by step, on one core       us");
    for Step { name, each } in steps {
        println!(" {name:widest$}  {:7.1}", each.as_secs_f64() * 1e6);
    }
}

/// What the rows mean, and what was checked.
pub(crate) fn foot(found: &[(Keeper, usize)]) {
    let found: Vec<_> =
        found.iter().map(|(keeper, machines)| format!("{machines} on {}", keeper.name())).collect();
    println!(
        "
bare echo      answers the asks of new machines with one fixed lease, unread
signed echo    verifies each ask strictly and signs a lease for it, without a ledger; its ratio shows what is left
on ..., new    durable first activations, each of a machine never seen before, of a host whose ledger is kept so
..., renewal   the same machines again, each showing its lease; the echoes are always asked by new ones
log            everything in memory and appended to one file: about what a ledger can reach
CPU us         processor time of the process without the load, for one answer; per sync: answers for each sync
sleeps, writes how often one of its threads slept and was woken, and calls that write to sockets, files and threads, for one answer
checked        every lease of the hosts and one in {SAMPLED} of the signed echo, after the clock had stopped; the ledgers,
               opened again (the log: looked at again), have all machines that were licensed: {}",
        found.join(", ")
    );
}

fn cells(service: Service, row: usize, rounds: &[Round]) -> [String; 13] {
    let samples = || rounds.iter().map(|round| &round[row]);
    let services = Service::all();
    let of_log = match service {
        Service::BareEcho | Service::SignedEcho => None,
        Service::Activation(_) => Some(Service::Activation(Keeper::Log)),
        Service::Renewal(_) => Some(Service::Renewal(Keeper::Log)),
    };
    let of_log = of_log.and_then(|log| services.iter().position(|service| *service == log));
    let rates = || samples().map(|sample| sample.per_second);
    let (slowest, fastest) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
    let ratio = |to: usize| median(rounds.iter().map(|round| round[row].per_second / round[to].per_second));
    let latencies = latencies(samples());
    let last = &rounds.last().expect("there is at least one round")[row];
    [
        name(service),
        format!("{:.0} [{slowest:.0}..{fastest:.0}]", median(rates())),
        format!("{:.2}", ratio(0)),
        format!("{:.2}", ratio(1)),
        of_log.map_or("-".to_owned(), |log| format!("{:.2}", ratio(log))),
        ms(latencies.value_at_quantile(0.5)),
        ms(latencies.value_at_quantile(0.99)),
        cpu_us(samples()).map_or("-".to_owned(), |cpu| format!("{cpu:.1}")),
        quotient(samples().map(|sample| sample.calls.sleeps), answers(samples())),
        quotient(samples().map(|sample| sample.calls.writes), answers(samples())),
        last.ask_bytes.to_string(),
        last.answer_bytes.to_string(),
        quotient(answers(samples()), samples().map(|sample| sample.syncs)),
    ]
}

fn name(service: Service) -> String {
    match service {
        Service::BareEcho => "bare echo".to_owned(),
        Service::SignedEcho => "signed echo".to_owned(),
        Service::Activation(on) => format!("on {}, new", on.name()),
        Service::Renewal(on) => format!("on {}, renewal", on.name()),
    }
}

fn answers<'a>(samples: impl Iterator<Item = &'a Sample>) -> impl Iterator<Item = u64> {
    samples.map(|sample| sample.latencies.len())
}

/// The sum of one by the sum of the other.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 of anything")]
fn quotient(of: impl Iterator<Item = u64>, by: impl Iterator<Item = u64>) -> String {
    let (of, by) = (of.sum::<u64>(), by.sum::<u64>());
    if by == 0 { "-".to_owned() } else { format!("{:.1}", of as f64 / by as f64) }
}
