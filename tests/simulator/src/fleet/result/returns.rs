//! What happened when hosts came back.

use serde::Serialize;
use shared::reason::Reason;

use super::{Peak, quotient};
use crate::fleet::calendar::{HOURS_A_DAY, day, round};
use crate::fleet::history::History;
use crate::fleet::options::Plan;
use crate::fleet::outage::Outage;
use report::Table;
use report::figures::{count, or_dash};

/// Days after a return in which its busiest hour and its lowest count are looked for.
const RETURN_DAYS: u32 = 14;

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

impl Return {
    /// Of each outage that ended within the play.
    pub(super) fn each(plan: &Plan, history: &History) -> Vec<Return> {
        let licensed = history.licensed_by_hour();
        let ended = plan.outages.iter().filter_map(|outage| Some((outage, outage.to?)));
        let ended = ended.filter(|(_, to)| *to < plan.days);
        ended.map(|(outage, to)| Return::of(outage, to, history, &licensed)).collect()
    }

    /// Of this outage, which ended on that day. By the hour: how many were installed, and how many held a lease.
    fn of(outage: &Outage, to: u32, history: &History, licensed: &[(u64, u64)]) -> Return {
        // The sum at the end of the hour before is the one at the moment of the return.
        let licensed = &licensed[hours(to) - 1..];
        let (installed, holding) = licensed[0];
        let until = |enough: fn(u64, u64) -> bool| {
            let after = licensed.iter().position(|(installed, holding)| enough(*installed, *holding));
            after.map(|hours| round(quotient(u64::try_from(hours).unwrap_or(u64::MAX), HOURS_A_DAY)))
        };
        Return {
            outage: outage.to_string(),
            on_day: to,
            unlicensed: installed - holding,
            most_licensed_after_days: until(|installed, holding| installed * 99 <= holding * 100),
            all_licensed_after_days: until(|installed, holding| installed == holding),
            peak_hour: Peak::within(&history.asks_by_hour, hours(to), hours(to + RETURN_DAYS)),
            refused_in_doubt: refused_in_doubt(to, history),
            lowest_count: lowest_count(outage, to, history),
        }
    }

    pub(crate) fn table(returns: &[Return]) -> Table {
        let head = [
            "outage",
            "unlicensed",
            "99 % licensed after",
            "all licensed after",
            "lowest count",
            "refused in doubt",
            "busiest hour",
        ];
        Table::of(head, returns.iter().map(Return::cells))
    }

    fn cells(&self) -> [String; 7] {
        let after =
            |days: Option<f64>| days.map_or("not in this play".to_owned(), |days| format!("{days:.1} d"));
        [
            self.outage.clone(),
            count(self.unlicensed),
            after(self.most_licensed_after_days),
            after(self.all_licensed_after_days),
            or_dash(self.lowest_count.map(count)),
            count(self.refused_in_doubt),
            self.peak_hour.to_string(),
        ]
    }
}

/// The lowest count that a sample of the fortnight from this day on has seen at a host that was struck.
fn lowest_count(outage: &Outage, to: u32, history: &History) -> Option<u64> {
    let within = |place: &usize| {
        let at = history.steps.instant(*place);
        day(to) <= at && at < day(to + RETURN_DAYS)
    };
    let struck = (0..).zip(&history.counts).filter(|(host, _)| outage.strikes(*host));
    let counts =
        struck.flat_map(|(_, counts)| (0..counts.len()).filter(within).filter_map(|place| counts[place]));
    counts.min()
}

/// Asks that were refused from this day on, because the host doubted its clock.
fn refused_in_doubt(to: u32, history: &History) -> u64 {
    let since = (0..history.steps.number).filter(|place| day(to) <= history.steps.instant(*place));
    let in_doubt = history.answers.get(Reason::HostClock.code());
    in_doubt.map_or(0, |asks| since.map(|place| asks[place]).sum())
}

fn hours(days: u32) -> usize {
    usize::try_from(days).expect("3650 at the most") * HOURS_A_DAY
}
