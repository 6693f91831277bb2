//! Making and opening a ledger on disk. Whoever has one knows it as a [`Ledger`] and by no other name.

use std::io;
use std::path::Path;
use std::sync::Arc;

use shared::record::{FORMAT_VERSION, Meta, key};
use store::{Engine, Store};

use super::base::Base as _;
use super::disk::DiskLedger;
use super::filling::Filling;
use super::rebuild::{OutOfOrder, Rebuild};
use super::{Kept, Ledger, OpenError, upgrade};

/// Makes a new ledger on this engine, durable on return, with about so many bytes of cache.
///
/// # Errors
/// [`OpenError::Exists`] where there is one already; it stays as it is.
pub fn create(
    path: &Path,
    engine: Engine,
    cache_bytes: u64,
    meta: Meta,
) -> Result<Arc<dyn Ledger>, OpenError> {
    create_in(path, Store::open(path, engine, cache_bytes)?, meta)
}

/// Like [`create`], in a store that was just opened at `path`.
///
/// # Errors
/// [`OpenError::Exists`] where it holds anything.
pub fn create_in(path: &Path, store: Store, meta: Meta) -> Result<Arc<dyn Ledger>, OpenError> {
    // Anything counts: rows without a meta row are a damaged ledger, and somebody may want to save it.
    if !store.scan(&[], None, 1)?.is_empty() {
        let directory = path.to_owned();
        return Err(OpenError::Exists { directory });
    }
    let mut filling = Filling::of(&store);
    filling.put((key::META.to_vec(), meta.encode(key::META)))?;
    filling.finish()?;
    Ok(Arc::new(DiskLedger::over(store, meta)))
}

/// Opens a ledger that was made before. One of an earlier format is upgraded first, which reads every record; `progress` is called
/// again and again with the number of records read, so that whoever waits for the ledger knows that it comes.
///
/// # Errors
/// [`OpenError`] names the directory and the remedy; nothing is ever replaced by an empty ledger.
pub fn open(
    path: &Path,
    engine: Engine,
    cache_bytes: u64,
    progress: &dyn Fn(u64),
) -> Result<Arc<dyn Ledger>, OpenError> {
    // The store makes what is not there, and a directory may be empty because its disk is not mounted.
    check_not_empty(path)?;
    let store = Store::open(path, engine, cache_bytes)?;
    let (format, meta) = read_meta(path, &store)?;
    if format < FORMAT_VERSION {
        upgrade::upgrade(path, &store, (format, &meta), progress)?;
    }
    Ok(Arc::new(DiskLedger::over(store, meta)))
}

/// Opens a copy of it to look at, and writes nothing at `path`, not even an upgrade. Returns the format that it has as well: one of
/// an earlier format can say which ledger it is and when it was last written to, and may be asked for nothing else.
///
/// # Errors
/// As [`open`], and where there is no room for the copy.
pub fn look(path: &Path, engine: Engine, cache_bytes: u64) -> Result<(Arc<dyn Ledger>, u8), OpenError> {
    check_not_empty(path)?;
    let store = Store::look(path, engine, cache_bytes).map_err(|error| match error {
        store::OpenError::Missing { directory } => OpenError::Missing { directory },
        error => error.into(),
    })?;
    let (format, meta) = read_meta(path, &store)?;
    Ok((Arc::new(DiskLedger::over(store, meta)), format))
}

/// Makes a ledger of what another one keeps, durable on return; what counts is added up anew. It may take minutes.
///
/// A failure, or a crash, leaves a directory that [`open`] refuses: the meta row comes last.
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
    let store = Store::open(path, engine, cache_bytes).map_err(OpenError::from)?;
    let mut filling = Filling::of(&store);
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

/// The format in which a ledger is kept, and what it says of itself.
fn read_meta(path: &Path, store: &Store) -> Result<(u8, Meta), OpenError> {
    let directory = path.to_owned();
    let Some(value) = store.read(key::META)? else {
        return Err(if store.scan(&[], None, 1)?.is_empty() {
            OpenError::Missing { directory }
        } else {
            OpenError::Damaged { directory }
        });
    };
    Meta::decode(key::META, &value).map_err(|_| match value.first() {
        Some(found) if FORMAT_VERSION < *found => {
            OpenError::Newer { directory, found: *found, known: FORMAT_VERSION }
        }
        Some(_) | None => OpenError::Damaged { directory },
    })
}

/// Refuses a directory that has nothing in it, or is not there.
fn check_not_empty(path: &Path) -> Result<(), OpenError> {
    let directory = path.to_owned();
    match store::is_empty(path) {
        Ok(false) => Ok(()),
        Ok(true) => Err(OpenError::Missing { directory }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(OpenError::Missing { directory }),
        Err(source) => Err(OpenError::Io { directory, source }),
    }
}
