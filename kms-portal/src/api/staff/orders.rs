//! Keys that are issued together, and the order that they are for. Keys are issued once for an order, because they cannot be shown again.

use std::num::NonZeroU32;

use kms_portal_rules::keys::granted::{Granted, Quota};
use rand::RngExt as _;
use shared::features::Features;
use shared::product_key::{KeyKind, ProductKey, ProductTag};
use shared::time::Timestamp;
use tonic::Status;
use zeroize::Zeroizing;

use super::{Staff, names};
use crate::db::{IssuedKey, KeyFilter, NewKey, Organisation, Product, Raise};
use crate::issue::KeyMac;

/// The most keys that one call issues.
pub(super) const KEYS_AT_ONCE: u32 = 1_000;

/// Keys that are issued together.
pub(super) struct SoldKeys {
    pub(super) count: u32,
    pub(super) kind: KeyKind,
    pub(super) product: Product,
    pub(super) organisation: Organisation,
    /// None for those of the product.
    pub(super) features: Option<Features>,
    pub(super) seats: u32,
    pub(super) ends_at: Option<Timestamp>,
    pub(super) granted: Granted,
    /// The order that they are for; may be empty.
    pub(super) order: String,
    /// Staff's own words.
    pub(super) note: String,
}

/// How many numbers of keys an error shows.
const NUMBERS_SHOWN: usize = 10;

impl SoldKeys {
    /// A new key.
    pub(super) fn draw(&self) -> ProductKey {
        let mut random = Zeroizing::new([0; 10]);
        rand::rng().fill(&mut *random);
        ProductKey::new(self.kind, ProductTag::of(self.product.id), &random)
    }

    /// What is kept of it.
    pub(super) fn new_key(&self, key: &ProductKey, mac: KeyMac) -> NewKey {
        NewKey {
            mac,
            number: key.number(),
            last_group: names::last_group(key),
            kind: self.kind,
            product: self.product.id,
            organisation: self.organisation.id,
            features: self.features.clone(),
            seats: NonZeroU32::new(self.seats),
            ends_at: self.ends_at,
            note: self.note.clone(),
            granted: self.granted,
        }
    }
}

/// Checks the name of an order, which may be empty. Lists and errors show it.
pub(super) fn checked_name(name: String) -> Result<String, Status> {
    if !name.is_empty() {
        names::new_name(&name)?;
    }
    Ok(name)
}

/// The error for an order that was answered before. It names the keys that were issued. If other keys are wanted now, the name was used
/// twice: the error says what differs, because the keys belong to somebody else.
pub(super) async fn answered(staff: &Staff, wanted: &SoldKeys) -> Result<Status, Status> {
    let (db, order) = (&staff.portal.db, &wanted.order);
    let filter = KeyFilter { order: Some(order.clone()), ..KeyFilter::default() };
    let keys = staff.ask(db.keys(filter, KEYS_AT_ONCE, staff.portal.clock.now())).await?;
    let Some(first) = keys.first() else {
        return Ok(Status::already_exists(format!("the order {order:?} was answered before")));
    };
    let raises = staff.ask(db.raises(first.number)).await?;
    let differences = differences(wanted, first, &raises, keys.len());
    if !differences.is_empty() {
        return Ok(Status::failed_precondition(format!(
            "the order {order:?} was answered before, with other keys: {}; give this order another name (`kms-portal key list --order \
             {order:?}` lists the keys of the earlier one)",
            differences.join(", ")
        )));
    }
    let numbers: Vec<_> = keys.iter().take(NUMBERS_SHOWN).map(|key| key.number.to_string()).collect();
    Ok(Status::already_exists(format!(
        "the order {order:?} was answered before, and its keys cannot be shown again: {}; if nobody has them, block them (`kms-portal key \
         list --order {order:?}` lists all of them), and issue others under another order",
        numbers.join(", ")
    )))
}

/// How the issued keys differ from those that are wanted: `machines 50 and not 60`.
fn differences(wanted: &SoldKeys, first: &IssuedKey, raises: &[Raise], count: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, is_same: bool, before: String, now: String| {
        if !is_same {
            found.push(format!("{what} {before} and not {now}"));
        }
    };
    let (product, organisation) = (&wanted.product, &wanted.organisation);
    let is_same = first.organisation.id == organisation.id;
    compare("organisation", is_same, first.organisation.name.clone(), organisation.name.clone());
    compare("product", first.product == product.id, first.product_name.clone(), product.name.clone());
    compare("kind", first.kind == wanted.kind, first.kind.name().to_owned(), wanted.kind.name().to_owned());
    compare("number of keys", count == wanted.count as usize, count.to_string(), wanted.count.to_string());
    for quota in Quota::ALL.into_iter().filter(|quota| quota.is_of(first.kind) || quota.is_of(wanted.kind)) {
        let at_first = raises.iter().find(|raise| raise.quota == quota && raise.by.at == first.issued_at);
        let (before, now) = (at_first.map_or(0, |raise| raise.more), wanted.granted.of(quota));
        compare(quota.name(), u64::try_from(before) == Ok(now), before.to_string(), now.to_string());
    }
    let before = first.seats.map_or(0, NonZeroU32::get);
    compare("seats", before == wanted.seats, before.to_string(), wanted.seats.to_string());
    let end = |at: Option<Timestamp>| at.map_or_else(|| "none".to_owned(), |at| at.to_string());
    let ends_at = first.validity.ends_at;
    compare("end", ends_at == wanted.ends_at, end(ends_at), end(wanted.ends_at));
    if let Some(features) = &wanted.features {
        let text = |features: String| if features.is_empty() { "none".to_owned() } else { features };
        let [before, now] = [&first.features, features].map(|features| text(features.to_string()));
        compare("features", first.features == *features, before, now);
    }
    found
}
