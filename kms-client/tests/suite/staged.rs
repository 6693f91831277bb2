//! The test kit, as a vendor's tests use it.

use std::fmt::Write as _;

use expect_test::expect;
use kms_client::testing::{Stage, attempt, snapshot, snapshot_by_code, walk};
use kms_client::{Features, LicenseState, Notice, Outcome, Reason, Waited, blocking};

#[test]
fn a_walk_meets_every_state_at_the_instant_at_which_it_begins() {
    let mut shown = String::new();
    for (now, snapshot) in walk() {
        let (state, lease) = (snapshot.state_at(now), snapshot.lease.is_some());
        assert_eq!(state, snapshot.state);
        let _ = writeln!(shown, "{} {:?} {lease} {state}", &now.to_string()[..10], state.notice());
    }
    expect![[r"
        2026-01-01 Silent false not activated, in grace until 2026-01-26 00:00:00Z
        2026-01-26 Warning false never activated, and grace has ended at 2026-01-26 00:00:00Z; the product works on
        2026-01-27 Warning false this machine's clock is 5 h ahead; no lease is held
        2026-01-28 Silent true licensed until 2026-07-27 00:00:00Z
        2026-01-29 Info true this machine's clock is 5 h ahead; licensed until 2026-07-27 00:00:00Z all the same
        2026-02-05 Info true licensed until 2026-07-27 00:00:00Z; its renewal has been due since 2026-02-04 00:00:00Z
        2026-06-27 Warning true licensed until 2026-07-27 00:00:00Z, which is soon
        2026-07-27 Warning true the lease has ended at 2026-07-27 00:00:00Z; the product works on
        2026-07-28 Warning false a product key is entered, and not activated yet; the product works on
        2026-07-28 Silent false licensed without end
        2026-07-28 Info false the hardware has changed, noticed at 2026-07-28 00:00:00Z; the product key is activated again, and the product works on
        2026-07-28 Silent false licensed by a product key until 2027-07-28 00:00:00Z
        2027-06-28 Warning false licensed by a product key until 2027-07-28 00:00:00Z, which is soon
        2027-07-28 Warning false the term of the product key has ended at 2027-07-28 00:00:00Z; the product works on
    "]]
    .assert_eq(&shown);
}

#[tokio::test]
async fn the_product_sees_what_the_test_shows_and_gets_the_answer_that_it_gives() {
    let stage = Stage::new();
    let license = stage.client();
    assert_eq!(license.state().text_key(), "license.in-grace");
    let mut watch = license.watch();
    let mut shown = snapshot(LicenseState::ExpiringSoon { until: stage.now() });
    shown.attempts = vec![attempt("kms1:21688", Outcome::Waiting(Waited::new(7, 25)))];

    shown.features = Features::new(["export", "3d"]).unwrap();

    stage.show(shown);

    watch.changed().await.unwrap();
    assert_eq!(license.state().notice(), Notice::Warning);
    assert_eq!(license.snapshot().attempts[0].outcome.to_string(), "waiting: 7 of 25 machines counted");
    assert_eq!(
        license.activate().await.unwrap().outcome.cause().unwrap().reason(),
        Some(Reason::NoHostKnown)
    );
    assert!(license.has("export") && license.snapshot().has("3d") && !license.has("cloud"));
    stage.answer(Outcome::Released);
    assert_eq!(license.release().await.unwrap().outcome, Outcome::Released);

    // It follows the rules of a real license, so time changes its state.
    let (_, licensed) = walk().into_iter().find(|(_, shown)| shown.state.is_licensed()).unwrap();
    stage.show(licensed.clone());
    stage.set_time(licensed.lease.unwrap().expires_at);
    assert_eq!(license.state().text_key(), "license.lapsed");
}

#[tokio::test(start_paused = true)]
async fn a_staged_product_asks_nobody_and_keeps_nothing() {
    let license = Stage::new().client();
    let watch = license.watch();
    let hour = std::time::Duration::from_hours(1);
    assert!(tokio::time::timeout(hour, license.run(std::future::pending())).await.is_err());
    assert!(!watch.has_changed().unwrap(), "its loop shows nothing of its own");
    assert_eq!(license.discover().await, kms_client::Discovery::default());
    assert_eq!(license.identity_reset().await.unwrap_err().reason(), Some(Reason::StateUnwritable));
    let named = license.set_hosts(&["kms1".parse().unwrap()]).await;
    assert_eq!(named.unwrap_err().reason(), Some(Reason::StateUnwritable));
}

#[test]
fn a_product_without_a_runtime_is_staged_as_well() {
    let stage = Stage::new();
    let license = blocking::Client::of(stage.client()).unwrap();
    stage.answer(Outcome::Failed(Reason::HostSilent.into()));
    let round = license.activate().unwrap();
    assert_eq!(round.outcome.cause().unwrap().reason(), Some(Reason::HostSilent));
}

#[test]
fn a_machine_by_a_code_is_shown_with_its_key() {
    let stage = Stage::new();
    stage.show(snapshot_by_code(None));
    let seen = stage.client().snapshot();
    assert_eq!(seen.state, LicenseState::LicensedWithoutEnd);
    assert!(seen.key.is_some_and(|key| key.by_code && key.confirmed_at.is_some()));
    let until = stage.now();
    let ends = snapshot_by_code(Some(until));
    assert_eq!(
        (ends.state, ends.key.unwrap().not_after),
        (LicenseState::LicensedByKey { until }, Some(until))
    );
    let not_yet = snapshot(LicenseState::KeyEntered { notices: false }).key.unwrap();
    assert!(not_yet.confirmed_at.is_none() && !not_yet.by_code);
}
