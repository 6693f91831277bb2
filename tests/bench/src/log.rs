//! The raw log: everything in memory, every write appended to one file, one fdatasync for each sync.
//!
//! A ledger that keeps what it acknowledges can do little less, so it is what the engines are measured against. It forgets nothing,
//! reclaims nothing and cannot be opened again: fit for nothing else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Bound;
use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock};

use store::{Backing, Batch, Fault, Opened, Records};

struct Log {
    entries: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
    file: Mutex<File>,
}

/// Begins a log in this directory.
///
/// # Errors
/// There is one, or the disk refuses.
pub(crate) fn open(directory: &Path, _marked: bool) -> Result<Opened, Fault> {
    let file = File::create_new(directory.join("log"))?;
    let log = Log { entries: RwLock::default(), file: Mutex::new(file) };
    Ok(Opened { backing: Box::new(log), syncs: 0 })
}

impl Backing for Log {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.entries.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn scan(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Records {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let found = entries.range::<[u8], _>((start, end));
        let found: Vec<_> = found.map(|(key, value)| Ok((key.clone(), value.clone()))).collect();
        Box::new(found.into_iter())
    }

    fn write(&self, batch: Batch) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch.into_operations() {
            append(&mut bytes, &key, value.as_deref());
            match value {
                Some(value) => entries.insert(key, value),
                None => entries.remove(&key),
            };
        }
        self.append(&bytes)
    }

    fn sync(&self, number: u64) -> io::Result<()> {
        self.append(&number.to_be_bytes())?;
        self.file.lock().unwrap_or_else(PoisonError::into_inner).sync_data()
    }

    fn size_on_disk(&self) -> Result<u64, Fault> {
        Ok(self.file.lock().unwrap_or_else(PoisonError::into_inner).metadata()?.len())
    }
}

impl Log {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)
    }
}

/// Lengths, key, value; a removed key has no value.
fn append(bytes: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    bytes.extend_from_slice(&length(key));
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&value.map_or([0xff; 4], length));
    bytes.extend_from_slice(value.unwrap_or_default());
}
