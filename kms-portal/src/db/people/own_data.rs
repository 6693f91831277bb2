//! All that the portal keeps of a person, for the person: names instead of numbers, and no secret.

use async_trait::async_trait;
use kms_portal_rules::PersonId;
use kms_portal_rules::rights::AdminRole;
use serde_json::{Value as Json, json};

use super::persons::find;
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::Work;
use crate::db::{Db, DbError};

impl Db {
    /// All that is kept of a person, as JSON; none if there is no such person.
    pub async fn data_of(&self, person: PersonId) -> Result<Option<Json>, DbError> {
        self.read(OwnData(person)).await
    }
}

struct OwnData(PersonId);

#[async_trait]
impl Work for OwnData {
    type Done = Option<Json>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let Some(person) = find(sql, self.0).await? else { return Ok(None) };
        let licences = "SELECT o.title AS what, s.since AS at, s.off AS how FROM seats s JOIN offers o ON o.name = s.offer \
                        WHERE s.person = $1 ORDER BY s.offer";
        let held = "SELECT service AS what, since AS at, '' AS how FROM held_data WHERE person = $1 ORDER BY service";
        let sessions = "SELECT source AS what, made_at AS at, '' AS how FROM sessions WHERE person = $1 ORDER BY made_at";
        let links = "SELECT purpose AS what, made_at AS at, address AS how FROM links WHERE person = $1 ORDER BY made_at";
        let known = "SELECT '' AS what, seen_at AS at, '' AS how FROM known_sources WHERE person = $1 ORDER BY seen_at";
        let organisation =
            "SELECT o.name FROM people p JOIN organisations o ON o.id = p.organisation WHERE p.id = $1";
        let organisation = sql.row(organisation, &[self.0.as_bytes().into()]).await?;
        let organisation = organisation.map(|row| row.get::<String>("name")).transpose()?;
        Ok(Some(json!({
            "id": person.id.to_string(),
            "name": person.name,
            "address": person.address,
            "address_confirmed_at": person.confirmed_at.map(|at| at.to_string()),
            "organisation": organisation,
            "location": person.location.map(|country| country.to_string()),
            "language": person.language.map(kms_portal_texts::Language::tag),
            "roles": person.roles.iter().map(AdminRole::name).collect::<Vec<_>>(),
            "added_at": person.added_at.to_string(),
            "licences": self.list(sql, licences, ["offer", "since", "switched_off"]).await?,
            "data_held_by_services": self.list(sql, held, ["service", "since", ""]).await?,
            "sessions": self.list(sql, sessions, ["from", "since", ""]).await?,
            "links_mailed": self.list(sql, links, ["for", "at", "to"]).await?,
            "digests_of_places_of_sign_in": self.list(sql, known, ["", "last_at", ""]).await?,
        })))
    }
}

impl OwnData {
    /// What a statement finds of the person, under these names; nothing under an empty one.
    async fn list(
        &self,
        sql: &mut dyn Sql,
        statement: &'static str,
        [what, at, how]: [&str; 3],
    ) -> Result<Json, DbError> {
        let one = |row: &SqlRow| -> Result<Json, DbError> {
            let (said, when, rest): (String, _, String) =
                (row.get("what")?, row.time("at")?, row.get("how")?);
            let fields = [(what, said), (at, when.to_string()), (how, rest)];
            let fields = fields.into_iter().filter(|(name, _)| !name.is_empty());
            Ok(fields.map(|(name, value)| (name.to_owned(), Json::String(value))).collect())
        };
        sql.rows(statement, &[self.0.as_bytes().into()]).await?.iter().map(one).collect()
    }
}
