//! Writes as one transaction: what rules decide over an overlay, cut into pieces that a crash leaves whole.
//!
//! Sightings that follow each other share what they read. Every other write stands alone, because deciding it twice would give
//! another answer. A write that needs a row which cannot be read fails alone: the rest is decided again without it, which is
//! harmless for sightings. Left to the ledger: how pieces are written, and that they are durable.

use std::collections::BTreeMap;

use shared::count::{self, Rows as _, Terms};
use shared::ids::ProductId;
use shared::inventory::{self, Prune, Pruned};
use shared::record::EVENTS_A_MACHINE;
use shared::time::Timestamp;

use super::base::Sink;
use super::overlay::Overlay;
use super::{LedgerError, Write, Written, reads};

/// The most rows that one sighting changes, with room to spare: last time, tally, record, the record whose seat it
/// takes, an hour of each and this one, the day, the number of those that are not active, two events, and two that say that the
/// ledger was restored.
const CHANGES_A_SIGHTING: usize = 16;

/// The most rows that go with one record, with room to spare: the record, its events, its hour, the tally and the number of
/// those that are not active.
const CHANGES_A_REMOVAL: usize = EVENTS_A_MACHINE as usize + 8;

/// Decides everything in its order. An error in place of an outcome concerns that write alone.
///
/// # Errors
/// Nobody may be told anything.
pub(crate) fn apply<S: Sink>(
    rows: &mut Overlay<'_, &mut S>,
    writes: &[Write],
) -> Result<Vec<Result<Written, LedgerError>>, LedgerError> {
    let mut done = Vec::with_capacity(writes.len());
    for writes in pieces(writes) {
        let mut failed = BTreeMap::new();
        done.extend(loop {
            if let Some(done) = apply_but(rows, writes, &mut failed)? {
                break done;
            }
        });
    }
    Ok(done)
}

/// What may be decided twice together, and what stands alone.
pub(crate) fn pieces(writes: &[Write]) -> impl Iterator<Item = &[Write]> {
    let is_sighting = |write: &Write| matches!(write, Write::Sight(_));
    writes.chunk_by(move |one, next| is_sighting(one) && is_sighting(next))
}

/// Decides what has not failed yet. Nothing where one fails now: whatever was decided and not written is forgotten.
fn apply_but<S: Sink>(
    rows: &mut Overlay<'_, &mut S>,
    writes: &[Write],
    failed: &mut BTreeMap<usize, LedgerError>,
) -> Result<Option<Vec<Result<Written, LedgerError>>>, LedgerError> {
    let mut done = Vec::with_capacity(writes.len());
    for (at, write) in writes.iter().enumerate() {
        if let Some(error) = failed.get(&at) {
            done.push(Err(error.clone()));
            continue;
        }
        match perform(rows, write) {
            Ok(written) => done.push(Ok(written)),
            Err(error) if error.is_damage() => {
                tracing::error!(%error, "a write was not made");
                rows.forget();
                failed.insert(at, error);
                return Ok(None);
            }
            // Others may miss rows as well, and it is better to hear of all of them.
            Err(error) if !error.is_fatal() => done.push(Err(error)),
            Err(error) => return Err(error),
        }
    }
    rows.flush()?;
    Ok(Some(done))
}

fn perform<S: Sink>(rows: &mut Overlay<'_, &mut S>, write: &Write) -> Result<Written, LedgerError> {
    match write {
        Write::Sight(sighting) => {
            // Cut between two sightings, so that a crash never leaves half of one.
            rows.make_room(CHANGES_A_SIGHTING)?;
            let before = rows.changes.len();
            let outcome = rows.decide(sighting)?;
            debug_assert!(
                rows.changes.len() <= before + CHANGES_A_SIGHTING,
                "no room was made for so many rows"
            );
            Ok(Written::Sighted(outcome))
        }
        Write::Change(change) => Ok(Written::Changed(inventory::change(rows, change)?)),
        Write::Prune(_, retention) => prune(rows, retention).map(Written::Pruned),
        Write::Settle(_, products, now) => settle(rows, products, *now),
        Write::Probe => Ok(Written::Done),
    }
}

fn settle<S: Sink>(
    rows: &mut Overlay<'_, &mut S>,
    products: &[(ProductId, Terms)],
    now: Timestamp,
) -> Result<Written, LedgerError> {
    rows.put_last_time(now);
    for (product, terms) in products {
        rows.make_room(CHANGES_A_SIGHTING)?;
        count::settle(rows, *product, terms, now)?;
    }
    Ok(Written::Done)
}

fn prune<S: Sink>(rows: &mut Overlay<'_, &mut S>, retention: &Prune) -> Result<Pruned, LedgerError> {
    let (machines, next) = reads::to_prune(&*rows.base, retention)?;
    let Prune { product, terms, at, .. } = retention;
    let counted = reads::reading(&*rows.base, rows.meta, *product, terms, *at)?.tally;
    let mut removed = 0;
    for machine in machines {
        rows.make_room(CHANGES_A_REMOVAL)?;
        removed += u64::from(inventory::prune(rows, retention, &counted, machine)?);
    }
    Ok(Pruned { removed, next })
}
