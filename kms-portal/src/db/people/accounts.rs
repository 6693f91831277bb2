//! Accounts: how a person gets one, changes it and gives it up.
//!
//! What is drawn and hashed is handed in by `act::accounts`, and the text of the mail that goes with a change. A mail goes to the address
//! that is stored, in the transaction of the change. `links` are what is mailed, `sessions` who is signed in.

use async_trait::async_trait;
use kms_portal_rules::PersonId;
use kms_portal_rules::addresses::Address;
use kms_portal_rules::offers::Country;
use kms_portal_rules::rights::{Act, AdminRole, AdminRoles};
use kms_portal_texts::Language;
use shared::time::Timestamp;

use super::groups::{Concerned, ThenServe};
use super::links::{self, Letter, LinkPurpose, NewLink};
use super::persons::{AddPerson, claim, end_sessions, find, keep, member, remove};
use super::{Actor, NewPerson, PeopleUnchanged, Person, lock};
use crate::db::changes::{By, note_in};
use crate::db::sql::{Sql, SqlRow, Value};
use crate::db::work::{Work, or_refuse};
use crate::db::{Db, DbError};
use crate::token::TokenDigest;

/// A person, as somebody who signs in.
#[derive(Clone, Debug)]
pub struct Account {
    /// The person.
    pub person: Person,
    /// The name of the organisation whose work account it is.
    pub organisation: Option<String>,
    /// The hash of the password, if there is one.
    pub password: Option<String>,
}

/// Accounts.
impl Db {
    /// Every account with this address: a personal one, and one in each organisation. Nobody who is blocked or deleted.
    pub async fn accounts_with(&self, address: Address) -> Result<Vec<Account>, DbError> {
        self.read(FindAccounts(address)).await
    }

    /// The account of a person who is neither blocked nor deleted.
    pub async fn account(&self, person: PersonId) -> Result<Option<Account>, DbError> {
        self.read(FindAccount(person)).await
    }

    /// Makes a personal account for whoever has a link to register.
    pub async fn register(&self, account: NewAccount) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(account).await
    }

    /// Adds a person of an organisation with these roles, and mails them an invitation.
    pub async fn invite_person(
        &self,
        person: NewPerson,
        roles: AdminRoles,
        link: (NewLink, Letter),
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(InvitePerson { person, roles, link, actor }).await
    }

    /// Mails a person a link to set a password, because an administrator wants it. The old one works until then.
    pub async fn reset_password(
        &self,
        person: PersonId,
        link: (NewLink, Letter),
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(ResetPassword { person, link, actor }).await
    }

    /// Sets the hash of the password of a person, who is told by this letter. `language` is theirs if none is known yet.
    pub async fn set_password(
        &self,
        who: SetsPassword,
        hash: String,
        language: Language,
        letter: Letter,
        at: Timestamp,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(SetPassword { who, hash, language, letter, at }).await
    }

    /// Gives a person the address that a link was mailed to. The old address is told by this letter.
    pub async fn confirm_address(
        &self,
        link: TokenDigest,
        letter: Letter,
        at: Timestamp,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(ConfirmAddress { link, letter, at }).await
    }

    /// Changes what a person says of themselves.
    pub async fn edit_oneself(
        &self,
        person: PersonId,
        name: String,
        language: Language,
        at: Timestamp,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(EditOneself { person, name, language, at }).await
    }

    /// Deletes the account of a person who does not want it any more, and tells them by this letter.
    pub async fn deactivate(
        &self,
        person: PersonId,
        letter: Letter,
        at: Timestamp,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        let work = Deactivate { person, letter, at };
        self.write(ThenServe { work, concerned: Concerned::Person(person), at }).await
    }
}

struct FindAccounts(Address);

#[async_trait]
impl Work for FindAccounts {
    type Done = Vec<Account>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let canonical = self.0.to_string();
        let list = "SELECT person FROM addresses WHERE address = $1 ORDER BY person";
        let mut accounts = Vec::new();
        for row in sql.rows(list, &[canonical.as_str().into()]).await? {
            accounts.extend(account(sql, row.bytes("person", PersonId::from_slice)?).await?);
        }
        Ok(accounts)
    }
}

struct FindAccount(PersonId);

#[async_trait]
impl Work for FindAccount {
    type Done = Option<Account>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        account(sql, self.0).await
    }
}

async fn account(sql: &mut dyn Sql, id: PersonId) -> Result<Option<Account>, DbError> {
    let Some(person) = find(sql, id).await?.filter(Person::may_sign_in) else { return Ok(None) };
    let find = "SELECT (SELECT secret FROM credentials WHERE person = p.id AND kind = 'password') AS secret, \
                (SELECT name FROM organisations o WHERE o.id = p.organisation) AS name FROM people p WHERE id = $1";
    let row = sql.row(find, &[id.as_bytes().into()]).await?.ok_or_else(|| DbError::damaged("people"))?;
    Ok(Some(Account { person, organisation: text(&row, "name")?, password: text(&row, "secret")? }))
}

fn text(row: &SqlRow, column: &'static str) -> Result<Option<String>, DbError> {
    row.get(column)
}

/// A personal account that is to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The link to register.
    pub link: TokenDigest,
    /// The person's id: random.
    pub id: PersonId,
    /// Their name.
    pub name: String,
    /// Where they use what they have.
    pub location: Option<Country>,
    /// In which language they read mail.
    pub language: Language,
    /// The hash of their password.
    pub password: String,
    /// Now.
    pub at: Timestamp,
}

#[async_trait]
impl Work for NewAccount {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let NewAccount { id, name, location, language, .. } = self;
        let link = links::take(sql, self.link, [LinkPurpose::Register; 2], self.at).await?;
        let address = or_refuse!(link).address;
        let person =
            NewPerson { id: *id, organisation: None, name: name.clone(), address, location: *location };
        or_refuse!(AddPerson { person, actor: oneself(*id, self.at) }.run(sql).await?);
        edit(sql, *id, name, *location, Some(*language)).await?;
        confirm(sql, *id, self.at).await?;
        set_password(sql, *id, &self.password, self.at).await?;
        Ok(Ok(()))
    }
}

/// A person who changes what is their own.
fn oneself(person: PersonId, at: Timestamp) -> Actor {
    Actor::person(person, By { who: person.to_string(), at, why: String::new() })
}

struct InvitePerson {
    person: NewPerson,
    roles: AdminRoles,
    link: (NewLink, Letter),
    actor: Actor,
}

#[async_trait]
impl Work for InvitePerson {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let (person, actor) = (self.person.clone(), self.actor.clone());
        if self.roles.is_admin() {
            // Before anything is written.
            let Some(organisation) = person.organisation else {
                return Ok(Err(PeopleUnchanged::PersonalAccount));
            };
            or_refuse!(super::allow(sql, &actor, organisation, Act::GiveRoles, None).await?);
        }
        or_refuse!(AddPerson { person, actor }.run(sql).await?);
        for role in self.roles.iter() {
            let values = [self.person.id.as_bytes().into(), role.name().into()];
            sql.run("INSERT INTO admin_roles (person, role) VALUES ($1, $2)", &values).await?;
        }
        if self.roles.is_admin() {
            let names: Vec<&str> = self.roles.iter().map(AdminRole::name).collect();
            let what = format!("{} ({})", self.person.id, names.join(", "));
            note_in(sql, self.person.organisation, &self.actor.by, "set roles", &what).await?;
        }
        links::send(sql, &self.link, self.actor.by.at).await?;
        Ok(Ok(()))
    }
}

struct ResetPassword {
    person: PersonId,
    link: (NewLink, Letter),
    actor: Actor,
}

#[async_trait]
impl Work for ResetPassword {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let member = or_refuse!(member(sql, self.person, &self.actor, Act::ResetPassword).await?);
        if Address::new(&member.address).as_ref() != Some(&self.link.0.address) {
            return Ok(Err(PeopleUnchanged::UnknownPerson));
        }
        links::send(sql, &self.link, self.actor.by.at).await?;
        note_in(sql, member.organisation, &self.actor.by, "reset password", &self.person.to_string()).await?;
        Ok(Ok(()))
    }
}

/// Who sets a password.
#[derive(Clone, Copy, Debug)]
pub enum SetsPassword {
    /// Whoever has a link for it. It ends all sessions.
    Link(TokenDigest),
    /// The person, in this session, which is the only one that stays.
    Session(PersonId, TokenDigest),
}

struct SetPassword {
    who: SetsPassword,
    hash: String,
    language: Language,
    letter: Letter,
    at: Timestamp,
}

#[async_trait]
impl Work for SetPassword {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let (person, kept) = match self.who {
            SetsPassword::Link(digest) => {
                let purposes = [LinkPurpose::Invite, LinkPurpose::Reset];
                let link = or_refuse!(links::take(sql, digest, purposes, self.at).await?);
                let Some(person) = link.person else { return Ok(Err(PeopleUnchanged::LinkEnded)) };
                confirm(sql, person.id, self.at).await?;
                (person, None)
            }
            SetsPassword::Session(id, session) => {
                let Some(person) = find(sql, id).await?.filter(Person::may_sign_in) else {
                    return Ok(Err(PeopleUnchanged::UnknownPerson));
                };
                (person, Some(session))
            }
        };
        set_password(sql, person.id, &self.hash, self.at).await?;
        if person.language.is_none() {
            edit(sql, person.id, &person.name, person.location, Some(self.language)).await?;
        }
        end_sessions(sql, person.id, kept).await?;
        // Whoever else has asked for a link has none any more.
        let unused =
            "DELETE FROM links WHERE person = $1 AND purpose IN ('reset', 'invite') AND used_at IS NULL";
        sql.run(unused, &[person.id.as_bytes().into()]).await?;
        self.letter.post(sql, &person.address, self.at).await?;
        note_in(
            sql,
            person.organisation,
            &oneself(person.id, self.at).by,
            "set password",
            &person.id.to_string(),
        )
        .await?;
        Ok(Ok(()))
    }
}

async fn set_password(sql: &mut dyn Sql, id: PersonId, hash: &str, at: Timestamp) -> Result<(), DbError> {
    let set = "INSERT INTO credentials (person, kind, name, secret, made_at) VALUES ($1, 'password', '', $2, $3) \
               ON CONFLICT (person, kind, name) DO UPDATE SET secret = excluded.secret, made_at = excluded.made_at";
    sql.run(set, &[id.as_bytes().into(), hash.into(), at.into()]).await?;
    sql.run("DELETE FROM wrong_guesses WHERE person = $1", &[id.as_bytes().into()]).await?;
    Ok(())
}

/// Notes that the address is the person's own.
async fn confirm(sql: &mut dyn Sql, id: PersonId, at: Timestamp) -> Result<(), DbError> {
    sql.run("UPDATE people SET confirmed_at = $2 WHERE id = $1", &[id.as_bytes().into(), at.into()]).await?;
    Ok(())
}

struct ConfirmAddress {
    link: TokenDigest,
    letter: Letter,
    at: Timestamp,
}

#[async_trait]
impl Work for ConfirmAddress {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let link = or_refuse!(links::take(sql, self.link, [LinkPurpose::Address; 2], self.at).await?);
        let (Some(person), Some(address)) = (link.person, Address::new(&link.address)) else {
            return Ok(Err(PeopleUnchanged::LinkEnded));
        };
        let id = person.id;
        let old = Address::new(&person.address).map(|old| old.to_string());
        if old != Some(address.to_string()) && !claim(sql, person.organisation, &address, id).await? {
            return Ok(Err(PeopleUnchanged::AddressTaken));
        }
        let (typed, canonical) = (address.typed(), address.to_string());
        let values: [Value<'_>; 3] = [id.as_bytes().into(), typed.into(), canonical.as_str().into()];
        sql.run("DELETE FROM addresses WHERE person = $1 AND address <> $2", &[values[0], values[2]]).await?;
        sql.run("UPDATE people SET address = $2 WHERE id = $1", &values[..2]).await?;
        confirm(sql, id, self.at).await?;
        self.letter.post(sql, &person.address, self.at).await?;
        note_in(sql, person.organisation, &oneself(id, self.at).by, "change address", &id.to_string())
            .await?;
        Ok(Ok(()))
    }
}

struct EditOneself {
    person: PersonId,
    name: String,
    language: Language,
    at: Timestamp,
}

#[async_trait]
impl Work for EditOneself {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let Some(person) = find(sql, self.person).await?.filter(Person::may_sign_in) else {
            return Ok(Err(PeopleUnchanged::UnknownPerson));
        };
        edit(sql, person.id, &self.name, person.location, Some(self.language)).await?;
        if person.name != self.name {
            note_in(
                sql,
                person.organisation,
                &oneself(person.id, self.at).by,
                "edit person",
                &person.id.to_string(),
            )
            .await?;
        }
        Ok(Ok(()))
    }
}

async fn edit(
    sql: &mut dyn Sql,
    id: PersonId,
    name: &str,
    location: Option<Country>,
    language: Option<Language>,
) -> Result<(), DbError> {
    let location = location.map(|country| country.to_string()).unwrap_or_default();
    let language = language.map(Language::tag).unwrap_or_default();
    let values = [id.as_bytes().into(), name.into(), location.as_str().into(), language.into()];
    sql.run("UPDATE people SET name = $2, location = $3, language = $4 WHERE id = $1", &values).await?;
    Ok(())
}

struct Deactivate {
    person: PersonId,
    letter: Letter,
    at: Timestamp,
}

#[async_trait]
impl Work for Deactivate {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let organisation = find(sql, self.person).await?.and_then(|person| person.organisation);
        if let Some(organisation) = organisation {
            lock(sql, organisation).await?;
        }
        let Some(person) = find(sql, self.person).await?.filter(Person::may_sign_in) else {
            return Ok(Err(PeopleUnchanged::UnknownPerson));
        };
        or_refuse!(keep(sql, &person, self.at).await?);
        remove(sql, &person, self.at).await?;
        self.letter.post(sql, &person.address, self.at).await?;
        note_in(
            sql,
            person.organisation,
            &oneself(person.id, self.at).by,
            "delete person",
            &person.id.to_string(),
        )
        .await?;
        Ok(Ok(()))
    }
}
