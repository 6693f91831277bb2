//! What is answered where a page or an action is refused: what happened, and what to do.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use kms_portal::api::PortalCore;
use kms_portal::db::{DbError, PeopleUnchanged};
use kms_portal::rules::rights::Forbidden;

use crate::frame::{Frame, page_with};

/// Why there is no page, or nothing was done.
#[derive(Clone, Debug)]
pub(crate) enum PageRefusal {
    /// There is no such thing, or it belongs to somebody else: both look the same.
    NotFound,
    /// None of the visitor's roles includes it.
    Forbidden(Forbidden),
    /// The organisation has to buy something first.
    NothingBought,
    /// A form has a value that it does not offer.
    BadForm,
    /// The form was sent from another site.
    OtherSite,
    /// More was sent than is read.
    TooLarge,
    /// The database has not done what it was asked.
    Failed(DbError),
}

impl From<DbError> for PageRefusal {
    fn from(error: DbError) -> PageRefusal {
        PageRefusal::Failed(error)
    }
}

impl From<Forbidden> for PageRefusal {
    fn from(forbidden: Forbidden) -> PageRefusal {
        PageRefusal::Forbidden(forbidden)
    }
}

/// What a page has no words of its own for.
impl From<PeopleUnchanged> for PageRefusal {
    fn from(unchanged: PeopleUnchanged) -> PageRefusal {
        match unchanged {
            PeopleUnchanged::Forbidden(forbidden) => forbidden.into(),
            PeopleUnchanged::NothingBought => PageRefusal::NothingBought,
            _ => PageRefusal::NotFound,
        }
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    frame: Frame,
    text: String,
}

impl PageRefusal {
    /// The page that says so.
    pub(crate) fn page(self, frame: Frame, portal: &PortalCore) -> Response {
        let (status, text) = match self {
            PageRefusal::NotFound => (StatusCode::NOT_FOUND, frame.t("error-not-found")),
            PageRefusal::Forbidden(forbidden) => {
                let roles = forbidden.allowed.iter().map(|role| frame.t(&format!("role-{}", role.name())));
                let roles = roles.collect::<Vec<_>>().join(", ");
                (StatusCode::FORBIDDEN, frame.t1("error-forbidden", "roles", roles))
            }
            PageRefusal::NothingBought => (StatusCode::CONFLICT, frame.t("error-nothing-bought")),
            PageRefusal::BadForm => (StatusCode::UNPROCESSABLE_ENTITY, frame.t("error-bad-form")),
            PageRefusal::OtherSite => (StatusCode::FORBIDDEN, frame.t("error-other-site")),
            PageRefusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, frame.t("error-too-large")),
            PageRefusal::Failed(error) => {
                portal.failed_at(error);
                (StatusCode::SERVICE_UNAVAILABLE, frame.t("error-failed"))
            }
        };
        page_with(status, &RefusedPage { frame, text })
    }
}
