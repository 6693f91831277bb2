//! A machine that is nothing but its asks: no disk, no discovery, no loop. For stories with more machines than one would
//! want clients.
//!
//! It asks and obeys by `shared::exchange`, as the client library does, and keeps in memory what that keeps on disk. It makes no
//! new identity when it is named a copy.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context;
use proto::v1;
use proto::v1::activation_service_client::ActivationServiceClient;
use rand::RngExt;
use shared::answer::{AnswerError, Expected, Lease, Verdict};
use shared::ask::{Ask, AskKind};
use shared::certificate::Roots;
use shared::envelope::SecretKey;
use shared::exchange::{self, Exchange, Visit};
use shared::ids::{Fingerprint, MachineId, Nonce, ProductId};
use shared::revocation::Revocations;
use shared::time::Timestamp;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::Shop;

/// A way to a host. Clones share a connection, which is made again when it breaks.
pub type Wire = ActivationServiceClient<Channel>;

/// The way to the host at this address; it connects when it is first used.
///
/// # Errors
/// The address is no address.
pub fn wire(address: SocketAddr) -> anyhow::Result<Wire> {
    Ok(ActivationServiceClient::new(endpoint(address)?.connect_lazy()))
}

/// Like [`wire`], but connected already.
///
/// # Errors
/// The address is malformed, or the connection is not accepted.
pub async fn connected_wire(address: SocketAddr) -> anyhow::Result<Wire> {
    let channel = endpoint(address)?.connect().await.context("connecting")?;
    Ok(ActivationServiceClient::new(channel))
}

/// The way there from this address of this machine, which stands for another one.
///
/// # Errors
/// The address is no address.
pub fn wire_from(from: IpAddr, address: SocketAddr) -> anyhow::Result<Wire> {
    Ok(ActivationServiceClient::new(endpoint(address)?.local_address(Some(from)).connect_lazy()))
}

fn endpoint(address: SocketAddr) -> anyhow::Result<Endpoint> {
    Endpoint::from_shared(format!("http://{address}")).context("a host's address")
}

/// One machine. A clone is what a copied disk is: another machine under the same identity.
#[derive(Clone)]
pub struct Asker {
    key: SecretKey,
    product: ProductId,
    roots: Roots,
    exchange: Exchange,
    lease: Option<Lease>,
}

/// Why an ask got no answer that counts.
#[derive(Debug)]
pub enum NoAnswer {
    /// It is unsigned.
    Unsigned(Status),
    /// It was an answer to something else.
    NotOurs(AnswerError),
}

impl Asker {
    /// A new machine that carries this shop's product.
    ///
    /// # Errors
    /// The vendor's roots are no keys.
    pub fn new(shop: &Shop) -> anyhow::Result<Asker> {
        let roots = shop.vendor().roots();
        Ok(Asker {
            key: SecretKey::from_seed(&rand::rng().random()),
            product: shop.product().id,
            roots: Roots::new(roots.iter().map(<[u8; 32]>::as_slice))
                .map_err(|error| anyhow::anyhow!("the vendor's roots: {error}"))?,
            exchange: Exchange::default(),
            lease: None,
        })
    }

    /// Its id.
    pub fn machine(&self) -> MachineId {
        self.key.public().machine()
    }

    /// The serial of the last answer that it accepted.
    pub fn serial(&self) -> u64 {
        self.exchange.serial
    }

    /// Its lease.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// The ask that it would send now. An ask without an answer is composed again under the same nonce.
    pub fn compose(&mut self, now: Timestamp) -> Ask {
        let nonce = self.exchange.name(Nonce::from_bytes(rand::rng().random()));
        self.exchange.compose(&self.asks(), nonce, self.lease.as_ref().map(Lease::signed), now)
    }

    /// An ask as it goes over the wire, signed by this machine.
    pub fn request(&self, ask: &Ask) -> v1::ActivateRequest {
        self.asks().activate(ask, self.lease.as_ref().map(|lease| lease.chain().encoded()))
    }

    fn asks(&self) -> exchange::Asker<'_> {
        exchange::Asker {
            key: &self.key,
            replaces: None,
            product: self.product,
            fingerprint: Fingerprint::of_machine(self.product, self.machine().as_bytes()),
            kind: AskKind::Activate,
            kept: true,
            edition: "",
            library_version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// Asks, and keeps what an accepted answer gives.
    ///
    /// # Errors
    /// [`NoAnswer`]: the next ask has the same nonce.
    pub async fn ask(&mut self, wire: &mut Wire, now: Timestamp) -> Result<Verdict, NoAnswer> {
        let ask = self.compose(now);
        let response = wire.activate(self.request(&ask)).await.map_err(NoAnswer::Unsigned)?;
        let answer = response.into_inner().answer.unwrap_or_default();
        self.judge(&ask, &answer, now).map_err(NoAnswer::NotOurs)
    }

    /// Judges what came for this ask, and keeps what an accepted answer gives.
    ///
    /// # Errors
    /// It is an answer to something else.
    pub fn judge(&mut self, ask: &Ask, answer: &v1::Answer, now: Timestamp) -> Result<Verdict, AnswerError> {
        let expected = Expected::of(ask, None);
        let judged = self.exchange.judge(answer, &self.roots, &expected, &mut Revocations::default(), now)?;
        let (_, verdict) = self.exchange.obey(&mut Visit::new(ask.kind, true), judged, now);
        if let Verdict::Leased(lease) = &verdict {
            self.lease = Some((**lease).clone());
        }
        Ok(verdict)
    }
}
