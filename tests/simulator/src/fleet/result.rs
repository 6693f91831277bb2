//! What a play has shown: the JSON file, and what the table and the page are made of.
//!
//! Nothing in it depends on when or how fast it was played: the same plan gives the same bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use shared::reason::Reason;
use shared::time::Timestamp;

use super::down::Down;
use super::history::History;
use super::machine::{Machine, Standing};
use super::options::{DAY_ZERO, Plan, day};
use super::outage::Outage;
use super::play::Played;
use super::settings::Settings;
use super::week::DAY;

/// The version of the file's format.
const FORMAT: u32 = 1;

const HOURS_A_DAY: usize = 24;

/// For how many days after a return its busiest hour is looked for.
const RETURN_DAYS: usize = 14;

/// What a play has shown. Days count from day 0, fractions included.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    format: u32,
    pub(crate) settings: Settings,
    pub(crate) summary: Summary,
    /// How long the hosts may be down; nothing if it was not asked.
    pub(crate) down: Option<Down>,
    /// The answer to that, in one sentence.
    pub(crate) answer: Option<String>,
    /// What happened when hosts came back, for each outage that ended.
    pub(crate) returns: Vec<Return>,
    /// When hosts were down: its name, its first day, and the day of the return or of the play's end.
    pub(crate) outages: Vec<(String, f64, f64)>,
    /// How many hours a sample stands for.
    pub(crate) step_hours: u64,
    pub(crate) samples: Vec<Sample>,
}

/// The play in a few figures.
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
    /// Machines whose lease has ended at least once.
    pub(crate) ever_lapsed: usize,
    pub(crate) first_lapse_day: Option<f64>,
    /// Days that machines were lapsed, added up over all of them.
    pub(crate) lapsed_machine_days: f64,
    /// Machines that never held a lease.
    pub(crate) never_licensed: usize,
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

/// What happened when hosts came back.
#[derive(Debug, Serialize)]
pub(crate) struct Return {
    pub(crate) outage: String,
    pub(crate) on_day: u32,
    /// Machines that held no lease at that moment.
    pub(crate) unlicensed: u64,
    /// Days until 99 in 100 of the machines installed were licensed; nothing if the play ended before.
    pub(crate) most_licensed_after_days: Option<f64>,
    /// Days until all of them were.
    pub(crate) all_licensed_after_days: Option<f64>,
    /// The busiest hour of the fortnight after it.
    pub(crate) peak_hour: Peak,
    /// Asks that were refused since, because the host doubted its clock.
    pub(crate) refused_in_doubt: u64,
    /// The lowest count that a sample of the fortnight has seen at a host that came back.
    pub(crate) lowest_count: Option<u64>,
}

/// Where the fleet stood at one instant, and what hosts answered in the stretch around it.
#[derive(Debug, Serialize)]
pub(crate) struct Sample {
    /// The instant.
    pub(crate) day: f64,
    pub(crate) installed: u64,
    /// All that hold a lease: also those that are overdue, and those that end soon.
    pub(crate) licensed: u64,
    pub(crate) overdue: u64,
    pub(crate) expiring: u64,
    pub(crate) in_grace: u64,
    pub(crate) lapsed: u64,
    pub(crate) never_activated: u64,
    /// Machines that show a warning.
    pub(crate) warned: u64,
    /// What each host counts; nothing while it is down.
    pub(crate) counts: Vec<Option<u64>>,
    pub(crate) asks_per_hour: f64,
    pub(crate) peak_hour_asks: u64,
    pub(crate) answers: BTreeMap<&'static str, u64>,
}

impl Found {
    /// Of a play that is over.
    pub(crate) fn of(played: &Played) -> Found {
        let Played { plan, history, machines, down } = played;
        let samples = samples(history);
        Found {
            format: FORMAT,
            settings: Settings::of(plan),
            summary: Summary::of(plan, history, machines, &samples),
            down: down.clone(),
            answer: down.as_ref().map(Down::answer),
            returns: returns(plan, history),
            outages: plan.outages.iter().map(|outage| span(outage, plan)).collect(),
            step_hours: history.steps.length.as_secs() / 3600,
            samples,
        }
    }
}

impl Return {
    /// The heads of its row in a table.
    pub(crate) const HEAD: [&str; 7] = [
        "outage",
        "unlicensed at the return",
        "99 % licensed after",
        "all licensed after",
        "lowest count",
        "refused in doubt",
        "busiest hour",
    ];

    /// Its row.
    pub(crate) fn cells(&self) -> [String; 7] {
        let after =
            |days: Option<f64>| days.map_or("not in this play".to_owned(), |days| format!("{days:.1} d"));
        [
            self.outage.clone(),
            self.unlicensed.to_string(),
            after(self.most_licensed_after_days),
            after(self.all_licensed_after_days),
            or_none(self.lowest_count),
            self.refused_in_doubt.to_string(),
            self.peak_hour.to_string(),
        ]
    }
}

impl Peak {
    /// `day 7 (Mon) 08:00`.
    pub(crate) fn when(&self) -> String {
        const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let day = self.hour / HOURS_A_DAY;
        format!("day {day} ({}) {:02}:00", NAMES[day % 7], self.hour % HOURS_A_DAY)
    }
}

/// `730 asks, day 7 (Mon) 08:00`.
impl fmt::Display for Peak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} asks, {}", self.asks, self.when())
    }
}

impl Summary {
    fn of(plan: &Plan, history: &History, machines: &[Machine], samples: &[Sample]) -> Summary {
        let waits = waits(machines);
        let hours = history.asks_by_hour();
        let first_start = machines.iter().map(|machine| machine.installed_at).min();
        let since_first = |at: Timestamp| days(at.since(first_start.unwrap_or(DAY_ZERO)));
        Summary {
            asks: hours.iter().sum(),
            answers: history.answers().iter().map(|(name, asks)| (*name, asks.iter().sum())).collect(),
            asks_from_away: history.asks_from_away,
            arithmetic_per_s: f64::from(plan.machines) / plan.policy.renew_interval.as_secs_f64(),
            steady_per_s: steady_per_s(plan, hours),
            peak_hour: peak(hours, 0, hours.len()),
            licensed_at_end: samples.last().map_or(0, |sample| sample.licensed),
            ever_lapsed: machines.iter().filter(|machine| machine.has_lapsed).count(),
            first_lapse_day: history.first_lapse_at.map(|at| days(at.since(DAY_ZERO))),
            lapsed_machine_days: round(history.lapsed_days()),
            never_licensed: machines.iter().filter(|machine| machine.first_licensed_at.is_none()).count(),
            to_license_p50_hours: quantile_hours(&waits, 50),
            to_license_p99_hours: quantile_hours(&waits, 99),
            threshold_met_after_days: history.first_lease_at.map(since_first),
        }
    }
}

/// From the first start to the first lease, sorted.
fn waits(machines: &[Machine]) -> Vec<Duration> {
    let wait = |machine: &Machine| Some(machine.first_licensed_at?.since(machine.installed_at));
    let mut waits: Vec<_> = machines.iter().filter_map(wait).collect();
    waits.sort_unstable();
    waits
}

fn quantile_hours(sorted: &[Duration], percent: usize) -> Option<f64> {
    let place = (sorted.len() * percent).div_ceil(100).checked_sub(1)?;
    sorted.get(place).map(|length| round(length.as_secs_f64() / 3600.0))
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

fn samples(history: &History) -> Vec<Sample> {
    let standing = |standing| history.standing(standing);
    let (grace, fine) = (standing(Standing::InGrace), standing(Standing::Licensed));
    let (overdue, expiring) = (standing(Standing::Overdue), standing(Standing::Expiring));
    let (lapsed, never) = (standing(Standing::Lapsed), standing(Standing::NeverActivated));
    let warned = history.warned();
    let step_hours = usize::try_from(history.steps.length.as_secs() / 3600).expect("96 at the most");
    let sample = |place: usize| {
        let hours = history.asks_by_hour();
        let hours = &hours[place * step_hours..hours.len().min((place + 1) * step_hours)];
        let licensed = fine[place] + overdue[place] + expiring[place];
        Sample {
            day: days(history.steps.instant(place).since(DAY_ZERO)),
            installed: licensed + grace[place] + lapsed[place] + never[place],
            licensed,
            overdue: overdue[place],
            expiring: expiring[place],
            in_grace: grace[place],
            lapsed: lapsed[place],
            never_activated: never[place],
            warned: warned[place],
            counts: history.counts.iter().map(|counts| counts[place]).collect(),
            asks_per_hour: round(quotient(hours.iter().sum(), hours.len())),
            peak_hour_asks: hours.iter().copied().max().unwrap_or(0),
            answers: history
                .answers()
                .iter()
                .filter(|(_, asks)| asks[place] != 0)
                .map(|(name, asks)| (*name, asks[place]))
                .collect(),
        }
    };
    (0..history.steps.number).map(sample).collect()
}

fn span(outage: &Outage, plan: &Plan) -> (String, f64, f64) {
    let name = match outage.host {
        None => "hosts down".to_owned(),
        Some(host) => format!("host {host} down"),
    };
    (name, f64::from(outage.from), f64::from(outage.to.unwrap_or(plan.days).min(plan.days)))
}

fn returns(plan: &Plan, history: &History) -> Vec<Return> {
    let licensed = history.licensed_by_hour();
    let ended = plan.outages.iter().filter_map(|outage| Some((outage, outage.to?)));
    let ended = ended.filter(|(_, to)| *to < plan.days);
    ended.map(|(outage, to)| of_return(outage, to, history, &licensed)).collect()
}

fn of_return(outage: &Outage, to: u32, history: &History, licensed: &[(u64, u64)]) -> Return {
    let hour = usize::try_from(to).expect("3650 at the most") * HOURS_A_DAY;
    // The sum at the end of the hour before is the one at the moment of the return.
    let (installed, holding) = licensed[hour - 1];
    let until = |enough: fn(u64, u64) -> bool| {
        let after = licensed[hour - 1..].iter().position(|(installed, holding)| enough(*installed, *holding));
        after.map(|hours| round(quotient(u64::try_from(hours).unwrap_or(u64::MAX), HOURS_A_DAY)))
    };
    let steps = history.steps;
    let after = |place: &usize| {
        let at = steps.instant(*place);
        day(to) <= at && at < day(to) + DAY * u32::try_from(RETURN_DAYS).expect("a fortnight")
    };
    let struck = (0..).zip(&history.counts).filter(|(host, _)| outage.strikes(*host));
    let counts =
        struck.flat_map(|(_, counts)| (0..counts.len()).filter(after).filter_map(|place| counts[place]));
    let in_doubt = history.answers().get(Reason::HostClock.code());
    let since = (0..steps.number).filter(|place| day(to) <= steps.instant(*place));
    Return {
        outage: outage.to_string(),
        on_day: to,
        unlicensed: installed - holding,
        most_licensed_after_days: until(|installed, holding| installed * 99 <= holding * 100),
        all_licensed_after_days: until(|installed, holding| installed == holding),
        peak_hour: peak(history.asks_by_hour(), hour, hour + RETURN_DAYS * HOURS_A_DAY),
        refused_in_doubt: in_doubt.map_or(0, |asks| since.map(|place| asks[place]).sum()),
        lowest_count: counts.min(),
    }
}

/// The first of the busiest hours from one to another.
fn peak(asks_by_hour: &[u64], from: usize, to: usize) -> Peak {
    let hours = (from..to.min(asks_by_hour.len())).map(|hour| (asks_by_hour[hour], hour));
    let (asks, hour) =
        hours.reduce(|best, other| if best.0 < other.0 { other } else { best }).unwrap_or_default();
    Peak { hour, asks }
}

fn hour_begins_at(hour: usize) -> Timestamp {
    DAY_ZERO + Duration::from_hours(u64::try_from(hour).unwrap_or(u64::MAX))
}

/// A value, or a dash where there is none.
pub(crate) fn or_none<T: fmt::Display>(value: Option<T>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

/// A length in days, to a thousandth: a minute and a half.
pub(crate) fn days(length: Duration) -> f64 {
    round(length.as_secs_f64() / DAY.as_secs_f64())
}

fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 asks")]
fn quotient(sum: u64, number: usize) -> f64 {
    sum as f64 / number as f64
}
