//! What people have bought for themselves, and share.
//!
//! A subscription belongs to an organisation. One that a person has bought belongs to a household: an organisation of its own, which is made
//! when it is first needed. The person is its owner and acts in it as a general administrator does; others are members, with a personal
//! account each. So every rule of seats and subscriptions is the same for both.

use async_trait::async_trait;
use kms_portal_rules::offers::OfferName;
use kms_portal_rules::seats::{IfNotAll, SeatChange, SeatOutcome};
use kms_portal_rules::{PersonId, SubscriptionId};
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::links::{self, Letter, LinkPurpose, NewLink};
use super::persons::find;
use super::subscriptions::{SoldSubscription, one, read};
use super::{Actor, Assignment, PeopleUnchanged, Person, is_owner, lock};
use crate::db::sql::{Sql, Value};
use crate::db::work::{Work, or_refuse};
use crate::db::{Db, DbError};
use crate::token::TokenDigest;

/// A subscription of a household, as one of its people sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedSubscription {
    /// The subscription.
    pub subscription: SoldSubscription,
    /// What its offer is called.
    pub title: String,
    /// Whether the person has bought it.
    pub is_owner: bool,
    /// Whether the person has a seat of it.
    pub has_seat: bool,
    /// Who has a seat. Only the owner sees others.
    pub people: Vec<Person>,
}

impl Db {
    /// The subscriptions of a person's household, and of others that share one with them.
    pub async fn personal_subscriptions(&self, person: PersonId) -> Result<Vec<SharedSubscription>, DbError> {
        self.read(ListPersonal(person)).await
    }

    /// Mails somebody a link by which they get a seat of a subscription that this person has bought.
    pub async fn share_subscription(
        &self,
        owner: PersonId,
        subscription: SubscriptionId,
        link: (NewLink, Letter),
        at: Timestamp,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(Share { owner, subscription, link, at }).await
    }

    /// What a link shares, and the name of the person whose it is.
    pub async fn shared_by(&self, link: TokenDigest) -> Result<Option<(String, String)>, DbError> {
        self.read(SharedBy(link)).await
    }

    /// Gives this person the seat that a link shares with them.
    pub async fn accept_share(
        &self,
        link: TokenDigest,
        actor: Actor,
        person: PersonId,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(AcceptShare { link, person, actor }).await
    }

    /// Takes the seat of a person back. The owner does it, or the person.
    pub async fn end_share(
        &self,
        subscription: SubscriptionId,
        person: PersonId,
        actor: Actor,
        by: PersonId,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(EndShare { subscription, person, actor, by }).await
    }
}

/// The household of a person, made with this id if there is none. Its lock is taken.
pub(super) async fn household_of(
    sql: &mut dyn Sql,
    person: PersonId,
    new: OrganisationId,
    at: Timestamp,
) -> Result<OrganisationId, DbError> {
    // One after the other, or two keys at once would make two.
    sql.lock("SELECT id FROM people WHERE id = $1", &[person.as_bytes().into()]).await?;
    let own = "SELECT household FROM household_members WHERE person = $1 AND owner = 1";
    if let Some(row) = sql.row(own, &[person.as_bytes().into()]).await? {
        let household = row.bytes("household", OrganisationId::from_slice)?;
        lock(sql, household).await?;
        return Ok(household);
    }
    // Names are unique, and people see that of nobody's household.
    let name = format!("household {new}");
    let values: [Value<'_>; 3] = [new.as_bytes().into(), name.as_str().into(), at.into()];
    let insert = "INSERT INTO organisations (id, name, added_at, kind) VALUES ($1, $2, $3, 'household')";
    sql.run(insert, &values).await?;
    join(sql, new, person, true, at).await?;
    Ok(new)
}

async fn join(
    sql: &mut dyn Sql,
    household: OrganisationId,
    person: PersonId,
    owner: bool,
    at: Timestamp,
) -> Result<(), DbError> {
    let values = [household.as_bytes().into(), person.as_bytes().into(), owner.into(), at.into()];
    let insert = "INSERT INTO household_members (household, person, owner, since) VALUES ($1, $2, $3, $4) \
                  ON CONFLICT (household, person) DO NOTHING";
    sql.run(insert, &values).await?;
    Ok(())
}

/// Gives a member of a household a seat of an offer. The lock of the household is taken.
pub(super) async fn give_seat(
    sql: &mut dyn Sql,
    household: OrganisationId,
    person: PersonId,
    offer: &OfferName,
    actor: &Actor,
) -> Result<Result<(), PeopleUnchanged>, DbError> {
    let values = [person.as_bytes().into(), offer.as_str().into()];
    if sql.row("SELECT offer FROM seats WHERE person = $1 AND offer = $2", &values).await?.is_some() {
        return Ok(Err(PeopleUnchanged::HasItAlready));
    }
    let change = SeatChange::Add([(offer.clone(), std::collections::BTreeSet::new())].into());
    let given = or_refuse!(seat_change(household, person, change, actor).run(sql).await?);
    Ok(match given.people.first() {
        Some((_, SeatOutcome::Has(_))) => Ok(()),
        _ => Err(PeopleUnchanged::NoSeat),
    })
}

/// What a household does with seats is allowed before.
fn seat_change(household: OrganisationId, person: PersonId, change: SeatChange, actor: &Actor) -> Assignment {
    let actor = Actor::staff(actor.by.clone());
    let (organisation, people, if_not_all) = (household, vec![person], IfNotAll::Nobody);
    Assignment { organisation, people, change, if_not_all, dry_run: false, actor }
}

struct ListPersonal(PersonId);

#[async_trait]
impl Work for ListPersonal {
    type Done = Vec<SharedSubscription>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let person = self.0.as_bytes();
        let list = "SELECT s.*, o.title, m.owner FROM household_members m JOIN subscriptions s ON s.organisation = m.household \
                    JOIN offers o ON o.name = s.offer WHERE m.person = $1 ORDER BY s.ends_at, s.id";
        let mut found = Vec::new();
        for row in sql.rows(list, &[person.into()]).await? {
            let subscription = read(&row)?;
            let is_owner = row.count("owner")? != 0;
            let seats =
                "SELECT person FROM seats WHERE organisation = $1 AND offer = $2 ORDER BY since, person";
            let values = [subscription.organisation.as_bytes().into(), subscription.offer.as_str().into()];
            let (mut people, mut has_seat) = (Vec::new(), false);
            for seat in sql.rows(seats, &values).await? {
                let id = seat.bytes("person", PersonId::from_slice)?;
                has_seat |= id == self.0;
                if is_owner {
                    people.extend(find(sql, id).await?);
                }
            }
            let title = row.get("title")?;
            if is_owner || has_seat {
                found.push(SharedSubscription { subscription, title, is_owner, has_seat, people });
            }
        }
        Ok(found)
    }
}

struct Share {
    owner: PersonId,
    subscription: SubscriptionId,
    link: (NewLink, Letter),
    at: Timestamp,
}

#[async_trait]
impl Work for Share {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let Some(sold) = one(sql, self.subscription).await? else {
            return Ok(Err(PeopleUnchanged::UnknownSubscription));
        };
        if !is_owner(sql, self.owner, sold.organisation).await? {
            return Ok(Err(PeopleUnchanged::UnknownSubscription));
        }
        if !links::send_one(sql, &self.link, self.at).await? {
            return Ok(Err(PeopleUnchanged::TooManyLinks));
        }
        let values = [self.link.0.digest.as_bytes().into(), self.subscription.as_bytes().into()];
        sql.run("INSERT INTO shares (link, subscription) VALUES ($1, $2)", &values).await?;
        Ok(Ok(()))
    }
}

struct SharedBy(TokenDigest);

#[async_trait]
impl Work for SharedBy {
    type Done = Option<(String, String)>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let find = "SELECT o.title, p.name FROM shares h JOIN subscriptions s ON s.id = h.subscription \
                    JOIN offers o ON o.name = s.offer JOIN household_members m ON m.household = s.organisation AND m.owner = 1 \
                    JOIN people p ON p.id = m.person WHERE h.link = $1";
        let found = sql.row(find, &[self.0.as_bytes().into()]).await?;
        found.map(|row| Ok((row.get("title")?, row.get("name")?))).transpose()
    }
}

struct AcceptShare {
    link: TokenDigest,
    person: PersonId,
    actor: Actor,
}

#[async_trait]
impl Work for AcceptShare {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let at = self.actor.by.at;
        let shared = "SELECT subscription FROM shares WHERE link = $1";
        let Some(row) = sql.row(shared, &[self.link.as_bytes().into()]).await? else {
            return Ok(Err(PeopleUnchanged::LinkEnded));
        };
        let subscription = row.bytes("subscription", SubscriptionId::from_slice)?;
        let sold = one(sql, subscription).await?.ok_or_else(|| DbError::damaged("shares"))?;
        lock(sql, sold.organisation).await?;
        let Some(person) = find(sql, self.person).await?.filter(Person::may_sign_in) else {
            return Ok(Err(PeopleUnchanged::UnknownPerson));
        };
        if person.organisation.is_some() {
            return Ok(Err(PeopleUnchanged::ForPersonalAccounts));
        }
        if !links::is_open(sql, self.link, at).await? {
            return Ok(Err(PeopleUnchanged::LinkEnded));
        }
        let member = "SELECT person FROM household_members WHERE household = $1 AND person = $2";
        let values = [sold.organisation.as_bytes().into(), self.person.as_bytes().into()];
        let was_member = sql.row(member, &values).await?.is_some();
        join(sql, sold.organisation, self.person, false, at).await?;
        let given = give_seat(sql, sold.organisation, self.person, &sold.offer, &self.actor).await?;
        if given.is_err() {
            // A refusal leaves nothing behind, and the link can be used once there is a seat.
            if !was_member {
                leave(sql, sold.organisation, self.person).await?;
            }
            return Ok(given);
        }
        or_refuse!(links::take(sql, self.link, [LinkPurpose::Share; 2], at).await?);
        Ok(Ok(()))
    }
}

/// A member without a seat is none any more.
async fn leave(sql: &mut dyn Sql, household: OrganisationId, person: PersonId) -> Result<(), DbError> {
    let delete = "DELETE FROM household_members WHERE household = $1 AND person = $2 AND owner = 0 AND NOT EXISTS \
                  (SELECT 1 FROM seats s WHERE s.organisation = $1 AND s.person = $2)";
    sql.run(delete, &[household.as_bytes().into(), person.as_bytes().into()]).await?;
    Ok(())
}

struct EndShare {
    subscription: SubscriptionId,
    person: PersonId,
    actor: Actor,
    by: PersonId,
}

#[async_trait]
impl Work for EndShare {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let Some(sold) = one(sql, self.subscription).await? else {
            return Ok(Err(PeopleUnchanged::UnknownSubscription));
        };
        let household = sold.organisation;
        lock(sql, household).await?;
        let values: [Value<'_>; 3] =
            [household.as_bytes().into(), self.person.as_bytes().into(), sold.offer.as_str().into()];
        let seat = "SELECT person FROM seats WHERE organisation = $1 AND person = $2 AND offer = $3";
        let is_theirs = self.by == self.person && sql.row(seat, &values).await?.is_some();
        if !is_theirs && !is_owner(sql, self.by, household).await? {
            return Ok(Err(PeopleUnchanged::UnknownSubscription));
        }
        let change = SeatChange::Revoke([sold.offer].into());
        or_refuse!(seat_change(household, self.person, change, &self.actor).run(sql).await?);
        leave(sql, household, self.person).await?;
        Ok(Ok(()))
    }
}
