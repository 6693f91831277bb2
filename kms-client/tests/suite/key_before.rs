//! Another product key while one has activated this machine: what that has activated stays until the new one is confirmed.

use std::sync::Arc;

use kms_client::{Client, KeyNumber, LicenseState, Outcome, Reason};
use shared::activation::MachineRelease;
use tempfile::TempDir;

use crate::portal::{Do, Portal, key, typed, until};
use crate::world::{BEGIN, DAY, HOUR, Host, PRODUCT_ID, StoryClock};

const WITHOUT_END: LicenseState = LicenseState::LicensedWithoutEnd;
const ENTERED: LicenseState = LicenseState::KeyEntered { notices: false };

/// The state, the key that is entered, whether it is confirmed, and the one before it.
fn standing(product: &Client) -> (LicenseState, KeyNumber, bool, Option<KeyNumber>) {
    let seen = product.snapshot();
    let key = seen.key.unwrap();
    (seen.state, key.number, key.confirmed_at.is_some(), key.before)
}

fn number(of: u8) -> KeyNumber {
    key(of).number()
}

async fn activate(product: &Client) {
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();
}

/// A machine that key 1 has activated, with its folder and the portal.
async fn activated() -> (TempDir, Arc<StoryClock>, Portal, Client) {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    activate(&product).await;
    (dir, clock, portal, product)
}

#[tokio::test]
async fn a_key_licenses_until_the_next_one_is_confirmed_and_comes_back_without_the_portal() {
    let (dir, clock, portal, product) = activated().await;

    // The next one is refused for good, and after a restart the state still says both.
    product.set_key(&typed(2)).await.unwrap();
    portal.next(Do::Refuse(Reason::KeyBlocked));
    let round = product.activate().await.unwrap();
    assert_eq!(round.outcome.cause().unwrap().reason(), Some(Reason::KeyBlocked));
    drop(product);
    let product = portal.client(dir.path(), &clock);
    let seen = product.snapshot();
    assert_eq!(standing(&product), (WITHOUT_END, number(2), false, Some(number(1))));
    assert_eq!(
        (seen.reason(), seen.organisation.unwrap().name),
        (Some(Reason::KeyBlocked), "Key Buyers".into())
    );
    assert!(seen.ask_at.is_some() && product.has("export"));
    // A third one in its place.
    product.set_key_for_later(&typed(3)).await.unwrap();
    assert_eq!(standing(&product), (WITHOUT_END, number(3), false, Some(number(1))));

    // The first one again: nobody is asked.
    product.set_key(&typed(1)).await.unwrap();
    let seen = product.snapshot();
    assert_eq!(standing(&product), (WITHOUT_END, number(1), true, None));
    assert_eq!((seen.ask_at, seen.reason(), portal.asks().len()), (None, None, 2));
    drop(product);
    assert_eq!(standing(&portal.client(dir.path(), &clock)), (WITHOUT_END, number(1), true, None));
}

#[tokio::test]
async fn another_key_for_later_is_not_asked_for_by_itself_and_takes_over_once_it_is_confirmed() {
    let (dir, clock, portal, product) = activated().await;
    product.set_key_for_later(&typed(2)).await.unwrap();
    assert!(product.state().is_licensed() && product.snapshot().is_activation_put_off());
    drop(product);

    let product = portal.client(dir.path(), &clock);
    assert!(product.snapshot().is_activation_put_off(), "a restart changes nothing");
    product.activate().await.unwrap();
    assert_eq!(standing(&product), (WITHOUT_END, number(2), true, None));
    assert_eq!(portal.used(), 2, "the vendor counts the place of the first key as well");
    drop(product);

    // It is given back by the number of that key, and a lost answer costs nothing.
    let product = portal.client(dir.path(), &clock);
    portal.next(Do::LoseTheAnswer);
    let round = product.release_key(number(1)).await.unwrap();
    assert_eq!(round.outcome.cause().unwrap().reason(), Some(Reason::PortalUnreachable));
    let round = product.release_key(number(1)).await.unwrap();
    assert_eq!((round.outcome, portal.used()), (Outcome::Released, 1));
    assert_eq!(standing(&product), (WITHOUT_END, number(2), true, None), "and the license stays");
    portal.next(Do::Refuse(Reason::NotActivatedHere));
    let round = product.release_key(number(3)).await.unwrap();
    assert_eq!(round.outcome.cause().unwrap().reason(), Some(Reason::NotActivatedHere));
    // The key that licenses this machine is released as ever.
    assert_eq!(product.release_key(number(2)).await.unwrap().outcome, Outcome::Released);
    assert_eq!((portal.used(), standing(&product)), (0, (ENTERED, number(2), false, None)));
    // A key that was cleared has left a place, too.
    product.activate().await.unwrap();
    product.clear_key().await.unwrap();
    assert_eq!(portal.used(), 1);
    assert_eq!(product.release_key(number(2)).await.unwrap().outcome, Outcome::Released);
    assert_eq!(portal.used(), 0);
}

#[tokio::test]
async fn a_release_while_another_key_waits_gives_back_the_place_that_is_taken() {
    let (_dir, _, portal, product) = activated().await;
    product.set_key_for_later(&typed(2)).await.unwrap();
    portal.next(Do::LoseTheAnswer);
    product.release().await.unwrap();
    assert_eq!(standing(&product), (WITHOUT_END, number(2), false, Some(number(1))));
    assert!(product.snapshot().is_activation_put_off(), "and the loop does not ask for the second key");
    assert_eq!(product.release().await.unwrap().outcome, Outcome::Released);
    let asks = portal.asks();
    assert_eq!(asks[1], asks[2], "the same bytes");
    assert_eq!(MachineRelease::open(&asks[1]).unwrap().key_number, number(1));
    assert_eq!((portal.used(), standing(&product)), (0, (ENTERED, number(2), false, None)));
    // From here on a release is about the second key, of which the portal counts no place.
    portal.next(Do::Refuse(Reason::NotActivatedHere));
    let round = product.release().await.unwrap();
    assert_eq!(MachineRelease::open(&portal.asks()[3]).unwrap().key_number, number(2));
    let said = round.attempts[0].outcome.cause().unwrap().reason();
    assert_eq!((round.outcome, said), (Outcome::Released, Some(Reason::NotActivatedHere)));
}

/// An end took the features away as well, once another key was entered.
#[tokio::test]
async fn a_key_that_ends_while_another_waits_says_so_of_that_one_and_takes_no_feature_away() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let end = BEGIN + 100 * DAY;
    portal.ends(end);
    let product = portal.client(dir.path(), &clock);
    activate(&product).await;
    product.set_key_for_later(&typed(2)).await.unwrap();
    assert_eq!(product.state(), LicenseState::LicensedByKey { until: end });
    clock.set(end - HOUR);
    assert_eq!(product.state(), LicenseState::KeyEndsSoon { until: end });
    clock.set(end);
    let entered = (LicenseState::KeyEntered { notices: true }, number(2), false, Some(number(1)));
    assert_eq!(standing(&product), entered);
    assert!(product.has("export") && product.snapshot().ask_at.is_none());
    drop(product);
    let product = portal.client(dir.path(), &clock);
    assert_eq!(standing(&product), entered);
    product.set_key_for_later(&typed(1)).await.unwrap();
    assert_eq!(product.state(), LicenseState::KeyEnded { since: end });
    // One that is entered after the end takes no feature away, either.
    product.set_key_for_later(&typed(2)).await.unwrap();
    assert!(standing(&product) == entered && product.has("export"));
}

#[tokio::test]
async fn other_hardware_counts_as_before_while_another_key_waits_and_asks_for_nothing_that_was_put_off() {
    let (dir, clock, portal, product) = activated().await;
    product.set_key_for_later(&typed(2)).await.unwrap();
    drop(product);

    let other =
        || portal.on_hardware(["A-NEW-BOARD", "WD-NEW", ""], dir.path(), &clock, &[]).build().unwrap();
    let changed = LicenseState::HardwareChanged { since: BEGIN, notices: false };
    assert_eq!(standing(&other()), (changed, number(2), false, Some(number(1))));
    assert!(other().snapshot().is_activation_put_off());
    let back = portal.client(dir.path(), &clock);
    assert_eq!(standing(&back), (WITHOUT_END, number(2), false, Some(number(1))));
    assert!(back.snapshot().is_activation_put_off());
    drop(back);
    clock.advance(25 * DAY);
    let product = other();
    clock.advance(25 * DAY);
    let entered = LicenseState::KeyEntered { notices: true };
    assert_eq!(standing(&product), (entered, number(2), false, Some(number(1))));
    product.activate().await.unwrap();
    assert_eq!(standing(&product), (WITHOUT_END, number(2), true, None));
    drop(product);
    assert_eq!(other().state(), WITHOUT_END, "the new one is confirmed for what is there now");
}

#[tokio::test]
async fn a_key_file_that_is_lost_while_another_key_waits_leaves_the_one_that_is_confirmed() {
    let (dir, clock, portal, product) = activated().await;
    product.set_key_for_later(&typed(2)).await.unwrap();
    drop(product);
    let folder = dir.path().join(kms_client::ProductId::from_bytes(PRODUCT_ID).to_string());
    std::fs::remove_file(folder.join("key")).unwrap();
    let looked = portal.builder(dir.path(), &clock, &[]).inspect().unwrap();
    assert_eq!(looked.snapshot().key.unwrap().number, number(1));
    let product = portal.client(dir.path(), &clock);
    assert_eq!(standing(&product), (WITHOUT_END, number(1), true, None));
    // It is missing for an ask, and not for a release.
    let round = product.activate().await.unwrap();
    assert_eq!(round.outcome.cause().unwrap().to_string(), {
        let key = number(1);
        format!(
            "KEY_NOT_KEPT: this machine knows only the number of the product key {key}, and the portal needs the key itself"
        )
    });
    assert_eq!(product.release().await.unwrap().outcome, Outcome::Released);
    assert_eq!(portal.used(), 0);
}

#[tokio::test]
async fn a_new_identity_is_confirmed_for_the_key_that_waits_and_a_cleared_one_forgets_both() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let (portal, host) = (Portal::start(&clock).await, Host::start(9, &clock).await);
    let product = portal.builder(dir.path(), &clock, &[&host]).build().unwrap();
    product.activate().await.unwrap();
    activate(&product).await;
    product.set_key_for_later(&typed(2)).await.unwrap();
    product.clear_key().await.unwrap();
    assert_eq!(product.snapshot().key, None);
    assert_eq!(
        product.state(),
        LicenseState::Licensed { until: BEGIN + 180 * DAY },
        "the lease is there again"
    );

    activate(&product).await;
    product.set_key(&typed(2)).await.unwrap();
    product.identity_reset().await.unwrap();
    assert_eq!(standing(&product), (ENTERED, number(2), false, None));
    let agent = product.clone();
    let running = tokio::spawn(async move { agent.run(std::future::pending()).await });
    until(&product, |product| product.state() == WITHOUT_END).await;
    running.abort();
    assert_eq!(standing(&product), (WITHOUT_END, number(2), true, None));
}
