//! Keys by which a subscription begins: issued by staff, redeemed once, by an organisation or by a person for themselves.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use kms_portal_rules::life::Subscription;
use kms_portal_rules::offers::OfferName;
use kms_portal_rules::rights::Act;
use kms_portal_rules::{PersonId, SubscriptionId};
use shared::ids::OrganisationId;
use shared::product_key::KeyNumber;
use shared::time::{from_ms, to_ms};

use super::households::{give_seat, household_of};
use super::offers::offer_in;
use super::subscriptions::{Subscribe, one};
use super::{Actor, PeopleUnchanged, SoldSubscription, allow, lock};
use crate::db::changes::{By, note_in};
use crate::db::sql::{Sql, Value};
use crate::db::work::{Work, or_refuse};
use crate::db::{Db, DbError};
use crate::issue::KeyMac;

/// A subscription key that is to be issued.
#[derive(Clone, Debug)]
pub struct NewSubscriptionKey {
    /// Its public number.
    pub number: KeyNumber,
    /// What the database knows of it.
    pub mac: KeyMac,
    /// What is sold.
    pub offer: OfferName,
    /// For how many people.
    pub seats: NonZeroU32,
    /// For how long, from the moment at which it is redeemed.
    pub term: Duration,
}

/// Who redeems a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemer {
    /// An organisation.
    Organisation(OrganisationId),
    /// A person, for themselves: in their household, which is made with this id if there is none.
    Oneself(PersonId, OrganisationId),
}

/// What came of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedeemedKey {
    /// The subscription.
    pub subscription: SoldSubscription,
    /// Whether it was redeemed before, by the same.
    pub again: bool,
}

/// Why no key was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysNotIssued {
    /// Another key has a number: others have to be drawn.
    #[error("another key has this number")]
    NumberTaken,
    /// There is no such offer.
    #[error("no such offer is known")]
    UnknownOffer,
}

impl Db {
    /// Issues subscription keys, all of them or none.
    pub async fn issue_subscription_keys(
        &self,
        keys: Vec<NewSubscriptionKey>,
        by: By,
    ) -> Result<Result<(), KeysNotIssued>, DbError> {
        self.write(IssueKeys { keys, by }).await
    }

    /// Begins the subscription of a key, with this id. A key that the same redeemer has redeemed before shows what came of it.
    pub async fn redeem_key(
        &self,
        mac: KeyMac,
        redeemer: Redeemer,
        id: SubscriptionId,
        actor: Actor,
    ) -> Result<Result<RedeemedKey, PeopleUnchanged>, DbError> {
        self.write(RedeemKey { mac, redeemer, id, actor }).await
    }

    /// Blocks a subscription key that nobody has redeemed. Returns whether there is one.
    pub async fn block_subscription_key(&self, number: KeyNumber, by: By) -> Result<bool, DbError> {
        self.write(BlockSubscriptionKey { number, by }).await
    }
}

struct IssueKeys {
    keys: Vec<NewSubscriptionKey>,
    by: By,
}

#[async_trait]
impl Work for IssueKeys {
    type Done = Result<(), KeysNotIssued>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        // Before anything is written.
        for key in &self.keys {
            let known = "SELECT number FROM subscription_keys WHERE number = $1";
            if sql.row(known, &[key.number.as_bytes().into()]).await?.is_some() {
                return Ok(Err(KeysNotIssued::NumberTaken));
            }
            let offer = "SELECT name FROM offers WHERE name = $1";
            if sql.row(offer, &[key.offer.as_str().into()]).await?.is_none() {
                return Ok(Err(KeysNotIssued::UnknownOffer));
            }
        }
        for NewSubscriptionKey { number, mac, offer, seats, term } in &self.keys {
            let values: [Value<'_>; 7] = [
                number.as_bytes().into(),
                mac.as_bytes().into(),
                offer.as_str().into(),
                u64::from(seats.get()).into(),
                to_ms(*term).into(),
                self.by.why.as_str().into(),
                self.by.at.into(),
            ];
            let insert = "INSERT INTO subscription_keys (number, mac, offer, seats, term_ms, note, issued_at) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7)";
            sql.run(insert, &values).await?;
            note_in(sql, None, &self.by, "issue subscription key", &format!("{number} ({offer})")).await?;
        }
        Ok(Ok(()))
    }
}

struct RedeemKey {
    mac: KeyMac,
    redeemer: Redeemer,
    id: SubscriptionId,
    actor: Actor,
}

#[async_trait]
impl Work for RedeemKey {
    type Done = Result<RedeemedKey, PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let at = self.actor.by.at;
        if let Redeemer::Organisation(organisation) = self.redeemer {
            if !lock(sql, organisation).await? {
                return Ok(Err(PeopleUnchanged::UnknownOrganisation));
            }
            or_refuse!(allow(sql, &self.actor, organisation, Act::Buy, None).await?);
        }
        let find = "SELECT * FROM subscription_keys WHERE mac = $1";
        let Some(key) = sql.locked(find, &[self.mac.as_bytes().into()]).await?.pop() else {
            return Ok(Err(PeopleUnchanged::UnknownKey));
        };
        if key.time_if_any("redeemed_at")?.is_some() {
            let id = key.bytes("subscription", SubscriptionId::from_slice)?;
            let subscription = one(sql, id).await?.ok_or_else(|| DbError::damaged("subscription_keys"))?;
            return Ok(if self.is_theirs(sql, subscription.organisation).await? {
                Ok(RedeemedKey { subscription, again: true })
            } else {
                Err(PeopleUnchanged::KeyRedeemed)
            });
        }
        if key.time_if_any("blocked_at")?.is_some() {
            return Ok(Err(PeopleUnchanged::KeyBlocked));
        }
        let (offer, seats) = (offer_in(&key)?, key.count("seats")?);
        let seats = u32::try_from(seats).ok().and_then(NonZeroU32::new);
        let term = from_ms(key.get("term_ms")?).ok_or_else(|| DbError::damaged("term_ms"))?;
        let organisation = match self.redeemer {
            Redeemer::Organisation(organisation) => organisation,
            Redeemer::Oneself(person, new) => household_of(sql, person, new, at).await?,
        };
        let subscription = SoldSubscription {
            id: self.id,
            organisation,
            offer,
            seats: seats.ok_or_else(|| DbError::damaged("seats"))?,
            life: Subscription::new(at, at + term),
            renews: false,
        };
        let sold =
            Subscribe { subscription: subscription.clone(), actor: Actor::staff(self.actor.by.clone()) };
        or_refuse!(sold.run(sql).await?);
        let redeemed = "UPDATE subscription_keys SET redeemed_at = $2, subscription = $3 WHERE mac = $1";
        sql.run(redeemed, &[self.mac.as_bytes().into(), at.into(), self.id.as_bytes().into()]).await?;
        if let Redeemer::Oneself(person, _) = self.redeemer {
            // Whoever has bought it has the first seat, unless they have one, or it is not offered where they are.
            let _ = give_seat(sql, organisation, person, &subscription.offer, &self.actor).await?;
        }
        let number = key.bytes("number", KeyNumber::from_slice)?;
        note_in(sql, Some(organisation), &self.actor.by, "redeem key", &number.to_string()).await?;
        Ok(Ok(RedeemedKey { subscription, again: false }))
    }
}

impl RedeemKey {
    async fn is_theirs(&self, sql: &mut dyn Sql, organisation: OrganisationId) -> Result<bool, DbError> {
        match self.redeemer {
            Redeemer::Organisation(own) => Ok(own == organisation),
            Redeemer::Oneself(person, _) => super::is_owner(sql, person, organisation).await,
        }
    }
}

struct BlockSubscriptionKey {
    number: KeyNumber,
    by: By,
}

#[async_trait]
impl Work for BlockSubscriptionKey {
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        let block = "UPDATE subscription_keys SET blocked_at = $2 WHERE number = $1 AND redeemed_at IS NULL";
        let found = sql.run(block, &[self.number.as_bytes().into(), self.by.at.into()]).await? == 1;
        if found {
            note_in(sql, None, &self.by, "block subscription key", &self.number.to_string()).await?;
        }
        Ok(found)
    }
}
