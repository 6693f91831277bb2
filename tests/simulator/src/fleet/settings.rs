//! What was played: the head of every table, page and file.

use std::time::Duration;

use serde::{Serialize as _, Serializer};
use serde_json::json;
use shared::time::Length;

use super::calendar::date;
use super::options::Plan;
use super::outage::Outage;
use report::figures::{count, counted};

/// In a few lines, each with its name.
pub(crate) fn lines(plan: &Plan) -> Vec<(&'static str, String)> {
    let (policy, used) = (plan.policy(), &plan.used);
    let [validity, renew_interval, expiry_warning] =
        [policy.validity, policy.renew_interval, policy.expiry_warning].map(Length);
    let [retry_interval, renew_retry, renew_retry_max] =
        [policy.retry_interval, policy.renew_retry, policy.renew_retry_max].map(Length);
    let (machines, days) = (counted(plan.machines, "machine"), counted(plan.days, "day"));
    let (servers, laptops) = (used.always_on, used.laptops);
    let outages: Vec<_> = plan.outages.iter().map(Outage::to_string).collect();
    let mut lines = vec![
        (
            "fleet",
            format!(
                "{machines}, {}, {days} from Monday {}; seed {}",
                counted(plan.hosts, "host"),
                date(0.0),
                plan.seed
            ),
        ),
        (
            "numbers",
            format!(
                "threshold {} within {}; a lease lives {validity}, is renewed after {renew_interval}, ends soon \
                 {expiry_warning} before its end; grace {}",
                count(policy.threshold),
                Length(policy.count_window),
                Length(plan.setup().grace)
            ),
        ),
        (
            "retries",
            format!(
                "unlicensed every {retry_interval}; licensed after {renew_retry}, doubling up to {renew_retry_max}"
            ),
        ),
        (
            "use",
            format!(
                "installed over {}; {servers} % never off, {} % in the office, Monday to Friday {}; {laptops} % laptops, the \
                 same hours, off the network for {}",
                counted(used.rollout, "day"),
                100 - servers - laptops,
                hours(plan),
                away(plan)
            ),
        ),
        ("outages", if outages.is_empty() { "none".to_owned() } else { outages.join(", ") }),
    ];
    lines.extend(plan.leave.map(|leave| ("leaving", leave.to_string())));
    lines
}

/// For programs. Lengths are written as for people: `7 d`.
pub(crate) fn serialize<S: Serializer>(plan: &Plan, to: S) -> Result<S::Ok, S::Error> {
    let mut settings = json!({
        "machines": plan.machines,
        "days": plan.days,
        "hosts": plan.hosts,
        "threshold": plan.policy().threshold,
        "grace": Length(plan.setup().grace).to_string(),
        "rollout_days": plan.used.rollout,
        "hours": hours(plan),
        "always_on_percent": plan.used.always_on,
        "laptops_percent": plan.used.laptops,
        "away": away(plan),
        "outages": plan.outages.iter().map(Outage::to_string).collect::<Vec<_>>(),
        "leave": plan.leave.map(|leave| leave.to_string()),
        "seed": plan.seed,
    });
    for (name, length, ..) in plan.policy().lengths() {
        settings[name] = Length(length).to_string().into();
    }
    settings.serialize(to)
}

fn hours(plan: &Plan) -> String {
    format!("{}-{}", plan.used.hours.from, plan.used.hours.to)
}

fn away(plan: &Plan) -> String {
    let length = |ms: i64| Length(Duration::from_millis(ms.unsigned_abs()));
    format!("{} of every {}", length(plan.used.away.length_ms), length(plan.used.away.cycle_ms))
}
