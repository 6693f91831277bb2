//! Passkeys of people, and what the portal has asked of a browser to make or to use one.
//!
//! `act::passkeys` knows what a passkey and a ceremony are; here both are texts. A ceremony is answered once, within minutes.

use std::time::Duration;

use async_trait::async_trait;
use kms_portal_rules::PersonId;
use shared::time::Timestamp;

use super::persons::{find, keep, person_id};
use super::{Actor, PeopleUnchanged, lock};
use crate::db::Db;
use crate::db::DbError;
use crate::db::changes::note;
use crate::db::sql::{Sql, Value};
use crate::db::work::{Work, or_refuse};
use crate::token::TokenDigest;

/// How long a browser has for its answer.
const CEREMONY_LASTS: Duration = Duration::from_mins(5);

/// How many ceremonies one source may have open, and all together. A person has one; a company may be behind one source.
const OPEN_OF_SOURCE: u64 = 200;
const OPEN_IN_ALL: u64 = 20_000;

/// How many passkeys a person may have.
const PASSKEYS: u64 = 20;

/// A passkey as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPasskey {
    /// Its id, which the authenticator has chosen: base64url.
    pub id: String,
    /// What is verified with, and how its owner calls it: JSON.
    pub secret: String,
    /// When it was made.
    pub made_at: Timestamp,
}

/// What a browser was asked.
#[derive(Clone, Debug)]
pub struct Ceremony {
    /// Digest of its cookie.
    pub digest: TokenDigest,
    /// Whose passkey is being made; none for a sign-in.
    pub person: Option<PersonId>,
    /// What is needed to verify the answer: JSON.
    pub state: String,
}

/// Keeps what a browser was asked.
pub(in crate::db) struct BeginCeremony {
    pub(in crate::db) ceremony: Ceremony,
    pub(in crate::db) source: String,
    pub(in crate::db) at: Timestamp,
}

#[async_trait]
impl Work for BeginCeremony {
    /// Whether there was room for it.
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        sql.run("DELETE FROM ceremonies WHERE ends_at <= $1", &[self.at.into()]).await?;
        let source = self.source.as_str();
        let of_source = "SELECT COUNT(*) AS open FROM ceremonies WHERE source = $1";
        let in_all = "SELECT COUNT(*) AS open FROM ceremonies";
        let counted = [(of_source, &[source.into()][..], OPEN_OF_SOURCE), (in_all, &[], OPEN_IN_ALL)];
        for (count, values, most) in counted {
            let open = sql.row(count, values).await?.map(|row| row.count("open")).transpose()?;
            if most <= open.unwrap_or_default() {
                return Ok(false);
            }
        }
        let Ceremony { digest, person, state } = &self.ceremony;
        let values: [Value<'_>; 5] = [
            digest.as_bytes().into(),
            person.as_ref().map(|person| &person.as_bytes()[..]).into(),
            source.into(),
            state.as_str().into(),
            (self.at + CEREMONY_LASTS).into(),
        ];
        let keep =
            "INSERT INTO ceremonies (digest, person, source, state, ends_at) VALUES ($1, $2, $3, $4, $5)";
        sql.run(keep, &values).await?;
        Ok(true)
    }
}

/// Takes what a browser was asked, so that it is answered once.
pub(in crate::db) struct TakeCeremony {
    pub(in crate::db) digest: TokenDigest,
    pub(in crate::db) at: Timestamp,
}

#[async_trait]
impl Work for TakeCeremony {
    type Done = Option<Ceremony>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let values: [Value<'_>; 2] = [self.digest.as_bytes().into(), self.at.into()];
        let find = "SELECT * FROM ceremonies WHERE digest = $1 AND $2 < ends_at";
        let Some(row) = sql.locked(find, &values).await?.pop() else { return Ok(None) };
        sql.run("DELETE FROM ceremonies WHERE digest = $1", &values[..1]).await?;
        Ok(Some(Ceremony { digest: self.digest, person: person_id(&row)?, state: row.get("state")? }))
    }
}

/// Adds a passkey of a person.
pub(in crate::db) struct AddPasskey {
    pub(in crate::db) person: PersonId,
    pub(in crate::db) id: String,
    pub(in crate::db) secret: String,
    pub(in crate::db) actor: Actor,
}

#[async_trait]
impl Work for AddPasskey {
    /// Whether there was room for it.
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        let values: [Value<'_>; 4] = [
            self.person.as_bytes().into(),
            self.id.as_str().into(),
            self.secret.as_str().into(),
            self.actor.by.at.into(),
        ];
        sql.lock("SELECT id FROM people WHERE id = $1", &values[..1]).await?;
        let count = "SELECT COUNT(*) AS passkeys FROM credentials WHERE person = $1 AND kind = 'passkey'";
        let passkeys = sql.row(count, &values[..1]).await?.map(|row| row.count("passkeys")).transpose()?;
        if PASSKEYS <= passkeys.unwrap_or_default() {
            return Ok(false);
        }
        let add = "INSERT INTO credentials (person, kind, name, secret, made_at) VALUES ($1, 'passkey', $2, $3, $4)";
        sql.run(add, &values).await?;
        note(sql, &self.actor.by, "add passkey", &self.person.to_string()).await?;
        Ok(true)
    }
}

/// Notes what has changed of a passkey by its use.
pub(in crate::db) struct UsePasskey {
    pub(in crate::db) person: PersonId,
    pub(in crate::db) id: String,
    pub(in crate::db) secret: String,
}

#[async_trait]
impl Work for UsePasskey {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        let values = [self.person.as_bytes().into(), self.id.as_str().into(), self.secret.as_str().into()];
        let change =
            "UPDATE credentials SET secret = $3 WHERE person = $1 AND kind = 'passkey' AND name = $2";
        sql.run(change, &values).await?;
        Ok(())
    }
}

/// Removes a passkey. The last general administrator keeps a way to sign in.
pub(in crate::db) struct RemovePasskey {
    pub(in crate::db) person: PersonId,
    pub(in crate::db) id: String,
    pub(in crate::db) actor: Actor,
}

#[async_trait]
impl Work for RemovePasskey {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let values: [Value<'_>; 2] = [self.person.as_bytes().into(), self.id.as_str().into()];
        if let Some(organisation) = find(sql, self.person).await?.and_then(|person| person.organisation) {
            lock(sql, organisation).await?;
        }
        let Some(person) = find(sql, self.person).await? else {
            return Ok(Err(PeopleUnchanged::UnknownPerson));
        };
        let others =
            "SELECT name FROM credentials WHERE person = $1 AND NOT (kind = 'passkey' AND name = $2)";
        if sql.rows(others, &values).await?.is_empty() {
            or_refuse!(keep(sql, &person, self.actor.by.at).await?);
        }
        let remove = "DELETE FROM credentials WHERE person = $1 AND kind = 'passkey' AND name = $2";
        if sql.run(remove, &values).await? == 1 {
            note(sql, &self.actor.by, "remove passkey", &self.person.to_string()).await?;
        }
        Ok(Ok(()))
    }
}

/// The passkeys of a person, the first first.
pub(in crate::db) struct ListPasskeys(pub(in crate::db) PersonId);

#[async_trait]
impl Work for ListPasskeys {
    type Done = Vec<StoredPasskey>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let list = "SELECT * FROM credentials WHERE person = $1 AND kind = 'passkey' ORDER BY made_at, name";
        let rows = sql.rows(list, &[self.0.as_bytes().into()]).await?;
        let read = |row: &crate::db::sql::SqlRow| {
            Ok(StoredPasskey {
                id: row.get("name")?,
                secret: row.get("secret")?,
                made_at: row.time("made_at")?,
            })
        };
        rows.iter().map(read).collect()
    }
}

/// Passkeys.
impl Db {
    /// Keeps what a browser was asked; whether there was room for it.
    pub async fn begin_ceremony(
        &self,
        ceremony: Ceremony,
        source: String,
        at: Timestamp,
    ) -> Result<bool, DbError> {
        self.write(BeginCeremony { ceremony, source, at }).await
    }

    /// Takes what a browser was asked. It is there once, and for five minutes.
    pub async fn take_ceremony(
        &self,
        digest: TokenDigest,
        at: Timestamp,
    ) -> Result<Option<Ceremony>, DbError> {
        self.write(TakeCeremony { digest, at }).await
    }

    /// Adds a passkey; whether there was room for it.
    pub async fn add_passkey(
        &self,
        person: PersonId,
        id: String,
        secret: String,
        actor: Actor,
    ) -> Result<bool, DbError> {
        self.write(AddPasskey { person, id, secret, actor }).await
    }

    /// Keeps what has changed of a passkey by its use.
    pub async fn use_passkey(&self, person: PersonId, id: String, secret: String) -> Result<(), DbError> {
        self.write(UsePasskey { person, id, secret }).await
    }

    /// Removes a passkey of a person.
    pub async fn remove_passkey(
        &self,
        person: PersonId,
        id: String,
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(RemovePasskey { person, id, actor }).await
    }

    /// The passkeys of a person, the first first.
    pub async fn passkeys(&self, person: PersonId) -> Result<Vec<StoredPasskey>, DbError> {
        self.read(ListPasskeys(person)).await
    }
}
