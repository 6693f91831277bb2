//! Adds the records up while the ledger is written to, and compares with what it keeps as running numbers.
//!
//! A walk through the records takes minutes, and machines ask meanwhile. So whoever writes tells the walk what becomes of the
//! records that lie behind it: at its end it has added up every record as it is at that moment, and the comparison is exact.
//! The caller sees to it that no page is read and no comparison made while a write is half applied.

use std::collections::BTreeMap;

use shared::ids::ProductId;
use shared::record::{self, Inactive, Record, Tally, key};

use super::base::Base;
use super::sums::{Known, Sums};
use super::{Cursor, LedgerError, Row, reads};

/// Records that are read in one go, so that whoever writes does not wait long.
const PAGE: usize = 256;

/// A product whose running numbers are not what its records add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The product.
    pub product: ProductId,
    /// Machines with an active record, as the ledger has it.
    pub active: u64,
    /// As its records have it.
    pub active_found: u64,
    /// Machines in the window and by hour, or records that are not active, disagree, too.
    pub others: bool,
}

/// A walk through the records.
#[derive(Debug, Default)]
pub(super) struct Recheck {
    sums: Sums,
    /// Where it is: records up to this key are added up.
    at: Option<Cursor>,
}

impl Recheck {
    /// Adds up some records more; whether there may be others.
    pub(super) fn read_on(&mut self, base: &dyn Base, hour_width_ms: u64) -> Result<bool, LedgerError> {
        let page = reads::machines(base, None, self.at.as_ref(), PAGE)?;
        for listed in &page.rows {
            // A damaged one is missing, and the comparison says so.
            if let Some(record) = &listed.record {
                self.sums.add(listed.product, record, hour_width_ms);
            }
        }
        let is_there_more = page.next.is_some();
        // Behind the last record everything is.
        self.at = Some(page.next.unwrap_or_else(|| Cursor(vec![key::RECORDS + 1])));
        Ok(is_there_more)
    }

    /// Hears that a row is about to be another.
    pub(super) fn changing(
        &mut self,
        base: &dyn Base,
        hour_width_ms: u64,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), LedgerError> {
        let Some((product, _)) =
            key::parse_record(key).filter(|_| self.at.as_ref().is_some_and(|at| key <= &*at.0))
        else {
            return Ok(());
        };
        if let Some(Ok(record)) = base.read(key)?.map(|value| Record::decode(key, &value)) {
            self.sums.take(product, &record, hour_width_ms);
        }
        if let Some(Ok(record)) = value.map(|value| Record::decode(key, value)) {
            self.sums.add(product, &record, hour_width_ms);
        }
        Ok(())
    }

    /// Compares, at the end.
    pub(super) fn compare(self, base: &dyn Base) -> Result<Vec<Disagreement>, LedgerError> {
        let Sums { mut hours, mut products } = self.sums;
        let mut disagreements = Vec::new();
        for product in reads::products(base)? {
            let found = products.remove(&product).unwrap_or_default();
            let of_product = hours.extract_if((product, i64::MIN)..=(product, i64::MAX), |_, _| true);
            let hours = of_product.map(|((_, hour), machines)| (hour, machines)).collect();
            disagreements.extend(compare(base, product, found, &hours)?);
        }
        // Records of a product that has no row.
        disagreements.extend(products.into_iter().filter(|(_, known)| *known != Known::default()).map(
            |(product, found)| Disagreement { product, active: 0, active_found: found.active, others: true },
        ));
        Ok(disagreements)
    }
}

fn compare(
    base: &dyn Base,
    product: ProductId,
    found: Known,
    hours_found: &BTreeMap<i64, u64>,
) -> Result<Option<Disagreement>, LedgerError> {
    let key = key::tally(product);
    let tally = base.read(&key)?.map(|value| Tally::decode(&key, &value)).transpose();
    let tally = tally.map_err(|_| LedgerError::Damaged { row: Row::Tally(product) })?.unwrap_or_default();
    let key = key::inactive(product);
    let inactive = base.read(&key)?.and_then(|value| Inactive::decode(&key, &value).ok()).unwrap_or_default();
    let rows = base.scan(&key::hours(product), None, usize::MAX)?;
    let hours: BTreeMap<_, _> = rows
        .iter()
        .filter_map(|(key, value)| Some((key::parse_hour(key)?, record::decode_number(key, value).ok()?)))
        .collect();
    let others = inactive != found.inactive || hours != *hours_found;
    let (active, active_found) = (tally.active, found.active);
    Ok((active != active_found || others).then_some(Disagreement { product, active, active_found, others }))
}
