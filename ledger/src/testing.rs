//! For tests and benchmarks: a ledger in memory, and one write at a time.

use shared::count::{Outcome, Sighting};

pub use super::memory::MemoryLedger;
use super::{LedgerError, Write, Writer, Written};

/// Decides sightings as one batch.
///
/// # Errors
/// One of them was not decided.
pub async fn sight(ledger: &dyn Writer, sightings: Vec<Sighting>) -> Result<Vec<Outcome>, LedgerError> {
    let done = ledger.apply(sightings.into_iter().map(Write::Sight).collect()).await?;
    let outcome = |done| match done {
        Ok(Written::Sighted(outcome)) => Ok(outcome),
        Ok(other) => unreachable!("a sighting was decided, and not {other:?}"),
        Err(error) => Err(error),
    };
    done.into_iter().map(outcome).collect()
}

/// Makes one write.
///
/// # Errors
/// It was not made.
pub async fn write(ledger: &dyn Writer, write: Write) -> Result<Written, LedgerError> {
    ledger.apply(vec![write]).await?.pop().expect("a write has one outcome")
}
