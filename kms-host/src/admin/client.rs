//! Asking a running host: the connection, and how long it may take.
//!
//! A host that is frozen, or whose disk stands still, is told of and not waited for. While a call is open, the connection asks
//! for a sign of life; that finds a process that stands still, whatever the call. Each call has a limit as well.

use std::io;
use std::path::Path;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use proto::admin::v1::admin_service_client::AdminServiceClient;
use tokio::net::unix::UCred;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, GrpcMethod, Request, Status};

use super::socket;

/// A process that lives answers a ping at once; one that is short of processor time, within a few seconds.
const PING_INTERVAL: Duration = Duration::from_secs(3);
const PING_LIMIT: Duration = Duration::from_secs(9);

/// How long most calls may take. Each of them reads at most a page.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// How long a call may take that reads all there is. A ledger of ten million machines takes a few minutes.
const WHOLE_LIMIT: Duration = Duration::from_mins(30);

/// The calls that read all there is.
const WHOLE: [&str; 3] = ["Verify", "VerifyChanges", "ExportLedger"];

/// Whoever asks a host of this machine.
pub type Client = AdminServiceClient<InterceptedService<Channel, Limit>>;

/// Gives each call its limit.
pub type Limit = fn(Request<()>) -> Result<Request<()>, Status>;

/// Connects to the host that serves this socket.
///
/// # Errors
/// There is no socket, nobody serves it, or this user may not open it.
pub async fn connect(path: &Path) -> Result<Client, tonic::transport::Error> {
    let path = path.to_owned();
    // The address is a formality: the connector knows the way.
    let endpoint = Endpoint::from_static("http://host")
        .connect_timeout(Duration::from_secs(5))
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_LIMIT);
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move { socket::connect(&path).await.map(TokioIo::new) }
    });
    let channel = endpoint.connect_with_connector(connector).await?;
    Ok(AdminServiceClient::with_interceptor(channel, limited))
}

/// The process that serves this socket, and its user; nothing where nobody serves it, or it cannot be seen from here.
pub async fn serving(path: &Path) -> Option<UCred> {
    socket::connect(path).await.ok()?.peer_cred().ok()
}

/// Whether a host is there and does not answer, or not in time: what a call says that was given up.
pub fn is_silence(status: &Status) -> bool {
    // tonic reports its own deadline as cancelled, and a ping without an answer as unavailable.
    matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded)
        || (status.code() == Code::Unavailable && is_timeout(status))
}

fn is_timeout(status: &Status) -> bool {
    let causes = std::iter::successors(std::error::Error::source(status), |&error| error.source());
    let mut causes = causes;
    causes.any(|error| {
        error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout)
            || error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    })
}

#[expect(clippy::unnecessary_wraps, reason = "an interceptor may refuse")]
fn limited(mut request: Request<()>) -> Result<Request<()>, Status> {
    let method = request.extensions().get::<GrpcMethod<'static>>().map(GrpcMethod::method);
    let is_whole = method.is_some_and(|method| WHOLE.contains(&method));
    request.set_timeout(if is_whole { WHOLE_LIMIT } else { CALL_LIMIT });
    Ok(request)
}
