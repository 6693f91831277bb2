//! Who is in the count, to the hour: who stays away leaves it, who comes back is in it again.
//!
//! `docs/protocol.md` 6.

use kms_client::{LicenseState, Outcome};

use crate::world::{DAY, HOUR, MS, NEW_YEAR, World, ask, count, expect_lease, identity, licensed, state};

#[tokio::test]
async fn a_machine_that_stays_away_leaves_the_count_after_30_days_to_the_hour_and_returns() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let [early, late, next] = ["early", "late", "next"].map(|name| world.machine(name, &[host.address()]));
    expect_lease(&early).await;
    world.advance_to(NEW_YEAR + HOUR - MS);
    expect_lease(&late).await;
    world.advance_to(NEW_YEAR + HOUR);
    expect_lease(&next).await;

    world.advance_to(NEW_YEAR + 30 * DAY - MS);
    assert_eq!(count(&host).await, 3);
    world.clock.advance(MS);
    assert_eq!(count(&host).await, 1, "an hour leaves as a whole");
    world.advance_to(NEW_YEAR + 30 * DAY + HOUR - MS);
    assert_eq!(count(&host).await, 1);
    world.clock.advance(MS);
    assert_eq!(count(&host).await, 0);
    assert!(state(&early).is_licensed());

    expect_lease(&early).await;
    assert_eq!(count(&host).await, 1);
    assert_eq!(state(&early), licensed(NEW_YEAR + 210 * DAY + HOUR));
}

#[tokio::test]
async fn a_machine_that_renews_stays_in_the_count() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let machine = world.machine("machine", &[host.address()]);
    for weeks in 0..12 {
        world.advance_to(NEW_YEAR + weeks * 7 * DAY);
        expect_lease(&machine).await;
        world.advance_to(NEW_YEAR + (weeks + 1) * 7 * DAY - MS);
        assert_eq!(count(&host).await, 1);
    }
}

#[tokio::test]
async fn a_released_machine_leaves_at_once_and_comes_back_as_itself() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let [stays, leaves] = ["stays", "leaves"].map(|name| world.machine(name, &[host.address()]));
    expect_lease(&stays).await;
    expect_lease(&leaves).await;
    let (before, serial) = (identity(&leaves), leaves.client.snapshot().serial);
    world.clock.advance(DAY);

    assert_eq!(leaves.client.release().await.unwrap().outcome, Outcome::Released);
    assert_eq!(count(&host).await, 1);
    let shown = leaves.client.snapshot();
    assert_eq!(shown.state, LicenseState::InGrace { until: NEW_YEAR + 25 * DAY });
    assert_eq!((shown.ask_at, shown.lease.is_none()), (None, true), "nothing is asked any more");
    world.advance_to(NEW_YEAR + 25 * DAY);
    assert_eq!(state(&leaves), LicenseState::NeverActivated { since: NEW_YEAR + 25 * DAY });

    assert!(matches!(ask(&leaves).await, Outcome::Leased { .. }));
    assert_eq!(count(&host).await, 2);
    assert_eq!(state(&leaves), licensed(NEW_YEAR + 205 * DAY));
    assert_eq!((identity(&leaves), leaves.client.snapshot().serial), (before, serial + 2));
}
