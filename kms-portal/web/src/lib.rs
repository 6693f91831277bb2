//! What the portal is over HTTP: pages for people and administrators, and an API for the same actions.
//!
//! A request goes one way: `visitor` says in which language somebody asks and from where, and `signed_in` who it is; a page or a call of the API reads the form and asks
//! `kms_portal`; `frame` renders what comes of it, and `refused` what does not. Nothing here knows SQL, and no rule stands here. Pages work
//! without JavaScript, and no page asks another site for anything (`headers`).
//!
//! Read next: `pages`, one file for each subject; `templates/frame.html`, what every page has.

pub mod api;
mod domain_words;
mod fields;
mod frame;
mod headers;
mod pages;
mod refused;
mod signed_in;
mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use kms_portal::RunningPortal;
use kms_portal::act::passkeys::Passkeys;
use kms_portal::api::{PortalCore, WrongKeys};
use kms_portal::web_address::WebAddress;
use kms_portal_texts::{Language, PortalTexts};
use server::Source;
use server::accept::PageHandler;
use shared::fair::Rate;
use tower::ServiceExt as _;

/// Wrong tokens of organisations in a day: from one source, and from all.
const WRONG_TOKENS: [u64; 2] = [100, 10_000];

/// What every page and call has.
#[derive(Clone)]
pub(crate) struct Web {
    /// The portal.
    pub(crate) portal: Arc<PortalCore>,
    /// Its address, as people type it.
    pub(crate) address: Arc<WebAddress>,
    /// Who has sent too many tokens that are not known.
    pub(crate) wrong_tokens: Arc<WrongKeys>,
    /// Who has typed so many codes of no machine that no more are looked up for a while.
    pub(crate) wrong_codes: Arc<WrongKeys>,
    /// What verifies passkeys at this address.
    pub(crate) passkeys: Option<Arc<Passkeys>>,
    texts: Arc<Vec<Arc<PortalTexts>>>,
}

impl Web {
    /// The texts of a language.
    pub(crate) fn texts(&self, language: Language) -> Arc<PortalTexts> {
        let found = self.texts.iter().find(|texts| texts.language() == language);
        found.or_else(|| self.texts.first()).cloned().unwrap_or_else(|| Arc::new(PortalTexts::new(language)))
    }
}

pub use pages::{AdminPage, admin_pages};

/// Everything that is served, at its path.
pub struct Site(Router);

/// Serves pages and API at this portal's addresses for browsers, if it has any.
pub fn serve(running: &mut RunningPortal) {
    let Some(address) = running.web_address.clone() else { return };
    running.serve_web(site(running.portal.clone(), address));
}

/// Pages and API of a portal, which people find at this address.
pub fn site(portal: Arc<PortalCore>, address: WebAddress) -> Site {
    let texts = PortalTexts::all().into_iter().map(Arc::new).collect();
    let wrong_tokens = Arc::new(WrongKeys::new(WRONG_TOKENS.map(Rate::a_day)));
    let wrong_codes = Arc::new(WrongKeys::new(pages::wrong_codes()));
    let passkeys = Passkeys::of(&address).map(Arc::new);
    let (address, texts) = (Arc::new(address), Arc::new(texts));
    let web = Web { portal, address, wrong_tokens, wrong_codes, passkeys, texts };
    let all = pages::routes(&web).nest(api::BASE, api::routes(&web));
    Site(headers::around(all).with_state(web))
}

impl PageHandler for Site {
    type Body = Body;

    async fn answer(&self, request: Request<server::accept::Incoming>, source: Source) -> Response<Body> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(source);
        let Ok(answer) = self.0.clone().oneshot(request).await;
        answer
    }
}
