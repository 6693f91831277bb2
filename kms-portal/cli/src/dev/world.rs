//! The made-up world of `kms-portal dev`: one organisation with twelve people, two offers, a subscription that has lapsed, and conflicts.
//!
//! Everything is done by the same calls as in a real portal, at times that lie back.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use anyhow::{Context as _, anyhow};
use kms_client_texts::Language;
use kms_portal::act::accounts::set_password;
use kms_portal::api::PortalCore;
use kms_portal::db::{
    Actor, Assignment, By, LinkPurpose, MessageFilter, NamedOffer, NamedService, NewApiToken, NewLink,
    NewPerson, Organisation, SoldSubscription, SubscriptionChange,
};
use kms_portal::rules::addresses::Address;
use kms_portal::rules::life::Subscription;
use kms_portal::rules::offers::{Country, OfferName, OfferedService, ServiceName};
use kms_portal::rules::rights::{AdminRole, AdminRoles};
use kms_portal::rules::seats::{IfNotAll, SeatChange};
use kms_portal::rules::{ApiTokenId, PersonId, SubscriptionId};
use kms_portal::token::{ApiToken, LinkToken};
use serde::Serialize;
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::days_ago;

/// The password of everybody.
pub(super) const PASSWORD: &str = "a made-up world";

const ORGANISATION: OrganisationId = OrganisationId::from_bytes(*b"made-up works\0\0\0");

/// Name, country, roles, and the offers that they have.
const PEOPLE: [(&str, &str, &[AdminRole], &[&str]); 12] = [
    ("Ada", "NL", &[AdminRole::General], &["office", "voice"]),
    ("Ben", "NL", &[AdminRole::Billing], &["office"]),
    ("Cleo", "BE", &[AdminRole::UserAccess], &["office", "voice"]),
    ("Dan", "DE", &[AdminRole::Service], &["office"]),
    ("Eva", "DE", &[AdminRole::Password], &["office"]),
    // The chat of `office` is not offered in Aruba since a week.
    ("Fay", "AW", &[], &["office"]),
    ("Gil", "FR", &[], &["office", "voice"]),
    ("Hana", "FR", &[], &[]),
    ("Ivo", "NL", &[], &[]),
    ("Joke", "NL", &[], &[]),
    ("Kim", "GB", &[], &[]),
    ("Lou", "GB", &[], &[]),
];

/// Who is there.
pub(super) struct MadeUp {
    pub(super) people: Vec<MadeUpPerson>,
    /// A token with every role.
    pub(super) token: String,
    /// The number of the last mail that was posted to make all this.
    pub(super) mails: u64,
}

/// A person, as they sign in.
#[derive(Serialize)]
pub(super) struct MadeUpPerson {
    name: &'static str,
    pub(super) address: String,
    password: &'static str,
    pub(super) roles: Vec<&'static str>,
}

impl MadeUp {
    /// The world of this portal, which is made if it is not there yet.
    pub(super) async fn open(portal: &PortalCore) -> anyhow::Result<MadeUp> {
        if portal.db.organisations().await?.is_empty() {
            make(portal).await.context("the made-up world cannot be made")?;
        }
        let (token, now) = (ApiToken::draw(), portal.clock.now());
        let new = NewApiToken {
            id: ApiTokenId::from_bytes(rand::random()),
            organisation: ORGANISATION,
            name: "dev".to_owned(),
            digest: token.digest(),
            roles: AdminRoles::ALL,
            ends_at: None,
        };
        portal.db.make_api_token(new, staff(now)).await??;
        let people = PEOPLE.map(|(name, _, roles, _)| MadeUpPerson {
            name,
            address: address(name),
            password: PASSWORD,
            roles: roles.iter().copied().map(AdminRole::name).collect(),
        });
        let last = portal.db.messages(MessageFilter::default(), 1).await?;
        let mails = last.first().map_or(0, |message| message.number);
        Ok(MadeUp { people: people.into(), token: token.text().to_string(), mails })
    }
}

fn address(name: &str) -> String {
    format!("{}@works.example", name.to_lowercase())
}

fn by(at: Timestamp) -> By {
    By { who: "dev".to_owned(), at, why: "made up".to_owned() }
}

fn staff(at: Timestamp) -> Actor {
    Actor::staff(by(at))
}

async fn make(portal: &PortalCore) -> anyhow::Result<()> {
    let now = portal.clock.now();
    let start = days_ago(now, 300);
    let organisation = Organisation { id: ORGANISATION, name: "Made-up Works".to_owned() };
    portal.db.set_organisation(organisation, by(start)).await??;
    offer(portal, "office", "Office", &[("mail", &[]), ("files", &[]), ("chat", &[])], start).await?;
    offer(portal, "voice", "Voice", &[("telephone", &[])], start).await?;
    let office = sell(portal, "office", 9, Subscription::new(start, days_ago(now, 300) + YEAR)).await?;
    // Thirty days after its end nothing can be assigned any more.
    sell(portal, "voice", 5, Subscription::new(start, days_ago(now, 35))).await?;
    let mut people = BTreeMap::new();
    for (name, country, _, _) in PEOPLE {
        people.insert(name, add(portal, name, country, start).await?);
    }
    for sold in ["office", "voice"] {
        let have = PEOPLE.iter().filter(|(_, _, _, offers)| offers.contains(&sold));
        assign(portal, sold, have.map(|(name, ..)| people[name]).collect(), days_ago(now, 200)).await?;
    }
    for (name, _, roles, _) in PEOPLE {
        portal.db.set_roles(people[name], AdminRoles::of(roles.iter().copied()), staff(start)).await??;
    }
    offer(portal, "office", "Office", &[("mail", &[]), ("files", &[]), ("chat", &["AW"])], days_ago(now, 7))
        .await?;
    // Seven have it.
    let fewer = SubscriptionChange::Seats(NonZeroU32::new(6).context("six is not zero")?);
    portal.db.change_subscription(ORGANISATION, office, fewer, staff(days_ago(now, 3))).await??;
    Ok(())
}

const YEAR: std::time::Duration = std::time::Duration::from_hours(365 * 24);

async fn offer(
    portal: &PortalCore,
    name: &str,
    title: &str,
    services: &[(&str, &[&str])],
    at: Timestamp,
) -> anyhow::Result<()> {
    let named = services.iter().map(|(name, not_in)| {
        let not_in = not_in.iter().filter_map(|code| Country::from_code(code)).collect();
        let service = OfferedService { not_in, ..OfferedService::default() };
        let mut title = name.to_string();
        title[..1].make_ascii_uppercase();
        Ok((ServiceName::new(*name)?, NamedService { title, service }))
    });
    let offer = NamedOffer {
        name: OfferName::new(name)?,
        title: title.to_owned(),
        devices: 5,
        services: named.collect::<anyhow::Result<_>>()?,
    };
    Ok(portal.db.set_offer(offer, by(at)).await?)
}

async fn sell(
    portal: &PortalCore,
    offer: &str,
    seats: u32,
    life: Subscription,
) -> anyhow::Result<SubscriptionId> {
    let id = SubscriptionId::from_bytes(rand::random());
    let seats = NonZeroU32::new(seats).context("nobody sells no seat")?;
    let offer = OfferName::new(offer)?;
    let sold = SoldSubscription { id, organisation: ORGANISATION, offer, seats, life, renews: false };
    portal.db.subscribe(sold, staff(life.starts_at)).await??;
    Ok(id)
}

/// Adds a person who has a password.
async fn add(portal: &PortalCore, name: &str, country: &str, at: Timestamp) -> anyhow::Result<PersonId> {
    let (id, address) = (PersonId::from_bytes(rand::random()), address(name));
    let location = Country::from_code(country);
    let organisation = Some(ORGANISATION);
    let person = NewPerson { id, organisation, name: name.to_owned(), address: address.clone(), location };
    portal.db.add_person(person, staff(at)).await??;
    let (link, now) = (LinkToken::draw(), portal.clock.now());
    let address = Address::new(&address).ok_or_else(|| anyhow!("{address} is no address"))?;
    let (digest, purpose, ends_at) = (link.digest(), LinkPurpose::Invite, now + YEAR);
    let new = NewLink { digest, purpose, person: Some(id), address, ends_at };
    portal.db.make_links(vec![new], now).await?;
    set_password(portal, &link, PASSWORD, Language::English).await?;
    Ok(id)
}

async fn assign(
    portal: &PortalCore,
    offer: &str,
    people: Vec<PersonId>,
    at: Timestamp,
) -> anyhow::Result<()> {
    let wanted = BTreeMap::from([(OfferName::new(offer)?, BTreeSet::new())]);
    let assignment = Assignment {
        organisation: ORGANISATION,
        people,
        change: SeatChange::Add(wanted),
        if_not_all: IfNotAll::Nobody,
        dry_run: false,
        actor: staff(at),
    };
    let plan = portal.db.assign(assignment).await??;
    if 0 < plan.refused() { Err(anyhow!("{offer}: {plan:?}")) } else { Ok(()) }
}
