//! The ledger: what the host knows of every machine, and what outlives it.
//!
//! [`Ledger`] is small so that a shared database can stand behind it one day: a batch of sightings goes in, the reads of
//! its decisions happen inside its transaction, and outcomes come out once they are durable. It decides nothing; the rule
//! is `shared::count`, for an administrator `shared::inventory`, and the bytes are `shared::record`. It groups nothing either:
//! that is `queue`, in front of it.
//!
//! It is a crate, so that nothing outside knows how rows are kept, and so that a database can stand behind the trait one day.
//!
//! Read next: `overlay.rs`, a transaction over raw keys and values; `disk.rs`, the ledger on disk; `memory.rs`, its twin;
//! `kept.rs`, what another ledger needs of it.

mod overlay;
mod reads;

mod disk;
mod memory;
mod upgrade;

mod kept;
mod rebuild;
mod recheck;
mod salvaged;
mod sums;

mod error;

use async_trait::async_trait;
use shared::count::{Outcome, Sighting, Terms};
use shared::ids::{MachineId, ProductId};
use shared::inventory::{Change, Changed, Prune, Pruned};
use shared::record::{Event, EventKind, Inactive, Meta, Record, Tally};
use shared::time::Timestamp;

pub use disk::DiskLedger;
pub use error::{LedgerError, OpenError, Row};
pub use kept::{Kept, KeptPage};
pub use memory::MemoryLedger;
pub use rebuild::{OutOfOrder, Rebuild};
pub use recheck::Disagreement;
pub use salvaged::{Salvaged, salvage};
pub use store::Engine;

/// What a host knows of its machines. One host writes; anybody reads meanwhile.
///
/// Every implementation passes the stories of `tests/ledger`.
///
/// # Errors
/// [`LedgerError::Damaged`] and [`LedgerError::Unreadable`] concern some rows, and only callers that need these rows. Every other
/// error is fatal: nothing may be acknowledged afterwards, and the host exits.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// What the ledger knows of itself.
    fn meta(&self) -> &Meta;

    /// Decides a batch in its order and makes it durable; only then may anybody be told.
    ///
    /// A crash leaves the whole batch or its first sightings, each whole. After an error nobody is told, and the same
    /// batch may be applied again: the nonces give the same serials. It may block for as long as the disk takes: call
    /// it from a thread of its own.
    async fn apply(&self, batch: Vec<Sighting>) -> Result<Vec<Outcome>, LedgerError>;

    /// Ends a doubt of the host's clock, durably: ledger time becomes `now`, even if that is earlier, and the products
    /// are summed anew. Name every product that is served: one that is left out stays at the hour that it had reached.
    /// It may block like [`apply`](Ledger::apply). `docs/protocol.md` 5.
    async fn settle(&self, products: Vec<(ProductId, Terms)>, now: Timestamp) -> Result<(), LedgerError>;

    /// Changes one record as an administrator says, durably. It may block like [`apply`](Ledger::apply).
    async fn change(&self, change: Change) -> Result<Changed, LedgerError>;

    /// Applies a retention to a page of records, durably. It may block like [`apply`](Ledger::apply); the ledger itself keeps
    /// a page short. A crash leaves some of the page removed, each record whole. Never call it while the host doubts its clock.
    async fn prune(&self, prune: Prune) -> Result<Pruned, LedgerError>;

    /// Returns once the disk has taken a write that changes nothing. It may block like [`apply`](Ledger::apply).
    async fn probe(&self) -> Result<(), LedgerError>;

    /// Ledger time: that of the last sighting. A new ledger has none.
    async fn last_time(&self) -> Result<Option<Timestamp>, LedgerError>;

    /// What is known of one machine.
    async fn record(&self, product: ProductId, machine: MachineId) -> Result<Option<Record>, LedgerError>;

    /// The count as of `now`, or of ledger time where that is later. Nothing is written.
    async fn reading(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Reading, LedgerError>;

    /// Every product that was ever asked for.
    async fn products(&self) -> Result<Vec<ProductId>, LedgerError>;

    /// Records, of one product or of all, in the order of their keys; `after` is the last page's `next`.
    async fn machines(
        &self,
        product: Option<ProductId>,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Page, LedgerError>;

    /// What has happened to one machine, the oldest first. It is what is kept: at most
    /// [`EVENTS_A_MACHINE`](shared::record::EVENTS_A_MACHINE), and none that is damaged.
    async fn history(&self, product: ProductId, machine: MachineId) -> Result<Vec<Event>, LedgerError>;

    /// Events, of one product or of all, and of one kind or of any; by machine, and a machine's in no order. `limit` is how
    /// many are looked at, so a page may have fewer, even none, and not be the last. `after` is the last page's `next`.
    async fn events(
        &self,
        product: Option<ProductId>,
        kind: Option<EventKind>,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<EventPage, LedgerError>;

    /// Counts anew, from the records alone, what [`reading`](Ledger::reading) keeps as running totals.
    ///
    /// It reads every record of the product, page by page, and serving goes on meanwhile: only on a ledger that nobody
    /// writes to are both the same to the machine.
    async fn recount(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Recount, LedgerError>;

    /// Adds up every record and compares with the running numbers, exactly, however much is written meanwhile. It takes
    /// minutes on a large ledger. One check at a time.
    async fn recheck(&self) -> Result<Vec<Disagreement>, LedgerError> {
        Ok(Vec::new())
    }

    /// What could not be read for the first time, if anything: part of it is damaged, and the rest serves.
    fn damage(&self) -> Option<LedgerError> {
        None
    }

    /// Whether machines have shown leases of this ledger that it does not remember: it was restored or copied.
    async fn restored(&self) -> Result<Option<Restored>, LedgerError>;

    /// What it keeps beside its meta and does not add up from its records, in the order of the keys: all that another
    /// ledger needs to go on from here. It looks at `limit` rows; `after` is the last page's `next`.
    ///
    /// Serving goes on meanwhile: each row is whole, and between two of them time may have passed.
    async fn kept(&self, after: Option<Vec<u8>>, limit: usize) -> Result<KeptPage, LedgerError>;
}

/// The running count of a product at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The moment: ledger time.
    pub at: Timestamp,
    /// The product row as of then.
    pub tally: Tally,
    /// How many records are not active; together with the tally's active ones they are all that is known.
    pub inactive: Inactive,
    /// Asks that day (UTC) from machines that keep no state.
    pub unkept_today: u64,
}

/// A page of records.
#[derive(Clone, Debug)]
pub struct Page {
    /// The records.
    pub machines: Vec<Listed>,
    /// What to pass as `after` for the next page; none on the last one.
    pub next: Option<Vec<u8>>,
}

/// One machine in a [`Page`].
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// The product.
    pub product: ProductId,
    /// The machine.
    pub machine: MachineId,
    /// What is known of it; nothing where the record is damaged.
    pub record: Option<Record>,
}

/// A page of events.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The events.
    pub events: Vec<ListedEvent>,
    /// How many more could not be read.
    pub damaged: u64,
    /// What to pass as `after` for the next page; none on the last one.
    pub next: Option<Vec<u8>>,
}

/// One event in an [`EventPage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedEvent {
    /// The product.
    pub product: ProductId,
    /// The machine.
    pub machine: MachineId,
    /// What happened to it.
    pub event: Event,
}

/// What the records of a product add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recount {
    /// Machines in the window.
    pub counted: u64,
    /// Machines with an active record, however old.
    pub active: u64,
    /// Records in the other states.
    pub inactive: Inactive,
    /// Records in any state, damaged ones included.
    pub records: u64,
    /// Records and events that could not be read, and so count nowhere else.
    pub damaged: u64,
}

/// That the ledger was restored or copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When a machine first showed it, by ledger time.
    pub at: Timestamp,
    /// How many machines were relearned since.
    pub machines: u64,
}
