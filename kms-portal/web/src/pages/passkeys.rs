//! Passkeys: signing in with one, and the page where people make and remove theirs.
//!
//! `static/passkeys.js` speaks to the browser. Without it the forms stay hidden, and people sign in with a password.

use askama::Template;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use kms_portal::act::passkeys::{AskedPasskey, NamedPasskey, NotByPasskey};
use kms_portal::token::CeremonyToken;
use serde::Deserialize;

use super::{Sent, answer};
use crate::Web;
use crate::frame::{Frame, page_with};
use crate::refused::PageRefusal;
use crate::signed_in::{Proved, SignedIn, kept_cookie, own_path};
use crate::visitor::{Visitor, cookie};

/// The cookie of a browser that was asked for a passkey. The page that asks sends it, and no other site.
const COOKIE: &str = "kms-passkey";

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/sign-in/passkey/begin", post(begin_sign_in))
        .route("/sign-in/passkey", post(sign_in))
        .route("/account/passkeys", get(list).post(add))
        .route("/account/passkeys/begin", post(begin_adding))
        .route("/account/passkeys/remove", post(remove))
}

#[derive(Template)]
#[template(path = "passkeys.html")]
struct PasskeysPage {
    frame: Frame,
    passkeys: Vec<Row>,
    /// What went wrong; empty if nothing did.
    problem: String,
}

struct Row {
    id: String,
    label: String,
    made: String,
    used: String,
}

#[derive(Deserialize)]
struct SignInForm {
    answer: String,
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
struct AddForm {
    answer: String,
    #[serde(default)]
    label: String,
}

#[derive(Deserialize)]
struct RemoveForm {
    id: String,
}

async fn begin_sign_in(State(web): State<Web>, visitor: Visitor) -> Response {
    let done = async {
        let passkeys = web.passkeys.as_ref().ok_or(PageRefusal::NotFound)?;
        Ok(options(&web, passkeys.ask_to_sign_in(&web.portal, visitor.source()?).await?))
    };
    answer(&web, &visitor.frame(), done.await)
}

async fn sign_in(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    form: Sent<SignInForm>,
) -> Response {
    let done = async {
        let Form(form) = form?;
        let Some((passkeys, ceremony)) = web.passkeys.as_ref().zip(ceremony(&headers)) else {
            return Ok(Redirect::to("/sign-in").into_response());
        };
        let session = passkeys.sign_in(&web.portal, &ceremony, &form.answer, visitor.source()?).await?;
        let mut there = match &session {
            Ok(_) => Redirect::to(own_path(&form.to)).into_response(),
            Err(_) => Redirect::to("/sign-in?done=no-passkey").into_response(),
        };
        let cookies = session.ok().and_then(|session| kept_cookie(&web, &session));
        there.headers_mut().extend(cookies.into_iter().chain(forgotten()).map(|value| (SET_COOKIE, value)));
        Ok(there)
    };
    answer(&web, &visitor.frame(), done.await)
}

async fn list(State(web): State<Web>, who: SignedIn) -> Response {
    let done = shown(&web, &who, StatusCode::OK, String::new()).await;
    answer(&web, &who.frame(), done)
}

async fn begin_adding(State(web): State<Web>, Proved(who): Proved) -> Response {
    let done = async {
        let passkeys = web.passkeys.as_ref().ok_or(PageRefusal::NotFound)?;
        Ok(options(&web, passkeys.ask_to_make(&web.portal, who.person(), who.visitor.source()?).await?))
    };
    answer(&web, &who.frame(), done.await)
}

async fn add(
    State(web): State<Web>,
    Proved(who): Proved,
    headers: HeaderMap,
    form: Sent<AddForm>,
) -> Response {
    let done = async {
        let Form(AddForm { answer, label }) = form?;
        let Some((passkeys, ceremony)) = web.passkeys.as_ref().zip(ceremony(&headers)) else {
            return Ok(Redirect::to("/account/passkeys").into_response());
        };
        let label = if label.trim().is_empty() { who.frame().t("passkey-unnamed") } else { label };
        let added = passkeys.add(&web.portal, who.person(), &ceremony, &answer, &label, who.actor(""));
        let mut there = match added.await? {
            Ok(()) => Redirect::to("/account/passkeys").into_response(),
            Err(refused) => {
                let problem = who.frame().t(text_of(refused));
                shown(&web, &who, StatusCode::UNPROCESSABLE_ENTITY, problem).await?
            }
        };
        there.headers_mut().extend(forgotten().map(|value| (SET_COOKIE, value)));
        Ok(there)
    };
    answer(&web, &who.frame(), done.await)
}

async fn remove(State(web): State<Web>, Proved(who): Proved, form: Sent<RemoveForm>) -> Response {
    let done = async {
        let Form(RemoveForm { id }) = form?;
        if web.portal.db.remove_passkey(who.person().id, id, who.actor("")).await?.is_ok() {
            return Ok(Redirect::to("/account/passkeys").into_response());
        }
        let problem = who.frame().t("passkey-last");
        shown(&web, &who, StatusCode::CONFLICT, problem).await
    };
    answer(&web, &who.frame(), done.await)
}

async fn shown(
    web: &Web,
    who: &SignedIn,
    status: StatusCode,
    problem: String,
) -> Result<Response, PageRefusal> {
    let frame = who.frame();
    let stored = web.portal.db.passkeys(who.person().id).await?;
    let passkeys = stored.into_iter().filter_map(|stored| {
        let named = NamedPasskey::of(&stored)?;
        let date = |at| frame.texts.shared().date(at);
        let used = named.used_at().map_or_else(|| frame.t("passkey-never-used"), date);
        Some(Row { made: date(stored.made_at), used, label: named.label, id: stored.id })
    });
    let passkeys = passkeys.collect();
    Ok(page_with(status, &PasskeysPage { frame, passkeys, problem }))
}

const fn text_of(refused: NotByPasskey) -> &'static str {
    match refused {
        NotByPasskey::NotAsked => "passkey-late",
        NotByPasskey::Wrong => "passkey-wrong",
        NotByPasskey::NoRoom => "passkey-no-room",
    }
}

/// The options for a browser, with the cookie that names them.
fn options(web: &Web, asked: Result<AskedPasskey, NotByPasskey>) -> Response {
    let Ok(AskedPasskey { options, cookie }) = asked else {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    };
    let secure = if web.address.is_secure() { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=300{secure}", *cookie.text());
    let mut answer = ([(CONTENT_TYPE, "application/json")], options).into_response();
    answer.headers_mut().extend(HeaderValue::from_str(&cookie).ok().map(|cookie| (SET_COOKIE, cookie)));
    answer
}

/// The ceremony that a browser answers.
fn ceremony(headers: &HeaderMap) -> Option<CeremonyToken> {
    cookie(headers, COOKIE).and_then(CeremonyToken::parse)
}

/// What makes a browser forget it.
fn forgotten() -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")).ok()
}
