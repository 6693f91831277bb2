//! What organisations have bought: subscriptions, and the pools of seats that follow from them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use kms_portal_rules::SubscriptionId;
use kms_portal_rules::life::Subscription;
use kms_portal_rules::offers::OfferName;
use kms_portal_rules::rights::Act;
use kms_portal_rules::seats::Pool;
use shared::ids::OrganisationId;
use shared::time::{Timestamp, from_ms, to_ms};

use super::offers::offer_in;
use super::{Actor, PeopleUnchanged, Principal, allow, lock};
use crate::db::DbError;
use crate::db::changes::note_in;
use crate::db::sql::{Sql, SqlRow, Value};
use crate::db::work::{Work, or_refuse};

/// A subscription of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoldSubscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// What was bought.
    pub offer: OfferName,
    /// How many people may have it.
    pub seats: NonZeroU32,
    /// From when to when.
    pub life: Subscription,
    /// Whether the vendor's billing is to renew it.
    pub renews: bool,
}

/// What is done to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionChange {
    /// Something was paid, for a term that ends then. Only the vendor's billing says so.
    Paid(Timestamp),
    /// It gets another number of seats. Nobody loses one.
    Seats(NonZeroU32),
    /// It is cancelled in the middle of its term.
    Cancel,
    /// A cancellation is taken back, while the term that was paid runs.
    TakeCancellationBack,
    /// It is to be renewed by the vendor's billing, or not.
    Renews(bool),
    /// The vendor disables it, or enables it again.
    Disable(bool),
}

impl SubscriptionChange {
    const fn called(self) -> &'static str {
        match self {
            SubscriptionChange::Paid(_) => "renew subscription",
            SubscriptionChange::Seats(_) => "set seats",
            SubscriptionChange::Cancel => "cancel subscription",
            SubscriptionChange::TakeCancellationBack => "reactivate subscription",
            SubscriptionChange::Renews(true) => "renew automatically",
            SubscriptionChange::Renews(false) => "do not renew automatically",
            SubscriptionChange::Disable(true) => "disable subscription",
            SubscriptionChange::Disable(false) => "enable subscription",
        }
    }

    /// Whether only the vendor does it.
    const fn is_the_vendors(self) -> bool {
        matches!(
            self,
            SubscriptionChange::Paid(_) | SubscriptionChange::Disable(_) | SubscriptionChange::Seats(_)
        )
    }
}

/// Adds a subscription.
pub(in crate::db) struct Subscribe {
    pub(in crate::db) subscription: SoldSubscription,
    pub(in crate::db) actor: Actor,
}

#[async_trait]
impl Work for Subscribe {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let SoldSubscription { id, organisation, offer, .. } = &self.subscription;
        if !lock(sql, *organisation).await? {
            return Ok(Err(PeopleUnchanged::UnknownOrganisation));
        }
        or_refuse!(allow(sql, &self.actor, *organisation, Act::Buy, None).await?);
        if sql.row("SELECT name FROM offers WHERE name = $1", &[offer.as_str().into()]).await?.is_none() {
            return Ok(Err(PeopleUnchanged::UnknownOffer));
        }
        write(sql, &self.subscription).await?;
        let pool = [organisation.as_bytes().into(), offer.as_str().into()];
        let insert =
            "INSERT INTO pools (organisation, offer, taken) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING";
        sql.run(insert, &pool).await?;
        // From now on there is something to manage.
        let paid = "UPDATE organisations SET kind = 'organisation' WHERE id = $1 AND kind = 'unpaid'";
        sql.run(paid, &pool[..1]).await?;
        note_in(sql, Some(*organisation), &self.actor.by, "add subscription", &format!("{id} ({offer})"))
            .await?;
        Ok(Ok(()))
    }
}

/// Changes a subscription.
pub(in crate::db) struct ChangeSubscription {
    pub(in crate::db) organisation: OrganisationId,
    pub(in crate::db) id: SubscriptionId,
    pub(in crate::db) change: SubscriptionChange,
    pub(in crate::db) actor: Actor,
}

#[async_trait]
impl Work for ChangeSubscription {
    type Done = Result<SoldSubscription, PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        lock(sql, self.organisation).await?;
        or_refuse!(allow(sql, &self.actor, self.organisation, Act::Buy, None).await?);
        let values = [self.id.as_bytes().into(), self.organisation.as_bytes().into()];
        let find = "SELECT * FROM subscriptions WHERE id = $1 AND organisation = $2";
        let Some(found) = sql.row(find, &values).await? else {
            return Ok(Err(PeopleUnchanged::UnknownSubscription));
        };
        if self.change.is_the_vendors() && self.actor.principal != Principal::Staff {
            return Ok(Err(PeopleUnchanged::NotRenewed(kms_portal_rules::life::NotRenewed::AskTheVendor)));
        }
        let mut subscription = read(&found)?;
        or_refuse!(apply(&mut subscription, self.change, self.actor.by.at));
        let before = pool(sql, &subscription, self.actor.by.at).await?;
        write(sql, &subscription).await?;
        let after = pool(sql, &subscription, self.actor.by.at).await?;
        note_reduction(sql, &subscription, [before, after], self.actor.by.at).await?;
        note_in(sql, Some(self.organisation), &self.actor.by, self.change.called(), &self.id.to_string())
            .await?;
        Ok(Ok(subscription))
    }
}

fn apply(
    subscription: &mut SoldSubscription,
    change: SubscriptionChange,
    now: Timestamp,
) -> Result<(), PeopleUnchanged> {
    use kms_portal_rules::life::Renewal;
    let life = &mut subscription.life;
    match change {
        SubscriptionChange::Paid(ends_at) => *life = life.paid_until(ends_at),
        SubscriptionChange::Seats(seats) => subscription.seats = seats,
        SubscriptionChange::Cancel => *life = life.cancel(now)?,
        SubscriptionChange::TakeCancellationBack => match life.renewal(now)? {
            Renewal::KeepsItsEnd(_) => life.cancelled_at = None,
            Renewal::RunsFrom(_) => return Err(kms_portal_rules::life::NotRenewed::AskTheVendor.into()),
        },
        SubscriptionChange::Renews(renews) => subscription.renews = renews,
        SubscriptionChange::Disable(disabled) => life.disabled_at = disabled.then_some(now),
    }
    Ok(())
}

/// The seats of the subscription's offer.
async fn pool(sql: &mut dyn Sql, sold: &SoldSubscription, now: Timestamp) -> Result<Pool, DbError> {
    Ok(pools(sql, sold.organisation, now).await?.get(&sold.offer).copied().unwrap_or_default())
}

/// Notes when seats became fewer than are taken. Being reduced further gives no more time.
async fn note_reduction(
    sql: &mut dyn Sql,
    sold: &SoldSubscription,
    [before, after]: [Pool; 2],
    now: Timestamp,
) -> Result<(), DbError> {
    let [was_over, is_over] = [before, after].map(|pool| pool.bought < pool.taken);
    if was_over && is_over {
        return Ok(());
    }
    let reduced_at = is_over.then_some(now);
    let values = [sold.organisation.as_bytes().into(), sold.offer.as_str().into(), reduced_at.into()];
    sql.run("UPDATE pools SET reduced_at = $3 WHERE organisation = $1 AND offer = $2", &values).await?;
    Ok(())
}

/// The subscriptions of an organisation.
pub(in crate::db) struct ListSubscriptions(pub(in crate::db) OrganisationId);

#[async_trait]
impl Work for ListSubscriptions {
    type Done = Vec<SoldSubscription>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        of(sql, self.0).await
    }
}

/// One subscription.
pub(super) async fn one(sql: &mut dyn Sql, id: SubscriptionId) -> Result<Option<SoldSubscription>, DbError> {
    let found = sql.row("SELECT * FROM subscriptions WHERE id = $1", &[id.as_bytes().into()]).await?;
    found.as_ref().map(read).transpose()
}

pub(super) async fn of(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
) -> Result<Vec<SoldSubscription>, DbError> {
    let list = "SELECT * FROM subscriptions WHERE organisation = $1 ORDER BY ends_at, id";
    sql.rows(list, &[organisation.as_bytes().into()]).await?.iter().map(read).collect()
}

/// The pools of an organisation. Whoever changes one has the lock of the organisation.
pub(super) async fn pools(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    now: Timestamp,
) -> Result<BTreeMap<OfferName, Pool>, DbError> {
    let list = "SELECT offer, taken FROM pools WHERE organisation = $1";
    let mut pools = BTreeMap::new();
    for row in sql.rows(list, &[organisation.as_bytes().into()]).await? {
        pools.insert(offer_in(&row)?, Pool { bought: 0, taken: row.count("taken")? });
    }
    for sold in of(sql, organisation).await? {
        if sold.life.at(now).0.gives_seats() {
            pools.entry(sold.offer).or_default().bought += u64::from(sold.seats.get());
        }
    }
    Ok(pools)
}

async fn write(sql: &mut dyn Sql, subscription: &SoldSubscription) -> Result<(), DbError> {
    let SoldSubscription { id, organisation, offer, seats, life, renews } = subscription;
    let values: [Value<'_>; 11] = [
        id.as_bytes().into(),
        organisation.as_bytes().into(),
        offer.as_str().into(),
        u64::from(seats.get()).into(),
        life.starts_at.into(),
        life.ends_at.into(),
        to_ms(life.grace).into(),
        to_ms(life.held).into(),
        (*renews).into(),
        life.cancelled_at.into(),
        life.disabled_at.into(),
    ];
    sql.run(
        "INSERT INTO subscriptions (id, organisation, offer, seats, starts_at, ends_at, grace_ms, held_ms, renews, cancelled_at, \
         disabled_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO UPDATE SET \
         seats = excluded.seats, ends_at = excluded.ends_at, renews = excluded.renews, cancelled_at = excluded.cancelled_at, \
         disabled_at = excluded.disabled_at",
        &values,
    )
    .await?;
    Ok(())
}

pub(super) fn read(row: &SqlRow) -> Result<SoldSubscription, DbError> {
    let length = |column| -> Result<Duration, DbError> {
        from_ms(row.get(column)?).ok_or_else(|| DbError::damaged(column))
    };
    let seats = u32::try_from(row.count("seats")?).ok().and_then(NonZeroU32::new);
    Ok(SoldSubscription {
        id: row.bytes("id", SubscriptionId::from_slice)?,
        organisation: row.bytes("organisation", OrganisationId::from_slice)?,
        offer: offer_in(row)?,
        seats: seats.ok_or_else(|| DbError::damaged("seats"))?,
        life: Subscription {
            starts_at: row.time("starts_at")?,
            ends_at: row.time("ends_at")?,
            grace: length("grace_ms")?,
            held: length("held_ms")?,
            cancelled_at: row.time_if_any("cancelled_at")?,
            disabled_at: row.time_if_any("disabled_at")?,
        },
        renews: row.count("renews")? != 0,
    })
}
