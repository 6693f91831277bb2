//! A machine that is told to be a copy: it makes a new identity and loses no license.

use std::sync::Arc;

use kms_client::{Client, Clock, Keeping, LicenseState, Outcome, Reason};
use prost::Message;

use crate::world::{BEGIN, DAY, HOUR, Host, Say, StoryClock, builder, client, product};

fn copied() -> Say {
    Say::Refusal(Reason::Copied.into())
}

#[tokio::test]
async fn told_to_be_a_copy_it_asks_again_under_a_new_identity_that_names_the_old() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    product.activate().await.unwrap();
    let before = product.snapshot();

    host.say(copied());
    let round = product.activate().await.unwrap();
    let after = product.snapshot();
    assert_eq!(round.attempts.len(), 2, "the alarm and the lease are both shown");
    assert_eq!(round.attempts[0].outcome.cause().unwrap().reason(), Some(Reason::Copied));
    assert!(matches!(round.outcome, Outcome::Leased { .. }));
    assert_ne!(after.machine, before.machine);
    assert_eq!(host.last().ask.replaces.map(|old| old.machine()), Some(before.machine));
    assert_eq!(host.last().ask.machine(), after.machine);
    assert!(host.last().ask.held_lease.is_some(), "the old lease is evidence");

    product.activate().await.unwrap();
    assert_eq!(host.last().ask.replaces, None, "healed");
}

#[tokio::test]
async fn until_the_new_identity_holds_a_lease_the_old_lease_is_used_even_after_a_restart() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    product.activate().await.unwrap();
    let (before, until) = (product.snapshot().machine, BEGIN + 180 * DAY);

    host.say(copied());
    host.say(Say::Waiting(1));
    product.activate().await.unwrap();
    assert_eq!(product.state(), LicenseState::Licensed { until });
    drop(product);

    let restarted = client(dir.path(), &clock, &[&host]);
    assert_eq!(restarted.state(), LicenseState::Licensed { until });
    assert_eq!(restarted.snapshot().machine, before);
    restarted.activate().await.unwrap();
    let asks = host.seen();
    let (waited, leased) = (&asks[asks.len() - 2].ask, &asks[asks.len() - 1].ask);
    assert_eq!(waited.machine(), leased.machine(), "the pending key was kept");
    assert!(leased.replaces.is_some());
    assert_eq!(restarted.snapshot().machine, leased.machine());
}

#[tokio::test]
async fn three_new_keys_a_day_and_then_it_waits_with_its_license() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    product.activate().await.unwrap();
    host.always(copied());

    for _ in 0..3 {
        clock.advance(HOUR);
        product.activate().await.unwrap();
    }
    let machines: std::collections::BTreeSet<_> = host.seen().iter().map(|seen| seen.ask.machine()).collect();
    assert_eq!(machines.len(), 4, "the first identity and three new ones");
    assert_eq!(product.snapshot().reason(), Some(Reason::RekeyLimit));
    assert!(product.state().is_licensed());

    clock.advance(DAY);
    host.say(copied());
    host.say(Say::Lease);
    assert!(matches!(product.activate().await.unwrap().outcome, Outcome::Leased { .. }));
}

#[tokio::test]
async fn a_crash_between_the_two_renames_is_mended_at_the_next_start() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    let home = product.snapshot().state_dir;
    product.activate().await.unwrap();
    let old = std::fs::read(home.join("identity")).unwrap();
    host.say(copied());
    product.activate().await.unwrap();
    let machine = product.snapshot().machine;
    drop(product);

    // `saved` names the new key, and the rename that makes it the identity never happened.
    std::fs::rename(home.join("identity"), home.join("identity.next")).unwrap();
    std::fs::write(home.join("identity"), old).unwrap();
    let restarted = client(dir.path(), &clock, &[&host]);
    assert_eq!(restarted.snapshot().machine, machine);
    assert!(restarted.state().is_licensed() && restarted.snapshot().troubles.is_empty());
    assert!(!home.join("identity.next").exists());
}

#[tokio::test]
async fn a_folder_copied_to_another_machine_begins_anew_there() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let original = client(dir.path(), &clock, &[&host]);
    original.activate().await.unwrap();

    clock.advance(30 * DAY);
    let copy = builder(dir.path(), "another machine", &clock, &[&host]).build().unwrap();
    let until = BEGIN + 55 * DAY;
    assert_eq!(copy.state(), LicenseState::InGrace { until }, "a grace of its own, no lease");
    assert_ne!(copy.snapshot().machine, original.snapshot().machine);
    copy.activate().await.unwrap();
    assert_eq!(host.last().ask.held_lease, None);
}

#[tokio::test]
async fn a_copied_folder_licenses_nobody_even_where_its_identity_cannot_be_read() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let original = client(dir.path(), &clock, &[&host]);
    original.activate().await.unwrap();
    let identity = original.snapshot().state_dir.join("identity");
    // Tests may run as root, who can read any file. No user can read a directory as one.
    std::fs::remove_file(&identity).unwrap();
    std::fs::create_dir(&identity).unwrap();

    let copy = builder(dir.path(), "another machine", &clock, &[&host]).build().unwrap().snapshot();
    assert_eq!(copy.keeping, Keeping::ReadOnly);
    assert!(!copy.state.is_licensed(), "{:?}", copy.state);
    assert_eq!((copy.serial, copy.organisation), (0, None));
    assert!(client(dir.path(), &clock, &[]).state().is_licensed(), "the machine itself still is");
}

#[tokio::test]
async fn a_copy_whose_own_note_of_the_machine_was_taken_out_is_told_by_the_signed_lease() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let original = client(dir.path(), &clock, &[&host]);
    original.activate().await.unwrap();
    let path = original.snapshot().state_dir.join("saved");
    let bytes = std::fs::read(&path).unwrap();
    let (head, body) = bytes[..bytes.len() - 8].split_at(5);
    let mut saved = proto::state::v1::Saved::decode(body).unwrap();
    saved.fingerprint.clear();
    let mut forged = [head, &saved.encode_to_vec()].concat();
    forged.extend_from_slice(&shared::envelope::digest(&forged)[..8]);
    std::fs::write(&path, forged).unwrap();

    let copy = builder(dir.path(), "another machine", &clock, &[]).build().unwrap().snapshot();
    assert_eq!(copy.troubles, [], "the file is whole");
    assert!(!copy.state.is_licensed(), "{:?}", copy.state);
}

#[tokio::test]
async fn the_folder_of_one_product_licenses_no_other_of_the_same_vendor() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    // Without a machine id there is no fingerprint that tells the two apart.
    let start = |product| {
        let hosts = [host.address.to_string()];
        let builder = Client::builder(product).state_dir(dir.path()).fingerprint_source("").hosts(hosts);
        builder.clock(Arc::clone(&clock) as Arc<dyn Clock>).build().unwrap()
    };
    let editor = start(product());
    editor.activate().await.unwrap();
    assert!(start(product()).state().is_licensed());
    let folder = editor.snapshot().state_dir;
    let mut sold_beside_it = product();
    sold_beside_it.id = [0x0c; 16];
    std::fs::rename(folder, dir.path().join("0c".repeat(16))).unwrap();

    let viewer = start(sold_beside_it);
    assert!(!viewer.state().is_licensed(), "{:?}", viewer.state());
    viewer.activate().await.unwrap();
    let ask = host.last().ask;
    assert_eq!((ask.product.as_bytes(), ask.chain_digest), (&[0x0c; 16], None));
}

#[tokio::test]
async fn a_reset_makes_a_new_machine_and_no_new_grace() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    product.activate().await.unwrap();
    let before = product.snapshot().machine;

    clock.advance(20 * DAY);
    product.identity_reset().await.unwrap();
    let until = BEGIN + 25 * DAY;
    assert_eq!(product.state(), LicenseState::InGrace { until });
    assert_ne!(product.snapshot().machine, before);
    product.activate().await.unwrap();
    let ask = host.last().ask;
    assert_eq!((ask.serial, ask.replaces, ask.held_lease), (0, None, None));
}
