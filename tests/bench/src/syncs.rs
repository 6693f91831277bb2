//! A ledger that counts how often it was made durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ledger::{LedgerError, Write, Writer, Written};

/// Counts batches: the ledger on disk syncs once for each that changes anything.
pub(crate) struct CountedSyncs {
    ledger: Arc<dyn Writer>,
    syncs: AtomicU64,
}

impl CountedSyncs {
    /// In front of this ledger.
    pub(crate) fn of(ledger: Arc<dyn Writer>) -> CountedSyncs {
        CountedSyncs { ledger, syncs: AtomicU64::new(0) }
    }

    /// How many there were.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Writer for CountedSyncs {
    async fn apply(&self, writes: Vec<Write>) -> Result<Vec<Result<Written, LedgerError>>, LedgerError> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.ledger.apply(writes).await
    }
}
