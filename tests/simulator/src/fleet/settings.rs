//! What was played, in words: the head of every table, page and file.

use std::time::Duration;

use serde::Serialize;
use shared::time::Length;

use super::options::Plan;
use super::outage::Outage;

/// Every setting of a play. Lengths are written as for people: `7 d`.
#[derive(Debug, Serialize)]
pub(crate) struct Settings {
    pub(crate) machines: u32,
    pub(crate) days: u32,
    pub(crate) hosts: u8,
    pub(crate) threshold: u32,
    pub(crate) validity: String,
    pub(crate) renew_interval: String,
    pub(crate) retry_interval: String,
    pub(crate) renew_retry: String,
    pub(crate) renew_retry_max: String,
    pub(crate) count_window: String,
    pub(crate) expiry_warning: String,
    pub(crate) grace: String,
    pub(crate) rollout_days: u32,
    pub(crate) hours: String,
    pub(crate) always_on_percent: u32,
    pub(crate) laptops_percent: u32,
    pub(crate) away: String,
    pub(crate) outages: Vec<String>,
    /// Which share of the machines leaves on which day, if any does.
    pub(crate) leave: Option<String>,
    pub(crate) seed: u64,
}

impl Settings {
    pub(crate) fn of(plan: &Plan) -> Settings {
        let length = |length: Duration| Length(length).to_string();
        let ms = |ms: i64| length(Duration::from_millis(ms.unsigned_abs()));
        let (policy, used) = (plan.policy(), &plan.used);
        Settings {
            machines: plan.machines,
            days: plan.days,
            hosts: plan.hosts,
            threshold: policy.threshold,
            validity: length(policy.validity),
            renew_interval: length(policy.renew_interval),
            retry_interval: length(policy.retry_interval),
            renew_retry: length(policy.renew_retry),
            renew_retry_max: length(policy.renew_retry_max),
            count_window: length(policy.count_window),
            expiry_warning: length(policy.expiry_warning),
            grace: length(plan.setup().grace),
            rollout_days: used.rollout,
            hours: format!("{}-{}", used.hours.from, used.hours.to),
            always_on_percent: used.always_on,
            laptops_percent: used.laptops,
            away: format!("{} of every {}", ms(used.away.length_ms), ms(used.away.cycle_ms)),
            outages: plan.outages.iter().map(Outage::to_string).collect(),
            leave: plan.leave.map(|leave| leave.to_string()),
            seed: plan.seed,
        }
    }
}
