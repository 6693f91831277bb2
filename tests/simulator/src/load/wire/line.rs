//! One connection to a host, and one ask over it.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kms_client::{HostName, TlsEnded, TlsLine, TlsWay};
use proto::v1;
use proto::v1::activation_service_client::ActivationServiceClient;
use shared::MAX_MESSAGE_BYTES;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response, Uri};

use super::failure::{Failure, explain};

/// A connection. It is closed when this is dropped.
pub(crate) struct Line {
    sender: SendRequest<Body>,
    origin: Uri,
    driver: JoinHandle<()>,
    /// How it ended, if it has: an ask on it learns only that it did.
    ended: Arc<OnceLock<hyper::Result<()>>>,
    /// Why TLS ended it, if it did.
    tls_ended: TlsEnded,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Line {
    /// Connects, from this source if one is given, and by TLS if that is. The caller bounds it in time.
    pub(crate) async fn open(
        address: SocketAddr,
        source: Option<Ipv4Addr>,
        tls: Option<(&TlsWay, &HostName)>,
    ) -> Result<Line, Failure> {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let origin = format!("{scheme}://{address}").parse().map_err(|error| Failure::not_a_host(&error))?;
        let stream = connect(address, source).await.map_err(|error| Failure::of_io(&error))?;
        let TlsLine { bytes, ended: tls_ended } = match tls {
            None => TlsLine::plain(stream),
            Some((way, host)) => way.open(stream, host).await.map_err(|cause| Failure::of_client(&cause))?,
        };
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(bytes)).await;
        let (sender, connection) = handshake.map_err(|error| Failure::broken(&error))?;
        let ended = Arc::new(OnceLock::new());
        let told = Arc::clone(&ended);
        let driver = tokio::spawn(async move {
            // Nobody else tells it.
            let _ = told.set(connection.await);
        });
        Ok(Line { sender, origin, driver, ended, tls_ended })
    }

    /// Whether another ask may be sent over it.
    pub(crate) fn is_open(&self) -> bool {
        !self.sender.is_closed() && self.ended.get().is_none()
    }

    /// Sends an ask and waits for its answer, so long and no longer.
    pub(crate) async fn ask(
        &self,
        request: v1::ActivateRequest,
        limit: Duration,
    ) -> Result<v1::Answer, Failure> {
        let sender = OneConnection(self.sender.clone());
        let mut client = ActivationServiceClient::with_origin(sender, self.origin.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        match timeout(limit, client.activate(request)).await {
            Err(_) => Err(Failure::silent(&format!("no answer in {limit:?}"))),
            Ok(Ok(response)) => {
                response.into_inner().answer.ok_or_else(|| Failure::not_a_host(&"its answer is empty"))
            }
            Ok(Err(status)) => {
                // The connection's own end is told by another task, which may be about to.
                tokio::task::yield_now().await;
                Err(match self.tls_ended.cause() {
                    Some(cause) => Failure::of_client(cause),
                    None => explain(&status, self.ended.get()),
                })
            }
        }
    }
}

async fn connect(address: SocketAddr, source: Option<Ipv4Addr>) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = source {
        socket.bind(SocketAddr::from((source, 0)))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// HTTP/2 over exactly one connection: a channel of tonic's would connect again behind our back.
struct OneConnection(SendRequest<Body>);

impl Service<Request<Body>> for OneConnection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
