//! Fills a store before anybody counts on it: rows by the batch, and on the disk at the end.

use std::mem;

use store::{Batch, MAX_BATCH, Store};

use super::LedgerError;
use super::base::Entry;

/// Rows that may be written and not synced: few enough that the engine holds little of them.
const UNSYNCED_ROWS: usize = 16 * 1024;

pub(super) struct Filling<'s> {
    store: &'s Store,
    batch: Batch,
    unsynced: usize,
}

impl<'s> Filling<'s> {
    pub(super) fn of(store: &'s Store) -> Filling<'s> {
        Filling { store, batch: Batch::new(), unsynced: 0 }
    }

    pub(super) fn put(&mut self, (key, value): Entry) -> Result<(), LedgerError> {
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

    /// Returns once all of it is on the disk.
    pub(super) fn finish(mut self) -> Result<(), LedgerError> {
        self.write()?;
        Ok(self.store.sync()?)
    }
}
