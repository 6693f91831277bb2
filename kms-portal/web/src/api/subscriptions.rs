//! Calls about what the vendor sells, and what the organisation has bought.

use axum::Json;
use axum::extract::{Extension, Path, State};
use kms_portal::db::SubscriptionChange;
use serde::Deserialize;
use utoipa::ToSchema;

use super::admit::ApiCaller;
use super::problem::ApiProblem;
use super::wire::{ApiOffers, ApiSubscription, ApiSubscriptions, JsonBody, id};
use crate::Web;

pub(super) async fn offers(State(web): State<Web>) -> Result<Json<ApiOffers>, ApiProblem> {
    let offers = web.portal.db.offers().await.map_err(|error| ApiProblem::failed(&web, error))?;
    Ok(Json(offers.into()))
}

pub(super) async fn list(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
) -> Result<Json<ApiSubscriptions>, ApiProblem> {
    let found = web.portal.db.subscriptions(caller.organisation).await;
    let (found, now) = (found.map_err(|error| ApiProblem::failed(&web, error))?, web.portal.clock.now());
    let subscriptions = found.iter().map(|sold| ApiSubscription::new(sold, now)).collect();
    Ok(Json(ApiSubscriptions { subscriptions }))
}

/// Whether a subscription is to be renewed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RenewalWish {
    renews: bool,
}

pub(super) async fn set_renewal(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    Path(subscription): Path<String>,
    JsonBody(wish): JsonBody<RenewalWish>,
) -> Result<Json<ApiSubscription>, ApiProblem> {
    change(&web, &caller, &subscription, SubscriptionChange::Renews(wish.renews)).await
}

pub(super) async fn cancel(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    Path(subscription): Path<String>,
) -> Result<Json<ApiSubscription>, ApiProblem> {
    change(&web, &caller, &subscription, SubscriptionChange::Cancel).await
}

pub(super) async fn reactivate(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    Path(subscription): Path<String>,
) -> Result<Json<ApiSubscription>, ApiProblem> {
    change(&web, &caller, &subscription, SubscriptionChange::TakeCancellationBack).await
}

async fn change(
    web: &Web,
    caller: &ApiCaller,
    subscription: &str,
    change: SubscriptionChange,
) -> Result<Json<ApiSubscription>, ApiProblem> {
    let actor = caller.actor(web);
    let now = actor.by.at;
    let changed =
        web.portal.db.change_subscription(caller.organisation, id(subscription)?, change, actor).await;
    let changed = changed.map_err(|error| ApiProblem::failed(web, error))??;
    Ok(Json(ApiSubscription::new(&changed, now)))
}
