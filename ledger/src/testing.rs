//! For tests and benchmarks: a ledger in memory, one that is kept elsewhere, and one write at a time.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use shared::count::{Outcome, Sighting};
use tokio::sync::Semaphore;
use tokio::task;

use super::base::{Base as _, Sink as _};
use super::memory::Entries;
pub use super::memory::MemoryLedger;
use super::{Changes, Entry, Housekeeping, Keeper, LedgerError, List, Seen, Write, Writer, Written};

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

/// Rows that several ledgers share, each call as far away as a database: others come in between.
#[derive(Clone, Debug)]
pub struct Shared {
    rows: Arc<Mutex<Entries>>,
    house: Arc<Semaphore>,
}

impl Shared {
    /// These rows.
    pub fn new(rows: impl IntoIterator<Item = Entry>) -> Shared {
        Shared { rows: Arc::new(Mutex::new(rows.into_iter().collect())), house: Arc::new(Semaphore::new(1)) }
    }

    async fn rows<T>(&self, on: impl FnOnce(&mut Entries) -> T) -> T {
        task::yield_now().await;
        on(&mut self.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Keeper for Shared {
    async fn values(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, LedgerError> {
        Ok(self.rows(|rows| keys.iter().map(|key| rows.get(key).cloned()).collect()).await)
    }

    async fn list(&self, list: &List) -> Result<Vec<Entry>, LedgerError> {
        self.rows(|rows| rows.scan(&list.prefix, list.after.as_deref(), list.limit)).await
    }

    async fn commit(&self, seen: &Seen, changes: &Changes) -> Result<bool, LedgerError> {
        self.rows(|rows| {
            let is_so = seen.values.iter().all(|(key, value)| rows.get(key) == value.as_ref());
            let is_listed = |(list, entries): (&List, &Vec<Entry>)| {
                let found = rows.scan(&list.prefix, list.after.as_deref(), list.limit);
                found.is_ok_and(|found| found == *entries)
            };
            if !is_so || !seen.lists.iter().all(is_listed) {
                return Ok(false);
            }
            rows.write(changes.clone())?;
            Ok(true)
        })
        .await
    }

    async fn housekeeping(&self) -> Result<Housekeeping, LedgerError> {
        let taken = Arc::clone(&self.house).try_acquire_owned();
        let taken = taken.map_err(|error| LedgerError::Unavailable { source: Arc::new(error) })?;
        Ok(Housekeeping::until_dropped(taken))
    }
}
