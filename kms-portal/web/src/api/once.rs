//! A call with an `Idempotency-Key` is carried out once: whoever asks again with the key gets the same answer for a day.
//!
//! Only what has succeeded is kept. A refusal has changed nothing, so the call may be tried again with the same key.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Extension, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use kms_portal::db::{CallKey, CallStart, GivenAnswer};
use sha2::{Digest as _, Sha256};

use super::BODY_MAX_BYTES;
use super::admit::ApiCaller;
use super::problem::{ApiProblem, ProblemKind};
use crate::Web;

/// The header that has the key.
pub(super) const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header of an answer that was given before.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key, in bytes.
const KEY_MAX_BYTES: usize = 255;

/// Carries a call out, unless it was carried out before.
pub(super) async fn once(
    State(web): State<Web>,
    Extension(caller): Extension<ApiCaller>,
    request: Request,
    next: Next,
) -> Response {
    if !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    let (call, request) = match read(&caller, request).await {
        Ok(read) => read,
        Err(problem) => return problem.into_response(),
    };
    match start(&web, &call).await {
        Ok(Some(answer)) => answered(answer),
        // It goes on even if the program hangs up, so that its answer is kept.
        Ok(None) => {
            let carried_out = tokio::spawn(carry_out(web, call, request, next)).await;
            carried_out.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
        Err(problem) => problem.into_response(),
    }
}

/// By what the call is known again.
async fn read(caller: &ApiCaller, request: Request) -> Result<(CallKey, Request), ApiProblem> {
    let key = request.headers().get(KEY).and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    if !(1..=KEY_MAX_BYTES).contains(&key.len()) {
        return Err(ApiProblem::new(ProblemKind::BadKey, "draw a random one for each request"));
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_MAX_BYTES).await.map_err(|error| {
        ApiProblem::new(ProblemKind::TooLarge, format!("a body has at most {BODY_MAX_BYTES} bytes: {error}"))
    })?;
    let mut digest = Sha256::new();
    for part in [parts.method.as_str(), "\n", &parts.uri.to_string(), "\n"] {
        digest.update(part);
    }
    digest.update(&body);
    let call = CallKey { token: caller.token, key, request: digest.finalize().into() };
    Ok((call, Request::from_parts(parts, Body::from(body))))
}

/// The answer that was given before; none if it is to be carried out now.
async fn start(web: &Web, call: &CallKey) -> Result<Option<GivenAnswer>, ApiProblem> {
    let started = web.portal.db.start_call(call.clone(), web.portal.clock.now()).await;
    let (kind, detail) = match started.map_err(|error| ApiProblem::failed(web, error))? {
        CallStart::Fresh => return Ok(None),
        CallStart::Answered(answer) => return Ok(Some(answer)),
        CallStart::UnderWay => (ProblemKind::UnderWay, "ask again in a moment"),
        CallStart::OtherRequest => (ProblemKind::OtherRequest, "give each request a key of its own"),
        CallStart::TooMany => (ProblemKind::TooManyCalls, "go on in 24 hours, or without keys"),
    };
    Err(ApiProblem::new(kind, detail))
}

async fn carry_out(web: Web, call: CallKey, request: Request, next: Next) -> Response {
    let (parts, body) = next.run(request).await.into_parts();
    // Every answer is made in memory, so reading it cannot fail.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let done = parts.status.is_success();
    let answer = done.then(|| GivenAnswer { status: parts.status.as_u16(), body: body.to_vec() });
    if let Err(error) = web.portal.db.end_call(call, answer).await {
        web.portal.failed_at(error);
    }
    Response::from_parts(parts, Body::from(body))
}

fn answered(GivenAnswer { status, body }: GivenAnswer) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let is_json = !body.is_empty();
    let mut answer = (status, Bytes::from(body)).into_response();
    answer.headers_mut().remove(CONTENT_TYPE);
    if is_json {
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    answer
}
