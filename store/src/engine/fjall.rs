//! fjall 3: a journal and the sorted tables that it is folded into, all in a directory `fjall` of the store's.
//!
//! It syncs truly by itself. Three things are added here: it is made under another name and renamed, since one whose
//! making was cut short does not open; bounds
//! for its memory and its journal, which is read when it opens; and a look at the files that it would do without, the
//! keyspaces and the end of each journal.

pub(crate) mod journal;

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};

use super::{Backing, Fault, Opened, Records, sync_number};
use crate::batch::Batch;
use crate::copy::{Part, PartKind};
use crate::file::{self, FileError};
use crate::mark::SYNCS_KEY;
use crate::opening;

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
    check_keyspaces(&path)?;
    check_manifests(&path)?;
    journal::check_numbers(&path, FLOOR_KEY.as_bytes())?;
    let sealed = sealed_journals(&path)?;
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
            fjall::Error::Poisoned => opening::probe(&self.directory).err().unwrap_or_else(|| {
                io::Error::other("it could not write to the disk before; the log says why")
            }),
            other => io::Error::other(other),
        }
    }
}

/// The files of a store. A table is written once; journals, and what says which tables there are, change.
pub(super) fn parts(directory: &Path) -> io::Result<Vec<Part>> {
    let (mut parts, mut folders) = (Vec::new(), vec![PathBuf::from(DIRECTORY)]);
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(directory.join(&folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if folder.ends_with(TABLES) {
                parts.push(Part { path, kind: PartKind::Lasting });
            } else {
                parts.push(Part { path, kind: PartKind::Changing });
            }
        }
        parts.push(Part { path: folder, kind: PartKind::Changing });
    }
    Ok(parts)
}

/// Empties the journals of a copy that is open: they have been read.
pub(super) fn clear_journals(copy: &Path) {
    for entry in fs::read_dir(copy.join(DIRECTORY)).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "jnl") {
            // Whoever is killed leaves more behind where this fails; nothing else comes of it.
            let _ = File::options().write(true).open(entry.path()).and_then(|file| file.set_len(0));
        }
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
    file::sync_all_below(&draft).map_err(Fault::Io)?;
    fs::rename(&draft, directory.join(DIRECTORY)).map_err(Fault::Io)?;
    file::sync_dir(directory).map_err(FileError::into_io).map_err(Fault::Io)
}

/// Refuses a keyspace that is missing, or has lost the file which says what its tables are: fjall would begin it anew,
/// empty, beside the others.
fn check_keyspaces(path: &Path) -> Result<(), Fault> {
    for keyspace in KEYSPACES {
        let name = format!("keyspaces/{keyspace}/current");
        if !path.join(&name).try_exists()? {
            return Err(Fault::Damaged(format!("its file `{DIRECTORY}/{name}` is missing")));
        }
    }
    Ok(())
}

/// Refuses a keyspace whose list of tables, or one of them, would end the process.
fn check_manifests(path: &Path) -> Result<(), Fault> {
    for keyspace in KEYSPACES {
        manifest::check(&path.join("keyspaces").join(keyspace))?.map_err(|name| {
            Fault::Damaged(format!(
                "its file `{DIRECTORY}/keyspaces/{keyspace}/{name}` is not what was written"
            ))
        })?;
    }
    Ok(())
}

/// A journal that is not written to any more, and where its last entry ends.
struct Sealed {
    path: PathBuf,
    ends_at: u64,
}

/// Every journal but the newest. Their numbers have no gaps.
fn sealed_journals(path: &Path) -> Result<Vec<Sealed>, Fault> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".jnl")?.parse::<u64>().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    if let Some(before) = numbers.windows(2).find(|pair| pair[0] + 1 != pair[1]) {
        return Err(Fault::Damaged(format!("its file `{DIRECTORY}/{}.jnl` is missing", before[0] + 1)));
    }
    let sealed = numbers.iter().rev().skip(1).map(|number| {
        let path = path.join(format!("{number}.jnl"));
        Ok(Sealed { ends_at: end_of_entries(&path)?, path })
    });
    sealed.collect::<io::Result<_>>().map_err(Fault::from)
}

/// Behind the last byte that is not zero: an entry ends with one, and what was reserved behind it is zeros.
fn end_of_entries(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut block = vec![0; 64 << 10];
    let mut end = file.metadata()?.len();
    while end > 0 {
        let length = block.len().min(usize::try_from(end).unwrap_or(usize::MAX));
        let start = end - length as u64;
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block[..length])?;
        if let Some(last) = block[..length].iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// fjall cuts a journal at the first entry that it cannot read, and goes on with the next one as if nothing were missing.
fn check_sealed(sealed: &[Sealed]) -> Result<(), Fault> {
    for Sealed { path, ends_at } in sealed {
        match fs::metadata(path) {
            Ok(found) if found.len() < *ends_at => {
                let name = path.file_name().unwrap_or_default().display();
                return Err(Fault::Damaged(format!(
                    "its file `{DIRECTORY}/{name}` is not readable to its end"
                )));
            }
            Ok(_) => {}
            // All of it is in tables by now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::Io(error)),
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
