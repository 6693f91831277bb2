//! A machine's turn: through its hosts until one gives a lease, as the client library does it.
//!
//! What an answer says is read at once, since the next ask depends on it, and believed for the time being: whether it is
//! true is found out by `verify` when the clock has stopped. When a machine that was given no lease asks again follows
//! `shared::license`: a licensed one backs off, an unlicensed one has nothing to back off from.

use std::sync::Arc;
use std::time::Duration;

use kms_client::Clock;
use rand::RngExt;
use shared::ask::AskKind;
use shared::exchange::Visit;

use super::ground::Ground;
use super::machine::{Machine, Reply};
use super::outcome::{Counting, NOT_ANSWERED, Outcome};
use super::tally::Exchange;
use super::verify::Kept;
use super::wire::Failure;

/// A machine in its fleet.
pub(crate) struct Seat {
    pub(crate) machine: Machine,
    pub(crate) stands: Stands,
    /// The hosts that it asks, by number, in its order.
    hosts: Vec<usize>,
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

/// When a machine asks again that was given no lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    /// Zero is never.
    pub(crate) wait: Duration,
    /// To this a licensed machine doubles it.
    pub(crate) max: Duration,
    /// Whether whoever is told to wait has a lease that has ended, and so nothing to back off from.
    pub(crate) leases_have_ended: bool,
}

/// The ask of a turn that has no answer yet.
struct Pending {
    /// When it was due. What nobody has planned is due when it is sent.
    due: Duration,
    planned: bool,
    sent: Option<Duration>,
    /// Whether it is the first of its turn, which whoever set off the turn has noted as due.
    first: bool,
}

/// What one host has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Leased,
    Waited,
    /// Refused, or not answered; and when the host wants to be asked again, if it has said so.
    Refused(Option<Duration>),
}

/// Plays one turn. `due` is when it was planned on the monotonic clock; nothing where nobody has planned it.
///
/// A run that is over does not wait for it: what is still out then counts as not answered, and has waited until then.
pub(crate) async fn turn(ground: Arc<Ground>, number: usize, due: Option<Duration>) {
    let _under_way = ground.enter();
    let mut pending = Pending {
        due: due.unwrap_or_else(|| ground.clock.monotonic()),
        planned: due.is_some(),
        sent: None,
        first: true,
    };
    if ground.over.run_until_cancelled(play(&ground, number, &mut pending)).await.is_none() {
        let now = ground.clock.monotonic();
        let sent = pending.sent.unwrap_or_else(|| {
            ground.note_sent(pending.due);
            now
        });
        let outcome = Outcome::Code(NOT_ANSWERED.to_owned());
        ground.note(Exchange { due: pending.due, sent, done: now, outcome, count: None });
    }
}

async fn play(ground: &Ground, number: usize, pending: &mut Pending) {
    // Who is still being answered has its next turn after that, and what it waits counts.
    let mut seat = ground.seat(number).await;
    let Some(seat) = seat.as_mut() else { return };
    let place = ground.place().await;
    let again = seat.through_hosts(ground, number, pending).await;
    drop(place);
    if let Some(wait) = again {
        ground.later.push(ground.clock.monotonic() + wait, number);
    }
}

impl Seat {
    /// A machine that asks these hosts, in this order.
    pub(crate) fn new(machine: Machine, hosts: Vec<usize>) -> Seat {
        Seat { machine, stands: Stands::NeverAsked, hosts, licensed: false, failures: 0 }
    }

    /// A machine that was made from this one's disk. It has asked already, or so it thinks.
    pub(crate) fn copy(&self) -> Seat {
        Seat { machine: self.machine.copy(), hosts: self.hosts.clone(), failures: 0, ..*self }
    }

    /// One host after the other, until one gives a lease. Says how long after that the machine asks again by itself.
    async fn through_hosts(
        &mut self,
        ground: &Ground,
        number: usize,
        pending: &mut Pending,
    ) -> Option<Duration> {
        let (mut waited, mut hint) = (false, None);
        for at in 0..self.hosts.len() {
            match self.ask_host(ground, number, self.hosts[at], pending).await {
                End::Leased => {
                    // The host that gave the last lease is asked first the next time.
                    self.hosts[..=at].rotate_right(1);
                    (self.stands, self.licensed, self.failures) = (Stands::Licensed, true, 0);
                    return None;
                }
                End::Waited => waited = true,
                End::Refused(asked_for) => hint = asked_for.or(hint),
            }
        }
        self.failures = self.failures.saturating_add(1);
        if waited {
            self.stands = Stands::Waiting;
            self.licensed &= !ground.retry.leases_have_ended;
        } else if self.stands != Stands::Licensed {
            self.stands = Stands::Refused;
        }
        self.wait(ground.retry, hint.filter(|_| !waited))
    }

    async fn ask_host(&mut self, ground: &Ground, number: usize, host: usize, pending: &mut Pending) -> End {
        // A load tool brings no chain before it is asked for it.
        self.machine.visit = Visit::new(AskKind::Activate, false);
        while self.machine.visit.asks() {
            match self.exchange(ground, number, host, pending).await {
                Ok(Reply::Lease(_)) => return End::Leased,
                Ok(Reply::Waiting(_)) => return End::Waited,
                Ok(_) if self.machine.asks_again_at_once() => {}
                Ok(Reply::Refused { .. } | Reply::Released | Reply::Nonsense) => {
                    return End::Refused(None);
                }
                Err(failure) => return End::Refused(failure.retry_after),
            }
        }
        End::Refused(None)
    }

    /// Sends an ask, reads what comes back, and has both noted.
    async fn exchange(
        &mut self,
        ground: &Ground,
        number: usize,
        host: usize,
        pending: &mut Pending,
    ) -> Result<Reply, Failure> {
        if !pending.first {
            ground.note_due(pending.due);
        }
        let outgoing = self.machine.ask(ground.clock.now());
        let sent = ground.clock.monotonic();
        pending.send(sent);
        ground.note_sent(pending.due);
        let answer = ground.wire.activate(number, host, outgoing.request).await;
        let done = ground.clock.monotonic();
        let said = match answer {
            Ok(answer) => {
                let at = ground.clock.now();
                ground.keep(Kept::of(outgoing.expected, outgoing.known, at, &answer, &ground.chains));
                Ok(self.machine.take(&answer, &ground.chains))
            }
            Err(failure) => Err(failure),
        };
        let (outcome, count) = match &said {
            Ok(said) => read(said),
            Err(failure) => {
                ground.note_failure(failure);
                (Outcome::Code(failure.code.clone()), None)
            }
        };
        ground.note(Exchange { due: pending.due, sent, done, outcome, count });
        pending.follow(done);
        said
    }

    /// How long a machine waits whose turn gave no lease: earlier by up to a fifth, never later. What a host has asked for
    /// without a signature never delays beyond the own step.
    fn wait(&self, retry: Retry, hint: Option<Duration>) -> Option<Duration> {
        let doublings = if self.licensed { (self.failures - 1).min(31) } else { 0 };
        let step = retry.wait.saturating_mul(1 << doublings).min(retry.max);
        let wait = hint.map_or(step, |hint| hint.min(step));
        let share: f64 = rand::rng().random();
        (!wait.is_zero()).then(|| wait.mul_f64(1.0 - share / 5.0))
    }
}

impl Pending {
    fn send(&mut self, now: Duration) {
        if !self.planned {
            self.due = now;
        }
        self.sent = Some(now);
    }

    /// What follows in the same turn is due at once.
    fn follow(&mut self, done: Duration) {
        (self.due, self.sent, self.first) = (done, None, false);
    }
}

/// What goes into the figures.
fn read(said: &Reply) -> (Outcome, Option<Counting>) {
    match said {
        Reply::Lease(counting) => (Outcome::Lease, Some(*counting)),
        Reply::Waiting(counting) => (Outcome::Waiting, Some(*counting)),
        Reply::Released => (Outcome::Released, None),
        Reply::Refused { code } => (Outcome::Code(code.clone()), None),
        Reply::Nonsense => (Outcome::Code("ANSWER_MISMATCH".to_owned()), None),
    }
}
