//! What the rules of the count, the inventory and the history need of a ledger: its rows, inside one transaction.

use alloc::vec::Vec;

use crate::ids::{LedgerId, MachineId, ProductId};
use crate::record::{Event, Inactive, Record, Tally};
use crate::time::Timestamp;

/// The rows of a ledger inside one transaction. What is put is read back by the same transaction.
pub trait Rows {
    /// Why a row could not be read.
    type Error;

    /// The ledger's id.
    fn ledger(&self) -> LedgerId;
    /// How long an hour is, in milliseconds, at least 1.
    fn hour_width_ms(&self) -> u64;
    /// The ledger's last time.
    fn last_time(&mut self) -> Result<Option<Timestamp>, Self::Error>;
    /// Sets it.
    fn put_last_time(&mut self, time: Timestamp);
    /// What is known of a machine.
    fn record(&mut self, product: ProductId, machine: MachineId) -> Result<Option<Record>, Self::Error>;
    /// Sets it.
    fn put_record(&mut self, product: ProductId, machine: MachineId, record: Record);
    /// Removes a machine's record and its events.
    fn remove(&mut self, product: ProductId, machine: MachineId) -> Result<(), Self::Error>;
    /// The events of a machine, in the order of their numbers. No decision on a machine rests on them, so a damaged one is left
    /// out.
    fn events(&mut self, product: ProductId, machine: MachineId) -> Result<Vec<Event>, Self::Error>;
    /// Puts one into its slot.
    fn put_event(&mut self, product: ProductId, machine: MachineId, event: Event);
    /// How many records of a product are not active.
    fn inactive(&mut self, product: ProductId) -> Result<Inactive, Self::Error>;
    /// Sets it.
    fn put_inactive(&mut self, product: ProductId, inactive: Inactive);
    /// The running count of a product.
    fn tally(&mut self, product: ProductId) -> Result<Option<Tally>, Self::Error>;
    /// Sets it.
    fn put_tally(&mut self, product: ProductId, tally: Tally);
    /// How many active machines were last seen in this hour.
    fn hour(&mut self, product: ProductId, hour: i64) -> Result<u64, Self::Error>;
    /// Sets it; zero removes it.
    fn put_hour(&mut self, product: ProductId, hour: i64, machines: u64);
    /// Every hour that has a counter: read when the window changes or after a long silence, never in between.
    fn hours(&mut self, product: ProductId) -> Result<Vec<(i64, u64)>, Self::Error>;
    /// How many asks from machines without state this day has had.
    fn unkept(&mut self, product: ProductId, day: i64) -> Result<u64, Self::Error>;
    /// Sets it.
    fn put_unkept(&mut self, product: ProductId, day: i64, asks: u64);
}
