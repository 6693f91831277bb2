//! What a machine hears that speaks in the clear where TLS is required: to every call the reason, and nothing else.
//!
//! A closed connection would tell its administrator of a network that is broken. What it has sent went in the clear
//! already; nothing of it is read, and nobody is counted.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use shared::reason::Reason;
use tokio::sync::Notify;
use tokio::time::timeout;
use tonic::body::Body;

use super::Connection;
use crate::service::status;

/// How long it may take to make its call, and as long again to hear the answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Calls at once. A machine makes one.
const CALLS_AT_ONCE: u32 = 4;

/// Answers the first call, and asks the peer to go.
pub(super) async fn refuse(connection: Connection) {
    let (status, answered) = (status(Reason::TlsRequired.into()), Notify::new());
    let answer = service_fn(|_| {
        answered.notify_one();
        let answer = status.clone().into_http::<Body>();
        async { Ok::<_, Infallible>(answer) }
    });
    let mut server = http2::Builder::new(TokioExecutor::new());
    server.max_concurrent_streams(CALLS_AT_ONCE);
    let mut serving = pin!(server.serve_connection(TokioIo::new(connection), answer));
    tokio::select! {
        _ = serving.as_mut() => return,
        _ = timeout(LIMIT, answered.notified()) => {}
    }
    serving.as_mut().graceful_shutdown();
    let _ = timeout(LIMIT, serving).await;
}
