//! The vendor's portal: hosts and machines ask it to be activated by a key, always by TLS.
//!
//! What it signs is verified by the asker, so no trust rests on TLS. But a product key is a secret, and travels to nobody else.
//! `docs/protocol.md` 11.

mod accounts;

use std::io;
use std::time::Duration;

use proto::v1::Signed;
use proto::vendor::v1;
use proto::vendor::v1::vendor_service_client::VendorServiceClient;
use shared::MAX_MESSAGE_BYTES;
use shared::reason::Reason;
use shared::revocation::MAX_LISTS_BYTES;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::{Response, Status};

use crate::failure::{Failure, refused_by_portal, silent, unreachable};
use crate::tls::TlsWay;
use crate::{Channel, Connection, Line};

pub use shared::portal_address::{BadPortalAddress, PortalAddress};

/// How long a portal may take to accept a connection. It may be far away.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// After how long the next address is tried beside one that has not answered. RFC 8305 8 has 250 ms.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// How long it may take to answer. It commits to its disk before it does.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A connection to a portal.
#[derive(Debug)]
pub struct Portal {
    connection: Connection,
    /// Its name in causes.
    address: String,
}

impl Portal {
    /// Connects to the portal at this address.
    ///
    /// # Errors
    /// `PORTAL_UNREACHABLE`, or the reason for which TLS has failed. Nothing was sent.
    pub async fn connect(address: &PortalAddress, tls: &TlsWay) -> Result<Portal, Failure> {
        let line = open(address, tls).await?;
        let (authority, origin) = (address.authority(), address.to_string());
        let opening = Connection::open(line, &origin, &authority);
        match within_limit(opening, &authority).await {
            Ok(connection) => Ok(Portal { connection, address: authority }),
            Err(failure) => Err(of_portal(failure, &authority)),
        }
    }

    /// Asks for a host certificate with a signed `HostActivation`.
    ///
    /// # Errors
    /// The portal's refusal, or why there is no answer. Then the portal may have activated the host all the same, and gives the same
    /// answer to the same ask.
    pub async fn activate_host(&self, ask: Signed) -> Result<v1::ActivateHostResponse, Failure> {
        self.call(self.client().activate_host(v1::ActivateHostRequest { ask: Some(ask) })).await
    }

    /// Asks for a confirmation with a signed `MachineActivation`.
    ///
    /// # Errors
    /// As [`Portal::activate_host`].
    pub async fn activate_machine(&self, ask: Signed) -> Result<v1::ActivateMachineResponse, Failure> {
        self.call(self.client().activate_machine(v1::ActivateMachineRequest { ask: Some(ask) })).await
    }

    /// Gives a machine's place back with a signed `MachineRelease`.
    ///
    /// # Errors
    /// As [`Portal::activate_host`].
    pub async fn release_machine(&self, ask: Signed) -> Result<v1::ReleaseMachineResponse, Failure> {
        self.call(self.client().release_machine(v1::ReleaseMachineRequest { ask: Some(ask) })).await
    }

    /// Asks for the revocation lists that are newer than these numbers.
    ///
    /// # Errors
    /// As [`Portal::activate_host`].
    pub async fn revocations(
        &self,
        newer: v1::GetRevocationsRequest,
    ) -> Result<v1::GetRevocationsResponse, Failure> {
        let mut client = self.client().max_decoding_message_size(MAX_LISTS_BYTES);
        self.call(client.get_revocations(newer)).await
    }

    fn client(&self) -> VendorServiceClient<Channel> {
        let (channel, origin) = self.connection.channel();
        VendorServiceClient::with_origin(channel, origin)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    async fn call<R>(&self, call: impl Future<Output = Result<Response<R>, Status>>) -> Result<R, Failure> {
        let mut refused = None;
        let call = async { call.await.inspect_err(|status| refused = refused_by_portal(status)) };
        let answered = self.connection.call(call, ANSWER_LIMIT).await;
        answered.map_err(|failure| refused.unwrap_or_else(|| of_portal(failure, &self.address)))
    }
}

/// Opens TLS to a portal, for a client of any of its services.
///
/// # Errors
/// As [`Portal::connect`].
pub async fn open(address: &PortalAddress, tls: &TlsWay) -> Result<Line, Failure> {
    let authority = address.authority();
    let opening = async {
        let stream = reach(address).await.map_err(|error| unreachable(&authority, &error))?;
        // An ask is several small writes. Without this, the last waits until the portal has acknowledged the first: 40 ms.
        stream.set_nodelay(true).map_err(|error| unreachable(&authority, &error))?;
        Ok(tls.open(stream, address.name(), authority.clone()).await?)
    };
    within_limit(opening, &authority).await.map_err(|failure| of_portal(failure, &authority))
}

async fn within_limit<T>(
    opening: impl Future<Output = Result<T, Failure>>,
    authority: &str,
) -> Result<T, Failure> {
    timeout(CONNECT_LIMIT, opening).await.unwrap_or_else(|_| Err(silent(authority)))
}

/// Connects to the first of the portal's addresses that answers. One that is silent, such as one of a broken IPv6, holds up the others for
/// [`NEXT_AFTER`] only.
async fn reach(address: &PortalAddress) -> io::Result<TcpStream> {
    let mut waiting = lookup_host((address.name(), address.port())).await?;
    let mut connecting = JoinSet::new();
    let mut failed = None;
    loop {
        match waiting.next() {
            Some(next) => {
                connecting.spawn(TcpStream::connect(next));
            }
            None if connecting.is_empty() => {
                return Err(failed.unwrap_or_else(|| io::Error::other("the name has no address")));
            }
            None => {}
        }
        match timeout(NEXT_AFTER, connecting.join_next()).await {
            Ok(Some(Ok(Ok(stream)))) => return Ok(stream),
            Ok(Some(Ok(Err(error)))) => failed = Some(error),
            Ok(Some(Err(_)) | None) | Err(_) => {}
        }
    }
}

/// There is no host here, so what is said of hosts is said of the portal.
fn of_portal(failure: Failure, address: &str) -> Failure {
    let cause = match failure.cause.reason() {
        Some(Reason::HostUnreachable | Reason::NotAHost) => {
            failure.cause.parameter("cause").unwrap_or_default()
        }
        Some(Reason::HostSilent) => "it did not answer in time",
        _ => return failure,
    };
    let cause = Reason::PortalUnreachable.with(&[("address", &address), ("cause", &cause)]);
    Failure { cause, ..failure }
}
