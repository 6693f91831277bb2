//! A machine on which somebody signs in: let in, renewed by itself, and signed out.

use std::sync::Arc;
use std::time::Duration;

use kms_client::{Client, LicenseState, Notice, Outcome, Reason};
use shared::user_lease::AccountPurpose;

use crate::portal::accounts::{INTERVAL, Typed};
use crate::portal::{Do, Portal, key, typed, until};
use crate::world::{BEGIN, DAY, StoryClock};

/// Moves the clock until the loop has asked once more.
async fn asked_again(product: &Client, portal: &Portal, clock: &Arc<StoryClock>) {
    let before = portal.asks().len();
    clock.advance(INTERVAL);
    product.wake();
    until(product, |_| before < portal.asks().len()).await;
}

#[tokio::test]
async fn the_loop_asks_until_somebody_has_typed_the_code_and_renews_each_day() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    let shown = product.sign_in().await.unwrap();
    assert_eq!(
        (shown.user_code.as_str(), shown.uri.as_str()),
        ("BCDF-GHJK", "https://portal.example/device")
    );
    assert_eq!(shown.expires_at.since(BEGIN).as_secs(), 900);
    assert!(matches!(product.state(), LicenseState::InGrace { .. }), "nothing changes before that");
    let agent = product.clone();
    let running = tokio::spawn(async move { agent.run(std::future::pending()).await });
    asked_again(&product, &portal, &clock).await;
    portal.code_is(Typed::Allowed);
    asked_again(&product, &portal, &clock).await;
    until(&product, |product| product.snapshot().account.is_some()).await;
    assert_eq!(product.state(), LicenseState::LicensedByAccount { until: BEGIN + 2 * INTERVAL + 30 * DAY });
    assert_eq!(product.state().notice(), Notice::Silent);
    let seen = product.snapshot();
    assert_eq!(seen.account.unwrap().account, "ann@example.com");
    assert_eq!(seen.organisation.unwrap().name, "Key Buyers");
    assert!(product.has("export"));

    clock.advance(DAY);
    product.wake();
    until(&product, |product| product.state().until() == Some(BEGIN + 2 * INTERVAL + 31 * DAY)).await;
    running.abort();
    let asks = portal.account_asks();
    assert_eq!(asks.last().unwrap().0, AccountPurpose::Renew);
    assert!(asks.iter().all(|(_, ask)| ask.machine() == seen.machine), "with the machine's own key");
    // What was kept is verified again.
    drop(product);
    let again = portal.client(dir.path(), &clock);
    assert!(matches!(again.state(), LicenseState::LicensedByAccount { .. }), "{}", again.state());
}

#[tokio::test]
async fn whoever_is_not_let_in_hears_why_and_keeps_what_there_was() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    assert_eq!(product.finish_sign_in().await.unwrap_err().reason(), Some(Reason::NotSignedIn));
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();
    for (error, reason) in [("access_denied", Reason::SignInDenied), ("expired_token", Reason::SignInExpired)]
    {
        portal.code_is(Typed::Not(error));
        product.sign_in().await.unwrap();
        clock.advance(INTERVAL);
        assert_eq!(product.finish_sign_in().await.unwrap_err().reason(), Some(reason));
    }
    product.sign_in().await.unwrap();
    portal.next(Do::Refuse(Reason::TooManyDevices));
    clock.advance(INTERVAL);
    assert_eq!(product.finish_sign_in().await.unwrap_err().reason(), Some(Reason::TooManyDevices));
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd);

    // Nobody types it, and the portal is away.
    portal.code_is(Typed::Not("authorization_pending"));
    product.sign_in().await.unwrap();
    clock.advance(DAY);
    portal.next(Do::LoseTheAnswer);
    assert_eq!(product.finish_sign_in().await.unwrap_err().reason(), Some(Reason::SignInExpired));
}

#[tokio::test]
async fn an_answer_with_the_first_lease_that_is_lost_is_asked_for_by_a_renewal() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    product.sign_in().await.unwrap();
    portal.code_is(Typed::Allowed);
    portal.next(Do::LoseTheAnswer);
    clock.advance(INTERVAL);
    let finishing = tokio::spawn({
        let product = product.clone();
        async move { product.finish_sign_in().await }
    });
    while !finishing.is_finished() {
        clock.advance(INTERVAL);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    finishing.await.unwrap().unwrap();
    let purposes: Vec<_> = portal.account_asks().into_iter().map(|(purpose, _)| purpose).collect();
    let [begin, lost, again, renewal] =
        [AccountPurpose::SignIn, AccountPurpose::SignIn, AccountPurpose::SignIn, AccountPurpose::Renew];
    assert_eq!(purposes, [begin, lost, again, renewal]);
    assert!(product.state().is_licensed());
}

#[tokio::test]
async fn a_license_that_was_taken_back_says_so_at_once_and_runs_to_its_end() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    product.sign_in().await.unwrap();
    portal.code_is(Typed::Allowed);
    clock.advance(INTERVAL);
    product.finish_sign_in().await.unwrap();
    let end = product.state().until().unwrap();

    clock.advance(DAY);
    portal.next(Do::Refuse(Reason::AccountNotLicensed));
    let round = product.activate().await.unwrap();
    assert_eq!(round.outcome.cause().unwrap().reason(), Some(Reason::AccountNotLicensed));
    assert_eq!(product.state(), LicenseState::AccountEndsSoon { until: end });
    assert_eq!(product.state().notice(), Notice::Warning);
    assert!(product.state().is_licensed() && product.has("export"));
    assert!(product.snapshot().ask_at.is_some_and(|at| at < end), "it asks again by itself");
    clock.advance(29 * DAY);
    assert_eq!(product.state(), LicenseState::AccountEnded { since: end });

    let round = product.activate().await.unwrap();
    assert!(matches!(round.outcome, Outcome::Leased { .. }), "{:?}", round.outcome);
    assert!(matches!(product.state(), LicenseState::LicensedByAccount { .. }));
}

#[tokio::test]
async fn whoever_signs_out_is_licensed_by_what_there_was_and_stays_signed_in_without_the_portal() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    assert_eq!(product.sign_out().await.unwrap_err().reason(), Some(Reason::NotSignedIn));
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();
    product.sign_in().await.unwrap();
    portal.code_is(Typed::Allowed);
    clock.advance(INTERVAL);
    product.finish_sign_in().await.unwrap();
    portal.next(Do::LoseTheAnswer);
    assert_eq!(product.sign_out().await.unwrap_err().reason(), Some(Reason::PortalUnreachable));
    assert!(product.snapshot().account.is_some());

    product.sign_out().await.unwrap();
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd);
    let seen = product.snapshot();
    assert_eq!((seen.account, seen.key.unwrap().number), (None, key(1).number()));
    drop(product);
    assert_eq!(portal.client(dir.path(), &clock).state(), LicenseState::LicensedWithoutEnd);
}
