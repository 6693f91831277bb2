//! Asks as a machine does: over the network, and with the rules by which a machine accepts an answer.
//!
//! The machine is invented for one ask and keeps nothing, so the host writes no record and counts nobody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use proto::v1::activation_service_server::SERVICE_NAME;
use rand::RngExt;
use server::listen::canonical;
use shared::answer::{Expected, Verdict};
use shared::ask::AskKind;
use shared::envelope::SecretKey;
use shared::exchange::{Asker, Exchange};
use shared::ids::{Fingerprint, HostId, Nonce};
use shared::reason::{Cause, Reason};
use shared::revocation::Revocations;
use shared::time::Length;
use tokio::time::timeout;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use wire::{Connection, not_a_host, unreachable};

use super::Known;
use super::tls::ConnectBy;
use crate::certificates::Installed;

/// How long a machine waits for a connection, and for an answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The addresses at which this machine reaches a listener: for a wildcard, the loopback address of each family.
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

/// Checks whether the program that listens there says that it activates machines.
pub(super) async fn health(address: SocketAddr, way: &ConnectBy) -> Result<(), Cause> {
    let connection = connect(address, way).await?;
    let (channel, origin) = connection.channel();
    let mut client = HealthClient::with_origin(channel, origin);
    let request = HealthCheckRequest { service: SERVICE_NAME.to_owned() };
    let answer =
        connection.call(client.check(request), ANSWER_LIMIT).await.map_err(|failure| failure.cause)?;
    match answer.status() {
        ServingStatus::Serving => Ok(()),
        ServingStatus::NotServing => Err(Reason::Stopping.into()),
        ServingStatus::Unknown | ServingStatus::ServiceUnknown => {
            Err(not_a_host(&address.to_string(), &"it does not say that it offers activation").cause)
        }
    }
}

/// Asks once for the product of this certificate, and judges the answer as a machine would. Returns who has signed it, and what it is.
pub(super) async fn ask(
    address: SocketAddr,
    installed: &Installed,
    known: &Known<'_>,
) -> Result<(HostId, Verdict), Cause> {
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
    let connection = connect(address, way).await?;
    let answer = connection.activate(request, ANSWER_LIMIT).await.map_err(|failure| failure.cause)?;
    let expected = Expected::of(&ask, Some(certificate.organisation));
    match exchange.judge(&answer, &installed.roots, &expected, &mut Revocations::default(), clock.now()) {
        Ok((chain, verdict)) => Ok((chain.host().host(), verdict)),
        Err(error) => Err(error.cause(&address)),
    }
}

async fn connect(address: SocketAddr, way: &ConnectBy) -> Result<Connection, Cause> {
    let host = address.to_string();
    let opening = async {
        let line = way.open(address).await?;
        Connection::open(line, &format!("http://{host}"), &host).await
    };
    let opened = timeout(CONNECT_LIMIT, opening).await;
    opened
        .unwrap_or_else(|_| Err(unreachable(&host, &format!("nothing in {}", Length(CONNECT_LIMIT)))))
        .map_err(|failure| failure.cause)
}
