//! The play in a few figures.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use shared::time::Timestamp;

use super::{Sample, quotient};
use crate::fleet::calendar::{DAY_ZERO, HOURS_A_DAY, date, day_of, days, percentile, round};
use crate::fleet::history::History;
use crate::fleet::machine::Machine;
use crate::fleet::options::Plan;
use report::figures::counted;

#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Asks that a running host has answered.
    pub(crate) asks: u64,
    /// What hosts answered, by its name; `HOST_UNREACHABLE` where one was down.
    pub(crate) answers: BTreeMap<&'static str, u64>,
    /// Asks of laptops that were off the network.
    pub(crate) asks_from_away: u64,
    /// Asks a second by arithmetic: machines / renewal interval.
    pub(crate) arithmetic_per_s: f64,
    /// Asks a second in the second half of the play, its outages left out.
    pub(crate) steady_per_s: Option<f64>,
    pub(crate) peak_hour: Peak,
    /// Machines that are licensed at the last sample.
    pub(crate) licensed_at_end: u64,
    /// Machines that have warned at least once: their lease was about to end, or had ended, or their grace had.
    pub(crate) ever_warned: u64,
    /// Machines whose lease has ended at least once.
    pub(crate) ever_lapsed: u64,
    pub(crate) first_lapse_day: Option<f64>,
    /// Days that machines were lapsed, added up over all of them.
    pub(crate) lapsed_machine_days: f64,
    /// Machines that never held a lease.
    pub(crate) never_licensed: u64,
    /// From the first start to the first lease, in hours; of the machines that got one.
    pub(crate) to_license_p50_hours: Option<f64>,
    pub(crate) to_license_p99_hours: Option<f64>,
    /// Days from the first start of the first machine to the first lease of any.
    pub(crate) threshold_met_after_days: Option<f64>,
}

/// The busiest hour.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Peak {
    /// Which hour of the play, from 0.
    pub(crate) hour: usize,
    pub(crate) asks: u64,
}

impl Summary {
    /// Of a play that is over, and its samples.
    pub(super) fn of(plan: &Plan, history: &History, machines: &[Machine], samples: &[Sample]) -> Summary {
        let waits = waits(machines);
        let hours = &history.asks_by_hour;
        let first_start = machines.iter().map(|machine| machine.installed_at).min();
        let hours_of = |wait: Duration| round(wait.as_secs_f64() / 3600.0);
        let since_first = |at: Timestamp| days(at.since(first_start.unwrap_or(DAY_ZERO)));
        Summary {
            asks: hours.iter().sum(),
            answers: history.answers.iter().map(|(name, asks)| (*name, asks.iter().sum())).collect(),
            asks_from_away: history.asks_from_away,
            arithmetic_per_s: f64::from(plan.machines) / plan.policy().renew_interval.as_secs_f64(),
            steady_per_s: steady_per_s(plan, hours),
            peak_hour: Peak::within(hours, 0, hours.len()),
            licensed_at_end: samples.last().map_or(0, |sample| sample.licensed),
            ever_warned: number(machines, |machine| machine.has_warned),
            ever_lapsed: number(machines, |machine| machine.has_lapsed),
            first_lapse_day: history.first_lapse_at.map(day_of),
            lapsed_machine_days: round(history.lapsed_days()),
            never_licensed: number(machines, |machine| machine.first_licensed_at.is_none()),
            to_license_p50_hours: percentile(&waits, 50).map(hours_of),
            to_license_p99_hours: percentile(&waits, 99).map(hours_of),
            threshold_met_after_days: history.first_lease_at.map(since_first),
        }
    }
}

impl Peak {
    /// The first of the busiest hours from one to another.
    pub(super) fn within(asks_by_hour: &[u64], from: usize, to: usize) -> Peak {
        let hours = (from..to.min(asks_by_hour.len())).map(|hour| (asks_by_hour[hour], hour));
        let (asks, hour) =
            hours.reduce(|best, other| if best.0 < other.0 { other } else { best }).unwrap_or_default();
        Peak { hour, asks }
    }

    /// `day 7 (Mon 2026-01-12) 08:00`.
    pub(crate) fn when(&self) -> String {
        const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let day = self.hour / HOURS_A_DAY;
        let date = date(f64::from(u32::try_from(day).unwrap_or(u32::MAX)));
        format!("day {day} ({} {date}) {:02}:00", NAMES[day % 7], self.hour % HOURS_A_DAY)
    }
}

/// `730 asks, day 7 (Mon 2026-01-12) 08:00`.
impl fmt::Display for Peak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", counted(self.asks, "ask"), self.when())
    }
}

/// How many machines this holds for.
fn number(machines: &[Machine], so: impl Fn(&Machine) -> bool) -> u64 {
    machines.iter().map(|machine| u64::from(so(machine))).sum()
}

/// From the first start to the first lease, sorted.
fn waits(machines: &[Machine]) -> Vec<Duration> {
    let wait = |machine: &Machine| Some(machine.first_licensed_at?.since(machine.installed_at));
    let mut waits: Vec<_> = machines.iter().filter_map(wait).collect();
    waits.sort_unstable();
    waits
}

/// The mean over the second half of the play, without the outages that strike every host.
fn steady_per_s(plan: &Plan, asks_by_hour: &[u64]) -> Option<f64> {
    let is_down = |hour: usize| {
        let at = hour_begins_at(hour);
        plan.outages
            .iter()
            .filter(|outage| outage.host.is_none())
            .any(|outage| outage.begins_at() <= at && at < outage.ends_at())
    };
    let hours = (asks_by_hour.len() / 2..asks_by_hour.len()).filter(|hour| !is_down(*hour));
    let (number, asks) = hours.fold((0, 0), |(number, asks), hour| (number + 1, asks + asks_by_hour[hour]));
    (number != 0).then(|| quotient(asks, number) / 3600.0)
}

fn hour_begins_at(hour: usize) -> Timestamp {
    DAY_ZERO + Duration::from_hours(u64::try_from(hour).unwrap_or(u64::MAX))
}
