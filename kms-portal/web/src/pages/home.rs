//! The first page.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;

use crate::Web;
use crate::frame::{Frame, page};
use crate::signed_in::Anyone;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/", get(home))
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
}

async fn home(anyone: Anyone) -> Response {
    page(&HomePage { frame: anyone.frame() })
}
