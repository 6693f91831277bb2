//! If the hosts stop for good: what becomes of every lease that is held on a fair day if no host ever answers again.
//!
//! Without answers only time changes a license, so nothing has to be played: each license says when it will change.
//! `--outage A-` plays the same, asks included, and gives the same days. This says nothing about hosts that come back: one
//! that is back on the day before a lease ends may be too late for its machine. `back` answers that.

use std::time::Duration;

use serde::Serialize;
use shared::license::{Notice, Setup};
use shared::time::Timestamp;

use super::calendar::{dated, day_of, days, percentile};
use super::license::{Aging, Standing, UserView};
use super::machine::Machine;
use super::options::Plan;
use report::Table;
use report::figures::{count, or_dash};

/// What a fleet shows, by the days that its hosts are down. Each is for the machines that did not show it before.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Down {
    /// The day of the play on which the hosts stop.
    pub(crate) from_day: f64,
    /// Machines that hold a lease then.
    pub(crate) licensed: u64,
    /// Of these, how many show already that a renewal is overdue, or warn: they have been away for long.
    pub(crate) overdue_already: u64,
    pub(crate) warned_already: u64,
    /// Days until the first shows that its renewal is overdue, to users who look for it.
    pub(crate) first_overdue_days: Option<f64>,
    /// Days until half of those that hold a lease show it.
    pub(crate) half_overdue_days: Option<f64>,
    /// Days until the first warns, which every user sees.
    pub(crate) first_warning_days: Option<f64>,
    /// Days until the first lease ends.
    pub(crate) first_lapse_days: Option<f64>,
    /// Days until one lease in a hundred has ended.
    pub(crate) hundredth_lapsed_days: Option<f64>,
    /// Days until half of the leases have ended.
    pub(crate) half_lapsed_days: Option<f64>,
    /// Days until every lease has ended.
    pub(crate) all_lapsed_days: Option<f64>,
    /// Days from the first start of a machine that is installed during the outage until it warns.
    pub(crate) grace_days: f64,
}

impl Down {
    pub(crate) fn from(at: Timestamp, machines: &[Machine], plan: &Plan) -> Down {
        let mut seen = Seen::default();
        for machine in machines.iter().filter(|machine| machine.is_there(at)) {
            seen.look_at(machine, at, plan.setup());
        }
        for lengths in [&mut seen.overdue, &mut seen.warned, &mut seen.lapsed] {
            lengths.sort_unstable();
        }
        let Seen { overdue_already, overdue, warned, lapsed, .. } = &seen;
        let days_until = |lengths, percent| percentile(lengths, percent).map(days);
        Down {
            from_day: day_of(at),
            licensed: number(seen.licensed),
            overdue_already: number(*overdue_already),
            warned_already: number(seen.warned_already),
            first_overdue_days: overdue.get(*overdue_already).copied().map(days),
            half_overdue_days: days_until(overdue, 50),
            first_warning_days: warned.first().copied().map(days),
            first_lapse_days: lapsed.first().copied().map(days),
            hundredth_lapsed_days: days_until(lapsed, 1),
            half_lapsed_days: days_until(lapsed, 50),
            all_lapsed_days: days_until(lapsed, 100),
            grace_days: days(plan.setup().grace),
        }
    }

    /// When the first user notices, in one sentence.
    pub(crate) fn sentence(&self) -> String {
        let Some(lapse) = self.first_lapse_days.map(f64::floor) else {
            return format!("On {} no machine holds a lease that could end.", dated(self.from_day));
        };
        let warning = match self.first_warning_days.map(f64::floor) {
            Some(warning) => format!("the first user is warned after {warning} days"),
            None => "every user is warned already".to_owned(),
        };
        format!("If they stop for good, {warning}, and the first machine lapses after {lapse}.")
    }

    /// The same as a table: what is seen, and after how many days.
    pub(crate) fn table(&self, head: [&str; 2]) -> Table {
        let already = |number: u64| match number {
            0 => String::new(),
            number => format!(" ({} of {} do already)", count(number), count(self.licensed)),
        };
        let overdue =
            format!("the first machine shows that its renewal is overdue{}", already(self.overdue_already));
        let warning = format!("the first machine warns{}", already(self.warned_already));
        let rows = [
            (overdue, self.first_overdue_days),
            ("50 % of the machines show it".to_owned(), self.half_overdue_days),
            (warning, self.first_warning_days),
            ("the first lease ends".to_owned(), self.first_lapse_days),
            ("1 % of the leases have ended".to_owned(), self.hundredth_lapsed_days),
            ("50 % of the leases have ended".to_owned(), self.half_lapsed_days),
            ("all leases have ended".to_owned(), self.all_lapsed_days),
            ("a machine that is installed meanwhile warns after".to_owned(), Some(self.grace_days)),
        ];
        Table::of(head, rows.map(|(what, days)| [what, or_dash(days.map(|days| format!("{days:.1}")))]))
    }
}

/// What the machines that hold a lease will show, and after how long each.
#[derive(Default)]
struct Seen {
    licensed: usize,
    overdue_already: usize,
    warned_already: usize,
    /// Nothing for those that show it already.
    overdue: Vec<Duration>,
    /// Only of those that do not warn already.
    warned: Vec<Duration>,
    lapsed: Vec<Duration>,
}

impl Seen {
    fn look_at(&mut self, machine: &Machine, at: Timestamp, setup: Setup) {
        let shown = UserView::of(&machine.license, at);
        if !shown.standing.is_licensed() {
            return;
        }
        self.licensed += 1;
        self.warned_already += usize::from(shown.notice == Notice::Warning);
        if shown.standing == Standing::Overdue {
            self.overdue_already += 1;
            self.overdue.push(Duration::ZERO);
        }
        let mut notice = shown.notice;
        for then in Aging::of(&machine.license, setup, at) {
            let after = then.since.since(at);
            if notice < then.notice && then.notice == Notice::Warning {
                self.warned.push(after);
            }
            notice = then.notice;
            match then.standing {
                Standing::Overdue => self.overdue.push(after),
                Standing::Lapsed => self.lapsed.push(after),
                Standing::InGrace | Standing::Licensed | Standing::Expiring | Standing::NeverActivated => {}
            }
        }
    }
}

fn number(machines: usize) -> u64 {
    u64::try_from(machines).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::options::tests::plan;
    use super::super::play::play;

    fn sentence(line: &str) -> String {
        play(plan(line)).unwrap().down.unwrap().sentence()
    }

    #[test]
    fn it_is_a_sentence_whatever_the_fleet_shows() {
        let servers = "--machines 30 --days 20 --always-on 100% --laptops 0%";
        assert!(sentence(servers).contains("the first user is warned after 14"), "{}", sentence(servers));
        let warns_from_the_start = format!("{servers} --validity 30d --expiry-warning 719h59min");
        assert!(
            sentence(&warns_from_the_start).contains("every user is warned already, and the first machine")
        );
        assert!(
            sentence(&format!("{servers} --threshold 31"))
                .starts_with("On day 10 (2026-01-15) no machine holds a lease")
        );
    }
}
