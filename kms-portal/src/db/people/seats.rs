//! Seats: who has what, changed for many people at once.
//!
//! The rows of everybody on the list are read under the lock of the organisation, `kms_portal_rules::seats` plans, and what differs
//! is written. What a service has to keep of a person is noted with it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use kms_portal_rules::kept::{ServiceEvent, service_events};
use kms_portal_rules::offers::{OfferName, Offers};
use kms_portal_rules::rights::Act;
use kms_portal_rules::seats::{IfNotAll, Member, Plan, Pool, Seat, SeatChange, SeatOutcome, plan, services};
use kms_portal_rules::{GroupId, PersonId};
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::offers::{lines, location, offer_in, offers, service_name, set};
use super::subscriptions::pools;
use super::webhooks::TellsServices;
use super::{Actor, PeopleUnchanged, allow, change_name, lock};
use crate::db::DbError;
use crate::db::changes::note_in;
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::{Work, or_refuse};

/// For more people than this, everybody of the organisation is read at once.
const READ_ONE_BY_ONE: usize = 200;

/// Licences to give or to take, for many people of an organisation.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// Whose people they are.
    pub organisation: OrganisationId,
    /// Who they are, in the order in which they are served. Each is named once.
    pub people: Vec<PersonId>,
    /// What is done.
    pub change: SeatChange,
    /// What happens if there is not enough for everybody.
    pub if_not_all: IfNotAll,
    /// Only say what it would do.
    pub dry_run: bool,
    /// Who does it.
    pub actor: Actor,
}

#[async_trait]
impl Work for Assignment {
    type Done = Result<Plan, PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let now = self.actor.by.at;
        let act = if matches!(self.change, SeatChange::Revoke(_)) { Act::Revoke } else { Act::Assign };
        if !self.dry_run && !lock(sql, self.organisation).await? {
            return Ok(Err(PeopleUnchanged::UnknownOrganisation));
        }
        or_refuse!(allow(sql, &self.actor, self.organisation, act, None).await?);
        let pools = pools(sql, self.organisation, now).await?;
        let offers = offers(sql).await?;
        let Some(members) = members(sql, self.organisation, &self.people).await? else {
            return Ok(Err(PeopleUnchanged::UnknownPerson));
        };
        let plan = plan(&members, &self.change, &pools, &offers, self.if_not_all);
        if self.dry_run {
            return Ok(Ok(plan));
        }
        let tells = TellsServices::of(sql, self.organisation, now).await?;
        for (member, (_, outcome)) in members.iter().zip(&plan.people) {
            if let SeatOutcome::Has(seats) = outcome {
                write(sql, self.organisation, member, seats, now).await?;
                hold(sql, member, seats, &offers, &tells).await?;
            }
        }
        count(sql, self.organisation, &plan.pools).await?;
        let names: Vec<&str> = named(&self.change).into_iter().map(OfferName::as_str).collect();
        let served = members.len() - plan.refused();
        let names = names.join(", ");
        let subject = match (&self.people[..], served) {
            ([person], _) => format!("{names} for {person}"),
            _ => format!("{names} for {served} people"),
        };
        if 0 < served {
            note_in(sql, Some(self.organisation), &self.actor.by, change_name(&self.change), &subject)
                .await?;
        }
        Ok(Ok(plan))
    }
}

/// Everybody on the list, or nothing if one of them is not there.
pub(super) async fn members(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    people: &[PersonId],
) -> Result<Option<Vec<Member>>, DbError> {
    let organisation = organisation.as_bytes();
    let mut known = BTreeMap::new();
    if people.len() <= READ_ONE_BY_ONE {
        for person in people {
            let values = [person.as_bytes().into(), organisation.into()];
            // Somebody of the organisation, or a member of the household.
            let find = "SELECT id, location FROM people p WHERE id = $1 AND deleted_at IS NULL AND (organisation = $2 OR EXISTS \
                        (SELECT 1 FROM household_members m WHERE m.household = $2 AND m.person = p.id))";
            let Some(row) = sql.row(find, &values).await? else { return Ok(None) };
            let mut member = read_member(&row)?;
            let seats = "SELECT * FROM seats WHERE person = $1 AND organisation = $2";
            let seats = sql.rows(seats, &values).await?;
            let groups = sql.rows("SELECT * FROM seat_groups WHERE person = $1", &values[..1]).await?;
            for row in &seats {
                member.seats.insert(offer_in(row)?, read_seat(row)?);
            }
            add_groups(&mut BTreeMap::from([(*person, &mut member)]), &groups)?;
            known.insert(*person, member);
        }
    } else {
        let all = "SELECT id, location FROM people WHERE organisation = $1 AND deleted_at IS NULL";
        for row in sql.rows(all, &[organisation.into()]).await? {
            let member = read_member(&row)?;
            known.insert(member.person, member);
        }
        for row in sql.rows("SELECT * FROM seats WHERE organisation = $1", &[organisation.into()]).await? {
            if let Some(member) = known.get_mut(&row.bytes("person", PersonId::from_slice)?) {
                member.seats.insert(offer_in(&row)?, read_seat(&row)?);
            }
        }
        let groups = "SELECT g.* FROM seat_groups g JOIN seats s ON s.person = g.person AND s.offer = g.offer \
                          WHERE s.organisation = $1";
        let groups = sql.rows(groups, &[organisation.into()]).await?;
        add_groups(&mut known.iter_mut().map(|(person, member)| (*person, member)).collect(), &groups)?;
    }
    Ok(people.iter().map(|person| known.remove(person)).collect())
}

/// The offers that a change is about.
fn named(change: &SeatChange) -> Vec<&OfferName> {
    match change {
        SeatChange::Add(wanted) | SeatChange::Replace(wanted) => wanted.keys().collect(),
        SeatChange::Revoke(offers) => offers.iter().collect(),
    }
}

/// Takes every seat of a person back, whatever gives it.
pub(super) async fn give_back_all(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    person: PersonId,
    now: Timestamp,
) -> Result<(), DbError> {
    let mut pools = pools(sql, organisation, now).await?;
    let values = [person.as_bytes().into(), organisation.as_bytes().into()];
    let offers = offers(sql).await?;
    let mut member = Member { person, location: None, seats: BTreeMap::new() };
    let seats = "SELECT * FROM seats WHERE person = $1 AND organisation = $2";
    for row in sql.rows(seats, &values).await? {
        let offer = offer_in(&row)?;
        if let Some(pool) = pools.get_mut(&offer) {
            pool.taken = pool.taken.saturating_sub(1);
        }
        member.seats.insert(offer, read_seat(&row)?);
    }
    let none = BTreeMap::new();
    let tells = TellsServices::of(sql, organisation, now).await?;
    hold(sql, &member, &none, &offers, &tells).await?;
    write(sql, organisation, &member, &none, now).await?;
    count(sql, organisation, &pools).await
}

pub(super) async fn count(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    pools: &BTreeMap<OfferName, Pool>,
) -> Result<(), DbError> {
    for (offer, pool) in pools {
        let values = [organisation.as_bytes().into(), offer.as_str().into(), pool.taken.into()];
        sql.run("UPDATE pools SET taken = $3 WHERE organisation = $1 AND offer = $2", &values).await?;
    }
    Ok(())
}

/// Writes what differs.
pub(super) async fn write(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    member: &Member,
    seats: &BTreeMap<OfferName, Seat>,
    now: Timestamp,
) -> Result<(), DbError> {
    let person = member.person.as_bytes();
    for offer in member.seats.keys().filter(|offer| !seats.contains_key(*offer)) {
        let values = [person.into(), offer.as_str().into()];
        sql.run("DELETE FROM seat_groups WHERE person = $1 AND offer = $2", &values).await?;
        sql.run("DELETE FROM seats WHERE person = $1 AND offer = $2", &values).await?;
    }
    for (offer, seat) in seats.iter().filter(|(offer, seat)| member.seats.get(*offer) != Some(*seat)) {
        let off = lines(&seat.off);
        let values = [
            person.into(),
            offer.as_str().into(),
            organisation.as_bytes().into(),
            now.into(),
            seat.by_hand.into(),
            off.as_str().into(),
        ];
        sql.run(
            "INSERT INTO seats (person, offer, organisation, since, by_hand, off) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (person, offer) DO UPDATE SET by_hand = excluded.by_hand, off = excluded.off",
            &values,
        )
        .await?;
        let of = &values[..2];
        sql.run("DELETE FROM seat_groups WHERE person = $1 AND offer = $2", of).await?;
        for group in &seat.groups {
            let insert = "INSERT INTO seat_groups (person, offer, group_id) VALUES ($1, $2, $3)";
            sql.run(insert, &[of[0], of[1], group.as_bytes().into()]).await?;
        }
    }
    Ok(())
}

/// Notes which services keep data of a person from now on, and which have given it back, and tells them.
pub(super) async fn hold(
    sql: &mut dyn Sql,
    member: &Member,
    seats: &BTreeMap<OfferName, Seat>,
    offers: &Offers,
    tells: &TellsServices,
) -> Result<(), DbError> {
    let now = tells.at;
    let [before, after] =
        [&member.seats, seats].map(|seats| services(offers, seats).into_keys().collect::<BTreeSet<_>>());
    if before == after {
        return Ok(());
    }
    let person = member.person.as_bytes();
    let mut kept = BTreeMap::new();
    for row in sql.rows("SELECT service, since FROM held_data WHERE person = $1", &[person.into()]).await? {
        kept.insert(row.text("service", service_name)?, row.time("since")?);
    }
    for (service, event) in service_events(&before, &after, |service| kept.get(service).copied(), now) {
        let values = [person.into(), service.as_str().into(), now.into()];
        if event == ServiceEvent::Hold {
            let hold = "INSERT INTO held_data (person, service, since) VALUES ($1, $2, $3) \
                        ON CONFLICT (person, service) DO UPDATE SET since = excluded.since";
            sql.run(hold, &values).await?;
        } else {
            let back = "DELETE FROM held_data WHERE person = $1 AND service = $2";
            let gone = sql.run(back, &values[..2]).await?;
            if event == ServiceEvent::Purge && gone == 0 {
                // Another portal has told the service meanwhile.
                continue;
            }
        }
        tells.tell(sql, service, member.person, event).await?;
    }
    Ok(())
}

fn read_member(row: &SqlRow) -> Result<Member, DbError> {
    let person = row.bytes("id", PersonId::from_slice)?;
    Ok(Member { person, location: location(row)?, seats: BTreeMap::new() })
}

pub(super) fn read_seat(row: &SqlRow) -> Result<Seat, DbError> {
    let off = row.text("off", |text| set(text, service_name))?;
    Ok(Seat { by_hand: row.count("by_hand")? != 0, groups: BTreeSet::new(), off })
}

pub(super) fn add_groups(
    members: &mut BTreeMap<PersonId, &mut Member>,
    groups: &[SqlRow],
) -> Result<(), DbError> {
    for row in groups {
        let person = row.bytes("person", PersonId::from_slice)?;
        let seat = members.get_mut(&person).and_then(|member| member.seats.get_mut(&offer_in(row).ok()?));
        if let Some(seat) = seat {
            seat.groups.insert(row.bytes("group_id", GroupId::from_slice)?);
        }
    }
    Ok(())
}
