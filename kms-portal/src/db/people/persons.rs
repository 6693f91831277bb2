//! Who is at the portal: people, their addresses and roles.

use async_trait::async_trait;
use kms_portal_rules::PersonId;
use kms_portal_rules::addresses::Address;
use kms_portal_rules::kept::is_kept;
use kms_portal_rules::offers::Country;
use kms_portal_rules::rights::{Act, AdminRole, AdminRoles, keep_a_general};
use kms_portal_texts::Language;
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::offers::location;
use super::{Actor, PeopleUnchanged, allow, lock, seats};
use crate::db::DbError;
use crate::db::changes::note_in;
use crate::db::sql::{Sql, SqlRow, Value};
use crate::db::work::{Work, or_refuse};
use crate::token::TokenDigest;

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their id, which never changes.
    pub id: PersonId,
    /// Whose work account it is; none for a personal account.
    pub organisation: Option<OrganisationId>,
    /// Their name, for people.
    pub name: String,
    /// Where mail goes.
    pub address: String,
    /// Where they use what they have.
    pub location: Option<Country>,
    /// In which language they read mail; none where it is not known.
    pub language: Option<Language>,
    /// What they may do in the organisation.
    pub roles: AdminRoles,
    /// When they were added.
    pub added_at: Timestamp,
    /// When they last used a link that was mailed to their address. Until then it may be somebody else's.
    pub confirmed_at: Option<Timestamp>,
    /// Since when they cannot sign in.
    pub blocked_at: Option<Timestamp>,
    /// When they were deleted.
    pub deleted_at: Option<Timestamp>,
}

impl Person {
    /// Whether they are let in at all.
    pub fn may_sign_in(&self) -> bool {
        self.blocked_at.is_none() && self.deleted_at.is_none()
    }
}

/// A person who is to be added.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// Their id: random.
    pub id: PersonId,
    /// Whose work account it is; none for a personal account.
    pub organisation: Option<OrganisationId>,
    /// Their name, for people.
    pub name: String,
    /// Their address.
    pub address: String,
    /// Where they use what they have.
    pub location: Option<Country>,
}

/// What is to be known of a person.
#[derive(Clone, Debug)]
pub struct PersonEdit {
    /// Their name, for people.
    pub name: String,
    /// Where they use what they have. Licences that are not offered there stay, and are in conflict.
    pub location: Option<Country>,
}

/// Which people of an organisation are listed.
#[derive(Clone, Copy, Debug)]
pub struct PersonFilter {
    /// Whose.
    pub organisation: OrganisationId,
    /// Those behind this one.
    pub after: Option<PersonId>,
    /// Only those without any licence.
    pub unlicensed: bool,
    /// Those who were deleted, instead of those who are there.
    pub deleted: bool,
}

/// Adds a person.
pub(in crate::db) struct AddPerson {
    pub(in crate::db) person: NewPerson,
    pub(in crate::db) actor: Actor,
}

#[async_trait]
impl Work for AddPerson {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        if let Some(organisation) = self.person.organisation {
            if !lock(sql, organisation).await? {
                return Ok(Err(PeopleUnchanged::UnknownOrganisation));
            }
            or_refuse!(allow(sql, &self.actor, organisation, Act::EditPerson, None).await?);
        }
        let NewPerson { id, organisation, name, address, location } = &self.person;
        let Some(address) = Address::new(address) else { return Ok(Err(PeopleUnchanged::NotAnAddress)) };
        let location = location.map(|country| country.to_string()).unwrap_or_default();
        let values = [
            id.as_bytes().into(),
            organisation.as_ref().map(|organisation| &organisation.as_bytes()[..]).into(),
            name.as_str().into(),
            address.typed().into(),
            location.as_str().into(),
            self.actor.by.at.into(),
        ];
        let insert = "INSERT INTO people (id, organisation, name, address, location, added_at) VALUES ($1, $2, $3, $4, $5, $6)";
        sql.run(insert, &values).await?;
        if !claim(sql, *organisation, &address, *id).await? {
            // A refusal leaves nothing behind.
            sql.run("DELETE FROM people WHERE id = $1", &values[..1]).await?;
            return Ok(Err(PeopleUnchanged::AddressTaken));
        }
        note_in(sql, *organisation, &self.actor.by, "add person", &id.to_string()).await?;
        Ok(Ok(()))
    }
}

/// The scope in which an address is given once.
fn scope(organisation: Option<&OrganisationId>) -> &[u8] {
    organisation.map(|organisation| &organisation.as_bytes()[..]).unwrap_or_default()
}

/// Gives a person an address, unless another one has it.
pub(super) async fn claim(
    sql: &mut dyn Sql,
    organisation: Option<OrganisationId>,
    address: &Address,
    person: PersonId,
) -> Result<bool, DbError> {
    let canonical = address.to_string();
    let values = [scope(organisation.as_ref()).into(), canonical.as_str().into(), person.as_bytes().into()];
    let insert = "INSERT INTO addresses (scope, address, person) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    Ok(sql.run(insert, &values).await? == 1)
}

/// Gives a person these roles.
pub(in crate::db) struct SetRoles {
    pub(in crate::db) person: PersonId,
    pub(in crate::db) roles: AdminRoles,
    pub(in crate::db) actor: Actor,
}

#[async_trait]
impl Work for SetRoles {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let member = or_refuse!(member(sql, self.person, &self.actor, Act::GiveRoles).await?);
        if !self.roles.has(AdminRole::General)
            && let Err(last) = keep(sql, &member, self.actor.by.at).await?
        {
            return Ok(Err(last));
        }
        sql.run("DELETE FROM admin_roles WHERE person = $1", &[self.person.as_bytes().into()]).await?;
        for role in self.roles.iter() {
            let values = [self.person.as_bytes().into(), role.name().into()];
            sql.run("INSERT INTO admin_roles (person, role) VALUES ($1, $2)", &values).await?;
        }
        // Whoever takes over a session finds no new rights in it.
        end_sessions(sql, self.person, None).await?;
        let names: Vec<&str> = self.roles.iter().map(AdminRole::name).collect();
        let subject = format!("{} ({})", self.person, names.join(", "));
        note_in(sql, member.organisation, &self.actor.by, "set roles", &subject).await?;
        Ok(Ok(()))
    }
}

/// Changes what is known of a person.
pub(in crate::db) struct EditPerson {
    pub(in crate::db) person: PersonId,
    pub(in crate::db) edit: PersonEdit,
    pub(in crate::db) actor: Actor,
}

#[async_trait]
impl Work for EditPerson {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let member = or_refuse!(member(sql, self.person, &self.actor, Act::EditPerson).await?);
        let location = self.edit.location.map(|country| country.to_string()).unwrap_or_default();
        let values =
            [self.person.as_bytes().into(), self.edit.name.as_str().into(), location.as_str().into()];
        sql.run("UPDATE people SET name = $2, location = $3 WHERE id = $1", &values).await?;
        note_in(sql, member.organisation, &self.actor.by, "edit person", &self.person.to_string()).await?;
        Ok(Ok(()))
    }
}

/// Blocks a person, or lets them in again.
pub(in crate::db) struct BlockPerson {
    pub(in crate::db) person: PersonId,
    pub(in crate::db) blocked: bool,
    pub(in crate::db) actor: Actor,
}

#[async_trait]
impl Work for BlockPerson {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let member = or_refuse!(member(sql, self.person, &self.actor, Act::EditPerson).await?);
        if self.blocked
            && let Err(last) = keep(sql, &member, self.actor.by.at).await?
        {
            return Ok(Err(last));
        }
        let values = [self.person.as_bytes().into(), self.blocked.then_some(self.actor.by.at).into()];
        sql.run("UPDATE people SET blocked_at = $2 WHERE id = $1", &values).await?;
        if self.blocked {
            end_sessions(sql, self.person, None).await?;
        }
        let what = if self.blocked { "block person" } else { "unblock person" };
        note_in(sql, member.organisation, &self.actor.by, what, &self.person.to_string()).await?;
        Ok(Ok(()))
    }
}

/// Deletes a person.
pub(in crate::db) struct DeletePerson {
    pub(in crate::db) person: PersonId,
    pub(in crate::db) actor: Actor,
}

#[async_trait]
impl Work for DeletePerson {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let member = or_refuse!(member(sql, self.person, &self.actor, Act::DeletePerson).await?);
        or_refuse!(keep(sql, &member, self.actor.by.at).await?);
        remove(sql, &member, self.actor.by.at).await?;
        note_in(sql, member.organisation, &self.actor.by, "delete person", &self.person.to_string()).await?;
        Ok(Ok(()))
    }
}

/// Ends every session of a person, but for the one that is kept.
pub(super) async fn end_sessions(
    sql: &mut dyn Sql,
    person: PersonId,
    kept: Option<TokenDigest>,
) -> Result<(), DbError> {
    let kept = kept.as_ref().map(|kept| &kept.as_bytes()[..]).unwrap_or_default();
    let end = "DELETE FROM sessions WHERE person = $1 AND digest <> $2";
    sql.run(end, &[person.as_bytes().into(), kept.into()]).await?;
    Ok(())
}

/// Deletes a person. The lock of the organisation is taken; a personal account may have seats of several households.
pub(super) async fn remove(sql: &mut dyn Sql, person: &Person, now: Timestamp) -> Result<(), DbError> {
    let of = "SELECT DISTINCT organisation FROM seats WHERE person = $1 ORDER BY organisation";
    for row in sql.rows(of, &[person.id.as_bytes().into()]).await? {
        let organisation = row.bytes("organisation", OrganisationId::from_slice)?;
        lock(sql, organisation).await?;
        seats::give_back_all(sql, organisation, person.id, now).await?;
    }
    let values = [person.id.as_bytes().into(), now.into()];
    sql.run("UPDATE people SET deleted_at = $2, confirmed_at = NULL WHERE id = $1", &values).await?;
    // Neither roles nor a password come back with a person who is restored, and the address is free for somebody else.
    for delete in [
        "DELETE FROM admin_roles WHERE person = $1",
        "DELETE FROM addresses WHERE person = $1",
        "DELETE FROM shares WHERE link IN (SELECT digest FROM links WHERE person = $1)",
        "DELETE FROM credentials WHERE person = $1",
        "DELETE FROM sessions WHERE person = $1",
        "DELETE FROM links WHERE person = $1",
        "DELETE FROM known_sources WHERE person = $1",
        "DELETE FROM wrong_guesses WHERE person = $1",
    ] {
        sql.run(delete, &values[..1]).await?;
    }
    Ok(())
}

/// Restores a person.
pub(in crate::db) struct RestorePerson {
    pub(in crate::db) person: PersonId,
    pub(in crate::db) address: Option<String>,
    pub(in crate::db) actor: Actor,
}

#[async_trait]
impl Work for RestorePerson {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let Some(person) = find(sql, self.person).await? else {
            return Ok(Err(PeopleUnchanged::UnknownPerson));
        };
        let Some(deleted_at) = person.deleted_at else { return Ok(Err(PeopleUnchanged::UnknownPerson)) };
        if let Some(organisation) = person.organisation {
            lock(sql, organisation).await?;
            or_refuse!(allow(sql, &self.actor, organisation, Act::DeletePerson, None).await?);
        }
        if !is_kept(deleted_at, self.actor.by.at) {
            return Ok(Err(PeopleUnchanged::TooLate));
        }
        let Some(address) = Address::new(self.address.as_deref().unwrap_or(&person.address)) else {
            return Ok(Err(PeopleUnchanged::NotAnAddress));
        };
        if !claim(sql, person.organisation, &address, person.id).await? {
            return Ok(Err(PeopleUnchanged::AddressTaken));
        }
        let values: [Value<'_>; 2] = [person.id.as_bytes().into(), address.typed().into()];
        sql.run("UPDATE people SET deleted_at = NULL, address = $2 WHERE id = $1", &values).await?;
        note_in(sql, person.organisation, &self.actor.by, "restore person", &person.id.to_string()).await?;
        Ok(Ok(()))
    }
}

/// One person.
pub(in crate::db) struct ShowPerson(pub(in crate::db) PersonId);

#[async_trait]
impl Work for ShowPerson {
    type Done = Option<Person>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        find(sql, self.0).await
    }
}

/// People of an organisation, by id.
pub(in crate::db) struct ListPeople {
    pub(in crate::db) filter: PersonFilter,
    pub(in crate::db) limit: u32,
}

#[async_trait]
impl Work for ListPeople {
    type Done = Vec<Person>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let PersonFilter { organisation, after, unlicensed, deleted } = &self.filter;
        let values = [
            organisation.as_bytes().into(),
            after.as_ref().map(|after| &after.as_bytes()[..]).unwrap_or_default().into(),
            (*deleted).into(),
            (*unlicensed).into(),
            u64::from(self.limit).into(),
        ];
        let list = "SELECT * FROM people p WHERE organisation = $1 AND $2 < id \
                    AND CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END = $3 AND address <> '' \
                    AND ($4 = 0 OR NOT EXISTS (SELECT 1 FROM seats s WHERE s.person = p.id)) ORDER BY id LIMIT $5";
        let mut people: Vec<Person> =
            sql.rows(list, &values).await?.iter().map(read).collect::<Result<_, _>>()?;
        for person in &mut people {
            person.roles = roles(sql, person.id).await?;
        }
        Ok(people)
    }
}

/// A person who is there, in an organisation whose lock is taken, if the actor may do this to them.
pub(super) async fn member(
    sql: &mut dyn Sql,
    id: PersonId,
    actor: &Actor,
    act: Act,
) -> Result<Result<Person, PeopleUnchanged>, DbError> {
    let organisation = find(sql, id).await?.map(|person| person.organisation);
    let organisation = match organisation {
        None => return Ok(Err(PeopleUnchanged::UnknownPerson)),
        Some(None) => return Ok(Err(PeopleUnchanged::PersonalAccount)),
        Some(Some(organisation)) => organisation,
    };
    lock(sql, organisation).await?;
    // Once more, now that nobody else changes it.
    let Some(person) = find(sql, id).await?.filter(|person| person.deleted_at.is_none()) else {
        return Ok(Err(PeopleUnchanged::UnknownPerson));
    };
    Ok(allow(sql, actor, organisation, act, Some(person.roles)).await?.map(|()| person))
}

/// Whether the organisation can do without this person. Its lock is taken.
pub(super) async fn keep(
    sql: &mut dyn Sql,
    person: &Person,
    now: Timestamp,
) -> Result<Result<(), PeopleUnchanged>, DbError> {
    let Some(organisation) = person.organisation else { return Ok(Ok(())) };
    let is_general = person.roles.has(AdminRole::General) && person.blocked_at.is_none();
    let others = "SELECT COUNT(*) AS others FROM people p JOIN admin_roles r ON r.person = p.id WHERE p.organisation = $1 \
                  AND p.id <> $2 AND r.role = 'general' AND p.blocked_at IS NULL AND p.deleted_at IS NULL \
                  AND (EXISTS (SELECT 1 FROM credentials c WHERE c.person = p.id) OR EXISTS (SELECT 1 FROM links l \
                  WHERE l.person = p.id AND l.purpose = 'invite' AND l.used_at IS NULL AND $3 < l.ends_at))";
    let values = [organisation.as_bytes().into(), person.id.as_bytes().into(), now.into()];
    let found = sql.row(others, &values).await?.ok_or_else(|| DbError::damaged("people"))?;
    Ok(keep_a_general(is_general, found.count("others")?).map_err(PeopleUnchanged::from))
}

pub(super) async fn roles(sql: &mut dyn Sql, person: PersonId) -> Result<AdminRoles, DbError> {
    let rows =
        sql.rows("SELECT role FROM admin_roles WHERE person = $1", &[person.as_bytes().into()]).await?;
    let roles = rows.iter().map(|row| row.text("role", AdminRole::from_name));
    Ok(AdminRoles::of(roles.collect::<Result<Vec<_>, _>>()?))
}

pub(super) async fn find(sql: &mut dyn Sql, id: PersonId) -> Result<Option<Person>, DbError> {
    let found = sql.row("SELECT * FROM people WHERE id = $1", &[id.as_bytes().into()]).await?;
    let Some(mut person) = found.as_ref().map(read).transpose()? else { return Ok(None) };
    person.roles = roles(sql, id).await?;
    Ok(Some(person))
}

/// The person in a column that may be empty.
pub(super) fn person_id(row: &SqlRow) -> Result<Option<PersonId>, DbError> {
    let id: Option<Vec<u8>> = row.get("person")?;
    id.map(|id| PersonId::from_slice(&id).ok_or_else(|| DbError::damaged("person"))).transpose()
}

pub(super) fn read(row: &SqlRow) -> Result<Person, DbError> {
    let organisation: Option<Vec<u8>> = row.get("organisation")?;
    let organisation = organisation.map(|bytes| OrganisationId::from_slice(&bytes));
    if organisation == Some(None) {
        return Err(DbError::damaged("organisation"));
    }
    Ok(Person {
        id: row.bytes("id", PersonId::from_slice)?,
        organisation: organisation.flatten(),
        name: row.get("name")?,
        address: row.get("address")?,
        location: location(row)?,
        language: row.text("language", |tag| Some(Language::from_tag(tag)))?,
        roles: AdminRoles::NONE,
        added_at: row.time("added_at")?,
        confirmed_at: row.time_if_any("confirmed_at")?,
        blocked_at: row.time_if_any("blocked_at")?,
        deleted_at: row.time_if_any("deleted_at")?,
    })
}
