//! fjall 3: a journal and the sorted tables that it is folded into, all in a directory `fjall` of the store's.
//!
//! It syncs truly by itself. Three things are added here: it is made under another name and renamed, since one whose
//! making was cut short does not open; a lock of ours, because two that make it at once would undo each other; and
//! bounds for its memory and its journal, which is read when it opens.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{Backing, Fault, Opened, Records};
use crate::batch::Batch;
use crate::file::{self, FileError};
use crate::mark::SYNCS_KEY;

/// What tells its directories.
pub(super) const FILES: &[&str] = &[DIRECTORY, DRAFT];

const DIRECTORY: &str = "fjall";

/// Where it is made before it has its name.
const DRAFT: &str = "fjall.new";

/// Held while the store is open.
const LOCK: &str = "lock";

/// The caller's keys.
const RECORDS: &str = "records";

/// The number of the last sync, apart from the caller's keys.
const SYNCS: &str = "syncs";

/// What is written stays in memory, too, until so much has come together. A few of these may wait for the disk.
const MEMTABLE_BYTES: u64 = 16 << 20;

/// The journal is read whole when the store opens, so it is kept as short as fjall allows.
const JOURNAL_BYTES: u64 = 64 << 20;

/// Tables that are kept open, of the 1,024 files that a process often may.
const OPEN_FILES: usize = 200;

struct Fjall {
    db: Database,
    records: Keyspace,
    syncs: Keyspace,
    directory: PathBuf,
    /// Last, so that it is let go when the rest is closed.
    _lock: File,
}

pub(super) fn open(directory: &Path, marked: bool, cache_bytes: u64) -> Result<Opened, Fault> {
    let lock = lock(directory)?;
    let path = directory.join(DIRECTORY);
    if !path.try_exists()? {
        if marked {
            return Err(Fault::Damaged(format!("its directory `{DIRECTORY}` is missing")));
        }
        make(directory)?;
    }
    check_keyspaces(&path)?;
    let (db, records, syncs_keyspace) = open_database(&path, cache_bytes)?;
    let syncs = read_syncs(&syncs_keyspace)?;
    // It may have shown us what a killed process left in the page cache.
    db.persist(PersistMode::SyncAll).map_err(fault)?;
    let directory = directory.to_owned();
    let backing = Box::new(Fjall { db, records, syncs: syncs_keyspace, directory, _lock: lock });
    Ok(Opened { backing, syncs })
}

impl Backing for Fjall {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.records.get(key).map_err(fault)?.map(|bytes| bytes.to_vec()))
    }

    fn scan(&self, start: Bound<&[u8]>) -> Records {
        let records = self.records.range::<&[u8], _>((start, Bound::Unbounded));
        Box::new(records.map(|record| match record.into_inner() {
            Ok((key, value)) => Ok((key.to_vec(), value.to_vec())),
            Err(error) => Err(fault(error)),
        }))
    }

    fn write(&self, batch: Batch) -> io::Result<()> {
        let mut to_commit = self.db.batch();
        for (key, value) in batch.into_operations() {
            match value {
                Some(value) => to_commit.insert(&self.records, key, value),
                None => to_commit.remove(&self.records, key),
            }
        }
        to_commit.commit().map_err(|error| self.refused(error))
    }

    fn sync(&self, number: u64) -> io::Result<()> {
        // 1. The number goes into the journal behind all that this sync covers.
        let mut numbered = self.db.batch();
        numbered.insert(&self.syncs, SYNCS_KEY, number.to_be_bytes());
        numbered.commit().map_err(|error| self.refused(error))?;
        // 2. The journal goes to the disk.
        self.db.persist(PersistMode::SyncData).map_err(|error| self.refused(error))
    }

    fn size_on_disk(&self) -> Result<u64, Fault> {
        self.db.disk_space().map_err(fault)
    }
}

impl Fjall {
    /// What the operating system said. After a failed sync, or one of a thread of its own, fjall does not tell.
    fn refused(&self, error: fjall::Error) -> io::Error {
        match error {
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => error,
            fjall::Error::Poisoned => probe(&self.directory).err().unwrap_or_else(|| {
                io::Error::other("it could not write to the disk before; the log says why")
            }),
            other => io::Error::other(other),
        }
    }
}

fn lock(directory: &Path) -> Result<File, Fault> {
    let path = directory.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(Fault::Io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Fault::Locked),
        Err(TryLockError::Error(error)) => Err(Fault::Io(error)),
    }
}

/// Makes an empty one. A crash leaves it whole, or a draft that the next opening takes away.
fn make(directory: &Path) -> Result<(), Fault> {
    let draft = directory.join(DRAFT);
    match fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Fault::Io(error)),
        _ => {}
    }
    let (db, ..) = open_database(&draft, 0)?;
    db.persist(PersistMode::SyncAll).map_err(fault)?;
    drop(db);
    sync_all_below(&draft).map_err(Fault::Io)?;
    fs::rename(&draft, directory.join(DIRECTORY)).map_err(Fault::Io)?;
    file::sync_dir(directory).map_err(FileError::into_io).map_err(Fault::Io)
}

/// Refuses a keyspace that has lost the file which says what its tables are: fjall would begin it anew, empty, beside the
/// others.
fn check_keyspaces(path: &Path) -> Result<(), Fault> {
    for keyspace in fs::read_dir(path.join("keyspaces"))? {
        let current = keyspace?.path().join("current");
        if !current.try_exists()? {
            let name = current.strip_prefix(path).unwrap_or(&current).display();
            return Err(Fault::Damaged(format!("its file `{DIRECTORY}/{name}` is missing")));
        }
    }
    Ok(())
}

fn sync_all_below(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all_below(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    file::sync_dir(directory).map_err(FileError::into_io)
}

fn open_database(path: &Path, cache_bytes: u64) -> Result<(Database, Keyspace, Keyspace), Fault> {
    let db = Database::builder(path)
        .cache_size(cache_bytes)
        .max_journaling_size(JOURNAL_BYTES)
        .max_cached_files(Some(OPEN_FILES))
        // Syncing is ours alone.
        .manual_journal_persist(true)
        .open()
        .map_err(fault)?;
    let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
    let records = db.keyspace(RECORDS, options).map_err(fault)?;
    let syncs = db.keyspace(SYNCS, options).map_err(fault)?;
    Ok((db, records, syncs))
}

fn read_syncs(keyspace: &Keyspace) -> Result<u64, Fault> {
    let Some(bytes) = keyspace.get(SYNCS_KEY).map_err(fault)? else {
        return Ok(0);
    };
    let number = bytes.as_ref().try_into();
    number.map(u64::from_be_bytes).map_err(|_| {
        Fault::Damaged(format!("the number of its last sync has {} bytes instead of 8", bytes.len()))
    })
}

/// Whether the disk takes anything at all; asked with a file that has no name any more, so that nothing stays.
fn probe(directory: &Path) -> io::Result<()> {
    let path = directory.join(".probe");
    let mut file = File::create(&path)?;
    fs::remove_file(path)?;
    file.write_all(&vec![0; 64 << 10])?;
    file.sync_all()
}

fn fault(error: fjall::Error) -> Fault {
    match error {
        fjall::Error::Locked => Fault::Locked,
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => error.into(),
        other => Fault::Damaged(other.to_string()),
    }
}
