//! One round of one machine: it asks one host after the other until one gives a lease.
//!
//! The walk and its result are those of `shared::exchange`, the order of the hosts that of `shared::srv`. An answer takes no
//! time here.

use shared::answer::Verdict;
use shared::ask::AskKind;
use shared::exchange::{Best, Visit};
use shared::license::Event;
use shared::reason::Reason;
use shared::srv::{self, SrvRecord};
use shared::time::Timestamp;

use super::history::History;
use super::host::Host;
use super::license::Held;
use super::machine::Machine;

/// The hosts, as DNS names them.
pub(crate) struct Hosts {
    hosts: Vec<Host>,
    records: Vec<SrvRecord>,
}

impl Hosts {
    /// All of one priority and weight. The draw of RFC 2782 includes both ends, which with weights of 1 would give the
    /// first of two hosts twice the share of the other.
    pub(crate) fn new(hosts: Vec<Host>) -> Hosts {
        let record = |port| SrvRecord { priority: 0, weight: 100, port, target: "host".to_owned() };
        // Nothing listens on port 0, so a host's port is its number and one.
        let records = (1..).take(hosts.len()).map(record).collect();
        Hosts { hosts, records }
    }

    /// Each of them, in the order of their numbers.
    pub(crate) fn each(&mut self) -> impl Iterator<Item = &mut Host> {
        self.hosts.iter_mut()
    }

    /// Makes a round of this machine, which is switched on and whose timer has fired.
    pub(crate) fn ask(&mut self, machine: &mut Machine, now: Timestamp, history: &mut History) {
        if machine.week.is_away(now) {
            history.asks_from_away += 1;
            // From outside DNS does not name the host, and the one that is remembered has no address there.
            let reason = machine.last_host.map_or(Reason::DnsNoRecord, |_| Reason::HostNameUnknown);
            let draw = machine.chance.draw();
            machine.license.step(now, Event::Failed { code: reason.code(), ask_again: None }, draw);
            return;
        }
        let mut best = Best::Nothing;
        for number in self.order(machine) {
            let host = &mut self.hosts[usize::from(number)];
            if host.is_down(now) {
                history.answered(now, Reason::HostUnreachable.code());
                continue;
            }
            let presented = machine.present(now);
            let answer = host.answer(machine, presented);
            history.answered(now, name(&answer));
            // Nothing is verified in a play, so there is no chain to bring.
            let mut visit = Visit::new(AskKind::Activate, false);
            let (_, answer) = machine.exchange.obey(&mut visit, ((), answer), now);
            if let Verdict::Leased(held) = &answer {
                machine.last_host = Some(held.host);
                let draw = machine.chance.draw();
                machine.license.step(now, Event::Leased(held), draw);
            }
            best.take(Best::Signed(answer));
            if best.is_lease() {
                break;
            }
        }
        if let Some(event) = best.event(Reason::HostUnreachable.code()) {
            let draw = machine.chance.draw();
            machine.license.step(now, event, draw);
        }
    }

    /// In the order of RFC 2782, the host that gave the last lease first among its equals.
    fn order(&self, machine: &mut Machine) -> Vec<u16> {
        if self.records.len() == 1 {
            return vec![0];
        }
        let ordered = srv::order(self.records.clone(), |highest| machine.chance.up_to(highest));
        let mut numbers: Vec<u16> = ordered.into_iter().map(|record| record.port - 1).collect();
        let is_last = |number: &u16| machine.last_host.map(u16::from) == Some(*number);
        srv::put_first(&mut numbers, is_last, |_, _| true);
        numbers
    }
}

fn name(answer: &Verdict<Held>) -> &'static str {
    match answer {
        Verdict::Leased(_) => "LEASE",
        Verdict::Waiting(_) => "WAITING",
        Verdict::Released(_) => "RELEASED",
        Verdict::Refused(refused) => refused.cause.reason().map_or("REFUSED", Reason::code),
    }
}
