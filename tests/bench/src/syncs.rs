//! A ledger that counts how often it was made durable, and otherwise does what the ledger behind it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ledger::{EventPage, KeptPage, Ledger, LedgerError, Page, Reading, Recount, Restored};
use shared::count::{Outcome, Sighting, Terms};
use shared::ids::{MachineId, ProductId};
use shared::inventory::{Change, Changed, Prune, Pruned};
use shared::record::{Event, EventKind, Meta, Record};
use shared::time::Timestamp;

/// Counts batches: the ledger on disk syncs once for each that changes anything.
pub(crate) struct CountedSyncs {
    ledger: Arc<dyn Ledger>,
    syncs: AtomicU64,
}

impl CountedSyncs {
    /// In front of this ledger.
    pub(crate) fn of(ledger: Arc<dyn Ledger>) -> CountedSyncs {
        CountedSyncs { ledger, syncs: AtomicU64::new(0) }
    }

    /// How many there were.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Ledger for CountedSyncs {
    fn meta(&self) -> &Meta {
        self.ledger.meta()
    }

    async fn apply(&self, batch: Vec<Sighting>) -> Result<Vec<Outcome>, LedgerError> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.ledger.apply(batch).await
    }

    async fn settle(&self, products: Vec<(ProductId, Terms)>, now: Timestamp) -> Result<(), LedgerError> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.ledger.settle(products, now).await
    }

    async fn change(&self, change: Change) -> Result<Changed, LedgerError> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.ledger.change(change).await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, LedgerError> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.ledger.prune(prune).await
    }

    async fn probe(&self) -> Result<(), LedgerError> {
        self.ledger.probe().await
    }

    async fn last_time(&self) -> Result<Option<Timestamp>, LedgerError> {
        self.ledger.last_time().await
    }

    async fn record(&self, product: ProductId, machine: MachineId) -> Result<Option<Record>, LedgerError> {
        self.ledger.record(product, machine).await
    }

    async fn reading(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Reading, LedgerError> {
        self.ledger.reading(product, terms, now).await
    }

    async fn products(&self) -> Result<Vec<ProductId>, LedgerError> {
        self.ledger.products().await
    }

    async fn machines(
        &self,
        product: Option<ProductId>,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Page, LedgerError> {
        self.ledger.machines(product, after, limit).await
    }

    async fn history(&self, product: ProductId, machine: MachineId) -> Result<Vec<Event>, LedgerError> {
        self.ledger.history(product, machine).await
    }

    async fn events(
        &self,
        product: Option<ProductId>,
        kind: Option<EventKind>,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<EventPage, LedgerError> {
        self.ledger.events(product, kind, after, limit).await
    }

    async fn recount(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Recount, LedgerError> {
        self.ledger.recount(product, terms, now).await
    }

    async fn restored(&self) -> Result<Option<Restored>, LedgerError> {
        self.ledger.restored().await
    }

    async fn kept(&self, after: Option<Vec<u8>>, limit: usize) -> Result<KeptPage, LedgerError> {
        self.ledger.kept(after, limit).await
    }
}
