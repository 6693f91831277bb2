//! `outbox`: what leaves the portal. `webhook`: which services are told what happens to people.

use clap::Subcommand;
use program::output::json_text;
use proto::portal::v1 as w;
use serde_json::{Value, json};

use super::ask::{PortalAt, ask};
use super::failure::Failure;
use super::shown::{instant, table, time};
use super::{Noted, Output};

#[derive(Debug, Subcommand)]
pub(super) enum OutboxVerb {
    /// List mails and events, the latest first.
    List {
        /// List only those that were given up.
        #[arg(long)]
        given_up: bool,
        /// Most messages to list.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        output: Output,
    },
    /// Show a message with its text. A mail may have a link in it that lets its reader in.
    Show {
        /// Number of the message.
        number: u64,
        #[command(flatten)]
        output: Output,
    },
    /// Try a message again at once, or every one that was given up.
    Retry {
        /// Number of the message [default: every one that was given up].
        #[arg(value_parser = clap::value_parser!(u64).range(1..))]
        number: Option<u64>,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum WebhookVerb {
    /// Have a service told, or told elsewhere. Prints the new secret that its messages are signed with.
    Set {
        /// Name of the service.
        service: String,
        /// Where to tell it: an address with https://.
        #[arg(long)]
        url: String,
        #[command(flatten)]
        noted: Noted,
    },
    /// List the services that are told.
    List(Output),
    /// Have a service told nothing any more.
    Remove {
        /// Name of the service.
        service: String,
        #[command(flatten)]
        noted: Noted,
    },
}

pub(super) fn run(at: &PortalAt, command: OutboxVerb) -> Result<String, Failure> {
    match command {
        OutboxVerb::List { given_up, limit, output } => {
            let request = w::ListMessagesRequest { before: 0, limit, given_up };
            let messages =
                ask(at, async |mut portal| Ok(portal.list_messages(request).await?.into_inner().messages))?;
            if output.json {
                return Ok(json_text(&messages.iter().map(value).collect()));
            }
            let rows = messages.into_iter().map(|message| {
                let state = state(&message);
                vec![message.number.to_string(), message.to, message.subject, state, message.fault]
            });
            Ok(table(&["number", "to", "subject", "state", "last fault"], rows))
        }
        OutboxVerb::Show { number, output } => {
            let request = w::GetMessageRequest { number };
            let message =
                ask(at, async |mut portal| Ok(portal.get_message(request).await?.into_inner().message))?;
            let message = message.unwrap_or_default();
            if output.json {
                return Ok(json_text(&value(&message)));
            }
            let state = state(&message);
            let w::OutboxMessage { to, subject, text, fault, .. } = message;
            let fault = if fault.is_empty() { fault } else { format!("Fault:   {fault}\n") };
            Ok(format!("To:      {to}\nSubject: {subject}\nState:   {state}\n{fault}\n{text}\n"))
        }
        OutboxVerb::Retry { number, output } => {
            let request = w::RetryMessagesRequest { number: number.unwrap_or(0) };
            let messages =
                ask(at, async |mut portal| Ok(portal.retry_messages(request).await?.into_inner().messages))?;
            Ok(if output.json {
                json_text(&json!({ "messages": messages }))
            } else {
                format!("{messages} messages are tried again at once.\n")
            })
        }
    }
}

pub(super) fn run_webhook(at: &PortalAt, command: WebhookVerb) -> Result<String, Failure> {
    match command {
        WebhookVerb::Set { service, url, noted } => {
            let request = w::SetWebhookRequest { service: service.clone(), url, note: noted.note };
            let secret =
                ask(at, async |mut portal| Ok(portal.set_webhook(request).await?.into_inner().secret))?;
            Ok(if noted.json {
                json_text(&json!({ "service": service, "secret": secret }))
            } else {
                format!(
                    "{secret}\n\nMessages to {service} are signed with this secret. It is shown only now.\n"
                )
            })
        }
        WebhookVerb::List(Output { json }) => {
            let request = w::ListWebhooksRequest {};
            let webhooks =
                ask(at, async |mut portal| Ok(portal.list_webhooks(request).await?.into_inner().webhooks))?;
            if json {
                let list = webhooks.iter().map(|one| json!({ "service": one.service, "url": one.url }));
                return Ok(json_text(&list.collect()));
            }
            Ok(table(&["service", "told at"], webhooks.into_iter().map(|one| vec![one.service, one.url])))
        }
        WebhookVerb::Remove { service, noted } => {
            let request = w::RemoveWebhookRequest { service: service.clone(), note: noted.note };
            ask(at, async |mut portal| portal.remove_webhook(request).await)?;
            Ok(if noted.json {
                json_text(&json!({ "service": service, "removed": true }))
            } else {
                format!("The service {service} is told nothing any more.\n")
            })
        }
    }
}

fn state(message: &w::OutboxMessage) -> String {
    match (message.sent_at, message.next_try_at) {
        (0, 0) => format!("given up after {} tries", message.tries),
        (0, next) => format!("due {}", time(next)),
        (sent, _) => format!("sent {}", time(sent)),
    }
}

fn value(message: &w::OutboxMessage) -> Value {
    json!({
        "number": message.number,
        "to": message.to,
        "subject": message.subject,
        "text": message.text,
        "posted_at_ms": message.posted_at,
        "next_try_at_ms": instant(message.next_try_at),
        "sent_at_ms": instant(message.sent_at),
        "tries": message.tries,
        "fault": message.fault,
    })
}
