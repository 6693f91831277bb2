//! A machine in its fleet: which hosts it asks, where it stands, and when it asks again by itself.
//!
//! The wait follows `shared::license`: a licensed machine backs off, an unlicensed one has nothing to back off from. `turn` has it
//! ask.

use std::time::Duration;

use rand::RngExt;
use shared::license::{Draw, back_off};
use shared::srv::put_first;

use super::machine::Machine;

pub(crate) struct Seat {
    pub(crate) machine: Machine,
    pub(crate) stands: Stands,
    /// The hosts that it asks, by number, in its order.
    pub(crate) hosts: Vec<usize>,
    /// Whether it holds a lease that has not ended, as far as the scenario says.
    licensed: bool,
    /// Turns without a lease since the last one.
    failures: u32,
}

/// By its last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    NeverAsked,
    Licensed,
    Waiting,
    /// Its last ask was refused or not answered, and it holds no lease.
    Refused,
}

/// When a machine without a lease asks again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    /// The first wait; zero is never.
    pub(crate) wait: Duration,
    /// The longest wait to which a licensed machine doubles it.
    pub(crate) max: Duration,
    /// Whether machines that are told to wait hold a lease that has ended. Then they do not back off.
    pub(crate) leases_have_ended: bool,
}

impl Seat {
    /// A machine that asks these hosts, in this order.
    pub(crate) fn new(machine: Machine, hosts: Vec<usize>) -> Seat {
        Seat { machine, stands: Stands::NeverAsked, hosts, licensed: false, failures: 0 }
    }

    /// A machine made from a copy of this one's disk. It takes itself for one that has asked before.
    pub(crate) fn copy(&self) -> Seat {
        Seat { machine: self.machine.copy(), hosts: self.hosts.clone(), failures: 0, ..*self }
    }

    /// This host gave a lease: the next time it is asked before the others of its priority.
    pub(crate) fn leased(&mut self, host: usize, priorities: &[Option<u16>]) {
        put_first(&mut self.hosts, |one| *one == host, |one, other| priorities[*one] == priorities[*other]);
        (self.stands, self.licensed, self.failures) = (Stands::Licensed, true, 0);
    }

    /// No host gave a lease; `waited` is whether one told it to wait. Returns the wait until it asks again. `hint` is the wait that a
    /// host asked for without a signature: it never makes the wait longer.
    pub(crate) fn failed(&mut self, waited: bool, hint: Option<Duration>, retry: Retry) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        if waited {
            self.stands = Stands::Waiting;
            self.licensed &= !retry.leases_have_ended;
        } else if self.stands != Stands::Licensed {
            self.stands = Stands::Refused;
        }
        let failures = if self.licensed { self.failures } else { 1 };
        let step = back_off(retry.wait, retry.max, failures);
        let wait = hint.filter(|_| !waited).map_or(step, |hint| hint.min(step));
        (!wait.is_zero()).then(|| Draw(rand::rng().random()).earlier(wait))
    }
}

#[cfg(test)]
mod tests {
    use shared::ids::ProductId;

    use super::*;

    /// The load asked the host that gave a lease first of all, and the client only among the hosts of its priority.
    #[test]
    fn the_host_that_gave_the_lease_comes_first_among_those_of_its_priority() {
        let machine = Machine::new(ProductId::from_bytes([1; 16]), &mut rand::rng());
        let mut seat = Seat::new(machine, vec![0, 1, 2]);
        seat.leased(2, &[Some(10), Some(20), Some(20)]);
        assert_eq!(seat.hosts, [0, 2, 1]);
    }
}
