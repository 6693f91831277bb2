//! Whom a machine believes: hosts that the vendor has certified, for its product and its organisation. `docs/protocol.md` 2.

use std::time::Duration;

use kms_client::{Outcome, Reason};
use kms_vendor::{NewIssuer, Signer};
use shared::policy::Policy;
use world::clock::NEW_YEAR;
use world::machine::Finds;
use world::shop::ORGANISATION;
use world::{Machine, TestClock, TestHost};

use crate::stage::{Stage, YEAR, an_hour_ago, failure, folder, now, outcomes, serve};

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_rogue_host_is_untrusted_and_the_next_one_gives_the_lease() {
    let stage = Stage::with_threshold(1);
    let forger = stage.shop.forge(&folder(&stage, "forger")).unwrap();
    let rogue = serve(&forger.make_host("host", an_hour_ago()).unwrap()).await;
    let host = stage.host("host").await;

    let fooled = stage.machine("fooled", &[rogue.address()]);
    let (reason, text) = failure(&fooled.activate().await.unwrap());
    assert_eq!(reason, Reason::Untrusted);
    assert!(text.contains(&rogue.address().to_string()), "{text}");
    assert!(!fooled.state().is_licensed() && fooled.snapshot().lease.is_none());
    assert_eq!(fooled.snapshot().serial, 0, "nothing that a stranger signs is kept");

    let machine = stage.machine("machine", &[rogue.address(), host.address()]);
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["UNTRUSTED", "LEASE"]);
    assert!(machine.state().is_licensed());
}

#[tokio::test]
async fn a_host_of_another_product_says_that_it_does_not_know_this_one() {
    let stage = Stage::with_threshold(1);
    let other = stage.shop.another_product("Borealis", Policy::CLIENT).unwrap();
    let others = serve(&other.make_host("others", an_hour_ago()).unwrap()).await;
    let host = stage.host("host").await;

    let alone = stage.machine("alone", &[others.address()]);
    let (reason, text) = failure(&alone.activate().await.unwrap());
    assert_eq!(reason, Reason::ProductUnknown);
    assert!(text.contains(&stage.shop.product().id.to_string()), "{text}");

    let machine = stage.machine("machine", &[others.address(), host.address()]);
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["PRODUCT_UNKNOWN", "LEASE"]);
    assert_eq!(others.count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_host_of_another_organisation_is_passed_over_by_name_until_that_is_cleared() {
    let stage = Stage::with_threshold(1);
    let ours = stage.host("ours").await;
    let theirs = stage.host_of("theirs", "Northwind Traders").await;
    let machine = stage.machine("machine", &[ours.address()]);
    machine.activate().await.unwrap();
    assert_eq!(machine.snapshot().organisation.unwrap().name, ORGANISATION);

    machine.set_hosts(&[theirs.address().to_string().parse().unwrap()]).await.unwrap();
    let (reason, text) = failure(&machine.activate().await.unwrap());
    assert_eq!(reason, Reason::OtherOrganisation);
    assert!(text.contains("Northwind Traders"), "{text}");
    assert!(machine.state().is_licensed(), "what it holds runs on");
    assert_eq!(machine.snapshot().organisation.unwrap().name, ORGANISATION);

    machine.organisation_clear().await.unwrap();
    assert!(machine.state().is_licensed());
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"]);
    assert_eq!(machine.snapshot().organisation.unwrap().name, "Northwind Traders");
}

#[tokio::test]
async fn a_host_whose_certificate_has_ended_says_so_and_the_lease_runs_on() {
    let stage = Stage::with_threshold(1);
    let (clock, home) =
        (TestClock::at(NEW_YEAR).into(), stage.shop.make_bare_host("host", kms_host::home::HOUR_MS).unwrap());
    stage.shop.certify(&home, ORGANISATION, NEW_YEAR, 10 * DAY).unwrap();
    let host = TestHost::start(&home, std::sync::Arc::clone(&clock)).await.unwrap();
    let finds = Finds::Named(vec![host.address().to_string()]);
    let machine =
        Machine::new(&stage.shop, &stage.state_dir("machine"), "machine", &finds, Some(clock.clone()))
            .unwrap();

    clock.advance((10 * DAY).saturating_sub(Duration::from_millis(1)));
    let last = machine.client.activate().await.unwrap();
    assert!(matches!(last.outcome, Outcome::Leased { .. }), "to the last millisecond: {last:?}");
    clock.advance(Duration::from_millis(1));
    let refused = machine.client.activate().await.unwrap();

    assert!(matches!(refused.outcome, Outcome::Refused(_)), "signed: {refused:?}");
    assert_eq!(failure(&refused).0, Reason::CertificateEnded);
    clock.advance(100 * DAY);
    assert!(machine.client.state().is_licensed(), "a lease outlives its certificate");
}

#[tokio::test]
async fn a_certificate_of_the_issuing_key_is_as_good_as_one_of_a_root() {
    let stage = Stage::with_threshold(1);
    let issuer = NewIssuer {
        products: vec!["Atlas"],
        not_before: an_hour_ago(),
        valid_for: 2 * YEAR,
        root: Signer::Root2,
        test: false,
        now: now(),
    };
    stage.shop.vendor().create_issuer(&issuer, &kms_vendor::Custody::Plain, &mut rand::rng()).unwrap();
    let home = stage.shop.make_bare_host("host", kms_host::home::HOUR_MS).unwrap();
    stage.shop.certify_by(Signer::Issuer, &home, ORGANISATION, now(), YEAR).unwrap();
    let host = serve(&home).await;
    let machine = stage.machine("machine", &[host.address()]);

    for _ in 0..2 {
        assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"]);
    }
    let again = stage.machine("machine", &[host.address()]);
    assert!(again.state().is_licensed(), "and is read back from the disk");
}
