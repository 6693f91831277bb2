//! Ordered keys and values: what a ledger's rows lie in, whoever keeps them.

use std::collections::BTreeMap;

use super::LedgerError;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// What to write: values to put, or `None` to remove.
pub type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Ordered keys and values, to be read.
pub(crate) trait Base {
    /// The value under a key.
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError>;

    /// At most `limit` entries whose keys begin with `prefix` and come after `after`, in order.
    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, LedgerError>;
}

/// What a transaction is written to.
pub(crate) trait Sink: Base {
    /// The most rows that one piece may have.
    const ROWS_MAX: usize;

    /// Writes a piece: all of it, or after a crash nothing.
    fn write(&mut self, changes: Changes) -> Result<(), LedgerError>;
}
