//! How large asks and answers of real machines are: small enough for one packet or two. `docs/protocol.md` 2.

use kms_client::{Client, Outcome};
use kms_host::home::HOUR_MS;
use kms_vendor::{NewIssuer, Signer};
use world::HostProcess;
use world::shop::ORGANISATION;

use crate::middle::Middle;
use crate::stage::{Stage, YEAR, an_hour_ago, now, serve};

/// Every ask and every answer.
const LIMIT_BYTES: usize = 1024;

/// One that carries a sibling's chain.
const WITH_CHAIN_LIMIT_BYTES: usize = 2048;

async fn host(stage: &Stage, name: &str, signer: Signer) -> HostProcess {
    let home = stage.shop.make_bare_host(name, HOUR_MS).unwrap();
    stage.shop.certify_by(signer, &home, ORGANISATION, now(), YEAR).unwrap();
    serve(&home).await
}

/// Asks by way of somebody who measures.
async fn check(what: &str, machine: &Client, middle: &Middle, limit_bytes: usize) {
    let asks = middle.passed();
    let round = machine.activate().await.unwrap();
    assert!(matches!(round.outcome, Outcome::Leased { .. }), "{round:?}");
    assert_eq!(middle.passed(), asks + 1, "one ask was enough");
    let (ask, answer) = middle.last().sizes();
    println!("{what:<40} ask {ask:>5} bytes, answer {answer:>5} bytes");
    assert!(ask < limit_bytes && answer < limit_bytes, "{what}: {ask}, {answer}");
}

async fn check_all(signer: Signer) {
    let stage = Stage::with_threshold(1);
    if signer == Signer::Issuer {
        let issuer = NewIssuer {
            products: vec!["Atlas"],
            not_before: an_hour_ago(),
            valid_for: 2 * YEAR,
            root: Signer::Root1,
            test: false,
            now: now(),
        };
        stage.shop.vendor().create_issuer(&issuer, &kms_vendor::Custody::Plain, &mut rand::rng()).unwrap();
    }
    let [one, other] = [host(&stage, "one", signer).await, host(&stage, "other", signer).await];
    let [to_one, to_other] = [Middle::of(one.address()).await, Middle::of(other.address()).await];
    let product = stage.shop.compiled().with_edition("an edition with a name of quite some length");
    let machine = Client::builder(product)
        .state_dir(stage.state_dir("machine"))
        .fingerprint_source(b"machine")
        .hosts([to_one.address().to_string()])
        .build()
        .unwrap();

    println!("certified by {signer:?}");
    check("first activation", &machine, &to_one, LIMIT_BYTES).await;
    check("renewal", &machine, &to_one, LIMIT_BYTES).await;
    machine.set_hosts(&[to_other.address().to_string().parse().unwrap()]).await.unwrap();
    check("renewal at a sibling, chain carried", &machine, &to_other, WITH_CHAIN_LIMIT_BYTES).await;
}

#[tokio::test]
async fn asks_and_answers_are_small() {
    check_all(Signer::Root1).await;
}

#[tokio::test]
async fn with_an_issuing_certificate_they_are_small_too() {
    check_all(Signer::Issuer).await;
}
