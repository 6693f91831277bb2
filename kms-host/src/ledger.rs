//! The ledger: what the host knows of every machine, and what outlives it.
//!
//! [`Ledger`] is small so that a shared database can stand behind it one day: a batch of sightings goes in, the reads of
//! its decisions happen inside its transaction, and outcomes come out once they are durable. It decides nothing; the rule
//! is `shared::count`, and the bytes are `shared::record`. It groups nothing either: that is `queue`, in front of it.
//!
//! Read next: `overlay.rs`, a transaction over raw keys and values; `disk.rs`, the ledger on disk; `memory.rs`, its twin;
//! `kept.rs`, what another ledger needs of it.

mod overlay;
mod reads;

mod disk;
mod memory;

mod kept;
mod rebuild;

mod error;

use async_trait::async_trait;
use shared::count::{Outcome, Sighting, Terms};
use shared::ids::{MachineId, ProductId};
use shared::record::{Meta, Record, Tally};
use shared::time::Timestamp;

pub use disk::DiskLedger;
pub use error::{LedgerError, OpenError, Row};
pub use kept::{Kept, KeptPage};
pub use memory::MemoryLedger;
pub use rebuild::{OutOfOrder, Rebuild};
pub use store::Engine;

/// What a host knows of its machines. One host writes; anybody reads meanwhile.
///
/// Every implementation passes the stories of `tests/ledger`.
///
/// # Errors
/// [`LedgerError::Damaged`] concerns one row and whoever needs it. Every other error is fatal: nothing may be
/// acknowledged afterwards, and the host exits.
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

    /// Counts anew, from the records alone, what [`reading`](Ledger::reading) keeps as a running total.
    ///
    /// It reads every record of the product, page by page, and serving goes on meanwhile: only on a ledger that nobody
    /// writes to are both the same to the machine.
    async fn recount(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Recount, LedgerError>;

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

/// What the records of a product add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recount {
    /// Machines in the window.
    pub counted: u64,
    /// Machines with an active record, however old.
    pub active: u64,
    /// Records in any state, damaged ones included.
    pub records: u64,
    /// Records that could not be read, and so count nowhere else.
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
