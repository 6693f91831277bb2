//! One connection to a host, and asks over it, by HTTP/2.
//!
//! Machines, the host's `doctor` and the load tool all ask through this crate. Each opens the stream in its own way (addresses,
//! sources, in the clear or by TLS), and `shared` decides what an answer means. Whatever a peer does, the result is at worst a [`Failure`] with a
//! reason. `docs/protocol.md` 1.

mod clock;
mod failure;
mod line;
#[cfg(feature = "portal")]
pub mod portal;
#[cfg(feature = "tls")]
mod tls;

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use proto::v1;
use proto::v1::activation_service_client::ActivationServiceClient;
use shared::MAX_MESSAGE_BYTES;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response as HttpResponse, Uri};
use tonic::{Response, Status};

pub use clock::SystemClock;
pub use failure::{Failure, not_a_host, silent, tls_files_bad, unreachable};
pub use line::{Bytes, Ended, Line};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsWay};

/// A connection to a host. It is closed when this is dropped.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Body>,
    origin: Uri,
    driver: JoinHandle<()>,
    /// How the connection ended, if it has. A call is told only that it ended.
    ended: Arc<OnceLock<hyper::Result<()>>>,
    tls_ended: Ended,
    /// The host's name in causes.
    host: String,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Opens HTTP/2 over these bytes. `origin` is scheme and authority, `host` is the host's name in causes. The caller limits the
    /// time.
    ///
    /// # Errors
    /// The other end does not speak HTTP/2, or has closed the connection.
    pub async fn open(line: Line, origin: &str, host: &str) -> Result<Connection, Failure> {
        let origin = origin.parse().map_err(|error| not_a_host(host, &error))?;
        let Line { bytes, ended: tls_ended } = line;
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(bytes)).await;
        let (sender, connection) = handshake.map_err(|error| match tls_ended.cause() {
            Some(cause) => cause.clone().into(),
            None => failure::broken(host, &error),
        })?;
        let ended = Arc::new(OnceLock::new());
        let end = Arc::clone(&ended);
        let driver = tokio::spawn(async move {
            // This is the only place that sets it.
            let _ = end.set(connection.await);
        });
        Ok(Connection { sender, origin, driver, ended, tls_ended, host: host.to_owned() })
    }

    /// Whether another ask can be sent over it.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed() && self.ended.get().is_none()
    }

    /// Asks, and waits at most `limit` for the answer.
    ///
    /// # Errors
    /// No answer came.
    pub async fn activate(
        &self,
        request: v1::ActivateRequest,
        limit: Duration,
    ) -> Result<v1::Answer, Failure> {
        let mut client = self.client();
        let response = self.call(client.activate(request), limit).await?;
        response.answer.ok_or_else(|| not_a_host(&self.host, &"its answer is empty"))
    }

    /// Asks to leave the count, and waits at most `limit` for the answer.
    ///
    /// # Errors
    /// No answer came.
    pub async fn release(&self, request: v1::ReleaseRequest, limit: Duration) -> Result<v1::Answer, Failure> {
        let mut client = self.client();
        let response = self.call(client.release(request), limit).await?;
        response.answer.ok_or_else(|| not_a_host(&self.host, &"its answer is empty"))
    }

    /// A channel for a client of another service. Await its calls with [`Connection::call`].
    pub fn channel(&self) -> (Channel, Uri) {
        (Channel(self.sender.clone()), self.origin.clone())
    }

    /// Awaits a call on this connection, with a time limit.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn call<R>(
        &self,
        call: impl Future<Output = Result<Response<R>, Status>>,
        limit: Duration,
    ) -> Result<R, Failure> {
        match timeout(limit, call).await {
            Err(_) => Err(silent(&self.host)),
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => {
                // The task of the connection may be about to set how it ended.
                tokio::task::yield_now().await;
                Err(failure::explain(&self.host, &status, self.tls_ended.cause(), self.ended.get()))
            }
        }
    }

    fn client(&self) -> ActivationServiceClient<Channel> {
        let (channel, origin) = self.channel();
        ActivationServiceClient::with_origin(channel, origin)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }
}

/// HTTP/2 over exactly one connection. tonic's own channel would reconnect when the connection breaks, and show the cause of the
/// second connection.
#[derive(Clone, Debug)]
pub struct Channel(SendRequest<Body>);

impl Service<Request<Body>> for Channel {
    type Response = HttpResponse<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
