//! fjall 3: a journal and the sorted tables that it is folded into, all in a directory `fjall` of the store's.
//!
//! It syncs truly by itself. Three things are added here: it is made under another name and renamed, since one whose
//! making was cut short does not open; bounds
//! for its memory and its journal, which is read when it opens; and a look at the files that it would do without, the
//! keyspaces and the end of each journal.

pub(crate) mod journal;

use std::fs::{self, File};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use walkdir::WalkDir;

use super::{Backing, Fault, Opened, Part, PartKind, Records, SYNCS_KEY, sync_number};
use crate::batch::Batch;
use crate::file;

mod manifest;

/// What tells its directories.
pub(super) const FILES: &[&str] = &[DIRECTORY];

pub(crate) const DIRECTORY: &str = "fjall";

/// Where it is made before it has its name.
const DRAFT: &str = "fjall.new";

/// The folder of a keyspace's tables.
const TABLES: &str = "tables";

/// The caller's keys.
const RECORDS: &str = "records";

/// The number of the last sync, apart from the caller's keys.
const SYNCS: &str = "syncs";

/// In every batch: a number that its sequence number is not below. fjall's checksum of a batch leaves that number out.
const FLOOR_KEY: &str = "floor";

/// What is written stays in memory, too, until so much has come together. A few of these may wait for the disk.
const MEMTABLE_BYTES: u64 = 16 << 20;

/// The journals are read whole when the store opens, so they are kept as short as fjall allows: one that is written to, of up
/// to 80 MB or so, and for a while the one before it.
const JOURNAL_BYTES: u64 = 64 << 20;

/// The keyspaces that a making gives numbers to: fjall's own, [`RECORDS`] and [`SYNCS`].
const KEYSPACES: [&str; 3] = ["0", "1", "2"];

/// Tables that are kept open, of the 1,024 files that a process often may.
const OPEN_FILES: usize = 200;

struct Fjall {
    db: Database,
    records: Keyspace,
    syncs: Keyspace,
    directory: PathBuf,
}

pub(super) fn open(directory: &Path, marked: bool, cache_bytes: u64) -> Result<Opened, Fault> {
    let path = directory.join(DIRECTORY);
    if !path.try_exists()? {
        if marked {
            return Err(Fault::Damaged(format!("its directory `{DIRECTORY}` is missing")));
        }
        make(directory)?;
    }
    for keyspace in KEYSPACES {
        manifest::check(&path, keyspace)?;
    }
    let sealed = journal::check(&path, FLOOR_KEY.as_bytes())?;
    let (db, records, syncs_keyspace) = open_database(&path, cache_bytes)?;
    check_sealed(&sealed)?;
    let syncs = sync_number(syncs_keyspace.get(SYNCS_KEY).map_err(fault)?.as_deref())?;
    // It may have shown us what a killed process left in the page cache.
    db.persist(PersistMode::SyncAll).map_err(fault)?;
    let directory = directory.to_owned();
    let backing = Box::new(Fjall { db, records, syncs: syncs_keyspace, directory });
    Ok(Opened { backing, syncs })
}

impl Backing for Fjall {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.records.get(key).map_err(fault)?.map(|bytes| bytes.to_vec()))
    }

    fn scan(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Records {
        let records = self.records.range::<&[u8], _>((start, end));
        Box::new(records.map(|record| {
            let (key, value) = record.into_inner().map_err(fault)?;
            Ok((key.to_vec(), value.to_vec()))
        }))
    }

    fn write(&self, batch: Batch) -> io::Result<()> {
        let mut to_commit = self.batch();
        for (key, value) in batch.into_operations() {
            match value {
                Some(value) => to_commit.insert(&self.records, key, value),
                None => to_commit.remove(&self.records, key),
            }
        }
        to_commit.commit().map_err(|error| self.refused(error))
    }

    fn sync(&self, number: u64) -> io::Result<()> {
        // 1. The number goes into the journal behind all that this sync covers, and the journal to the disk: in one hold of
        //    the journal's lock, so that no thread of fjall's can have met the error of the disk in between.
        let mut numbered = self.batch().durability(Some(PersistMode::SyncData));
        numbered.insert(&self.syncs, SYNCS_KEY, number.to_be_bytes());
        numbered.commit().map_err(|error| self.refused(error))?;
        // 2. And none has met it before and not said so yet: after a failed sync the next one succeeds for bytes that are
        //    gone.
        self.db.persist(PersistMode::Buffer).map_err(|error| self.refused(error))
    }

    fn size_on_disk(&self) -> Result<u64, Fault> {
        self.db.disk_space().map_err(fault)
    }
}

impl Fjall {
    /// An empty batch, with its floor.
    fn batch(&self) -> OwnedWriteBatch {
        let mut batch = self.db.batch();
        batch.insert(&self.syncs, FLOOR_KEY, self.db.seqno().to_be_bytes());
        batch
    }

    /// What the operating system said. After a failed sync, or one of a thread of its own, fjall does not tell.
    fn refused(&self, error: fjall::Error) -> io::Error {
        match error {
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => error,
            fjall::Error::Poisoned => file::probe(&self.directory).err().unwrap_or_else(|| {
                io::Error::other("it could not write to the disk before; the log says why")
            }),
            other => io::Error::other(other),
        }
    }
}

/// The files of a store. A table is written once; journals, and what says which tables there are, change.
pub(crate) fn parts(directory: &Path) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for entry in WalkDir::new(directory.join(DIRECTORY)) {
        let Some(entry) = file::if_there(entry.map_err(io::Error::from))? else { continue };
        let is_table =
            !entry.file_type().is_dir() && entry.path().parent().is_some_and(|it| it.ends_with(TABLES));
        let kind = if is_table { PartKind::Lasting } else { PartKind::Changing };
        let path = entry.path().strip_prefix(directory).expect("it was found there").to_owned();
        parts.push(Part { path, kind });
    }
    Ok(parts)
}

/// Empties the journals of a copy that is open: they have been read.
pub(super) fn clear_journals(copy: &Path) {
    for (_, journal) in journal::files(&copy.join(DIRECTORY)).into_iter().flatten() {
        // Whoever is killed leaves more behind where this fails; nothing else comes of it.
        let _ = File::options().write(true).open(journal).and_then(|file| file.set_len(0));
    }
}

/// Makes an empty one. A crash leaves it whole, or a draft that the next opening takes away.
fn make(directory: &Path) -> Result<(), Fault> {
    let draft = directory.join(DRAFT);
    file::if_there(fs::remove_dir_all(&draft)).map_err(Fault::Io)?;
    let (db, ..) = open_database(&draft, 0)?;
    db.persist(PersistMode::SyncAll).map_err(fault)?;
    drop(db);
    file::sync_all_below(&draft).map_err(Fault::Io)?;
    fs::rename(&draft, directory.join(DIRECTORY)).map_err(Fault::Io)?;
    file::sync_dir(directory).map_err(|error| Fault::Io(error.into()))
}

/// fjall cuts a journal at the first entry that it cannot read, and goes on with the next one as if nothing were missing.
fn check_sealed(sealed: &[(PathBuf, u64)]) -> Result<(), Fault> {
    for (path, ends_at) in sealed {
        let found = file::if_there(fs::metadata(path)).map_err(Fault::Io)?;
        // All of one that is gone is in tables by now.
        if found.is_some_and(|found| found.len() < *ends_at) {
            let name = path.file_name().unwrap_or_default().display();
            return Err(Fault::Damaged(format!("its file `{DIRECTORY}/{name}` is not readable to its end")));
        }
    }
    Ok(())
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

fn fault(error: fjall::Error) -> Fault {
    match error {
        fjall::Error::Locked => Fault::Locked,
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => error.into(),
        other => Fault::Damaged(other.to_string()),
    }
}
