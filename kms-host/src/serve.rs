//! Serving: machines over TCP, administrators over a unix socket.
//!
//! Who may connect at all is [`accept`](crate::accept)'s to say; what a connection may do from then on is bounded here.
//! [`serve`] takes connections, a shutdown and a host, and the host brings its clock: the caller owns all three, so a test
//! passes port 0, any future and any time.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use proto::admin::v1::admin_service_server::AdminServiceServer;
use proto::v1::activation_service_server::ActivationServiceServer;
use shared::reason::Reason;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::codegen::http::Response;
use tonic::service::InterceptorLayer;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Code, Status};
use tower::util::MapResponseLayer;

use crate::accept::admin_connections;
use crate::activate::Host;
use crate::admin::Admin;
use crate::caller::admit;
use crate::service::{DEADLINE, Service, status};

/// How long calls that are under way may take once the host is told to stop. Idle connections are cut then.
pub const DRAIN: Duration = Duration::from_secs(10);

/// A machine makes one call and is gone; whoever stays longer is asked to connect again.
/// What is under way then may take as long as any call; after that `accept` cuts it.
pub(crate) const CONNECTION_AGE: Duration = Duration::from_mins(5);

/// A peer that has said nothing for the interval is asked for a sign of life, which it has to give within the limit. That
/// ends a connection whose machine is gone, or has stopped in the middle of a request.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_LIMIT: Duration = Duration::from_secs(20);

/// Calls at once on one connection. A machine makes one; this many are for proxies, which put many machines on one
/// connection. More of them wait at the peer and are not refused. With the largest message it bounds what a connection can
/// make the host hold to 16 MiB.
const CALLS_AT_ONCE: u32 = 256;

/// Headers of one call. Ours have less than 300 bytes; the rest is for what proxies add.
const HEADERS_LIMIT_BYTES: u32 = 8 * 1024;

/// More than the largest ask, so that one that is too large gets an answer that says so.
const DECODE_LIMIT_BYTES: usize = 4 * shared::MAX_MESSAGE_BYTES;

/// Serves machines until `shutdown`, then drains.
///
/// # Errors
/// The transport failed; single connections that fail are their own affair.
pub async fn serve<S, IO>(
    host: Arc<Host>,
    connections: S,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error>
where
    S: Stream<Item = io::Result<IO>>,
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<ActivationServiceServer<Service>>().await;
    let service =
        ActivationServiceServer::new(Service::new(host)).max_decoding_message_size(DECODE_LIMIT_BYTES);
    let router =
        bounded().layer(MapResponseLayer::new(explained)).add_service(health_service).add_service(service);
    let (stopping, told_to_stop) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async {
        shutdown.await;
        health.set_not_serving::<ActivationServiceServer<Service>>().await;
        drop(stopping);
    };
    let serving = router.serve_with_incoming_shutdown(connections, shutdown);
    let drained = async {
        // Fires when `shutdown` has, since that drops the sender.
        let _ = told_to_stop.await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = serving => served,
        () = drained => Ok(()),
    }
}

/// tonic refuses a message beyond [`DECODE_LIMIT_BYTES`] unread and without a reason of ours.
fn explained(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    let code = headers.get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()));
    if code != Some(Code::OutOfRange) {
        return response;
    }
    status(Reason::TooLarge.with(&[("limit", &shared::MAX_MESSAGE_BYTES)]).into()).into_http()
}

/// A server with every bound on what one connection may do.
fn bounded() -> Server {
    Server::builder()
        .timeout(DEADLINE)
        .max_connection_age(CONNECTION_AGE)
        .max_concurrent_streams(CALLS_AT_ONCE)
        .http2_max_header_list_size(HEADERS_LIMIT_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_LIMIT))
}

/// Serves administrators until `shutdown`: root, and the user whom the host runs as. The kernel says who asks.
///
/// # Errors
/// The transport failed.
pub async fn serve_admin(
    admin: Admin,
    socket: UnixListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), AdminServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<AdminServiceServer<Admin>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let connections = admin_connections(socket);
    Server::builder()
        .layer(InterceptorLayer::new(admit))
        .add_service(health_service)
        .add_service(reflection)
        .add_service(AdminServiceServer::new(admin))
        .serve_with_incoming_shutdown(connections, shutdown)
        .await?;
    Ok(())
}

/// The admin socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum AdminServeError {
    /// The checked-in descriptors do not fit the reflection service.
    #[error("the admin service cannot describe itself")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("the admin socket cannot be served")]
    Transport(#[from] tonic::transport::Error),
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};

    use super::*;

    /// A peer that has opened HTTP/2 and said nothing else.
    async fn peer() -> DuplexStream {
        const EMPTY_SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        let (mut peer, host) = duplex(64 * 1024);
        let (_, health) = tonic_health::server::health_reporter();
        let connections = tokio_stream::once(io::Result::Ok(host));
        tokio::spawn(bounded().add_service(health).serve_with_incoming(connections));
        peer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        peer.write_all(&EMPTY_SETTINGS).await.unwrap();
        peer
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_gives_no_sign_of_life_is_cut_off() {
        let mut peer = peer().await;
        let mut said = Vec::new();
        let limit = KEEPALIVE_INTERVAL + KEEPALIVE_LIMIT;
        let early = timeout(limit.saturating_sub(Duration::from_secs(1)), peer.read_to_end(&mut said)).await;
        assert!(early.is_err(), "it has time until then");
        timeout(Duration::from_secs(2), peer.read_to_end(&mut said)).await.expect("it is cut off").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_alive_is_asked_to_go_when_it_is_old() {
        let (mut from_host, mut to_host) = tokio::io::split(peer().await);
        let answering = tokio::spawn(async move {
            let mut went = false;
            let mut header = [0; 9];
            while from_host.read_exact(&mut header).await.is_ok() {
                let mut payload = vec![0; usize::from(header[1]) << 8 | usize::from(header[2])];
                from_host.read_exact(&mut payload).await.unwrap();
                match (header[3], header[4]) {
                    // PING, acknowledged unless the host has left meanwhile.
                    (6, 0) => {
                        let pong = [&[0, 0, 8, 6, 1, 0, 0, 0, 0], &payload[..]].concat();
                        let _ = to_host.write_all(&pong).await;
                    }
                    // GOAWAY.
                    (7, _) => went = true,
                    _ => {}
                }
            }
            went
        });
        sleep(CONNECTION_AGE.saturating_sub(Duration::from_secs(1))).await;
        assert!(!answering.is_finished(), "it has shown that it is alive");
        let went = timeout(Duration::from_secs(2), answering).await;
        assert!(went.expect("it is closed").unwrap(), "and it is told so before");
    }
}
