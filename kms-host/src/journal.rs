//! What the host remembers of its own work while it runs: how often each outcome occurred, and the latest refusals.
//!
//! It is for people who look, in memory and bounded. What has to last is in the ledger.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use shared::ids::{MachineId, ProductId};
use shared::reason::Cause;
use shared::time::Timestamp;

/// How many refusals are remembered.
const REFUSALS_KEPT: usize = 1_000;

/// One refusal.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// Which machine, where it could be told.
    pub machine: Option<MachineId>,
    /// Which product, where it could be told.
    pub product: Option<ProductId>,
    /// Why.
    pub cause: Cause,
}

/// Tallies and the latest refusals.
#[derive(Debug, Default)]
pub struct Journal(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    tallies: BTreeMap<Cow<'static, str>, u64>,
    refusals: VecDeque<Refusal>,
}

impl Journal {
    /// Notes an answer that is no refusal.
    pub fn answered(&self, outcome: &'static str) {
        *self.pages().tallies.entry(Cow::Borrowed(outcome)).or_default() += 1;
    }

    /// Notes a refusal.
    pub fn refused(&self, refusal: Refusal) {
        let mut pages = self.pages();
        *pages.tallies.entry(Cow::Owned(refusal.cause.code.clone())).or_default() += 1;
        pages.refusals.truncate(REFUSALS_KEPT - 1);
        pages.refusals.push_front(refusal);
    }

    /// How often each outcome occurred.
    pub fn tallies(&self) -> Vec<(String, u64)> {
        self.pages().tallies.iter().map(|(outcome, times)| (outcome.to_string(), *times)).collect()
    }

    /// The latest refusals that are wanted, newest first.
    pub fn refusals(&self, most: usize, is_wanted: impl Fn(&Refusal) -> bool) -> Vec<Refusal> {
        self.pages().refusals.iter().filter(|refusal| is_wanted(refusal)).take(most).cloned().collect()
    }

    /// A panic elsewhere leaves at worst one line unwritten here, so the pages stay readable.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
