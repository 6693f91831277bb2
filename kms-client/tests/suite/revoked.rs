//! A host whose certificate the vendor has taken back: it licenses nobody any more, and takes no license away.

use kms_client::{LicenseState, Outcome, Reason};
use proto::v1::SignedRevocationList;
use shared::ids::CertificateId;
use shared::revocation::{RevocationList, Revoked};

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
