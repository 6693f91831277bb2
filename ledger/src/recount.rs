//! Counts a product anew, from the records alone.

use shared::count::{self, Terms};
use shared::ids::ProductId;
use shared::record::{Inactive, Meta, RecordState, Tally};
use shared::time::Timestamp;

use super::{LedgerError, Listed, Page, Reader};

/// How many rows are read at a time.
const PAGE: usize = 1000;

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

/// Counts what [`Reader::reading`] keeps as running totals.
///
/// It reads every record and every event of the product, page by page, and serving goes on meanwhile: only on a ledger that nobody
/// writes to are both the same to the machine.
///
/// # Errors
/// A page cannot be read.
pub async fn recount(
    ledger: &dyn Reader,
    product: ProductId,
    terms: &Terms,
    now: Timestamp,
) -> Result<Recount, LedgerError> {
    let tally = ledger.reading(product, terms, now).await?.tally;
    let (mut recount, mut after) = (Recount::default(), None);
    // No iterator keeps old pages of a store alive between two pages, and whoever stops waiting stops the recount.
    loop {
        let page = ledger.machines(Some(product), after, PAGE).await?;
        recount.add(&page, &tally, ledger.meta());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    loop {
        let page = ledger.events(Some(product), after, PAGE).await?;
        recount.damaged += page.damaged;
        after = page.next;
        if after.is_none() {
            return Ok(recount);
        }
    }
}

impl Recount {
    /// Adds a page of records; `tally` says what is in the window.
    fn add(&mut self, page: &Page<Listed>, tally: &Tally, meta: &Meta) {
        for listed in &page.rows {
            self.records += 1;
            let Some(record) = &listed.record else {
                self.damaged += 1;
                continue;
            };
            self.inactive.add(record.state);
            if record.state == RecordState::Active {
                self.active += 1;
                self.counted += u64::from(count::is_counted(tally, record.seen_at, meta.hour_width_ms));
            }
        }
    }
}
