//! The page that a mailed link leads to: what it shows depends on what the link is for. Only sending its form uses the link up.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use kms_portal::act::accounts::{self, AccountRefusal};
use kms_portal::db::{KnownLink, LinkPurpose, PeopleUnchanged};
use kms_portal::rules::offers::Country;
use kms_portal::rules::passwords::PASSWORD_MIN;
use kms_portal::token::LinkToken;
use serde::Deserialize;

use super::faults::fault;
use super::{Sent, answer};
use crate::Web;
use crate::frame::{Frame, page_with};
use crate::refused::PageRefusal;
use crate::visitor::Visitor;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/link/{token}", get(show).post(follow))
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    frame: Frame,
    token: String,
    /// What its texts begin with.
    purpose: &'static str,
    /// The address that the link was mailed to.
    address: String,
    typed: LinkForm,
    fault: Option<String>,
}

impl LinkPage {
    fn text(&self, part: &str) -> String {
        self.frame.t1(&format!("link-{}-{part}", self.purpose), "address", &self.address)
    }

    fn has_name(&self) -> bool {
        self.purpose == LinkPurpose::Register.name()
    }

    fn has_password(&self) -> bool {
        self.purpose != LinkPurpose::Address.name()
    }

    fn least(&self) -> String {
        self.frame.t1("accounts-password-hint", "least", PASSWORD_MIN)
    }
}

#[derive(Template)]
#[template(path = "link-ended.html")]
struct EndedPage {
    frame: Frame,
}

/// What is typed on the page of a link: some of it for each purpose.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct LinkForm {
    name: String,
    location: String,
    password: String,
}

async fn show(State(web): State<Web>, visitor: Visitor, Path(text): Path<String>) -> Response {
    let frame = visitor.frame();
    let done = async {
        let Some((token, link)) = known(&web, &text).await? else { return Ok(ended(&frame)) };
        if link.purpose == LinkPurpose::Share {
            return Ok(Redirect::to(&format!("/shared/{}", *token.text())).into_response());
        }
        Ok(form(frame.clone(), &token, link, StatusCode::OK, LinkForm::default(), None))
    };
    answer(&web, &frame, done.await)
}

pub(super) async fn known(web: &Web, text: &str) -> Result<Option<(LinkToken, KnownLink)>, PageRefusal> {
    let Some(token) = LinkToken::parse(text) else { return Ok(None) };
    let link = accounts::look_at_link(&web.portal, &token).await?;
    Ok(link.filter(|link| link.purpose != LinkPurpose::Choose).map(|link| (token, link)))
}

pub(super) fn ended(frame: &Frame) -> Response {
    page_with(StatusCode::GONE, &EndedPage { frame: frame.clone() })
}

fn form(
    frame: Frame,
    token: &LinkToken,
    link: KnownLink,
    status: StatusCode,
    typed: LinkForm,
    fault: Option<String>,
) -> Response {
    let (token, purpose, address) = (token.text().to_string(), link.purpose.name(), link.address);
    page_with(status, &LinkPage { frame, token, purpose, address, typed, fault })
}

async fn follow(
    State(web): State<Web>,
    visitor: Visitor,
    Path(text): Path<String>,
    sent: Sent<LinkForm>,
) -> Response {
    let frame = visitor.frame();
    let done = async {
        let typed = sent?.0;
        let Some((token, link)) = known(&web, &text).await? else { return Ok(ended(&frame)) };
        match used(&web, &visitor, &token, link.purpose, &typed).await {
            Ok(there) => Ok(Redirect::to(there).into_response()),
            Err(AccountRefusal::Unchanged(PeopleUnchanged::LinkEnded)) => Ok(ended(&frame)),
            Err(refusal) => {
                let (status, text) = fault(refusal, &frame)?;
                Ok(form(frame.clone(), &token, link, status, typed, Some(text)))
            }
        }
    };
    answer(&web, &frame, done.await)
}

/// Uses a link; returns where to go then.
async fn used(
    web: &Web,
    visitor: &Visitor,
    token: &LinkToken,
    purpose: LinkPurpose,
    typed: &LinkForm,
) -> Result<&'static str, AccountRefusal> {
    let (portal, language) = (&web.portal, visitor.texts.language());
    let LinkForm { name, location, password } = typed;
    match purpose {
        LinkPurpose::Register => {
            let location = Country::from_code(location.trim()).ok_or(AccountRefusal::NotALocation)?;
            accounts::finish_registration(portal, token, name, password, Some(location), language).await?;
            Ok("/sign-in?done=registered")
        }
        LinkPurpose::Invite | LinkPurpose::Reset => {
            accounts::set_password(portal, token, password, language).await?;
            Ok("/sign-in?done=password")
        }
        LinkPurpose::Address => {
            accounts::confirm_address(portal, token).await?;
            Ok("/account?done=address")
        }
        // It has a page of its own.
        LinkPurpose::Share | LinkPurpose::Choose => Err(PeopleUnchanged::LinkEnded.into()),
    }
}
