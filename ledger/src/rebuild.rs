//! Makes the rows of a new ledger from what another one kept, and adds up what counts from the records alone.
//!
//! Nobody's sums are believed. So a file that was written while the host served, in which no two records are of the same
//! moment, makes a ledger that agrees with itself, and so does one from which damaged rows were left out.

use std::collections::BTreeMap;

use shared::count;
use shared::ids::ProductId;
use shared::record::{self, Meta, Tally, key};
use shared::time::Timestamp;

use super::Kept;
use super::base::Entry;
use super::sums::{Known, Sums};

/// Rows come in by [`take`](Rebuild::take), in the order of their keys; sums come out of [`finish`](Rebuild::finish).
#[derive(Debug)]
pub struct Rebuild {
    hour_width_ms: u64,
    last_key: Vec<u8>,
    last_time: Option<Timestamp>,
    sums: Sums,
    /// When each product last met its threshold.
    products: BTreeMap<ProductId, Option<Timestamp>>,
}

/// A row that came twice, or where it does not belong: whoever has put these rows together, no ledger did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its rows are not in the order of a ledger")]
pub struct OutOfOrder;

impl Rebuild {
    /// For a ledger with this meta, which is written by the caller.
    pub fn new(meta: &Meta) -> Rebuild {
        Rebuild {
            hour_width_ms: meta.hour_width_ms,
            last_key: Vec::new(),
            last_time: None,
            sums: Sums::default(),
            products: BTreeMap::new(),
        }
    }

    /// Takes one row in, and gives it as it is to be written, if it can be yet.
    ///
    /// # Errors
    /// [`OutOfOrder`].
    pub fn take(&mut self, kept: &Kept) -> Result<Option<Entry>, OutOfOrder> {
        let key = kept.key();
        if key <= self.last_key {
            return Err(OutOfOrder);
        }
        let value = match kept {
            Kept::LastTime(at) => {
                self.last_time = Some(*at);
                None
            }
            Kept::RestoredAt(at) => Some(record::encode_number(&key, at.unix_ms().cast_unsigned())),
            Kept::RestoredMachines(machines) => Some(record::encode_number(&key, *machines)),
            Kept::Unkept { product, asks, .. } => {
                self.products.entry(*product).or_default();
                Some(record::encode_number(&key, *asks))
            }
            Kept::Event { event, .. } => Some(event.encode(&key)),
            Kept::Machine { product, record, .. } => {
                // A record may have been read after the ledger's last time was.
                self.last_time = self.last_time.max(Some(record.seen_at));
                self.products.entry(*product).or_default();
                self.sums.add(*product, record, self.hour_width_ms);
                Some(record.encode(&key))
            }
            Kept::Product { product, threshold_met_at } => {
                self.products.insert(*product, *threshold_met_at);
                None
            }
        };
        self.last_key.clone_from(&key);
        Ok(value.map(|value| (key, value)))
    }

    /// The rest: last time, hours, and the rows of each product.
    pub fn finish(self) -> Vec<Entry> {
        let mut rows = Vec::new();
        let mut put_number = |key: Vec<u8>, number: u64| {
            let value = record::encode_number(&key, number);
            rows.push((key, value));
        };
        if let Some(at) = self.last_time {
            put_number(key::LAST_TIME.to_vec(), at.unix_ms().cast_unsigned());
        }
        let Sums { hours, products } = self.sums;
        for ((product, hour), machines) in hours {
            put_number(key::hour(product, hour), machines);
        }
        let hour = count::absolute_hour(self.last_time.unwrap_or_default(), self.hour_width_ms);
        for (product, threshold_met_at) in self.products {
            let Known { active, inactive } = products.get(&product).copied().unwrap_or_default();
            let key = key::inactive(product);
            rows.push((key.clone(), inactive.encode(&key)));
            let key = key::tally(product);
            // Under a window of no length, which no product has, so that the total is summed by whoever knows the window.
            let tally = Tally { hour, window_hours: 0, total: 0, active, threshold_met_at };
            rows.push((key.clone(), tally.encode(&key)));
        }
        rows
    }
}
