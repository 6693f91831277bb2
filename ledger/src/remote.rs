//! A ledger whose rows somebody else keeps, such as a database that several hosts share.
//!
//! Rules cannot wait. So they run on the rows that were fetched, and say which they miss; those are fetched, and the rules run again,
//! which does no harm because they are pure. What they have decided is written only if every row that they saw is still the same.
//! Otherwise another host was faster, and all of it begins anew.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use shared::record::Meta;

use super::base::{Base, Changes, Entry, Sink};
use super::overlay::Overlay;
use super::reader::{Extent, ReadByRule};
use super::{Condition, Housekeeping, LedgerError, Write, Writer, Written, transaction};

/// Who keeps the rows: ordered keys and values.
#[async_trait]
pub trait Keeper: Send + Sync + 'static {
    /// The values under these keys, in their order.
    async fn values(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, LedgerError>;

    /// A list.
    async fn list(&self, list: &List) -> Result<Vec<Entry>, LedgerError>;

    /// Writes all of it or nothing, durable on return, if what was seen is still so; returns whether it was.
    async fn commit(&self, seen: &Seen, changes: &Changes) -> Result<bool, LedgerError>;

    /// Takes the right to keep house.
    async fn housekeeping(&self) -> Result<Housekeeping, LedgerError>;
}

/// Entries whose keys begin with `prefix` and come after `after`; at most `limit`, in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct List {
    /// How the keys begin.
    pub prefix: Vec<u8>,
    /// What they come after.
    pub after: Option<Vec<u8>>,
    /// How many there are at most.
    pub limit: usize,
}

/// What was fetched.
#[derive(Debug, Default)]
pub struct Seen {
    /// Values by their keys.
    pub values: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Lists.
    pub lists: BTreeMap<List, Vec<Entry>>,
}

/// A ledger over the rows of a [`Keeper`].
pub struct RemoteLedger<K> {
    meta: Meta,
    keeper: K,
}

impl<K: Keeper> RemoteLedger<K> {
    /// Over rows that are a ledger with this meta.
    pub fn over(keeper: K, meta: Meta) -> RemoteLedger<K> {
        RemoteLedger { meta, keeper }
    }

    /// Runs a rule again and again until it misses no row.
    async fn run<T>(
        &self,
        rows: &mut Fetched,
        mut rule: impl FnMut(&mut Fetched) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        loop {
            rows.changes.clear();
            let done = rule(rows);
            let (values, lists) = rows.missing.take();
            if values.is_empty() && lists.is_empty() {
                return done;
            }
            let keys: Vec<_> = values.into_iter().collect();
            let values = self.keeper.values(&keys).await?;
            rows.seen.values.extend(keys.into_iter().zip(values));
            for list in lists {
                let entries = self.keeper.list(&list).await?;
                rows.seen.lists.insert(list, entries);
            }
        }
    }
}

#[async_trait]
impl<K: Keeper> Writer for RemoteLedger<K> {
    async fn apply(&self, writes: Vec<Write>) -> Result<Vec<Result<Written, LedgerError>>, LedgerError> {
        let mut done = Vec::with_capacity(writes.len());
        for piece in transaction::pieces(&writes) {
            done.extend(loop {
                let mut rows = Fetched::default();
                let decided = self
                    .run(&mut rows, |rows| transaction::apply(&mut Overlay::new(rows, &self.meta), piece))
                    .await?;
                if rows.changes.is_empty() || self.keeper.commit(&rows.seen, &rows.changes).await? {
                    break decided;
                }
            });
        }
        Ok(done)
    }

    async fn housekeeping(&self) -> Result<Housekeeping, LedgerError> {
        self.keeper.housekeeping().await
    }
}

impl<K: Keeper> Condition for RemoteLedger<K> {}

impl<K: Keeper> ReadByRule for RemoteLedger<K> {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    async fn read<T: Send + 'static>(
        &self,
        _: Extent,
        rule: impl Fn(&dyn Base, &Meta) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.run(&mut Fetched::default(), move |rows| rule(rows, &self.meta)).await
    }
}

/// Rows as far as they were fetched.
#[derive(Default)]
struct Fetched {
    seen: Seen,
    changes: Changes,
    /// What a rule has asked for in vain.
    missing: RefCell<(BTreeSet<Vec<u8>>, BTreeSet<List>)>,
}

impl Base for Fetched {
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        self.seen.values.get(key).cloned().ok_or_else(|| {
            self.missing.borrow_mut().0.insert(key.to_vec());
            LedgerError::missing()
        })
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        let list = List { prefix: prefix.to_vec(), after: after.map(<[u8]>::to_vec), limit };
        self.seen.lists.get(&list).cloned().ok_or_else(|| {
            self.missing.borrow_mut().1.insert(list);
            LedgerError::missing()
        })
    }
}

impl Sink for Fetched {
    /// One piece is one transaction, so nothing is read of what it has written.
    const ROWS_MAX: usize = usize::MAX;

    fn write(&mut self, changes: Changes) -> Result<(), LedgerError> {
        self.changes = changes;
        Ok(())
    }
}
