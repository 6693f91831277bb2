//! What a ledger keeps, row by row, for whoever makes another one of it.
//!
//! Hours and running numbers are left out: they follow from the records, and `rebuild` adds them up. A row that is damaged
//! is left out too, and counted, so that a ledger with a few of them can still be carried to a sound one.

use shared::ids::{MachineId, ProductId};
use shared::record::{self, Damaged, Event, Record, Tally, key};
use shared::time::Timestamp;

/// One row.
#[derive(Clone, Copy, Debug)]
pub enum Kept {
    /// The ledger's last time.
    LastTime(Timestamp),
    /// When it was first noticed that the ledger was restored or copied.
    RestoredAt(Timestamp),
    /// How many machines were relearned since.
    RestoredMachines(u64),
    /// How many asks a day has had from machines that keep no state.
    Unkept {
        /// The product.
        product: ProductId,
        /// The day, in UTC, since the Unix epoch.
        day: i64,
        /// The number.
        asks: u64,
    },
    /// What has happened to a machine.
    Event {
        /// The product.
        product: ProductId,
        /// The machine.
        machine: MachineId,
        /// One of the latest events.
        event: Event,
    },
    /// What is known of a machine.
    Machine {
        /// The product.
        product: ProductId,
        /// The machine.
        machine: MachineId,
        /// Its record.
        record: Record,
    },
    /// A product that was asked for.
    Product {
        /// The product.
        product: ProductId,
        /// When this ledger last saw the threshold met.
        threshold_met_at: Option<Timestamp>,
    },
}

impl Kept {
    /// Where it stands in a ledger. Rows are carried in the order of these.
    pub fn key(&self) -> Vec<u8> {
        match self {
            Kept::LastTime(_) => key::LAST_TIME.to_vec(),
            Kept::RestoredAt(_) => key::RESTORED_AT.to_vec(),
            Kept::RestoredMachines(_) => key::RESTORED_MACHINES.to_vec(),
            Kept::Unkept { product, day, .. } => key::unkept(*product, *day),
            Kept::Event { product, machine, event } => key::event(*product, *machine, event.slot()),
            Kept::Machine { product, machine, .. } => key::record(*product, *machine),
            Kept::Product { product, .. } => key::tally(*product),
        }
    }
}

/// Nothing for a row that others are added up to, and for meta, which whoever asks has.
pub(super) fn read(key: &[u8], value: &[u8]) -> Result<Option<Kept>, Damaged> {
    let number = || record::decode_number(key, value);
    let time = || number().map(|number| Timestamp::from_unix_ms(number.cast_signed()));
    Ok(Some(match *key.first().ok_or(Damaged)? {
        key::HOURS | key::INACTIVE => return Ok(None),
        key::UNKEPT => {
            let (product, day) = key::parse_unkept(key).ok_or(Damaged)?;
            Kept::Unkept { product, day, asks: number()? }
        }
        key::EVENTS => {
            let (product, machine) = key::parse_event(key).ok_or(Damaged)?;
            Kept::Event { product, machine, event: Event::decode(key, value)? }
        }
        key::RECORDS => {
            let (product, machine) = key::parse_record(key).ok_or(Damaged)?;
            Kept::Machine { product, machine, record: Record::decode(key, value)? }
        }
        key::TALLIES => {
            let product = key::parse_tally(key).ok_or(Damaged)?;
            Kept::Product { product, threshold_met_at: Tally::decode(key, value)?.threshold_met_at }
        }
        _ => match key {
            key::META => return Ok(None),
            key::LAST_TIME => Kept::LastTime(time()?),
            key::RESTORED_AT => Kept::RestoredAt(time()?),
            key::RESTORED_MACHINES => Kept::RestoredMachines(number()?),
            _ => return Err(Damaged),
        },
    }))
}
