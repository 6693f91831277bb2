//! What is printed: what was played, where the fleet stood over time, the figures, and the planner's answer.

use super::calendar::{date, dated};
use super::result::{Found, Return, Sample, Summary};
use super::settings::Settings;
use report::Table;
use report::figures::{count, counted, figure, grouped, or_dash};

/// The most rows of the table over time; the file has all samples.
const ROWS: usize = 14;

/// Everything that a run prints.
pub(crate) fn text(found: &Found) -> String {
    let mut parts = vec![
        settings(&found.settings),
        format!("Over time; asks since the row above\n{}", over_time(found)),
        summary(&found.summary, &found.settings),
    ];
    if !found.returns.is_empty() {
        parts.push(format!("After an outage\n{}", Return::table(&found.returns).printed(&[0])));
    }
    if let Some(down) = &found.down {
        let table = down.table(["", "days down"]).printed(&[0]);
        parts.push(format!("If all hosts stopped for good on {}\n{table}", dated(down.from_day)));
        parts.push(down.sentence());
    }
    if let (Some(back), Some(answer)) = (&found.back, &found.answer) {
        let table = back.table(["", "days at most"]).printed(&[0]);
        parts.push(format!("If all hosts fail and come back\n{table}"));
        parts.push(answer.clone());
    }
    parts.join("\n\n") + "\n"
}

fn settings(settings: &Settings) -> String {
    let Settings { seed, count_window, validity, renew_interval, expiry_warning, grace, .. } = settings;
    let Settings { retry_interval, renew_retry, renew_retry_max, outages, hours, away, .. } = settings;
    let (machines, days) = (counted(settings.machines, "machine"), counted(settings.days, "day"));
    let (hosts, threshold) = (counted(settings.hosts, "host"), count(settings.threshold));
    let (servers, laptops) = (settings.always_on_percent, settings.laptops_percent);
    let (office, rollout) = (100 - servers - laptops, counted(settings.rollout_days, "day"));
    let outages = if outages.is_empty() { "none".to_owned() } else { outages.join(", ") };
    let leaving = settings.leave.as_ref().map_or(String::new(), |leave| format!("\nleaving  {leave}"));
    format!(
        "fleet    {machines}, {hosts}, {days} from Monday {monday}; seed {seed}\n\
         numbers  threshold {threshold} within {count_window}; a lease lives {validity}, is renewed after {renew_interval}, \
         ends soon {expiry_warning} before its end; grace {grace}\n\
         retries  unlicensed every {retry_interval}; licensed after {renew_retry}, doubling up to {renew_retry_max}\n\
         use      installed over {rollout}; {servers} % never off, {office} % in the office, Monday to Friday {hours}; \
         {laptops} % laptops, the same hours, off the network for {away}\n\
         outages  {outages}{leaving}",
        monday = date(0.0)
    )
}

fn over_time(found: &Found) -> String {
    let head = [
        "day",
        "date",
        "installed",
        "licensed",
        "overdue",
        "ends soon",
        "in grace",
        "lapsed",
        "never",
        "warning",
        "count",
        "asks/h",
        "peak h",
    ];
    let mut next = 0;
    let rows = rows(found.samples.len()).map(|place| {
        let from = std::mem::replace(&mut next, place + 1);
        cells(&found.samples[from..=place])
    });
    Table::of(head, rows).printed(&[0])
}

/// Evenly spread places, the first and the last among them.
fn rows(number: usize) -> impl Iterator<Item = usize> {
    let rows = ROWS.min(number);
    (0..rows).map(move |row| row * (number - 1) / (rows - 1).max(1))
}

/// The last of these samples, and the asks since the row above.
fn cells(samples: &[Sample]) -> [String; 13] {
    let sample = samples.last().expect("every row has a sample of its own");
    let rows = f64::from(u32::try_from(samples.len()).expect("a thousand at the most"));
    let asks_per_hour = samples.iter().map(|sample| sample.asks_per_hour).sum::<f64>() / rows;
    let peak = samples.iter().map(|sample| sample.peak_hour_asks).max().unwrap_or(0);
    let counts = sample.counts.iter().map(|counted| counted.map_or("down".to_owned(), count));
    [
        format!("{:.1}", sample.day),
        date(sample.day),
        count(sample.installed),
        count(sample.licensed),
        count(sample.overdue),
        count(sample.expiring),
        count(sample.in_grace),
        count(sample.lapsed),
        count(sample.never_activated),
        count(sample.warned),
        counts.collect::<Vec<_>>().join(" "),
        grouped(&format!("{asks_per_hour:.1}")),
        count(peak),
    ]
}

fn summary(summary: &Summary, settings: &Settings) -> String {
    let answers: Vec<_> =
        summary.answers.iter().map(|(name, number)| format!("{name} {}", count(*number))).collect();
    let steady = or_dash(summary.steady_per_s.map(|rate| format!("{rate:.5}")));
    let machines = count(settings.machines);
    let (half, most) = (or_dash(summary.to_license_p50_hours), or_dash(summary.to_license_p99_hours));
    let first_lease = summary.threshold_met_after_days.map(|days| format!("{days} d after the first start"));
    let first_lapse = summary.first_lapse_day.map(|day| format!(", the first on {}", dated(day)));
    let (lapsed, days) = (counted(summary.ever_lapsed, "machine"), figure(summary.lapsed_machine_days));
    let arithmetic =
        format!("{machines} machines / {} is {:.5}", settings.renew_interval, summary.arithmetic_per_s);
    let rows = [
        ("asks answered", count(summary.asks)),
        ("answers", answers.join(", ")),
        ("asks from off network", count(summary.asks_from_away)),
        ("steady asks a second", format!("{steady}; {arithmetic}")),
        ("busiest hour", summary.peak_hour.to_string()),
        ("first lease", or_dash(first_lease)),
        ("start to lease", format!("half within {half} h, 99 % within {most} h")),
        ("never licensed", counted(summary.never_licensed, "machine")),
        ("warned at any time", counted(summary.ever_warned, "machine")),
        (
            "lapsed at any time",
            format!("{lapsed}{}; {days} machine-days in all", first_lapse.unwrap_or_default()),
        ),
    ];
    rows.map(|(name, value)| format!("{name:23} {value}")).join("\n")
}
