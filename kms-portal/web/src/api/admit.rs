//! Who calls: the token is looked up at each call, and may do what the table of calls says.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use kms_portal::db::{Actor, By, KnownApiToken, TokenRefused};
use kms_portal::rules::ApiTokenId;
use kms_portal::rules::rights::Act;
use kms_portal::token::ApiToken;
use server::Source;
use shared::ids::OrganisationId;
use shared::time::Length;

use super::problem::{ApiProblem, ProblemKind};
use crate::Web;

/// How exactly the last use of a token is kept. The exact time would cost a write for each call.
const USE_NOTED: Duration = Duration::from_hours(1);

/// The program that calls.
#[derive(Clone, Debug)]
pub(super) struct ApiCaller {
    /// Its token.
    pub(super) token: ApiTokenId,
    /// For whom it acts.
    pub(super) organisation: OrganisationId,
    name: String,
}

impl ApiCaller {
    /// As whom it changes something.
    pub(super) fn actor(&self, web: &Web) -> Actor {
        let who = format!("token {}", self.name);
        Actor::token(self.token, By { who, at: web.portal.clock.now(), why: String::new() })
    }
}

/// Lets a call through whose token may do this.
pub(super) async fn admit(
    State((web, act)): State<(Web, Act)>,
    mut request: Request,
    next: Next,
) -> Response {
    match caller(&web, act, request.headers(), request.extensions().get().copied()).await {
        Ok(caller) => {
            // It has done its work, and nothing behind this shall log it.
            request.headers_mut().remove(AUTHORIZATION);
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn caller(
    web: &Web,
    act: Act,
    headers: &HeaderMap,
    source: Option<Source>,
) -> Result<ApiCaller, ApiProblem> {
    let remedy =
        "send `Authorization: Bearer` and a token that a general administrator of the organisation has made";
    let shown = headers.get(AUTHORIZATION).ok_or(ApiProblem::new(ProblemKind::NoToken, remedy))?;
    let clock = &web.portal.clock;
    if let Some(Err(wait)) = source.map(|source| web.wrong_tokens.look(source, clock.monotonic())) {
        let detail = format!("no token from this address is looked up for {}", Length(wait));
        return Err(ApiProblem::new(ProblemKind::WrongTokens, detail).retry_in(wait));
    }
    let token = shown.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).and_then(ApiToken::parse);
    let found = match token {
        Some(token) => web.portal.db.admit_token(token.digest(), act, clock.now()).await,
        None => Ok(None),
    };
    let Some((known, admitted)) = found.map_err(|error| ApiProblem::failed(web, error))? else {
        source.inspect(|source| web.wrong_tokens.note(*source, clock.monotonic()));
        tracing::warn!(?source, "somebody has shown a token of an organisation that is unknown");
        return Err(ApiProblem::new(ProblemKind::UnknownToken, remedy));
    };
    admitted.map_err(|refused| match refused {
        TokenRefused::Forbidden(forbidden) => forbidden.into(),
        ended => ApiProblem::new(ProblemKind::TokenEnded, ended.to_string()),
    })?;
    note_use(web, &known).await;
    Ok(ApiCaller { token: known.id, organisation: known.organisation, name: known.name })
}

/// Notes when a token was used. If that cannot be written, the call is answered all the same.
async fn note_use(web: &Web, known: &KnownApiToken) {
    let now = web.portal.clock.now();
    if known.used_at.is_none_or(|used_at| used_at + USE_NOTED <= now)
        && let Err(error) = web.portal.db.use_api_token(known.id, now).await
    {
        web.portal.failed_at(error);
    }
}
