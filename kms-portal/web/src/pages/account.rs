//! My account: what a person sees and changes of themselves.

use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use kms_portal::act::accounts::{self, AccountRefusal};
use kms_portal::db::Session;
use kms_portal::rules::passwords::PASSWORD_MIN;
use kms_portal_texts::Language;
use serde::Deserialize;

use super::faults::fault;
use super::register::SaidPage;
use super::{Sent, answer};
use crate::Web;
use crate::frame::{Frame, page, page_with};
use crate::refused::PageRefusal;
use crate::signed_in::{Proved, SignedIn, ended_cookie};

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/account", get(account))
        .route("/account/name", post(name))
        .route("/account/password", post(password))
        .route("/account/address", post(address))
        .route("/account/sessions", post(end_sessions))
        .route("/account/data", get(data))
        .route("/account/delete", get(delete_form).post(delete))
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    name: String,
    address: String,
    /// Whose work account it is; none for a personal account.
    organisation: Option<String>,
    sessions: Vec<ShownSession>,
    done: Option<String>,
    /// Which form has a fault, and what it is.
    fault: Option<(&'static str, String)>,
}

impl AccountPage {
    fn least(&self) -> String {
        self.frame.t1("accounts-password-hint", "least", PASSWORD_MIN)
    }

    fn fault_of(&self, form: &str) -> Option<&str> {
        self.fault.as_ref().filter(|(of, _)| *of == form).map(|(_, text)| text.as_str())
    }
}

struct ShownSession {
    source: String,
    made_at: String,
    /// How long ago somebody was last here.
    seen: String,
    is_this: bool,
}

/// What was just done.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Done {
    done: String,
}

#[derive(Deserialize)]
struct NameForm {
    name: String,
    language: String,
}

#[derive(Deserialize)]
struct PasswordForm {
    old: String,
    password: String,
}

#[derive(Deserialize)]
struct AddressForm {
    address: String,
}

async fn account(State(web): State<Web>, person: SignedIn, done: Query<Done>) -> Response {
    let frame = person.frame();
    let text = match done.done.as_str() {
        "name" => Some(frame.t("account-done-name")),
        "password" => Some(frame.t("sign-in-password-set")),
        "address" => Some(frame.t("account-done-address")),
        "sessions" => Some(frame.t("account-done-sessions")),
        _ => None,
    };
    let shown = shown(&web, &person, StatusCode::OK, text, None).await;
    answer(&web, &frame, shown)
}

async fn shown(
    web: &Web,
    person: &SignedIn,
    status: StatusCode,
    done: Option<String>,
    fault: Option<(&'static str, String)>,
) -> Result<Response, PageRefusal> {
    let of = person.person();
    let organisation = match of.organisation {
        Some(id) => web.portal.db.organisation(id).await?.map(|organisation| organisation.name),
        None => None,
    };
    let frame = person.frame();
    let shown = |session: Session| ShownSession {
        made_at: frame.date(session.made_at),
        seen: seen(&frame, person.now.since(session.seen_at)),
        is_this: session.digest == person.session.digest,
        source: session.source,
    };
    let sessions = web.portal.db.sessions(of.id, person.now).await?.into_iter().map(shown).collect();
    let (name, address) = (of.name.clone(), of.address.clone());
    Ok(page_with(
        status,
        &AccountPage { frame: person.frame(), name, address, organisation, sessions, done, fault },
    ))
}

fn seen(frame: &Frame, ago: Duration) -> String {
    frame.t1("account-session-seen", "ago", frame.texts.shared().length(ago))
}

async fn name(State(web): State<Web>, person: SignedIn, sent: Sent<NameForm>) -> Response {
    let done = async {
        let form = sent?.0;
        let Some(language) = Language::from_tag(&form.language) else { return Err(PageRefusal::BadForm) };
        let changed = accounts::edit(&web.portal, &person.session, &form.name, language).await;
        // The language that was chosen before on this machine would hide it.
        let there = format!("/account?done=name&language={}", language.tag());
        changed_or_fault(&web, &person, "name", changed, &there).await
    };
    answer(&web, &person.frame(), done.await)
}

async fn password(State(web): State<Web>, person: SignedIn, sent: Sent<PasswordForm>) -> Response {
    let done = async {
        let (form, source) = (sent?.0, person.visitor.source()?);
        let changed =
            accounts::change_password(&web.portal, &person.session, &form.old, &form.password, source).await;
        changed_or_fault(&web, &person, "password", changed, "/account?done=password").await
    };
    answer(&web, &person.frame(), done.await)
}

async fn address(State(web): State<Web>, Proved(person): Proved, sent: Sent<AddressForm>) -> Response {
    let frame = person.frame();
    let done = async {
        let (form, source) = (sent?.0, person.visitor.source()?);
        match accounts::change_address(&web.portal, &person.session, &form.address, source).await {
            Ok(()) => {
                let title = frame.t("mailed-title");
                let text = frame.t1("mailed-about", "address", form.address.trim());
                Ok(page(&SaidPage { frame: frame.clone(), title, text }))
            }
            changed => changed_or_fault(&web, &person, "address", changed, "/account").await,
        }
    };
    answer(&web, &frame, done.await)
}

async fn changed_or_fault(
    web: &Web,
    person: &SignedIn,
    form: &'static str,
    changed: Result<(), AccountRefusal>,
    there: &str,
) -> Result<Response, PageRefusal> {
    let Err(refusal) = changed else { return Ok(Redirect::to(there).into_response()) };
    let (status, text) = fault(refusal, &person.frame())?;
    shown(web, person, status, None, Some((form, text))).await
}

async fn end_sessions(State(web): State<Web>, person: SignedIn) -> Response {
    let done = async {
        web.portal.db.end_other_sessions(person.person().id, person.session.digest).await?;
        Ok(Redirect::to("/account?done=sessions").into_response())
    };
    answer(&web, &person.frame(), done.await)
}

/// All that is kept of the person, as a file.
async fn data(State(web): State<Web>, person: SignedIn) -> Response {
    let done = async {
        let data = web.portal.db.data_of(person.person().id).await?.ok_or(PageRefusal::NotFound)?;
        let name = HeaderValue::from_static("attachment; filename=\"my-data.json\"");
        Ok(([(CONTENT_DISPOSITION, name)], axum::Json(data)).into_response())
    };
    answer(&web, &person.frame(), done.await)
}

#[derive(Template)]
#[template(path = "delete-account.html")]
struct DeletePage {
    frame: Frame,
    address: String,
    organisation: bool,
    fault: Option<String>,
}

fn delete_page(person: &SignedIn, status: StatusCode, fault: Option<String>) -> Response {
    let of = person.person();
    let (address, organisation) = (of.address.clone(), of.organisation.is_some());
    page_with(status, &DeletePage { frame: person.frame(), address, organisation, fault })
}

async fn delete_form(Proved(person): Proved) -> Response {
    delete_page(&person, StatusCode::OK, None)
}

async fn delete(State(web): State<Web>, Proved(person): Proved) -> Response {
    let done = async {
        match accounts::deactivate(&web.portal, &person.session).await {
            Ok(()) => {
                let mut answer = Redirect::to("/sign-in?done=deleted").into_response();
                answer.headers_mut().extend(ended_cookie(&web).map(|cookie| (SET_COOKIE, cookie)));
                Ok(answer)
            }
            Err(refusal) => {
                let (status, text) = fault(refusal, &person.frame())?;
                Ok(delete_page(&person, status, Some(text)))
            }
        }
    };
    answer(&web, &person.frame(), done.await)
}
