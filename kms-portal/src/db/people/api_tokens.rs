//! Tokens of programs that act for an organisation: what is known of them, and what each may do. The tokens themselves are not kept.
//!
//! A token has roles of its own. Whatever it does, the person who made it has to be allowed to do, too: who loses a role takes it from
//! their tokens, and the tokens of somebody who is blocked or deleted are of no use.

use async_trait::async_trait;
use kms_portal_rules::rights::{Act, AdminRole, AdminRoles, Forbidden, check};
use kms_portal_rules::{ApiTokenId, PersonId};
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::offers::{lines, set};
use super::{Actor, PeopleUnchanged, Principal, allow, lock, roles_here};
use crate::db::DbError;
use crate::db::changes::note_in;
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::{Work, or_refuse};
use crate::token::TokenDigest;

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownApiToken {
    /// Its id.
    pub id: ApiTokenId,
    /// For whom it acts.
    pub organisation: OrganisationId,
    /// What its people call it.
    pub name: String,
    /// What it may do.
    pub roles: AdminRoles,
    /// Who made it; none for the vendor's staff.
    pub made_by: Option<PersonId>,
    /// When it was made.
    pub made_at: Timestamp,
    /// The first instant at which it is of no use any more, if there is one.
    pub ends_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was used, to the hour.
    pub used_at: Option<Timestamp>,
}

/// A token that is to be made.
#[derive(Clone, Debug)]
pub struct NewApiToken {
    /// Its id: random.
    pub id: ApiTokenId,
    /// For whom it acts.
    pub organisation: OrganisationId,
    /// What its people call it.
    pub name: String,
    /// Its digest.
    pub digest: TokenDigest,
    /// What it may do.
    pub roles: AdminRoles,
    /// The first instant at which it is of no use any more, if there is one.
    pub ends_at: Option<Timestamp>,
}

/// A token that is known may not do what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// It was taken back.
    #[error("the token was taken back at {0}")]
    Revoked(Timestamp),
    /// It has ended.
    #[error("the token has ended at {0}")]
    Ended(Timestamp),
    /// The person who made it is blocked or deleted.
    #[error("the person who made the token is blocked or deleted; make another one")]
    MakerGone,
    /// Its roles, or those of the person who made it, do not include this.
    #[error(transparent)]
    Forbidden(Forbidden),
}

/// Makes a token.
pub(in crate::db) struct MakeApiToken {
    pub(in crate::db) token: NewApiToken,
    pub(in crate::db) actor: Actor,
}

#[async_trait]
impl Work for MakeApiToken {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let NewApiToken { id, organisation, name, digest, roles, ends_at } = &self.token;
        if !lock(sql, *organisation).await? {
            return Ok(Err(PeopleUnchanged::UnknownOrganisation));
        }
        or_refuse!(allow(sql, &self.actor, *organisation, Act::GiveRoles, None).await?);
        let maker = match self.actor.principal {
            Principal::Staff => None,
            Principal::Person(person) => Some(person),
            // A token makes another one by the right of the same person.
            Principal::Token(token) => find(sql, token, *organisation).await?.and_then(|own| own.made_by),
        };
        let names = lines(roles.iter().map(AdminRole::name));
        let values = [
            id.as_bytes().into(),
            organisation.as_bytes().into(),
            name.as_str().into(),
            digest.as_bytes().into(),
            names.as_str().into(),
            maker.as_ref().map(|maker| &maker.as_bytes()[..]).into(),
            self.actor.by.at.into(),
            (*ends_at).into(),
        ];
        sql.run(
            "INSERT INTO api_tokens (id, organisation, name, digest, roles, made_by, made_at, ends_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &values,
        )
        .await?;
        let subject = format!("{id} ({})", names.replace('\n', ", "));
        note_in(sql, Some(*organisation), &self.actor.by, "make token of an organisation", &subject).await?;
        Ok(Ok(()))
    }
}

/// Takes a token back. Taking it back again changes nothing.
pub(in crate::db) struct RevokeApiToken {
    pub(in crate::db) organisation: OrganisationId,
    pub(in crate::db) id: ApiTokenId,
    pub(in crate::db) actor: Actor,
}

#[async_trait]
impl Work for RevokeApiToken {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        lock(sql, self.organisation).await?;
        or_refuse!(allow(sql, &self.actor, self.organisation, Act::GiveRoles, None).await?);
        let Some(token) = find(sql, self.id, self.organisation).await? else {
            return Ok(Err(PeopleUnchanged::UnknownToken));
        };
        if token.revoked_at.is_none() {
            let values = [self.id.as_bytes().into(), self.actor.by.at.into()];
            sql.run("UPDATE api_tokens SET revoked_at = $2 WHERE id = $1", &values).await?;
            note_in(
                sql,
                Some(self.organisation),
                &self.actor.by,
                "revoke token of an organisation",
                &self.id.to_string(),
            )
            .await?;
        }
        Ok(Ok(()))
    }
}

/// The tokens of an organisation, the latest first.
pub(in crate::db) struct ListApiTokens(pub(in crate::db) OrganisationId);

#[async_trait]
impl Work for ListApiTokens {
    type Done = Vec<KnownApiToken>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let list = "SELECT * FROM api_tokens WHERE organisation = $1 ORDER BY made_at DESC, id";
        sql.rows(list, &[self.0.as_bytes().into()]).await?.iter().map(read).collect()
    }
}

/// Whether the token with this digest may do this.
pub(in crate::db) struct AdmitToken {
    pub(in crate::db) digest: TokenDigest,
    pub(in crate::db) act: Act,
    pub(in crate::db) now: Timestamp,
}

#[async_trait]
impl Work for AdmitToken {
    type Done = Option<(KnownApiToken, Result<(), TokenRefused>)>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let by_digest = "SELECT * FROM api_tokens WHERE digest = $1";
        let found = sql.row(by_digest, &[self.digest.as_bytes().into()]).await?;
        let Some(token) = found.as_ref().map(read).transpose()? else { return Ok(None) };
        let admitted = bounds(sql, &token, self.now).await?.and_then(|bounds| {
            let mut checks = bounds.into_iter().map(|own| check(own, self.act, None));
            checks.try_for_each(|done| done).map_err(TokenRefused::Forbidden)
        });
        Ok(Some((token, admitted)))
    }
}

/// The roles of a token and those of the person who made it: both have to include what it does. None where it is of no use.
pub(super) async fn rights(
    sql: &mut dyn Sql,
    id: ApiTokenId,
    organisation: OrganisationId,
    now: Timestamp,
) -> Result<[Option<AdminRoles>; 2], DbError> {
    let Some(token) = find(sql, id, organisation).await? else { return Ok([None; 2]) };
    Ok(bounds(sql, &token, now).await?.map_or([None; 2], |bounds| bounds.map(Some)))
}

async fn bounds(
    sql: &mut dyn Sql,
    token: &KnownApiToken,
    now: Timestamp,
) -> Result<Result<[AdminRoles; 2], TokenRefused>, DbError> {
    if let Some(at) = token.revoked_at {
        return Ok(Err(TokenRefused::Revoked(at)));
    }
    if let Some(at) = token.ends_at.filter(|at| *at <= now) {
        return Ok(Err(TokenRefused::Ended(at)));
    }
    let maker = match token.made_by {
        None => Some(AdminRoles::ALL),
        Some(maker) => roles_here(sql, maker, token.organisation).await?,
    };
    Ok(maker.map(|maker| [token.roles, maker]).ok_or(TokenRefused::MakerGone))
}

/// Notes that a token was used.
pub(in crate::db) struct UseApiToken {
    pub(in crate::db) id: ApiTokenId,
    pub(in crate::db) at: Timestamp,
}

#[async_trait]
impl Work for UseApiToken {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        let values = [self.id.as_bytes().into(), self.at.into()];
        sql.run("UPDATE api_tokens SET used_at = $2 WHERE id = $1", &values).await?;
        Ok(())
    }
}

async fn find(
    sql: &mut dyn Sql,
    id: ApiTokenId,
    organisation: OrganisationId,
) -> Result<Option<KnownApiToken>, DbError> {
    let values = [id.as_bytes().into(), organisation.as_bytes().into()];
    let found = sql.row("SELECT * FROM api_tokens WHERE id = $1 AND organisation = $2", &values).await?;
    found.as_ref().map(read).transpose()
}

fn read(row: &SqlRow) -> Result<KnownApiToken, DbError> {
    let made_by: Option<Vec<u8>> = row.get("made_by")?;
    let made_by =
        made_by.map(|bytes| PersonId::from_slice(&bytes).ok_or_else(|| DbError::damaged("made_by")));
    let roles = row.text("roles", |text| set(text, AdminRole::from_name))?;
    Ok(KnownApiToken {
        id: row.bytes("id", ApiTokenId::from_slice)?,
        organisation: row.bytes("organisation", OrganisationId::from_slice)?,
        name: row.get("name")?,
        roles: AdminRoles::of(roles),
        made_by: made_by.transpose()?,
        made_at: row.time("made_at")?,
        ends_at: row.time_if_any("ends_at")?,
        revoked_at: row.time_if_any("revoked_at")?,
        used_at: row.time_if_any("used_at")?,
    })
}
