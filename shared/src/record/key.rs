//! The keys of a ledger. The first byte tells the kind, so one ordered store holds them all.

use alloc::vec::Vec;

use crate::ids::{ID_BYTES, MachineId, ProductId};

/// Before every record.
pub const RECORDS: u8 = b'm';
/// Before every event.
pub const EVENTS: u8 = b'e';
/// Before every number of records that are not active.
pub const INACTIVE: u8 = b'i';
/// Before every product row.
pub const TALLIES: u8 = b'p';
/// Before every hour's counter.
pub const HOURS: u8 = b'h';
/// Before every day's number of asks from machines that keep no state.
pub const UNKEPT: u8 = b'd';

/// Of the ledger's own facts: `M` meta.
pub const META: &[u8] = b"Mmeta";
/// Of the ledger's last time.
pub const LAST_TIME: &[u8] = b"Mlast-time";
/// Of when a lease was first seen that is ahead of this ledger.
pub const RESTORED_AT: &[u8] = b"Mrestored-at";
/// Of how many machines have shown such a lease.
pub const RESTORED_MACHINES: &[u8] = b"Mrestored-machines";

/// `m` product machine.
pub fn record(product: ProductId, machine: MachineId) -> Vec<u8> {
    [&[RECORDS], product.as_bytes().as_slice(), machine.as_bytes()].concat()
}

/// `e` product machine slot.
pub fn event(product: ProductId, machine: MachineId, slot: u8) -> Vec<u8> {
    [events(product, machine).as_slice(), &[slot]].concat()
}

/// Before every event of a machine.
pub fn events(product: ProductId, machine: MachineId) -> Vec<u8> {
    [&[EVENTS], product.as_bytes().as_slice(), machine.as_bytes()].concat()
}

/// `i` product.
pub fn inactive(product: ProductId) -> Vec<u8> {
    [&[INACTIVE], product.as_bytes().as_slice()].concat()
}

/// `p` product.
pub fn tally(product: ProductId) -> Vec<u8> {
    [&[TALLIES], product.as_bytes().as_slice()].concat()
}

/// `h` product hour. The sign bit is flipped, so that the order of bytes is the order of hours.
pub fn hour(product: ProductId, hour: i64) -> Vec<u8> {
    let hour = hour.cast_unsigned() ^ (1 << 63);
    [hours(product).as_slice(), &hour.to_be_bytes()].concat()
}

/// Before every hour of a product.
pub fn hours(product: ProductId) -> Vec<u8> {
    [&[HOURS], product.as_bytes().as_slice()].concat()
}

/// `d` product day: asks from machines that keep no state.
pub fn unkept(product: ProductId, day: i64) -> Vec<u8> {
    let day = day.cast_unsigned() ^ (1 << 63);
    [&[UNKEPT], product.as_bytes().as_slice(), &day.to_be_bytes()].concat()
}

/// Product and machine of a record's key.
pub fn parse_record(key: &[u8]) -> Option<(ProductId, MachineId)> {
    parse_machine(key.strip_prefix(&[RECORDS])?)
}

/// Product and machine of an event's key.
pub fn parse_event(key: &[u8]) -> Option<(ProductId, MachineId)> {
    let (_slot, key) = key.strip_prefix(&[EVENTS])?.split_last()?;
    parse_machine(key)
}

/// The product of the key of a number of records that are not active.
pub fn parse_inactive(key: &[u8]) -> Option<ProductId> {
    ProductId::from_slice(key.strip_prefix(&[INACTIVE])?)
}

/// The product of a product row's key.
pub fn parse_tally(key: &[u8]) -> Option<ProductId> {
    ProductId::from_slice(key.strip_prefix(&[TALLIES])?)
}

/// Product and day of a day's key.
pub fn parse_unkept(key: &[u8]) -> Option<(ProductId, i64)> {
    let (product, day) = key.strip_prefix(&[UNKEPT])?.split_at_checked(ID_BYTES)?;
    let day = u64::from_be_bytes(day.try_into().ok()?) ^ (1 << 63);
    Some((ProductId::from_slice(product)?, day.cast_signed()))
}

/// The hour of an hour's key.
pub fn parse_hour(key: &[u8]) -> Option<i64> {
    let hour: [u8; 8] = key.get(1 + ID_BYTES..)?.try_into().ok()?;
    Some((u64::from_be_bytes(hour) ^ (1 << 63)).cast_signed())
}

fn parse_machine(ids: &[u8]) -> Option<(ProductId, MachineId)> {
    let (product, machine) = ids.split_at_checked(ID_BYTES)?;
    Some((ProductId::from_slice(product)?, MachineId::from_slice(machine)?))
}
