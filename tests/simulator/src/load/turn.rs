//! A machine's turn: through its hosts until one gives a lease, as the client library does it.
//!
//! What an answer says is read at once, since the next ask depends on it, and believed for the time being: whether it is
//! true is found out by `verify` when the clock has stopped. When a machine that was given no lease asks again follows
//! `shared::license`: a licensed one backs off, an unlicensed one has nothing to back off from.

use std::sync::Arc;
use std::time::Duration;

use kms_client::Clock;
use rand::RngExt;

use super::ground::Ground;
use super::machine::{Machine, Said};
use super::outcome::Outcome;
use super::tally::Exchange;
use super::verify::Kept;

/// An ask, the same with its chain, the same under a new identity, and that one with its chain: as in the client library.
const EXCHANGES_A_HOST: usize = 4;

/// A machine in its fleet.
pub(crate) struct Seat {
    pub(crate) machine: Machine,
    /// The hosts that it asks, by number, in its order.
    pub(crate) hosts: Vec<usize>,
    pub(crate) stands: Stands,
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

/// When a machine asks again that was given no lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    /// Zero is never.
    pub(crate) wait: Duration,
    /// To this a licensed machine doubles it.
    pub(crate) max: Duration,
}

/// What one host has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Leased,
    Waited,
    Refused,
}

/// Plays one turn. `due` is when it was planned on the monotonic clock; nothing where nobody has planned it.
pub(crate) async fn turn(ground: Arc<Ground>, number: usize, due: Option<Duration>) {
    let under_way = ground.enter();
    // Who is still being answered has its next turn after that, and what it waits counts.
    if let Some(seat) = ground.seat(number).await.as_mut() {
        let place = ground.place().await;
        let again = seat.through_hosts(&ground, number, due).await;
        drop(place);
        if let Some(wait) = again {
            ground.later.push(ground.clock.monotonic() + wait, number);
        }
    }
    drop(under_way);
}

impl Seat {
    /// A machine that asks these hosts, in this order.
    pub(crate) fn new(machine: Machine, hosts: Vec<usize>) -> Seat {
        Seat { machine, hosts, stands: Stands::NeverAsked, failures: 0 }
    }

    /// A machine that was made from this one's disk. It has asked already, or so it thinks.
    pub(crate) fn copy(&self) -> Seat {
        Seat { machine: self.machine.copy(), hosts: self.hosts.clone(), stands: self.stands, failures: 0 }
    }

    /// One host after the other, until one gives a lease. Says how long after that the machine asks again by itself.
    async fn through_hosts(
        &mut self,
        ground: &Ground,
        number: usize,
        mut due: Option<Duration>,
    ) -> Option<Duration> {
        let mut best = End::Refused;
        for at in 0..self.hosts.len() {
            match self.ask_host(ground, number, self.hosts[at], &mut due).await {
                End::Leased => {
                    // The host that gave the last lease is asked first the next time.
                    self.hosts[..=at].rotate_right(1);
                    (self.stands, self.failures) = (Stands::Licensed, 0);
                    return None;
                }
                End::Waited => best = End::Waited,
                End::Refused => {}
            }
        }
        match (best, self.stands) {
            (End::Waited, _) => self.stands = Stands::Waiting,
            (_, Stands::Licensed) => {}
            (_, Stands::NeverAsked | Stands::Waiting | Stands::Refused) => self.stands = Stands::Refused,
        }
        self.failures = self.failures.saturating_add(1);
        self.wait(ground.retry)
    }

    async fn ask_host(
        &mut self,
        ground: &Ground,
        number: usize,
        host: usize,
        due: &mut Option<Duration>,
    ) -> End {
        for _ in 0..EXCHANGES_A_HOST {
            let outgoing = self.machine.ask(ground.clock.now());
            let sent = ground.clock.monotonic();
            ground.note_sent(due.unwrap_or(sent));
            let answer = ground.wire.activate(number, host, outgoing.request).await;
            let done = ground.clock.monotonic();
            let said = answer.as_ref().map(|answer| self.machine.take(answer, &ground.chains));
            let (outcome, count) = match &said {
                Ok(said) => read(said),
                Err(failure) => (Outcome::Code(failure.code.clone()), None),
            };
            ground.note(Exchange { due: due.unwrap_or(sent), sent, done, outcome, count });
            if let Ok(answer) = &answer {
                let (expected, known) = (outgoing.expected, outgoing.known);
                ground.keep(Kept::of(expected, known, ground.clock.now(), answer, &ground.chains));
            }
            match said {
                Ok(Said::Lease { .. }) => return End::Leased,
                Ok(Said::Waiting { .. }) => return End::Waited,
                Ok(said) if self.machine.asks_again_at_once(&said) => {}
                Ok(Said::Refused { .. } | Said::Released | Said::Nonsense) | Err(_) => return End::Refused,
            }
            // What follows in the same turn is due at once.
            *due = due.and(Some(done));
        }
        End::Refused
    }

    /// How long a machine waits whose turn gave no lease: earlier by up to a fifth, never later.
    fn wait(&self, retry: Retry) -> Option<Duration> {
        let doublings = if self.stands == Stands::Licensed { (self.failures - 1).min(31) } else { 0 };
        let wait = retry.wait.saturating_mul(1 << doublings).min(retry.max);
        let share: f64 = rand::rng().random();
        (!wait.is_zero()).then(|| wait.mul_f64(1.0 - share / 5.0))
    }
}

/// What goes into the figures.
fn read(said: &Said) -> (Outcome, Option<(u64, u32)>) {
    match said {
        Said::Lease { count, threshold } => (Outcome::Lease, Some((*count, *threshold))),
        Said::Waiting { count, threshold } => (Outcome::Waiting, Some((*count, *threshold))),
        Said::Released => (Outcome::Released, None),
        Said::Refused { code } => (Outcome::Code(code.clone()), None),
        Said::Nonsense => (Outcome::Code("ANSWER_MISMATCH".to_owned()), None),
    }
}
