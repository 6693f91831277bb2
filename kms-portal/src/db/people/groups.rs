//! Groups of people: who is in them, what they give, and who waits for it.
//!
//! `kms_portal_rules::groups` decides. Whatever frees a seat serves whoever waits for it, in the same transaction and the oldest first.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use kms_portal_rules::groups::{GroupClaim, GroupClaims, WaitingClaim, causes, settle};
use kms_portal_rules::offers::{OfferName, Offers};
use kms_portal_rules::rights::Act;
use kms_portal_rules::seats::{Member, Pool, WantedSeats};
use kms_portal_rules::{GroupId, PersonId};
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::offers::{lines, offer_in, offers, service_name, set};
use super::seats::{count, hold, members, write};
use super::subscriptions::pools;
use super::webhooks::TellsServices;
use super::{Actor, PeopleUnchanged, allow, lock};
use crate::db::changes::note_in;
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::{Work, or_refuse};
use crate::db::{Db, DbError};

/// A group of an organisation's people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeopleGroup {
    /// Its id: random.
    pub id: GroupId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// How people call it; no other group of the organisation has this name.
    pub name: String,
    /// What its members get, each with the services that are switched off.
    pub offers: WantedSeats,
    /// How many members it has.
    pub members: u64,
}

/// What is done to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupChange {
    /// It is made, or gets this name.
    Name(String),
    /// These people come, and those go. Whoever is not in the organisation is refused, and nothing is changed.
    Members {
        /// Who comes.
        add: BTreeSet<PersonId>,
        /// Who goes.
        remove: BTreeSet<PersonId>,
    },
    /// It gives these, and nothing else.
    Offers(WantedSeats),
    /// It is deleted. Members may keep what it gave them, as if it was assigned by hand.
    Delete {
        /// Whether they keep it.
        keep_seats: bool,
    },
}

impl GroupChange {
    const fn called(&self) -> &'static str {
        match self {
            GroupChange::Name(_) => "set group",
            GroupChange::Members { .. } => "set members of group",
            GroupChange::Offers(_) => "set offers of group",
            GroupChange::Delete { .. } => "delete group",
        }
    }

    /// What it needs a right to: groups give licences and take them.
    const fn act(&self) -> Act {
        match self {
            GroupChange::Name(_) => Act::EditPerson,
            GroupChange::Members { .. } | GroupChange::Offers(_) => Act::Assign,
            GroupChange::Delete { .. } => Act::Revoke,
        }
    }
}

/// Groups.
impl Db {
    /// Changes a group, and with it what its members have.
    pub async fn change_group(
        &self,
        organisation: OrganisationId,
        id: GroupId,
        change: GroupChange,
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(ChangeGroup { organisation, id, change, actor }).await
    }

    /// The groups of an organisation, by name, behind this name; at most `limit`.
    pub async fn groups(
        &self,
        organisation: OrganisationId,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<PeopleGroup>, DbError> {
        self.read(ListGroups { organisation, after: after.unwrap_or_default(), limit }).await
    }

    /// One group of an organisation.
    pub async fn group(
        &self,
        organisation: OrganisationId,
        id: GroupId,
    ) -> Result<Option<PeopleGroup>, DbError> {
        self.read(ShowGroup { organisation, id }).await
    }

    /// The members of a group, by id, behind this one; at most `limit`.
    pub async fn group_members(
        &self,
        id: GroupId,
        after: Option<PersonId>,
        limit: u32,
    ) -> Result<Vec<PersonId>, DbError> {
        self.read(ListMembers { id, after, limit }).await
    }

    /// The groups of a person.
    pub async fn groups_of(&self, person: PersonId) -> Result<Vec<GroupId>, DbError> {
        self.read(GroupsOf(person)).await
    }

    /// Who waits for what a group gives, and why, the longest first; of everybody, or of one person. At most `limit`.
    pub async fn waiting(
        &self,
        organisation: OrganisationId,
        person: Option<PersonId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<WaitingClaim>, DbError> {
        self.read(ListWaiting { organisation, person, now, limit }).await
    }
}

struct ChangeGroup {
    organisation: OrganisationId,
    id: GroupId,
    change: GroupChange,
    actor: Actor,
}

#[async_trait]
impl Work for ChangeGroup {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let ChangeGroup { organisation, id, change, actor } = self;
        if !lock(sql, *organisation).await? {
            return Ok(Err(PeopleUnchanged::UnknownOrganisation));
        }
        or_refuse!(allow(sql, actor, *organisation, change.act(), None).await?);
        let found = find(sql, *organisation, *id).await?;
        if found.is_none() && !matches!(change, GroupChange::Name(_)) {
            return Ok(Err(PeopleUnchanged::UnknownGroup));
        }
        let changed = match change {
            GroupChange::Name(name) => {
                or_refuse!(self.name(sql, name).await?);
                BTreeSet::new()
            }
            GroupChange::Members { add, remove } => {
                or_refuse!(self.members(sql, add, remove).await?);
                add | remove
            }
            GroupChange::Offers(wanted) => {
                or_refuse!(self.offers(sql, wanted).await?);
                all_members(sql, *id).await?
            }
            GroupChange::Delete { keep_seats } => {
                let members = all_members(sql, *id).await?;
                self.delete(sql, *keep_seats).await?;
                members
            }
        };
        settle_people(sql, *organisation, changed, actor.by.at).await?;
        let name = if let GroupChange::Name(name) = change {
            name.clone()
        } else {
            found.map(|group| group.name).unwrap_or_default()
        };
        note_in(sql, Some(*organisation), &actor.by, change.called(), &format!("{id} ({name})")).await?;
        Ok(Ok(()))
    }
}

impl ChangeGroup {
    async fn name(&self, sql: &mut dyn Sql, name: &str) -> Result<Result<(), PeopleUnchanged>, DbError> {
        let (id, organisation) = (self.id.as_bytes(), self.organisation.as_bytes());
        let other = "SELECT id FROM people_groups WHERE (organisation = $1 AND name = $2 AND id <> $3) OR (id = $3 AND organisation <> $1)";
        if sql.row(other, &[organisation.into(), name.into(), id.into()]).await?.is_some() {
            return Ok(Err(PeopleUnchanged::GroupNameTaken));
        }
        let set = "INSERT INTO people_groups (id, organisation, name, made_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (id) DO UPDATE SET name = excluded.name";
        sql.run(set, &[id.into(), organisation.into(), name.into(), self.actor.by.at.into()]).await?;
        Ok(Ok(()))
    }

    async fn members(
        &self,
        sql: &mut dyn Sql,
        add: &BTreeSet<PersonId>,
        remove: &BTreeSet<PersonId>,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        let people: Vec<_> = add.iter().copied().collect();
        if members(sql, self.organisation, &people).await?.is_none() {
            return Ok(Err(PeopleUnchanged::UnknownPerson));
        }
        for person in remove {
            let gone = "DELETE FROM group_members WHERE group_id = $1 AND person = $2";
            sql.run(gone, &[self.id.as_bytes().into(), person.as_bytes().into()]).await?;
        }
        for person in add {
            let values = [self.id.as_bytes().into(), person.as_bytes().into(), self.actor.by.at.into()];
            let come = "INSERT INTO group_members (group_id, person, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
            sql.run(come, &values).await?;
        }
        Ok(Ok(()))
    }

    async fn offers(
        &self,
        sql: &mut dyn Sql,
        wanted: &WantedSeats,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        let known = offers(sql).await?;
        if wanted.keys().any(|offer| !known.0.contains_key(offer)) {
            return Ok(Err(PeopleUnchanged::UnknownOffer));
        }
        let id = self.id.as_bytes();
        for offer in offers_of(sql, self.id).await?.keys().filter(|offer| !wanted.contains_key(*offer)) {
            let gone = "DELETE FROM group_offers WHERE group_id = $1 AND offer = $2";
            sql.run(gone, &[id.into(), offer.as_str().into()]).await?;
        }
        for (offer, off) in wanted {
            let off = lines(off);
            let values = [id.into(), offer.as_str().into(), off.as_str().into(), self.actor.by.at.into()];
            let give = "INSERT INTO group_offers (group_id, offer, off, since) VALUES ($1, $2, $3, $4) \
                        ON CONFLICT (group_id, offer) DO UPDATE SET off = excluded.off";
            sql.run(give, &values).await?;
        }
        Ok(Ok(()))
    }

    async fn delete(&self, sql: &mut dyn Sql, keep_seats: bool) -> Result<(), DbError> {
        let id = [self.id.as_bytes().into()];
        if keep_seats {
            let keep = "UPDATE seats SET by_hand = 1 WHERE EXISTS (SELECT 1 FROM seat_groups g \
                        WHERE g.group_id = $1 AND g.person = seats.person AND g.offer = seats.offer)";
            sql.run(keep, &id).await?;
        }
        for statement in [
            "DELETE FROM group_members WHERE group_id = $1",
            "DELETE FROM group_offers WHERE group_id = $1",
            "DELETE FROM people_groups WHERE id = $1",
        ] {
            sql.run(statement, &id).await?;
        }
        Ok(())
    }
}

/// Whose change may free a seat, or change what somebody can have.
#[derive(Clone, Debug)]
pub(in crate::db) enum Concerned {
    /// An organisation, and people of it.
    People(OrganisationId, Vec<PersonId>),
    /// One person, whose groups are looked at again.
    Person(PersonId),
}

/// Does something, then gives seats that are free now to those who wait for one: in the same transaction.
pub(in crate::db) struct ThenServe<W> {
    pub(in crate::db) work: W,
    pub(in crate::db) concerned: Concerned,
    pub(in crate::db) at: Timestamp,
}

#[async_trait]
impl<T: Send + 'static, W: Work<Done = Result<T, PeopleUnchanged>>> Work for ThenServe<W> {
    type Done = W::Done;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let done = or_refuse!(self.work.run(sql).await?);
        match &self.concerned {
            Concerned::People(organisation, people) => {
                let waiting = waiting(sql, *organisation).await?;
                if !waiting.is_empty() {
                    let changed = people.iter().copied().filter(|person| waiting.contains(person)).collect();
                    settle_people(sql, *organisation, changed, self.at).await?;
                }
            }
            Concerned::Person(person) => {
                let find = "SELECT organisation FROM people WHERE id = $1 AND organisation IS NOT NULL";
                if let Some(row) = sql.row(find, &[person.as_bytes().into()]).await? {
                    let organisation = row.bytes("organisation", OrganisationId::from_slice)?;
                    if has_groups(sql, organisation).await? {
                        settle_people(sql, organisation, [*person].into(), self.at).await?;
                    }
                }
            }
        }
        Ok(Ok(done))
    }
}

async fn has_groups(sql: &mut dyn Sql, organisation: OrganisationId) -> Result<bool, DbError> {
    let any = "SELECT id FROM people_groups WHERE organisation = $1 LIMIT 1";
    Ok(sql.row(any, &[organisation.as_bytes().into()]).await?.is_some())
}

async fn waiting(sql: &mut dyn Sql, organisation: OrganisationId) -> Result<BTreeSet<PersonId>, DbError> {
    let all = "SELECT DISTINCT person FROM group_waiting WHERE organisation = $1";
    people(&sql.rows(all, &[organisation.as_bytes().into()]).await?)
}

/// Settles what groups give to these people, and gives what is left to those who wait for a seat. The lock of the organisation is taken.
async fn settle_people(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    changed: BTreeSet<PersonId>,
    now: Timestamp,
) -> Result<(), DbError> {
    let (offers, tells) = (offers(sql).await?, TellsServices::of(sql, organisation, now).await?);
    let mut list = changed;
    loop {
        let pools = pools(sql, organisation, now).await?;
        // Whoever has waited longer goes first. Each round serves them or finds that a seat is not all that they need, so it ends.
        list.extend(next_to_serve(sql, organisation, &pools).await?);
        if list.is_empty() {
            return Ok(());
        }
        settle_once(sql, organisation, &list, &pools, &offers, &tells).await?;
        list.clear();
    }
}

async fn settle_once(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    list: &BTreeSet<PersonId>,
    pools: &BTreeMap<OfferName, Pool>,
    offers: &Offers,
    tells: &TellsServices,
) -> Result<(), DbError> {
    let people = there(sql, organisation, list).await?;
    let mut settled = settle(&people, pools, offers);
    for ((member, _), seats) in people.iter().zip(&settled.people) {
        write(sql, organisation, member, seats, tells.at).await?;
        hold(sql, member, seats, offers, tells).await?;
    }
    settled.pools.retain(|offer, pool| pools.get(offer) != Some(pool));
    count(sql, organisation, &settled.pools).await?;
    for person in list {
        sql.run("DELETE FROM group_waiting WHERE person = $1", &[person.as_bytes().into()]).await?;
    }
    for claim in &settled.waiting {
        let values = [
            claim.person.as_bytes().into(),
            claim.offer.as_str().into(),
            organisation.as_bytes().into(),
            claim.since.into(),
            claim.is_for_a_seat().into(),
        ];
        let wait = "INSERT INTO group_waiting (person, offer, organisation, since, for_a_seat) VALUES ($1, $2, $3, $4, $5)";
        sql.run(wait, &values).await?;
    }
    Ok(())
}

/// For each offer with free seats, as many of those who wait for one as there are seats, the oldest first.
async fn next_to_serve(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    pools: &BTreeMap<OfferName, Pool>,
) -> Result<BTreeSet<PersonId>, DbError> {
    let mut next = BTreeSet::new();
    for (offer, pool) in pools.iter().filter(|(_, pool)| 0 < pool.free()) {
        let oldest = "SELECT person FROM group_waiting WHERE organisation = $1 AND offer = $2 AND for_a_seat = 1 \
                      ORDER BY since, person LIMIT $3";
        let values = [organisation.as_bytes().into(), offer.as_str().into(), pool.free().into()];
        next.extend(people(&sql.rows(oldest, &values).await?)?);
    }
    Ok(next)
}

/// Those of these people who are there, each with what groups give them.
async fn there(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    list: &BTreeSet<PersonId>,
) -> Result<Vec<(Member, GroupClaims)>, DbError> {
    let mut there = Vec::new();
    for person in list {
        let Some(mut found) = members(sql, organisation, &[*person]).await? else { continue };
        let Some(member) = found.pop() else { continue };
        there.push((member, claims(sql, *person).await?));
    }
    Ok(there)
}

/// What groups give a person.
async fn claims(sql: &mut dyn Sql, person: PersonId) -> Result<GroupClaims, DbError> {
    let all = "SELECT o.group_id, o.offer, o.off, o.since, m.since AS joined_at FROM group_members m \
               JOIN group_offers o ON o.group_id = m.group_id WHERE m.person = $1";
    let mut claims = GroupClaims::new();
    for row in sql.rows(all, &[person.as_bytes().into()]).await? {
        let group = row.bytes("group_id", GroupId::from_slice)?;
        let off = row.text("off", |text| set(text, service_name))?;
        let since = row.time("since")?.max(row.time("joined_at")?);
        let claim = claims.entry(offer_in(&row)?).or_insert_with(|| GroupClaim {
            groups: BTreeSet::new(),
            off: off.clone(),
            since,
        });
        claim.groups.insert(group);
        claim.off = &claim.off & &off;
        claim.since = claim.since.min(since);
    }
    Ok(claims)
}

struct ListGroups {
    organisation: OrganisationId,
    after: String,
    limit: u32,
}

#[async_trait]
impl Work for ListGroups {
    type Done = Vec<PeopleGroup>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let values =
            [self.organisation.as_bytes().into(), self.after.as_str().into(), u64::from(self.limit).into()];
        let list = "SELECT * FROM people_groups WHERE organisation = $1 AND $2 < name ORDER BY name LIMIT $3";
        let mut groups = Vec::new();
        for row in sql.rows(list, &values).await? {
            groups.push(read(sql, &row).await?);
        }
        Ok(groups)
    }
}

struct ShowGroup {
    organisation: OrganisationId,
    id: GroupId,
}

#[async_trait]
impl Work for ShowGroup {
    type Done = Option<PeopleGroup>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        find(sql, self.organisation, self.id).await
    }
}

struct ListMembers {
    id: GroupId,
    after: Option<PersonId>,
    limit: u32,
}

#[async_trait]
impl Work for ListMembers {
    type Done = Vec<PersonId>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let after = self.after.as_ref().map(|after| &after.as_bytes()[..]).unwrap_or_default();
        let values = [self.id.as_bytes().into(), after.into(), u64::from(self.limit).into()];
        let list = "SELECT m.person FROM group_members m JOIN people p ON p.id = m.person \
                    WHERE m.group_id = $1 AND $2 < m.person AND p.deleted_at IS NULL ORDER BY m.person LIMIT $3";
        Ok(people(&sql.rows(list, &values).await?)?.into_iter().collect())
    }
}

struct GroupsOf(PersonId);

#[async_trait]
impl Work for GroupsOf {
    type Done = Vec<GroupId>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let list = "SELECT group_id FROM group_members WHERE person = $1 ORDER BY group_id";
        let rows = sql.rows(list, &[self.0.as_bytes().into()]).await?;
        rows.iter().map(|row| row.bytes("group_id", GroupId::from_slice)).collect()
    }
}

struct ListWaiting {
    organisation: OrganisationId,
    person: Option<PersonId>,
    now: Timestamp,
    limit: u32,
}

#[async_trait]
impl Work for ListWaiting {
    type Done = Vec<WaitingClaim>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let person = self.person.as_ref().map(|person| &person.as_bytes()[..]).unwrap_or_default();
        let values = [
            self.organisation.as_bytes().into(),
            person.into(),
            self.person.is_none().into(),
            u64::from(self.limit).into(),
        ];
        let list = "SELECT person, offer FROM group_waiting WHERE organisation = $1 AND ($3 = 1 OR person = $2) \
                    ORDER BY since, person, offer LIMIT $4";
        let (pools, offers) = (pools(sql, self.organisation, self.now).await?, offers(sql).await?);
        let mut waiting = Vec::new();
        for row in sql.rows(list, &values).await? {
            let (person, offer) = (row.bytes("person", PersonId::from_slice)?, offer_in(&row)?);
            let found = there(sql, self.organisation, &[person].into()).await?;
            for (member, claims) in &found {
                let Some(claim) = claims.get(&offer) else { continue };
                let causes = causes(member, &member.seats, &offer, claim, &pools, &offers);
                waiting.push(WaitingClaim { person, offer: offer.clone(), since: claim.since, causes });
            }
        }
        Ok(waiting)
    }
}

async fn find(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    id: GroupId,
) -> Result<Option<PeopleGroup>, DbError> {
    let values = [id.as_bytes().into(), organisation.as_bytes().into()];
    let one = "SELECT * FROM people_groups WHERE id = $1 AND organisation = $2";
    let Some(row) = sql.row(one, &values).await? else { return Ok(None) };
    read(sql, &row).await.map(Some)
}

async fn read(sql: &mut dyn Sql, row: &SqlRow) -> Result<PeopleGroup, DbError> {
    let id = row.bytes("id", GroupId::from_slice)?;
    let members = "SELECT COUNT(*) AS members FROM group_members m JOIN people p ON p.id = m.person \
                   WHERE m.group_id = $1 AND p.deleted_at IS NULL";
    let members = sql.row(members, &[id.as_bytes().into()]).await?;
    Ok(PeopleGroup {
        id,
        organisation: row.bytes("organisation", OrganisationId::from_slice)?,
        name: row.get("name")?,
        offers: offers_of(sql, id).await?,
        members: members.ok_or_else(|| DbError::damaged("group_members"))?.count("members")?,
    })
}

async fn offers_of(sql: &mut dyn Sql, id: GroupId) -> Result<WantedSeats, DbError> {
    let all = "SELECT offer, off FROM group_offers WHERE group_id = $1";
    let rows = sql.rows(all, &[id.as_bytes().into()]).await?;
    rows.iter().map(|row| Ok((offer_in(row)?, row.text("off", |text| set(text, service_name))?))).collect()
}

async fn all_members(sql: &mut dyn Sql, id: GroupId) -> Result<BTreeSet<PersonId>, DbError> {
    let all = "SELECT person FROM group_members WHERE group_id = $1";
    people(&sql.rows(all, &[id.as_bytes().into()]).await?)
}

fn people(rows: &[SqlRow]) -> Result<BTreeSet<PersonId>, DbError> {
    rows.iter().map(|row| row.bytes("person", PersonId::from_slice)).collect()
}
