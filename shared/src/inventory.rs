//! What an administrator changes in the inventory: block, unblock, forget, and the retention that forgets by itself.
//!
//! Pure, over the same [`Rows`] as `count`, and applied by the same one writer. None of it moves ledger time: the count stays
//! as of the hour that sightings have reached, less the machines that have left it. Read `count` first. `docs/protocol.md` 6.

use crate::count::{self, Rows, Terms};
use crate::history;
use crate::ids::{MachineId, ProductId};
use crate::record::{EventKind, Record, RecordState, Tally};
use crate::time::Timestamp;

/// A change of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The product.
    pub product: ProductId,
    /// The machine.
    pub machine: MachineId,
    /// What is done.
    pub verb: Verb,
    /// The host's wall clock, for the event.
    pub at: Timestamp,
}

/// What an administrator does to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Shuts the machine out: it leaves the count, its asks are refused, and so are those of an identity that would replace it.
    Block,
    /// Lets it in again: its next good ask enters it.
    Unblock,
    /// Removes its record and its events. It is a new machine when it asks again.
    Forget,
}

impl Verb {
    /// Why it leaves a record in this state as it is; `None` if it changes it.
    pub fn leaves(self, state: RecordState) -> Option<Changed> {
        match (self, state == RecordState::Blocked) {
            (Verb::Block, true) => Some(Changed::AlreadyBlocked),
            (Verb::Unblock, false) => Some(Changed::NotBlocked(state)),
            (Verb::Forget, true) => Some(Changed::StillBlocked),
            (Verb::Block | Verb::Forget, false) | (Verb::Unblock, true) => None,
        }
    }
}

/// What became of a [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is done; the record was in this state.
    Done(RecordState),
    /// There is no such record; nothing was written.
    Unknown,
    /// It is blocked already; nothing was written.
    AlreadyBlocked,
    /// It is not blocked, but in this state; nothing was written.
    NotBlocked(RecordState),
    /// It is blocked, and to forget it would let it in again: unblock it first. Nothing was written.
    StillBlocked,
}

/// A retention, applied to a page of the records of a product.
///
/// It removes records that were last seen before an instant and are not counted, in any state but blocked. Whoever doubts
/// the clock must not call it, for then nobody ages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prune {
    /// The product.
    pub product: ProductId,
    /// Its numbers. They say which machines are counted.
    pub terms: Terms,
    /// Records last seen before this are removed.
    pub before: Timestamp,
    /// The last page's `next`; none for the first page.
    pub after: Option<MachineId>,
    /// The most records to look at.
    pub limit: usize,
    /// The host's wall clock.
    pub at: Timestamp,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// How many records were removed.
    pub removed: u64,
    /// What to pass as `after` for the next page; none behind the last one.
    pub next: Option<MachineId>,
}

/// Decides a change and writes what follows from it.
///
/// # Errors
/// A row could not be read; nothing of the transaction may then be kept.
pub fn change<R: Rows>(rows: &mut R, change: &Change) -> Result<Changed, R::Error> {
    let Some(record) = rows.record(change.product, change.machine)? else {
        return Ok(Changed::Unknown);
    };
    if let Some(unchanged) = change.verb.leaves(record.state) {
        return Ok(unchanged);
    }
    match change.verb {
        Verb::Block => turn(rows, change, &record, RecordState::Blocked, EventKind::Blocked)?,
        Verb::Unblock => turn(rows, change, &record, RecordState::Released, EventKind::Unblocked)?,
        Verb::Forget => remove(rows, change.product, change.machine, &record)?,
    }
    Ok(Changed::Done(record.state))
}

/// Removes one record if its retention is over; `counted` is the count as of now. Says whether it did.
///
/// # Errors
/// As for [`change`].
pub fn prune<R: Rows>(
    rows: &mut R,
    prune: &Prune,
    counted: &Tally,
    machine: MachineId,
) -> Result<bool, R::Error> {
    let Some(record) = rows.record(prune.product, machine)? else {
        return Ok(false);
    };
    if !is_over(&record, prune.before, counted, rows.hour_width_ms()) {
        return Ok(false);
    }
    remove(rows, prune.product, machine, &record)?;
    Ok(true)
}

/// Whether the retention of a record is over: it was last seen before this instant, is not counted, and is not blocked.
pub fn is_over(record: &Record, before: Timestamp, counted: &Tally, hour_width_ms: u64) -> bool {
    let stays = match record.state {
        RecordState::Blocked => true,
        RecordState::Active => count::is_counted(counted, record.seen_at, hour_width_ms),
        RecordState::Released | RecordState::Replaced => false,
    };
    !stays && record.seen_at < before
}

/// Brings a record into another state. All else of it stays, the serial above all.
fn turn<R: Rows>(
    rows: &mut R,
    change: &Change,
    record: &Record,
    state: RecordState,
    kind: EventKind,
) -> Result<(), R::Error> {
    let Change { product, machine, .. } = *change;
    let turned = Record { state, ..*record };
    let mut tally = standing(rows, product)?;
    count::leave(rows, product, &mut tally, record)?;
    count::enter(rows, product, &mut tally, &turned)?;
    rows.put_tally(product, tally);
    rows.put_record(product, machine, turned);
    let at = rows.last_time()?.map_or(change.at, |last| last.max(change.at));
    history::note(rows, (product, machine), at, kind, None)
}

fn remove<R: Rows>(
    rows: &mut R,
    product: ProductId,
    machine: MachineId,
    record: &Record,
) -> Result<(), R::Error> {
    let mut tally = standing(rows, product)?;
    count::leave(rows, product, &mut tally, record)?;
    rows.put_tally(product, tally);
    rows.remove(product, machine)
}

/// The product row as it stands. One that is missing is made; having no window, it is summed at its first reading.
fn standing<R: Rows>(rows: &mut R, product: ProductId) -> Result<Tally, R::Error> {
    Ok(rows.tally(product)?.unwrap_or_default())
}
