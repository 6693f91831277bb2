//! The ledger on disk, over `kms-store` and whichever engine: what it has answered survives a crash.
//!
//! [`Store`] makes batches atomic and syncs durable, and stops for good after one that failed. Left to this file: cutting
//! a batch of sightings into writes that the store takes, one sync before anybody is told, and threads for long reads.

use std::fs;
use std::io;
use std::mem;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use async_trait::async_trait;
use shared::count::{self, Outcome, Rows as _, Sighting, Terms};
use shared::ids::{MachineId, ProductId};
use shared::inventory::{self, Change, Changed, Prune, Pruned};
use shared::record::{Event, EventKind, FORMAT_VERSION, Meta, Record, key};
use shared::time::Timestamp;
use store::{Batch, Engine, MAX_BATCH, Store};
use tokio::task;

use super::overlay::{Base, CHANGES_A_REMOVAL, CHANGES_A_SIGHTING, Changes, Entry, Overlay};
use super::rebuild::{OutOfOrder, Rebuild};
use super::recheck::{Disagreement, Recheck};
use super::{
    EventPage, Kept, KeptPage, Ledger, LedgerError, OpenError, Page, Reading, Recount, Restored, kept, reads,
    upgrade,
};

/// Rows that a ledger which is filled may have written and not synced: few enough that the engine holds little of them.
const UNSYNCED_ROWS: usize = 16 * 1024;

/// A ledger in a directory of its own.
///
/// [`apply`](Ledger::apply) and [`settle`](Ledger::settle) block until the disk has answered: only the queue's thread
/// calls them. Reads of one row block too, for less than it would take to hand them to another thread; everything
/// longer runs on the runtime's threads for blocking work.
pub struct DiskLedger {
    disk: Arc<Disk>,
    /// The first fatal error. It stays, whatever the disk says later.
    failed: OnceLock<LedgerError>,
    /// The first that concerns some rows only.
    damage: OnceLock<LedgerError>,
}

struct Disk {
    store: Store,
    meta: Meta,
    /// Held while a write is applied and while a count is read, so that no reading sees half of a write. Never during a
    /// sync.
    whole: RwLock<()>,
    /// A walk through the records, which has to hear of every write.
    recheck: Mutex<Option<Recheck>>,
}

impl DiskLedger {
    /// Makes a new ledger on this engine, durable on return, with about so many bytes of cache.
    ///
    /// # Errors
    /// [`OpenError::Exists`] where there is one already; it stays as it is.
    pub fn create(
        path: &Path,
        engine: Engine,
        cache_bytes: u64,
        meta: Meta,
    ) -> Result<DiskLedger, OpenError> {
        DiskLedger::create_in(path, Store::open(path, engine, cache_bytes)?, meta)
    }

    /// As [`create`](DiskLedger::create), in a store that was just opened at `path`.
    ///
    /// # Errors
    /// [`OpenError::Exists`] where it holds anything.
    pub fn create_in(path: &Path, store: Store, meta: Meta) -> Result<DiskLedger, OpenError> {
        // Anything counts: rows without a meta row are a damaged ledger, and somebody may want to save it.
        if !store.scan(&[], None, 1)?.is_empty() {
            let directory = path.to_owned();
            return Err(OpenError::Exists { directory });
        }
        let mut batch = Batch::new();
        batch.put(key::META, meta.encode(key::META));
        store.write(batch).map_err(LedgerError::from)?;
        store.sync().map_err(LedgerError::from)?;
        Ok(DiskLedger::over(store, meta))
    }

    /// Opens a ledger that was made before. One of an earlier format is upgraded first, which reads every record.
    ///
    /// # Errors
    /// [`OpenError`] names the directory and the remedy; nothing is ever replaced by an empty ledger.
    pub fn open(path: &Path, engine: Engine, cache_bytes: u64) -> Result<DiskLedger, OpenError> {
        DiskLedger::open_telling(path, engine, cache_bytes, &|_| {})
    }

    /// As [`open`](DiskLedger::open). During an upgrade `told` hears again and again how many records are read, so that
    /// whoever waits for the ledger knows that it comes.
    ///
    /// # Errors
    /// As for [`open`](DiskLedger::open).
    pub fn open_telling(
        path: &Path,
        engine: Engine,
        cache_bytes: u64,
        told: &dyn Fn(u64),
    ) -> Result<DiskLedger, OpenError> {
        // The store makes what is not there, and a directory may be empty because its disk is not mounted.
        check_not_empty(path)?;
        let (ledger, format) = DiskLedger::found_in(path, Store::open(path, engine, cache_bytes)?)?;
        if format < FORMAT_VERSION {
            upgrade::upgrade(path, &ledger.disk.store, (format, &ledger.disk.meta), told)?;
        }
        Ok(ledger)
    }

    /// Opens a copy of it to look at, and writes nothing at `path`, not even an upgrade. With the format that it has: one of
    /// an earlier format can say which ledger it is and when it was last written to, and may be asked for nothing else.
    ///
    /// # Errors
    /// As [`open`](DiskLedger::open), and where there is no room for the copy.
    pub fn look(path: &Path, engine: Engine, cache_bytes: u64) -> Result<(DiskLedger, u8), OpenError> {
        check_not_empty(path)?;
        let store = Store::look(path, engine, cache_bytes).map_err(|error| match error {
            store::OpenError::Missing { directory } => OpenError::Missing { directory },
            error => error.into(),
        })?;
        DiskLedger::found_in(path, store)
    }

    fn found_in(path: &Path, store: Store) -> Result<(DiskLedger, u8), OpenError> {
        let directory = path.to_owned();
        let Some(value) = store.read(key::META)? else {
            return Err(if store.scan(&[], None, 1)?.is_empty() {
                OpenError::Missing { directory }
            } else {
                OpenError::Damaged { directory }
            });
        };
        match Meta::decode(key::META, &value) {
            Ok((format, meta)) => Ok((DiskLedger::over(store, meta), format)),
            Err(_) => Err(match value.first() {
                Some(found) if FORMAT_VERSION < *found => {
                    OpenError::Newer { directory, found: *found, known: FORMAT_VERSION }
                }
                Some(_) | None => OpenError::Damaged { directory },
            }),
        }
    }

    /// Makes a ledger of what another one keeps, durable on return; what counts is added up anew. It may take minutes.
    ///
    /// A failure, or a crash, leaves a directory that [`open`](DiskLedger::open) refuses: the meta row comes last.
    ///
    /// # Errors
    /// The disk refuses, the rows are not in the order of their keys, or `rows` fails.
    pub fn rebuild<E: From<OpenError> + From<OutOfOrder>>(
        path: &Path,
        engine: Engine,
        cache_bytes: u64,
        meta: &Meta,
        mut rows: impl FnMut() -> Result<Option<Kept>, E>,
    ) -> Result<(), E> {
        let mut filling = Filling {
            store: Store::open(path, engine, cache_bytes).map_err(OpenError::from)?,
            batch: Batch::new(),
            unsynced: 0,
        };
        let mut rebuild = Rebuild::new(meta);
        while let Some(kept) = rows()? {
            if let Some(row) = rebuild.take(&kept)? {
                filling.put(row).map_err(OpenError::from)?;
            }
        }
        let rest = rebuild.finish().into_iter().chain([(key::META.to_vec(), meta.encode(key::META))]);
        rest.into_iter()
            .try_for_each(|row| filling.put(row))
            .and_then(|()| filling.finish())
            .map_err(OpenError::from)?;
        Ok(())
    }

    /// Whether whoever had it before came to an orderly end.
    pub fn was_closed_in_order(&self) -> bool {
        self.disk.store.was_closed_in_order()
    }

    fn over(store: Store, meta: Meta) -> DiskLedger {
        let (whole, recheck) = (RwLock::new(()), Mutex::new(None));
        DiskLedger {
            disk: Arc::new(Disk { store, meta, whole, recheck }),
            failed: OnceLock::new(),
            damage: OnceLock::new(),
        }
    }

    /// Runs a write, unless one has failed before, and remembers if this one does.
    fn writing<T>(&self, write: impl FnOnce(&Disk) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        if let Some(failed) = self.failed.get() {
            return Err(failed.clone());
        }
        self.noting(write(&self.disk))
    }

    /// Remembers an error.
    fn noting<T>(&self, done: Result<T, LedgerError>) -> Result<T, LedgerError> {
        done.inspect_err(|error| {
            let first = if error.is_fatal() { &self.failed } else { &self.damage };
            first.get_or_init(|| error.clone());
        })
    }

    /// Runs a long read where it may block.
    async fn reading_long<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Disk) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let disk = Arc::clone(&self.disk);
        let read = task::spawn_blocking(move || read(&disk)).await;
        self.noting(read.unwrap_or_else(|stopped| Err(LedgerError::fatal(stopped))))
    }
}

#[async_trait]
impl Ledger for DiskLedger {
    fn meta(&self) -> &Meta {
        &self.disk.meta
    }

    async fn apply(&self, batch: Vec<Sighting>) -> Result<Vec<Outcome>, LedgerError> {
        self.writing(|disk| disk.apply(&batch))
    }

    async fn settle(&self, products: Vec<(ProductId, Terms)>, now: Timestamp) -> Result<(), LedgerError> {
        self.writing(|disk| disk.settle(&products, now))
    }

    async fn change(&self, change: Change) -> Result<Changed, LedgerError> {
        self.writing(|disk| disk.change(&change))
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, LedgerError> {
        self.writing(|disk| disk.prune(&prune))
    }

    async fn probe(&self) -> Result<(), LedgerError> {
        self.writing(|disk| Ok(disk.store.sync()?))
    }

    async fn last_time(&self) -> Result<Option<Timestamp>, LedgerError> {
        self.noting(self.disk.rows().last_time())
    }

    async fn record(&self, product: ProductId, machine: MachineId) -> Result<Option<Record>, LedgerError> {
        self.noting(self.disk.rows().record(product, machine))
    }

    async fn reading(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Reading, LedgerError> {
        let terms = *terms;
        self.reading_long(move |disk| disk.reading(product, &terms, now)).await
    }

    async fn products(&self) -> Result<Vec<ProductId>, LedgerError> {
        self.reading_long(|disk| reads::products(&disk.store)).await
    }

    async fn machines(
        &self,
        product: Option<ProductId>,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Page, LedgerError> {
        self.reading_long(move |disk| reads::machines(&disk.store, product, after.as_deref(), limit)).await
    }

    async fn history(&self, product: ProductId, machine: MachineId) -> Result<Vec<Event>, LedgerError> {
        self.reading_long(move |disk| disk.rows().events(product, machine)).await
    }

    async fn events(
        &self,
        product: Option<ProductId>,
        kind: Option<EventKind>,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<EventPage, LedgerError> {
        self.reading_long(move |disk| reads::events(&disk.store, product, kind, after.as_deref(), limit))
            .await
    }

    async fn recount(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Recount, LedgerError> {
        let tally = self.reading(product, terms, now).await?.tally;
        let (mut recount, mut after) = (Recount::default(), None);
        // A page is a task of its own: no iterator keeps old pages of the store alive, and whoever stops waiting
        // stops the recount.
        loop {
            let page = self.machines(Some(product), after, reads::RECOUNT_PAGE).await?;
            recount.add(&page, &tally, &self.disk.meta);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        loop {
            let page = self.events(Some(product), None, after, reads::RECOUNT_PAGE).await?;
            recount.damaged += page.damaged;
            after = page.next;
            if after.is_none() {
                return Ok(recount);
            }
        }
    }

    async fn restored(&self) -> Result<Option<Restored>, LedgerError> {
        self.noting(self.disk.rows().restored())
    }

    async fn recheck(&self) -> Result<Vec<Disagreement>, LedgerError> {
        *self.disk.recheck() = Some(Recheck::default());
        // Each page is a task of its own: the runtime may stop in between.
        let walked = loop {
            match self.reading_long(Disk::recheck_on).await {
                Ok(true) => {}
                done => break done,
            }
        };
        let checked = match walked {
            Ok(_) => self.reading_long(Disk::compare).await,
            Err(error) => Err(error),
        };
        *self.disk.recheck() = None;
        checked
    }

    fn damage(&self) -> Option<LedgerError> {
        self.damage.get().cloned()
    }

    async fn kept(&self, after: Option<Vec<u8>>, limit: usize) -> Result<KeptPage, LedgerError> {
        self.reading_long(move |disk| kept::page(&disk.store, after.as_deref(), limit)).await
    }
}

/// A store that is filled before anybody counts on it.
struct Filling {
    store: Store,
    batch: Batch,
    unsynced: usize,
}

impl Filling {
    fn put(&mut self, (key, value): Entry) -> Result<(), LedgerError> {
        self.batch.put(key, value);
        if self.batch.len() < MAX_BATCH { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<(), LedgerError> {
        self.unsynced += self.batch.len();
        self.store.write(mem::take(&mut self.batch))?;
        if UNSYNCED_ROWS <= self.unsynced {
            self.unsynced = 0;
            self.store.sync()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), LedgerError> {
        self.write()?;
        Ok(self.store.sync()?)
    }
}

impl Disk {
    fn rows(&self) -> Overlay<'_, Store> {
        Overlay::new(&self.store, &self.meta)
    }

    fn reading(&self, product: ProductId, terms: &Terms, now: Timestamp) -> Result<Reading, LedgerError> {
        let _whole = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        reads::reading(&self.store, &self.meta, product, terms, now)
    }

    fn apply(&self, batch: &[Sighting]) -> Result<Vec<Outcome>, LedgerError> {
        let mut rows = self.rows();
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut written = false;
        for sighting in batch {
            // Cut between two sightings, so that a crash never leaves half of one.
            written |= self.make_room(&mut rows, CHANGES_A_SIGHTING)?;
            let before = rows.changed();
            outcomes.push(rows.decide(sighting)?);
            debug_assert!(rows.changed() <= before + CHANGES_A_SIGHTING, "no room was made for so many rows");
        }
        let changes = rows.into_changes();
        if written || !changes.is_empty() {
            self.write(changes)?;
            self.store.sync()?;
        }
        Ok(outcomes)
    }

    fn settle(&self, products: &[(ProductId, Terms)], now: Timestamp) -> Result<(), LedgerError> {
        let mut rows = self.rows();
        rows.put_last_time(now);
        for (product, terms) in products {
            self.make_room(&mut rows, CHANGES_A_SIGHTING)?;
            count::settle(&mut rows, *product, terms, now)?;
        }
        self.write(rows.into_changes())?;
        Ok(self.store.sync()?)
    }

    fn change(&self, change: &Change) -> Result<Changed, LedgerError> {
        let mut rows = self.rows();
        let changed = inventory::change(&mut rows, change)?;
        let changes = rows.into_changes();
        if !changes.is_empty() {
            self.write(changes)?;
            self.store.sync()?;
        }
        Ok(changed)
    }

    fn prune(&self, prune: &Prune) -> Result<Pruned, LedgerError> {
        let (machines, next) = reads::to_prune(&self.store, prune)?;
        let counted = reads::reading(&self.store, &self.meta, prune.product, &prune.terms, prune.at)?.tally;
        let mut rows = self.rows();
        let mut removed = 0;
        for machine in machines {
            self.make_room(&mut rows, CHANGES_A_REMOVAL)?;
            removed += u64::from(inventory::prune(&mut rows, prune, &counted, machine)?);
        }
        if 0 < removed {
            self.write(rows.into_changes())?;
            self.store.sync()?;
        }
        Ok(Pruned { removed, next })
    }

    /// Writes what there is if so many changes more would not go with it; says whether it has.
    fn make_room(&self, rows: &mut Overlay<'_, Store>, changes: usize) -> Result<bool, LedgerError> {
        if rows.changed() + changes <= MAX_BATCH {
            return Ok(false);
        }
        self.write(rows.take_changes())?;
        Ok(true)
    }

    fn write(&self, changes: Changes) -> Result<(), LedgerError> {
        let _whole = self.whole.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(recheck) = self.recheck().as_mut() {
            for (key, value) in &changes {
                recheck.changing(&self.store, self.meta.hour_width_ms, key, value.as_deref())?;
            }
        }
        let mut batch = Batch::new();
        for (key, value) in changes {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.remove(key),
            }
        }
        Ok(self.store.write(batch)?)
    }

    fn recheck(&self) -> MutexGuard<'_, Option<Recheck>> {
        self.recheck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page of the walk; whether there may be more.
    fn recheck_on(&self) -> Result<bool, LedgerError> {
        let _whole = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        let mut recheck = self.recheck();
        recheck.as_mut().map_or(Ok(false), |recheck| recheck.read_on(&self.store, self.meta.hour_width_ms))
    }

    /// What the walk has found.
    fn compare(&self) -> Result<Vec<Disagreement>, LedgerError> {
        let _whole = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        let recheck = self.recheck().take();
        recheck.map_or_else(|| Ok(Vec::new()), |recheck| recheck.compare(&self.store))
    }
}

impl Base for Store {
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.get(key)?)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        let entries = match after {
            Some(after) => self.scan_from(prefix, after),
            None => self.scan_prefix(prefix),
        };
        entries.take(limit).map(|entry| entry.map_err(LedgerError::from)).collect()
    }
}

/// Refuses a directory that has nothing in it, or is not there.
fn check_not_empty(path: &Path) -> Result<(), OpenError> {
    let directory = path.to_owned();
    match fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
        Ok(false) => Ok(()),
        Ok(true) => Err(OpenError::Missing { directory }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(OpenError::Missing { directory }),
        Err(source) => Err(OpenError::Io { directory, source }),
    }
}
