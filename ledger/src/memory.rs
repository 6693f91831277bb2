//! A ledger that survives nothing: the twin of the one on disk, for tests.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use shared::count::{self, Outcome, Rows as _, Sighting, Terms};
use shared::ids::{MachineId, ProductId};
use shared::inventory::{self, Change, Changed, Prune, Pruned};
use shared::record::{Event, EventKind, Meta, Record};
use shared::time::Timestamp;

use super::overlay::{Base, Changes, Entry, Overlay};
use super::{EventPage, KeptPage, Ledger, LedgerError, Page, Reading, Recount, Restored, kept, reads};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

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
impl Ledger for MemoryLedger {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    async fn apply(&self, batch: Vec<Sighting>) -> Result<Vec<Outcome>, LedgerError> {
        let mut entries = self.entries();
        let mut rows = Overlay::new(&*entries, &self.meta);
        let outcomes: Result<Vec<_>, _> = batch.iter().map(|sighting| rows.decide(sighting)).collect();
        if outcomes.is_ok() {
            let changes = rows.into_changes();
            write(&mut entries, changes);
        }
        outcomes
    }

    async fn settle(&self, products: Vec<(ProductId, Terms)>, now: Timestamp) -> Result<(), LedgerError> {
        let mut entries = self.entries();
        let mut rows = Overlay::new(&*entries, &self.meta);
        rows.put_last_time(now);
        for (product, terms) in &products {
            count::settle(&mut rows, *product, terms, now)?;
        }
        let changes = rows.into_changes();
        write(&mut entries, changes);
        Ok(())
    }

    async fn change(&self, change: Change) -> Result<Changed, LedgerError> {
        let mut entries = self.entries();
        let mut rows = Overlay::new(&*entries, &self.meta);
        let changed = inventory::change(&mut rows, &change)?;
        let changes = rows.into_changes();
        write(&mut entries, changes);
        Ok(changed)
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, LedgerError> {
        let mut entries = self.entries();
        let (machines, next) = reads::to_prune(&*entries, &prune)?;
        let mut rows = Overlay::new(&*entries, &self.meta);
        let counted = reads::reading(&*entries, &self.meta, prune.product, &prune.terms, prune.at)?.tally;
        let mut removed = 0;
        for machine in machines {
            removed += u64::from(inventory::prune(&mut rows, &prune, &counted, machine)?);
        }
        let changes = rows.into_changes();
        write(&mut entries, changes);
        Ok(Pruned { removed, next })
    }

    async fn probe(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn last_time(&self) -> Result<Option<Timestamp>, LedgerError> {
        Overlay::new(&*self.entries(), &self.meta).last_time()
    }

    async fn record(&self, product: ProductId, machine: MachineId) -> Result<Option<Record>, LedgerError> {
        Overlay::new(&*self.entries(), &self.meta).record(product, machine)
    }

    async fn reading(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Reading, LedgerError> {
        reads::reading(&*self.entries(), &self.meta, product, terms, now)
    }

    async fn products(&self) -> Result<Vec<ProductId>, LedgerError> {
        reads::products(&*self.entries())
    }

    async fn machines(
        &self,
        product: Option<ProductId>,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Page, LedgerError> {
        reads::machines(&*self.entries(), product, after.as_deref(), limit)
    }

    async fn history(&self, product: ProductId, machine: MachineId) -> Result<Vec<Event>, LedgerError> {
        Overlay::new(&*self.entries(), &self.meta).events(product, machine)
    }

    async fn events(
        &self,
        product: Option<ProductId>,
        kind: Option<EventKind>,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<EventPage, LedgerError> {
        reads::events(&*self.entries(), product, kind, after.as_deref(), limit)
    }

    async fn recount(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Recount, LedgerError> {
        let entries = self.entries();
        let tally = reads::reading(&*entries, &self.meta, product, terms, now)?.tally;
        let page = reads::machines(&*entries, Some(product), None, usize::MAX)?;
        let mut recount = Recount::default();
        recount.add(&page, &tally, &self.meta);
        recount.damaged += reads::events(&*entries, Some(product), None, None, usize::MAX)?.damaged;
        Ok(recount)
    }

    async fn restored(&self) -> Result<Option<Restored>, LedgerError> {
        Overlay::new(&*self.entries(), &self.meta).restored()
    }

    async fn kept(&self, after: Option<Vec<u8>>, limit: usize) -> Result<KeptPage, LedgerError> {
        kept::page(&*self.entries(), after.as_deref(), limit)
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

fn write(entries: &mut Entries, changes: Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => entries.insert(key, value),
            None => entries.remove(&key),
        };
    }
}
