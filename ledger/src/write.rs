//! What a ledger is told to do, what came of it, and who may keep house.

use std::any::Any;

use shared::count::{Outcome, Sighting, Terms};
use shared::ids::ProductId;
use shared::inventory::{Change, Changed, Prune, Pruned};
use shared::time::Timestamp;

/// Something that a ledger decides, and makes durable before anybody is told.
#[derive(Debug)]
pub enum Write {
    /// Decides a sighting.
    Sight(Sighting),
    /// Changes one record as an administrator says.
    Change(Change),
    /// Applies a retention to a page of records; the ledger itself keeps a page short. A crash leaves some of the page removed,
    /// each record whole. Never while the host doubts its clock.
    Prune(Housekeeping, Prune),
    /// Ends a doubt of the host's clock: ledger time becomes `now`, even if that is earlier, and the products are summed anew.
    /// Name every product that is served: one that is left out stays at the hour that it had reached. `docs/protocol.md` 5.
    Settle(Housekeeping, Vec<(ProductId, Terms)>, Timestamp),
    /// Changes nothing, and is durable like the rest: whoever hears of it knows that the ledger takes writes.
    Probe,
}

/// What came of a [`Write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// A sighting was decided.
    Sighted(Outcome),
    /// A change was made, or not.
    Changed(Changed),
    /// A page was pruned.
    Pruned(Pruned),
    /// A doubt was ended, or nothing was to be done.
    Done,
}

/// The right to keep house: to apply a retention, or to settle a clock. Of hosts that share a ledger one has it at a time, until it
/// drops this.
#[derive(Debug)]
pub struct Housekeeping {
    _release: Option<Box<dyn Any + Send + Sync>>,
}

impl Housekeeping {
    /// For a ledger that no other host can write to.
    pub fn alone() -> Housekeeping {
        Housekeeping { _release: None }
    }

    /// For a ledger that is shared: dropping `release` lets the next host keep house.
    pub fn until_dropped(release: impl Any + Send + Sync) -> Housekeeping {
        Housekeeping { _release: Some(Box::new(release)) }
    }
}
