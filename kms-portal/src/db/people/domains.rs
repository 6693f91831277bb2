//! Domains of organisations: what was asked to prove them, what was proved, and who holds each.
//!
//! `kms_portal_rules::domains` decides. A name server is asked between two transactions (`act::domains`): one takes what is due, the other
//! notes what was found (`looks`). Whoever proves a domain where people are together without an administrator becomes theirs
//! (`unmanaged`). All rows of a domain are locked together, after the organisation.

mod looks;
mod unmanaged;

use async_trait::async_trait;
use kms_portal_rules::addresses::Address;
use kms_portal_rules::claimable::{NotClaimable, claimable};
use kms_portal_rules::domains::{
    Contest, Proof, ProofStanding, Scope, contest, holder_of, is_open, next_look,
};
use kms_portal_rules::rights::{Act, Forbidden};
use kms_portal_texts::{Language, PortalTexts};
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::outbox::{self, Outgoing};
use super::persons::{self, Person};
use super::{Actor, PeopleUnchanged, Principal, allow, lock};
use crate::db::changes::note_in;
use crate::db::sql::{Sql, SqlRow, Value};
use crate::db::work::{Work, or_refuse};
use crate::db::{Db, DbError};

pub use looks::{DueLook, LookNoted};
pub use unmanaged::JoinedDomain;

/// How many domains an organisation may have and be proving, all together. A larger one asks the vendor.
const DOMAINS_MAX: u64 = 100;

/// A domain of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnDomain {
    /// Its one form.
    pub domain: String,
    /// What it is or is to be proved for.
    pub scope: Scope,
    /// What has to stand in the record.
    pub token: String,
    /// How it stands.
    pub state: OwnDomainState,
    /// When the record was last looked for.
    pub looked_at: Option<Timestamp>,
    /// When it is looked for next.
    pub next_look_at: Option<Timestamp>,
}

/// How a domain of an organisation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnDomainState {
    /// The record is looked for.
    Waits {
        /// Until then.
        until: Timestamp,
    },
    /// The record was not found in time. Another challenge is needed.
    Ended,
    /// The organisation holds it.
    Held {
        /// Since when.
        since: Timestamp,
        /// Whether the record is still there.
        standing: ProofStanding,
    },
    /// Another organisation holds it.
    Contested(Contest),
}

/// Why a domain is not proved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainRefused {
    /// The person may not, or is not known.
    #[error(transparent)]
    Unchanged(#[from] PeopleUnchanged),
    /// No organisation can have it.
    #[error(transparent)]
    NotClaimable(#[from] NotClaimable),
    /// Whoever becomes an administrator by it needs a mailbox there, and has used a link that was mailed to it.
    #[error("you have no confirmed mailbox at this domain")]
    NoMailbox,
    /// An organisation has administrators for it, who add people.
    #[error("an organisation holds this domain; ask its administrators for an account")]
    Held,
    /// The account has licences of its own, which stay personal.
    #[error("this account has personal licenses; register another one for work")]
    HasLicenses,
    /// The organisation has enough.
    #[error("the organisation has {DOMAINS_MAX} domains; remove one, or ask the vendor")]
    TooMany,
    /// The organisation has no such domain.
    #[error("no such domain is known")]
    UnknownDomain,
}

/// Domains.
impl Db {
    /// Begins to prove a domain. While an earlier challenge of this person is open, it stays.
    pub async fn begin_domain(
        &self,
        organisation: OrganisationId,
        domain: String,
        scope: Scope,
        token: String,
        actor: Actor,
    ) -> Result<Result<OwnDomain, DomainRefused>, DbError> {
        self.write(BeginDomain { organisation, domain, scope, token, actor }).await
    }

    /// The domains that an organisation has or is proving.
    pub async fn domains(
        &self,
        organisation: OrganisationId,
        now: Timestamp,
    ) -> Result<Vec<OwnDomain>, DbError> {
        self.read(ListDomains { organisation, now }).await
    }

    /// Gives a domain up, or what was begun to prove it.
    pub async fn remove_domain(
        &self,
        organisation: OrganisationId,
        domain: String,
        actor: Actor,
    ) -> Result<Result<(), DomainRefused>, DbError> {
        self.write(RemoveDomain { organisation, domain, actor }).await
    }

    /// The organisation that holds a domain, by itself or by a tree above it.
    pub async fn holder_of_domain(
        &self,
        domain: String,
        now: Timestamp,
    ) -> Result<Option<OrganisationId>, DbError> {
        self.read(FindHolder { domain, now }).await
    }

    /// Gives a domain that several have proved to one of them, because staff says so.
    pub async fn decide_domain(
        &self,
        organisation: OrganisationId,
        domain: String,
        by: super::By,
    ) -> Result<Result<(), DomainRefused>, DbError> {
        self.write(looks::DecideDomain { organisation, domain, by }).await
    }
}

struct BeginDomain {
    organisation: OrganisationId,
    domain: String,
    scope: Scope,
    token: String,
    actor: Actor,
}

#[async_trait]
impl Work for BeginDomain {
    type Done = Result<OwnDomain, DomainRefused>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let (organisation, now) = (self.organisation, self.actor.by.at);
        let domain = or_refuse!(claimable(&self.domain));
        if !lock(sql, organisation).await? {
            return Ok(Err(PeopleUnchanged::UnknownOrganisation.into()));
        }
        or_refuse!(may_prove(sql, organisation, &domain, &self.actor).await?);
        let person = match &self.actor.principal {
            Principal::Person(person) => &person.as_bytes()[..],
            Principal::Staff => &[],
            // What it proves makes somebody an administrator.
            Principal::Token(_) => return Ok(Err(nobodys())),
        };
        let key: [Value<'_>; 3] = [organisation.as_bytes().into(), domain.as_str().into(), person.into()];
        let open = "SELECT * FROM domain_challenges WHERE organisation = $1 AND domain = $2 AND person = $3";
        if let Some(row) = sql.row(open, &key).await? {
            let known = read_challenge(&row, now)?;
            if known.scope == self.scope && matches!(known.state, OwnDomainState::Waits { .. }) {
                return Ok(Ok(known));
            }
        }
        let ended = now - kms_portal_rules::domains::CHALLENGE_FOR;
        let forget = "DELETE FROM domain_challenges WHERE organisation = $1 AND made_at <= $2";
        sql.run(forget, &[key[0], ended.into()]).await?;
        let count = "SELECT (SELECT COUNT(*) FROM domain_challenges WHERE organisation = $1) + \
                     (SELECT COUNT(*) FROM domains WHERE organisation = $1) AS domains";
        if DOMAINS_MAX <= sql.row(count, &key[..1]).await?.map_or(Ok(0), |row| row.count("domains"))? {
            return Ok(Err(DomainRefused::TooMany));
        }
        let next_look_at = now + next_look(0);
        let values = [
            key[0],
            key[1],
            key[2],
            self.scope.name().into(),
            self.token.as_str().into(),
            now.into(),
            next_look_at.into(),
        ];
        sql.run(
            "INSERT INTO domain_challenges (organisation, domain, person, scope, token, made_at, looks, next_look_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 0, $7) ON CONFLICT (organisation, domain, person) DO UPDATE SET \
             scope = excluded.scope, token = excluded.token, made_at = excluded.made_at, looks = 0, looked_at = NULL, \
             next_look_at = excluded.next_look_at",
            &values,
        )
        .await?;
        note_in(sql, Some(organisation), &self.actor.by, "begin domain", &domain).await?;
        Ok(Ok(OwnDomain {
            domain,
            scope: self.scope,
            token: self.token.clone(),
            state: OwnDomainState::Waits { until: now + kms_portal_rules::domains::CHALLENGE_FOR },
            looked_at: None,
            next_look_at: Some(next_look_at),
        }))
    }
}

/// Whether the actor may prove this domain for the organisation: as its administrator, or as one of the people who are together at this
/// domain and have none. Its lock is taken.
async fn may_prove(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    domain: &str,
    actor: &Actor,
) -> Result<Result<(), DomainRefused>, DbError> {
    let own = unmanaged::domain_of(sql, organisation).await?;
    let (Some(own), Principal::Person(person)) = (own, actor.principal) else {
        let allowed = allow(sql, actor, organisation, Act::ManageDomains, None).await?;
        return Ok(allowed.map_err(DomainRefused::from));
    };
    let person = persons::find(sql, person).await?.filter(|person| person.organisation == Some(organisation));
    let Some(person) = person.filter(Person::may_sign_in) else {
        return Ok(Err(PeopleUnchanged::UnknownOrganisation.into()));
    };
    if own != domain {
        // For any other domain they need a role, which nobody there has.
        return Ok(Err(nobodys()));
    }
    Ok(if has_mailbox(&person, domain) { Ok(()) } else { Err(DomainRefused::NoMailbox) })
}

/// The refusal of somebody without a role.
fn nobodys() -> DomainRefused {
    let (act, allowed) = (Act::ManageDomains, Act::ManageDomains.allowed());
    PeopleUnchanged::Forbidden(Forbidden { act, allowed }).into()
}

/// Whether the person has shown that they have a mailbox at this domain.
fn has_mailbox(person: &Person, domain: &str) -> bool {
    person.confirmed_at.is_some() && mail_domain(person).as_deref() == Some(domain)
}

fn mail_domain(person: &Person) -> Option<String> {
    Some(Address::new(&person.address)?.domain().to_owned())
}

struct ListDomains {
    organisation: OrganisationId,
    now: Timestamp,
}

#[async_trait]
impl Work for ListDomains {
    type Done = Vec<OwnDomain>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let values = [self.organisation.as_bytes().into()];
        let mut listed = Vec::new();
        let proved = "SELECT * FROM domains WHERE organisation = $1 ORDER BY domain";
        for row in sql.rows(proved, &values).await? {
            let proved = read_proof(&row)?;
            let holder = if proved.holds { None } else { holder(sql, &proved.domain).await? };
            listed.push(proved.shown(holder.as_ref(), self.now));
        }
        let begun = "SELECT * FROM domain_challenges WHERE organisation = $1 ORDER BY domain, made_at";
        for row in sql.rows(begun, &values).await? {
            listed.push(read_challenge(&row, self.now)?);
        }
        Ok(listed)
    }
}

struct RemoveDomain {
    organisation: OrganisationId,
    domain: String,
    actor: Actor,
}

#[async_trait]
impl Work for RemoveDomain {
    type Done = Result<(), DomainRefused>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        lock(sql, self.organisation).await?;
        or_refuse!(may_prove(sql, self.organisation, &self.domain, &self.actor).await?);
        let proofs = proofs(sql, &self.domain).await?;
        let values = [self.organisation.as_bytes().into(), self.domain.as_str().into()];
        let removed = sql.run("DELETE FROM domains WHERE organisation = $1 AND domain = $2", &values).await?
            + sql
                .run("DELETE FROM domain_challenges WHERE organisation = $1 AND domain = $2", &values)
                .await?;
        if removed == 0 {
            return Ok(Err(DomainRefused::UnknownDomain));
        }
        if proofs.iter().any(|proof| proof.holds && proof.organisation == self.organisation) {
            // Whoever has proved it as well gets it at the next look.
            looks::look_soon(sql, &self.domain, self.actor.by.at).await?;
        }
        note_in(sql, Some(self.organisation), &self.actor.by, "remove domain", &self.domain).await?;
        Ok(Ok(()))
    }
}

struct FindHolder {
    domain: String,
    now: Timestamp,
}

#[async_trait]
impl Work for FindHolder {
    type Done = Option<OrganisationId>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        find_holder(sql, &self.domain, self.now).await
    }
}

/// The organisation that holds a domain, by itself or by a tree above it. What has lapsed counts for nothing.
async fn find_holder(
    sql: &mut dyn Sql,
    domain: &str,
    now: Timestamp,
) -> Result<Option<OrganisationId>, DbError> {
    let mut proved = Vec::new();
    let mut name = Some(domain);
    while let Some(above) = name {
        let found = holder(sql, above).await?;
        proved.extend(found.filter(|held| held.proof.at(now) != ProofStanding::Lapsed));
        name = above.split_once('.').map(|(_, above)| above);
    }
    let proved = proved.iter().map(|held| (held.domain.as_str(), held.scope, held.organisation));
    Ok(holder_of(domain, proved))
}

/// A domain that an organisation has proved.
struct ProvedDomain {
    organisation: OrganisationId,
    domain: String,
    scope: Scope,
    token: String,
    proved_at: Timestamp,
    proof: Proof,
    looked_at: Timestamp,
    next_look_at: Option<Timestamp>,
    holds: bool,
    told: String,
}

impl ProvedDomain {
    fn shown(self, holder: Option<&ProvedDomain>, now: Timestamp) -> OwnDomain {
        let state = match holder {
            Some(holder) => OwnDomainState::Contested(contest(holder.proof, self.proved_at, now)),
            None => OwnDomainState::Held { since: self.proved_at, standing: self.proof.at(now) },
        };
        let ProvedDomain { domain, scope, token, looked_at, next_look_at, .. } = self;
        OwnDomain { domain, scope, token, state, looked_at: Some(looked_at), next_look_at }
    }
}

/// Everybody who has proved a domain; nobody else changes these rows until the transaction ends.
async fn proofs(sql: &mut dyn Sql, domain: &str) -> Result<Vec<ProvedDomain>, DbError> {
    let list = "SELECT * FROM domains WHERE domain = $1 ORDER BY organisation";
    sql.locked(list, &[domain.into()]).await?.iter().map(read_proof).collect()
}

async fn holder(sql: &mut dyn Sql, domain: &str) -> Result<Option<ProvedDomain>, DbError> {
    let find = "SELECT * FROM domains WHERE domain = $1 AND holds = 1";
    sql.row(find, &[domain.into()]).await?.as_ref().map(read_proof).transpose()
}

fn read_proof(row: &SqlRow) -> Result<ProvedDomain, DbError> {
    let misses = u32::try_from(row.count("misses")?).unwrap_or(u32::MAX);
    Ok(ProvedDomain {
        organisation: row.bytes("organisation", OrganisationId::from_slice)?,
        domain: row.get("domain")?,
        scope: row.text("scope", Scope::from_name)?,
        token: row.get("token")?,
        proved_at: row.time("proved_at")?,
        proof: Proof { found_at: row.time("found_at")?, misses },
        looked_at: row.time("looked_at")?,
        next_look_at: row.time_if_any("next_look_at")?,
        holds: row.count("holds")? != 0,
        told: row.get("told")?,
    })
}

fn read_challenge(row: &SqlRow, now: Timestamp) -> Result<OwnDomain, DbError> {
    let made_at = row.time("made_at")?;
    let until = made_at + kms_portal_rules::domains::CHALLENGE_FOR;
    let state = if is_open(made_at, now) { OwnDomainState::Waits { until } } else { OwnDomainState::Ended };
    Ok(OwnDomain {
        domain: row.get("domain")?,
        scope: row.text("scope", Scope::from_name)?,
        token: row.get("token")?,
        state,
        looked_at: row.time_if_any("looked_at")?,
        next_look_at: row.time_if_any("next_look_at")?,
    })
}

/// Mails the general administrators of an organisation.
async fn tell_administrators(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    key: &str,
    values: impl Fn(&PortalTexts) -> Vec<(&'static str, String)> + Send,
    at: Timestamp,
) -> Result<(), DbError> {
    let list = "SELECT p.address, p.language FROM people p JOIN admin_roles r ON r.person = p.id \
                WHERE p.organisation = $1 AND r.role = 'general' AND p.blocked_at IS NULL AND p.deleted_at IS NULL";
    let rows = sql.rows(list, &[organisation.as_bytes().into()]).await?;
    tell(sql, &rows, key, values, at).await
}

/// Mails everybody whose address and language these rows have.
async fn tell(
    sql: &mut dyn Sql,
    rows: &[SqlRow],
    key: &str,
    values: impl Fn(&PortalTexts) -> Vec<(&'static str, String)> + Send,
    at: Timestamp,
) -> Result<(), DbError> {
    let mut known: Vec<PortalTexts> = Vec::new();
    for row in rows {
        let language = Language::from_tag(&row.get::<String>("language")?).unwrap_or_default();
        if !known.iter().any(|texts| texts.language() == language) {
            known.push(PortalTexts::new(language));
        }
        let mail = known.iter().find(|texts| texts.language() == language).map(|texts| {
            let values = values(texts);
            let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let text = |part| texts.of(&format!("mail-{key}-{part}"), &values);
            (text("subject"), text("body"))
        });
        if let Some((subject, body)) = mail {
            let mail = Outgoing::Mail { to: row.get("address")?, language, subject, body };
            outbox::post(sql, &mail, at).await?;
        }
    }
    Ok(())
}
