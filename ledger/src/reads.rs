//! What a ledger is asked without changing it, the same over any base: `reader.rs` makes a [`Reader`](super::Reader) of it.

use shared::count::{self, Rows as _, Terms};
use shared::ids::{MachineId, ProductId};
use shared::inventory::Prune;
use shared::record::{Event, EventKind, Meta, Record, key};
use shared::time::Timestamp;

use super::base::{Base, Entry};
use super::overlay::Overlay;
use super::{Cursor, EventPage, LedgerError, Listed, ListedEvent, Page, Reading};

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
) -> Result<Page, LedgerError> {
    let (entries, next) = page(base, &prefix(key::RECORDS, product), after, limit)?;
    let machines = entries.iter().filter_map(|(key, value)| {
        let (product, machine) = key::parse_record(key)?;
        let record = Record::decode(key, value).ok();
        Some(Listed { product, machine, record })
    });
    Ok(Page { machines: machines.collect(), next })
}

pub(crate) fn events(
    base: &dyn Base,
    product: Option<ProductId>,
    kind: Option<EventKind>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<EventPage, LedgerError> {
    let (entries, next) = page(base, &prefix(key::EVENTS, product), after, limit)?;
    let mut page = EventPage { events: Vec::new(), damaged: 0, next };
    for (key, value) in &entries {
        let (Some((product, machine)), Ok(event)) = (key::parse_event(key), Event::decode(key, value)) else {
            page.damaged += 1;
            continue;
        };
        if kind.is_none_or(|kind| kind == event.kind) {
            page.events.push(ListedEvent { product, machine, event });
        }
    }
    Ok(page)
}

/// The records of a page that a prune looks at, and where it goes on.
pub(crate) fn to_prune(
    base: &dyn Base,
    prune: &Prune,
) -> Result<(Vec<MachineId>, Option<MachineId>), LedgerError> {
    let after = prune.after.map(|machine| Cursor::behind(prune.product, machine));
    let page = machines(base, Some(prune.product), after.as_ref(), prune.limit.min(PRUNE_PAGE))?;
    // What a damaged record says is not known: it stays until somebody has seen to it.
    let whole = page.machines.iter().filter(|listed| listed.record.is_some());
    let next = page.next.and_then(|next| key::parse_record(next.key())).map(|(_, machine)| machine);
    Ok((whole.map(|listed| listed.machine).collect(), next))
}

/// What the keys of one kind begin with, of one product or of all.
fn prefix(kind: u8, product: Option<ProductId>) -> Vec<u8> {
    let mut prefix = vec![kind];
    prefix.extend(product.iter().flat_map(ProductId::as_bytes));
    prefix
}

/// Entries, and where the page behind them begins, if there may be one.
pub(crate) fn page(
    base: &dyn Base,
    prefix: &[u8],
    after: Option<&Cursor>,
    limit: usize,
) -> Result<(Vec<Entry>, Option<Cursor>), LedgerError> {
    let limit = limit.max(1);
    let entries = base.scan(prefix, after.map(Cursor::key), limit)?;
    let last = entries.last().filter(|_| entries.len() == limit);
    let next = last.map(|(key, _)| Cursor::at(key.clone()));
    Ok((entries, next))
}
