//! The unix socket for administrators, and its two ends: a service behind it, and a connection to it.
//!
//! `socket` is the file, `caller` says who asks and whether they may.

pub mod caller;
pub mod socket;

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;
use tokio::net::unix::UCred;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tonic::service::InterceptorLayer;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};

use self::caller::admit;
use crate::accept::admin_connections;

/// A live process answers a ping at once, or within a few seconds if it lacks processor time.
const PING_INTERVAL: Duration = Duration::from_secs(3);
const PING_LIMIT: Duration = Duration::from_secs(9);

/// How long a connection may take. Whoever opens it may have a shorter limit, which says more.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// Serves administrators until `shutdown`, with health and reflection: root, and the program's own user. The kernel says who asks.
/// `descriptors` describe the messages.
///
/// # Errors
/// The transport failed.
pub async fn serve<S>(
    service: S,
    descriptors: &'static [u8],
    socket: UnixListener,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
{
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<S>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(descriptors)
        .build_v1()?;
    let connections = admin_connections(socket);
    Server::builder()
        .layer(InterceptorLayer::new(admit))
        .add_service(health_service)
        .add_service(reflection)
        .add_service(service)
        .serve_with_incoming_shutdown(connections, shutdown)
        .await?;
    Ok(())
}

/// Connects to the program that serves this socket. While a call is open, the connection sends pings, which notice a frozen process.
///
/// # Errors
/// There is no socket, nobody serves it, or this user may not open it.
pub async fn connect(path: &Path) -> Result<Channel, tonic::transport::Error> {
    let path = path.to_owned();
    connect_by(move || {
        let path = path.clone();
        async move { socket::connect(&path).await }
    })
    .await
}

/// Connects over the bytes that `open` opens, again whenever they have ended. It sends pings as [`connect`] does.
///
/// # Errors
/// They cannot be opened, or what is at their other end does not speak HTTP/2.
pub async fn connect_by<B, F>(
    open: impl Fn() -> F + Send + 'static,
) -> Result<Channel, tonic::transport::Error>
where
    F: Future<Output = io::Result<B>> + Send + 'static,
    B: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // The address is ignored: whoever opens the bytes knows where.
    let endpoint = Endpoint::from_static("http://host")
        .connect_timeout(CONNECT_LIMIT)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_LIMIT);
    let connector = tower::service_fn(move |_| {
        let opening = open();
        async move { opening.await.map(TokioIo::new) }
    });
    endpoint.connect_with_connector(connector).await
}

/// The process that serves this socket, and its user; none if nobody serves it, or it cannot be seen from here.
pub async fn serving(path: &Path) -> Option<UCred> {
    socket::connect(path).await.ok()?.peer_cred().ok()
}

/// Whether a call failed because the program did not answer in time.
pub fn is_silence(status: &Status) -> bool {
    // tonic reports its own deadline as cancelled, and a ping without an answer as unavailable.
    matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded)
        || (status.code() == Code::Unavailable && is_timeout(status))
}

fn is_timeout(status: &Status) -> bool {
    let mut causes = std::iter::successors(std::error::Error::source(status), |&error| error.source());
    causes.any(|error| {
        error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout)
            || error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    })
}
