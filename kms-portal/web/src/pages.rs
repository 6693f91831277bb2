//! The pages: a file for each subject, each with its routes.
//!
//! A form is read with [`Sent`]; whatever is refused becomes a page by [`answer`].

mod account;
mod administrator;
mod devices;
mod faults;
mod files;
mod home;
mod links;
mod organisation;
mod own_subscriptions;
mod passkeys;
mod register;
mod sign_in;

pub(crate) use devices::wrong_codes;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use tower_http::csrf::{CsrfLayer, ProtectionError};

pub use organisation::{AdminPage, table as admin_pages};

use crate::Web;
use crate::frame::Frame;
use crate::refused::PageRefusal;
use crate::signed_in::Anyone;
use crate::visitor::{LANGUAGE_COOKIE, Visitor, chosen};

/// The largest form. A page that takes files has a limit of its own.
const FORM_MAX_BYTES: usize = 64 * 1024;

/// Every page, behind a guard against forms of other sites.
pub(crate) fn routes(web: &Web) -> Router<Web> {
    let own = CsrfLayer::new().add_trusted_origin(web.address.to_string());
    let own = own.expect("the address of the pages is an origin");
    Router::new()
        .merge(administrator::routes())
        .merge(devices::routes())
        .merge(files::routes())
        .merge(home::routes())
        .merge(organisation::routes(web))
        .merge(passkeys::routes())
        .merge(sign_in::routes())
        .merge(register::routes())
        .merge(links::routes())
        .merge(account::routes())
        .merge(own_subscriptions::routes())
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(FORM_MAX_BYTES))
        .layer(own)
        .layer(axum::middleware::from_fn_with_state(web.clone(), other_site))
        .layer(from_fn(keep_language))
}

async fn not_found(State(web): State<Web>, anyone: Anyone) -> Response {
    PageRefusal::NotFound.page(anyone.frame(), &web.portal)
}

/// The page, or the one that says why there is none.
pub(crate) fn answer(web: &Web, frame: &Frame, done: Result<Response, PageRefusal>) -> Response {
    done.unwrap_or_else(|refusal| refusal.page(frame.clone(), &web.portal))
}

/// A form as it was sent, or why it is none.
pub(crate) type Sent<F> = Result<axum::Form<F>, FormRejection>;

impl From<FormRejection> for PageRefusal {
    fn from(rejection: FormRejection) -> PageRefusal {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => PageRefusal::TooLarge,
            _ => PageRefusal::BadForm,
        }
    }
}

/// A form of another site gets a page that says so.
async fn other_site(State(web): State<Web>, visitor: Visitor, request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    if answer.extensions().get::<ProtectionError>().is_none() {
        return answer;
    }
    PageRefusal::OtherSite.page(visitor.frame(), &web.portal)
}

/// Keeps the language that the address names.
async fn keep_language(request: Request, next: Next) -> Response {
    let language = chosen(request.uri().query());
    let mut answer = next.run(request).await.into_response();
    if let Some(language) = language {
        let cookie =
            format!("{LANGUAGE_COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly", language.tag());
        answer.headers_mut().extend(HeaderValue::from_str(&cookie).ok().map(|cookie| (SET_COOKIE, cookie)));
    }
    answer
}
