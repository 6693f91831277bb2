//! The count and the threshold: what becomes of one sighting, inside the ledger's transaction.
//!
//! [`sight`] reads and writes rows through [`Rows`], and decides. It holds no state of its own, so running it twice on the same rows
//! is running it once, and every ledger applies the same rule. `count/hours.rs` keeps the numbers. `docs/protocol.md` 4 and 6.

mod hours;

use core::time::Duration;

use crate::answer::{Grant, ShownLease};
use crate::ask::{Ask, AskKind};
use crate::history;
use crate::ids::{Fingerprint, MachineId, ProductId};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::record::{EventKind, Record, RecordState, Tally};
use crate::serial::{self, Mark, Standing};
use crate::time::Timestamp;

pub use self::hours::{absolute_hour, day_of, is_counted, read, settle};
pub(crate) use self::hours::{enter, leave};
pub use crate::rows::Rows;

/// The numbers of a product that a decision needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Machines needed.
    pub threshold: u32,
    /// How long a machine that is not seen stays in the count.
    pub count_window: Duration,
    /// Life of a lease.
    pub validity: Duration,
    /// How far a host's clock may be ahead of this one's before its evidence is not believed.
    pub clock_tolerance: Duration,
}

impl Terms {
    /// The terms in these numbers.
    pub fn of(policy: &Policy) -> Terms {
        let Policy { threshold, count_window, validity, clock_tolerance, .. } = *policy;
        Terms { threshold, count_window, validity, clock_tolerance }
    }
}

/// One ask whose signatures hold, in the words of the ledger.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The product.
    pub product: ProductId,
    /// The machine that asked.
    pub machine: MachineId,
    /// What it presented: serial, nonce and its clock.
    pub presented: Mark,
    /// Its fingerprint under this ledger's pepper.
    pub fingerprint: Fingerprint,
    /// What it asked for.
    pub kind: AskKind,
    /// Whether it keeps state.
    pub kept: bool,
    /// The identity that it replaces, and has signed with.
    pub replaces: Option<MachineId>,
    /// The lease that it showed.
    pub shown: Shown,
    /// Who may be entered where there is no record of it.
    pub entrants: Entrants,
    /// The host's wall clock when the ask came in.
    pub at: Timestamp,
    /// The product's numbers.
    pub terms: Terms,
}

impl Sighting {
    /// An ask that came in `at` this moment. The lease that it shows is not verified: that costs as much as verifying
    /// the ask, and few decisions need it.
    pub fn of(ask: &Ask, pepper: &[u8; 32], terms: Terms, at: Timestamp) -> Sighting {
        let claimed = ask.held_lease.as_ref().and_then(ShownLease::claim);
        Sighting {
            product: ask.product,
            machine: ask.machine(),
            presented: ask.mark(),
            fingerprint: ask.fingerprint.peppered(pepper),
            kind: ask.kind,
            kept: ask.kept,
            replaces: ask.replaces.map(|key| key.machine()),
            shown: claimed.map_or(Shown::Nothing, Shown::Claimed),
            entrants: Entrants::Anybody,
            at,
            terms,
        }
    }
}

/// Which machines may be entered. A machine that has a record is in already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrants {
    /// Every machine.
    Anybody,
    /// Only machines that were known here, or at a sibling, for a day: the limits for new machines are reached.
    Returning,
    /// None: the limits for returning machines are reached as well.
    Nobody,
}

/// A machine that was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// One that the host knew nothing of.
    New,
    /// One that replaces an identity that was known for a day, or holds a lease that is a day old.
    Returning,
}

/// How long a machine is a newcomer. Until then it has no vote on the clock, and cannot make a new key count as returning, which
/// could then do the same for the next key. A day, or the count window of a test certificate if that is shorter.
pub fn known_for(count_window: Duration) -> Duration {
    Duration::from_hours(24).min(count_window)
}

/// Whether a machine that was first seen at this instant is no newcomer any more.
fn is_known(since: Timestamp, terms: &Terms, now: Timestamp) -> bool {
    since + known_for(terms.count_window) <= now
}

/// The lease that a machine shows, and how far it has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It shows none, or one that counts for nothing here.
    Nothing,
    /// What it says of itself. Nobody has verified it, which costs as much as verifying an ask: it is never believed, and only
    /// says whether verifying it could change anything.
    Claimed(ShownLease),
    /// Verified: of this product and organisation.
    Verified(ShownLease),
}

impl Shown {
    /// The lease, if it is verified.
    fn verified(&self) -> Option<&ShownLease> {
        match self {
            Shown::Verified(shown) => Some(shown),
            Shown::Nothing | Shown::Claimed(_) => None,
        }
    }
}

impl From<Option<ShownLease>> for Shown {
    /// A lease that was verified, or none.
    fn from(shown: Option<ShownLease>) -> Shown {
        shown.map_or(Shown::Nothing, Shown::Verified)
    }
}

/// What was decided, and what else was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The answer.
    pub decision: Decision,
    /// Whether this says something about the host's clock ([`may_vote`]).
    pub votes: bool,
    /// Whether it showed a lease of this very ledger that is ahead of its record: the ledger was restored or copied.
    pub ledger_is_behind: bool,
    /// How it was entered: as a new machine or as a returning one. `None` if it had a record, or still has none.
    pub arrival: Option<Arrival>,
}

/// The answer to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Licensed.
    Lease {
        /// The serial of the answer.
        serial: u64,
        /// Count and evidence.
        grant: Grant,
    },
    /// Counted, and too few so far.
    Waiting {
        /// The serial of the answer.
        serial: u64,
        /// Machines counted.
        count: u64,
    },
    /// Out of the count.
    Released {
        /// The serial of the answer.
        serial: u64,
    },
    /// Refused: the machine is neither seen nor counted. Of a copy there may be an event; else nothing was written.
    Refused(Reason),
    /// The lease that it claims to show could change the answer: verify it, and sight again. Nothing was written.
    Verify,
}

/// Decides one sighting and writes what follows from it.
///
/// # Errors
/// A row could not be read; nothing of the transaction may then be kept.
pub fn sight<R: Rows>(rows: &mut R, sighting: &Sighting) -> Result<Outcome, R::Error> {
    let Sighting { product, machine, .. } = *sighting;
    // Ledger time never goes back, whatever the wall clock does between two asks.
    let now = rows.last_time()?.map_or(sighting.at, |last| last.max(sighting.at));
    let mut tally = read(rows, product, &sighting.terms, now)?;
    let record = rows.record(product, machine)?;
    let ledger = rows.ledger();
    let is_ahead = |shown: &ShownLease| {
        let ours = shown.machine == machine && shown.ledger == ledger;
        // A lease that is older than the record comes from a time when the machine kept no state, and so had no record.
        ours && record.is_some_and(|record| record.serial < shown.serial && record.seen_at < shown.issued_at)
    };
    let ledger_is_behind = sighting.shown.verified().is_some_and(is_ahead);
    let outcome = |decision| Ok(Outcome { decision, votes: false, ledger_is_behind, arrival: None });
    // Otherwise a new key would let in a machine that the administrator has shut out.
    if is_blocked(record.as_ref()) || replaces_blocked(rows, sighting)? {
        return outcome(Decision::Refused(Reason::Blocked));
    }
    if let Shown::Claimed(claimed) = &sighting.shown
        && (is_ahead(claimed) || tally.total < u64::from(sighting.terms.threshold))
    {
        return outcome(Decision::Verify);
    }
    // A machine with a record is treated as keeping state, whatever it says: every answer to it goes through its record.
    if !sighting.kept && record.is_none() {
        let decision = pass_by(rows, sighting, &mut tally, now)?;
        rows.put_last_time(now);
        return outcome(decision);
    }
    let arrival = match record {
        Some(_) => None,
        None => Some(arrival(rows, sighting, now)?),
    };
    if arrival.is_some_and(|arrival| !may_enter(arrival, sighting.entrants)) {
        return outcome(not_entered(sighting, now));
    }
    let remembered = record.as_ref().map(Record::mark);
    let serial = match serial::compare(remembered.as_ref(), &sighting.presented) {
        Standing::Next { serial } | Standing::Again { serial } => serial,
        Standing::Replay => return outcome(Decision::Refused(Reason::Replayed)),
        Standing::Copy => {
            history::note_copied(rows, (product, machine), now)?;
            return outcome(Decision::Refused(Reason::Copied));
        }
    };
    let state = match sighting.kind {
        AskKind::Activate => RecordState::Active,
        AskKind::Release => RecordState::Released,
    };
    let mut next = Record {
        state,
        serial,
        nonce: sighting.presented.nonce,
        asked_at: sighting.presented.asked_at,
        seen_at: now,
        first_seen: record.map_or(now, |record| record.first_seen),
        licensed_until: record.and_then(|record| record.licensed_until),
        fingerprint: sighting.fingerprint,
    };
    if let Some(record) = &record {
        leave(rows, product, &mut tally, record)?;
    }
    enter(rows, product, &mut tally, &next)?;
    match &record {
        None => take_seat(rows, sighting, &mut tally, now)?,
        Some(record) => {
            if let Some(kind) = history::turn(record.state, state) {
                history::note(rows, (product, machine), now, kind, None)?;
            }
            if ledger_is_behind {
                history::note(rows, (product, machine), now, EventKind::Relearned, None)?;
            }
        }
    }
    let decision = match sighting.kind {
        AskKind::Release => {
            next.licensed_until = None;
            Decision::Released { serial }
        }
        AskKind::Activate => match grant(sighting, &mut tally, now) {
            None => Decision::Waiting { serial, count: tally.total },
            Some(grant) => {
                next.licensed_until = Some(sighting.at + sighting.terms.validity);
                Decision::Lease { serial, grant }
            }
        },
    };
    rows.put_record(product, machine, next);
    rows.put_tally(product, tally);
    rows.put_last_time(now);
    let votes = record.is_some_and(|record| may_vote(&record, &sighting.presented, &sighting.terms, now));
    Ok(Outcome { decision, votes, ledger_is_behind, arrival })
}

/// Whether an ask says something about the host's clock. Keys cost nothing, so it takes a machine that has been known for a day
/// ([`known_for`]), and an ask that is later than any other of that machine: a recorded one tells the time at which it was recorded.
///
/// `now` is the ledger's time, or what the host's clock trusts (`doubt`): while it doubts, the wall clock proves nothing.
pub fn may_vote(record: &Record, presented: &Mark, terms: &Terms, now: Timestamp) -> bool {
    let last = record.mark();
    let is_next = match serial::compare(Some(&last), presented) {
        Standing::Next { .. } | Standing::Again { .. } => last.asked_at < presented.asked_at,
        Standing::Replay | Standing::Copy => false,
    };
    record.state == RecordState::Active && is_next && is_known(record.first_seen, terms, now)
}

fn is_blocked(record: Option<&Record>) -> bool {
    record.is_some_and(|record| record.state == RecordState::Blocked)
}

/// Whether the identity that it replaces is blocked.
fn replaces_blocked<R: Rows>(rows: &mut R, sighting: &Sighting) -> Result<bool, R::Error> {
    let Some(replaced) = sighting.replaces else {
        return Ok(false);
    };
    Ok(is_blocked(rows.record(sighting.product, replaced)?.as_ref()))
}

/// A new identity of an installation takes the old one's seat: still one machine. If a copy lives on under the old
/// identity, its next good ask brings that seat back, and then there are two. An empty fingerprint equals none.
///
/// It happens once, when the new identity is entered: asking again must not push out the copy that has come back.
fn take_seat<R: Rows>(
    rows: &mut R,
    sighting: &Sighting,
    tally: &mut Tally,
    now: Timestamp,
) -> Result<(), R::Error> {
    let Sighting { product, machine, .. } = *sighting;
    let Some(replaced) = sighting.replaces else {
        return Ok(());
    };
    let Some(mut old) = rows.record(product, replaced)? else {
        return Ok(());
    };
    history::note(rows, (product, machine), now, EventKind::Replaces, Some(replaced))?;
    if old.state != RecordState::Active || !old.fingerprint.same_as(&sighting.fingerprint) {
        return Ok(());
    }
    leave(rows, product, tally, &old)?;
    old.state = RecordState::Replaced;
    enter(rows, product, tally, &old)?;
    rows.put_record(product, replaced, old);
    history::note(rows, (product, replaced), now, EventKind::Replaced, Some(machine))
}

/// The threshold rule with its evidence.
///
/// Evidence counts for whoever shows a lease, expired or not, that names the asker or the identity it replaces; a first
/// activation never uses it. It is copied unchanged, so it cannot renew itself.
fn grant(sighting: &Sighting, tally: &mut Tally, now: Timestamp) -> Option<Grant> {
    let count = tally.total;
    if u64::from(sighting.terms.threshold) <= count {
        tally.threshold_met_at = Some(now);
        // In the lease the evidence is not later than the host's own time, which ledger time may be ahead of.
        return Some(Grant { count, threshold_met_at: sighting.at });
    }
    // Evidence from a time that has not come yet would outlive its window; it is not cut to now, which would renew it.
    let has_come =
        |shown: &ShownLease| shown.threshold_met_at <= sighting.at + sighting.terms.clock_tolerance;
    let shown =
        sighting.shown.verified().filter(|shown| names_the_asker(sighting, shown) && has_come(shown))?;
    let own = tally.threshold_met_at.map(|own| own.min(sighting.at));
    let threshold_met_at = own.map_or(shown.threshold_met_at, |own| own.max(shown.threshold_met_at));
    (now.since(threshold_met_at) < sighting.terms.count_window).then_some(Grant { count, threshold_met_at })
}

/// Whether a lease was given to the machine that shows it, or to the identity that it replaces.
fn names_the_asker(sighting: &Sighting, shown: &ShownLease) -> bool {
    shown.machine == sighting.machine || sighting.replaces == Some(shown.machine)
}

/// Whether a machine without a record is new or returns.
fn arrival<R: Rows>(rows: &mut R, sighting: &Sighting, now: Timestamp) -> Result<Arrival, R::Error> {
    if sighting.shown.verified().is_some_and(|shown| is_of_a_day(sighting, shown, now)) {
        return Ok(Arrival::Returning);
    }
    let old = match sighting.replaces {
        Some(replaced) => rows.record(sighting.product, replaced)?,
        None => None,
    };
    let was_here =
        |old: Record| old.state.may_be_replaced() && is_known(old.first_seen, &sighting.terms, now);
    Ok(if old.is_some_and(was_here) { Arrival::Returning } else { Arrival::New })
}

/// Whether a lease, if it is verified, shows that its machine was known for a day.
fn is_of_a_day(sighting: &Sighting, shown: &ShownLease, now: Timestamp) -> bool {
    names_the_asker(sighting, shown) && is_known(shown.issued_at, &sighting.terms, now)
}

fn may_enter(arrival: Arrival, entrants: Entrants) -> bool {
    match entrants {
        Entrants::Anybody => true,
        Entrants::Returning => arrival == Arrival::Returning,
        Entrants::Nobody => false,
    }
}

/// The answer to a machine that is not entered. Releasing an unknown machine succeeds and changes nothing.
fn not_entered(sighting: &Sighting, now: Timestamp) -> Decision {
    match (sighting.entrants, &sighting.shown) {
        (Entrants::Returning, Shown::Claimed(claimed)) if is_of_a_day(sighting, claimed, now) => {
            Decision::Verify
        }
        _ if sighting.kind == AskKind::Release => {
            Decision::Released { serial: sighting.presented.serial.saturating_add(1) }
        }
        _ => Decision::Refused(Reason::NewMachinesLimited),
    }
}

/// A machine that cannot keep state: licensed when others meet the threshold, remembered only as one more ask today.
fn pass_by<R: Rows>(
    rows: &mut R,
    sighting: &Sighting,
    tally: &mut Tally,
    now: Timestamp,
) -> Result<Decision, R::Error> {
    let serial = sighting.presented.serial.saturating_add(1);
    if sighting.kind == AskKind::Release {
        return Ok(Decision::Released { serial });
    }
    let day = day_of(now);
    let asks = rows.unkept(sighting.product, day)?;
    rows.put_unkept(sighting.product, day, asks + 1);
    let decision = match grant(sighting, tally, now) {
        None => Decision::Waiting { serial, count: tally.total },
        Some(grant) => Decision::Lease { serial, grant },
    };
    rows.put_tally(sighting.product, *tally);
    Ok(decision)
}
