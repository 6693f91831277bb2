//! sled 0.34: a file `db` that grows like a log and is reused inside, beside `conf`, `blobs` and snapshots.
//!
//! Its own flush does not reach the disk on Linux, so a sync here ends with fdatasync of `db`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::{Backing, Fault, Opened, Part, PartKind, Records, SYNCS_KEY, sync_number};
use crate::batch::Batch;
use crate::file;

/// What tells its directories.
pub(super) const FILES: &[&str] = &[LOG, CONF];

/// All records, and what sled locks.
pub(crate) const LOG: &str = "db";

/// What sled was made with, which is the same for every store of ours.
const CONF: &str = "conf";

/// How the names of snapshots begin: where each page is in the log. sled reads the whole log where there is none.
const SNAPSHOT: &str = "snap.";

/// How the name of a snapshot ends that is not finished.
const UNFINISHED: &str = ".generating";

/// Where sled would put what is too large for its log. Ours is not.
const BLOBS: &str = "blobs";

/// The tree that holds the number of the last sync, apart from the caller's keys.
const SYNCS_TREE: &str = "kms-store";

/// How sled 0.34.7 words the one error that means "locked"; its kind is only `Other`.
const LOCKED: &str = "could not acquire lock";

/// sled panics below 256 bytes and crawls long before that.
const LEAST_CACHE_BYTES: u64 = 1 << 20;

struct Sled {
    db: sled::Db,
    syncs: sled::Tree,
    /// sled's own file, opened when the store was and never again: Linux reports a failed write-back only to
    /// descriptors that were open when it happened.
    file: File,
}

pub(super) fn open(directory: &Path, marked: bool, cache_bytes: u64) -> Result<Opened, Fault> {
    if marked {
        // Before sled, which would put an empty file in the place of one that is gone.
        check_file(directory)?;
    }
    remove_unfinished(directory).map_err(Fault::Io)?;
    let db = sled::Config::new()
        .path(directory)
        .cache_capacity(cache_bytes.max(LEAST_CACHE_BYTES))
        // Syncing is ours alone. sled's own timer would only compete with it.
        .flush_every_ms(None)
        .open()
        .map_err(fault)?;
    let syncs_tree = db.open_tree(SYNCS_TREE).map_err(fault)?;
    let syncs = sync_number(syncs_tree.get(SYNCS_KEY).map_err(fault)?.as_deref())?;
    let file = OpenOptions::new().read(true).write(true).open(directory.join(LOG)).map_err(Fault::Io)?;
    make_opening_durable(directory, &db, &file).map_err(Fault::Io)?;
    let backing = Box::new(Sled { db, syncs: syncs_tree, file });
    Ok(Opened { backing, syncs })
}

impl Backing for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.db.get(key).map_err(fault)?.map(|bytes| bytes.to_vec()))
    }

    fn scan(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Records {
        let records = self.db.range::<&[u8], _>((start, end));
        Box::new(records.map(|record| {
            let (key, value) = record.map_err(fault)?;
            Ok((key.to_vec(), value.to_vec()))
        }))
    }

    fn write(&self, batch: Batch) -> io::Result<()> {
        let mut to_apply = sled::Batch::default();
        for (key, value) in batch.into_operations() {
            match value {
                Some(value) => to_apply.insert(key, value),
                None => to_apply.remove(key),
            }
        }
        Ok(self.db.apply_batch(to_apply)?)
    }

    fn sync(&self, number: u64) -> io::Result<()> {
        // 1. The number of this sync goes into sled's log behind all that it covers.
        self.syncs.insert(SYNCS_KEY, &number.to_be_bytes())?;
        // 2. sled hands its log to the kernel.
        self.db.flush()?;
        // 3. The kernel hands it to the disk. sled's own call does not reach that far.
        self.file.sync_data()
    }

    fn size_on_disk(&self) -> Result<u64, Fault> {
        self.db.size_on_disk().map_err(fault)
    }
}

/// The files of a store. Snapshots that are not finished are none: sled takes one for the newest, and refuses it.
pub(super) fn parts(directory: &Path) -> io::Result<Vec<Part>> {
    let part = |path: PathBuf, kind| Part { path, kind };
    let mut parts = vec![
        part(LOG.into(), PartKind::Changing),
        part(CONF.into(), PartKind::Derived),
        part(BLOBS.into(), PartKind::Changing),
    ];
    for name in snapshots(directory)? {
        if !name.ends_with(UNFINISHED) {
            parts.push(part(name.into(), PartKind::Derived));
        }
    }
    for entry in fs::read_dir(directory.join(BLOBS)).into_iter().flatten() {
        parts.push(part(Path::new(BLOBS).join(entry?.file_name()), PartKind::Changing));
    }
    Ok(parts)
}

/// Removes snapshots that are not finished. A full disk or a kill leaves one, and with it sled opens nothing any more.
fn remove_unfinished(directory: &Path) -> io::Result<()> {
    for name in snapshots(directory)?.iter().filter(|name| name.ends_with(UNFINISHED)) {
        fs::remove_file(directory.join(name))?;
    }
    Ok(())
}

fn snapshots(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        names.extend(name.to_str().filter(|name| name.starts_with(SNAPSHOT)).map(str::to_owned));
    }
    Ok(names)
}

/// Refuses a store whose log is gone or empty: a store that has a mark has at least one segment.
fn check_file(directory: &Path) -> Result<(), Fault> {
    let is = match file::if_there(fs::metadata(directory.join(LOG))).map_err(Fault::Io)? {
        None => "missing",
        Some(log) if log.len() == 0 => "empty",
        Some(_) => return Ok(()),
    };
    Err(Fault::Damaged(format!("its file `{LOG}` is {is}")))
}

/// Syncs what sled did while it opened: it may have made its files, shown us records that a killed process left in the page
/// cache, and renamed a snapshot into place.
fn make_opening_durable(directory: &Path, db: &sled::Db, file: &File) -> io::Result<()> {
    db.flush()?;
    file.sync_all()?;
    File::open(directory.join(CONF))?.sync_all()?;
    file::sync_dir(&directory.join(BLOBS))?;
    Ok(file::sync_dir(directory)?)
}

/// What sled says, without its empty backtrace.
fn fault(error: sled::Error) -> Fault {
    match error {
        sled::Error::Io(error) if error.to_string().contains(LOCKED) => Fault::Locked,
        sled::Error::Io(error) => error.into(),
        sled::Error::Corruption { at: Some(place), .. } => {
            Fault::Damaged(format!("its log is not readable at {place:?}"))
        }
        sled::Error::Corruption { .. } => {
            Fault::Damaged("its log or the snapshot of it is not readable".to_owned())
        }
        other => Fault::Damaged(other.to_string()),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// `/dev/null` takes any write and refuses every fdatasync: the nearest thing to a broken disk that needs none.
    /// It shows that a sync reaches fdatasync, on the descriptor that is held, and heeds its answer.
    #[test]
    fn a_sync_heeds_what_fdatasync_of_the_held_file_says() {
        let home = tempfile::tempdir().unwrap();
        let db = sled::Config::new().path(home.path()).flush_every_ms(None).open().unwrap();
        let syncs = db.open_tree(SYNCS_TREE).unwrap();
        let file = File::options().write(true).open("/dev/null").unwrap();
        let mut sled = Sled { db, syncs, file };
        sled.sync(1).unwrap_err();
        sled.file = File::options().write(true).open(home.path().join("db")).unwrap();
        sled.sync(2).unwrap();
    }
}
