//! What comes of a look at the name servers of a domain.
//!
//! A look takes seconds, so it is no part of a transaction. [`TakeDueLooks`] puts the next look off, so that two portals on one database
//! do not both look; [`NoteLook`] writes what was found. If nobody answered, nothing is noted.

use std::time::Duration;

use async_trait::async_trait;
use kms_portal_rules::domains::{
    Contest, LOOKED_AT_EVERY, ProofStanding, Scope, contest, is_open, next_look,
};
use kms_portal_rules::{DAY, PersonId};
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::{DomainRefused, ProvedDomain, may_prove, proofs, tell_administrators, unmanaged};
use crate::db::changes::{By, note_in};
use crate::db::people::{Actor, PeopleUnchanged, Principal, lock};
use crate::db::sql::{Sql, SqlRow, Value};
use crate::db::work::Work;
use crate::db::{Db, DbError};

/// When a look that nobody answered is repeated.
const AGAIN: Duration = Duration::from_mins(10);

/// How soon somebody who waits may look once more. Name servers of others are asked.
const AT_ONCE: Duration = Duration::from_secs(10);

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueLook {
    /// Who is to prove it, or has proved it.
    pub organisation: OrganisationId,
    /// The domain.
    pub domain: String,
    /// By the label that stands in front of it.
    pub scope: Scope,
    /// What the record has.
    pub token: String,
}

/// What a look has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookNoted {
    /// There is nothing to prove any more.
    Gone,
    /// The record was not found, and is looked for again.
    Waits,
    /// The organisation holds the domain, as it did before.
    Holds(ProofStanding),
    /// The organisation holds the domain from now on.
    Proved,
    /// The person administrates so many people, themselves included, who were without an administrator.
    TookOver(u64),
    /// The record was found, but another organisation holds the domain.
    Contested(Contest),
    /// The record was found, but the person may not prove the domain any more.
    Refused(DomainRefused),
}

/// Looks at domains.
impl Db {
    /// Takes looks that are due.
    pub async fn take_due_looks(&self, now: Timestamp, limit: u32) -> Result<Vec<DueLook>, DbError> {
        self.write(TakeDueLooks { now, limit }).await
    }

    /// Takes the looks at one domain at once, for somebody who waits. None if the last one was just now.
    pub async fn take_look(
        &self,
        organisation: OrganisationId,
        domain: String,
        actor: Actor,
    ) -> Result<Result<Vec<DueLook>, DomainRefused>, DbError> {
        self.write(TakeLook { organisation, domain, actor }).await
    }

    /// Notes what a look has found.
    pub async fn note_look(&self, look: DueLook, found: bool, now: Timestamp) -> Result<LookNoted, DbError> {
        self.write(NoteLook { look, found, now }).await
    }
}

struct TakeDueLooks {
    now: Timestamp,
    limit: u32,
}

#[async_trait]
impl Work for TakeDueLooks {
    type Done = Vec<DueLook>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let values = [self.now.into(), u64::from(self.limit).into()];
        let mut due = Vec::new();
        let begun = "SELECT * FROM domain_challenges WHERE next_look_at <= $1 ORDER BY next_look_at LIMIT $2";
        for row in sql.locked(begun, &values).await? {
            due.push(take(sql, &row, self.now).await?);
        }
        let proved = "SELECT * FROM domains WHERE next_look_at <= $1 ORDER BY next_look_at LIMIT $2";
        for row in sql.locked(proved, &values).await? {
            due.push(take(sql, &row, self.now).await?);
        }
        Ok(due)
    }
}

struct TakeLook {
    organisation: OrganisationId,
    domain: String,
    actor: Actor,
}

#[async_trait]
impl Work for TakeLook {
    type Done = Result<Vec<DueLook>, DomainRefused>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        lock(sql, self.organisation).await?;
        if let Err(refused) = may_prove(sql, self.organisation, &self.domain, &self.actor).await? {
            return Ok(Err(refused));
        }
        let now = self.actor.by.at;
        let values =
            [self.organisation.as_bytes().into(), self.domain.as_str().into(), (now - AT_ONCE).into()];
        let begun = "SELECT * FROM domain_challenges WHERE organisation = $1 AND domain = $2 AND next_look_at IS NOT NULL \
                     AND (looked_at IS NULL OR looked_at <= $3)";
        let proved = "SELECT * FROM domains WHERE organisation = $1 AND domain = $2 AND next_look_at IS NOT NULL AND looked_at <= $3";
        let mut due = Vec::new();
        for statement in [begun, proved] {
            for row in sql.rows(statement, &values).await? {
                due.push(take(sql, &row, now).await?);
            }
        }
        Ok(Ok(due))
    }
}

/// Puts the next look at this row off.
async fn take(sql: &mut dyn Sql, row: &SqlRow, now: Timestamp) -> Result<DueLook, DbError> {
    let look = DueLook {
        organisation: row.bytes("organisation", OrganisationId::from_slice)?,
        domain: row.get("domain")?,
        scope: row.text("scope", Scope::from_name)?,
        token: row.get("token")?,
    };
    let values: [Value<'_>; 5] = [
        look.organisation.as_bytes().into(),
        look.domain.as_str().into(),
        look.token.as_str().into(),
        now.into(),
        (now + AGAIN).into(),
    ];
    for put_off in [
        "UPDATE domain_challenges SET looked_at = $4, next_look_at = $5 WHERE organisation = $1 AND domain = $2 AND token = $3",
        "UPDATE domains SET looked_at = $4, next_look_at = $5 WHERE organisation = $1 AND domain = $2 AND token = $3",
    ] {
        sql.run(put_off, &values).await?;
    }
    Ok(look)
}

/// Everybody who has proved this domain is looked at soon.
pub(super) async fn look_soon(sql: &mut dyn Sql, domain: &str, now: Timestamp) -> Result<(), DbError> {
    let soon = "UPDATE domains SET next_look_at = $2 WHERE domain = $1 AND next_look_at IS NOT NULL";
    sql.run(soon, &[domain.into(), now.into()]).await?;
    Ok(())
}

struct NoteLook {
    look: DueLook,
    found: bool,
    now: Timestamp,
}

#[async_trait]
impl Work for NoteLook {
    type Done = LookNoted;

    async fn run(&self, sql: &mut dyn Sql) -> Result<LookNoted, DbError> {
        let DueLook { organisation, domain, token, .. } = &self.look;
        lock(sql, *organisation).await?;
        let values: [Value<'_>; 3] =
            [organisation.as_bytes().into(), domain.as_str().into(), token.as_str().into()];
        let begun = "SELECT * FROM domain_challenges WHERE organisation = $1 AND domain = $2 AND token = $3";
        if let Some(row) = sql.row(begun, &values).await? {
            return self.note_challenge(sql, &row, &values).await;
        }
        let mut proofs = proofs(sql, domain).await?;
        let own =
            proofs.iter().position(|proof| proof.organisation == *organisation && proof.token == *token);
        let Some(own) = own.map(|own| proofs.swap_remove(own)) else { return Ok(LookNoted::Gone) };
        let holder = proofs.into_iter().find(|proof| proof.holds);
        self.note_proof(sql, own, holder).await
    }
}

impl NoteLook {
    async fn note_challenge(
        &self,
        sql: &mut dyn Sql,
        row: &SqlRow,
        key: &[Value<'_>; 3],
    ) -> Result<LookNoted, DbError> {
        let made_at = row.time("made_at")?;
        if !is_open(made_at, self.now) || !self.found {
            let looks = u32::try_from(row.count("looks")?).unwrap_or(u32::MAX).saturating_add(1);
            let next = self.now + next_look(looks);
            let next = is_open(made_at, next).then_some(next);
            let values = [key[0], key[1], key[2], u64::from(looks).into(), next.into()];
            let wait = "UPDATE domain_challenges SET looks = $4, next_look_at = $5 \
                        WHERE organisation = $1 AND domain = $2 AND token = $3";
            sql.run(wait, &values).await?;
            return Ok(LookNoted::Waits);
        }
        let DueLook { organisation, domain, .. } = &self.look;
        let person: Vec<u8> = row.get("person")?;
        let person = PersonId::from_slice(&person);
        let principal = person.map_or(Principal::Staff, Principal::Person);
        let who = person.map_or_else(|| "staff".to_owned(), |id| id.to_string());
        let by = By { who, ..self.by() };
        // What the person could do when they began may be taken away by now.
        let actor = Actor { principal, by: by.clone() };
        let done = "DELETE FROM domain_challenges WHERE organisation = $1 AND domain = $2";
        if let Err(refused) = may_prove(sql, *organisation, domain, &actor).await? {
            sql.run(
                "DELETE FROM domain_challenges WHERE organisation = $1 AND domain = $2 AND token = $3",
                key,
            )
            .await?;
            return Ok(LookNoted::Refused(refused));
        }
        let others = proofs(sql, domain).await?;
        sql.run(done, &key[..2]).await?;
        sql.run("DELETE FROM domains WHERE organisation = $1 AND domain = $2", &key[..2]).await?;
        let holder = others.into_iter().find(|proof| proof.holds && proof.organisation != *organisation);
        let decided = holder.as_ref().map(|holder| contest(holder.proof, self.now, self.now));
        if let (Some(holder), Some(Contest::Moves)) = (&holder, decided) {
            self.lose(sql, holder).await?;
        }
        let mut holds = matches!(decided, None | Some(Contest::Moves));
        if !self.insert(sql, holds).await? {
            holds = false;
            self.insert(sql, holds).await?;
        }
        if !holds {
            let waits = decided.filter(|decided| *decided != Contest::Moves);
            let waits = waits.unwrap_or(Contest::Waits(self.now));
            self.tell_holder(sql, holder.as_ref(), waits).await?;
            note_in(sql, Some(*organisation), &by, "prove held domain", domain).await?;
            return Ok(LookNoted::Contested(waits));
        }
        note_in(sql, Some(*organisation), &by, "prove domain", domain).await?;
        unmanaged::take_over(sql, *organisation, domain, &actor).await
    }

    async fn note_proof(
        &self,
        sql: &mut dyn Sql,
        own: ProvedDomain,
        holder: Option<ProvedDomain>,
    ) -> Result<LookNoted, DbError> {
        let mut proof = own.proof;
        if self.found {
            proof.found_at = self.now;
            proof.misses = 0;
        } else {
            proof.misses = proof.misses.saturating_add(1);
        }
        let standing = proof.at(self.now);
        let weekly = self.now + LOOKED_AT_EVERY;
        let (told, mut next) = match standing {
            ProofStanding::Good => ("", Some(weekly)),
            ProofStanding::Doubtful { lapses_at } => ("doubtful", Some(weekly.min(lapses_at))),
            // Whoever owns the domain now may have copied the record: it counts for nothing from here on.
            ProofStanding::Lapsed => ("lapsed", None),
        };
        if !own.holds && standing == ProofStanding::Lapsed {
            let key = [own.organisation.as_bytes().into(), own.domain.as_str().into()];
            sql.run("DELETE FROM domains WHERE organisation = $1 AND domain = $2", &key).await?;
            return Ok(LookNoted::Gone);
        }
        let decided = holder.as_ref().filter(|_| !own.holds);
        let decided = decided.map(|holder| contest(holder.proof, own.proved_at, self.now));
        if let Some(Contest::Waits(until)) = decided {
            next = next.map(|next| next.min(until));
        }
        let now_holds = self.found && !own.holds && matches!(decided, None | Some(Contest::Moves));
        if now_holds && let Some(holder) = &holder {
            self.lose(sql, holder).await?;
        }
        let to_staff = decided == Some(Contest::ToStaff);
        let values = [
            own.organisation.as_bytes().into(),
            own.domain.as_str().into(),
            proof.found_at.into(),
            u64::from(proof.misses).into(),
            self.now.into(),
            next.into(),
            (own.holds || now_holds).into(),
            if to_staff { "staff" } else { told }.into(),
        ];
        let update = "UPDATE domains SET found_at = $3, misses = $4, looked_at = $5, next_look_at = $6, holds = $7, told = $8 \
                      WHERE organisation = $1 AND domain = $2";
        sql.run(update, &values).await?;
        if now_holds {
            note_in(sql, Some(own.organisation), &self.by(), "prove domain", &own.domain).await?;
            return Ok(LookNoted::Proved);
        }
        if let Some(decided) = decided {
            return Ok(LookNoted::Contested(decided));
        }
        if own.holds && !told.is_empty() && own.told != told {
            let lapses_at =
                if let ProofStanding::Doubtful { lapses_at } = standing { lapses_at } else { self.now };
            let key = format!("domain-{told}");
            self.tell(sql, own.organisation, &key, lapses_at).await?;
            note_in(sql, Some(own.organisation), &self.by(), &format!("domain {told}"), &own.domain).await?;
        }
        if own.holds {
            // What that means for whoever has proved it as well is decided when they are looked at.
            let others = "UPDATE domains SET next_look_at = $2 WHERE domain = $1 AND holds = 0 AND next_look_at IS NOT NULL";
            sql.run(others, &[own.domain.as_str().into(), self.now.into()]).await?;
        }
        Ok(LookNoted::Holds(standing))
    }

    /// Writes that the organisation has proved the domain. Returns false if it is somebody else's since a moment ago.
    async fn insert(&self, sql: &mut dyn Sql, holds: bool) -> Result<bool, DbError> {
        let DueLook { organisation, domain, scope, token } = &self.look;
        let weekly = self.now + LOOKED_AT_EVERY;
        let values = [
            organisation.as_bytes().into(),
            domain.as_str().into(),
            scope.name().into(),
            token.as_str().into(),
            self.now.into(),
            weekly.into(),
            holds.into(),
        ];
        let insert = "INSERT INTO domains (organisation, domain, scope, token, proved_at, found_at, misses, looked_at, next_look_at, \
                      holds, told) VALUES ($1, $2, $3, $4, $5, $5, 0, $5, $6, $7, '') ON CONFLICT DO NOTHING";
        Ok(sql.run(insert, &values).await? == 1)
    }

    /// Takes a domain from its holder. What its people have stays.
    async fn lose(&self, sql: &mut dyn Sql, holder: &ProvedDomain) -> Result<(), DbError> {
        let values = [holder.organisation.as_bytes().into(), holder.domain.as_str().into()];
        sql.run("DELETE FROM domains WHERE organisation = $1 AND domain = $2", &values).await?;
        self.tell(sql, holder.organisation, "domain-moved", self.now).await
    }

    /// Tells the holder that another organisation has proved the domain, and looks at the holder's record at once.
    async fn tell_holder(
        &self,
        sql: &mut dyn Sql,
        holder: Option<&ProvedDomain>,
        waits: Contest,
    ) -> Result<(), DbError> {
        look_soon(sql, &self.look.domain, self.now).await?;
        let Some(holder) = holder else { return Ok(()) };
        let until = if let Contest::Waits(until) = waits { until } else { self.now + DAY };
        self.tell(sql, holder.organisation, "domain-contested", until).await
    }

    async fn tell(
        &self,
        sql: &mut dyn Sql,
        organisation: OrganisationId,
        key: &str,
        date: Timestamp,
    ) -> Result<(), DbError> {
        let domain = self.look.domain.clone();
        let values = move |texts: &kms_portal_texts::PortalTexts| {
            vec![("domain", domain.clone()), ("date", texts.shared().date(date))]
        };
        tell_administrators(sql, organisation, key, values, self.now).await
    }

    fn by(&self) -> By {
        By { who: "portal".to_owned(), at: self.now, why: "its record in DNS".to_owned() }
    }
}

/// Gives a domain to one of those who have proved it.
pub(super) struct DecideDomain {
    pub(super) organisation: OrganisationId,
    pub(super) domain: String,
    pub(super) by: By,
}

#[async_trait]
impl Work for DecideDomain {
    type Done = Result<(), DomainRefused>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        if !lock(sql, self.organisation).await? {
            return Ok(Err(PeopleUnchanged::UnknownOrganisation.into()));
        }
        let proofs = proofs(sql, &self.domain).await?;
        let Some(winner) = proofs.iter().find(|proof| proof.organisation == self.organisation) else {
            return Ok(Err(DomainRefused::UnknownDomain));
        };
        let look = DueLook {
            organisation: winner.organisation,
            domain: self.domain.clone(),
            scope: winner.scope,
            token: winner.token.clone(),
        };
        let deciding = NoteLook { look, found: true, now: self.by.at };
        for loser in proofs.iter().filter(|proof| proof.organisation != self.organisation) {
            deciding.lose(sql, loser).await?;
        }
        let values = [self.organisation.as_bytes().into(), self.domain.as_str().into()];
        let give = "UPDATE domains SET holds = 1, told = '' WHERE organisation = $1 AND domain = $2";
        sql.run(give, &values).await?;
        note_in(sql, Some(self.organisation), &self.by, "decide domain", &self.domain).await?;
        Ok(Ok(()))
    }
}
