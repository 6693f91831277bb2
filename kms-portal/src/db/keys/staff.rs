//! How keys are issued, blocked and raised.

use std::num::NonZeroU32;

use async_trait::async_trait;
use kms_portal_rules::keys::granted::{Granted, NotGrantable, Unfit};
use shared::features::Features;
use shared::ids::{OrganisationId, ProductId};
use shared::product_key::{KeyKind, KeyNumber};
use shared::time::Timestamp;

use super::{Raise, lock};
use crate::db::DbError;
use crate::db::catalogue::{self, Organisation, add_organisation, lines};
use crate::db::changes::{By, note};
use crate::db::sql::Sql;
use crate::db::work::{Work, or_refuse};
use crate::issue::KeyMac;

/// A key that is to be issued.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its HMAC.
    pub mac: KeyMac,
    /// Its public number.
    pub number: KeyNumber,
    /// Its last five characters.
    pub last_group: String,
    /// What it is for.
    pub kind: KeyKind,
    /// The product.
    pub product: ProductId,
    /// Who buys it.
    pub organisation: OrganisationId,
    /// What is sold with it; none for what the product says.
    pub features: Option<Features>,
    /// How many machines the organisation has paid for, if that is said.
    pub seats: Option<NonZeroU32>,
    /// The first instant at which it licenses nobody any more, if there is one.
    pub ends_at: Option<Timestamp>,
    /// Staff's own words.
    pub note: String,
    /// What it grants at first.
    pub granted: Granted,
}

/// Why a key was not issued or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUnchanged {
    /// Another key has this number: draw another one.
    #[error("another key has this number")]
    NumberTaken,
    /// The order was answered before, and an order is answered once.
    #[error("the order was answered before")]
    OrderAnswered,
    /// There is no such product.
    #[error("no such product is known")]
    UnknownProduct,
    /// There is no such organisation.
    #[error("no such organisation is known")]
    UnknownOrganisation,
    /// The organisation exists already: somebody else has added it just now.
    #[error("somebody has added this organisation just now; run the command again")]
    OrganisationKnown,
    /// There is no such key.
    #[error("no key has this number")]
    UnknownKey,
    /// It was revoked with all that it has activated.
    #[error("the key was revoked at {0}")]
    Revoked(Timestamp),
    /// What it grants would be out of bounds.
    #[error(transparent)]
    NotGrantable(#[from] NotGrantable),
    /// Keys of its kind do not grant it.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// Adds keys, all of them or none.
pub(in crate::db) struct IssueKeys {
    pub(in crate::db) keys: Vec<NewKey>,
    /// The buyer, if it is a new organisation.
    pub(in crate::db) organisation: Option<Organisation>,
    /// The order that they answer; may be empty.
    pub(in crate::db) order: String,
    pub(in crate::db) by: By,
}

#[async_trait]
impl Work for IssueKeys {
    type Done = Result<(), KeyUnchanged>;

    /// What may be refused comes first: a refusal must not leave a part behind.
    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        for key in &self.keys {
            or_refuse!(self.check(sql, key).await?);
        }
        if let Some(Organisation { name, .. }) = &self.organisation {
            let taken = "SELECT id FROM organisations WHERE name = $1";
            if sql.row(taken, &[name.as_str().into()]).await?.is_some() {
                return Ok(Err(KeyUnchanged::OrganisationKnown));
            }
        }
        let order = self.order.as_str();
        if !order.is_empty() {
            let answer = "INSERT INTO orders (name, at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            if sql.run(answer, &[order.into(), self.by.at.into()]).await? == 0 {
                return Ok(Err(KeyUnchanged::OrderAnswered));
            }
        }
        if let Some(organisation) = &self.organisation {
            add_organisation(sql, organisation, &self.by).await?;
        }
        for key in &self.keys {
            self.insert(sql, key).await?;
        }
        Ok(Ok(()))
    }
}

impl IssueKeys {
    /// Whether a key can be added.
    async fn check(&self, sql: &mut dyn Sql, key: &NewKey) -> Result<Result<(), KeyUnchanged>, DbError> {
        if catalogue::product(sql, key.product).await?.is_none() {
            return Ok(Err(KeyUnchanged::UnknownProduct));
        }
        let is_new = self.organisation.as_ref().is_some_and(|new| new.id == key.organisation);
        if !is_new && catalogue::organisation(sql, key.organisation).await?.is_none() {
            return Ok(Err(KeyUnchanged::UnknownOrganisation));
        }
        let taken = "SELECT number FROM keys WHERE number = $1 OR mac = $2";
        if sql.row(taken, &[key.number.as_bytes().into(), key.mac.as_bytes().into()]).await?.is_some() {
            return Ok(Err(KeyUnchanged::NumberTaken));
        }
        or_refuse!(key.granted.raises());
        Ok(key.granted.fits(key.kind).map_err(KeyUnchanged::from))
    }

    async fn insert(&self, sql: &mut dyn Sql, key: &NewKey) -> Result<(), DbError> {
        let product = catalogue::product(sql, key.product).await?;
        let product = product.ok_or_else(|| DbError::damaged("the product of a key"))?;
        let features = lines(key.features.as_ref().unwrap_or(&product.features));
        let values = [
            key.number.as_bytes().into(),
            key.mac.as_bytes().into(),
            key.last_group.as_str().into(),
            key.kind.name().into(),
            key.product.as_bytes().into(),
            key.organisation.as_bytes().into(),
            features.as_str().into(),
            u64::from(key.seats.map_or(0, NonZeroU32::get)).into(),
            key.ends_at.into(),
            key.note.as_str().into(),
            self.by.at.into(),
            self.order.as_str().into(),
        ];
        sql.run(
            "INSERT INTO keys (number, mac, last_group, kind, product, organisation, features, seats, \
             ends_at, note, issued_at, order_name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            &values,
        )
        .await?;
        for (quota, more) in key.granted.raises().unwrap_or_default() {
            insert_raise(sql, key.number, &Raise { quota, more, by: self.by.clone() }).await?;
        }
        note(sql, &self.by, "issue", &key.number.to_string()).await
    }
}

/// Blocks a key, or unblocks it.
pub(in crate::db) struct BlockKey {
    pub(in crate::db) number: KeyNumber,
    pub(in crate::db) blocked: bool,
    pub(in crate::db) by: By,
}

#[async_trait]
impl Work for BlockKey {
    type Done = Result<(), KeyUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let Some(key) = lock(sql, self.number, self.by.at).await? else {
            return Ok(Err(KeyUnchanged::UnknownKey));
        };
        if let Some(at) = key.validity.revoked_at {
            return Ok(Err(KeyUnchanged::Revoked(at)));
        }
        let blocked_at = self.blocked.then_some(self.by.at);
        let values = [self.number.as_bytes().into(), blocked_at.into()];
        sql.run("UPDATE keys SET blocked_at = $2 WHERE number = $1", &values).await?;
        let what = if self.blocked { "block" } else { "unblock" };
        note(sql, &self.by, what, &self.number.to_string()).await?;
        Ok(Ok(()))
    }
}

/// Grants more of a key, or less.
pub(in crate::db) struct RaiseKey {
    pub(in crate::db) number: KeyNumber,
    pub(in crate::db) raise: Raise,
}

#[async_trait]
impl Work for RaiseKey {
    type Done = Result<Granted, KeyUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let Some(key) = lock(sql, self.number, self.raise.by.at).await? else {
            return Ok(Err(KeyUnchanged::UnknownKey));
        };
        if let Some(at) = key.validity.revoked_at {
            return Ok(Err(KeyUnchanged::Revoked(at)));
        }
        let granted = or_refuse!(key.granted.raised(self.raise.quota, self.raise.more));
        if !self.raise.quota.is_of(key.kind) {
            return Ok(Err(Unfit::OtherKind { quota: self.raise.quota, kind: key.kind.name() }.into()));
        }
        insert_raise(sql, self.number, &self.raise).await?;
        note(sql, &self.raise.by, "raise", &self.number.to_string()).await?;
        Ok(Ok(granted))
    }
}

async fn insert_raise(sql: &mut dyn Sql, number: KeyNumber, raise: &Raise) -> Result<(), DbError> {
    let Raise { quota, more, by } = raise;
    let values = [
        number.as_bytes().into(),
        quota.name().into(),
        (*more).into(),
        by.at.into(),
        by.who.as_str().into(),
        by.why.as_str().into(),
    ];
    sql.run(
        "INSERT INTO raises (key, number, quota, more, at, who, why) VALUES ($1, \
         (SELECT COALESCE(MAX(number), 0) + 1 FROM raises WHERE key = $1), $2, $3, $4, $5, $6)",
        &values,
    )
    .await?;
    Ok(())
}
