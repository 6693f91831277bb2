//! Asking a running host: the connection, and how long it may take.
//!
//! A host that is frozen, or whose disk hangs, leads to an error after a time limit. While a call is open, the connection sends pings,
//! which notice a frozen process, whatever the call. Each call has a time limit as well.

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

/// A live process answers a ping at once, or within a few seconds if it lacks processor time.
const PING_INTERVAL: Duration = Duration::from_secs(3);
const PING_LIMIT: Duration = Duration::from_secs(9);

/// The time limit of most calls. Each of them reads at most a page.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// The time limit of a call that reads everything. A ledger of ten million machines takes a few minutes.
const WHOLE_LIMIT: Duration = Duration::from_mins(30);

/// The calls that read everything.
const WHOLE: [&str; 3] = ["Verify", "VerifyChanges", "ExportLedger"];

/// A client of a host on this machine.
pub type Client = AdminServiceClient<InterceptedService<Channel, Limit>>;

/// Gives each call its limit.
pub type Limit = fn(Request<()>) -> Result<Request<()>, Status>;

/// Connects to the host that serves this socket.
///
/// # Errors
/// There is no socket, no host serves it, or this user may not open it.
pub async fn connect(path: &Path) -> Result<Client, tonic::transport::Error> {
    let path = path.to_owned();
    // The address is ignored: the connector knows the path.
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

/// The process that serves this socket, and its user; none if no host serves it, or it cannot be seen from here.
pub async fn serving(path: &Path) -> Option<UCred> {
    socket::connect(path).await.ok()?.peer_cred().ok()
}

/// Whether a call failed because the host did not answer in time.
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

#[expect(clippy::unnecessary_wraps, reason = "an interceptor may refuse")]
fn limited(mut request: Request<()>) -> Result<Request<()>, Status> {
    let method = request.extensions().get::<GrpcMethod<'static>>().map(GrpcMethod::method);
    let is_whole = method.is_some_and(|method| WHOLE.contains(&method));
    request.set_timeout(if is_whole { WHOLE_LIMIT } else { CALL_LIMIT });
    Ok(request)
}
