//! The ledger on disk, over `kms-store` and whichever engine: what it has answered survives a crash.
//!
//! [`Store`] makes batches atomic and syncs durable, and stops for good after one that failed. This file adds: one sync before
//! any answer, and threads for long reads.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use async_trait::async_trait;
use shared::record::Meta;
use store::{MAX_BATCH, Store};
use tokio::task;

use super::base::{Base, Changes, Entry, Sink};
use super::overlay::Overlay;
use super::reader::{Extent, ReadByRule};
use super::recheck::{Disagreement, Recheck};
use super::{Condition, LedgerError, Write, Writer, Written, transaction};

/// A ledger in a directory of its own.
///
/// [`apply`](Writer::apply) blocks until the disk has answered: only the queue's thread calls it. Reads of one row block too, for
/// less than it would take to hand them to another thread; everything longer runs on the runtime's threads for blocking work.
pub(crate) struct DiskLedger(Arc<Disk>);

struct Disk {
    store: Store,
    meta: Meta,
    /// Held while a write is applied and while a count is read, so that no reading sees half of a write. Never during a
    /// sync.
    whole: RwLock<()>,
    /// A walk through the records, which has to hear of every write.
    recheck: Mutex<Option<Recheck>>,
    /// The first fatal error. It stays, whatever the disk says later.
    failed: OnceLock<LedgerError>,
    /// The first that concerns some rows only.
    damage: OnceLock<LedgerError>,
}

impl DiskLedger {
    /// Over a store that holds a ledger of this format.
    pub(crate) fn over(store: Store, meta: Meta) -> DiskLedger {
        let (whole, recheck) = (RwLock::new(()), Mutex::new(None));
        let (failed, damage) = (OnceLock::new(), OnceLock::new());
        DiskLedger(Arc::new(Disk { store, meta, whole, recheck, failed, damage }))
    }

    /// Runs a long read where it may block.
    async fn reading_long<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Disk) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let disk = Arc::clone(&self.0);
        let read = task::spawn_blocking(move || read(&disk)).await;
        self.0.noting(read.unwrap_or_else(|stopped| Err(LedgerError::fatal(stopped))))
    }
}

#[async_trait]
impl Writer for DiskLedger {
    async fn apply(&self, writes: Vec<Write>) -> Result<Vec<Result<Written, LedgerError>>, LedgerError> {
        if let Some(failed) = self.0.failed.get() {
            return Err(failed.clone());
        }
        let done = self.0.noting(self.0.apply(&writes))?;
        for error in done.iter().filter_map(|done| done.as_ref().err()) {
            self.0.damage.get_or_init(|| error.clone());
        }
        Ok(done)
    }
}

impl ReadByRule for DiskLedger {
    fn meta(&self) -> &Meta {
        &self.0.meta
    }

    async fn read<T: Send + 'static>(
        &self,
        extent: Extent,
        rule: impl Fn(&dyn Base, &Meta) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        match extent {
            Extent::Rows => self.0.noting(rule(&self.0.store, &self.0.meta)),
            Extent::Page => self.reading_long(move |disk| rule(&disk.store, &disk.meta)).await,
            Extent::Count => {
                self.reading_long(move |disk| disk.whole(|| rule(&disk.store, &disk.meta))).await
            }
        }
    }
}

#[async_trait]
impl Condition for DiskLedger {
    fn was_closed_in_order(&self) -> bool {
        self.0.store.was_closed_in_order()
    }

    async fn recheck(&self) -> Result<Vec<Disagreement>, LedgerError> {
        *self.0.recheck() = Some(Recheck::default());
        let checked = async {
            // Each page is a task of its own: the runtime may stop in between.
            while self.reading_long(Disk::recheck_on).await? {}
            self.reading_long(Disk::compare).await
        };
        let checked = checked.await;
        *self.0.recheck() = None;
        checked
    }

    fn damage(&self) -> Option<LedgerError> {
        self.0.damage.get().cloned()
    }
}

impl Disk {
    /// Remembers an error.
    fn noting<T>(&self, done: Result<T, LedgerError>) -> Result<T, LedgerError> {
        done.inspect_err(|error| {
            let first = if error.is_fatal() { &self.failed } else { &self.damage };
            first.get_or_init(|| error.clone());
        })
    }

    /// Reads while no write is half applied.
    fn whole<T>(&self, read: impl FnOnce() -> T) -> T {
        let _whole = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        read()
    }

    /// One sync follows all that is written.
    fn apply(&self, writes: &[Write]) -> Result<Vec<Result<Written, LedgerError>>, LedgerError> {
        let mut rows = Unsynced { disk: self, has_written: false };
        let done = transaction::apply(&mut Overlay::new(&mut rows, &self.meta), writes)?;
        if rows.has_written || writes.iter().any(|write| matches!(write, Write::Probe)) {
            self.store.sync()?;
        }
        Ok(done)
    }

    fn write(&self, changes: Changes) -> Result<(), LedgerError> {
        let _whole = self.whole.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(recheck) = self.recheck().as_mut() {
            for (key, value) in &changes {
                recheck.changing(&self.store, self.meta.hour_width_ms, key, value.as_deref())?;
            }
        }
        Ok(self.store.write(changes.into())?)
    }

    fn recheck(&self) -> MutexGuard<'_, Option<Recheck>> {
        self.recheck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page of the walk; whether there may be more.
    fn recheck_on(&self) -> Result<bool, LedgerError> {
        self.whole(|| {
            let mut recheck = self.recheck();
            recheck
                .as_mut()
                .map_or(Ok(false), |recheck| recheck.read_on(&self.store, self.meta.hour_width_ms))
        })
    }

    /// What the walk has found.
    fn compare(&self) -> Result<Vec<Disagreement>, LedgerError> {
        self.whole(|| {
            let recheck = self.recheck().take();
            recheck.map_or_else(|| Ok(Vec::new()), |recheck| recheck.compare(&self.store))
        })
    }
}

/// What a transaction writes to.
struct Unsynced<'a> {
    disk: &'a Disk,
    has_written: bool,
}

impl Base for Unsynced<'_> {
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        self.disk.store.read(key)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        self.disk.store.scan(prefix, after, limit)
    }
}

impl Sink for Unsynced<'_> {
    const ROWS_MAX: usize = MAX_BATCH;

    fn write(&mut self, changes: Changes) -> Result<(), LedgerError> {
        self.has_written = true;
        self.disk.write(changes)
    }
}

impl Base for Store {
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.get(key)?)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        let entries = self.records(prefix, after).take(limit);
        entries.map(|entry| entry.map_err(LedgerError::from)).collect()
    }
}
