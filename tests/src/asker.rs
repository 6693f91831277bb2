//! A machine that is nothing but its asks: no disk, no discovery, no loop. For stories with more machines than one would
//! want clients.
//!
//! It composes and judges by the rules of `shared`, as the client library does, and keeps in memory what that keeps on disk:
//! the serial, the nonce of an ask that is under way, the chain and the lease.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context;
use bytes::Bytes;
use proto::v1;
use proto::v1::activation_service_client::ActivationServiceClient;
use rand::RngExt;
use shared::answer::{AnswerError, Expected, Lease, Received, Verdict};
use shared::ask::{Ask, AskKind};
use shared::certificate::{Chain, Roots};
use shared::envelope::SecretKey;
use shared::ids::{Fingerprint, MachineId, Nonce, ProductId};
use shared::time::Timestamp;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::Shop;

/// A way to a host. Clones share a connection, which is made anew when it breaks.
pub type Wire = ActivationServiceClient<Channel>;

/// The way to the host at this address; it connects when it is first used.
///
/// # Errors
/// The address is no address.
pub fn wire(address: SocketAddr) -> anyhow::Result<Wire> {
    Ok(ActivationServiceClient::new(endpoint(address)?.connect_lazy()))
}

/// The same, connected now.
///
/// # Errors
/// The address is no address, or nobody accepts the connection.
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
    serial: u64,
    nonce: Option<Nonce>,
    chain: Option<Chain>,
    lease: Option<Lease>,
}

/// Why an ask got no answer that counts.
#[derive(Debug)]
pub enum NoAnswer {
    /// Nobody signed for it.
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
            serial: 0,
            nonce: None,
            chain: None,
            lease: None,
        })
    }

    /// Its id.
    pub fn machine(&self) -> MachineId {
        self.key.public().machine()
    }

    /// The serial of the last answer that it accepted.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Its lease.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// The ask that it would send now. One that was not answered is composed again under the same nonce.
    pub fn compose(&mut self, now: Timestamp) -> Ask {
        let nonce = *self.nonce.get_or_insert_with(|| Nonce::from_bytes(rand::rng().random()));
        Ask {
            machine_key: self.key.public(),
            product: self.product,
            nonce,
            asked_at: now,
            serial: self.serial,
            fingerprint: Fingerprint::of_machine(self.product, self.machine().as_bytes()),
            held_lease: self.lease.as_ref().map(|lease| lease.signed().clone()),
            chain_digest: self.chain.as_ref().map(Chain::digest),
            replaces: None,
            kept: true,
            kind: AskKind::Activate,
            edition: String::new(),
            library_version: env!("CARGO_PKG_VERSION").to_owned(),
            rejected: None,
        }
    }

    /// An ask as it goes over the wire, signed by this machine.
    pub fn request(&self, ask: &Ask) -> v1::ActivateRequest {
        v1::ActivateRequest {
            ask: Some(ask.sign(&self.key)),
            replaced_signature: None,
            held_chain: self.lease.as_ref().map(|lease| lease.chain().encoded().clone()).unwrap_or_default(),
        }
    }

    /// Asks, and keeps what an accepted answer gives.
    ///
    /// # Errors
    /// [`NoAnswer`]: the next ask has the same nonce.
    pub async fn ask(&mut self, wire: &mut Wire, now: Timestamp) -> Result<Verdict, NoAnswer> {
        let ask = self.compose(now);
        let response = wire.activate(self.request(&ask)).await.map_err(NoAnswer::Unsigned)?;
        let answer = response.into_inner().answer.unwrap_or(v1::Answer { signed: None, chain: Bytes::new() });
        self.judge(&ask, &answer, now).map_err(NoAnswer::NotOurs)
    }

    /// Judges what came for this ask, and keeps what an accepted answer gives.
    ///
    /// # Errors
    /// It is an answer to something else.
    pub fn judge(&mut self, ask: &Ask, answer: &v1::Answer, now: Timestamp) -> Result<Verdict, AnswerError> {
        let expected = Expected::of(ask, None);
        let received = Received::open(answer, self.chain.as_ref(), &self.roots)?;
        let chain = received.chain().clone();
        let verdict = received.judge(&expected, now)?;
        let accepted = match &verdict {
            Verdict::Leased(lease) => {
                self.lease = Some((**lease).clone());
                Some(lease.header().serial)
            }
            Verdict::Waiting(waiting) => Some(waiting.header.serial),
            Verdict::Released(header) => Some(header.serial),
            Verdict::Refused(_) => None,
        };
        if let Some(serial) = accepted {
            (self.serial, self.nonce, self.chain) = (serial, None, Some(chain));
        }
        Ok(verdict)
    }
}
