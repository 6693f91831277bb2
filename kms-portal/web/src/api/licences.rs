//! Calls that give licences to people and take them: for many at once, and first as a question if the program wants to look.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Extension, State};
use kms_portal::db::Assignment;
use kms_portal::rules::PersonId;
use kms_portal::rules::offers::{OfferName, ServiceName};
use kms_portal::rules::seats::{IfNotAll, SeatChange, WantedSeats};
use serde::Deserialize;
use utoipa::ToSchema;

use super::admit::ApiCaller;
use super::problem::{ApiProblem, ProblemKind};
use super::wire::{ApiPlan, JsonBody, id, ids_schema};
use crate::Web;

/// For how many people licences are changed at once.
pub(super) const PEOPLE_MAX: usize = 10_000;

/// What happens if there is not enough for everybody.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum IfNotEnough {
    /// Nobody gets anything, and the answer is 409.
    #[default]
    Nobody,
    /// The first ones on the list are served.
    TheFirst,
}

/// Licences to give.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LicencesToGive {
    /// Who gets them, in the order in which they are served. Each is named once.
    #[schema(schema_with = ids_schema)]
    people: Vec<String>,
    /// The offers by name, each with the services that are switched off.
    offers: BTreeMap<String, BTreeSet<String>>,
    #[serde(default)]
    if_not_enough: IfNotEnough,
    /// Only say what it would do.
    #[serde(default)]
    dry_run: bool,
}

/// Licences to take.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LicencesToTake {
    /// From whom they are taken. Each is named once.
    #[schema(schema_with = ids_schema)]
    people: Vec<String>,
    /// The offers by name.
    offers: BTreeSet<String>,
    /// Only say what it would do.
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn assign(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    JsonBody(wanted): JsonBody<LicencesToGive>,
) -> Result<Json<ApiPlan>, ApiProblem> {
    let change = SeatChange::Add(seats(&wanted.offers)?);
    carry_out(&web, &caller, &wanted.people, change, wanted.if_not_enough, wanted.dry_run).await
}

pub(super) async fn replace(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    JsonBody(wanted): JsonBody<LicencesToGive>,
) -> Result<Json<ApiPlan>, ApiProblem> {
    let change = SeatChange::Replace(seats(&wanted.offers)?);
    carry_out(&web, &caller, &wanted.people, change, wanted.if_not_enough, wanted.dry_run).await
}

pub(super) async fn revoke(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    JsonBody(wanted): JsonBody<LicencesToTake>,
) -> Result<Json<ApiPlan>, ApiProblem> {
    let offers = wanted.offers.iter().map(|name| offer(name)).collect::<Result<_, _>>()?;
    carry_out(&web, &caller, &wanted.people, SeatChange::Revoke(offers), IfNotEnough::Nobody, wanted.dry_run)
        .await
}

async fn carry_out(
    web: &Web,
    caller: &ApiCaller,
    people: &[String],
    change: SeatChange,
    if_not_enough: IfNotEnough,
    dry_run: bool,
) -> Result<Json<ApiPlan>, ApiProblem> {
    if !(1..=PEOPLE_MAX).contains(&people.len()) {
        return Err(ApiProblem::invalid(format!("`people` has 1 to {PEOPLE_MAX} ids")));
    }
    let people = people.iter().map(|person| id(person)).collect::<Result<Vec<PersonId>, _>>()?;
    if people.iter().collect::<BTreeSet<_>>().len() < people.len() {
        return Err(ApiProblem::invalid("`people` names somebody twice"));
    }
    let if_not_all = match if_not_enough {
        IfNotEnough::Nobody => IfNotAll::Nobody,
        IfNotEnough::TheFirst => IfNotAll::TheFirst,
    };
    let (organisation, actor) = (caller.organisation, caller.actor(web));
    let assignment = Assignment { organisation, people, change, if_not_all, dry_run, actor };
    let planned = web.portal.db.assign(assignment).await;
    let plan = planned.map_err(|error| ApiProblem::failed(web, error))??;
    let told = ApiPlan::new(&plan, dry_run);
    if !dry_run && if_not_all == IfNotAll::Nobody && 0 < plan.refused() {
        let detail =
            "`people` says why for each, and `short` how many seats are missing; nothing was changed";
        return Err(ApiProblem::new(ProblemKind::NotForAll, detail)
            .with("people", told.people)
            .with("short", told.short));
    }
    Ok(Json(told))
}

fn seats(wanted: &BTreeMap<String, BTreeSet<String>>) -> Result<WantedSeats, ApiProblem> {
    let seat = |(name, off): (&String, &BTreeSet<String>)| {
        let off = off.iter().map(|name| ServiceName::new(name).map_err(|fault| not_a_name(name, fault)));
        Ok((offer(name)?, off.collect::<Result<_, _>>()?))
    };
    wanted.iter().map(seat).collect()
}

fn offer(name: &str) -> Result<OfferName, ApiProblem> {
    OfferName::new(name).map_err(|fault| not_a_name(name, fault))
}

fn not_a_name(name: &str, fault: impl std::fmt::Display) -> ApiProblem {
    ApiProblem::invalid(format!("{name:?}: {fault}"))
}
