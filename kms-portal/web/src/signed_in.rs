//! Who is signed in: the cookie of a session, and what a page asks for.
//!
//! A page for everybody takes [`Anyone`], one for people who are signed in [`SignedIn`], and one where something is changed that others
//! could misuse (roles, keys, domains) [`Proved`]. Whoever is not, is sent to a page where they can be, and back.

use std::fmt::Write as _;

use axum::extract::FromRequestParts;
use axum::extract::OriginalUri;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse as _, Redirect, Response};
use kms_portal::db::{Actor, By, DbError, Person, Session};
use kms_portal::token::SessionToken;
use shared::time::Timestamp;

use crate::Web;
use crate::frame::{Frame, Menu};
use crate::refused::PageRefusal;
use crate::visitor::{Visitor, cookie};

/// The cookie where browsers come by TLS: no other site, and no page in the clear, can set it.
const SECURE_COOKIE: &str = "__Host-kms-session";

/// The cookie of a trial on this machine.
const PLAIN_COOKIE: &str = "kms-session";

/// Whoever asks, signed in or not.
pub(crate) struct Anyone {
    pub(crate) visitor: Visitor,
    pub(crate) session: Option<Session>,
}

impl Anyone {
    /// A page for them.
    pub(crate) fn frame(&self) -> Frame {
        let menu = self.session.as_ref().map(|session| Menu {
            address: session.person.address.clone(),
            is_admin: session.person.roles.is_admin(),
        });
        Frame { menu, ..self.visitor.frame() }
    }
}

/// Somebody who is signed in.
pub(crate) struct SignedIn {
    pub(crate) visitor: Visitor,
    pub(crate) session: Session,
    /// When the request came.
    pub(crate) now: Timestamp,
}

impl SignedIn {
    /// A page for them.
    pub(crate) fn frame(&self) -> Frame {
        let Person { address, roles, .. } = self.person();
        let menu = Menu { address: address.clone(), is_admin: roles.is_admin() };
        Frame { menu: Some(menu), ..self.visitor.frame() }
    }

    /// Who it is, as of now.
    pub(crate) fn person(&self) -> &Person {
        &self.session.person
    }

    /// As somebody who changes something. Changes name people by id: what they are called can be erased.
    pub(crate) fn actor(&self, why: &str) -> Actor {
        let id = self.person().id;
        Actor::person(id, By { who: id.to_string(), at: self.now, why: why.to_owned() })
    }
}

/// Somebody who is signed in, and has shown in the last quarter of an hour who they are.
pub(crate) struct Proved(pub(crate) SignedIn);

impl FromRequestParts<Web> for Anyone {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Anyone, Response> {
        let Ok(mut visitor) = Visitor::from_request_parts(parts, web).await;
        let session = match session(web, &parts.headers).await {
            Ok(session) => session,
            Err(error) => return Err(PageRefusal::from(error).page(visitor.frame(), &web.portal)),
        };
        let own = session.as_ref().and_then(|session| session.person.language);
        if let Some(own) = own.filter(|_| !visitor.has_chosen) {
            visitor.texts = web.texts(own);
        }
        Ok(Anyone { visitor, session })
    }
}

impl FromRequestParts<Web> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<SignedIn, Response> {
        let Anyone { visitor, session } = Anyone::from_request_parts(parts, web).await?;
        let Some(session) = session else { return Err(sent_away(parts, "/sign-in")) };
        Ok(SignedIn { visitor, session, now: web.portal.clock.now() })
    }
}

impl FromRequestParts<Web> for Proved {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Proved, Response> {
        let signed_in = SignedIn::from_request_parts(parts, web).await?;
        if !signed_in.session.is_proved(signed_in.now) {
            return Err(sent_away(parts, "/sign-in/again"));
        }
        Ok(Proved(signed_in))
    }
}

async fn session(web: &Web, headers: &HeaderMap) -> Result<Option<Session>, DbError> {
    let Some(token) = token(web, headers) else { return Ok(None) };
    web.portal.db.session(token.digest(), web.portal.clock.now()).await
}

/// The cookie of a session, if the browser has sent one.
pub(crate) fn token(web: &Web, headers: &HeaderMap) -> Option<SessionToken> {
    cookie(headers, cookie_name(web)).and_then(SessionToken::parse)
}

/// Sends a browser to a page where somebody can sign in. Afterwards it comes back, if it has not sent a form.
fn sent_away(parts: &Parts, there: &str) -> Response {
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
    let back = uri.path_and_query().map_or("/", |path| path.as_str());
    let back = if parts.method == Method::GET { back } else { "/" };
    Redirect::to(&format!("{there}?to={}", escaped(back))).into_response()
}

/// A text in the query of an address.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// The page of this site to which somebody wants to go; the first one if it is of another site.
pub(crate) fn own_path(typed: &str) -> &str {
    let is_own = typed.starts_with('/')
        && !typed.starts_with("//")
        && typed.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'\\');
    if is_own { typed } else { "/" }
}

fn cookie_name(web: &Web) -> &'static str {
    if web.address.is_secure() { SECURE_COOKIE } else { PLAIN_COOKIE }
}

/// What makes a browser keep the session until it is closed.
pub(crate) fn kept_cookie(web: &Web, token: &SessionToken) -> Option<HeaderValue> {
    set_cookie(web, &token.text(), "")
}

/// What makes a browser forget it.
pub(crate) fn ended_cookie(web: &Web) -> Option<HeaderValue> {
    set_cookie(web, "", "; Max-Age=0")
}

fn set_cookie(web: &Web, value: &str, rest: &str) -> Option<HeaderValue> {
    let secure = if web.address.is_secure() { "; Secure" } else { "" };
    let cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{rest}", cookie_name(web));
    HeaderValue::from_str(&cookie).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        assert_eq!(own_path("/device?code=BCDF-GHJK"), "/device?code=BCDF-GHJK");
        for other in [
            "",
            "device",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\tevil",
            "/a\r\nb: c",
        ] {
            assert_eq!(own_path(other), "/", "{other:?}");
        }
        assert_eq!(escaped("/device?code=A B"), "/device%3Fcode%3DA%20B");
    }
}
