//! What a ledger is asked without changing it, the same over any base.

use shared::count::{self, Rows as _, Terms};
use shared::ids::ProductId;
use shared::record::{Meta, Record, RecordState, Tally, key};
use shared::time::Timestamp;

use super::overlay::{Base, Overlay};
use super::{LedgerError, Listed, Page, Reading, Recount};

/// How many records a recount reads at a time.
pub(crate) const RECOUNT_PAGE: usize = 1000;

pub(crate) fn reading<B: Base>(
    base: &B,
    meta: &Meta,
    product: ProductId,
    terms: &Terms,
    now: Timestamp,
) -> Result<Reading, LedgerError> {
    let mut rows = Overlay::new(base, meta);
    let at = rows.last_time()?.map_or(now, |last| last.max(now));
    let tally = count::read(&mut rows, product, terms, at)?;
    let unkept_today = rows.unkept(product, count::day_of(at))?;
    Ok(Reading { at, tally, unkept_today })
}

pub(crate) fn products<B: Base>(base: &B) -> Result<Vec<ProductId>, LedgerError> {
    let rows = base.scan(&[key::TALLIES], None, usize::MAX)?;
    Ok(rows.iter().filter_map(|(key, _)| key::parse_tally(key)).collect())
}

pub(crate) fn machines<B: Base>(
    base: &B,
    product: Option<ProductId>,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Page, LedgerError> {
    let limit = limit.max(1);
    let entries = base.scan(&records(product), after, limit)?;
    let full = entries.len() == limit;
    let next = entries.last().filter(|_| full).map(|(key, _)| key.clone());
    let machines = entries.iter().filter_map(|(key, value)| {
        let (product, machine) = key::parse_record(key)?;
        let record = Record::decode(key, value).ok();
        Some(Listed { product, machine, record })
    });
    Ok(Page { machines: machines.collect(), next })
}

impl Recount {
    /// Adds a page of records; `tally` says what is in the window.
    pub(crate) fn add(&mut self, page: &Page, tally: &Tally, meta: &Meta) {
        for listed in &page.machines {
            self.records += 1;
            let Some(record) = &listed.record else {
                self.damaged += 1;
                continue;
            };
            if record.state == RecordState::Active {
                self.active += 1;
                self.counted += u64::from(count::is_counted(tally, record.seen_at, meta.hour_width_ms));
            }
        }
    }
}

/// What the keys of records begin with.
fn records(product: Option<ProductId>) -> Vec<u8> {
    let mut prefix = vec![key::RECORDS];
    prefix.extend(product.iter().flat_map(ProductId::as_bytes));
    prefix
}
