//! The longest outage after which the hosts still reach every machine in time.
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
//!   nobody a lease, however short the outage; `ready`. From then on the fleet holds its threshold as it does without an outage.
//! - The hosts may fail at any instant of the stretch: the worst for a lease is just before it would be renewed, so
//!   there it is asked, and at the end of the stretch for every lease that is held then.
//!
//! Machines that would warn or lapse without an outage too are left out: they are away, or gone, until then. So are machines
//! that hold no lease when the hosts fail: one that is installed during the outage has its grace.

mod ready;

use std::time::Duration;

use serde::Serialize;
use shared::license::{Term as _, Timer};
use shared::time::Timestamp;

use self::ready::Ready;
use super::calendar::{dated, day, day_of, days};
use super::machine::Machine;
use super::options::Plan;
use report::Table;
use report::figures::{counted, or_dash};

/// The hosts may fail at any time of a whole absence of the laptops, and of at least eight weeks.
const STRETCH_MIN: Duration = Duration::from_hours(8 * 7 * 24);

/// Half of what a figure in days is rounded to, and a little more.
const HALF_A_THOUSANDTH: Duration = Duration::from_secs(44);

/// The longest outages that do no harm if the hosts are back after them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Back {
    /// The hosts fail at any time from this day of the play on,
    pub(crate) from_day: f64,
    /// and until this one.
    pub(crate) to_day: f64,
    /// The longest outage in days for which no machine warns; nothing if no machine could.
    pub(crate) warning_days: Option<f64>,
    /// The longest outage in days for which no lease ends.
    pub(crate) lapse_days: Option<f64>,
    /// What of it the host itself may need after its return; nothing if it cannot be sure of its threshold.
    pub(crate) host_ready_days: Option<f64>,
}

impl Back {
    /// The answer, in one sentence.
    pub(crate) fn answer(&self) -> String {
        let when =
            format!("Whenever all hosts fail between {} and {}", dated(self.from_day), dated(self.to_day));
        if self.warning_days.is_none() && self.lapse_days.is_none() {
            return format!("{when}, no machine loses a lease that it would not have lost anyway.");
        }
        if self.host_ready_days.is_none() {
            return format!(
                "{when}, no outage is sure to be harmless: too few machines come to the host to confirm its \
                 clock and to meet the threshold within a count window."
            );
        }
        let part = |days: Option<f64>, not: &str, any: &str| {
            Some(match whole_days(days?) {
                0 => any.to_owned(),
                whole => format!("{not} if they are back within {}", counted(whole, "day")),
            })
        };
        let warning = part(self.warning_days, "no licensed machine warns", "any outage may bring a warning");
        let lapse = part(self.lapse_days, "no lease ends", "any outage may end a lease");
        let both: Vec<_> = warning.into_iter().chain(lapse).collect();
        format!("{when}, {}; this holds for this fleet and this seed.", both.join(", and "))
    }

    /// The same as a table: what does not happen, and how long the outage may be for that.
    pub(crate) fn table(&self, head: [&str; 2]) -> Table {
        let rows = [
            ("no licensed machine warns", self.warning_days),
            ("no lease ends", self.lapse_days),
            ("kept in these for the host to be sure of its clock and its count", self.host_ready_days),
        ];
        let cell = |days: f64| format!("{:.1}", (days * 10.0).floor() / 10.0);
        Table::of(head, rows.map(|(what, days)| [what.to_owned(), or_dash(days.map(cell))]))
    }
}

/// In days, to a thousandth, and never longer than it is: a promise is not rounded up.
fn days_over(length: Duration) -> f64 {
    days(length.saturating_sub(HALF_A_THOUSANDTH))
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
        let cycle = Duration::from_millis(plan.used.away.cycle_ms.unsigned_abs());
        Stretch {
            from: (to - cycle.max(STRETCH_MIN)).max(day(plan.used.rollout)).min(to),
            to,
            step: plan.policy().renew_retry_max,
            expiry_warning: plan.policy().expiry_warning,
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
                self.look_at(machine, held.expires_at(), to, at);
            }
        }
        let latest = self.to + self.lapse.max(self.warning).unwrap_or_default();
        let ready = Ready::of(machines, self.from, plan).longest(self.from, latest);
        let safe = |spare: Duration| ready.map_or(Duration::ZERO, |ready| spare.saturating_sub(ready));
        Back {
            from_day: day_of(self.from),
            to_day: day_of(self.to),
            warning_days: self.warning.map(safe).map(days_over),
            lapse_days: self.lapse.map(safe).map(days_over),
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

#[cfg(test)]
mod tests {
    use super::super::calendar::DAY_ZERO;
    use super::super::options::tests::plan;
    use super::super::play::{Play, play};
    use super::*;

    fn played(line: &str) -> Play {
        play(plan(line)).unwrap()
    }

    fn day_of(day: u64) -> Timestamp {
        DAY_ZERO + Duration::from_hours(day * 24)
    }

    fn answer(line: &str) -> String {
        played(line).back.unwrap().answer()
    }

    /// Machines that hold a lease when an outage of so many days begins, and of which this is so after it, but not
    /// without it.
    fn for_the_outage(fleet: &str, from: u64, days: u64, so: fn(&Machine) -> bool) -> usize {
        // Long enough for every laptop to come home.
        let line = format!("{fleet} --days {} --no-downtime", from + days + 60);
        let (without, with) = (played(&line), played(&format!("{line} --outage {from}-{}", from + days)));
        let pairs = with.machines.iter().zip(&without.machines);
        let for_it = pairs.filter(|(with, without)| {
            without.first_licensed_at.is_some_and(|first| first < day_of(from)) && so(with) && !so(without)
        });
        for_it.count()
    }

    /// On day 130 the hosts of this fleet fail at the latest.
    fn until_day_130(fleet: &str) -> Play {
        played(&format!("{fleet} --days 260"))
    }

    const LAPTOPS: &str = "--machines 120 --always-on 5% --laptops 95%";

    #[test]
    fn an_outage_of_one_answered_length_warns_nobody_and_one_of_the_other_lapses_nobody() {
        for fleet in [
            format!("{LAPTOPS} --seed 2 --away 14d/45d"),
            "--machines 60 --always-on 0% --seed 3 --away 28d/84d".to_owned(),
            format!("{LAPTOPS} --seed 4 --away 56d/112d --hosts 2"),
            // All but one have to come back before the first gets a lease.
            "--machines 26 --always-on 0% --laptops 60% --seed 1".to_owned(),
            // The worst day to fail is not the last one.
            "--machines 30 --always-on 90% --laptops 5% --seed 2 --away 40d/56d".to_owned(),
        ] {
            let back = until_day_130(&fleet).back.unwrap();
            let (warning, lapse) =
                (whole_days(back.warning_days.unwrap()), whole_days(back.lapse_days.unwrap()));
            assert!(30 < warning && warning < lapse, "{fleet}: {warning}, {lapse}");
            for from in [whole_days(back.from_day), 107, 130] {
                let warned = for_the_outage(&fleet, from, warning, |machine| machine.has_warned);
                let lapsed = for_the_outage(&fleet, from, lapse, |machine| machine.has_lapsed);
                assert_eq!((warned, lapsed), (0, 0), "{fleet}: {from}, {warning} and {lapse} days");
            }
        }
    }

    /// The answer used to be when the first lease ends if nobody ever answers again. A host that was back on the day
    /// before that did not reach laptops that were off the network again, and their leases ended.
    #[test]
    fn to_be_back_just_before_the_first_lease_ends_is_too_late_for_laptops() {
        let down = until_day_130(LAPTOPS).down.unwrap();
        let (warning, lapse) =
            (whole_days(down.first_warning_days.unwrap()), whole_days(down.first_lapse_days.unwrap()));
        assert!(0 < for_the_outage(LAPTOPS, 130, warning, |machine| machine.has_warned), "{warning} days");
        assert!(0 < for_the_outage(LAPTOPS, 130, lapse, |machine| machine.has_lapsed), "{lapse} days");
    }

    #[test]
    fn the_answer_is_a_sentence_whatever_the_fleet_is_like() {
        let servers = "--machines 30 --days 20 --always-on 100% --laptops 0%";
        let said = answer(servers);
        assert!(
            said.starts_with(
                "Whenever all hosts fail between day 5 (2026-01-10) and day 10 (2026-01-15), no licensed machine warns if"
            ),
            "{said}"
        );
        let warns_from_the_start = answer(&format!("{servers} --validity 30d --expiry-warning 719h59min"));
        assert!(!warns_from_the_start.contains("warns"), "{warns_from_the_start}");
        assert!(answer(&format!("{servers} --threshold 31")).contains("no machine loses a lease"));
        let too_few_stay = answer("--machines 30 --leave 50%@100 --days 180");
        assert!(too_few_stay.contains("too few machines come to the host"), "{too_few_stay}");
        let short_stays = answer("--machines 60 --away 13d18h/14d");
        assert!(
            short_stays.contains("any outage may bring a warning, and any outage may end a lease"),
            "{short_stays}"
        );
    }
}
