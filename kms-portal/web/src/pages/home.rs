//! The first page.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;

use crate::Web;
use crate::frame::{Frame, page};
use crate::visitor::Visitor;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/", get(home))
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
}

async fn home(visitor: Visitor) -> Response {
    page(&HomePage { frame: visitor.frame() })
}
