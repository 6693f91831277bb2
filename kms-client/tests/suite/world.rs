//! A vendor, a clock, and a host that answers by a script.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kms_client::{Builder, Cause, Client, Clock, Features, Product, Timestamp};
use proto::v1;
use proto::v1::activation_service_server::{ActivationService, ActivationServiceServer};
use shared::answer::{Grant, Header, compose_lease, compose_refusal, compose_released, compose_waiting};
use shared::ask::Ask;
use shared::certificate::{HostCertificate, Roots};
use shared::envelope::{Kind, SecretKey};
use shared::ids::{CertificateId, LedgerId, OrganisationId, ProductId};
use shared::policy::Policy;
use shared::revocation::Revocations;
use shared::testing;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

pub(crate) const PRODUCT_ID: [u8; 16] = [0x0b; 16];
pub(crate) const DAY: Duration = Duration::from_hours(24);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// 2026-01-01, on every clock of a story until it is moved.
pub(crate) const BEGIN: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

/// A clock that a story moves.
#[derive(Debug)]
pub(crate) struct StoryClock(Mutex<Timestamp>);

impl StoryClock {
    pub(crate) fn new() -> Arc<StoryClock> {
        Arc::new(StoryClock(Mutex::new(BEGIN)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = *now + by;
    }

    pub(crate) fn set(&self, to: Timestamp) {
        *self.0.lock().unwrap() = to;
    }
}

impl Clock for StoryClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.now().since(BEGIN)
    }
}

pub(crate) fn root() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

pub(crate) fn product() -> Product {
    let key = *root().public().as_bytes();
    Product::new(PRODUCT_ID, "Editor", [key, *SecretKey::from_seed(&[2; 32]).public().as_bytes()])
}

/// A client with its state in `dir`, on the machine `machine`, that asks these hosts.
pub(crate) fn builder(dir: &Path, machine: &str, clock: &Arc<StoryClock>, hosts: &[&Host]) -> Builder {
    builder_of(product(), dir, machine, clock, hosts)
}

/// Like [`builder`], for a product that was changed.
pub(crate) fn builder_of(
    product: Product,
    dir: &Path,
    machine: &str,
    clock: &Arc<StoryClock>,
    hosts: &[&Host],
) -> Builder {
    Client::builder(product)
        .state_dir(dir)
        .fingerprint_source(machine)
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
        .hosts(hosts.iter().map(|host| host.address.to_string()))
}

pub(crate) fn client(dir: &Path, clock: &Arc<StoryClock>, hosts: &[&Host]) -> Client {
    builder(dir, "this machine", clock, hosts).build().unwrap()
}

/// The next answer of the host.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    Lease,
    Waiting(u64),
    Refusal(Cause),
    Released,
    /// The host counts the ask, and its answer is lost.
    LoseTheAnswer,
    /// An unsigned error.
    Status(Status),
}

/// An ask that the host received.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) ask: Ask,
    pub(crate) brought_chain: bool,
    /// The revocation lists that the machine says it has.
    pub(crate) known: Option<v1::KnownRevocations>,
}

/// The parts of a host. A story changes them before the host starts.
#[derive(Clone)]
pub(crate) struct Make {
    pub(crate) seed: u8,
    pub(crate) policy: Policy,
    pub(crate) organisation: u8,
    pub(crate) organisation_name: String,
    pub(crate) test: bool,
    pub(crate) features: Features,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) root: SecretKey,
}

impl Make {
    pub(crate) fn new(seed: u8) -> Make {
        Make {
            seed,
            policy: Policy::CLIENT,
            organisation: 7,
            organisation_name: "Organisation 7".into(),
            test: false,
            features: Features::NONE,
            not_before: BEGIN - DAY,
            not_after: BEGIN + 400 * DAY,
            root: root(),
        }
    }

    fn chain(&self) -> Vec<u8> {
        let certificate = HostCertificate {
            id: CertificateId::from_bytes([self.seed; 16]),
            product_name: "Editor".into(),
            organisation: OrganisationId::from_bytes([self.organisation; 16]),
            organisation_name: self.organisation_name.clone(),
            not_after: self.not_after,
            test: self.test,
            policy: self.policy,
            features: self.features.clone(),
            ..testing::certificate(self.key().public(), ProductId::from_bytes(PRODUCT_ID), self.not_before)
        };
        testing::chain(&self.root, &certificate).into()
    }

    fn key(&self) -> SecretKey {
        SecretKey::from_seed(&[self.seed; 32])
    }

    /// Starts to listen on a free port of 127.0.0.1.
    pub(crate) async fn start(self, clock: &Arc<StoryClock>) -> Host {
        self.start_at(SocketAddr::from(([127, 0, 0, 1], 0)), clock).await
    }

    async fn start_at(self, address: SocketAddr, clock: &Arc<StoryClock>) -> Host {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let service = Service { make: self, clock: Arc::clone(clock), script: Arc::clone(&script) };
        let server = tonic::transport::Server::builder().add_service(ActivationServiceServer::new(service));
        let task = tokio::spawn(async move {
            server.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap();
        });
        Host { address, script, task }
    }
}

/// A host on loopback, until it is dropped.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Script {
    next: VecDeque<Say>,
    always: Option<Say>,
    seen: Vec<Seen>,
    revocations: Revocations,
    unchecked: Vec<v1::SignedRevocationList>,
}

impl Host {
    pub(crate) async fn start(seed: u8, clock: &Arc<StoryClock>) -> Host {
        Make::new(seed).start(clock).await
    }

    /// On a free port of this address.
    pub(crate) async fn at(address: IpAddr, seed: u8, clock: &Arc<StoryClock>) -> Host {
        Host::at_port(address, 0, seed, clock).await
    }

    pub(crate) async fn at_port(address: IpAddr, port: u16, seed: u8, clock: &Arc<StoryClock>) -> Host {
        Make::new(seed).start_at(SocketAddr::new(address, port), clock).await
    }

    /// Answers this once, after the answers that were added before. Without a script the host gives leases.
    pub(crate) fn say(&self, say: Say) {
        self.script.lock().unwrap().next.push_back(say);
    }

    /// Answers this whenever the script is empty.
    pub(crate) fn always(&self, say: Say) {
        self.script.lock().unwrap().always = Some(say);
    }

    /// Has this revocation list from now on, and hands it to machines whose list is older.
    pub(crate) fn hand_out(&self, list: &v1::SignedRevocationList) {
        let roots = Roots::new([root().public().as_bytes().as_slice()]).unwrap();
        self.script.lock().unwrap().revocations.take_all(std::slice::from_ref(list), &roots);
    }

    /// Hands this to every machine, whatever it is.
    pub(crate) fn hand_out_unchecked(&self, list: v1::SignedRevocationList) {
        self.script.lock().unwrap().unchecked.push(list);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Service {
    make: Make,
    clock: Arc<StoryClock>,
    script: Arc<Mutex<Script>>,
}

impl Service {
    fn answer(
        &self,
        ask: Ask,
        brought_chain: bool,
        known: Option<&v1::KnownRevocations>,
    ) -> Result<v1::Answer, Status> {
        let revocations = &self.script.lock().unwrap().revocations.clone();
        let newer = known.into_iter().flat_map(|known| revocations.newer_than(known));
        let revocations = newer.chain(&self.script.lock().unwrap().unchecked).cloned().collect();
        let say = {
            let mut script = self.script.lock().unwrap();
            script.seen.push(Seen { ask: ask.clone(), brought_chain, known: known.copied() });
            let always = script.always.clone().unwrap_or(Say::Lease);
            script.next.pop_front().unwrap_or(always)
        };
        let (key, policy) = (self.make.key(), &self.make.policy);
        let header = |serial| Header {
            machine: ask.machine(),
            product: ask.product,
            nonce: ask.nonce,
            serial,
            host_time: self.clock.now(),
            host: key.public().host(),
            ledger: LedgerId::from_bytes([self.make.seed; 16]),
        };
        let (accepted, refused) = (header(ask.serial + 1), header(ask.serial));
        let signed = match say {
            Say::Lease => {
                let grant = Grant { count: 25, threshold_met_at: self.clock.now() };
                key.sign(Kind::Lease, &compose_lease(&accepted, policy, &grant, ask.fingerprint))
            }
            Say::Waiting(count) => key.sign(Kind::Waiting, &compose_waiting(&accepted, policy, count)),
            Say::Refusal(cause) => key.sign(Kind::Refusal, &compose_refusal(&refused, &cause, HOUR)),
            Say::Released => key.sign(Kind::Released, &compose_released(&accepted)),
            Say::LoseTheAnswer => return Err(Status::unavailable("lost")),
            Say::Status(status) => return Err(status),
        };
        let chain = self.make.chain();
        let known = ask.chain_digest == Some(shared::envelope::digest(&chain));
        let chain = if known { Vec::new() } else { chain }.into();
        Ok(v1::Answer { signed: Some(signed), chain, revocations })
    }
}

#[tonic::async_trait]
impl ActivationService for Service {
    async fn activate(
        &self,
        request: Request<v1::ActivateRequest>,
    ) -> Result<Response<v1::ActivateResponse>, Status> {
        let request = request.into_inner();
        let ask = Ask::open(&request.ask.unwrap(), request.replaced_signature.as_ref()).unwrap();
        let answer = self.answer(ask, !request.held_chain.is_empty(), request.revocations.as_ref())?;
        Ok(Response::new(v1::ActivateResponse { answer: Some(answer) }))
    }

    async fn release(
        &self,
        request: Request<v1::ReleaseRequest>,
    ) -> Result<Response<v1::ReleaseResponse>, Status> {
        let ask = Ask::open(&request.into_inner().ask.unwrap(), None).unwrap();
        let answer = self.answer(ask, false, None)?;
        Ok(Response::new(v1::ReleaseResponse { answer: Some(answer) }))
    }
}
