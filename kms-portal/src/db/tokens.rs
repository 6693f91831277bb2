//! Tokens of the vendor's people and programs: what is known of them. The tokens themselves are not kept.

use async_trait::async_trait;
use shared::time::Timestamp;

use super::DbError;
use super::changes::{By, note};
use super::sql::{Sql, SqlRow};
use super::work::Work;
use crate::roles::Role;
use crate::token::TokenDigest;

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownToken {
    /// Who has it.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The first instant at which it is of no use any more, if there is one.
    pub ends_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was used, to the hour.
    pub used_at: Option<Timestamp>,
}

/// A token that is to be issued.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Who gets it.
    pub name: String,
    /// Its digest.
    pub digest: TokenDigest,
    /// What they may do.
    pub role: Role,
    /// The first instant at which it is of no use any more, if there is one.
    pub ends_at: Option<Timestamp>,
}

/// The name of an earlier token, which a person could confuse with the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenLike(pub String);

/// A name in a form that is the same for names that look alike: case, signs between words, and letters like digits make no difference.
fn as_seen(name: &str) -> String {
    let sign = |c: char| match c.to_ascii_lowercase() {
        'i' | 'l' => '1',
        'o' => '0',
        '.' | '-' => '_',
        other => other,
    };
    name.chars().map(sign).collect()
}

/// Adds a token, unless its name was given before or looks like one that was.
pub(super) struct IssueToken {
    pub(super) token: NewToken,
    pub(super) by: By,
}

#[async_trait]
impl Work for IssueToken {
    type Done = Result<(), TokenLike>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let NewToken { name, digest, role, ends_at } = &self.token;
        for row in sql.rows("SELECT name FROM tokens ORDER BY name", &[]).await? {
            let known: String = row.get("name")?;
            if as_seen(&known) == as_seen(name) {
                return Ok(Err(TokenLike(known)));
            }
        }
        let values = [
            name.as_str().into(),
            digest.as_bytes().into(),
            role.name().into(),
            self.by.at.into(),
            (*ends_at).into(),
        ];
        let added = sql
            .run(
                "INSERT INTO tokens (name, digest, role, issued_at, ends_at) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT DO NOTHING",
                &values,
            )
            .await?;
        if added == 0 {
            return Ok(Err(TokenLike(name.clone())));
        }
        note(sql, &self.by, "issue token", &format!("{name} ({})", role.name())).await?;
        Ok(Ok(()))
    }
}

/// Takes a token back. Returns whether there is one of this name. Taking it back again changes nothing.
pub(super) struct RevokeToken {
    pub(super) name: String,
    pub(super) by: By,
}

#[async_trait]
impl Work for RevokeToken {
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        let values = [self.name.as_str().into(), self.by.at.into()];
        let revoke = "UPDATE tokens SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL";
        if sql.run(revoke, &values).await? == 0 {
            return Ok(sql.row("SELECT name FROM tokens WHERE name = $1", &values[..1]).await?.is_some());
        }
        note(sql, &self.by, "revoke token", &self.name).await?;
        Ok(true)
    }
}

/// The token with this digest.
pub(super) struct FindToken(pub(super) TokenDigest);

#[async_trait]
impl Work for FindToken {
    type Done = Option<KnownToken>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Option<KnownToken>, DbError> {
        let found = sql.row("SELECT * FROM tokens WHERE digest = $1", &[self.0.as_bytes().into()]).await?;
        found.as_ref().map(token).transpose()
    }
}

/// Notes that a token was used.
pub(super) struct UseToken {
    pub(super) name: String,
    pub(super) at: Timestamp,
}

#[async_trait]
impl Work for UseToken {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        let values = [self.name.as_str().into(), self.at.into()];
        sql.run("UPDATE tokens SET used_at = $2 WHERE name = $1", &values).await?;
        Ok(())
    }
}

/// Every token, by name.
pub(super) struct ListTokens;

#[async_trait]
impl Work for ListTokens {
    type Done = Vec<KnownToken>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<KnownToken>, DbError> {
        sql.rows("SELECT * FROM tokens ORDER BY name", &[]).await?.iter().map(token).collect()
    }
}

fn token(row: &SqlRow) -> Result<KnownToken, DbError> {
    Ok(KnownToken {
        name: row.get("name")?,
        role: row.text("role", Role::from_name)?,
        issued_at: row.time("issued_at")?,
        ends_at: row.time_if_any("ends_at")?,
        revoked_at: row.time_if_any("revoked_at")?,
        used_at: row.time_if_any("used_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_seen_as_one() {
        for (one, other) in [("CI", "ci"), ("CI", "Cl"), ("ann.lee", "ann-lee"), ("b0b", "BOB"), ("x1", "xI")]
        {
            assert_eq!(as_seen(one), as_seen(other), "{one} {other}");
        }
        for (one, other) in [("CI", "CI2"), ("ann", "anne"), ("annlee", "ann.lee"), ("a@b", "a.b")] {
            assert_ne!(as_seen(one), as_seen(other), "{one} {other}");
        }
    }
}
