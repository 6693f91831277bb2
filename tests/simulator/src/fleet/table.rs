//! What is printed: what was played, where the fleet stood over time, the figures, and the planner's answer.

use shared::time::Length;

use super::calendar::{date, dated};
use super::options::Plan;
use super::result::{Found, Return, Sample, Summary};
use super::settings;
use report::Table;
use report::figures::{count, counted, figure, grouped, or_dash};

/// The most rows of the table over time; the file has all samples.
const ROWS: usize = 14;

/// Everything that a run prints.
pub(crate) fn text(found: &Found) -> String {
    let settings = settings::lines(&found.plan).into_iter();
    let settings: Vec<_> = settings.map(|(name, text)| format!("{name:9}{text}")).collect();
    let mut parts = vec![
        settings.join("\n"),
        format!("Over time; asks since the row above\n{}", over_time(found)),
        summary(&found.summary, &found.plan),
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

fn summary(summary: &Summary, plan: &Plan) -> String {
    let answers: Vec<_> =
        summary.answers.iter().map(|(name, number)| format!("{name} {}", count(*number))).collect();
    let steady = or_dash(summary.steady_per_s.map(|rate| format!("{rate:.5}")));
    let (machines, renew_interval) = (count(plan.machines), Length(plan.policy().renew_interval));
    let (half, most) = (or_dash(summary.to_license_p50_hours), or_dash(summary.to_license_p99_hours));
    let first_lease = summary.threshold_met_after_days.map(|days| format!("{days} d after the first start"));
    let first_lapse = summary.first_lapse_day.map(|day| format!(", the first on {}", dated(day)));
    let (lapsed, days) = (counted(summary.ever_lapsed, "machine"), figure(summary.lapsed_machine_days));
    let arithmetic = format!("{machines} machines / {renew_interval} is {:.5}", summary.arithmetic_per_s);
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
