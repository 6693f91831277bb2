//! What has happened in a play so far.
//!
//! Numbers of machines are kept as differences between the instants of sampling: noting a change costs the same, whenever it is
//! noted and whenever it happened. `result` chooses what is worth reading.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::license::Notice;
use shared::reason::Reason;
use shared::time::Timestamp;

use super::calendar::{DAY, DAY_ZERO, HOUR};
use super::license::{Standing, UserView};
use super::options::Plan;

/// More instants than this a chart does not show.
const SAMPLES_MAX: u32 = 1000;

/// The hours between two samples that may be chosen; the last is enough for ten years.
const STEPS: [u32; 8] = [1, 2, 3, 4, 6, 12, 24, 96];

/// Equal stretches of the play, and the instant in each at which the fleet is sampled: its middle; where it is a day or
/// more, the first day's noon, when offices are open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    pub(crate) length: Duration,
    pub(crate) number: usize,
}

impl Steps {
    /// As fine as [`SAMPLES_MAX`] allows.
    fn of(plan: &Plan) -> Steps {
        let hours = plan.days * 24;
        let step = STEPS.into_iter().find(|step| hours.div_ceil(*step) <= SAMPLES_MAX).unwrap_or(96);
        let number = usize::try_from(hours.div_ceil(step)).expect("a thousand at the most");
        Steps { length: HOUR * step, number }
    }

    pub(crate) fn instant(&self, sample: usize) -> Timestamp {
        let sample = u32::try_from(sample).expect("a thousand at the most");
        DAY_ZERO + self.length * sample + (self.length / 2).min(DAY / 2)
    }

    /// The stretch in which this instant lies.
    fn stretch(&self, at: Timestamp) -> usize {
        index(at, self.length).min(self.number - 1)
    }

    /// The first sample that is not before this instant; [`Steps::number`] if there is none.
    fn first_from(&self, at: Timestamp) -> usize {
        let offset = self.instant(0).since(DAY_ZERO);
        let into = at.since(DAY_ZERO + offset);
        index(DAY_ZERO + into, Duration::from_millis(1)).div_ceil(millis(self.length)).min(self.number)
    }
}

/// A number over time, as what it changes by from one instant to the next; one more place is for after the last.
type Differences = Vec<i64>;

/// The number at each instant.
fn sums(differences: &[i64]) -> Vec<u64> {
    let mut sum = 0;
    let sums = differences[..differences.len() - 1].iter().map(|by| {
        sum += by;
        u64::try_from(sum).expect("a machine leaves only where it was")
    });
    sums.collect()
}

pub(crate) struct History {
    pub(crate) steps: Steps,
    standings: [Differences; Standing::COUNT],
    warned: Differences,
    /// By the hour, for what has to be known more exactly.
    licensed_by_hour: Differences,
    installed_by_hour: Differences,
    /// Answers of running hosts, by the hour.
    pub(crate) asks_by_hour: Vec<u64>,
    /// What hosts answered in each stretch, by its name; `HOST_UNREACHABLE` where one was down.
    pub(crate) answers: BTreeMap<&'static str, Vec<u64>>,
    /// What each host counted at each sample; nothing while it is down.
    pub(crate) counts: Vec<Vec<Option<u64>>>,
    /// Asks that never left the place where a laptop was.
    pub(crate) asks_from_away: u64,
    pub(crate) first_lease_at: Option<Timestamp>,
    pub(crate) first_lapse_at: Option<Timestamp>,
    lapsed_ms: u64,
}

impl History {
    pub(crate) fn new(plan: &Plan) -> History {
        let steps = Steps::of(plan);
        let hours = usize::try_from(plan.days * 24).expect("ten years at the most");
        History {
            steps,
            standings: std::array::from_fn(|_| vec![0; steps.number + 1]),
            warned: vec![0; steps.number + 1],
            licensed_by_hour: vec![0; hours + 1],
            installed_by_hour: vec![0; hours + 1],
            asks_by_hour: vec![0; hours],
            answers: BTreeMap::new(),
            counts: vec![Vec::with_capacity(steps.number); usize::from(plan.hosts)],
            asks_from_away: 0,
            first_lease_at: None,
            first_lapse_at: None,
            lapsed_ms: 0,
        }
    }

    /// A product is started for the first time.
    pub(crate) fn installed(&mut self, shown: &UserView) {
        let hour = self.hour(shown.since);
        self.installed_by_hour[hour] += 1;
        self.add(shown, shown.since, 1);
    }

    /// A machine shows something else from `now.since` on.
    pub(crate) fn changed(&mut self, before: &UserView, now: &UserView) {
        self.add(before, now.since, -1);
        self.add(now, now.since, 1);
        if before.standing == Standing::Lapsed {
            self.lapsed_for(now.since.since(before.since));
        }
        if now.standing == Standing::Lapsed {
            self.first_lapse_at = Some(self.first_lapse_at.map_or(now.since, |first| first.min(now.since)));
        }
    }

    /// The play is over at this instant, or a machine has left: it shows this until then.
    pub(crate) fn ended(&mut self, shown: &UserView, at: Timestamp) {
        if shown.standing == Standing::Lapsed {
            self.lapsed_for(at.since(shown.since));
        }
        self.add(shown, at, -1);
        let hour = self.hour(at);
        self.installed_by_hour[hour] -= 1;
    }

    /// A host has answered this, or was down.
    pub(crate) fn answered(&mut self, at: Timestamp, name: &'static str) {
        let (stretch, number) = (self.steps.stretch(at), self.steps.number);
        self.answers.entry(name).or_insert_with(|| vec![0; number])[stretch] += 1;
        if name == Reason::HostUnreachable.code() {
            return;
        }
        if name == "LEASE" && self.first_lease_at.is_none() {
            self.first_lease_at = Some(at);
        }
        self.asks_by_hour[index(at, HOUR)] += 1;
    }

    /// Machines of this standing at each sample.
    pub(crate) fn standing(&self, standing: Standing) -> Vec<u64> {
        sums(&self.standings[standing as usize])
    }

    /// Machines that show a warning at each sample.
    pub(crate) fn warned(&self) -> Vec<u64> {
        sums(&self.warned)
    }

    /// How many are installed, and how many of them are licensed, at the end of each hour of the play.
    pub(crate) fn licensed_by_hour(&self) -> Vec<(u64, u64)> {
        sums(&self.installed_by_hour).into_iter().zip(sums(&self.licensed_by_hour)).collect()
    }

    /// How long machines were lapsed, all added up, in days.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a million machines for ten years are 2^59 ms; a share of 2^-7 is lost"
    )]
    pub(crate) fn lapsed_days(&self) -> f64 {
        self.lapsed_ms as f64 / DAY.as_millis() as f64
    }

    fn add(&mut self, shown: &UserView, at: Timestamp, by: i64) {
        let sample = self.steps.first_from(at);
        self.standings[shown.standing as usize][sample] += by;
        if shown.notice == Notice::Warning {
            self.warned[sample] += by;
        }
        if shown.standing.is_licensed() {
            let hour = self.hour(at);
            self.licensed_by_hour[hour] += by;
        }
    }

    fn hour(&self, at: Timestamp) -> usize {
        index(at, HOUR).min(self.asks_by_hour.len())
    }

    fn lapsed_for(&mut self, length: Duration) {
        self.lapsed_ms += u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    }
}

/// How many whole lengths there are from day 0 to an instant.
fn index(at: Timestamp, length: Duration) -> usize {
    usize::try_from(at.since(DAY_ZERO).as_millis() / length.as_millis()).unwrap_or(usize::MAX)
}

fn millis(length: Duration) -> usize {
    usize::try_from(length.as_millis()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::options::tests::plan;
    use super::*;
    use shared::time::to_ms;

    #[test]
    fn there_are_never_more_samples_than_a_chart_shows() {
        for (days, hours) in [(1, 1), (41, 1), (42, 2), (730, 24), (1000, 24), (1001, 96), (3650, 96)] {
            let steps = Steps::of(&plan(&format!("--days {days} --rollout 1")));
            assert_eq!(steps.length, HOUR * hours, "{days} days");
            assert!(steps.number <= 1000);
            assert!(steps.instant(steps.number - 1) < DAY_ZERO + DAY * days, "{days} days");
        }
    }

    #[test]
    fn what_changes_at_the_instant_of_a_sample_is_seen_by_it() {
        let steps = Steps::of(&plan("--days 730"));
        let noon = DAY_ZERO + DAY / 2;
        assert_eq!(steps.instant(0), noon);
        let millisecond = Duration::from_millis(1);
        for (at, sample) in [(DAY_ZERO, 0), (noon, 0), (noon + millisecond, 1), (noon + DAY, 1)] {
            assert_eq!(steps.first_from(at), sample, "{at}");
        }
        assert_eq!(steps.first_from(DAY_ZERO + DAY * 730), 730, "after the last");
    }

    #[test]
    fn a_change_is_written_down_at_its_own_instant_even_if_it_is_told_late() {
        let mut history = History::new(&plan("--days 41"));
        let at = |hours: u64| DAY_ZERO + Duration::from_hours(hours);
        let shown = |standing, since| UserView { standing, notice: Notice::Silent, since };
        let fine = shown(Standing::Licensed, at(1));
        let lapsed = UserView { notice: Notice::Warning, ..shown(Standing::Lapsed, at(3)) };
        history.installed(&fine);
        history.answered(at(9), "LEASE");
        history.changed(&fine, &lapsed);
        history.changed(&lapsed, &shown(Standing::Licensed, at(27)));
        assert_eq!(history.standing(Standing::Licensed)[..4], [0, 1, 1, 0]);
        assert_eq!(history.warned()[2..5], [0, 1, 1]);
        assert_eq!(history.licensed_by_hour()[..4], [(0, 0), (1, 1), (1, 1), (1, 0)]);
        assert!((history.lapsed_days() - 1.0).abs() < 1e-9);
        assert_eq!(to_ms(history.first_lapse_at.unwrap().since(DAY_ZERO)), 3 * 3_600_000);
    }
}
