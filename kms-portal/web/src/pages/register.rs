//! Asking for a mail: to register, or because a name or a password was forgotten. The answer is the same for every address.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use kms_portal::act::accounts;
use serde::Deserialize;

use super::faults::fault;
use super::{Sent, answer};
use crate::Web;
use crate::frame::{Frame, page, page_with};
use crate::signed_in::Anyone;
use crate::visitor::Visitor;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/register", get(register_form).post(register))
        .route("/forgotten", get(forgotten_form).post(forgotten))
}

/// Why somebody asks for a mail.
#[derive(Clone, Copy)]
enum Asks {
    Register,
    Forgotten,
}

impl Asks {
    /// The path of its page, and what its texts begin with.
    const fn name(self) -> &'static str {
        match self {
            Asks::Register => "register",
            Asks::Forgotten => "forgotten",
        }
    }
}

#[derive(Template)]
#[template(path = "ask-mail.html")]
struct AskPage {
    frame: Frame,
    name: &'static str,
    address: String,
    fault: Option<String>,
}

impl AskPage {
    fn text(&self, part: &str) -> String {
        self.frame.t(&format!("{}-{part}", self.name))
    }
}

/// Says what has happened, and what comes next.
#[derive(Template)]
#[template(path = "said.html")]
pub(super) struct SaidPage {
    pub(super) frame: Frame,
    pub(super) title: String,
    pub(super) text: String,
}

#[derive(Deserialize)]
struct AskForm {
    address: String,
}

async fn register_form(anyone: Anyone) -> Response {
    ask_form(&anyone, Asks::Register)
}

async fn forgotten_form(anyone: Anyone) -> Response {
    ask_form(&anyone, Asks::Forgotten)
}

fn ask_form(anyone: &Anyone, asks: Asks) -> Response {
    let (frame, name) = (anyone.frame(), asks.name());
    page(&AskPage { frame, name, address: String::new(), fault: None })
}

async fn register(State(web): State<Web>, visitor: Visitor, sent: Sent<AskForm>) -> Response {
    ask(&web, &visitor, sent, Asks::Register).await
}

async fn forgotten(State(web): State<Web>, visitor: Visitor, sent: Sent<AskForm>) -> Response {
    ask(&web, &visitor, sent, Asks::Forgotten).await
}

async fn ask(web: &Web, visitor: &Visitor, sent: Sent<AskForm>, asks: Asks) -> Response {
    let (frame, name) = (visitor.frame(), asks.name());
    let done = async {
        let address = sent?.0.address;
        let (source, language) = (visitor.source()?, visitor.texts.language());
        let asked = match asks {
            Asks::Register => accounts::register(&web.portal, &address, language, source).await,
            Asks::Forgotten => accounts::forgotten(&web.portal, &address, language, source).await,
        };
        let Err(refusal) = asked else {
            let title = frame.t("mailed-title");
            let text = frame.t1("mailed-about", "address", address.trim());
            return Ok(page(&SaidPage { frame: frame.clone(), title, text }));
        };
        let (status, text): (StatusCode, String) = fault(refusal, &frame)?;
        Ok(page_with(status, &AskPage { frame: frame.clone(), name, address, fault: Some(text) }))
    };
    answer(web, &frame, done.await)
}
