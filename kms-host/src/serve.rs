//! Serving: machines over TCP, administrators over a unix socket.
//!
//! [`serve`] takes connections, a shutdown and a host, and the host brings its clock: the caller owns all three, so a test
//! passes port 0, any future and any time.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::admin::v1::admin_service_server::AdminServiceServer;
use proto::v1::activation_service_server::ActivationServiceServer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::transport::server::Connected;

use crate::activate::Host;
use crate::admin::Admin;
use crate::service::{DEADLINE, Service};

/// How long calls that are under way may take once the host is told to stop. Idle connections are cut then.
pub const DRAIN: Duration = Duration::from_secs(10);

/// A machine makes one call and is gone; whoever stays longer is asked to connect again.
const CONNECTION_AGE: Duration = Duration::from_mins(5);

/// How long a connection may say nothing before it is closed.
const FIRST_BYTE: Duration = Duration::from_secs(10);

/// How long accepting rests when the process has run out of descriptors; without it the loop would spin.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Connections that the kernel may hold before they are accepted; it takes net.core.somaxconn where that is less. Past it a
/// connection is dropped, tried again after a second, or reset: with the usual 128, ten thousand machines that came at once
/// met 600 resets and more.
const BACKLOG: u32 = 65_535;

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
    let service = ActivationServiceServer::new(Service(host)).max_decoding_message_size(DECODE_LIMIT_BYTES);
    let router = Server::builder()
        .timeout(DEADLINE)
        .max_connection_age(CONNECTION_AGE)
        .max_concurrent_streams(1024)
        .http2_max_header_list_size(8 * 1024)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .add_service(health_service)
        .add_service(service);
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

/// Serves administrators until `shutdown`. The socket's mode is the permission: whoever may open it may ask.
///
/// # Errors
/// The transport failed.
pub async fn serve_admin(
    host: Arc<Host>,
    listening: Vec<String>,
    socket: UnixListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), AdminServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<AdminServiceServer<Admin>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let connections = UnixListenerStream::new(socket);
    Server::builder()
        .add_service(health_service)
        .add_service(reflection)
        .add_service(AdminServiceServer::new(Admin::new(host, listening)))
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

/// Connections of several listeners in one stream. Accepting rests when descriptors run out, instead of spinning.
pub fn connections(listeners: Vec<TcpListener>) -> impl Stream<Item = io::Result<TcpStream>> {
    let (sender, receiver) = mpsc::channel(64);
    for listener in listeners {
        tokio::spawn(accept(listener, sender.clone()));
    }
    ReceiverStream::new(receiver).map(Ok)
}

/// tonic never closes a connection that says nothing, so one laptop could hold every descriptor; here it is closed.
async fn hand_on_when_it_speaks(connection: TcpStream, accepted: mpsc::Sender<TcpStream>) {
    let mut first_byte = [0];
    let spoke = tokio::time::timeout(FIRST_BYTE, connection.peek(&mut first_byte)).await;
    if matches!(spoke, Ok(Ok(1))) {
        // Nobody takes it any more when the host stops.
        let _ = accepted.send(connection).await;
    }
}

/// Ends when nobody takes connections any more.
async fn accept(listener: TcpListener, accepted: mpsc::Sender<TcpStream>) {
    loop {
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            () = accepted.closed() => return,
        };
        match connection {
            Ok((connection, _)) => {
                if let Err(error) = connection.set_nodelay(true) {
                    tracing::debug!(%error, "a connection was gone before it was served");
                    continue;
                }
                tokio::spawn(hand_on_when_it_speaks(connection, accepted.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted for a moment");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// Binds one address. `[::]` takes IPv4 too; on a machine without IPv6 it falls back to `0.0.0.0`, and says so.
///
/// # Errors
/// The address is taken, or is not this machine's.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match listen(address) {
        Err(error)
            if address.is_ipv6()
                && address.ip().is_unspecified()
                && error.kind() != io::ErrorKind::AddrInUse =>
        {
            let fallback = SocketAddr::from(([0, 0, 0, 0], address.port()));
            tracing::warn!(%error, %address, %fallback, "no IPv6 here");
            listen(fallback)
        }
        bound => bound,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    // As every server does: connections of the last run that linger must not keep this one from its port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
