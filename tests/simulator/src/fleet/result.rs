//! What a play has shown: the JSON file, and what the table and the page are made of.
//!
//! Nothing in it depends on when or how fast it was played: the same plan gives the same bytes. The few figures stand in
//! `summary`, what happened after an outage in `returns`.

mod returns;
mod summary;

use std::collections::BTreeMap;

use serde::Serialize;

pub(crate) use self::returns::Return;
pub(crate) use self::summary::{Peak, Summary};
use super::back::Back;
use super::calendar::{day_of, round};
use super::down::Down;
use super::history::History;
use super::license::Standing;
use super::options::Plan;
use super::outage::Outage;
use super::play::Play;
use super::settings;

/// The version of the file's format.
const FORMAT: u32 = 1;

/// What a play has shown. Days count from day 0, fractions included.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    format: u32,
    #[serde(rename = "settings", serialize_with = "settings::serialize")]
    pub(crate) plan: Plan,
    pub(crate) summary: Summary,
    /// What is seen if the hosts stop for good; nothing if it was not asked.
    pub(crate) down: Option<Down>,
    /// How long they may be down and come back; nothing if it was not asked.
    pub(crate) back: Option<Back>,
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
    pub(crate) fn of(played: &Play) -> Found {
        let Play { plan, history, machines, down, back, .. } = played;
        let samples = Sample::each(history);
        Found {
            format: FORMAT,
            plan: plan.clone(),
            summary: Summary::of(plan, history, machines, &samples),
            down: down.clone(),
            back: back.clone(),
            answer: back.as_ref().map(Back::answer),
            returns: Return::each(plan, history),
            outages: plan.outages.iter().map(|outage| span(outage, plan)).collect(),
            step_hours: history.steps.length.as_secs() / 3600,
            samples,
        }
    }
}

impl Sample {
    /// Each stretch of the play.
    fn each(history: &History) -> Vec<Sample> {
        let standing = |standing| history.standing(standing);
        let (grace, fine) = (standing(Standing::InGrace), standing(Standing::Licensed));
        let (overdue, expiring) = (standing(Standing::Overdue), standing(Standing::Expiring));
        let (lapsed, never) = (standing(Standing::Lapsed), standing(Standing::NeverActivated));
        let warned = history.warned();
        let sample = |place: usize| {
            let asks = asks_within(history, place);
            let licensed = fine[place] + overdue[place] + expiring[place];
            Sample {
                day: day_of(history.steps.instant(place)),
                installed: licensed + grace[place] + lapsed[place] + never[place],
                licensed,
                overdue: overdue[place],
                expiring: expiring[place],
                in_grace: grace[place],
                lapsed: lapsed[place],
                never_activated: never[place],
                warned: warned[place],
                counts: history.counts.iter().map(|counts| counts[place]).collect(),
                asks_per_hour: round(quotient(asks.iter().sum(), asks.len())),
                peak_hour_asks: asks.iter().copied().max().unwrap_or(0),
                answers: answers_within(history, place),
            }
        };
        (0..history.steps.number).map(sample).collect()
    }
}

/// The asks of each hour of a stretch.
fn asks_within(history: &History, place: usize) -> &[u64] {
    let step_hours = usize::try_from(history.steps.length.as_secs() / 3600).expect("96 at the most");
    let hours = &history.asks_by_hour;
    &hours[place * step_hours..hours.len().min((place + 1) * step_hours)]
}

/// What hosts answered in a stretch.
fn answers_within(history: &History, place: usize) -> BTreeMap<&'static str, u64> {
    let answers = history.answers.iter().map(|(name, asks)| (*name, asks[place]));
    answers.filter(|(_, asks)| *asks != 0).collect()
}

fn span(outage: &Outage, plan: &Plan) -> (String, f64, f64) {
    let name = match outage.host {
        None => "hosts down".to_owned(),
        Some(host) => format!("host {host} down"),
    };
    (name, f64::from(outage.from), f64::from(outage.to.unwrap_or(plan.days).min(plan.days)))
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 asks")]
fn quotient(sum: u64, number: usize) -> f64 {
    sum as f64 / number as f64
}
