//! People who are together at a domain and have no administrator, and what happens to them once somebody proves the domain.
//!
//! A person with a personal account says that it is for work. Their account is then one of the organisation of their domain, which has
//! the kind `unmanaged` and nobody with a role. The first of them who proves the domain becomes its general administrator, but manages
//! nobody before something was bought (`unpaid`). If another organisation proves the domain, the people become members of that one.
//! Their accounts stay as they are in either case, and everybody is told.

use async_trait::async_trait;
use kms_portal_rules::PersonId;
use kms_portal_rules::addresses::Address;
use kms_portal_rules::claimable::claimable;
use kms_portal_rules::rights::AdminRole;
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::{DomainRefused, LookNoted, find_holder, has_mailbox, mail_domain, tell};
use crate::db::changes::{By, note_in};
use crate::db::people::persons::{self, Person, claim};
use crate::db::people::{Actor, PeopleUnchanged, Principal, lock};
use crate::db::sql::{Sql, Value};
use crate::db::work::{Work, or_refuse};
use crate::db::{Db, DbError};

/// Where a person is together with others now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedDomain {
    /// The organisation of the domain.
    pub organisation: OrganisationId,
    /// The domain.
    pub domain: String,
    /// How many people are there, with the one who joined.
    pub people: u64,
}

/// People without an administrator.
impl Db {
    /// Makes a personal account a work account, together with everybody at the same domain. `new` is the id of their organisation if
    /// this is the first of them.
    pub async fn join_domain(
        &self,
        person: PersonId,
        new: OrganisationId,
        at: Timestamp,
    ) -> Result<Result<JoinedDomain, DomainRefused>, DbError> {
        self.write(JoinDomain { person, new, at }).await
    }

    /// The domain at which the people of this organisation are together without an administrator; none if it has one.
    pub async fn unmanaged_domain(&self, organisation: OrganisationId) -> Result<Option<String>, DbError> {
        self.read(ShowUnmanaged(organisation)).await
    }
}

struct ShowUnmanaged(OrganisationId);

#[async_trait]
impl Work for ShowUnmanaged {
    type Done = Option<String>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        domain_of(sql, self.0).await
    }
}

/// The domain at which these people are together without an administrator.
pub(super) async fn domain_of(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
) -> Result<Option<String>, DbError> {
    let find = "SELECT domain FROM unmanaged_domains WHERE organisation = $1";
    sql.row(find, &[organisation.as_bytes().into()]).await?.map(|row| row.get("domain")).transpose()
}

async fn at_domain(sql: &mut dyn Sql, domain: &str) -> Result<Option<OrganisationId>, DbError> {
    let find = "SELECT organisation FROM unmanaged_domains WHERE domain = $1";
    let found = sql.row(find, &[domain.into()]).await?;
    found.map(|row| row.bytes("organisation", OrganisationId::from_slice)).transpose()
}

struct JoinDomain {
    person: PersonId,
    new: OrganisationId,
    at: Timestamp,
}

#[async_trait]
impl Work for JoinDomain {
    type Done = Result<JoinedDomain, DomainRefused>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let person = persons::find(sql, self.person).await?.filter(Person::may_sign_in);
        let Some(person) = person.filter(|person| person.organisation.is_none()) else {
            return Ok(Err(PeopleUnchanged::UnknownPerson.into()));
        };
        let domain = or_refuse!(claimable(&mail_domain(&person).unwrap_or_default()));
        if !has_mailbox(&person, &domain) {
            return Ok(Err(DomainRefused::NoMailbox));
        }
        let own = [person.id.as_bytes().into()];
        if sql.row("SELECT offer FROM seats WHERE person = $1", &own).await?.is_some() {
            return Ok(Err(DomainRefused::HasLicenses));
        }
        if find_holder(sql, &domain, self.at).await?.is_some() {
            return Ok(Err(DomainRefused::Held));
        }
        let organisation = match at_domain(sql, &domain).await? {
            Some(organisation) => organisation,
            None => self.found(sql, &domain).await?,
        };
        lock(sql, organisation).await?;
        if !move_to(sql, &person, Some(organisation)).await? {
            return Ok(Err(PeopleUnchanged::AddressTaken.into()));
        }
        let by = By { who: self.person.to_string(), at: self.at, why: String::new() };
        note_in(sql, Some(organisation), &by, "join domain", &format!("{} at {domain}", self.person)).await?;
        let count = "SELECT COUNT(*) AS people FROM people WHERE organisation = $1 AND deleted_at IS NULL";
        let people = sql.row(count, &[organisation.as_bytes().into()]).await?;
        let people = people.map_or(Ok(1), |row| row.count("people"))?;
        Ok(Ok(JoinedDomain { organisation, domain, people }))
    }
}

impl JoinDomain {
    /// Makes the organisation of a domain, unless somebody else has done so a moment ago.
    async fn found(&self, sql: &mut dyn Sql, domain: &str) -> Result<OrganisationId, DbError> {
        let insert = "INSERT INTO organisations (id, name, added_at, kind) VALUES ($1, $2, $3, 'unmanaged') ON CONFLICT DO NOTHING";
        let another = format!("{domain} ({})", self.new);
        // A customer may have the name.
        for name in [domain, another.as_str()] {
            let values: [Value<'_>; 3] = [self.new.as_bytes().into(), name.into(), self.at.into()];
            if sql.run(insert, &values).await? == 1 {
                break;
            }
        }
        let values = [domain.into(), self.new.as_bytes().into()];
        let first =
            "INSERT INTO unmanaged_domains (domain, organisation) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        if sql.run(first, &values).await? == 1 {
            return Ok(self.new);
        }
        sql.run("DELETE FROM organisations WHERE id = $1", &values[1..]).await?;
        at_domain(sql, domain).await?.ok_or_else(|| DbError::damaged("unmanaged_domains"))
    }
}

/// Makes somebody a person of this organisation, or of none. Returns false if their address is taken there.
async fn move_to(
    sql: &mut dyn Sql,
    person: &Person,
    organisation: Option<OrganisationId>,
) -> Result<bool, DbError> {
    let Some(address) = Address::new(&person.address) else { return Ok(false) };
    if !claim(sql, organisation, &address, person.id).await? {
        return Ok(false);
    }
    let new = organisation.as_ref().map_or(&[][..], |organisation| organisation.as_bytes());
    let values = [person.id.as_bytes().into(), new.into()];
    sql.run("DELETE FROM addresses WHERE person = $1 AND scope <> $2", &values).await?;
    let to = organisation.as_ref().map(|organisation| &organisation.as_bytes()[..]);
    sql.run("UPDATE people SET organisation = $2 WHERE id = $1", &[values[0], to.into()]).await?;
    Ok(true)
}

/// What a proof means for the people who are together at the domain. The organisation that has proved it is locked.
pub(super) async fn take_over(
    sql: &mut dyn Sql,
    organisation: OrganisationId,
    domain: &str,
    actor: &Actor,
) -> Result<LookNoted, DbError> {
    let Some(unmanaged) = at_domain(sql, domain).await? else { return Ok(LookNoted::Proved) };
    lock(sql, unmanaged).await?;
    let everybody = "SELECT id, address, language FROM people WHERE organisation = $1 AND deleted_at IS NULL";
    let everybody = sql.rows(everybody, &[unmanaged.as_bytes().into()]).await?;
    let people = everybody.len() as u64;
    sql.run("DELETE FROM unmanaged_domains WHERE domain = $1", &[domain.into()]).await?;
    let mut told = Vec::new();
    let person = if let Principal::Person(person) = actor.principal { Some(person) } else { None };
    let administrator = match person {
        Some(person) => persons::find(sql, person).await?,
        None => None,
    };
    for row in everybody {
        let id = row.bytes("id", PersonId::from_slice)?;
        if unmanaged != organisation {
            let Some(person) = persons::find(sql, id).await? else { continue };
            // With an account there already, this one is personal again.
            if !move_to(sql, &person, Some(organisation)).await? && !move_to(sql, &person, None).await? {
                continue;
            }
        }
        if Some(id) != person {
            told.push(row);
        }
    }
    if unmanaged == organisation
        && let Some(person) = person
    {
        let values = [person.as_bytes().into(), AdminRole::General.name().into()];
        let give = "INSERT INTO admin_roles (person, role) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        sql.run(give, &values).await?;
        let unpaid = "UPDATE organisations SET kind = 'unpaid' WHERE id = $1";
        sql.run(unpaid, &[organisation.as_bytes().into()]).await?;
        note_in(sql, Some(organisation), &actor.by, "become administrator", &format!("{person} of {domain}"))
            .await?;
    }
    let who = administrator.map(|person| format!("{} ({})", person.name, person.address)).unwrap_or_default();
    let domain = domain.to_owned();
    let values = move |_: &kms_portal_texts::PortalTexts| {
        vec![("domain", domain.clone()), ("administrator", who.clone())]
    };
    tell(sql, &told, "domain-taken-over", values, actor.by.at).await?;
    Ok(LookNoted::TookOver(people))
}
