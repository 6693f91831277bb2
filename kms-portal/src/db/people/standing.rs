//! How an organisation stands: how many people and seats, what is over, and who has what no longer fits. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use kms_portal_rules::PersonId;
use kms_portal_rules::conflicts::{TooMany, over_since};
use kms_portal_rules::offers::{Misfit, OfferName, misfits};
use kms_portal_rules::seats::{Member, Pool, services};
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::Person;
use super::offers::{location, offer_in, offers};
use super::persons::find;
use super::seats::read_seat;
use super::subscriptions::{of, pools};
use crate::db::DbError;
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::Work;

/// How many seats are read at once to look for people in conflict.
const SEATS_AT_ONCE: usize = 5_000;

/// After so many seats a page of people in conflict ends, however few they are: it says from where to go on.
const SEATS_MAX: usize = 50_000;

/// How an organisation stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganisationStanding {
    /// Its name.
    pub name: String,
    /// How many people are there.
    pub people: u64,
    /// How many of them have no licence.
    pub unlicensed: u64,
    /// The seats of each offer that it has or had.
    pub pools: BTreeMap<OfferName, PoolStanding>,
}

/// The seats of an offer, and whether they are too few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStanding {
    /// Bought and taken.
    pub pool: Pool,
    /// More are taken than bought.
    pub over: Option<TooMany>,
}

/// How an organisation stands.
pub(in crate::db) struct ShowStanding {
    pub(in crate::db) organisation: OrganisationId,
    pub(in crate::db) now: Timestamp,
}

#[async_trait]
impl Work for ShowStanding {
    type Done = Option<OrganisationStanding>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let values = [self.organisation.as_bytes().into()];
        let found = sql.row("SELECT name FROM organisations WHERE id = $1", &values).await?;
        let Some(found) = found else { return Ok(None) };
        let people = "SELECT COUNT(*) AS people FROM people WHERE organisation = $1 AND deleted_at IS NULL";
        let people = counted(sql.row(people, &values).await?.as_ref(), "people")?;
        let licensed = "SELECT COUNT(DISTINCT person) AS people FROM seats WHERE organisation = $1";
        let licensed = counted(sql.row(licensed, &values).await?.as_ref(), "people")?;
        Ok(Some(OrganisationStanding {
            name: found.get("name")?,
            people,
            unlicensed: people.saturating_sub(licensed),
            pools: self.pools(sql).await?,
        }))
    }
}

impl ShowStanding {
    pub(super) async fn pools(
        &self,
        sql: &mut dyn Sql,
    ) -> Result<BTreeMap<OfferName, PoolStanding>, DbError> {
        let mut reduced = BTreeMap::new();
        let list = "SELECT offer, reduced_at FROM pools WHERE organisation = $1";
        for row in sql.rows(list, &[self.organisation.as_bytes().into()]).await? {
            reduced.insert(offer_in(&row)?, row.time_if_any("reduced_at")?);
        }
        let sold = of(sql, self.organisation).await?;
        let standings = pools(sql, self.organisation, self.now).await?.into_iter().map(|(offer, pool)| {
            let lives = sold.iter().filter(|sold| sold.offer == offer);
            let lives: Vec<_> = lives.map(|sold| (u64::from(sold.seats.get()), sold.life)).collect();
            let since = over_since(&lives, pool.taken, reduced.get(&offer).copied().flatten(), self.now);
            let over = since.and_then(|since| TooMany::of(pool, since));
            (offer, PoolStanding { pool, over })
        });
        Ok(standings.collect())
    }
}

fn counted(row: Option<&SqlRow>, column: &'static str) -> Result<u64, DbError> {
    row.ok_or_else(|| DbError::damaged(column))?.count(column)
}

/// The people who got a seat of an offer last, the latest first.
pub(in crate::db) struct LatestSeats {
    pub(in crate::db) organisation: OrganisationId,
    pub(in crate::db) offer: OfferName,
    pub(in crate::db) limit: u32,
}

#[async_trait]
impl Work for LatestSeats {
    type Done = Vec<(Timestamp, Person)>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let values =
            [self.organisation.as_bytes().into(), self.offer.as_str().into(), u64::from(self.limit).into()];
        // In the order of `TooMany::stopped`.
        let list = "SELECT person, since FROM seats WHERE organisation = $1 AND offer = $2 \
                    ORDER BY since DESC, person DESC LIMIT $3";
        let mut latest = Vec::new();
        for row in sql.rows(list, &values).await? {
            let person = find(sql, row.bytes("person", PersonId::from_slice)?).await?;
            let person = person.ok_or_else(|| DbError::damaged("the person of a seat"))?;
            latest.push((row.time("since")?, person));
        }
        Ok(latest)
    }
}

/// A person who has services that do not fit them, or each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonConflict {
    /// Who it is.
    pub person: Person,
    /// What does not fit.
    pub misfits: BTreeSet<Misfit>,
}

/// Some people in conflict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeopleInConflict {
    /// Who they are, by id.
    pub people: Vec<PersonConflict>,
    /// Behind whom to look on; none if everybody was looked at.
    pub next: Option<PersonId>,
}

/// People of an organisation who are in conflict, by id.
pub(in crate::db) struct FindConflicts {
    pub(in crate::db) organisation: OrganisationId,
    pub(in crate::db) after: Option<PersonId>,
    pub(in crate::db) limit: usize,
}

#[async_trait]
impl Work for FindConflicts {
    type Done = PeopleInConflict;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let (offers, mut found) =
            (offers(sql).await?, PeopleInConflict { people: Vec::new(), next: self.after });
        for _ in 0..SEATS_MAX / SEATS_AT_ONCE {
            let (members, is_last) = self.members(sql, found.next).await?;
            for member in &members {
                let misfits = misfits(&services(&offers, &member.seats), member.location);
                if !misfits.is_empty() {
                    let person = find(sql, member.person).await?;
                    let person = person.ok_or_else(|| DbError::damaged("the person of a seat"))?;
                    found.people.push(PersonConflict { person, misfits });
                }
                found.next = Some(member.person);
                if self.limit <= found.people.len() {
                    return Ok(found);
                }
            }
            if is_last {
                found.next = None;
                break;
            }
        }
        Ok(found)
    }
}

impl FindConflicts {
    /// The next people who have a seat, with all of their seats; and whether they are the last.
    async fn members(
        &self,
        sql: &mut dyn Sql,
        after: Option<PersonId>,
    ) -> Result<(Vec<Member>, bool), DbError> {
        let values = [
            self.organisation.as_bytes().into(),
            after.as_ref().map(|after| &after.as_bytes()[..]).unwrap_or_default().into(),
            (SEATS_AT_ONCE as u64).into(),
        ];
        let list = "SELECT s.person, s.offer, s.by_hand, s.off, p.location FROM seats s JOIN people p ON p.id = s.person \
                    WHERE s.organisation = $1 AND $2 < s.person ORDER BY s.person, s.offer LIMIT $3";
        let rows = sql.rows(list, &values).await?;
        let mut members = Vec::<Member>::new();
        for row in &rows {
            let person = row.bytes("person", PersonId::from_slice)?;
            if members.last().is_none_or(|last| last.person != person) {
                members.push(Member { person, location: location(row)?, seats: BTreeMap::new() });
            }
            if let Some(member) = members.last_mut() {
                member.seats.insert(offer_in(row)?, read_seat(row)?);
            }
        }
        let is_last = rows.len() < SEATS_AT_ONCE;
        // More seats of the last one may follow.
        if !is_last && 1 < members.len() {
            members.pop();
        }
        Ok((members, is_last))
    }
}
