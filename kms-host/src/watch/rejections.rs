//! Machines that do not accept this host's answers. They say so in their next ask; the host has no other way to know.
//!
//! The reports are kept in memory, for machines with a record, until they ask without one. `alarms` shows them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::ask::Rejected;
use shared::ids::{HostId, MachineId};

/// The number of machines to remember, in about 1 MB. The alarm needs no more.
const MACHINES_KEPT: usize = 10_000;

/// How long a report stands if the machine does not ask again: longer than a licensed machine waits, 7 days by the default numbers.
const STANDS: Duration = Duration::from_hours(8 * 24);

/// The reports of machines.
#[derive(Debug, Default)]
pub(crate) struct Rejections(Mutex<BTreeMap<MachineId, Report>>);

#[derive(Debug)]
struct Report {
    code: String,
    /// The host's monotonic time.
    at: Duration,
}

impl Rejections {
    /// Notes the report in a machine's ask. Returns true if no other machine has made the same report.
    pub(crate) fn note(
        &self,
        machine: MachineId,
        rejected: Option<&Rejected>,
        own: HostId,
        now: Duration,
    ) -> bool {
        let mut reports = self.reports();
        let Some(rejected) = rejected.filter(|rejected| rejected.host.is_none_or(|host| host == own)) else {
            reports.remove(&machine);
            return false;
        };
        reports.retain(|_, report| now.saturating_sub(report.at) < STANDS);
        let is_first = reports.values().all(|report| report.code != rejected.code);
        if reports.len() < MACHINES_KEPT || reports.contains_key(&machine) {
            reports.insert(machine, Report { code: rejected.code.clone(), at: now });
        }
        is_first
    }

    /// The number of machines for each reason.
    pub(crate) fn standing(&self, now: Duration) -> BTreeMap<String, usize> {
        let mut standing = BTreeMap::new();
        for report in self.reports().values().filter(|report| now.saturating_sub(report.at) < STANDS) {
            *standing.entry(report.code.clone()).or_default() += 1;
        }
        standing
    }

    fn reports(&self) -> MutexGuard<'_, BTreeMap<MachineId, Report>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_until_the_machine_takes_an_answer_or_stays_away() {
        let own = HostId::from_bytes([1; 16]);
        let machine = |number: u8| MachineId::from_bytes([number; 16]);
        let of = |host| Rejected { code: "OTHER_ORGANISATION".to_owned(), host };
        let (rejections, hour) = (Rejections::default(), Duration::from_hours(1));
        let count = |now| rejections.standing(now).values().copied().collect::<Vec<_>>();
        assert!(rejections.note(machine(1), Some(&of(Some(own))), own, hour));
        assert!(!rejections.note(machine(2), Some(&of(None)), own, hour), "the second is not the first");
        assert!(!rejections.note(machine(3), Some(&of(Some(HostId::from_bytes([2; 16])))), own, hour));
        assert_eq!(count(hour), [2], "what another host has answered is not its affair");
        rejections.note(machine(2), None, own, hour);
        assert_eq!(count(hour), [1]);
        assert_eq!(count((hour + STANDS).saturating_sub(Duration::from_secs(1))), [1]);
        assert!(count(hour + STANDS).is_empty());
    }

    #[test]
    fn a_flood_of_words_is_bounded() {
        let own = HostId::from_bytes([1; 16]);
        let rejections = Rejections::default();
        let rejected = Rejected { code: "UNTRUSTED".to_owned(), host: None };
        for number in 0..=MACHINES_KEPT as u128 {
            rejections.note(
                MachineId::from_bytes(number.to_be_bytes()),
                Some(&rejected),
                own,
                Duration::ZERO,
            );
        }
        assert_eq!(rejections.standing(Duration::ZERO)["UNTRUSTED"], MACHINES_KEPT);
    }
}
