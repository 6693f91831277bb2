//! From the first start to the release: what the client asks a host, and what the product sees.

use kms_client::{Features, LicenseState, Notice, Outcome, Reason, Waited};

use crate::world::{BEGIN, DAY, Host, Make, Say, StoryClock, builder, client};

#[tokio::test]
async fn a_machine_is_counted_waits_and_is_licensed_and_a_restart_changes_nothing() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    assert_eq!(product.state(), LicenseState::InGrace { until: BEGIN + 25 * DAY });

    host.say(Say::Waiting(3));
    let round = product.activate().await.unwrap();
    let (count, threshold) = (3, 25);
    assert_eq!(round.outcome, Outcome::Waiting(Waited::new(count, threshold)));
    assert_eq!(product.snapshot().waiting, Some(Waited::new(count, threshold)));
    assert_eq!(product.snapshot().reason(), Some(Reason::CountBelowThreshold));
    assert_eq!(product.state().notice(), Notice::Silent);

    let until = BEGIN + 180 * DAY;
    assert_eq!(product.activate().await.unwrap().outcome, Outcome::Leased { until });
    let seen = product.snapshot();
    assert_eq!(seen.state, LicenseState::Licensed { until });
    assert_eq!((seen.serial, seen.waiting, seen.last_reason), (2, None, None));
    assert_eq!(seen.organisation.unwrap().name, "Organisation 7");
    assert_eq!(seen.last_host, Some(host.address.to_string()));
    drop(product);

    let again = client(dir.path(), &clock, &[&host]);
    assert_eq!(again.state(), LicenseState::Licensed { until });
    assert_eq!(again.snapshot().machine, seen.machine);
    assert_eq!(again.snapshot().troubles, []);
    assert_eq!(host.seen().len(), 2, "reading a state asks nobody");
}

#[tokio::test]
async fn a_lease_has_the_features_of_its_certificate_and_keeps_them_past_its_end() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let features = Features::new(["export", "3d"]).unwrap();
    let host = Make { features: features.clone(), ..Make::new(9) }.start(&clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    assert!(!product.has("export"), "nobody knows before the first lease");
    product.activate().await.unwrap();
    assert!(product.has("export") && product.has("3d") && !product.has("cloud"));
    drop(product);

    clock.advance(181 * DAY);
    let restarted = client(dir.path(), &clock, &[&host]);
    assert_eq!(restarted.state().notice(), Notice::Warning);
    assert_eq!(restarted.snapshot().features, features, "the lease has ended, and no function with it");
    host.say(Say::Released);
    restarted.release().await.unwrap();
    assert!(!restarted.has("export"), "it holds no lease");
}

#[tokio::test]
async fn each_accepted_answer_ends_the_nonce_and_a_lost_one_does_not() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    host.say(Say::LoseTheAnswer);
    let product = client(dir.path(), &clock, &[&host]);
    product.activate().await.unwrap();
    drop(product);

    let restarted = client(dir.path(), &clock, &[&host]);
    restarted.activate().await.unwrap();
    restarted.activate().await.unwrap();
    let asks: Vec<_> = host.seen().into_iter().map(|seen| seen.ask).collect();
    assert_eq!(asks[0].nonce, asks[1].nonce, "the same ask, even after a restart");
    assert_ne!(asks[1].nonce, asks[2].nonce);
    assert_eq!(asks.iter().map(|ask| ask.serial).collect::<Vec<_>>(), [0, 0, 1]);
    assert!(asks[0].chain_digest.is_none() && asks[2].chain_digest.is_some());
}

#[tokio::test]
async fn a_round_goes_on_past_waiting_and_refusal_to_the_host_that_gives_a_lease() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let [full, blocked, ready, idle] = [
        Host::start(9, &clock).await,
        Host::start(10, &clock).await,
        Host::start(11, &clock).await,
        Host::start(12, &clock).await,
    ];
    full.always(Say::Waiting(1));
    blocked.always(Say::Refusal(Reason::Blocked.into()));
    let product = client(dir.path(), &clock, &[&full, &blocked, &ready, &idle]);

    let round = product.activate().await.unwrap();
    assert!(matches!(round.outcome, Outcome::Leased { .. }));
    assert_eq!(round.attempts.len(), 3, "{:#?}", round.attempts);
    assert_eq!(round.attempts[1].outcome.cause().unwrap().reason(), Some(Reason::Blocked));
    assert_eq!(round.attempts[2].address, Some(ready.address));
    assert!(idle.seen().is_empty(), "a lease ends the round");
    assert_eq!(blocked.last().ask.serial, 1, "each accepted answer is presented to the next host");
    assert_ne!(full.last().ask.nonce, blocked.last().ask.nonce);
    assert_eq!(blocked.last().ask.nonce, ready.last().ask.nonce, "a refusal ends no ask");

    product.activate().await.unwrap();
    assert_eq!(ready.seen().len(), 2);
    assert_eq!(full.seen().len(), 1, "the host that gave the lease is asked first");
}

#[tokio::test]
async fn a_held_lease_brings_its_chain_to_a_sibling_and_when_a_host_asks_for_it() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let [ours, sibling] = [Host::start(9, &clock).await, Host::start(10, &clock).await];
    client(dir.path(), &clock, &[&ours]).activate().await.unwrap();
    assert!(ours.last().ask.held_lease.is_none());

    let product = client(dir.path(), &clock, &[&sibling]);
    product.activate().await.unwrap();
    assert!(sibling.last().brought_chain && sibling.last().ask.held_lease.is_some());

    sibling.say(Say::Refusal(Reason::ChainNeeded.into()));
    let round = product.activate().await.unwrap();
    let brought: Vec<_> = sibling.seen().iter().map(|seen| seen.brought_chain).collect();
    assert_eq!(brought, [true, false, true], "asked again at once, with the chain");
    assert_eq!(round.attempts.len(), 1);
}

#[tokio::test]
async fn a_host_of_another_organisation_is_passed_over_by_that_name() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let ours = Host::start(9, &clock).await;
    let mut make = Make::new(10);
    (make.organisation, make.organisation_name) = (8, "Organisation 8".into());
    let other = make.start(&clock).await;
    client(dir.path(), &clock, &[&ours]).activate().await.unwrap();

    let product = client(dir.path(), &clock, &[&other]);
    let round = product.activate().await.unwrap();
    let cause = round.outcome.cause().unwrap();
    assert_eq!(cause.reason(), Some(Reason::OtherOrganisation));
    assert_eq!(cause.parameter("organisation"), Some("Organisation 8"));
    assert!(product.state().is_licensed());

    product.organisation_clear().await.unwrap();
    assert!(matches!(product.activate().await.unwrap().outcome, Outcome::Leased { .. }));
    // It told the new organisation's host which answer was refused before, and why.
    assert_eq!(other.last().ask.rejected, None);
    assert_eq!(product.snapshot().organisation.unwrap().name, "Organisation 8");
}

#[tokio::test]
async fn a_host_of_another_vendor_is_not_believed_whatever_it_signs() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let mut make = Make::new(9);
    make.root = shared::envelope::SecretKey::from_seed(&[66; 32]);
    let rogue = make.start(&clock).await;
    let product = client(dir.path(), &clock, &[&rogue]);
    let round = product.activate().await.unwrap();
    assert_eq!(round.outcome.cause().unwrap().reason(), Some(Reason::Untrusted));
    assert!(!product.state().is_licensed());
    assert_eq!(product.snapshot().serial, 0);
}

#[tokio::test]
async fn a_released_machine_leaves_every_host_and_starts_again_when_somebody_wants_it() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let [ours, sibling] = [Host::start(9, &clock).await, Host::start(10, &clock).await];
    let product = client(dir.path(), &clock, &[&ours, &sibling]);
    product.activate().await.unwrap();
    ours.say(Say::Released);
    sibling.say(Say::Released);

    assert_eq!(product.release().await.unwrap().outcome, Outcome::Released);
    assert!(!product.state().is_licensed());
    assert_eq!(product.snapshot().ask_at, None);
    assert_eq!((ours.seen().len(), sibling.seen().len()), (2, 1));
    let machine = product.snapshot().machine;
    drop(product);

    let again = client(dir.path(), &clock, &[&ours]);
    assert_eq!(again.snapshot().ask_at, None, "a restart does not undo a release");
    again.activate().await.unwrap();
    assert!(again.state().is_licensed());
    assert_eq!((again.snapshot().machine, again.snapshot().serial), (machine, 4));
}

#[tokio::test]
async fn a_test_certificate_is_shown_in_every_snapshot() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let mut make = Make::new(9);
    make.test = true;
    let host = make.start(&clock).await;
    host.say(Say::Waiting(1));
    let product = client(dir.path(), &clock, &[&host]);
    assert!(!product.snapshot().test);
    product.activate().await.unwrap();
    assert!(product.snapshot().test, "a waiting shows it already");
    product.activate().await.unwrap();
    assert!(builder(dir.path(), "this machine", &clock, &[]).build().unwrap().snapshot().test);
}
