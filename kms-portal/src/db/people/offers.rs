//! What the vendor sells to people.

use std::collections::BTreeMap;

use async_trait::async_trait;
use kms_portal_rules::offers::{Country, Offer, OfferName, OfferedService, Offers, ServiceName};

use crate::db::DbError;
use crate::db::changes::{By, note};
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::Work;

/// An offer with what people read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedOffer {
    /// Its name.
    pub name: OfferName,
    /// How people call it.
    pub title: String,
    /// On how many devices a person may use it.
    pub devices: u32,
    /// Its services.
    pub services: BTreeMap<ServiceName, NamedService>,
}

/// A service with what people read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedService {
    /// How people call it.
    pub title: String,
    /// As the rules see it.
    pub service: OfferedService,
}

/// Adds an offer, or changes all of it but its name.
pub(in crate::db) struct SetOffer {
    pub(in crate::db) offer: NamedOffer,
    pub(in crate::db) by: By,
}

#[async_trait]
impl Work for SetOffer {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        let NamedOffer { name, title, devices, services } = &self.offer;
        sql.run(
            "INSERT INTO offers (name, title, devices) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET title = excluded.title, devices = excluded.devices",
            &[name.as_str().into(), title.as_str().into(), u64::from(*devices).into()],
        )
        .await?;
        sql.run("DELETE FROM services WHERE offer = $1", &[name.as_str().into()]).await?;
        for (service_name, NamedService { title, service }) in services {
            let (excludes, requires) = (lines(&service.excludes), lines(&service.requires));
            let not_in = lines(&service.not_in);
            let values = [
                name.as_str().into(),
                service_name.as_str().into(),
                title.as_str().into(),
                excludes.as_str().into(),
                requires.as_str().into(),
                not_in.as_str().into(),
            ];
            let insert = "INSERT INTO services (offer, name, title, excludes, requires, not_in) VALUES ($1, $2, $3, $4, $5, $6)";
            sql.run(insert, &values).await?;
        }
        note(sql, &self.by, "set offer", name.as_str()).await
    }
}

/// Every offer, as the rules see it.
pub(in crate::db) struct ReadOffers;

#[async_trait]
impl Work for ReadOffers {
    type Done = Offers;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Offers, DbError> {
        offers(sql).await
    }
}

/// Every offer, with what people read of it, by name.
pub(in crate::db) struct ListOffers;

#[async_trait]
impl Work for ListOffers {
    type Done = Vec<NamedOffer>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let Offers(rules) = offers(sql).await?;
        let titles = sql.rows("SELECT offer, name, title FROM services", &[]).await?;
        let mut named = Vec::new();
        for row in sql.rows("SELECT * FROM offers ORDER BY name", &[]).await? {
            let name = row.text("name", offer_name)?;
            let mut services = BTreeMap::new();
            for title in &titles {
                let (offer, service) = (offer_in(title)?, title.text("name", service_name)?);
                let known = rules.get(&name).filter(|_| offer == name);
                if let Some(rule) = known.and_then(|known| known.services.get(&service)) {
                    services
                        .insert(service, NamedService { title: title.get("title")?, service: rule.clone() });
                }
            }
            let devices = u32::try_from(row.count("devices")?).map_err(|_| DbError::damaged("devices"))?;
            named.push(NamedOffer { name, title: row.get("title")?, devices, services });
        }
        Ok(named)
    }
}

pub(super) async fn offers(sql: &mut dyn Sql) -> Result<Offers, DbError> {
    let mut offers = BTreeMap::<OfferName, Offer>::new();
    for row in sql.rows("SELECT name FROM offers", &[]).await? {
        offers.insert(row.text("name", offer_name)?, Offer::default());
    }
    for row in sql.rows("SELECT * FROM services", &[]).await? {
        let service = OfferedService {
            excludes: row.text("excludes", |text| set(text, service_name))?,
            requires: row.text("requires", |text| set(text, service_name))?,
            not_in: row.text("not_in", |text| set(text, Country::from_code))?,
        };
        let offer = offers.entry(row.text("offer", offer_name)?).or_default();
        offer.services.insert(row.text("name", service_name)?, service);
    }
    Ok(Offers(offers))
}

/// An offer in a column.
pub(super) fn offer_in(row: &SqlRow) -> Result<OfferName, DbError> {
    row.text("offer", offer_name)
}

fn offer_name(text: &str) -> Option<OfferName> {
    OfferName::new(text).ok()
}

pub(super) fn service_name(text: &str) -> Option<ServiceName> {
    ServiceName::new(text).ok()
}

/// A set for a column: each on a line of its own.
pub(super) fn lines<T: ToString>(set: impl IntoIterator<Item = T>) -> String {
    set.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join("\n")
}

/// A set in a column.
pub(super) fn set<T: Ord>(
    text: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Option<std::collections::BTreeSet<T>> {
    text.lines().map(read).collect()
}

/// Where a person is, in a column.
pub(super) fn location(row: &SqlRow) -> Result<Option<Country>, DbError> {
    row.text("location", |text| match text {
        "" => Some(None),
        code => Country::from_code(code).map(Some),
    })
}
