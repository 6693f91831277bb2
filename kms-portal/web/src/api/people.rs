//! Calls about people and their roles.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use kms_portal::db::{NewPerson, PersonFilter};
use kms_portal::rules::PersonId;
use kms_portal::rules::offers::Country;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::admit::ApiCaller;
use super::problem::{ApiProblem, ProblemKind};
use super::wire::{ApiPeople, ApiPerson, JsonBody, QueryOf, id, name, read_roles, roles_schema};
use crate::Web;

/// How many people are listed at once.
const LISTED: u32 = 100;
const LISTED_MAX: u32 = 500;

/// Which people are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
#[derive(Default)]
pub(super) struct WhichPeople {
    /// Those behind this one: `next` of the list before.
    #[param(pattern = "^[0-9a-f]{32}$")]
    after: Option<String>,
    /// At most so many; 100 if it is not said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only those without any licence.
    unlicensed: bool,
    /// Those who were deleted, instead of those who are there.
    deleted: bool,
}

pub(super) async fn list(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    QueryOf(which): QueryOf<WhichPeople>,
) -> Result<Json<ApiPeople>, ApiProblem> {
    let limit = which.limit.unwrap_or(LISTED);
    if !(1..=LISTED_MAX).contains(&limit) {
        let fault = format!("`limit` is a number from 1 to {LISTED_MAX}");
        return Err(ApiProblem::new(ProblemKind::BadRequest, fault));
    }
    let after = which.after.as_deref().map(id).transpose()?;
    let WhichPeople { unlicensed, deleted, .. } = which;
    let filter = PersonFilter { organisation: caller.organisation, after, unlicensed, deleted };
    // One more says whether any follow.
    let found = web.portal.db.people(filter, limit + 1).await;
    let mut found = found.map_err(|error| ApiProblem::failed(&web, error))?;
    let limit = limit as usize;
    let more = limit < found.len();
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Json(ApiPeople { people: found.into_iter().map(ApiPerson::from).collect(), next }))
}

pub(super) async fn show(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    Path(person): Path<String>,
) -> Result<Json<ApiPerson>, ApiProblem> {
    one(&web, &caller, id(&person)?).await
}

/// A person of the organisation. Others look like those who are not there.
async fn one(web: &Web, caller: &ApiCaller, person: PersonId) -> Result<Json<ApiPerson>, ApiProblem> {
    let found = web.portal.db.person(person).await.map_err(|error| ApiProblem::failed(web, error))?;
    let own = found.filter(|found| found.organisation == Some(caller.organisation));
    let own = own.ok_or_else(|| ApiProblem::new(ProblemKind::NotFound, "no such person is known"))?;
    Ok(Json(own.into()))
}

/// A person to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonToAdd {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Their e-mail address. Nobody else in the organisation has it.
    #[schema(max_length = 254)]
    address: String,
    /// Where they use what they have: two letters, as in ISO 3166-1. Licences need it.
    #[schema(pattern = "^[A-Za-z]{2}$")]
    location: Option<String>,
}

pub(super) async fn add(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    JsonBody(wanted): JsonBody<PersonToAdd>,
) -> Result<(StatusCode, Json<ApiPerson>), ApiProblem> {
    let id = PersonId::from_bytes(rand::random());
    let country = |code: &str| {
        Country::from_code(code)
            .ok_or_else(|| ApiProblem::invalid("a location has two letters, as in ISO 3166-1"))
    };
    let person = NewPerson {
        id,
        organisation: Some(caller.organisation),
        name: name(&wanted.name)?,
        address: wanted.address,
        location: wanted.location.as_deref().map(country).transpose()?,
    };
    let added = web.portal.db.add_person(person, caller.actor(&web)).await;
    added.map_err(|error| ApiProblem::failed(&web, error))??;
    Ok((StatusCode::CREATED, one(&web, &caller, id).await?))
}

pub(super) async fn delete(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    Path(person): Path<String>,
) -> Result<StatusCode, ApiProblem> {
    let deleted = web.portal.db.delete_person(id(&person)?, caller.actor(&web)).await;
    deleted.map_err(|error| ApiProblem::failed(&web, error))??;
    Ok(StatusCode::NO_CONTENT)
}

/// How a person is restored.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestoreRequest {
    /// Another address, where theirs was given to somebody else.
    #[schema(max_length = 254)]
    address: Option<String>,
}

pub(super) async fn restore(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    Path(person): Path<String>,
    JsonBody(wanted): JsonBody<RestoreRequest>,
) -> Result<Json<ApiPerson>, ApiProblem> {
    let person = id(&person)?;
    let restored = web.portal.db.restore_person(person, wanted.address, caller.actor(&web)).await;
    restored.map_err(|error| ApiProblem::failed(&web, error))??;
    one(&web, &caller, person).await
}

pub(super) async fn block(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    Path(person): Path<String>,
) -> Result<StatusCode, ApiProblem> {
    set_blocked(&web, &caller, &person, true).await
}

pub(super) async fn unblock(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    Path(person): Path<String>,
) -> Result<StatusCode, ApiProblem> {
    set_blocked(&web, &caller, &person, false).await
}

async fn set_blocked(
    web: &Web,
    caller: &ApiCaller,
    person: &str,
    blocked: bool,
) -> Result<StatusCode, ApiProblem> {
    let done = web.portal.db.block_person(id(person)?, blocked, caller.actor(web)).await;
    done.map_err(|error| ApiProblem::failed(web, error))??;
    Ok(StatusCode::NO_CONTENT)
}

/// Roles to give.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RolesToGive {
    /// All that the person is to have. None make them no administrator.
    #[schema(schema_with = roles_schema)]
    roles: Vec<String>,
}

pub(super) async fn set_roles(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    Path(person): Path<String>,
    JsonBody(wanted): JsonBody<RolesToGive>,
) -> Result<Json<ApiPerson>, ApiProblem> {
    let (person, roles) = (id(&person)?, read_roles(&wanted.roles)?);
    let set = web.portal.db.set_roles(person, roles, caller.actor(&web)).await;
    set.map_err(|error| ApiProblem::failed(&web, error))??;
    one(&web, &caller, person).await
}
