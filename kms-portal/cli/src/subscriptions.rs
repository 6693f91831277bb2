//! `subscription`: what organisations have bought for their people.

use bytes::Bytes;
use clap::Subcommand;
use kms_portal::rules::SubscriptionId;
use program::output::json_text;
use proto::portal::v1 as w;
use proto::portal::v1::change_subscription_request::Change;
use serde_json::{Value, json};
use shared::time::Timestamp;

use super::ask::{PortalAt, ask};
use super::failure::Failure;
use super::shown::{date, day, hex, instant, table};
use super::{Noted, Output};

#[derive(Debug, Subcommand)]
pub(super) enum SubscriptionVerb {
    /// List the subscriptions of an organisation, in the order of their ends.
    List {
        /// Organisation, by name or id.
        organisation: String,
        #[command(flatten)]
        output: Output,
    },
    /// Add a subscription, which begins now.
    Add {
        /// Organisation, by name or id.
        organisation: String,
        /// Name of the offer, from `kms-portal offer list`.
        #[arg(long)]
        offer: String,
        /// Number of people who may have it.
        #[arg(long, value_name = "N")]
        seats: u32,
        /// First day after the term, in UTC: with 2028-01-01, its last day is 2027-12-31.
        #[arg(long, value_name = "DATE", value_parser = date)]
        ends: Timestamp,
        /// The vendor's billing is to renew it.
        #[arg(long)]
        renews: bool,
        #[command(flatten)]
        noted: Noted,
    },
    /// Renew a subscription, because a further term was paid. Renewing twice for the same term changes nothing.
    Renew {
        #[command(flatten)]
        which: Which,
        /// First day after the new term, in UTC.
        #[arg(long, value_name = "DATE", value_parser = date)]
        ends: Timestamp,
        #[command(flatten)]
        noted: Noted,
    },
    /// Change the number of seats. If more are assigned, everybody keeps working for 90 days.
    Seats {
        #[command(flatten)]
        which: Which,
        /// Number of people who may have it from now on.
        #[arg(value_name = "N")]
        seats: u32,
        #[command(flatten)]
        noted: Noted,
    },
    /// Disable a subscription, for an open invoice or for fraud. Its organisation cannot enable it.
    Disable(OneSubscription),
    /// Enable a subscription that was disabled.
    Enable(OneSubscription),
    /// Cancel a subscription in the middle of its term.
    Cancel(OneSubscription),
    /// Take a cancellation back, while the term that was paid runs.
    Reactivate(OneSubscription),
}

/// A subscription.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Organisation, by name or id.
    organisation: String,
    /// Id of the subscription, from `kms-portal subscription list`.
    id: SubscriptionId,
}

/// A subscription, and why.
#[derive(Debug, clap::Args)]
pub(super) struct OneSubscription {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    noted: Noted,
}

pub(super) fn run(at: &PortalAt, command: SubscriptionVerb) -> Result<String, Failure> {
    let one = |one: OneSubscription, what| change(at, one.which, one.noted, what);
    match command {
        SubscriptionVerb::List { organisation, output: Output { json } } => {
            let request = w::ListSubscriptionsRequest { organisation };
            let answer =
                ask(at, async |mut portal| Ok(portal.list_subscriptions(request).await?.into_inner()))?;
            let sold = answer.subscriptions;
            if json {
                return Ok(json_text(&sold.iter().map(as_json).collect()));
            }
            let rows = sold.iter().map(|one| {
                let stage = match one.stage_until {
                    0 => one.stage.clone(),
                    until => format!("{} until {}", one.stage, day(until)),
                };
                let renews = if one.renews { "yes" } else { "no" };
                let seats = one.seats.to_string();
                vec![one.offer.clone(), seats, day(one.ends_at), renews.to_owned(), stage, hex(&one.id)]
            });
            Ok(table(&["offer", "seats", "ends", "renews", "stage", "id"], rows))
        }
        SubscriptionVerb::Add { organisation, offer, seats, ends, renews, noted } => {
            let (ends_at, note) = (ends.unix_ms(), noted.note.clone());
            let request = w::AddSubscriptionRequest { organisation, offer, seats, ends_at, renews, note };
            let answer =
                ask(at, async |mut portal| Ok(portal.add_subscription(request).await?.into_inner()))?;
            Ok(shown(&answer.subscription.unwrap_or_default(), &noted))
        }
        SubscriptionVerb::Renew { which, ends, noted } => {
            change(at, which, noted, Change::PaidUntil(ends.unix_ms()))
        }
        SubscriptionVerb::Seats { which, seats, noted } => change(at, which, noted, Change::Seats(seats)),
        SubscriptionVerb::Disable(which) => one(which, Change::Disabled(true)),
        SubscriptionVerb::Enable(which) => one(which, Change::Disabled(false)),
        SubscriptionVerb::Cancel(which) => one(which, Change::Cancelled(true)),
        SubscriptionVerb::Reactivate(which) => one(which, Change::Cancelled(false)),
    }
}

fn change(at: &PortalAt, which: Which, noted: Noted, what: Change) -> Result<String, Failure> {
    let Which { organisation, id } = which;
    let (id, note) = (Bytes::copy_from_slice(id.as_bytes()), noted.note.clone());
    let request = w::ChangeSubscriptionRequest { organisation, id, change: Some(what), note };
    let answer = ask(at, async |mut portal| Ok(portal.change_subscription(request).await?.into_inner()))?;
    Ok(shown(&answer.subscription.unwrap_or_default(), &noted))
}

fn shown(one: &w::Subscription, noted: &Noted) -> String {
    if noted.json {
        return json_text(&as_json(one));
    }
    let (seats, ends, id) = (one.seats, day(one.ends_at), hex(&one.id));
    format!("{} for {seats} people until {ends}, {}. Its id is {id}.\n", one.offer, one.stage)
}

fn as_json(one: &w::Subscription) -> Value {
    json!({
        "id": hex(&one.id),
        "offer": one.offer,
        "seats": one.seats,
        "starts_at_ms": one.starts_at,
        "ends_at_ms": one.ends_at,
        "renews": one.renews,
        "stage": one.stage,
        "stage_until_ms": instant(one.stage_until),
    })
}
