//! Files that pages need: they are in the program, so no page asks another site.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::Web;

pub(super) fn routes() -> Router<Web> {
    let file = |kind: &'static str, text: &'static str| get(move || async move { served(kind, text) });
    Router::new()
        .route("/style.css", file("text/css; charset=utf-8", include_str!("../../static/style.css")))
        .route(
            "/passkeys.js",
            file("text/javascript; charset=utf-8", include_str!("../../static/passkeys.js")),
        )
        .route("/icon.svg", file("image/svg+xml", include_str!("../../static/icon.svg")))
}

fn served(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=3600")], text)
}
