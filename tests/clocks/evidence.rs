//! Below its threshold a host renews what it or a sibling has licensed, as long as the threshold was met not long ago.
//!
//! So a standby or a replaced host serves at once while its own count fills. `docs/protocol.md` 4.

use kms_client::LicenseState;
use world::{Machine, TestHost};

use crate::world::{
    DAY, HOUR, MS, NEW_YEAR, World, count, doubt, expect_lease, expect_refusal, expect_waiting, licensed,
    restart, state,
};

/// Machines that `first` has licensed now, and that ask `standby` alone from now on.
async fn moved<const N: usize>(
    world: &World,
    first: &TestHost,
    standby: &TestHost,
    names: [&str; N],
) -> [Machine; N] {
    for name in names {
        expect_lease(&world.machine(name, &[first.address()])).await;
    }
    names.map(|name| world.machine(name, &[standby.address()]))
}

#[tokio::test]
async fn a_standby_below_its_threshold_renews_on_evidence_of_29_days_and_not_of_31() {
    let world = World::with_threshold(10);
    let (first, standby) = (world.host("kms1").await, world.host("kms2").await);
    world.crowd(10, &first).await;
    let names = ["in time", "just in time", "just too late", "late"];
    let [in_time, just_in_time, just_too_late, late] = moved(&world, &first, &standby, names).await;
    first.stop().await.unwrap();

    world.advance_to(NEW_YEAR + 29 * DAY);
    expect_lease(&in_time).await;
    expect_waiting(&world.machine("never licensed", &[standby.address()]), 2).await;
    world.advance_to(NEW_YEAR + 30 * DAY - MS);
    expect_lease(&just_in_time).await;

    let overdue = LicenseState::RenewalOverdue { until: NEW_YEAR + 180 * DAY, since: NEW_YEAR + 7 * DAY };
    world.clock.advance(MS);
    expect_waiting(&just_too_late, 4).await;
    assert_eq!(state(&just_too_late), overdue);
    world.advance_to(NEW_YEAR + 31 * DAY);
    expect_waiting(&late, 5).await;
    assert_eq!(state(&late), overdue, "the lease runs on");
    assert_eq!(state(&in_time), licensed(NEW_YEAR + 209 * DAY));
}

#[tokio::test]
async fn evidence_cannot_renew_itself() {
    let world = World::with_threshold(3);
    let (first, standby) = (world.host("kms1").await, world.host("kms2").await);
    world.crowd(3, &first).await;
    let [machine] = moved(&world, &first, &standby, ["machine"]).await;
    for days in [10, 20, 29] {
        world.advance_to(NEW_YEAR + days * DAY);
        expect_lease(&machine).await;
        let lease = machine.client.snapshot().lease().unwrap().clone();
        assert_eq!(lease.threshold_met_at(), NEW_YEAR, "copied unchanged");
    }
    for days in [30, 31, 40] {
        world.advance_to(NEW_YEAR + days * DAY);
        expect_waiting(&machine, 1).await;
        assert!(state(&machine).is_licensed());
    }
    // Others come, and the threshold is met here.
    world.crowd(2, &standby).await;
    expect_lease(&machine).await;
    assert_eq!(state(&machine), licensed(NEW_YEAR + 220 * DAY));
}

/// A host that was off for longer than its window asks itself first whether its clock is right.
#[tokio::test]
async fn after_forty_days_without_any_host_the_count_starts_again_and_leases_run_on() {
    let world = World::with_threshold(3);
    let host = world.host("kms1").await;
    let machines = ["a", "b", "c"].map(|name| world.machine(name, &[host.address()]));
    expect_waiting(&machines[0], 1).await;
    expect_waiting(&machines[1], 2).await;
    for machine in machines.iter().rev() {
        expect_lease(machine).await;
    }
    let (clock, address) = (host.clock.clone(), host.address());
    let home = host.stop().await.unwrap();
    world.clock.advance(40 * DAY);
    let host = TestHost::start_at(&home, clock, address).await.unwrap();
    assert!(doubt(&host).await.contains("more than a whole count window after"));

    let [a, b, c] = &machines;
    expect_refusal(a, "HOST_CLOCK").await;
    expect_refusal(b, "HOST_CLOCK").await;
    expect_waiting(c, 1).await;
    assert_eq!(doubt(&host).await, "");
    expect_waiting(a, 2).await;
    let until = NEW_YEAR + 180 * DAY;
    for machine in &machines {
        let overdue = LicenseState::RenewalOverdue { until, since: NEW_YEAR + 7 * DAY };
        assert_eq!(state(machine), overdue);
    }
    world.clock.advance(HOUR);
    for machine in [b, a, c] {
        expect_lease(machine).await;
    }
    assert_eq!(count(&restart(host).await).await, 3);
}
