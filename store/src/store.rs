//! The store itself: read, write a batch, sync, and stop for good when a sync fails.
//!
//! How it is opened, and when opening is refused, is `opening.rs`.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use crate::batch::Batch;
use crate::error::{OpenError, ReadError, SyncError, WriteError};
use crate::mark::{Mark, SYNCS_KEY};
use crate::opening::{self, Opened, panic_message};

/// A key and its value.
///
/// Both are plain vectors rather than sled's shared bytes: copying a record of a hundred bytes costs nothing
/// beside the sync that follows, and no caller is tied to sled.
pub type Record = (Vec<u8>, Vec<u8>);

/// An ordered set of keys and values on disk, in a directory that one process at a time may open.
///
/// Every method blocks, [`sync`](Self::sync) for as long as the disk takes: call it from a thread of your
/// own, never from an async worker. It may be shared between threads.
///
/// Dropping it closes it. What was written but not synced may then be lost or kept, as after a crash.
pub struct Store {
    directory: PathBuf,
    db: sled::Db,
    syncs: sled::Tree,
    synced: Mutex<Synced>,
    stopped: OnceLock<SyncError>,
}

/// What a sync needs, held by one thread at a time.
struct Synced {
    /// sled's own file, opened when the store was and never again: Linux reports a failed write-back only to
    /// descriptors that were open when it happened.
    db_file: File,
    mark: Mark,
    syncs: u64,
}

impl Store {
    /// Opens the store in `path`, and creates it, with its directory (mode 0700), where there is none.
    ///
    /// sled keeps up to about `cache_bytes` of records in memory, 1 MiB at least, whatever the size of the
    /// store. When another process holds the store this waits up to five seconds, because a process that was
    /// just killed lets go a moment after it is gone.
    ///
    /// All that an opened store holds is on the disk, also what a killed process had written and not synced.
    ///
    /// A damaged store makes sled panic in places. The panic is caught here and becomes
    /// [`OpenError::Damaged`], but the process's panic hook has run by then and may have printed it.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the directory and the remedy. A store that has lost the end of its log, or a file,
    /// is refused; it is never opened as it once was, nor as an empty one.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        let Opened { db, syncs_tree, db_file, mark, syncs } = opening::open(path, cache_bytes)?;
        Ok(Self {
            directory: path.to_owned(),
            db,
            syncs: syncs_tree,
            synced: Mutex::new(Synced { db_file, mark, syncs }),
            stopped: OnceLock::new(),
        })
    }

    /// The value under `key`, as last written by [`write`](Self::write), synced or not. A stopped store still
    /// reads.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let value = readable(&self.directory, || self.db.get(key))?;
        Ok(value.map(|bytes| bytes.to_vec()))
    }

    /// Every record whose key starts with `prefix`, in the order of the keys' bytes.
    ///
    /// Records written during the scan may or may not appear in it.
    pub fn scan_prefix(&self, prefix: &[u8]) -> Scan {
        self.scan(prefix, Bound::Included(prefix))
    }

    /// As [`scan_prefix`](Self::scan_prefix), from the first key greater than `after`: the next page of a
    /// list whose last page ended with `after`. That record need not exist any more.
    pub fn scan_from(&self, prefix: &[u8], after: &[u8]) -> Scan {
        if after < prefix {
            return self.scan_prefix(prefix);
        }
        self.scan(prefix, Bound::Excluded(after))
    }

    /// Applies `batch` whole or, after a crash, not at all. It is durable only after the next
    /// [`sync`](Self::sync); several writes may share one.
    ///
    /// # Errors
    ///
    /// [`WriteError::TooManyOperations`], [`WriteError::KeyTooLong`] and [`WriteError::ValueTooLong`] are the
    /// caller's mistake; nothing was written. [`WriteError::Stopped`] means that the store has failed for
    /// good.
    pub fn write(&self, batch: Batch) -> Result<(), WriteError> {
        if let Some(stopped) = self.stopped.get() {
            return Err(stopped.clone().into());
        }
        let batch = batch.into_sled()?;
        // A batch that failed half-way is half in sled's memory, so nothing after it can be trusted.
        self.db.apply_batch(batch).map_err(|error| self.stop("write a batch", error.into()).into())
    }

    /// Returns once everything written before the call is on the disk.
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
        // 1. The number of this sync goes into sled's log behind all that it covers.
        self.syncs
            .insert(SYNCS_KEY, &syncs.to_be_bytes())
            .map_err(|error| self.stop("number a sync", error.into()))?;
        // 2. sled hands its log to the kernel.
        self.db.flush().map_err(|error| self.stop("flush", error.into()))?;
        // 3. The kernel hands it to the disk. sled's own call does not reach that far.
        synced.db_file.sync_data().map_err(|error| self.stop("sync", error))?;
        // 4. Last, so that the mark never claims what the disk does not have.
        synced.mark.advance(syncs).map_err(|error| self.stop("mark a sync", error))?;
        synced.syncs = syncs;
        Ok(())
    }

    /// Bytes that sled's files take, free space inside them included.
    pub fn size_on_disk(&self) -> Result<u64, ReadError> {
        self.db.size_on_disk().map_err(|error| ReadError::from_sled(&self.directory, error))
    }

    fn scan(&self, prefix: &[u8], start: Bound<&[u8]>) -> Scan {
        Scan {
            directory: self.directory.clone(),
            prefix: prefix.to_owned(),
            records: self.db.range::<&[u8], _>((start, Bound::Unbounded)),
            ended: false,
        }
    }

    /// Stops the store for good and returns why: this reason, or the one that came first.
    fn stop(&self, step: &'static str, source: io::Error) -> SyncError {
        let error = SyncError::new(&self.directory, step, source);
        tracing::error!(directory = %self.directory.display(), step, cause = %error.cause(), "store stopped");
        self.stopped.get_or_init(|| error).clone()
    }
}

/// By hand, because sled's own would print every record.
impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// Records in the order of their keys, from [`Store::scan_prefix`] or [`Store::scan_from`].
///
/// It ends after its first error: past a damaged page nothing is known about what comes next.
pub struct Scan {
    directory: PathBuf,
    prefix: Vec<u8>,
    records: sled::Iter,
    ended: bool,
}

/// Reads a page. Over some damage sled panics instead of returning its error; here both are damage.
fn readable<T>(directory: &Path, read: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, ReadError> {
    match panic::catch_unwind(AssertUnwindSafe(read)) {
        Ok(found) => found.map_err(|error| ReadError::from_sled(directory, error)),
        Err(panic) => {
            Err(ReadError::Damaged { directory: directory.to_owned(), found: panic_message(&*panic) })
        }
    }
}

impl Iterator for Scan {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = readable(&self.directory, || self.records.next().transpose());
        match record.transpose() {
            Some(Ok((key, value))) if key.starts_with(&self.prefix) => {
                Some(Ok((key.to_vec(), value.to_vec())))
            }
            Some(Err(error)) => {
                self.ended = true;
                Some(Err(error))
            }
            Some(Ok(_)) | None => {
                self.ended = true;
                None
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn batch(key: &str) -> Batch {
        let mut batch = Batch::new();
        batch.put(key, "value");
        batch
    }

    /// `/dev/null` takes any write and refuses every fdatasync: the nearest thing to a broken disk that needs none.
    /// It also shows that `sync` reaches fdatasync, on the held descriptor, and heeds its answer.
    #[test]
    fn a_failed_sync_stops_the_store_for_good() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path(), 0).unwrap();
        let null = File::options().write(true).open("/dev/null").unwrap();
        let healthy = std::mem::replace(&mut store.synced.lock().unwrap().db_file, null);
        store.write(batch("first")).unwrap();

        let failed = store.sync().unwrap_err();

        assert!(failed.to_string().contains("has stopped"), "{failed}");
        store.synced.lock().unwrap().db_file = healthy;
        let same = store.sync().unwrap_err();
        assert_eq!((same.to_string(), same.cause().kind()), (failed.to_string(), failed.cause().kind()));
        let refused = store.write(batch("second")).unwrap_err();
        assert_eq!(refused.to_string(), failed.to_string());
        assert_eq!(store.get(b"second").unwrap(), None);
    }

    #[test]
    fn a_thread_that_panicked_in_a_sync_stops_the_store() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path(), 0).unwrap();
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
