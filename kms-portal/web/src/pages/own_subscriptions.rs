//! What a person has bought for themselves, and shares: a key that is redeemed, seats of others, seats that others share.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use kms_portal::act::accounts::AccountRefusal;
use kms_portal::act::subscriptions;
use kms_portal::db::{PeopleUnchanged, Redeemer, SharedSubscription};
use kms_portal::rules::{PersonId, SubscriptionId};
use serde::Deserialize;
use shared::ids::OrganisationId;

use super::faults::fault;
use super::links::{ended, known};
use super::register::SaidPage;
use super::{Sent, answer};
use crate::Web;
use crate::frame::{Frame, page, page_with};
use crate::refused::PageRefusal;
use crate::signed_in::SignedIn;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/account/subscriptions", get(list))
        .route("/account/subscriptions/redeem", post(redeem))
        .route("/account/subscriptions/share", post(share))
        .route("/account/subscriptions/end", post(end))
        .route("/shared/{token}", get(shared).post(accept))
}

#[derive(Template)]
#[template(path = "own-subscriptions.html")]
struct OwnPage {
    frame: Frame,
    own: PersonId,
    subscriptions: Vec<SharedSubscription>,
    /// What was typed as a key.
    typed: String,
    done: Option<String>,
    /// Which form has a fault, and what it is.
    fault: Option<(String, String)>,
}

impl OwnPage {
    fn fault_of(&self, form: &str) -> Option<&str> {
        self.fault.as_ref().filter(|(of, _)| of == form).map(|(_, text)| text.as_str())
    }

    fn seats(&self, of: &SharedSubscription) -> String {
        let (taken, seats) = (of.people.len().to_string(), of.subscription.seats.to_string());
        self.frame.texts.of("own-seats", &[("taken", &taken), ("seats", &seats)])
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Done {
    done: String,
}

#[derive(Deserialize)]
struct KeyForm {
    key: String,
}

#[derive(Deserialize)]
struct ShareForm {
    subscription: String,
    address: String,
}

#[derive(Deserialize)]
struct EndForm {
    subscription: String,
    person: String,
}

async fn list(State(web): State<Web>, person: SignedIn, done: Query<Done>) -> Response {
    let frame = person.frame();
    let text = match done.done.as_str() {
        "redeemed" => Some(frame.t("own-done-redeemed")),
        "again" => Some(frame.t("own-done-again")),
        "ended" => Some(frame.t("own-done-ended")),
        _ => None,
    };
    let shown = shown(&web, &person, StatusCode::OK, String::new(), text, None).await;
    answer(&web, &frame, shown)
}

async fn shown(
    web: &Web,
    person: &SignedIn,
    status: StatusCode,
    typed: String,
    done: Option<String>,
    fault: Option<(String, String)>,
) -> Result<Response, PageRefusal> {
    let own = person.person().id;
    let subscriptions = web.portal.db.personal_subscriptions(own).await?;
    Ok(page_with(status, &OwnPage { frame: person.frame(), own, subscriptions, typed, done, fault }))
}

/// The person, who has a personal account.
fn personal(person: &SignedIn) -> Result<PersonId, AccountRefusal> {
    match person.person().organisation {
        None => Ok(person.person().id),
        Some(_) => Err(PeopleUnchanged::ForPersonalAccounts.into()),
    }
}

async fn redeem(State(web): State<Web>, person: SignedIn, sent: Sent<KeyForm>) -> Response {
    let done = async {
        let (typed, source) = (sent?.0.key, person.visitor.source()?);
        let redeemed = async {
            let redeemer = Redeemer::Oneself(personal(&person)?, OrganisationId::from_bytes(rand::random()));
            subscriptions::redeem(&web.portal, &typed, redeemer, person.actor(""), source).await
        };
        match redeemed.await {
            Ok(redeemed) => {
                let done = if redeemed.again { "again" } else { "redeemed" };
                Ok(Redirect::to(&format!("/account/subscriptions?done={done}")).into_response())
            }
            Err(refusal) => {
                let (status, text) = fault(refusal, &person.frame())?;
                shown(&web, &person, status, typed, None, Some(("key".to_owned(), text))).await
            }
        }
    };
    answer(&web, &person.frame(), done.await)
}

async fn share(State(web): State<Web>, person: SignedIn, sent: Sent<ShareForm>) -> Response {
    let frame = person.frame();
    let done = async {
        let (form, source) = (sent?.0, person.visitor.source()?);
        let id: SubscriptionId = form.subscription.parse().map_err(|_| PageRefusal::BadForm)?;
        match subscriptions::share(&web.portal, &person.session, id, &form.address, source).await {
            Ok(()) => {
                let title = frame.t("mailed-title");
                let text = frame.t1("mailed-about", "address", form.address.trim());
                Ok(page(&SaidPage { frame: frame.clone(), title, text }))
            }
            Err(refusal) => {
                let (status, text) = fault(refusal, &frame)?;
                shown(&web, &person, status, String::new(), None, Some((form.subscription, text))).await
            }
        }
    };
    answer(&web, &frame, done.await)
}

async fn end(State(web): State<Web>, person: SignedIn, sent: Sent<EndForm>) -> Response {
    let done = async {
        let form = sent?.0;
        let id: SubscriptionId = form.subscription.parse().map_err(|_| PageRefusal::BadForm)?;
        let whose: PersonId = form.person.parse().map_err(|_| PageRefusal::BadForm)?;
        web.portal.db.end_share(id, whose, person.actor(""), person.person().id).await??;
        Ok(Redirect::to("/account/subscriptions?done=ended").into_response())
    };
    answer(&web, &person.frame(), done.await)
}

#[derive(Template)]
#[template(path = "shared.html")]
struct SharedPage {
    frame: Frame,
    title: String,
    address: String,
    token: String,
    fault: Option<String>,
}

async fn shared(State(web): State<Web>, person: SignedIn, Path(text): Path<String>) -> Response {
    let done = offered(&web, &person, &text, StatusCode::OK, None).await;
    answer(&web, &person.frame(), done)
}

async fn offered(
    web: &Web,
    person: &SignedIn,
    text: &str,
    status: StatusCode,
    fault: Option<String>,
) -> Result<Response, PageRefusal> {
    let frame = person.frame();
    let Some((token, _)) = known(web, text).await? else { return Ok(ended(&frame)) };
    let Some((what, who)) = web.portal.db.shared_by(token.digest()).await? else { return Ok(ended(&frame)) };
    let title = frame.texts.of("shared-title", &[("who", &who), ("what", &what)]);
    let (address, token) = (person.person().address.clone(), token.text().to_string());
    Ok(page_with(status, &SharedPage { frame, title, address, token, fault }))
}

async fn accept(State(web): State<Web>, person: SignedIn, Path(text): Path<String>) -> Response {
    let frame = person.frame();
    let done = async {
        let Some((token, _)) = known(&web, &text).await? else { return Ok(ended(&frame)) };
        let accepted =
            web.portal.db.accept_share(token.digest(), person.actor(""), person.person().id).await?;
        match accepted {
            Ok(()) => Ok(Redirect::to("/account/subscriptions").into_response()),
            Err(PeopleUnchanged::LinkEnded) => Ok(ended(&frame)),
            Err(unchanged) => {
                let (status, said) = fault(unchanged.into(), &frame)?;
                offered(&web, &person, &text, status, Some(said)).await
            }
        }
    };
    answer(&web, &frame, done.await)
}
