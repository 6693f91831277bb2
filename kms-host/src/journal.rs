//! A bounded journal in memory, for people: the number of each outcome, and the latest refusals. Durable data is in the ledger.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use shared::ids::{MachineId, ProductId};
use shared::reason::Cause;
use shared::time::Timestamp;

const REFUSALS_KEPT: usize = 1_000;

/// One refusal.
#[derive(Clone, Debug)]
pub struct JournaledRefusal {
    /// The time.
    pub at: Timestamp,
    /// The machine, if the ask named one.
    pub machine: Option<MachineId>,
    /// The product, if the ask named one.
    pub product: Option<ProductId>,
    /// The reason.
    pub cause: Cause,
}

/// Tallies and the latest refusals.
#[derive(Debug, Default)]
pub struct Journal(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    tallies: BTreeMap<Cow<'static, str>, u64>,
    refusals: VecDeque<JournaledRefusal>,
}

impl Journal {
    /// Notes an answer other than a refusal.
    pub fn answered(&self, outcome: &'static str) {
        *self.pages().tallies.entry(Cow::Borrowed(outcome)).or_default() += 1;
    }

    /// Notes a refusal.
    pub fn refused(&self, refusal: JournaledRefusal) {
        let mut pages = self.pages();
        *pages.tallies.entry(Cow::Owned(refusal.cause.code.clone())).or_default() += 1;
        pages.refusals.truncate(REFUSALS_KEPT - 1);
        pages.refusals.push_front(refusal);
    }

    /// The number of each outcome.
    pub fn tallies(&self) -> Vec<(String, u64)> {
        self.pages().tallies.iter().map(|(outcome, times)| (outcome.to_string(), *times)).collect()
    }

    /// The latest refusals that match, newest first.
    pub fn refusals(
        &self,
        most: usize,
        is_wanted: impl Fn(&JournaledRefusal) -> bool,
    ) -> Vec<JournaledRefusal> {
        self.pages().refusals.iter().filter(|refusal| is_wanted(refusal)).take(most).cloned().collect()
    }

    /// After a panic elsewhere, at worst one entry is missing here, so the rest stays readable.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
