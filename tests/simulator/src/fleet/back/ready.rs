//! How long a host may need after its return until it gives leases.
//!
//! First it may doubt its clock, until enough machines that it knows have asked; then it may count from nothing, until as
//! many as its threshold have. Both are reckoned from when machines have surely asked, one after the other: a host of a
//! large fleet is ready within minutes, on any day on which people work.

use std::time::Duration;

use shared::doubt::QUORUM;
use shared::time::Timestamp;

use crate::fleet::calendar::HOUR;
use crate::fleet::machine::Machine;
use crate::fleet::options::Plan;

/// How far two returns are apart for which it is asked how long the host takes.
const RETURNS_APART: Duration = Duration::from_hours(6);

/// Machines to look at, unless the threshold needs more. Looking at fewer than all only makes the answer longer.
const ASKED_FOR_THE_HOST: usize = 1000;

/// The machines on which a host that is back depends.
pub(super) struct Ready<'a> {
    machines: Vec<&'a Machine>,
    /// The longest wait after an ask in vain, for lapsed machines too.
    step: Duration,
    /// When this many have asked, one of the hosts has its quorum, even if each knows other machines.
    quorum: usize,
    threshold: usize,
    count_window: Duration,
}

impl Ready<'_> {
    /// Leaves out machines that had no lease at `known_at`: the hosts may not know them.
    pub(super) fn of<'a>(machines: &'a [Machine], known_at: Timestamp, plan: &Plan) -> Ready<'a> {
        let policy = plan.policy();
        let quorum = usize::try_from(QUORUM).unwrap_or(usize::MAX);
        let threshold = usize::try_from(policy.threshold).unwrap_or(usize::MAX);
        let enough = threshold.saturating_mul(2).max(ASKED_FOR_THE_HOST);
        let known = |machine: &&Machine| machine.first_licensed_at.is_some_and(|first| first <= known_at);
        Ready {
            machines: machines.iter().filter(known).take(enough).collect(),
            step: policy.renew_retry_max.max(policy.retry_interval),
            quorum: (quorum - 1) * usize::from(plan.hosts) + 1,
            threshold,
            count_window: policy.count_window,
        }
    }

    /// The longest that it may take, after any return between these instants; nothing if it is not sure to happen while
    /// the first who asked are still counted.
    pub(super) fn longest(&self, from: Timestamp, to: Timestamp) -> Option<Duration> {
        let mut longest = Duration::ZERO;
        let (mut returned_at, mut asked) = (from, Vec::with_capacity(self.machines.len()));
        while returned_at <= to {
            // A host that returns between two of these instants is ready no later than one that returns at the second.
            let next = returned_at + RETURNS_APART;
            let trusted_at = self.asked_by(self.quorum, next, &mut asked)?;
            let ready_at = self.asked_by(self.threshold, trusted_at, &mut asked)?;
            longest = longest.max(ready_at.since(returned_at));
            returned_at = next;
        }
        // Machines are counted by the hour, so one may leave the count so much early.
        (longest + HOUR < self.count_window).then_some(longest)
    }

    /// When `number` machines have surely asked since this instant. `asked` is scratch space.
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
