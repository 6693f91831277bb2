//! What is printed: where it was measured, a table for each depth, and what the rows mean.
//!
//! Ratios are taken within a round, where both sides had the same machine, and then the median of them is shown. Latencies
//! are those of all rounds together.

use comfy_table::{CellAlignment, Table, presets};
use hdrhistogram::Histogram;
use kms_host::config::Config;

use crate::host::Keeper;
use crate::load::Travel;
use crate::place::Place;
use crate::rounds::{Plan, Round, SAMPLED, Sample, Service};
use crate::steps::Step;

const HEAD: [&str; 11] = [
    "",
    "per s: median [min..max]",
    "of bare",
    "of signed",
    "of log",
    "p50 ms",
    "p99 ms",
    "CPU us",
    "ask B",
    "answer B",
    "per sync",
];

/// Where and how, before anything is measured.
pub(crate) fn head(plan: &Plan, place: &Place) {
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
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(HEAD);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (row, service) in Service::all().into_iter().enumerate() {
        table.add_row(cells(service, row, rounds));
    }
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
checked        every lease of the hosts and one in {SAMPLED} of the signed echo, after the clock had stopped; the ledgers,
               opened again (the log: looked at again), have all machines that were licensed: {}",
        found.join(", ")
    );
}

fn cells(service: Service, row: usize, rounds: &[Round]) -> Vec<String> {
    let samples = || rounds.iter().map(|round| &round[row]);
    let services = Service::all();
    let of_log = match service {
        Service::BareEcho | Service::SignedEcho => None,
        Service::Activation(_) => Some(Service::Activation(Keeper::Log)),
        Service::Renewal(_) => Some(Service::Renewal(Keeper::Log)),
    };
    let of_log = of_log.and_then(|log| services.iter().position(|service| *service == log));
    let rates = sorted(samples().map(|sample| sample.per_second));
    let ratio =
        |to: usize| median(&sorted(rounds.iter().map(|round| round[row].per_second / round[to].per_second)));
    let mut latencies = Histogram::<u64>::new(3).expect("3 digits are allowed");
    samples().for_each(|sample| latencies += &sample.latencies);
    let cpu =
        samples().map(|sample| sample.cpu.map(|cpu| cpu.as_secs_f64() * 1e6)).collect::<Option<Vec<_>>>();
    let last = &rounds.last().expect("there is at least one round")[row];
    vec![
        name(service),
        format!("{:.0} [{:.0}..{:.0}]", median(&rates), rates[0], rates[rates.len() - 1]),
        format!("{:.2}", ratio(0)),
        format!("{:.2}", ratio(1)),
        of_log.map_or("-".to_owned(), |log| format!("{:.2}", ratio(log))),
        ms(latencies.value_at_quantile(0.5)),
        ms(latencies.value_at_quantile(0.99)),
        cpu.map_or("-".to_owned(), |cpu| format!("{:.1}", median(&sorted(cpu.into_iter())))),
        last.ask_bytes.to_string(),
        last.answer_bytes.to_string(),
        per_sync(samples()),
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

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 answers")]
fn per_sync<'a>(samples: impl Iterator<Item = &'a Sample>) -> String {
    let (mut answers, mut syncs) = (0, 0);
    for sample in samples {
        answers += sample.latencies.len();
        syncs += sample.syncs;
    }
    if syncs == 0 { "-".to_owned() } else { format!("{:.1}", answers as f64 / syncs as f64) }
}

#[expect(clippy::cast_precision_loss, reason = "a latency in microseconds")]
pub(crate) fn ms(us: u64) -> String {
    format!("{:.2}", us as f64 / 1000.0)
}

pub(crate) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Of sorted values; with an even number of them the mean of the middle two.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    let (below, above) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    f64::midpoint(below, above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert!((median(&sorted([3.0, 1.0, 2.0].into_iter())) - 2.0).abs() < 1e-9);
        assert!((median(&sorted([4.0, 1.0, 2.0, 3.0].into_iter())) - 2.5).abs() < 1e-9);
    }
}
