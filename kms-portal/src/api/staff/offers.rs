//! Says what is sold to people, and issues the keys by which their subscriptions begin.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use kms_portal_rules::offers::{Country, OfferName, OfferedService, ServiceName};
use proto::portal::v1 as w;
use shared::features::Features;
use shared::product_key::{KeyKind, ProductKey};
use tonic::Status;
use zeroize::Zeroizing;

use super::orders::KEYS_AT_ONCE;
use super::{Staff, invalid, names};
use crate::db::{By, KeysNotIssued, NamedOffer, NamedService, NewSubscriptionKey};
use crate::issue::offer_tag;

/// The longest term, in days: a century.
const DAYS_MAX: u32 = 36_525;

/// The most devices of a person.
const DEVICES_MAX: u32 = 1_000;

const A_DAY: Duration = Duration::from_hours(24);

pub(super) async fn set(staff: &Staff, wanted: w::SetOfferRequest, by: By) -> Result<(), Status> {
    let mut licensed = Vec::new();
    for service in wanted.services.iter().filter(|service| !service.product.is_empty()) {
        let product = staff.product(&service.product).await?.id;
        let features = Features::new(service.features.clone()).map_err(invalid)?;
        licensed.push((ServiceName::new(&service.name).map_err(invalid)?, product, features));
    }
    let offer = offer(wanted)?;
    let (name, who) = (offer.name.clone(), by.who.clone());
    staff.ask(staff.portal.db.set_offer(offer, by.clone())).await?;
    for (service, product, features) in licensed {
        staff.ask(staff.portal.db.set_service_product(service, product, features, by.clone())).await?;
    }
    tracing::info!(%name, who, "set an offer");
    Ok(())
}

fn offer(wanted: w::SetOfferRequest) -> Result<NamedOffer, Status> {
    let name = OfferName::new(&wanted.name).map_err(invalid)?;
    let title = names::new_name(&wanted.title)?.to_owned();
    if !(1..=DEVICES_MAX).contains(&wanted.devices) {
        return Err(Status::invalid_argument(format!("a person has 1 to {DEVICES_MAX} devices")));
    }
    let mut services = BTreeMap::new();
    for service in wanted.services {
        let name = ServiceName::new(&service.name).map_err(invalid)?;
        let title = names::new_name(&service.title)?.to_owned();
        if service.product.is_empty() && !service.features.is_empty() {
            return Err(Status::invalid_argument("features are those of a product; name it, too"));
        }
        let country = |code: &String| {
            Country::from_code(code)
                .ok_or_else(|| Status::invalid_argument(format!("{code:?} is no country of two letters")))
        };
        let service = OfferedService {
            excludes: all(&service.excludes)?,
            requires: all(&service.requires)?,
            not_in: service.not_in.iter().map(country).collect::<Result<_, _>>()?,
        };
        if services.insert(name, NamedService { title, service }).is_some() {
            return Err(Status::invalid_argument("an offer has a service once"));
        }
    }
    if services.is_empty() {
        return Err(Status::invalid_argument("an offer has a service"));
    }
    Ok(NamedOffer { name, title, devices: wanted.devices, services })
}

fn all(names: &[String]) -> Result<BTreeSet<ServiceName>, Status> {
    names.iter().map(|name| ServiceName::new(name).map_err(invalid)).collect()
}

pub(super) async fn issue_keys(
    staff: &Staff,
    wanted: w::IssueSubscriptionKeysRequest,
    by: By,
) -> Result<w::IssueSubscriptionKeysResponse, Status> {
    let offer = OfferName::new(&wanted.offer).map_err(invalid)?;
    let seats = NonZeroU32::new(wanted.seats);
    let seats = seats.ok_or_else(|| Status::invalid_argument("a subscription is for 1 person at least"))?;
    if !(1..=DAYS_MAX).contains(&wanted.days) {
        return Err(Status::invalid_argument(format!("a subscription lasts 1 to {DAYS_MAX} days")));
    }
    if !(1..=KEYS_AT_ONCE).contains(&wanted.count) {
        return Err(Status::invalid_argument(format!("issue 1 to {KEYS_AT_ONCE} keys at once")));
    }
    let new = |key: &ProductKey| NewSubscriptionKey {
        number: key.number(),
        mac: staff.portal.mac(key),
        offer: offer.clone(),
        seats,
        term: A_DAY * wanted.days,
    };
    loop {
        let keys: Vec<_> = (0..wanted.count).map(|_| draw(&offer)).collect();
        let issued = staff.portal.db.issue_subscription_keys(keys.iter().map(new).collect(), by.clone());
        match staff.ask(issued).await? {
            Ok(()) => {
                tracing::info!(keys = keys.len(), %offer, who = by.who, "issued subscription keys");
                let shown = |key: &ProductKey| w::IssuedKey {
                    number: key.number().to_string(),
                    key: key.to_string(),
                };
                return Ok(w::IssueSubscriptionKeysResponse { keys: keys.iter().map(shown).collect() });
            }
            Err(KeysNotIssued::NumberTaken) => {}
            Err(KeysNotIssued::UnknownOffer) => {
                let remedy = format!("no offer {offer:?} is known; `kms-portal offer set` adds one");
                return Err(Status::not_found(remedy));
            }
        }
    }
}

fn draw(offer: &OfferName) -> ProductKey {
    let random = Zeroizing::new(rand::random::<[u8; 10]>());
    ProductKey::new(KeyKind::Subscription, offer_tag(offer), &random)
}
