//! Sends what was posted: takes messages of the database that are due, hands each to `mail` or `webhook`, and notes how it went.
//!
//! Several portals on one database share the work. A portal without a mail server leaves mails in the outbox, where
//! `kms-portal outbox list` shows them.

pub(crate) mod mail;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use kms_portal_rules::deliveries::TRIES;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::PortalCore;
use crate::db::{DbError, Outgoing, PostedMessage};

pub use mail::MailServer;
pub use webhook::WebhookSender;

/// How often to look for messages. Somebody waits for the mail that lets them in.
const LOOK: Duration = Duration::from_secs(1);

/// How many messages are on their way at once.
const AT_ONCE: u32 = 8;

/// How long one may take. It is less than the shortest wait for the next try, so no other portal begins with it meanwhile.
const LONGEST: Duration = Duration::from_secs(45);

/// The longest fault that is kept, in characters.
const FAULT_MAX: usize = 500;

/// A message was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Why.
    pub fault: String,
    /// Whether another try would meet the same.
    pub is_useless: bool,
}

impl Undelivered {
    fn later(fault: impl ToString) -> Undelivered {
        Undelivered { fault: fault.to_string(), is_useless: false }
    }
}

/// By what messages leave.
#[derive(Debug)]
pub struct DeliveryWays {
    mail: Option<MailServer>,
    webhooks: Result<WebhookSender, String>,
}

impl DeliveryWays {
    /// Mail by this server, and webhooks.
    pub fn new(mail: Option<MailServer>) -> DeliveryWays {
        let webhooks =
            WebhookSender::new().map_err(|error| format!("no CA of this machine can be read: {error}"));
        DeliveryWays { mail, webhooks }
    }
}

/// Sends what is due, until it is stopped.
pub async fn deliver(portal: Arc<PortalCore>, mail: Option<MailServer>, stop: CancellationToken) {
    let ways = Arc::new(DeliveryWays::new(mail));
    loop {
        match deliver_due(&portal, &ways).await {
            // There may be more.
            Ok(sent) if sent == AT_ONCE as usize && !stop.is_cancelled() => continue,
            Ok(_) => {}
            Err(error) => portal.failed_at(error),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Sends some of what is due; returns how many messages were tried.
///
/// # Errors
/// The database fails.
pub async fn deliver_due(portal: &Arc<PortalCore>, ways: &Arc<DeliveryWays>) -> Result<usize, DbError> {
    let (now, mails) = (portal.clock.now(), ways.mail.is_some());
    if !portal.db.is_due(now, mails).await? {
        return Ok(0);
    }
    let mut sending = JoinSet::new();
    for message in portal.db.take_due(now, mails, AT_ONCE).await? {
        let (portal, ways) = (portal.clone(), ways.clone());
        sending.spawn(async move {
            let sent = tokio::time::timeout(LONGEST, send(&portal, &message, &ways)).await;
            let sent = sent.unwrap_or_else(|_| Err(Undelivered::later("no answer came in time")));
            note(&portal, &message, sent).await
        });
    }
    let tried = sending.len();
    while let Some(noted) = sending.join_next().await {
        noted.unwrap_or(Ok(()))?;
    }
    Ok(tried)
}

async fn send(portal: &PortalCore, message: &PostedMessage, ways: &DeliveryWays) -> Result<(), Undelivered> {
    match &message.what {
        Outgoing::Mail { to, language, subject, body } => {
            let server =
                ways.mail.as_ref().ok_or_else(|| Undelivered::later("this portal has no mail server"))?;
            server.send(message, to, *language, subject, body).await
        }
        Outgoing::Webhook { service, event, .. } => {
            let sender = ways.webhooks.as_ref().map_err(Undelivered::later)?;
            let target = portal.db.webhook_target(service.clone()).await.map_err(Undelivered::later)?;
            let target = target.ok_or_else(|| Undelivered {
                fault: format!("{service} is told nothing any more"),
                is_useless: true,
            })?;
            sender.send(&target, message, event, portal.clock.now()).await
        }
    }
}

async fn note(
    portal: &PortalCore,
    message: &PostedMessage,
    sent: Result<(), Undelivered>,
) -> Result<(), DbError> {
    let (number, now) = (message.number, portal.clock.now());
    let Err(Undelivered { fault, is_useless }) = sent else {
        tracing::debug!(number, "sent a message");
        return portal.db.note_sent(number, now).await;
    };
    let fault: String = fault.chars().take(FAULT_MAX).collect();
    tracing::warn!(number, tries = message.tries, fault, "a message was not delivered");
    if portal.db.note_not_sent(number, fault, is_useless).await? {
        let remedy = format!(
            "`kms-portal outbox show {number}` shows it, and `kms-portal outbox retry {number}` tries it again"
        );
        if is_useless {
            tracing::error!(number, "a message is given up, because it was refused for good; {remedy}");
        } else {
            tracing::error!(
                number,
                "a message is given up, because it could not be delivered {TRIES} times; {remedy}"
            );
        }
    }
    Ok(())
}
