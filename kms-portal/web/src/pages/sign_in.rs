//! Signing in and out. Which of several accounts it is, is asked only after the password was right.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use kms_portal::act::accounts::{self, AccountChoice, AccountRefusal, RightPassword};
use kms_portal::token::{LinkToken, SessionToken};
use serde::Deserialize;

use super::faults::fault;
use super::{Sent, answer};
use crate::Web;
use crate::frame::{Frame, page, page_with};
use crate::refused::PageRefusal;
use crate::signed_in::{Anyone, SignedIn, ended_cookie, kept_cookie, own_path, token};
use crate::visitor::Visitor;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/sign-in", get(form).post(sign_in))
        .route("/sign-in/choose", post(choose))
        .route("/sign-in/again", get(again_form).post(again))
        .route("/sign-out", post(sign_out))
}

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignInPage {
    frame: Frame,
    /// What was typed before.
    address: String,
    /// Where to go afterwards.
    to: String,
    /// Whether the person is signed in, and has to show once more who they are.
    again: bool,
    fault: Option<String>,
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "choose-account.html")]
struct ChoosePage {
    frame: Frame,
    choices: Vec<AccountChoice>,
    to: String,
}

/// Where somebody comes from.
#[derive(Deserialize, Default)]
#[serde(default)]
struct From {
    to: String,
    /// What was just done.
    done: String,
}

#[derive(Deserialize)]
struct SignInForm {
    address: String,
    password: String,
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
struct ChooseForm {
    account: String,
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
struct AgainForm {
    password: String,
    #[serde(default)]
    to: String,
}

async fn form(anyone: Anyone, from: Query<From>) -> Response {
    let frame = anyone.frame();
    let done = match from.done.as_str() {
        "password" => Some(frame.t("sign-in-password-set")),
        "registered" => Some(frame.t("sign-in-registered")),
        "deleted" => Some(frame.t("sign-in-deleted")),
        "signed-out" => Some(frame.t("sign-in-signed-out")),
        _ => None,
    };
    let fault = (from.done == "no-passkey").then(|| frame.t("passkey-not-signed-in"));
    let to = own_path(&from.to).to_owned();
    page(&SignInPage { frame, address: String::new(), to, again: false, fault, done })
}

async fn sign_in(State(web): State<Web>, visitor: Visitor, sent: Sent<SignInForm>) -> Response {
    let done = async {
        let form = sent?.0;
        let source = visitor.source()?;
        let to = own_path(&form.to).to_owned();
        match accounts::sign_in(&web.portal, &form.address, &form.password, source).await {
            Ok(RightPassword::SignedIn(token)) => Ok(signed_in(&web, &token, &to)),
            Ok(RightPassword::Choose(choices)) => {
                Ok(page(&ChoosePage { frame: visitor.frame(), choices, to }))
            }
            Err(refusal) => {
                let (status, text) = fault(refusal, &visitor.frame())?;
                let (frame, address) = (visitor.frame(), form.address);
                let (again, fault, done) = (false, Some(text), None);
                Ok(page_with(status, &SignInPage { frame, address, to, again, fault, done }))
            }
        }
    };
    answer(&web, &visitor.frame(), done.await)
}

async fn choose(State(web): State<Web>, visitor: Visitor, sent: Sent<ChooseForm>) -> Response {
    let done = async {
        let form = sent?.0;
        let source = visitor.source()?;
        let Some(choice) = LinkToken::parse(&form.account) else { return Err(PageRefusal::BadForm) };
        let to = own_path(&form.to).to_owned();
        match accounts::choose(&web.portal, &choice, source).await {
            Ok(token) => Ok(signed_in(&web, &token, &to)),
            Err(AccountRefusal::Failed(error)) => Err(error.into()),
            Err(_) => Ok(Redirect::to("/sign-in").into_response()),
        }
    };
    answer(&web, &visitor.frame(), done.await)
}

fn signed_in(web: &Web, token: &SessionToken, to: &str) -> Response {
    let mut answer = Redirect::to(to).into_response();
    answer.headers_mut().extend(kept_cookie(web, token).map(|cookie| (SET_COOKIE, cookie)));
    answer
}

async fn again_form(person: SignedIn, from: Query<From>) -> Response {
    again_page(&person, StatusCode::OK, &from.to, None)
}

fn again_page(person: &SignedIn, status: StatusCode, to: &str, fault: Option<String>) -> Response {
    let (frame, address) = (person.frame(), person.person().address.clone());
    let to = own_path(to).to_owned();
    page_with(status, &SignInPage { frame, address, to, again: true, fault, done: None })
}

async fn again(State(web): State<Web>, person: SignedIn, sent: Sent<AgainForm>) -> Response {
    let done = async {
        let form = sent?.0;
        let source = person.visitor.source()?;
        match accounts::prove(&web.portal, &person.session, &form.password, source).await {
            Ok(token) => Ok(signed_in(&web, &token, own_path(&form.to))),
            Err(refusal) => {
                let (status, text) = fault(refusal, &person.frame())?;
                Ok(again_page(&person, status, &form.to, Some(text)))
            }
        }
    };
    answer(&web, &person.frame(), done.await)
}

/// Signing out works whether somebody is signed in or not.
async fn sign_out(State(web): State<Web>, visitor: Visitor, headers: axum::http::HeaderMap) -> Response {
    let done = async {
        if let Some(token) = token(&web, &headers) {
            web.portal.db.end_session(token.digest()).await?;
        }
        let mut answer = Redirect::to("/sign-in?done=signed-out").into_response();
        answer.headers_mut().extend(ended_cookie(&web).map(|cookie| (SET_COOKIE, cookie)));
        Ok(answer)
    };
    answer(&web, &visitor.frame(), done.await)
}
