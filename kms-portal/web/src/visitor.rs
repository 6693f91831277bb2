//! Who asks for a page: the language that they read, and where they are.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use kms_portal_texts::{Language, PortalTexts};
use server::Source;

use crate::Web;
use crate::frame::Frame;
use crate::refused::PageRefusal;

/// The cookie that keeps the chosen language.
pub(crate) const LANGUAGE_COOKIE: &str = "kms-language";

/// Whoever asks, signed in or not.
#[derive(Clone)]
pub(crate) struct Visitor {
    /// The texts in their language.
    pub(crate) texts: Arc<PortalTexts>,
    /// Whether they have chosen this language here, and not only in their browser.
    pub(crate) has_chosen: bool,
    /// Where they are.
    source: Option<Source>,
    /// The path of the page.
    pub(crate) path: String,
}

impl Visitor {
    /// A page for them.
    pub(crate) fn frame(&self) -> Frame {
        Frame { texts: self.texts.clone(), path: self.path.clone(), menu: None }
    }

    /// Where they are, by which wrong passwords are limited.
    pub(crate) fn source(&self) -> Result<Source, PageRefusal> {
        self.source.ok_or(PageRefusal::BadForm)
    }
}

impl FromRequestParts<Web> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Visitor, Infallible> {
        let chosen = chosen(parts.uri.query())
            .or_else(|| cookie(&parts.headers, LANGUAGE_COOKIE).and_then(Language::from_tag));
        let language = chosen.unwrap_or_else(|| accepted(&parts.headers));
        let path = parts.extensions.get::<OriginalUri>().map_or(parts.uri.path(), |uri| uri.path());
        Ok(Visitor {
            texts: web.texts(language),
            has_chosen: chosen.is_some(),
            source: parts.extensions.get().copied(),
            path: path.to_owned(),
        })
    }
}

/// The language that the address names: `?language=nl`.
pub(crate) fn chosen(query: Option<&str>) -> Option<Language> {
    query?.split('&').find_map(|pair| pair.strip_prefix("language=")).and_then(Language::from_tag)
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The first language of `Accept-Language` that there are texts in, by its weight.
fn accepted(headers: &HeaderMap) -> Language {
    let wanted = text(headers, &ACCEPT_LANGUAGE).split(',').filter_map(|wanted| {
        let (tag, weight) = wanted.trim().split_once(";q=").unwrap_or((wanted.trim(), "1"));
        Some((Language::from_tag(tag)?, weight.trim().parse::<f32>().ok().filter(|weight| 0.0 < *weight)?))
    });
    let best = wanted.reduce(|best, next| if best.1 < next.1 { next } else { best });
    best.map(|(language, _)| language).unwrap_or_default()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_language_is_the_one_that_is_wanted_most_and_known() {
        let of = |value| accepted(&headers(ACCEPT_LANGUAGE, value));
        assert_eq!(of("fr-CH, fr;q=0.9, en;q=0.8"), Language::French);
        assert_eq!(of("sv, de;q=0.5, nl;q=0.7"), Language::Dutch);
        assert_eq!(of("sv, fr;q=0"), Language::English);
        assert_eq!(of("nl;q=many"), Language::English);
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let sent = headers(COOKIE, "a=1; xkms-language=fr; kms-language=nl");
        assert_eq!(cookie(&sent, "kms-language"), Some("nl"));
        assert_eq!(cookie(&sent, "kms"), None);
    }
}
