//! The ledger: what the host knows of every machine, durably.
//!
//! A [`Writer`] takes writes, decides each within its own transaction, and returns the outcomes once they are durable. A [`Reader`]
//! answers meanwhile. Both traits are small, so that a database shared by two hosts can implement them one day. The rules are
//! `shared::count` and `shared::inventory`, pure functions over rows, and the bytes are `shared::record`. The host's queue groups
//! writes, in front of the ledger. Code outside this crate builds no keys, does not know what a [`Cursor`] says, and does not know
//! which ledger it has.
//!
//! Read next: `write.rs`; `overlay.rs`, a transaction over the raw keys and values of `base.rs`; `transaction.rs`, what is decided on
//! it; `reader.rs`, the one [`Reader`]; `disk.rs`, the ledger on disk, and `open.rs`, which opens it; `remote.rs`, a ledger on a
//! database; `memory.rs`, one for tests; `kept.rs`, what is carried from one ledger to another.

mod write;

mod base;
mod overlay;
mod reader;
mod reads;
mod transaction;

mod disk;
mod filling;
#[cfg(feature = "testing")]
mod memory;
mod open;
mod remote;
mod upgrade;

mod cursor;
mod kept;
mod rebuild;
mod recheck;
mod recount;
mod salvaged;
mod sums;

mod error;

#[cfg(feature = "battery")]
pub mod battery;
#[cfg(feature = "testing")]
pub mod testing;

use async_trait::async_trait;
use shared::count::Terms;
use shared::ids::{MachineId, ProductId};
use shared::record::{Event, Inactive, Meta, Record, Tally};
use shared::time::Timestamp;

pub use base::{Changes, Entry};
pub use cursor::Cursor;
pub use error::{LedgerError, OpenError, Row};
pub use kept::Kept;
pub use open::{create, create_in, look, open, rebuild};
pub use rebuild::{OutOfOrder, Rebuild};
pub use recheck::Disagreement;
pub use recount::{Recount, recount};
pub use remote::{Keeper, List, RemoteLedger, Seen};
pub use salvaged::{Salvaged, salvage};
pub use store::Engine;
pub use write::{Housekeeping, Write, Written};

/// What a host knows of its machines. One host writes; anybody reads meanwhile.
///
/// Every implementation passes the stories of `battery`.
pub trait Ledger: Reader + Writer {}

impl<L: Reader + Writer> Ledger for L {}

/// The side of a ledger that writes.
#[async_trait]
pub trait Writer: Send + Sync + 'static {
    /// Decides all writes in their order and makes them durable. Answers may be sent only after that.
    ///
    /// A crash leaves all of it or its first writes, each whole. An error in place of an outcome is damage, and concerns that
    /// write alone. It may block for as long as the disk takes: call it from a thread of its own.
    ///
    /// # Errors
    /// Nobody is told anything. After [`LedgerError::Unavailable`] the same sightings may be applied again: the nonces give the same
    /// serials. Every other error is fatal: nothing may be acknowledged any more, and the host exits.
    async fn apply(&self, writes: Vec<Write>) -> Result<Vec<Result<Written, LedgerError>>, LedgerError>;

    /// Takes the lock for housekeeping: retention, and the end of a doubt.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] while another host has it.
    async fn housekeeping(&self) -> Result<Housekeeping, LedgerError> {
        Ok(Housekeeping::alone())
    }
}

/// The side of a ledger that reads. Nothing is written.
///
/// # Errors
/// [`LedgerError::Damaged`] and [`LedgerError::Unreadable`] concern some rows, and only callers that need these rows. After
/// [`LedgerError::Unavailable`] ask again. Every other error is fatal, and the host exits.
#[async_trait]
pub trait Reader: Condition {
    /// What the ledger knows of itself.
    fn meta(&self) -> &Meta;

    /// Ledger time: that of the last sighting. A new ledger has none.
    async fn last_time(&self) -> Result<Option<Timestamp>, LedgerError>;

    /// What is known of one machine.
    async fn record(&self, product: ProductId, machine: MachineId) -> Result<Option<Record>, LedgerError>;

    /// The count as of `now`, or of ledger time where that is later.
    async fn reading(
        &self,
        product: ProductId,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Reading, LedgerError>;

    /// Every product that was ever asked for.
    async fn products(&self) -> Result<Vec<ProductId>, LedgerError>;

    /// Records, of one product or of all, in the order of products and ids; `after` is the last page's `next`.
    async fn machines(
        &self,
        product: Option<ProductId>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Listed>, LedgerError>;

    /// What has happened to one machine, the oldest first. It is what is kept: at most
    /// [`EVENTS_A_MACHINE`](shared::record::EVENTS_A_MACHINE), and none that is damaged.
    async fn history(&self, product: ProductId, machine: MachineId) -> Result<Vec<Event>, LedgerError>;

    /// Events, of one product or of all; by machine, and a machine's in no order. `after` is the last page's `next`.
    async fn events(
        &self,
        product: Option<ProductId>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<ListedEvent>, LedgerError>;

    /// Whether machines have shown leases of this ledger that it does not remember: it was restored or copied.
    async fn restored(&self) -> Result<Option<Restored>, LedgerError>;

    /// All that another ledger needs to go on from here, in the order of the keys. Meta and sums are not in it: sums are added
    /// up from the records. `after` is the last page's `next`.
    ///
    /// Serving goes on meanwhile: each row is whole, and between two of them time may have passed.
    async fn kept(&self, after: Option<Cursor>, limit: usize) -> Result<Page<Kept>, LedgerError>;
}

/// What a ledger knows of the files under it. One that is kept elsewhere has nothing to say.
#[async_trait]
pub trait Condition: Send + Sync + 'static {
    /// Whether the process that had it last closed it in order. Otherwise [recheck](Condition::recheck) it.
    fn was_closed_in_order(&self) -> bool {
        true
    }

    /// Adds up every record and compares with the running numbers, exactly, however much is written meanwhile. It takes
    /// minutes on a large ledger. One check at a time.
    async fn recheck(&self) -> Result<Vec<Disagreement>, LedgerError> {
        Ok(Vec::new())
    }

    /// The first row that could not be read, if any: a part is damaged, and the rest serves.
    fn damage(&self) -> Option<LedgerError> {
        None
    }
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

/// A page of a list. It may have fewer rows than it was asked for, even none, and not be the last.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is listed.
    pub rows: Vec<T>,
    /// How many rows more could not be read.
    pub damaged: u64,
    /// What to pass as `after` for the next page; none on the last one.
    pub next: Option<Cursor>,
}

/// One machine in a list.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// The product.
    pub product: ProductId,
    /// The machine.
    pub machine: MachineId,
    /// What is known of it; nothing where the record is damaged.
    pub record: Option<Record>,
}

/// One event in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedEvent {
    /// The product.
    pub product: ProductId,
    /// The machine.
    pub machine: MachineId,
    /// What happened to it.
    pub event: Event,
}

/// A ledger was restored or copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When a machine first showed it, by ledger time.
    pub at: Timestamp,
    /// How many machines were relearned since.
    pub machines: u64,
}
