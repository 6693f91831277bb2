//! A ledger that survives nothing: the twin of the one on disk, for tests.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use shared::record::Meta;

use super::base::{Base, Changes, Entry, Sink};
use super::overlay::Overlay;
use super::reader::{Extent, ReadByRule};
use super::{Condition, LedgerError, Write, Writer, Written, transaction};

pub(crate) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// A ledger in memory. It keeps the same bytes under the same keys as the one on disk.
pub struct MemoryLedger {
    meta: Meta,
    entries: Mutex<Entries>,
}

impl MemoryLedger {
    /// A new ledger.
    pub fn new(meta: Meta) -> MemoryLedger {
        MemoryLedger::with_rows(meta, [])
    }

    /// A ledger that finds these rows, keys and values of `shared::record`, for what no ask brings about.
    pub fn with_rows(meta: Meta, rows: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> MemoryLedger {
        let entries = Mutex::new(rows.into_iter().collect());
        MemoryLedger { meta, entries }
    }

    /// Nothing is written before all is decided, so a panic leaves the rows whole.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Writer for MemoryLedger {
    async fn apply(&self, writes: Vec<Write>) -> Result<Vec<Result<Written, LedgerError>>, LedgerError> {
        transaction::apply(&mut Overlay::new(&mut *self.entries(), &self.meta), &writes)
    }
}

impl Condition for MemoryLedger {}

impl ReadByRule for MemoryLedger {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    async fn read<T: Send + 'static>(
        &self,
        _: Extent,
        rule: impl Fn(&dyn Base, &Meta) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        rule(&*self.entries(), &self.meta)
    }
}

impl Base for Entries {
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        let start = match after {
            Some(after) if prefix <= after => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let entries = self
            .range::<[u8], _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit);
        Ok(entries.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

impl Sink for Entries {
    const ROWS_MAX: usize = usize::MAX;

    fn write(&mut self, changes: Changes) -> Result<(), LedgerError> {
        for (key, value) in changes {
            match value {
                Some(value) => self.insert(key, value),
                None => self.remove(&key),
            };
        }
        Ok(())
    }
}
