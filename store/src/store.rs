//! The store itself: read, write a batch, sync, and stop for good when a sync fails.
//!
//! How it is opened, and when opening is refused, is `store/opening.rs`.

use std::fmt;
use std::fs::File;
use std::io;
use std::iter;
use std::mem;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::batch::Batch;
use crate::closed;
use crate::copy::Copy;
use crate::engine::{Backing, Fault, Record, Records, caught};
use crate::error::{ReadError, SyncError, WriteError};
use crate::file;
use crate::mark::Mark;
use crate::place::Place;

mod opening;

/// An ordered set of keys and values on disk, in a directory that one process at a time may open.
///
/// Every method blocks, [`sync`](Self::sync) for as long as the disk takes: call it from a thread of your
/// own, never from an async worker. It may be shared between threads.
///
/// Dropping it closes it in order. What was written but not synced may then be lost or kept, as after a crash. One that has
/// stopped is leaked instead, with its lock, because engines panic when they close over a disk that has failed.
pub struct Store {
    directory: PathBuf,
    place: Place,
    /// `None` only while it is dropped.
    backing: Option<Box<dyn Backing>>,
    was_closed_in_order: bool,
    synced: Mutex<Synced>,
    stopped: OnceLock<SyncError>,
    /// Held by whoever reads, too, who keeps the engine open. Last, so that it is let go when the rest is closed.
    held: Arc<Held>,
}

/// What belongs to an open store until nobody reads any more.
struct Held {
    _locks: Vec<File>,
    /// Where its files are, if it was opened only to be looked at.
    copy: Option<Copy>,
}

/// What a sync needs, held by one thread at a time.
struct Synced {
    mark: Mark,
    syncs: u64,
}

impl Store {
    /// Whether whoever had it open before came to the end of closing it; true for a new store. After a crash or a failed
    /// write, a caller that keeps totals beside its records should count them again.
    pub fn was_closed_in_order(&self) -> bool {
        self.was_closed_in_order
    }

    /// The value under `key`, as last written by [`write`](Self::write), synced or not. A stopped store still
    /// reads.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        readable(&self.directory, || self.backing().get(key))
    }

    /// The records whose keys start with `prefix`, in the order of the keys' bytes: every one, or those behind `after`, which is
    /// where the last page of a list ended. That record need not exist any more.
    ///
    /// It ends after its first error: past a damaged page nothing is known about what comes next. Records written meanwhile
    /// may or may not appear.
    pub fn records(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = Result<Record, ReadError>> + Send + use<> {
        let start = match after {
            Some(after) if prefix <= after => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let behind = behind(prefix);
        let records: Records = match (start, behind.as_deref()) {
            // Engines panic where a range ends before it starts.
            (Bound::Excluded(after), Some(behind)) if behind <= after => Box::new(iter::empty()),
            (_, behind) => self.backing().scan(start, behind.map_or(Bound::Unbounded, Bound::Excluded)),
        };
        let directory = self.directory.clone();
        // Nobody opens the store anew while somebody reads.
        let mut reading = Some((records, Arc::clone(&self.held)));
        iter::from_fn(move || {
            let next = || reading.as_mut().and_then(|(records, _)| records.next()).transpose();
            let record = readable(&directory, next);
            reading.take_if(|_| !matches!(record, Ok(Some(_))));
            record.transpose()
        })
    }

    /// Applies `batch` whole or, after a crash, not at all. It is durable only after the next
    /// [`sync`](Self::sync); several writes may share one.
    ///
    /// # Errors
    ///
    /// [`WriteError::TooLarge`] is the caller's mistake; nothing was written. [`WriteError::Stopped`] means that the store has
    /// failed for good.
    pub fn write(&self, batch: Batch) -> Result<(), WriteError> {
        if let Some(stopped) = self.stopped.get() {
            return Err(stopped.clone().into());
        }
        batch.check()?;
        // A batch that failed half-way is half in the engine's memory, so nothing after it can be trusted.
        self.backing().write(batch).map_err(|error| self.stop("write a batch", error).into())
    }

    /// Returns once everything written before the call is on the disk, in the directory that was opened: files in one that was
    /// removed or replaced since are written and synced like others, and are gone with the process.
    ///
    /// # Errors
    ///
    /// After one failure the store is stopped: this and every later [`write`](Self::write) and `sync` return
    /// the same error, and the caller must exit without acknowledging anything. A sync is never tried again,
    /// because the kernel drops the pages that it could not write, and a second fdatasync would then succeed
    /// for bytes that are gone (PostgreSQL's "fsyncgate").
    pub fn sync(&self) -> Result<(), SyncError> {
        let Ok(mut synced) = self.synced.lock() else {
            return Err(self.stop("sync", io::Error::other("a thread panicked during an earlier sync")));
        };
        if let Some(stopped) = self.stopped.get() {
            return Err(stopped.clone());
        }

        let syncs = synced.syncs + 1;
        self.backing().sync(syncs).map_err(|error| self.stop("sync", error))?;
        // Last, so that the mark never claims what the disk does not have.
        synced.mark.advance(syncs).map_err(|error| self.stop("mark a sync", error))?;
        synced.syncs = syncs;
        self.place.look().map_err(|gone| self.stop("find its directory", io::Error::other(gone)))
    }

    /// Bytes that its files take, free space inside them included.
    pub fn size_on_disk(&self) -> Result<u64, ReadError> {
        readable(&self.directory, || self.backing().size_on_disk())
    }

    fn backing(&self) -> &dyn Backing {
        self.backing.as_deref().expect("it is taken only by `drop`")
    }

    /// Stops the store for good and returns why: this reason, or the one that came first.
    fn stop(&self, step: &'static str, source: io::Error) -> SyncError {
        let error = SyncError { directory: self.directory.clone(), step, source: Arc::new(source) };
        tracing::error!(directory = %self.directory.display(), step, cause = %error.cause(), "store stopped");
        self.stopped.get_or_init(|| error).clone()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let Some(backing) = self.backing.take() else { return };
        if self.held.copy.is_some() {
            let _ = caught(|| drop(backing));
            return;
        }
        // Whatever stands under the store's name now is not ours to write to.
        if self.stopped.get().is_some() || self.place.look().is_err() {
            mem::forget((backing, Arc::clone(&self.held)));
            return;
        }
        // Whoever still reads keeps the engine open beyond this.
        if 1 < Arc::strong_count(&self.held) {
            return;
        }
        let syncs = self.synced.get_mut().unwrap_or_else(PoisonError::into_inner).syncs;
        if let Err(error) = close(&self.directory, backing, syncs) {
            // All that was acknowledged is on the disk. The next opening is only more careful.
            tracing::error!(directory = %self.directory.display(), %error, "the store was not closed in order");
        }
    }
}

/// Closes an engine, and notes that it was done in order.
fn close(directory: &Path, backing: Box<dyn Backing>, syncs: u64) -> io::Result<()> {
    caught(|| drop(backing)).map_err(io::Error::other)?;
    file::sync_all_below(directory)?;
    closed::write(directory, syncs)
}

/// By hand, because an engine's own would print every record.
impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// The first key behind all that begin with a prefix; none where there is no such key.
fn behind(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut key = prefix[..=last].to_vec();
    key[last] += 1;
    Some(key)
}

/// Over some damage an engine panics instead of returning its error; here both are damage.
fn readable<T>(directory: &Path, read: impl FnOnce() -> Result<T, Fault>) -> Result<T, ReadError> {
    let found = caught(read).unwrap_or_else(|panic| Err(Fault::Damaged(panic)));
    found.map_err(|fault| ReadError::of(directory, fault))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::engine::Opened;

    /// Refuses one sync and would take the next.
    #[derive(Default)]
    struct FailsOnce {
        failed: AtomicBool,
    }

    impl Backing for FailsOnce {
        fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
            Ok(None)
        }

        fn scan(&self, _: Bound<&[u8]>, _: Bound<&[u8]>) -> Records {
            Box::new(std::iter::empty())
        }

        fn write(&self, _: Batch) -> io::Result<()> {
            Ok(())
        }

        fn sync(&self, _: u64) -> io::Result<()> {
            if self.failed.swap(true, Ordering::Relaxed) { Ok(()) } else { Err(io::Error::other("broken")) }
        }

        fn size_on_disk(&self) -> Result<u64, Fault> {
            Ok(0)
        }
    }

    fn store(home: &Path) -> Store {
        let open = |_: &Path, _| Ok(Opened { backing: Box::<FailsOnce>::default(), syncs: 0 });
        Store::open_with(home, open).unwrap()
    }

    fn batch(key: &str) -> Batch {
        let mut batch = Batch::new();
        batch.put(key, "value");
        batch
    }

    #[test]
    fn a_scan_ends_at_the_first_key_that_does_not_begin_with_its_prefix() {
        let behind = |prefix: &[u8]| super::behind(prefix);
        assert_eq!(behind(b"abc").as_deref(), Some(&b"abd"[..]));
        assert_eq!(behind(b"a\xff\xff").as_deref(), Some(&b"b"[..]));
        assert_eq!((behind(b""), behind(b"\xff\xff")), (None, None));
    }

    #[test]
    fn a_failed_sync_stops_the_store_for_good() {
        let home = tempfile::tempdir().unwrap();
        let store = store(home.path());
        store.write(batch("first")).unwrap();

        let failed = store.sync().unwrap_err();

        assert!(failed.to_string().contains("has stopped"), "{failed}");
        let same = store.sync().unwrap_err();
        assert_eq!((same.to_string(), same.cause().kind()), (failed.to_string(), failed.cause().kind()));
        let refused = store.write(batch("second")).unwrap_err();
        assert_eq!(refused.to_string(), failed.to_string());
        drop(store);
        assert!(!home.path().join("closed").exists());
    }

    #[test]
    fn a_thread_that_panicked_in_a_sync_stops_the_store() {
        let home = tempfile::tempdir().unwrap();
        let store = store(home.path());
        std::thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _synced = store.synced.lock().unwrap();
                panic!("a panic that this test expects");
            });
            panicking.join().unwrap_err();
        });
        store.sync().unwrap_err();
        assert!(matches!(store.write(batch("key")), Err(WriteError::Stopped(_))));
    }
}
