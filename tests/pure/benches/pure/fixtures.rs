//! What is counted with: one vendor, one host, its machines, a ledger. All of it from fixed seeds.
//!
//! Nothing here reads a clock or draws a random number, so the same build does the same work in every run. What is made
//! here is made outside of the count, and stays until the process ends, so that dropping it is not counted either.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use ledger::testing::MemoryLedger;
use ledger::{LedgerError, Write, Writer as _, Written};
use prost::Message;
use proto::v1;
use shared::answer::{self, Grant, Header, ShownLease};
use shared::ask::{Ask, AskKind, UnverifiedAsk};
use shared::certificate::{Chain, HostCertificate, Roots};
use shared::count::{Decision, Entrants, Shown, Sighting, Terms};
use shared::envelope::{Kind, SecretKey};
use shared::exchange::{Asker, Exchange};
use shared::ids::{Fingerprint, LedgerId, MachineId, Nonce, ProductId};
use shared::record::{self, Meta, Record, RecordState};
use shared::serial::Mark;
use shared::srv::SrvRecord;
use shared::testing;
use shared::time::Timestamp;

/// The moment of every first ask: 2026-01-01.
const FIRST: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

/// Machines that the ledger knows before anything is counted: more than the threshold, so that every answer is a lease.
const KNOWN_MACHINES: u64 = 1_000;

const PRODUCT: ProductId = ProductId::from_bytes([3; 16]);
const LEDGER: LedgerId = LedgerId::from_bytes([4; 16]);
const YEAR: Duration = Duration::from_hours(365 * 24);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// Who signs a host certificate.
#[derive(Clone, Copy)]
pub(crate) enum Issuer {
    /// The root itself: one signature to verify.
    Root,
    /// An issuing key that the root has signed for: two.
    IssuingKey,
}

/// A sighting of a machine, and whether it has been seen before.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    /// Never.
    New,
    /// A week ago, when it was given the lease that it shows now.
    Known,
}

/// A value that stays until the process ends.
pub(crate) fn keep<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

// Keys and certificates.

/// The host's key.
pub(crate) fn host_key() -> SecretKey {
    SecretKey::from_seed(&[2; 32])
}

/// What the machines trust: two roots, as every vendor has. The chain ends in the first.
pub(crate) fn roots() -> Roots {
    let keys = [root_key(), SecretKey::from_seed(&[9; 32])].map(|key| *key.public().as_bytes());
    Roots::new(keys.iter().map(<[u8; 32]>::as_slice)).expect("both are whole keys")
}

/// The host's chain, encoded.
pub(crate) fn encoded_chain(issuer: Issuer) -> Bytes {
    let certificate = certificate().encode();
    let (signer, issuing) = match issuer {
        Issuer::Root => (root_key(), None),
        Issuer::IssuingKey => (issuing_key(), Some(issuing_certificate())),
    };
    Chain::encode(signer.sign(Kind::HostCertificate, &certificate), issuing)
}

/// The host's chain.
pub(crate) fn chain() -> Chain {
    Chain::verify(&encoded_chain(Issuer::Root), &roots()).expect("it was just signed")
}

fn root_key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn issuing_key() -> SecretKey {
    SecretKey::from_seed(&[5; 32])
}

fn certificate() -> HostCertificate {
    testing::certificate(host_key().public(), PRODUCT, FIRST)
}

fn issuing_certificate() -> v1::Signed {
    let certificate = v1::IssuingCertificate {
        id: Bytes::from_static(&[8; 16]),
        public_key: Bytes::copy_from_slice(issuing_key().public().as_bytes()),
        not_before: FIRST.unix_ms(),
        not_after: (FIRST + YEAR).unix_ms(),
        products: vec![Bytes::copy_from_slice(PRODUCT.as_bytes())],
        test: false,
        must_understand: 0,
    };
    root_key().sign(Kind::IssuingCertificate, &certificate)
}

// Asks and answers.

/// An ask, signed.
pub(crate) fn signed_ask(who: Who) -> v1::Signed {
    ask(who).sign(&machine_key())
}

/// An ask, opened.
pub(crate) fn opened_ask(who: Who) -> Ask {
    Ask::open(&signed_ask(who), None).expect("it was just signed")
}

/// A request as it comes in.
pub(crate) fn encoded_request(who: Who) -> Bytes {
    let ask = Some(signed_ask(who));
    let request = v1::ActivateRequest { ask, ..v1::ActivateRequest::default() };
    request.encode_to_vec().into()
}

/// What is signed of a lease for this ask.
pub(crate) fn compose_lease(ask: &Ask, chain: &Chain) -> Vec<u8> {
    let certificate = chain.host();
    let header = Header::answering(ask, ask.serial + 1, ask.asked_at, certificate.host(), LEDGER);
    let grant = Grant { count: KNOWN_MACHINES, threshold_met_at: ask.asked_at };
    answer::compose_lease(&header, &certificate.policy, &grant, ask.fingerprint).encode_to_vec()
}

/// The payload of a first lease.
pub(crate) fn lease_payload() -> Bytes {
    compose_lease(&ask(Who::New), &chain()).into()
}

/// A first lease.
pub(crate) fn signed_lease() -> v1::Signed {
    host_key().sign_bytes(Kind::Lease, lease_payload())
}

/// An answer: a machine that has the chain already is not sent it again.
pub(crate) fn response(who: Who) -> v1::ActivateResponse {
    let chain = match who {
        Who::New => encoded_chain(Issuer::Root),
        Who::Known => Bytes::new(),
    };
    v1::ActivateResponse {
        answer: Some(v1::Answer { signed: Some(signed_lease()), chain, ..v1::Answer::default() }),
    }
}

fn machine_key() -> SecretKey {
    SecretKey::from_seed(&[10; 32])
}

fn ask(who: Who) -> Ask {
    let key = machine_key();
    let asker = Asker {
        key: &key,
        replaces: None,
        product: PRODUCT,
        fingerprint: Fingerprint::of_machine(PRODUCT, &[12; 16]),
        kind: AskKind::Activate,
        kept: true,
        edition: "professional",
        library_version: env!("CARGO_PKG_VERSION"),
    };
    match who {
        Who::New => Exchange::<Chain>::default().compose(&asker, Nonce::from_bytes([11; 16]), None, FIRST),
        Who::Known => {
            let exchange = Exchange { serial: 1, chain: Some(chain()), ..Exchange::default() };
            exchange.compose(&asker, Nonce::from_bytes([13; 16]), Some(&signed_lease()), FIRST + WEEK)
        }
    }
}

// The ledger.

/// A ledger that has known its machines for a week, and has just seen one more: the count is up to date.
pub(crate) fn ledger() -> MemoryLedger {
    let ledger = MemoryLedger::new(Meta { ledger: LEDGER, hour_width_ms: 3_600_000, pepper: [14; 32] });
    let terms = terms();
    let known = (0..KNOWN_MACHINES).map(|number| sighting(number, Who::New, FIRST, terms));
    decide(&ledger, known.map(Write::Sight).collect());
    decide(&ledger, vec![Write::Sight(sighting(u64::from(u32::MAX), Who::New, FIRST + WEEK, terms))]);
    ledger
}

fn terms() -> Terms {
    Terms::of(&chain().host().policy)
}

/// A batch that such a ledger has to decide, a week later.
pub(crate) fn sightings(who: Who, batch: u64) -> Vec<Write> {
    let terms = terms();
    let numbers = match who {
        Who::New => KNOWN_MACHINES..KNOWN_MACHINES + batch,
        Who::Known => 0..batch,
    };
    numbers.map(|number| Write::Sight(sighting(number, who, FIRST + WEEK, terms))).collect()
}

/// What a batch came to.
pub(crate) type Decided = Vec<Result<Written, LedgerError>>;

/// Decides a batch. A ledger in memory waits for nothing, so its future is ready at once.
pub(crate) fn decide(ledger: &MemoryLedger, batch: Vec<Write>) -> Decided {
    let mut applying = pin!(ledger.apply(batch));
    match applying.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(decided) => decided.expect("the ledger is there"),
        Poll::Pending => unreachable!("nothing in it waits"),
    }
}

/// A request, the key and chain that it is answered with, and the batch of one that the ledger decides for it.
pub(crate) struct Incoming {
    request: Bytes,
    batch: Vec<Write>,
    key: SecretKey,
    chain: Chain,
}

/// See [`Incoming`].
pub(crate) fn incoming(who: Who) -> Incoming {
    Incoming { request: encoded_request(who), batch: sightings(who, 1), key: host_key(), chain: chain() }
}

/// What the host does with a request between network and disk, in the host's order.
pub(crate) fn answer(ledger: &MemoryLedger, incoming: Incoming) -> Vec<u8> {
    let Incoming { request, batch, key, chain } = incoming;
    let request = v1::ActivateRequest::decode(request).expect("it was just encoded");
    let unverified = UnverifiedAsk::read(request.ask.expect("it was just put in"));
    assert_eq!(unverified.product(), Some(PRODUCT));
    let ask = unverified.verify(None).expect("its machine has signed it");
    check_leases(decide(ledger, batch));
    let signed = Some(key.sign_bytes(Kind::Lease, compose_lease(&ask, &chain).into()));
    let has_chain = ask.chain_digest == Some(chain.digest());
    let chain = if has_chain { Bytes::new() } else { chain.encoded().clone() };
    v1::ActivateResponse { answer: Some(v1::Answer { signed, chain, ..v1::Answer::default() }) }
        .encode_to_vec()
}

/// Looks at what was decided once it is counted: a lease for each, or the figure is of something else.
pub(crate) fn check_leases(outcomes: Decided) {
    let is_lease = |done: &Result<Written, LedgerError>| matches!(done, Ok(Written::Sighted(outcome)) if matches!(outcome.decision, Decision::Lease { .. }));
    assert!(!outcomes.is_empty() && outcomes.iter().all(is_lease), "not all are leases: {outcomes:?}");
}

fn sighting(number: u64, who: Who, at: Timestamp, terms: Terms) -> Sighting {
    let machine = MachineId::from_bytes(spread(number));
    let (serial, shown) = match who {
        Who::New => (0, Shown::Nothing),
        Who::Known => (1, Shown::Claimed(shown(machine))),
    };
    let nonce = Nonce::from_bytes(spread(u64::MAX - number * 2 - serial));
    Sighting {
        product: PRODUCT,
        machine,
        presented: Mark { serial, nonce, asked_at: at },
        fingerprint: Fingerprint::of_machine(PRODUCT, &number.to_be_bytes()),
        kind: AskKind::Activate,
        kept: true,
        replaces: None,
        shown,
        entrants: Entrants::Anybody,
        at,
        terms,
    }
}

fn shown(machine: MachineId) -> ShownLease {
    ShownLease { machine, ledger: LEDGER, serial: 1, threshold_met_at: FIRST, issued_at: FIRST }
}

/// Sixteen bytes that look drawn and are not: names of machines lie all over the ledger, as real ones do.
fn spread(number: u64) -> [u8; 16] {
    let low = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let high = (low ^ (low >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
}

/// A key of the ledger and the record under it.
pub(crate) fn entry() -> (Vec<u8>, Record) {
    let machine = MachineId::from_bytes(spread(0));
    let record = Record {
        state: RecordState::Active,
        serial: 26,
        nonce: Nonce::from_bytes(spread(1)),
        asked_at: FIRST,
        seen_at: FIRST,
        first_seen: FIRST,
        licensed_until: Some(FIRST + YEAR),
        fingerprint: Fingerprint::of_machine(PRODUCT, &[12; 16]),
    };
    (record::key::record(PRODUCT, machine), record)
}

/// Like [`entry`], with the record as it is written.
pub(crate) fn encoded_entry() -> (Vec<u8>, Vec<u8>) {
    let (key, record) = entry();
    let value = record.encode(&key);
    (key, value)
}

// Names.

/// SRV records of this many hosts, in four priorities, with the weights of a busy zone.
pub(crate) fn srv_records(hosts: u16) -> Vec<SrvRecord> {
    let record = |number: u16| SrvRecord {
        priority: number % 4 * 10,
        weight: number * 7 % 50,
        port: 1688,
        target: format!("kms{number}.example.com."),
    };
    (0..hosts).map(record).collect()
}

/// Numbers from 0 to what is asked for, the same ones every time.
pub(crate) fn draws() -> impl FnMut(u32) -> u32 {
    let mut turn = 0_u32;
    move |highest| {
        turn = turn.wrapping_add(0x9e37_79b9);
        turn % (highest + 1)
    }
}
