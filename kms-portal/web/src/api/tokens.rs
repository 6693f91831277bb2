//! Calls about tokens.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use kms_portal::db::NewApiToken;
use kms_portal::rules::ApiTokenId;
use kms_portal::token::ApiToken;
use serde::Deserialize;
use utoipa::ToSchema;

use super::admit::ApiCaller;
use super::problem::ApiProblem;
use super::wire::{
    ApiTokenInfo, ApiTokens, JsonBody, MadeToken, id, name, read_instant, read_roles, roles_schema,
};
use crate::Web;

pub(super) async fn list(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
) -> Result<Json<ApiTokens>, ApiProblem> {
    let known = web.portal.db.api_tokens(caller.organisation).await;
    let known = known.map_err(|error| ApiProblem::failed(&web, error))?;
    Ok(Json(ApiTokens { tokens: known.into_iter().map(ApiTokenInfo::from).collect() }))
}

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenToMake {
    /// What it is for.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What it may do. It never may do what the person who made it may not.
    #[schema(schema_with = roles_schema)]
    roles: Vec<String>,
    /// The first instant at which it is of no use any more.
    #[schema(format = DateTime)]
    ends_at: Option<String>,
}

pub(super) async fn make(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    JsonBody(wanted): JsonBody<TokenToMake>,
) -> Result<(StatusCode, Json<MadeToken>), ApiProblem> {
    let (actor, token) = (caller.actor(&web), ApiToken::draw());
    let ends_at = wanted.ends_at.as_deref().map(read_instant).transpose()?;
    if ends_at.is_some_and(|ends_at| ends_at <= actor.by.at) {
        return Err(ApiProblem::invalid("the token would have ended already"));
    }
    let id = ApiTokenId::from_bytes(rand::random());
    let new = NewApiToken {
        id,
        organisation: caller.organisation,
        name: name(&wanted.name)?,
        digest: token.digest(),
        roles: read_roles(&wanted.roles)?,
        ends_at,
    };
    let made = web.portal.db.make_api_token(new, actor).await;
    made.map_err(|error| ApiProblem::failed(&web, error))??;
    Ok((StatusCode::CREATED, Json(MadeToken { id: id.to_string(), token: token.text().to_string() })))
}

pub(super) async fn revoke(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    Path(token): Path<String>,
) -> Result<StatusCode, ApiProblem> {
    let revoked = web.portal.db.revoke_api_token(caller.organisation, id(&token)?, caller.actor(&web)).await;
    revoked.map_err(|error| ApiProblem::failed(&web, error))??;
    Ok(StatusCode::NO_CONTENT)
}
