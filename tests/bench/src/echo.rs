//! The two echoes: one shows what gRPC itself can do, the other the limit for any server that verifies and signs.
//!
//! Both take the same asks and give leases of the same size over the same kind of connections as the host. The bare one
//! looks at nothing and gives every caller the same lease. The signed one verifies each ask as strictly as the host does
//! and signs a lease for it with the same crate; it has no ledger, so its count is a fiction and its leases are worth
//! nothing. Neither is fit for anything but to be measured.

use std::net::SocketAddr;
use std::sync::Arc;

use kms_host::certificates::Installed;
use prost::Message;
use proto::v1::activation_service_server::{ActivationService, ActivationServiceServer};
use proto::v1::{self, ActivateRequest, ActivateResponse, ReleaseRequest, ReleaseResponse};
use shared::answer::{self, Grant, Header};
use shared::ask::Ask;
use shared::envelope::{Kind, SecretKey};
use shared::ids::LedgerId;
use shared::time::Clock;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Gives every caller the same lease.
pub(crate) struct Bare(pub(crate) ActivateResponse);

#[tonic::async_trait]
impl ActivationService for Bare {
    async fn activate(&self, _: Request<ActivateRequest>) -> Result<Response<ActivateResponse>, Status> {
        Ok(Response::new(self.0.clone()))
    }

    async fn release(&self, _: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        Err(Status::unimplemented("an echo releases nobody"))
    }
}

/// Verifies each ask and signs a lease for it.
pub(crate) struct Signed {
    /// The host's signing key.
    pub(crate) key: SecretKey,
    /// The host's certificate.
    pub(crate) installed: Installed,
    /// For the times in its leases.
    pub(crate) clock: Arc<dyn Clock>,
}

#[tonic::async_trait]
impl ActivationService for Signed {
    async fn activate(
        &self,
        request: Request<ActivateRequest>,
    ) -> Result<Response<ActivateResponse>, Status> {
        let ask = request.into_inner().ask.ok_or_else(|| Status::invalid_argument("it has no ask"))?;
        let ask = Ask::open(&ask, None).map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok(Response::new(self.lease(&ask)))
    }

    async fn release(&self, _: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        Err(Status::unimplemented("an echo releases nobody"))
    }
}

impl Signed {
    /// A lease as the host would give it, with the chain, which a machine's first answer brings.
    pub(crate) fn lease(&self, ask: &Ask) -> ActivateResponse {
        let signed = self.key.sign_bytes(Kind::Lease, self.compose(ask).into());
        let chain = self.installed.chain.encoded().clone();
        ActivateResponse { answer: Some(v1::Answer { signed: Some(signed), chain, ..v1::Answer::default() }) }
    }

    /// What is signed of it.
    pub(crate) fn compose(&self, ask: &Ask) -> Vec<u8> {
        let certificate = self.installed.chain.host();
        let now = self.clock.now();
        let ledger = LedgerId::from_bytes([0; 16]);
        let header = Header::answering(ask, ask.serial + 1, now, certificate.host(), ledger);
        let grant = Grant { count: 100_000, threshold_met_at: now };
        answer::compose_lease(&header, &certificate.policy, &grant, ask.fingerprint).encode_to_vec()
    }
}

/// Serves an echo on a port of its own until `stop`.
///
/// # Errors
/// There is no port.
#[expect(clippy::unused_async, reason = "it listens and spawns, which needs a runtime around it")]
pub(crate) async fn serve(
    echo: impl ActivationService,
    stop: CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let listener = server::listen::bind_all(&[([127, 0, 0, 1], 0).into()])?.remove(0);
    let address = listener.local_addr()?;
    let connections = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder().add_service(ActivationServiceServer::new(echo));
    tokio::spawn(server.serve_with_incoming_shutdown(connections, stop.cancelled_owned()));
    Ok(address)
}
