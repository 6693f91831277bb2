//! What the records of a ledger add up to: all that it keeps as running numbers follows from this.

use std::collections::BTreeMap;

use shared::count;
use shared::ids::ProductId;
use shared::record::{Inactive, Record, RecordState};

/// The sums of some records.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Active machines by the hour in which they were last seen: as many as the ledger has rows of that kind.
    pub(super) hours: BTreeMap<(ProductId, i64), u64>,
    pub(super) products: BTreeMap<ProductId, Known>,
}

/// How many machines of a product are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) active: u64,
    pub(super) inactive: Inactive,
}

impl Sums {
    /// One record more.
    pub(super) fn add(&mut self, product: ProductId, record: &Record, hour_width_ms: u64) {
        let known = self.products.entry(product).or_default();
        known.inactive.add(record.state);
        if record.state == RecordState::Active {
            known.active += 1;
            let hour = count::absolute_hour(record.seen_at, hour_width_ms);
            *self.hours.entry((product, hour)).or_default() += 1;
        }
    }

    /// One record less, which was added before.
    pub(super) fn take(&mut self, product: ProductId, record: &Record, hour_width_ms: u64) {
        let known = self.products.entry(product).or_default();
        known.inactive.take(record.state);
        if record.state == RecordState::Active {
            known.active = known.active.saturating_sub(1);
            let hour = (product, count::absolute_hour(record.seen_at, hour_width_ms));
            let machines = self.hours.remove(&hour).unwrap_or_default();
            if 1 < machines {
                self.hours.insert(hour, machines - 1);
            }
        }
    }
}
