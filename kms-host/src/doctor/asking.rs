//! Asking as a machine does: over the network, and by the rules by which a machine believes an answer.
//!
//! The machine that asks is made for one ask and keeps nothing, so the host writes no record of it and counts nobody more.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use proto::v1::activation_service_client::ActivationServiceClient;
use proto::v1::activation_service_server::SERVICE_NAME;
use rand::RngExt;
use shared::answer::{Expected, Verdict};
use shared::ask::AskKind;
use shared::envelope::SecretKey;
use shared::exchange::{Asker, Exchange};
use shared::ids::{Fingerprint, HostId, Nonce};
use shared::reason::{Cause, ERROR_DOMAIN, Reason, is_code};
use shared::time::Length;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use super::Known;
use super::tls::Way;
use crate::certificates::Installed;
use crate::door::listen::canonical;

/// As long as a machine waits for a connection, and for an answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// An answer that a machine would believe.
pub(super) struct Answered {
    /// Who has signed it.
    pub(super) host: HostId,
    /// What it is.
    pub(super) verdict: Verdict,
}

/// Where to reach a listener from this machine: a wildcard at the loopback address of each family that it takes.
pub(super) fn reachable(listening: SocketAddr, all: &[SocketAddr]) -> Vec<SocketAddr> {
    let at = |ip: IpAddr| SocketAddr::new(ip, listening.port());
    let (ipv4, ipv6) = (at(Ipv4Addr::LOCALHOST.into()), at(Ipv6Addr::LOCALHOST.into()));
    let has_ipv4_beside_it =
        all.iter().any(|one| canonical(*one).is_ipv4() && one.port() == listening.port());
    match canonical(listening) {
        listening if !listening.ip().is_unspecified() => vec![listening],
        SocketAddr::V4(_) => vec![ipv4],
        SocketAddr::V6(_) if has_ipv4_beside_it => vec![ipv6],
        SocketAddr::V6(_) => vec![ipv6, ipv4],
    }
}

/// Whether this machine can speak IPv6 with itself.
pub(super) fn has_ipv6() -> bool {
    std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Whether what listens there says that it activates machines.
pub(super) async fn health(address: SocketAddr, way: &Way) -> Result<(), Cause> {
    let mut client = HealthClient::new(connect(address, way).await?);
    let request = HealthCheckRequest { service: SERVICE_NAME.to_owned() };
    let answer = client.check(request).await.map_err(|status| explain(address, &status))?.into_inner();
    match answer.status() {
        ServingStatus::Serving => Ok(()),
        ServingStatus::NotServing => Err(Reason::Stopping.into()),
        ServingStatus::Unknown | ServingStatus::ServiceUnknown => {
            Err(not_a_host(address, &"it does not say that it offers activation"))
        }
    }
}

/// One ask for the product of this certificate, and what a machine would make of the answer.
pub(super) async fn ask(
    address: SocketAddr,
    installed: &Installed,
    known: &Known<'_>,
) -> Result<Answered, Cause> {
    let Known { clock, way, .. } = known;
    let certificate = installed.chain.host();
    let identity = SecretKey::from_seed(&rand::rng().random());
    let asker = Asker {
        key: &identity,
        replaces: None,
        product: certificate.product,
        fingerprint: Fingerprint::of_machine(certificate.product, identity.public().machine().as_bytes()),
        kind: AskKind::Activate,
        kept: false,
        edition: "doctor",
        library_version: env!("CARGO_PKG_VERSION"),
    };
    let exchange = Exchange::default();
    let ask = exchange.compose(&asker, Nonce::from_bytes(rand::rng().random()), None, clock.now());
    let request = asker.activate(&ask, None);
    let mut client = ActivationServiceClient::new(connect(address, way).await?);
    let answer =
        client.activate(request).await.map_err(|status| explain(address, &status))?.into_inner().answer;
    let answer = answer.ok_or_else(|| not_a_host(address, &"its answer is empty"))?;
    let expected = Expected::of(&ask, Some(certificate.organisation));
    match exchange.judge(&answer, &installed.roots, &expected, clock.now()) {
        Ok((chain, verdict)) => Ok(Answered { host: chain.host().host(), verdict }),
        Err(error) => Err(error.cause(&address)),
    }
}

async fn connect(address: SocketAddr, way: &Way) -> Result<Channel, Cause> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    let endpoint = endpoint.map_err(|error| not_a_host(address, &error))?;
    let endpoint = endpoint.connect_timeout(CONNECT_LIMIT).timeout(ANSWER_LIMIT);
    way.connect(endpoint, address).await?.map_err(|error| broken(address, &error))
}

/// What a status says. One with a reason that our hosts leave unsigned may come from a host.
fn explain(address: SocketAddr, status: &Status) -> Cause {
    let info = status.get_details_error_info();
    if let Some(info) = info.filter(|info| info.domain == ERROR_DOMAIN && is_code(&info.reason)) {
        let unsigned = Cause::unsigned(info.reason.clone(), info.metadata, &address);
        return unsigned
            .unwrap_or_else(|| not_a_host(address, &format!("it says {} without a signature", info.reason)));
    }
    match status.code() {
        // tonic reports its own deadline as cancelled.
        Code::DeadlineExceeded | Code::Cancelled => Reason::HostSilent.with(&[("address", &address)]),
        Code::Unimplemented => not_a_host(address, &"it does not offer activation"),
        code => match status.source() {
            Some(source) => broken(address, source),
            None => not_a_host(address, &format!("gRPC status {code:?}: {}", status.message())),
        },
    }
}

/// The network's error, if there is one at the bottom; otherwise something else than a host has answered.
fn broken(address: SocketAddr, error: &(dyn Error + 'static)) -> Cause {
    let causes = || std::iter::successors(Some(error), |&error| error.source());
    let unreachable =
        |cause: &dyn Display| Reason::HostUnreachable.with(&[("address", &address), ("cause", cause)]);
    match causes().find_map(|error| error.downcast_ref::<io::Error>()) {
        Some(error) if error.kind() == io::ErrorKind::TimedOut => {
            unreachable(&format!("nothing in {}", Length(CONNECT_LIMIT)))
        }
        Some(error) => unreachable(error),
        None => not_a_host(address, &causes().last().map(ToString::to_string).unwrap_or_default()),
    }
}

fn not_a_host(address: SocketAddr, cause: &dyn Display) -> Cause {
    Reason::NotAHost.with(&[("address", &address), ("cause", cause)])
}
