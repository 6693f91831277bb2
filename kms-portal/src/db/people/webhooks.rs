//! Where the vendor's services are told what happens to the people who have them, and what they are told.
//!
//! A service without a target is told nothing. What concerns one person arrives in the order in which it happened.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kms_portal_rules::PersonId;
use kms_portal_rules::kept::ServiceEvent;
use kms_portal_rules::offers::ServiceName;
use serde::Serialize;
use shared::ids::OrganisationId;
use shared::time::Timestamp;
use tonic::codegen::http::Uri;

use super::offers::service_name;
use super::outbox::{self, Outgoing};
use crate::db::changes::note;
use crate::db::sql::{Sql, SqlRow};
use crate::db::work::Work;
use crate::db::{By, Db, DbError};
use crate::webhook_signature::WebhookSecret;

/// Where a service is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookTarget {
    /// The service.
    pub service: ServiceName,
    url: String,
    /// What its messages are signed with.
    pub secret: WebhookSecret,
}

impl WebhookTarget {
    /// A target. None if the URL is none of HTTPS; on the portal's own machine it may be one of HTTP.
    pub fn new(service: ServiceName, url: &str, secret: WebhookSecret) -> Option<WebhookTarget> {
        let parsed: Uri = url.parse().ok()?;
        let host = parsed.host()?;
        let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let fits = matches!((parsed.scheme_str()?, is_here), ("https", _) | ("http", true));
        let has_password = parsed.authority()?.as_str().contains('@');
        (fits && !has_password).then(|| WebhookTarget { service, url: url.to_owned(), secret })
    }

    /// Where messages go.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Targets of webhooks.
impl Db {
    /// Has a service told there from now on.
    pub async fn set_webhook_target(&self, target: WebhookTarget, by: By) -> Result<(), DbError> {
        self.write(SetTarget { target, by }).await
    }

    /// Has a service told nothing from now on. Returns whether it was told.
    pub async fn remove_webhook_target(&self, service: ServiceName, by: By) -> Result<bool, DbError> {
        self.write(RemoveTarget { service, by }).await
    }

    /// Every target, by the name of its service.
    pub async fn webhook_targets(&self) -> Result<Vec<WebhookTarget>, DbError> {
        self.read(ListTargets).await
    }

    /// Where a service is told; none if it is not.
    pub async fn webhook_target(&self, service: ServiceName) -> Result<Option<WebhookTarget>, DbError> {
        Ok(self.webhook_targets().await?.into_iter().find(|target| target.service == service))
    }
}

struct SetTarget {
    target: WebhookTarget,
    by: By,
}

#[async_trait]
impl Work for SetTarget {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        let WebhookTarget { service, url, secret } = &self.target;
        let values = [service.as_str().into(), url.as_str().into(), secret.as_bytes().into()];
        let set = "INSERT INTO webhook_targets (service, url, secret) VALUES ($1, $2, $3) \
                   ON CONFLICT (service) DO UPDATE SET url = excluded.url, secret = excluded.secret";
        sql.run(set, &values).await?;
        note(sql, &self.by, "set webhook", service.as_str()).await
    }
}

struct RemoveTarget {
    service: ServiceName,
    by: By,
}

#[async_trait]
impl Work for RemoveTarget {
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        let service = self.service.as_str();
        let removed = sql.run("DELETE FROM webhook_targets WHERE service = $1", &[service.into()]).await?;
        if removed != 0 {
            note(sql, &self.by, "remove webhook", service).await?;
        }
        Ok(removed != 0)
    }
}

struct ListTargets;

#[async_trait]
impl Work for ListTargets {
    type Done = Vec<WebhookTarget>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let list = "SELECT * FROM webhook_targets ORDER BY service";
        sql.rows(list, &[]).await?.iter().map(read).collect()
    }
}

fn read(row: &SqlRow) -> Result<WebhookTarget, DbError> {
    let secret = row.bytes("secret", WebhookSecret::from_slice)?;
    Ok(WebhookTarget { service: row.text("service", service_name)?, url: row.get("url")?, secret })
}

/// An event, as a service reads it.
#[derive(Serialize)]
struct Event<'a> {
    r#type: &'static str,
    timestamp: String,
    data: EventData<'a>,
}

#[derive(Serialize)]
struct EventData<'a> {
    service: &'a str,
    person: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<String>,
}

/// Which services are told, of the people of one organisation, and when.
pub(super) struct TellsServices {
    services: BTreeSet<ServiceName>,
    organisation: Option<OrganisationId>,
    pub(super) at: Timestamp,
}

impl TellsServices {
    pub(super) async fn of(
        sql: &mut dyn Sql,
        organisation: impl Into<Option<OrganisationId>>,
        at: Timestamp,
    ) -> Result<TellsServices, DbError> {
        let rows = sql.rows("SELECT service FROM webhook_targets", &[]).await?;
        let services = rows.iter().map(|row| row.text("service", service_name)).collect::<Result<_, _>>()?;
        Ok(TellsServices { services, organisation: organisation.into(), at })
    }

    /// Tells a service.
    pub(super) async fn tell(
        &self,
        sql: &mut dyn Sql,
        service: &ServiceName,
        person: PersonId,
        event: ServiceEvent,
    ) -> Result<(), DbError> {
        if !self.services.contains(service) {
            return Ok(());
        }
        let data = EventData {
            service: service.as_str(),
            person: person.to_string(),
            organisation: self.organisation.map(|organisation| organisation.to_string()),
        };
        let timestamp = self.at.to_string().replace(' ', "T");
        let event = Event { r#type: event.name(), timestamp, data };
        let event = serde_json::to_string(&event).expect("texts are JSON");
        let webhook = Outgoing::Webhook { service: service.clone(), person, event };
        outbox::post(sql, &webhook, self.at).await
    }
}
