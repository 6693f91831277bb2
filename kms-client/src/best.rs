//! What a round has come to: the best that any host gave, told to the license once.
//!
//! A lease goes before everything, an accepted answer before one that is only believed, a signed one before a hint.
//! How the answers are got is told in `round`, what they change in `shared::license`.

use std::time::Duration;

use shared::answer::{Refused, Waiting};
use shared::license::{Event, License};
use shared::reason::{Cause, Reason};
use shared::time::Timestamp;

use crate::random;
use crate::snapshot::{Attempt, Outcome, Waited};

/// The best that any host has given so far, least first.
#[derive(Debug)]
pub(crate) enum Best {
    Nothing,
    /// Nobody has signed this; the hint says when to ask again.
    Hint(Cause, Duration),
    Refused(Refused),
    Waited(Waiting),
    Released(Timestamp),
    Leased(Timestamp),
}

impl Best {
    /// The license is told the first of the best. A wrong clock goes before other refusals: it is this machine's to
    /// mend.
    pub(crate) fn take(&mut self, other: Best) {
        let rank = |best: &Best| match best {
            Best::Nothing => 0,
            Best::Hint(..) => 1,
            Best::Refused(refused) if refused.cause.reason() != Some(Reason::ClockSkew) => 2,
            Best::Refused(_) => 3,
            Best::Waited(_) => 4,
            Best::Released(_) => 5,
            Best::Leased(_) => 6,
        };
        if rank(self) < rank(&other) {
            *self = other;
        }
    }

    /// An unsigned failure that says when to ask again.
    pub(crate) fn take_hint(&mut self, cause: &Cause, retry_after: Duration) {
        self.take(Best::Hint(cause.clone(), retry_after));
    }
}

/// One event for a round. A lease has been told already, when it was saved.
pub(crate) fn tell(license: &mut License, best: &Best, attempts: &[Attempt], now: Timestamp) -> Outcome {
    let (event, outcome) = match best {
        Best::Leased(until) => return Outcome::Leased { until: *until },
        Best::Released(host_time) => (Event::Released(*host_time), Outcome::Released),
        Best::Waited(waiting) => (
            Event::Waited(waiting),
            Outcome::Waiting(Waited { count: waiting.count, threshold: waiting.threshold }),
        ),
        Best::Refused(refused) => (Event::Refused(refused), Outcome::Refused(refused.cause.clone())),
        Best::Hint(cause, retry_after) => {
            let hint = Event::Failed { code: &cause.code, ask_again: Some(*retry_after) };
            (hint, Outcome::Failed(cause.clone()))
        }
        Best::Nothing => {
            let cause = headline(attempts);
            license.step(now, Event::Failed { code: &cause.code, ask_again: None }, random::draw());
            return Outcome::Failed(cause);
        }
    };
    license.step(now, event, random::draw());
    outcome
}

/// The one cause of many that is shown where there is room for one: that of the first host that was tried; where none
/// was, why none was found.
fn headline(attempts: &[Attempt]) -> Cause {
    let tried = attempts.iter().filter(|attempt| attempt.source.is_some());
    let mut causes = tried.chain(attempts).filter_map(|attempt| attempt.outcome.cause());
    causes.next().cloned().unwrap_or_else(|| Reason::NoHostKnown.into())
}
