//! How long an outage may last of which the hosts come back: the longest after which every machine is reached in time.
//!
//! A host that is back just before a lease ends does not help a laptop that is off the network then. So for every lease
//! it is asked when the host has to be back for its machine to reach it before it warns, and before it lapses. The
//! answer is the shortest of these, over every lease of a fleet that might have been the last one before the hosts
//! failed. It is never too long, and errs like this:
//!
//! - A machine asks in vain until the host is back, and then within a back-off step, or when it is switched on after
//!   that. Jitter only makes it earlier and is left out. What counts is a stay on the network that is long enough for
//!   such an ask, whatever was drawn; `week/sure.rs`. A machine that has none has to be reached at once: zero days.
//! - A host that was away for longer than a count window doubts its clock until enough machines agree with it, and then
//!   counts from nothing up to its threshold. Until enough machines have surely asked, twice over, it is taken to give
//!   nobody a lease, however short the outage. From then on the fleet holds its threshold as it does without an outage.
//! - The hosts may fail at any instant of the stretch: the worst for a lease is just before it would be renewed, so
//!   there it is asked, and at the end of the stretch for every lease that is held then.
//!
//! Left out is whoever warns, or lapses, without an outage too: it is away, or gone, until then.

use std::time::Duration;

use serde::Serialize;
use shared::license::Timer;
use shared::time::Timestamp;

use super::machine::Machine;
use super::options::{DAY_ZERO, Plan, day};
use super::result::days;
use crate::figures::{counted, or_dash};

/// The hosts may fail within a whole absence of the laptops, and within so many weeks at least.
const STRETCH_MIN: Duration = Duration::from_hours(8 * 7 * 24);

/// How far two returns are apart for which it is asked how long the host takes.
const RETURNS_APART: Duration = Duration::from_hours(6);

/// So many machines are enough to find that out, unless a threshold needs more; fewer than all only make it longer.
const ASKED_FOR_THE_HOST: usize = 1000;

/// How many machines that it knows end a host's doubt; as in `shared::doubt`.
const QUORUM: usize = 3;

/// Machines are counted by the hour, so one may leave the count so much early.
const HOUR: Duration = Duration::from_hours(1);

/// The longest outages that do no harm if the hosts are back after them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Back {
    /// The hosts fail at any time from this day of the play on,
    pub(crate) from_day: f64,
    /// and until this one.
    pub(crate) to_day: f64,
    /// After so many days nobody has been warned for the outage; nothing if there is nobody who could be.
    pub(crate) warning_days: Option<f64>,
    /// After so many days no lease has ended for the outage.
    pub(crate) lapse_days: Option<f64>,
    /// What of it the host itself may need after its return; nothing if it cannot be sure of its threshold.
    pub(crate) host_ready_days: Option<f64>,
}

impl Back {
    /// The answer, in one sentence.
    pub(crate) fn answer(&self) -> String {
        let when =
            format!("Whenever all hosts fail between day {:.0} and day {:.0}", self.from_day, self.to_day);
        let whole = |days: f64| counted(whole_days(days), "day");
        match (self.host_ready_days, self.warning_days, self.lapse_days) {
            (_, None, None) => {
                format!("{when}, no machine loses a lease that it would not have lost anyway.")
            }
            (None, _, _) => format!(
                "{when}, no outage is sure to be harmless: too few machines come to the host to meet the threshold \
                 within a count window."
            ),
            (Some(_), warning, lapse) => {
                let warning = warning
                    .map(|days| format!("no user sees a warning if they are back within {}", whole(days)));
                let lapse =
                    lapse.map(|days| format!("no machine lapses if they are back within {}", whole(days)));
                let both: Vec<_> = warning.into_iter().chain(lapse).collect();
                format!("{when}, {}; this holds for this fleet and this seed.", both.join(", and "))
            }
        }
    }

    /// The same as rows of a table: what does not happen, and how long the outage may be for that.
    pub(crate) fn rows(&self) -> [(String, String); 3] {
        let cell = |days: Option<f64>| or_dash(days.map(|days| format!("{days:.1}")));
        [
            ("no user sees a warning".to_owned(), cell(self.warning_days)),
            ("no machine lapses".to_owned(), cell(self.lapse_days)),
            (
                "kept in these for the host to be sure of its clock and its count".to_owned(),
                cell(self.host_ready_days),
            ),
        ]
    }
}

/// Days that are over.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from zero to a few years")]
pub(crate) fn whole_days(days: f64) -> u64 {
    days as u64
}

/// Looks on while a play goes through the stretch in which the hosts may fail.
pub(crate) struct Stretch {
    from: Timestamp,
    to: Timestamp,
    /// A licensed machine that finds no host asks again within this.
    step: Duration,
    expiry_warning: Duration,
    warning: Option<Duration>,
    lapse: Option<Duration>,
}

impl Stretch {
    /// Ends at this instant, and begins when the machines are installed at the earliest.
    pub(crate) fn until(to: Timestamp, plan: &Plan) -> Stretch {
        let cycle = Duration::from_millis(plan.away.cycle_ms.unsigned_abs());
        Stretch {
            from: (to - cycle.max(STRETCH_MIN)).max(day(plan.rollout_days)).min(to),
            to,
            step: plan.policy.renew_retry_max,
            expiry_warning: plan.policy.expiry_warning,
            warning: None,
            lapse: None,
        }
    }

    /// A lease that would have ended at this instant has been renewed now. Had the hosts failed just before, it would
    /// have been the last.
    pub(crate) fn renewed(&mut self, machine: &Machine, ended_at: Timestamp, now: Timestamp) {
        if self.from <= now && now <= self.to {
            self.look_at(machine, ended_at, now, now);
        }
    }

    /// The stretch is over.
    pub(crate) fn end(mut self, machines: &[Machine], plan: &Plan) -> Back {
        let to = self.to;
        for machine in machines.iter().filter(|machine| machine.is_there(to)) {
            if let (Some(held), Timer::At { at, .. }) =
                (machine.license.lease(), machine.license.facts().timer)
            {
                self.look_at(machine, held.expires_at, to, at);
            }
        }
        let latest = self.to + self.lapse.max(self.warning).unwrap_or_default();
        let ready = Ready::of(machines, self.from, plan).longest(self.from, latest);
        let safe = |spare: Duration| ready.map_or(Duration::ZERO, |ready| spare.saturating_sub(ready));
        Back {
            from_day: days(self.from.since(DAY_ZERO)),
            to_day: days(self.to.since(DAY_ZERO)),
            warning_days: self.warning.map(safe).map(days),
            lapse_days: self.lapse.map(safe).map(days),
            host_ready_days: ready.map(days),
        }
    }

    fn look_at(
        &mut self,
        machine: &Machine,
        lease_ends_at: Timestamp,
        failed_at: Timestamp,
        asks_at: Timestamp,
    ) {
        let warns_at = lease_ends_at - self.expiry_warning;
        for (shortest, before) in [(&mut self.warning, warns_at), (&mut self.lapse, lease_ends_at)] {
            if let Some(spare) = spare(machine, before, failed_at, asks_at, self.step) {
                *shortest = Some(shortest.map_or(spare, |shortest| shortest.min(spare)));
            }
        }
    }
}

/// How long after the hosts have failed they may be ready again, so that this machine, which asks then, has surely
/// reached them before this instant; nothing if it does not reach them even without an outage.
fn spare(
    machine: &Machine,
    before: Timestamp,
    failed_at: Timestamp,
    asks_at: Timestamp,
    step: Duration,
) -> Option<Duration> {
    let is_gone = machine.leaves_at.is_some_and(|leaves_at| leaves_at <= before);
    if is_gone || !machine.week.may_come(failed_at.max(asks_at), before) {
        return None;
    }
    let last = machine.week.last_sure_start(before, step);
    // Before its first ask in vain it does not yet ask once in a step.
    let last = last.filter(|last| failed_at <= *last && asks_at <= *last + step);
    Some(last.map_or(Duration::ZERO, |last| last.since(failed_at)))
}

/// What it takes until a host that is back gives leases.
struct Ready<'a> {
    machines: Vec<&'a Machine>,
    /// Nobody who asks in vain waits longer, lapsed or not.
    step: Duration,
    /// Where each host knows others, one of them has met its quorum when so many have asked.
    quorum: usize,
    threshold: usize,
    count_window: Duration,
}

impl Ready<'_> {
    fn of<'a>(machines: &'a [Machine], known_at: Timestamp, plan: &Plan) -> Ready<'a> {
        let policy = &plan.policy;
        let threshold = usize::try_from(policy.threshold).unwrap_or(usize::MAX);
        let enough = threshold.saturating_mul(2).max(ASKED_FOR_THE_HOST);
        let known = |machine: &&Machine| machine.first_licensed_at.is_some_and(|first| first <= known_at);
        Ready {
            machines: machines.iter().filter(known).take(enough).collect(),
            step: policy.renew_retry_max.max(policy.retry_interval),
            quorum: (QUORUM - 1) * usize::from(plan.hosts) + 1,
            threshold,
            count_window: policy.count_window,
        }
    }

    /// The longest that it may take, after any return between these instants; nothing if it is not sure to happen while
    /// the first who asked are still counted.
    fn longest(&self, from: Timestamp, to: Timestamp) -> Option<Duration> {
        let mut longest = Duration::ZERO;
        let (mut returned_at, mut asked) = (from, Vec::with_capacity(self.machines.len()));
        while returned_at <= to {
            // Who returns between two of these instants is ready no later than who returns at the second.
            let next = returned_at + RETURNS_APART;
            let trusted_at = self.asked_by(self.quorum, next, &mut asked)?;
            let ready_at = self.asked_by(self.threshold, trusted_at, &mut asked)?;
            longest = longest.max(ready_at.since(returned_at));
            returned_at = next;
        }
        (longest + HOUR < self.count_window).then_some(longest)
    }

    /// When so many have surely asked since this instant. `asked` is scratch.
    fn asked_by(&self, number: usize, since: Timestamp, asked: &mut Vec<Timestamp>) -> Option<Timestamp> {
        asked.clear();
        asked.extend(self.machines.iter().filter_map(|machine| {
            let by = machine.week.surely_asks_by(since, self.step)?;
            machine.is_there(by).then_some(by)
        }));
        let last = number.saturating_sub(1);
        (last < asked.len()).then(|| *asked.select_nth_unstable(last).1)
    }
}
