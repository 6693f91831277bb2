//! A machine's turn: through its hosts until one gives a lease, as the client library does it.
//!
//! What an answer says is read at once, since the next ask depends on it, and believed for now: `verify` finds out whether it is
//! true once the clock has stopped. `seat` says when the machine asks again.

use std::sync::Arc;
use std::time::Duration;

use kms_client::Clock;
use shared::ask::AskKind;
use shared::exchange::Visit;

use super::ground::Ground;
use super::machine::Reply;
use super::outcome::NOT_ANSWERED;
use super::seat::Seat;
use super::tally::Finished;
use super::verify::Kept;
use super::wire::Failure;

/// The ask of a turn that has no answer yet.
struct Pending {
    /// When it was due. An ask without a plan is due when it is sent.
    due: Duration,
    planned: bool,
    sent: Option<Duration>,
    /// Whether it is the first of its turn. The caller has noted that one as due already.
    first: bool,
}

/// Plays one turn. `due` is when it was planned on the monotonic clock, if it was planned.
///
/// A run that is over does not wait for the turn: an ask that is still open then counts as not answered, with its time until then.
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
            ground.tally().sent(pending.due);
            now
        });
        ground.tally().answered(&Finished {
            due: pending.due,
            sent,
            done: now,
            outcome: NOT_ANSWERED,
            count: None,
        });
    }
}

async fn play(ground: &Ground, number: usize, pending: &mut Pending) {
    // A machine whose last turn still goes on waits for its end, and that wait counts.
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
    /// Asks one host after the other until one gives a lease. Returns the wait until the machine asks again by itself.
    async fn through_hosts(
        &mut self,
        ground: &Ground,
        number: usize,
        pending: &mut Pending,
    ) -> Option<Duration> {
        let (mut waited, mut hint) = (false, None);
        for host in self.hosts.clone() {
            match self.ask_host(ground, number, host, pending).await {
                Ok(Reply::Lease(_)) => {
                    self.leased(host, &ground.priorities);
                    return None;
                }
                Ok(Reply::Waiting(_)) => waited = true,
                Ok(Reply::Refused(_) | Reply::Nonsense) => {}
                Err(failure) => hint = failure.retry_after.or(hint),
            }
        }
        self.failed(waited, hint, ground.retry)
    }

    /// Asks one host until it is done with, and returns its last answer.
    async fn ask_host(
        &mut self,
        ground: &Ground,
        number: usize,
        host: usize,
        pending: &mut Pending,
    ) -> Result<Reply, Failure> {
        // A load tool brings no chain before it is asked for it.
        self.machine.visit = Visit::new(AskKind::Activate, false);
        let mut last = Ok(Reply::Nonsense);
        while self.machine.visit.asks() {
            last = self.exchange(ground, number, host, pending).await;
            if last.is_err() || !self.machine.asks_again_at_once() {
                break;
            }
        }
        last
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
            ground.tally().due(pending.due);
        }
        let outgoing = self.machine.ask(ground.clock.now());
        let sent = ground.clock.monotonic();
        if !pending.planned {
            pending.due = sent;
        }
        pending.sent = Some(sent);
        ground.tally().sent(pending.due);
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
            Ok(said) => (said.outcome(), said.count()),
            Err(failure) => {
                ground.note_failure(failure);
                (failure.code.as_str(), None)
            }
        };
        ground.tally().answered(&Finished { due: pending.due, sent, done, outcome, count });
        // The next ask of the same turn is due at once.
        (pending.due, pending.sent, pending.first) = (done, None, false);
        said
    }
}
