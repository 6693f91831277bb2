//! What the vendor takes back: a host licenses nobody any more, and takes no license away; a machine with a product key shows a notice.

use std::time::Duration;

use kms_client::{Client, LicenseState, Notice, Outcome, Reason};
use proto::v1::SignedRevocationList;
use proto::vendor::v1::GetRevocationsResponse;
use shared::ids::CertificateId;
use shared::revocation::{RevocationList, Revoked};

use crate::portal::{Portal, issuing_certificate, issuing_key, key, typed, until};
use crate::world::{BEGIN, DAY, Host, Say, StoryClock, client, root};

/// Takes back the certificate of the host with this seed.
fn list(number: u64, seed: u8) -> SignedRevocationList {
    let revoked = Revoked {
        id: CertificateId::from_bytes([seed; 16]),
        at: BEGIN,
        reason: "the host was stolen".into(),
    };
    RevocationList::new(number, BEGIN, vec![revoked]).sign(&root(), None)
}

#[tokio::test]
async fn a_lease_of_a_revoked_host_runs_on_with_a_notice_and_another_host_renews_it() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let (stolen, other) = (Host::start(9, &clock).await, Host::start(10, &clock).await);
    client(dir.path(), &clock, &[&stolen]).activate().await.unwrap();

    // The other host brings the list, and cannot give a lease yet.
    other.hand_out(&list(1, 9));
    other.say(Say::Waiting(3));
    let product = client(dir.path(), &clock, &[&other]);
    product.activate().await.unwrap();
    let until = BEGIN + 180 * DAY;
    let seen = product.snapshot();
    assert_eq!(seen.state, LicenseState::Licensed { until }, "no license is taken away");
    assert_eq!(seen.revoked.as_deref(), Some("revoked at 2026-01-01 00:00:00Z (the host was stolen)"));
    drop(product);

    // A restart remembers the list, and the stolen host does not get through with another lease.
    clock.advance(DAY);
    let product = client(dir.path(), &clock, &[&stolen, &other]);
    other.say(Say::Waiting(3));
    let round = product.activate().await.unwrap();
    let cause = round.attempts[0].outcome.cause().unwrap();
    assert_eq!(cause.reason(), Some(Reason::HostRevoked));
    assert!(cause.to_string().ends_with("(the host was stolen)"), "{cause}");
    assert_eq!(product.state(), LicenseState::Licensed { until });
    assert!(product.snapshot().revoked.is_some());

    let round = product.activate().await.unwrap();
    assert_eq!(round.outcome, Outcome::Leased { until: until + DAY });
    assert_eq!(product.snapshot().revoked, None, "the other host has given this one");
}

#[tokio::test]
async fn a_list_is_sent_once_and_an_older_or_forged_one_changes_nothing() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    host.hand_out(&list(2, 7));
    let product = client(dir.path(), &clock, &[&host]);
    product.activate().await.unwrap();
    product.activate().await.unwrap();
    let known: Vec<_> = host.seen().iter().map(|seen| seen.known.unwrap().by_root).collect();
    assert_eq!(known, [0, 2], "it says which one it has");

    // An older list of the same rank, and one that no root has signed, come from another host.
    let other = Host::start(10, &clock).await;
    other.hand_out_unchecked(list(1, 9));
    let mut forged = list(3, 9);
    forged.signed.as_mut().unwrap().signature = vec![1; 64].into();
    other.hand_out_unchecked(forged);
    let asked = client(dir.path(), &clock, &[&other]);
    asked.activate().await.unwrap();
    // The same host by another process that has no list, so that it cannot bring the right one again.
    let plain = Host::start(9, &clock).await;
    let again = client(dir.path(), &clock, &[&plain]);
    assert!(matches!(again.activate().await.unwrap().outcome, Outcome::Leased { .. }));
}

/// Takes this back, by the portal's issuing key.
fn by_portal(number: u64, id: CertificateId) -> GetRevocationsResponse {
    let revoked = Revoked { id, at: BEGIN, reason: "refunded".into() };
    let list = RevocationList::new(number, BEGIN, vec![revoked]);
    let list = list.sign(&issuing_key(4), Some(issuing_certificate(4)));
    GetRevocationsResponse { by_issuer: Some(list), by_root: None }
}

/// A machine that is confirmed by a key, and runs.
async fn confirmed(product: &Client) {
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd);
    let agent = product.clone();
    tokio::spawn(async move { agent.run(std::future::pending()).await });
}

/// Waits until the machine has asked for lists so many times.
async fn until_fetched(portal: &Portal, times: usize) {
    let fetched = async {
        while portal.fetched() < times {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), fetched).await.expect("it fetches the lists");
}

#[tokio::test]
async fn a_machine_with_a_key_fetches_the_lists_once_a_month_and_shows_that_it_was_revoked() {
    for id in [CertificateId::from_bytes([9; 16]), Revoked::key(key(1).number())] {
        let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
        let portal = Portal::start(&clock).await;
        portal.hand_out(GetRevocationsResponse::default());
        let product = portal.client(dir.path(), &clock);
        confirmed(&product).await;
        assert_eq!(portal.fetched(), 1, "they come along with the confirmation");

        portal.hand_out(by_portal(1, id));
        clock.advance(23 * DAY);
        clock.advance(Duration::from_millis(86_399_999));
        product.wake();
        assert_eq!((portal.fetched(), product.state()), (1, LicenseState::LicensedWithoutEnd));
        clock.advance(6 * DAY + Duration::from_millis(1));
        product.wake();
        let revoked = LicenseState::KeyRevoked { since: BEGIN };
        until(&product, |product| product.state() == revoked).await;

        let seen = product.snapshot();
        assert_eq!((portal.fetched(), portal.asks().len()), (2, 1), "it asks for nothing else");
        assert_eq!(seen.revoked.as_deref(), Some("revoked at 2026-01-01 00:00:00Z (refunded)"));
        assert_eq!((seen.state.notice(), seen.last_reason), (Notice::Warning, None));
        assert!(product.has("export"), "the product works on");
        drop(product);
        let restarted = portal.client(dir.path(), &clock);
        assert_eq!(restarted.state(), revoked);
    }
}

/// The list was compared with the key that was entered, so a revoked machine had only to enter another one.
#[tokio::test]
async fn a_key_that_is_revoked_while_another_waits_is_shown_and_licenses_no_more() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    confirmed(&product).await;
    product.set_key_for_later(&typed(2)).await.unwrap();
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd);
    portal.hand_out(by_portal(1, Revoked::key(key(1).number())));
    clock.advance(30 * DAY);
    product.wake();
    let entered = LicenseState::KeyEntered { notices: true };
    until(&product, |product| product.state() == entered).await;
    assert_eq!(product.snapshot().revoked.as_deref(), Some("revoked at 2026-01-01 00:00:00Z (refunded)"));
    assert_eq!(portal.asks().len(), 1, "the second key was put off");
    product.set_key_for_later(&typed(1)).await.unwrap();
    assert_eq!(product.state(), LicenseState::KeyRevoked { since: BEGIN });
    product.set_key_for_later(&typed(2)).await.unwrap();
    product.activate().await.unwrap();
    assert_eq!((product.state(), product.snapshot().revoked), (LicenseState::LicensedWithoutEnd, None));
}

#[tokio::test]
async fn a_machine_that_gets_no_lists_says_nothing_and_asks_again_the_next_day() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    confirmed(&product).await;
    for times in 2..4 {
        clock.advance(30 * DAY);
        product.wake();
        until_fetched(&portal, times).await;
    }
    let seen = product.snapshot();
    assert_eq!((seen.state, seen.failures, seen.last_reason), (LicenseState::LicensedWithoutEnd, 0, None));
    assert_eq!((seen.ask_at, seen.troubles), (None, vec![]));

    // Once somebody hands them out, they are there within a day.
    portal.hand_out(by_portal(1, CertificateId::from_bytes([9; 16])));
    clock.advance(DAY);
    product.wake();
    until(&product, |product| product.state() == LicenseState::KeyRevoked { since: BEGIN }).await;
}

/// The portal was broken into. Its next issuing key confirms the machines, and nobody has to do anything on them.
#[tokio::test]
async fn a_machine_whose_issuing_key_was_revoked_is_confirmed_by_the_next_one() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    confirmed(&product).await;
    let by_root = Some(list(1, 4));
    portal.hand_out(GetRevocationsResponse { by_issuer: None, by_root });
    clock.advance(30 * DAY);
    product.wake();
    until(&product, |product| matches!(product.state(), LicenseState::KeyRevoked { .. })).await;

    portal.takes_the_next_key();
    clock.advance(DAY);
    product.wake();
    until(&product, |product| product.state() == LicenseState::LicensedWithoutEnd).await;
    assert_eq!(product.snapshot().revoked, None);
    assert_eq!(portal.used(), 1, "it has its own place");
}
