//! Room for a machine that may be new: reserved before the ledger decides, and settled after that.

use std::time::Duration;

use server::Source;
use shared::count::{Arrival, Decision, Entrants, Outcome, Terms};
use shared::doubt::ClockReading;
use shared::fair::{self, Bucket};
use shared::ids::ProductId;
use shared::reason::Reason;

use super::seen::Left;
use super::{Allowances, Book, Fairness, Limited, source_name};

/// Room for one machine, reserved while the ledger decides whether it is needed. Dropping it gives it back, unless the ledger's decision
/// is unknown ([`while_deciding`](Room::while_deciding)).
#[must_use]
pub(crate) struct Room<'a> {
    fairness: &'a Fairness,
    place: Option<Source>,
    taken: Option<Taken>,
    pub(super) limited: Option<Limited>,
}

/// The tokens that were taken, besides the source's.
#[derive(Clone, Copy)]
struct Taken {
    token: Token,
    /// One of the source's guaranteed share. The first machines of a day take it whether they need it or not.
    guaranteed: bool,
    /// Whether it was needed, because the site had none left.
    past_site: bool,
}

#[derive(Clone, Copy)]
enum Token {
    New,
    Returning,
}

impl Token {
    fn of(self, left: &mut Left) -> &mut Bucket {
        match self {
            Token::New => &mut left.new,
            Token::Returning => &mut left.returning,
        }
    }
}

impl Room<'_> {
    /// The machines that may use it.
    pub(crate) fn entrants(&self) -> Entrants {
        match self.taken.map(|taken| taken.token) {
            Some(Token::New) => Entrants::Anybody,
            Some(Token::Returning) => Entrants::Returning,
            None => Entrants::Nobody,
        }
    }

    /// Waits for the ledger. If the caller stops waiting, the room is lost, because the machine may still be entered.
    pub(crate) async fn while_deciding<T>(&mut self, decide: impl Future<Output = T>) -> T {
        let taken = self.taken.take();
        let decided = decide.await;
        self.taken = taken;
        decided
    }

    /// Notes the ledger's decision, and returns the limit for which it has refused, if any.
    pub(crate) fn settle(
        mut self,
        product: ProductId,
        terms: &Terms,
        outcome: &Outcome,
        now: ClockReading,
    ) -> Option<Limited> {
        let (fairness, place) = (self.fairness, self.place);
        if outcome.decision == Decision::Refused(Reason::NewMachinesLimited) {
            let limited = self.limited?;
            fairness.note_limited(place, limited, now);
            return Some(limited);
        }
        let arrival = outcome.arrival?;
        self.taken = None;
        let count = match (arrival, outcome.decision) {
            // Returning machines, too: one old identity can vouch for many new ones.
            (Arrival::New | Arrival::Returning, Decision::Lease { grant, .. }) => Some(grant.count),
            (Arrival::New | Arrival::Returning, Decision::Waiting { count, .. }) => Some(count),
            // A released machine is not counted.
            (Arrival::New | Arrival::Returning, _) => None,
        };
        fairness.note_arrival(place, product, count.map(|count| (count, terms)), now);
        None
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.fairness.give_back(self.place, taken);
        }
    }
}

impl Fairness {
    /// Reserves room for one machine, in case it is new.
    pub(crate) fn reserve(&self, source: Option<Source>, now: Duration) -> Room<'_> {
        let mut book = self.book();
        let place = book.place(source, now);
        let (taken, limited) = match book.reserve(place, Token::New, now) {
            Ok(taken) => (Some(taken), None),
            Err(limited) => (book.reserve(place, Token::Returning, now).ok(), Some(limited)),
        };
        Room { fairness: self, place, taken, limited }
    }

    fn give_back(&self, place: Option<Source>, taken: Taken) {
        let mut book = self.book();
        let Allowances { new_per_site, .. } = book.allowances;
        book.give_back_of_source(place, taken);
        let of_site =
            if taken.past_site { &mut book.site.guaranteed } else { taken.token.of(&mut book.site) };
        of_site.give_back(&new_per_site);
    }

    fn note_arrival(
        &self,
        place: Option<Source>,
        product: ProductId,
        count: Option<(u64, &Terms)>,
        now: ClockReading,
    ) {
        let mut book = self.book();
        let seen = book.seen(place);
        seen.new += 1;
        let Some((count, terms)) = count else { return };
        let entered = seen.entered(product);
        entered.day.add(now.monotonic);
        let new = entered.day.total(now.monotonic);
        let inflates = fair::inflates(new, count, terms.threshold);
        let began = inflates && entered.inflates_since.is_none();
        entered.inflates_since = inflates.then(|| entered.inflates_since.unwrap_or(now.wall));
        drop(book);
        // Sources that are not told apart are many, so their share cannot be one source's.
        if let (true, Some(source)) = (began, place) {
            let threshold = terms.threshold;
            tracing::warn!(
                %source, %product, new, count, threshold,
                "the count stands on new machines of one source: nothing in a roll-out, otherwise look at that address"
            );
        }
    }

    fn note_limited(&self, place: Option<Source>, limited: Limited, now: ClockReading) {
        let begins = self.book().seen(place).new_limited.note(limited, now);
        if begins {
            let Limited { by_site, most, .. } = limited;
            tracing::warn!(
                source = %source_name(place), by_site, a_day = most,
                "new machines are refused: in a roll-out, raise new_machines_per_source or new_machines_per_site"
            );
        }
    }
}

impl Book {
    /// One of the source and one of the site, or neither.
    fn reserve(&mut self, place: Option<Source>, token: Token, now: Duration) -> Result<Taken, Limited> {
        let Allowances { new_per_source, new_per_site, .. } = self.allowances;
        let guaranteed = self.allowances.guaranteed();
        let left = &mut self.seen(place).left;
        let of_source = token.of(left).take(&new_per_source, now);
        of_source.map_err(|wait| Limited { by_site: false, most: new_per_source.most(), wait })?;
        let guaranteed = match token {
            Token::New => left.guaranteed.take(&guaranteed, now).is_ok(),
            Token::Returning => false,
        };
        let mut taken = Taken { token, guaranteed, past_site: false };
        let Err(wait) = token.of(&mut self.site).take(&new_per_site, now) else { return Ok(taken) };
        taken.past_site = guaranteed && self.site.guaranteed.take(&new_per_site, now).is_ok();
        if taken.past_site {
            return Ok(taken);
        }
        self.give_back_of_source(place, taken);
        Err(Limited { by_site: true, most: new_per_site.most(), wait })
    }

    fn give_back_of_source(&mut self, place: Option<Source>, taken: Taken) {
        let (of_source, guaranteed) = (self.allowances.new_per_source, self.allowances.guaranteed());
        let left = &mut self.seen(place).left;
        taken.token.of(left).give_back(&of_source);
        if taken.guaranteed {
            left.guaranteed.give_back(&guaranteed);
        }
    }
}
