//! Asking a running host: the connection, and how long it may take.
//!
//! A host that is frozen, or whose disk hangs, leads to an error after a time limit. While a call is open, the connection sends pings,
//! which notice a frozen process, whatever the call. Each call has a time limit as well.

use std::path::Path;
use std::time::Duration;

use proto::admin::v1::admin_service_client::AdminServiceClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{GrpcMethod, Request, Status};

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
    Ok(AdminServiceClient::with_interceptor(server::admin::connect(path).await?, limited))
}

#[expect(clippy::unnecessary_wraps, reason = "an interceptor may refuse")]
fn limited(mut request: Request<()>) -> Result<Request<()>, Status> {
    let method = request.extensions().get::<GrpcMethod<'static>>().map(GrpcMethod::method);
    let is_whole = method.is_some_and(|method| WHOLE.contains(&method));
    request.set_timeout(if is_whole { WHOLE_LIMIT } else { CALL_LIMIT });
    Ok(request)
}
