//! The asks: real ones, of distinct machines, signed before any clock starts.
//!
//! A machine here is a key and a fingerprint. Its first ask brings neither lease nor chain; a renewal is what a client
//! sends a week later: it shows the lease that it was given, presents its serial, and names the chain that it has.

use proto::v1;
use rand::RngExt;
use shared::answer::{Expected, Lease};
use shared::ask::AskKind;
use shared::envelope::SecretKey;
use shared::exchange::{self, Exchange};
use shared::ids::{Fingerprint, Nonce, ProductId};
use shared::time::Timestamp;
use world::cores::on_every_core;

/// A machine, and the ask that it is about to make.
#[derive(Clone)]
pub(crate) struct Asker {
    key: SecretKey,
    fingerprint: Fingerprint,
    /// What it sends.
    pub(crate) request: v1::ActivateRequest,
    /// What an answer has to match.
    pub(crate) expected: Expected,
}

/// New machines with their first asks, signed on every core.
pub(crate) fn first(count: usize, product: ProductId, now: Timestamp) -> Vec<Asker> {
    on_every_core(vec![(); count], |()| {
        let mut random = rand::rng();
        let key = SecretKey::from_seed(&random.random());
        let operating_system_id: [u8; 16] = random.random();
        let fingerprint = Fingerprint::of_machine(product, &operating_system_id);
        sign(key, fingerprint, product, None, now)
    })
}

/// The renewals of machines that were given these leases.
pub(crate) fn renewals(licensed: Vec<(Asker, Box<Lease>)>, now: Timestamp) -> Vec<Asker> {
    on_every_core(licensed, |(asker, lease)| {
        let Asker { key, fingerprint, expected, .. } = asker;
        sign(key, fingerprint, expected.product, Some(&lease), now)
    })
}

fn sign(
    key: SecretKey,
    fingerprint: Fingerprint,
    product: ProductId,
    held: Option<&Lease>,
    now: Timestamp,
) -> Asker {
    let exchange = Exchange {
        serial: held.map_or(0, |lease| lease.header().serial),
        chain: held.map(|lease| lease.chain().clone()),
        ..Exchange::default()
    };
    let asker = exchange::Asker {
        key: &key,
        replaces: None,
        product,
        fingerprint,
        kind: AskKind::Activate,
        kept: true,
        edition: "professional",
        library_version: env!("CARGO_PKG_VERSION"),
    };
    let nonce = Nonce::from_bytes(rand::rng().random());
    let ask = exchange.compose(&asker, nonce, held.map(Lease::signed), now);
    let request = asker.activate(&ask, None);
    let expected = Expected::of(&ask, None);
    Asker { key, fingerprint, request, expected }
}
