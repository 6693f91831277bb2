//! One round of one machine: through the hosts until one gives a lease, and the best answer told to the license once.
//!
//! It mirrors `kms-client`: `discovery` for whom to ask, `round` for what an accepted answer saves, `best` for which
//! answer counts. An answer takes no time here.

use shared::answer::{Refused, Waiting};
use shared::license::Event;
use shared::reason::Reason;
use shared::srv::{self, SrvRecord};
use shared::time::Timestamp;

use super::history::History;
use super::host::{Answer, Host};
use super::machine::Machine;

/// The hosts, as DNS names them.
pub(crate) struct Hosts {
    hosts: Vec<Host>,
    records: Vec<SrvRecord>,
}

/// The best that any host has given so far.
enum Best {
    Nothing,
    Refused(Refused),
    Waited(Waiting),
    Leased,
}

impl Best {
    /// The first of the best counts. Nobody's clock is wrong here, so all refusals are worth the same.
    fn take(&mut self, other: Best) {
        let rank = |best: &Best| match best {
            Best::Nothing => 0,
            Best::Refused(_) => 1,
            Best::Waited(_) => 2,
            Best::Leased => 3,
        };
        if rank(self) < rank(&other) {
            *self = other;
        }
    }
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
            history.asked_from_away();
            // From outside DNS does not name the host, and the one that is remembered has no address there.
            let reason = machine.last_host.map_or(Reason::DnsNoRecord, |_| Reason::HostNameUnknown);
            return fail(machine, now, reason);
        }
        let mut best = Best::Nothing;
        for number in self.order(machine) {
            let host = &mut self.hosts[usize::from(number)];
            if host.is_down(now) {
                history.answered(now, Reason::HostUnreachable.code());
                continue;
            }
            let answer = host.answer(machine, now);
            history.answered(now, name(&answer));
            best.take(obey(machine, answer, now));
            if matches!(best, Best::Leased) {
                break;
            }
        }
        tell(machine, &best, now);
    }

    /// In the order of RFC 2782, the host that gave the last lease first among its equals.
    fn order(&self, machine: &mut Machine) -> Vec<u16> {
        if self.records.len() == 1 {
            return vec![0];
        }
        let ordered = srv::order(self.records.clone(), |highest| machine.chance.up_to(highest));
        let mut numbers: Vec<u16> = ordered.into_iter().map(|record| record.port - 1).collect();
        let last = machine.last_host.and_then(|last| numbers.iter().position(|one| *one == u16::from(last)));
        if let Some(last) = last {
            numbers[..=last].rotate_right(1);
        }
        numbers
    }
}

/// What an answer saves at once. A lease is told to the license here, everything else at the end of the round.
fn obey(machine: &mut Machine, answer: Answer, now: Timestamp) -> Best {
    match answer {
        Answer::Leased(held) => {
            accept(machine, held.serial);
            machine.last_host = Some(held.host);
            let draw = machine.chance.draw();
            machine.license.step(now, Event::Leased(&held), draw);
            Best::Leased
        }
        Answer::Waiting(waiting) => {
            accept(machine, waiting.header.serial);
            Best::Waited(waiting)
        }
        Answer::Refused(refused) => Best::Refused(refused),
    }
}

/// What every accepted answer does: its serial is presented next, and the ask has ended.
fn accept(machine: &mut Machine, serial: u64) {
    machine.serial = serial;
    machine.accepted += 1;
}

fn tell(machine: &mut Machine, best: &Best, now: Timestamp) {
    let event = match best {
        Best::Leased => return,
        Best::Waited(waiting) => Event::Waited(waiting),
        Best::Refused(refused) => Event::Refused(refused),
        Best::Nothing => return fail(machine, now, Reason::HostUnreachable),
    };
    let draw = machine.chance.draw();
    machine.license.step(now, event, draw);
}

fn fail(machine: &mut Machine, now: Timestamp, reason: Reason) {
    let draw = machine.chance.draw();
    machine.license.step(now, Event::Failed { code: reason.code(), ask_again: None }, draw);
}

fn name(answer: &Answer) -> &'static str {
    match answer {
        Answer::Leased(_) => "LEASE",
        Answer::Waiting(_) => "WAITING",
        Answer::Refused(refused) => refused.cause.reason().map_or("REFUSED", Reason::code),
    }
}
