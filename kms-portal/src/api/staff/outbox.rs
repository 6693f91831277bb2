//! Shows staff what leaves the portal, tries it again, and sets where services are told.

use kms_portal_rules::offers::ServiceName;
use proto::portal::v1 as w;
use tonic::Status;

use super::{Staff, invalid, limit_of, text};
use crate::db::{By, MessageFilter, MessageState, Outgoing, PostedMessage, WebhookTarget};
use crate::webhook_signature::WebhookSecret;

pub(super) async fn list(
    staff: &Staff,
    wanted: w::ListMessagesRequest,
) -> Result<w::ListMessagesResponse, Status> {
    let w::ListMessagesRequest { before, limit, given_up } = wanted;
    let filter = MessageFilter { before: Some(before).filter(|before| *before != 0), given_up };
    let messages = staff.ask(staff.portal.db.messages(filter, limit_of(limit, 100))).await?;
    let messages = messages.into_iter().map(|message| {
        let shown = message_of(message);
        w::OutboxMessage { text: String::new(), ..shown }
    });
    Ok(w::ListMessagesResponse { messages: messages.collect() })
}

pub(super) async fn show(staff: &Staff, number: u64) -> Result<w::GetMessageResponse, Status> {
    let message = staff.ask(staff.portal.db.message(number)).await?.ok_or_else(|| unknown(number))?;
    Ok(w::GetMessageResponse { message: Some(message_of(message)) })
}

pub(super) async fn retry(staff: &Staff, number: u64) -> Result<w::RetryMessagesResponse, Status> {
    let one = Some(number).filter(|number| *number != 0);
    let messages = staff.ask(staff.portal.db.retry(one, staff.portal.clock.now())).await?;
    if messages == 0 && one.is_some() {
        return Err(unknown(number));
    }
    Ok(w::RetryMessagesResponse { messages })
}

pub(super) async fn set_webhook(
    staff: &Staff,
    wanted: w::SetWebhookRequest,
    by: By,
) -> Result<w::SetWebhookResponse, Status> {
    let service = ServiceName::new(&wanted.service).map_err(invalid)?;
    let secret = WebhookSecret::draw();
    let target = WebhookTarget::new(service, text("URL", &wanted.url)?, secret.clone()).ok_or_else(|| {
        let form = "a webhook goes to a URL such as https://mail.example.com/hook; on the portal's own machine http:// will do";
        Status::invalid_argument(form)
    })?;
    staff.ask(staff.portal.db.set_webhook_target(target, by)).await?;
    Ok(w::SetWebhookResponse { secret: secret.text().to_string() })
}

pub(super) async fn webhooks(staff: &Staff) -> Result<w::ListWebhooksResponse, Status> {
    let targets = staff.ask(staff.portal.db.webhook_targets()).await?;
    let webhooks = targets
        .into_iter()
        .map(|target| w::Webhook { service: target.service.to_string(), url: target.url().to_owned() });
    Ok(w::ListWebhooksResponse { webhooks: webhooks.collect() })
}

pub(super) async fn remove_webhook(
    staff: &Staff,
    service: &str,
    by: By,
) -> Result<w::RemoveWebhookResponse, Status> {
    let name = ServiceName::new(service).map_err(invalid)?;
    if !staff.ask(staff.portal.db.remove_webhook_target(name, by)).await? {
        let list = "`kms-portal webhook list` lists those that are told";
        return Err(Status::not_found(format!("no service {service:?} is told; {list}")));
    }
    Ok(w::RemoveWebhookResponse {})
}

fn unknown(number: u64) -> Status {
    let list = "`kms-portal outbox list` lists those that there are";
    Status::not_found(format!("there is no message {number} that waits or was given up; {list}"))
}

fn message_of(message: PostedMessage) -> w::OutboxMessage {
    let (to, subject, text) = match message.what {
        Outgoing::Mail { to, subject, body, .. } => (to, subject, body),
        Outgoing::Webhook { service, event, .. } => (service.to_string(), String::new(), event),
    };
    let (next_try_at, sent_at) = match message.state {
        MessageState::Waits(at) => (at.unix_ms(), 0),
        MessageState::Sent(at) => (0, at.unix_ms()),
        MessageState::GivenUp => (0, 0),
    };
    w::OutboxMessage {
        number: message.number,
        to,
        subject,
        text,
        posted_at: message.posted_at.unix_ms(),
        next_try_at,
        sent_at,
        tries: message.tries,
        fault: message.fault,
    }
}
