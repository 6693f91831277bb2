//! Renewals that fail for weeks, and certificates that end meanwhile.
//!
//! `docs/protocol.md` 2 and 7.

use std::sync::Arc;
use std::time::Duration;

use kms_client::{Clock, Length, LicenseState, Timestamp};
use world::shop::ORGANISATION;
use world::{Fate, Machine, Proxy, TestClock, TestHost};

use crate::world::{
    Agent, DAY, HOUR, MS, NEW_YEAR, World, answered, count, expect_lease, expect_refusal, licensed, restart,
    state, until,
};

/// Time passes until the machine's timer fires, and the ask that follows fails. How long the next one is away.
async fn fail_once(world: &World, machine: &Machine) -> Duration {
    let shown = machine.client.snapshot();
    world.advance_to(shown.ask_at.unwrap());
    machine.client.wake();
    let failed = until(machine, |now| now.failures == shown.failures + 1).await;
    failed.ask_at.unwrap().since(world.now())
}

/// Time passes until just before this instant, when the state is one, and at it, when it is another.
async fn changes_at(
    world: &World,
    machine: &Machine,
    instant: Timestamp,
    before: LicenseState,
    then: LicenseState,
) {
    world.advance_to(instant - MS);
    assert_eq!(state(machine), before);
    world.clock.advance(MS);
    assert_eq!(state(machine), then);
    machine.client.wake();
    until(machine, |shown| shown.state == then).await;
}

#[tokio::test]
async fn a_machine_whose_host_stays_away_says_more_as_its_lease_ends_and_asks_ever_less_often() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let line = Proxy::before(host.address()).await.unwrap();
    let machine = world.machine("machine", &[line.address()]);
    let _agent = Agent::of(&machine);
    let end = NEW_YEAR + 180 * DAY;
    let first = until(&machine, |shown| shown.state == licensed(end)).await;
    let renew_in = first.ask_at.unwrap().since(NEW_YEAR);
    assert!(7 * DAY * 4 / 5 <= renew_in && renew_in <= 7 * DAY, "{}", Length(renew_in));

    line.always(Fate::LoseAsk(0));
    for hours in [2, 4, 8, 16, 24, 24, 24] {
        let (step, wait) = (hours * HOUR, fail_once(&world, &machine).await);
        assert!(step * 4 / 5 <= wait && wait <= step, "{} for {}", Length(wait), Length(step));
    }
    let overdue = LicenseState::RenewalOverdue { until: end, since: NEW_YEAR + 7 * DAY };
    let soon = LicenseState::ExpiringSoon { until: end };
    let lapsed = LicenseState::Lapsed { since: end };
    changes_at(&world, &machine, end - 30 * DAY, overdue, soon).await;
    changes_at(&world, &machine, end, soon, lapsed).await;
    assert!(fail_once(&world, &machine).await <= 2 * HOUR);

    line.always(Fate::Deliver);
    world.clock.advance(2 * HOUR);
    machine.client.wake();
    let again = licensed(world.now() + 180 * DAY);
    let mended = until(&machine, |shown| shown.state == again).await;
    assert_eq!((mended.failures, mended.last_reason), (0, None));
    assert_eq!(count(&host).await, 1);
}

#[tokio::test]
async fn a_renewal_is_overdue_a_day_after_it_was_due() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let machine = world.machine("machine", &[host.address()]);
    expect_lease(&machine).await;
    let (until, since) = (NEW_YEAR + 180 * DAY, NEW_YEAR + 7 * DAY);
    world.advance_to(since + DAY - MS);
    assert_eq!(state(&machine), licensed(until));
    world.clock.advance(MS);
    assert_eq!(state(&machine), LicenseState::RenewalOverdue { until, since });
}

/// A laptop's monotonic clock stands still while it sleeps, and with it every timer of the process.
#[tokio::test]
async fn a_laptop_that_was_suspended_past_its_renewal_asks_when_it_wakes() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let clock = Arc::new(TestClock::at(NEW_YEAR));
    let laptop = world.machine_by("laptop", &[host.address()], &clock);
    let _agent = Agent::of(&laptop);
    until(&laptop, |shown| shown.state == licensed(NEW_YEAR + 180 * DAY)).await;

    world.clock.advance(20 * DAY);
    clock.set(world.now());
    assert_eq!(clock.monotonic(), Duration::ZERO);
    let overdue = LicenseState::RenewalOverdue { until: NEW_YEAR + 180 * DAY, since: NEW_YEAR + 7 * DAY };
    assert_eq!(state(&laptop), overdue);
    laptop.client.wake();
    until(&laptop, |shown| shown.state == licensed(NEW_YEAR + 200 * DAY)).await;
    assert_eq!(answered(&host).await, [("LEASE".to_owned(), 2)].into());
}

#[tokio::test]
async fn a_host_whose_certificate_has_ended_says_so_and_serves_on_with_the_next() {
    let world = World::with_threshold(1);
    let home = world.shop.make_bare_host("kms1", kms_host::home::HOUR_MS).unwrap();
    world.shop.certify(&home, ORGANISATION, NEW_YEAR, 20 * DAY).unwrap();
    let host = TestHost::start(&home, world.clock.clone()).await.unwrap();
    let machine = world.machine("machine", &[host.address()]);
    world.advance_to(NEW_YEAR + 20 * DAY - MS);
    expect_lease(&machine).await;
    let until = world.now() + 180 * DAY;
    world.clock.advance(MS);
    let ended = expect_refusal(&machine, "CERTIFICATE_ENDED").await;
    assert_eq!(ended.parameter("not_after"), Some("2026-01-21 00:00:00Z"));
    assert_eq!(state(&machine), licensed(until), "a lease outlives its certificate");

    // Of two that are valid the one that has begun last is used, and one for later waits.
    let (second, third) = (NEW_YEAR + 21 * DAY, NEW_YEAR + 25 * DAY);
    world.shop.certify(&home, ORGANISATION, third, 365 * DAY).unwrap();
    world.shop.certify(&home, ORGANISATION, second, 365 * DAY).unwrap();
    let host = restart(host).await;
    let began = |machine: &Machine| machine.certified_from().unwrap();
    expect_refusal(&machine, "CERTIFICATE_ENDED").await;
    for (instant, certificate) in [(second, second), (third - MS, second), (third, third)] {
        world.advance_to(instant);
        expect_lease(&machine).await;
        assert_eq!(began(&machine), certificate);
    }
    assert_eq!(count(&host).await, 1);
}
