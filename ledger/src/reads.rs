//! What a ledger is asked without changing it, the same over any base: `reader.rs` makes a [`Reader`](super::Reader) of it.

use shared::count::{self, Rows as _, Terms};
use shared::ids::{MachineId, ProductId};
use shared::inventory::Prune;
use shared::record::{Damaged, Event, Meta, Record, key};
use shared::time::Timestamp;

use super::base::Base;
use super::overlay::Overlay;
use super::{Cursor, LedgerError, Listed, ListedEvent, Page, Reading};

/// The most records that a prune looks at in one write, so that whoever asks meanwhile does not wait long.
const PRUNE_PAGE: usize = 1000;

pub(crate) fn reading(
    base: &dyn Base,
    meta: &Meta,
    product: ProductId,
    terms: &Terms,
    now: Timestamp,
) -> Result<Reading, LedgerError> {
    let mut rows = Overlay::new(base, meta);
    let at = rows.last_time()?.map_or(now, |last| last.max(now));
    let tally = count::read(&mut rows, product, terms, at)?;
    let inactive = rows.inactive(product)?;
    let unkept_today = rows.unkept(product, count::day_of(at))?;
    Ok(Reading { at, tally, inactive, unkept_today })
}

pub(crate) fn products(base: &dyn Base) -> Result<Vec<ProductId>, LedgerError> {
    let rows = base.scan(&[key::TALLIES], None, usize::MAX)?;
    Ok(rows.iter().filter_map(|(key, _)| key::parse_tally(key)).collect())
}

pub(crate) fn machines(
    base: &dyn Base,
    product: Option<ProductId>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<Listed>, LedgerError> {
    page(base, &prefix(key::RECORDS, product), after, limit, |key, value| {
        let (product, machine) = key::parse_record(key).ok_or(Damaged)?;
        Ok(Some(Listed { product, machine, record: Record::decode(key, value).ok() }))
    })
}

pub(crate) fn events(
    base: &dyn Base,
    product: Option<ProductId>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<ListedEvent>, LedgerError> {
    page(base, &prefix(key::EVENTS, product), after, limit, |key, value| {
        let (product, machine) = key::parse_event(key).ok_or(Damaged)?;
        Ok(Some(ListedEvent { product, machine, event: Event::decode(key, value)? }))
    })
}

/// The records of a page that a prune looks at, and where it goes on.
pub(crate) fn to_prune(
    base: &dyn Base,
    prune: &Prune,
) -> Result<(Vec<MachineId>, Option<MachineId>), LedgerError> {
    let after = prune.after.map(|machine| Cursor::behind(prune.product, machine));
    let page = machines(base, Some(prune.product), after.as_ref(), prune.limit.min(PRUNE_PAGE))?;
    // What a damaged record says is not known: it stays until somebody has seen to it.
    let whole = page.rows.iter().filter(|listed| listed.record.is_some());
    let next = page.next.and_then(|next| key::parse_record(&next.0)).map(|(_, machine)| machine);
    Ok((whole.map(|listed| listed.machine).collect(), next))
}

/// What the keys of one kind begin with, of one product or of all.
fn prefix(kind: u8, product: Option<ProductId>) -> Vec<u8> {
    let mut prefix = vec![kind];
    prefix.extend(product.iter().flat_map(ProductId::as_bytes));
    prefix
}

/// What `read` makes of the entries whose keys begin with a prefix; it may pass over some.
pub(crate) fn page<T>(
    base: &dyn Base,
    prefix: &[u8],
    after: Option<&Cursor>,
    limit: usize,
    read: impl Fn(&[u8], &[u8]) -> Result<Option<T>, Damaged>,
) -> Result<Page<T>, LedgerError> {
    let limit = limit.max(1);
    let entries = base.scan(prefix, after.map(|after| &*after.0), limit)?;
    let last = entries.last().filter(|_| entries.len() == limit);
    let next = last.map(|(key, _)| Cursor(key.clone()));
    let mut page = Page { rows: Vec::with_capacity(entries.len()), damaged: 0, next };
    for (key, value) in &entries {
        match read(key, value) {
            Ok(row) => page.rows.extend(row),
            Err(Damaged) => page.damaged += 1,
        }
    }
    Ok(page)
}
