//! Subscriptions of organisations, as staff sells, renews and disables them.

use std::num::NonZeroU32;

use bytes::Bytes;
use kms_portal_rules::SubscriptionId;
use kms_portal_rules::life::{DisabledBy, LifeStage, Subscription};
use kms_portal_rules::offers::OfferName;
use proto::portal::v1 as w;
use proto::portal::v1::change_subscription_request::Change;
use shared::time::Timestamp;
use tonic::Status;

use super::{Staff, invalid, time};
use crate::db::{Actor, By, PeopleUnchanged, SoldSubscription, SubscriptionChange};

pub(super) async fn list(
    staff: &Staff,
    wanted: w::ListSubscriptionsRequest,
) -> Result<w::ListSubscriptionsResponse, Status> {
    let organisation = staff.organisation(&wanted.organisation).await?;
    let sold = staff.ask(staff.portal.db.subscriptions(organisation.id)).await?;
    let now = staff.portal.clock.now();
    Ok(w::ListSubscriptionsResponse { subscriptions: sold.iter().map(|sold| of_wire(sold, now)).collect() })
}

pub(super) async fn add(
    staff: &Staff,
    wanted: w::AddSubscriptionRequest,
    by: By,
) -> Result<w::AddSubscriptionResponse, Status> {
    let organisation = staff.organisation(&wanted.organisation).await?.id;
    let now = by.at;
    let ends_at = term(wanted.ends_at, now)?;
    let sold = SoldSubscription {
        id: SubscriptionId::from_bytes(rand::random()),
        organisation,
        offer: OfferName::new(wanted.offer).map_err(invalid)?,
        seats: seats(wanted.seats)?,
        life: Subscription::new(now, ends_at),
        renews: wanted.renews,
    };
    let done = staff.portal.db.subscribe(sold.clone(), Actor::staff(by));
    staff.ask(done).await?.map_err(unchanged)?;
    Ok(w::AddSubscriptionResponse { subscription: Some(of_wire(&sold, now)) })
}

pub(super) async fn change(
    staff: &Staff,
    wanted: w::ChangeSubscriptionRequest,
    by: By,
) -> Result<w::ChangeSubscriptionResponse, Status> {
    let organisation = staff.organisation(&wanted.organisation).await?.id;
    let id = SubscriptionId::from_slice(&wanted.id);
    let id = id.ok_or_else(|| Status::invalid_argument("the id of a subscription has 16 bytes"))?;
    let now = by.at;
    let change = match wanted.change {
        Some(Change::PaidUntil(ends_at)) => SubscriptionChange::Paid(term(ends_at, now)?),
        Some(Change::Seats(wanted)) => SubscriptionChange::Seats(seats(wanted)?),
        Some(Change::Disabled(disabled)) => SubscriptionChange::Disable(disabled),
        Some(Change::Cancelled(true)) => SubscriptionChange::Cancel,
        Some(Change::Cancelled(false)) => SubscriptionChange::TakeCancellationBack,
        None => return Err(Status::invalid_argument("it names no change")),
    };
    let done = staff.portal.db.change_subscription(organisation, id, change, Actor::staff(by));
    let sold = staff.ask(done).await?.map_err(unchanged)?;
    Ok(w::ChangeSubscriptionResponse { subscription: Some(of_wire(&sold, now)) })
}

/// The end of a term that is paid now.
fn term(ends_at: i64, now: Timestamp) -> Result<Timestamp, Status> {
    let ends_at = time(ends_at).filter(|ends_at| now < *ends_at);
    ends_at.ok_or_else(|| Status::invalid_argument("the term would have ended already"))
}

fn seats(seats: u32) -> Result<NonZeroU32, Status> {
    NonZeroU32::new(seats).ok_or_else(|| Status::invalid_argument("a subscription has a seat at least"))
}

fn unchanged(unchanged: PeopleUnchanged) -> Status {
    match unchanged {
        PeopleUnchanged::UnknownOffer | PeopleUnchanged::UnknownSubscription => {
            Status::not_found(unchanged.to_string())
        }
        other => Status::failed_precondition(other.to_string()),
    }
}

fn of_wire(sold: &SoldSubscription, now: Timestamp) -> w::Subscription {
    let (stage, until) = sold.life.at(now);
    w::Subscription {
        id: Bytes::copy_from_slice(sold.id.as_bytes()),
        offer: sold.offer.to_string(),
        seats: sold.seats.get(),
        starts_at: sold.life.starts_at.unix_ms(),
        ends_at: sold.life.ends_at.unix_ms(),
        renews: sold.renews,
        stage: name_of(stage).to_owned(),
        stage_until: until.map_or(0, Timestamp::unix_ms),
    }
}

const fn name_of(stage: LifeStage) -> &'static str {
    match stage {
        LifeStage::Ahead => "ahead",
        LifeStage::Active => "active",
        LifeStage::Expired => "expired",
        LifeStage::Disabled(DisabledBy::Term) => "disabled-by-term",
        LifeStage::Disabled(DisabledBy::Cancellation) => "disabled-by-cancellation",
        LifeStage::Disabled(DisabledBy::Vendor) => "disabled-by-vendor",
        LifeStage::Ended => "ended",
    }
}
