//! The history of a machine: what rarely happens to it, kept as events beside its record.
//!
//! A machine that is entered, licensed or renewed leaves no event: the record says so, and rows for every machine would
//! double a large ledger. What an event is in bytes is `record/event.rs`. `docs/protocol.md` 6.

use core::time::Duration;

use crate::ids::{MachineId, ProductId};
use crate::record::{Event, EventKind, RecordState};
use crate::rows::Rows;
use crate::time::Timestamp;

/// A copy asks as often as it likes, and each ask is refused. It costs one write in this time.
const COPIED_INTERVAL: Duration = Duration::from_hours(1);

/// Adds an event to a machine's.
pub(crate) fn note<R: Rows>(
    rows: &mut R,
    (product, machine): (ProductId, MachineId),
    at: Timestamp,
    kind: EventKind,
    other: Option<MachineId>,
) -> Result<(), R::Error> {
    let last = rows.events(product, machine)?.last().map_or(0, |last| last.number);
    rows.put_event(product, machine, Event { number: last.saturating_add(1), at, kind, other });
    Ok(())
}

/// Adds that a machine was copied, unless that was noted within the hour.
pub(crate) fn note_copied<R: Rows>(
    rows: &mut R,
    (product, machine): (ProductId, MachineId),
    at: Timestamp,
) -> Result<(), R::Error> {
    let events = rows.events(product, machine)?;
    let last = events.iter().rev().find(|event| event.kind == EventKind::Copied);
    if last.is_some_and(|last| at.apart(last.at) < COPIED_INTERVAL) {
        return Ok(());
    }
    note(rows, (product, machine), at, EventKind::Copied, None)
}

/// The event when a good ask brings a record from one state to another.
pub(crate) fn turn(from: RecordState, to: RecordState) -> Option<EventKind> {
    match (from, to) {
        (RecordState::Active | RecordState::Replaced, RecordState::Released) => Some(EventKind::Released),
        (RecordState::Released | RecordState::Replaced, RecordState::Active) => Some(EventKind::Returned),
        // An ask does not replace or block its own record, and the ask of a blocked machine is refused before.
        (
            RecordState::Active | RecordState::Released | RecordState::Replaced | RecordState::Blocked,
            RecordState::Active | RecordState::Released | RecordState::Replaced | RecordState::Blocked,
        ) => None,
    }
}
