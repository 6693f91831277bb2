//! What a program is told where a call is refused: problem details as in RFC 9457, with a `type` that stays the same.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use kms_portal::db::{DbError, PeopleUnchanged};
use kms_portal::rules::rights::{AdminRole, Forbidden};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::Web;

/// The media type of a problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Behind the address of the portal, what every `type` begins with.
const TYPES: &str = "/api/v1/problems/";

macro_rules! problems {
    ($($name:ident, $status:ident, $slug:literal, $title:literal;)*) => {
        /// What a problem is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum ProblemKind {
            $(#[doc = $title] $name,)*
        }

        impl ProblemKind {
            /// Every kind, in the order of their statuses.
            pub(super) const ALL: &[ProblemKind] = &[$(ProblemKind::$name),*];

            /// Its status, the end of its `type`, and its title.
            pub(super) const fn told(self) -> (StatusCode, &'static str, &'static str) {
                match self {
                    $(ProblemKind::$name => (StatusCode::$status, $slug, $title),)*
                }
            }
        }
    };
}

problems! {
    BadRequest, BAD_REQUEST, "bad-request", "The request cannot be read";
    BadKey, BAD_REQUEST, "bad-idempotency-key", "The idempotency key has 1 to 255 visible characters of ASCII";
    NoToken, UNAUTHORIZED, "no-token", "No token was sent";
    UnknownToken, UNAUTHORIZED, "unknown-token", "The token is not known";
    TokenEnded, UNAUTHORIZED, "token-ended", "The token is of no use any more";
    Forbidden, FORBIDDEN, "forbidden", "The roles of the token do not include this";
    NoSuchCall, NOT_FOUND, "no-such-call", "There is no call at this path";
    NotFound, NOT_FOUND, "not-found", "What the call names does not exist, or belongs to another organisation";
    WrongMethod, METHOD_NOT_ALLOWED, "wrong-method", "The path has no call with this method";
    AddressTaken, CONFLICT, "address-taken", "Somebody in the organisation has this address";
    TooLate, CONFLICT, "too-late", "The person was deleted more than 30 days ago";
    LastGeneral, CONFLICT, "last-general-administrator", "Nobody could administrate the organisation any more";
    NothingBought, CONFLICT, "nothing-bought", "Nothing was bought yet, so there is nothing to manage";
    NotRenewed, CONFLICT, "not-renewed", "The subscription cannot be renewed like this";
    NotCancelled, CONFLICT, "not-cancelled", "The subscription cannot be cancelled";
    NotForAll, CONFLICT, "not-for-everybody", "Not everybody on the list can be served, so nobody was";
    UnderWay, CONFLICT, "under-way", "A call with this idempotency key is being carried out";
    TooLarge, PAYLOAD_TOO_LARGE, "too-large", "The request is too large";
    NotJson, UNSUPPORTED_MEDIA_TYPE, "not-json", "The body has to be application/json";
    Invalid, UNPROCESSABLE_ENTITY, "invalid", "The request has a value that is not allowed";
    OtherRequest, UNPROCESSABLE_ENTITY, "other-request", "The idempotency key was given to another request";
    WrongTokens, TOO_MANY_REQUESTS, "too-many-wrong-tokens", "Too many unknown tokens came from this address";
    TooManyCalls, TOO_MANY_REQUESTS, "too-many-calls", "Too many calls with an idempotency key in one day";
    Unavailable, SERVICE_UNAVAILABLE, "unavailable", "The portal cannot do this now; try again";
}

/// Why a call was refused.
#[derive(Clone, Debug)]
pub(super) struct ApiProblem {
    kind: ProblemKind,
    detail: String,
    more: Map<String, Value>,
    retry_in: Option<Duration>,
}

/// A problem as it is sent.
#[derive(Serialize, ToSchema)]
#[schema(title = "Problem details (RFC 9457)")]
pub(super) struct ProblemBody {
    /// Which problem it is: `/api/v1/problems/` and one of the names in the guide. It stays the same in later releases.
    r#type: String,
    /// The problem in a few words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What is wrong here, and what to do.
    detail: String,
    /// The roles that would do; where the roles of the token do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<&'static str>>,
    /// What the problem has beside that.
    #[serde(flatten)]
    #[schema(ignore)]
    more: Map<String, Value>,
}

impl ApiProblem {
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> ApiProblem {
        ApiProblem { kind, detail: detail.into(), more: Map::new(), retry_in: None }
    }

    /// A value that is not allowed.
    pub(super) fn invalid(detail: impl Into<String>) -> ApiProblem {
        ApiProblem::new(ProblemKind::Invalid, detail)
    }

    /// The program may try again after this time.
    pub(super) fn retry_in(self, wait: Duration) -> ApiProblem {
        ApiProblem { retry_in: Some(wait), ..self }
    }

    /// With one member more.
    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> ApiProblem {
        self.more.insert(name.to_owned(), json!(value));
        self
    }

    /// The database has failed. Nothing was done that could not be done again.
    pub(super) fn failed(web: &Web, error: DbError) -> ApiProblem {
        web.portal.failed_at(error);
        let detail = "the portal's database has not answered; try again";
        ApiProblem::new(ProblemKind::Unavailable, detail).retry_in(Duration::from_secs(10))
    }
}

impl From<Forbidden> for ApiProblem {
    fn from(forbidden: Forbidden) -> ApiProblem {
        let roles: Vec<_> = forbidden.allowed.iter().copied().map(AdminRole::name).collect();
        let detail = format!(
            "the token, and the person who made it, need one of these roles: {}; make a token that has it",
            roles.join(", ")
        );
        ApiProblem::new(ProblemKind::Forbidden, detail).with("roles", roles)
    }
}

impl From<PeopleUnchanged> for ApiProblem {
    fn from(unchanged: PeopleUnchanged) -> ApiProblem {
        use PeopleUnchanged as U;
        let kind = match &unchanged {
            U::Forbidden(forbidden) => return (*forbidden).into(),
            U::LastGeneral(_) => ProblemKind::LastGeneral,
            // What belongs to another organisation looks like what does not exist.
            U::UnknownOrganisation | U::UnknownPerson | U::PersonalAccount => {
                return ApiProblem::new(ProblemKind::NotFound, U::UnknownPerson.to_string());
            }
            U::AddressTaken => ProblemKind::AddressTaken,
            U::TooLate => ProblemKind::TooLate,
            U::NothingBought => ProblemKind::NothingBought,
            U::NotRenewed(_) => ProblemKind::NotRenewed,
            U::NotCancelled(_) => ProblemKind::NotCancelled,
            U::NotAnAddress => ProblemKind::Invalid,
            _ => ProblemKind::NotFound,
        };
        ApiProblem::new(kind, unchanged.to_string())
    }
}

impl From<JsonRejection> for ApiProblem {
    fn from(rejection: JsonRejection) -> ApiProblem {
        let kind = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemKind::NotJson,
            StatusCode::UNPROCESSABLE_ENTITY => ProblemKind::Invalid,
            _ => ProblemKind::BadRequest,
        };
        ApiProblem::new(kind, rejection.body_text())
    }
}

impl From<QueryRejection> for ApiProblem {
    fn from(rejection: QueryRejection) -> ApiProblem {
        ApiProblem::new(ProblemKind::BadRequest, rejection.body_text())
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let (status, slug, title) = self.kind.told();
        let body = ProblemBody {
            r#type: format!("{TYPES}{slug}"),
            title,
            status: status.as_u16(),
            detail: self.detail,
            roles: None,
            more: self.more,
        };
        let mut answer = (status, Json(body)).into_response();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_in {
            // Whole seconds, and never too early.
            headers.insert(RETRY_AFTER, (wait.as_secs() + 1).into());
        }
        answer
    }
}

/// Every problem as the guide shows it.
pub fn table() -> String {
    let row = |kind: &ProblemKind| {
        let (status, slug, title) = kind.told();
        format!("| `{slug}` | {} | {title} |\n", status.as_u16())
    };
    let rows: String = ProblemKind::ALL.iter().map(row).collect();
    format!("| type | status | meaning |\n|---|---|---|\n{rows}")
}
