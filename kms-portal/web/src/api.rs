//! The HTTP API: what administrators do, for programs of their organisation. A call needs a token; its answer is JSON, or a problem.
//!
//! `calls` is the one table of all calls: the routes, the OpenAPI document and the test of every call with every role come from it. `admit`
//! says who calls, `once` carries a call out once, `problem` says why one was refused. The other files are the calls, by subject.

mod admit;
mod calls;
mod licences;
mod once;
mod openapi;
mod people;
mod problem;
mod subscriptions;
mod tokens;
mod wire;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use self::problem::{ApiProblem, ProblemKind};
use crate::Web;

pub use self::calls::{API_CALLS, ApiCall};
pub use self::openapi::document;
pub use self::problem::table as problems;

/// Where the API is. Another release of it will have a path of its own.
pub const BASE: &str = "/api/v1";

/// The largest body: ten thousand people to assign licences to.
const BODY_MAX_BYTES: usize = 1 << 20;

/// Every call, at its path below [`BASE`].
pub(crate) fn routes(web: &Web) -> Router<Web> {
    let mut routes = Router::new().route("/openapi.json", get(openapi::show));
    for call in API_CALLS {
        let mut route = (call.route)();
        if call.method == Method::POST {
            route = route.route_layer(from_fn_with_state(web.clone(), once::once));
        }
        let admit = from_fn_with_state((web.clone(), call.act), admit::admit);
        routes = routes.route(call.path, route.route_layer(admit));
    }
    routes
        .fallback(async || ApiProblem::new(ProblemKind::NoSuchCall, "see /api/v1/openapi.json"))
        .method_not_allowed_fallback(async || {
            ApiProblem::new(ProblemKind::WrongMethod, "see the header Allow, or /api/v1/openapi.json")
        })
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
}
