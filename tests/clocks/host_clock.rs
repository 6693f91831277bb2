//! Hosts whose clocks are wrong: they blame nobody else, count nobody and age nobody until the doubt has ended.
//!
//! `docs/protocol.md` 5.

use std::sync::Arc;
use std::time::Duration;

use kms_client::{LicenseState, Outcome, Timestamp};
use shared::time::Clock as _;
use world::{Machine, TestClock, TestHost};

use crate::world::{
    DAY, HOUR, MINUTE, MS, NEW_YEAR, World, ask, confirm_clock, count, doubt, expect_lease, expect_refusal,
    expect_waiting, licensed, restart, state,
};

/// A host with a clock of its own that has licensed these machines, and needs as many.
async fn host_with<const N: usize>(names: [&str; N]) -> (World, TestHost, [Machine; N]) {
    let world = World::with_threshold(u32::try_from(N).unwrap());
    let clock = Arc::new(TestClock::at(NEW_YEAR));
    let host = world.host_by("kms1", &clock).await;
    let machines = names.map(|name| world.machine(name, &[host.address()]));
    for (machine, count) in machines.iter().zip(1..).take(N - 1) {
        expect_waiting(machine, count).await;
    }
    for machine in machines.iter().rev() {
        expect_lease(machine).await;
    }
    (world, host, machines)
}

/// Time passes for everybody, and all clocks run.
fn pass(world: &World, host: &TestHost, length: Duration) {
    world.clock.advance(length);
    host.clock.advance(length);
}

#[tokio::test]
async fn a_host_that_jumps_a_year_ahead_ages_nobody_and_ends_its_doubt_when_three_machines_agree() {
    let (world, host, [a, b, c]) = host_with(["a", "b", "c"]).await;
    pass(&world, &host, DAY);
    host.clock.set(world.now() + 365 * DAY);
    let newcomer = world.machine("newcomer", &[host.address()]);
    let refusal = expect_refusal(&newcomer, "HOST_CLOCK").await;
    assert_eq!(refusal.parameter("cause"), Some("it was set forward by 365 d"));
    for machine in [&a, &b, &c] {
        expect_refusal(machine, "HOST_CLOCK").await;
        assert_eq!(state(machine), licensed(NEW_YEAR + 180 * DAY));
    }
    assert_eq!(doubt(&host).await, "it was set forward by 365 d");
    assert_eq!(state(&newcomer), LicenseState::InGrace { until: world.now() + 25 * DAY });
    assert_eq!(count(&host).await, 3, "nobody is aged, and the newcomer is not counted");

    host.clock.set(world.now());
    expect_refusal(&a, "HOST_CLOCK").await;
    expect_refusal(&a, "HOST_CLOCK").await;
    expect_refusal(&newcomer, "HOST_CLOCK").await;
    expect_refusal(&b, "HOST_CLOCK").await;
    expect_lease(&c).await;
    assert_eq!((doubt(&host).await, count(&host).await), (String::new(), 3));
    expect_lease(&newcomer).await;
    assert_eq!(count(&host).await, 4);
}

#[tokio::test]
async fn an_administrator_ends_a_doubt() {
    let (world, host, [a, b]) = host_with(["a", "b"]).await;
    assert_eq!(confirm_clock(&host).await, "", "there is nothing to confirm");
    host.clock.set(NEW_YEAR + 2 * HOUR);
    expect_refusal(&a, "HOST_CLOCK").await;
    // The host's clock was right, and so are the machines' now.
    world.advance_to(NEW_YEAR + 2 * HOUR);
    assert_eq!(confirm_clock(&host).await, "it was set forward by 2 h");
    assert_eq!(doubt(&host).await, "");
    expect_lease(&a).await;
    expect_lease(&b).await;
    assert_eq!(count(&host).await, 2);
}

#[tokio::test]
async fn a_clock_that_was_moved_by_less_than_an_hour_is_no_doubt() {
    let (_world, host, [a, _b]) = host_with(["a", "b"]).await;
    host.clock.set(NEW_YEAR + HOUR);
    assert_eq!(doubt(&host).await, "");
    host.clock.set(NEW_YEAR);
    assert_eq!(doubt(&host).await, "");
    expect_lease(&a).await;
    host.clock.set(NEW_YEAR - HOUR - MS);
    assert_eq!(doubt(&host).await, "it was set back by 1 h");
}

#[tokio::test]
async fn a_host_that_starts_before_its_last_entry_doubts_its_clock() {
    let (world, host, [a, b, c]) = host_with(["a", "b", "c"]).await;
    pass(&world, &host, DAY);
    expect_lease(&a).await;
    let last_entry = world.now();
    host.clock.set(last_entry - 5 * MINUTE);
    let host = restart(host).await;
    assert_eq!(doubt(&host).await, "", "a clock may be set right by minutes");
    host.clock.set(last_entry - 2 * HOUR);
    let host = restart(host).await;
    let cause = "the host started before its ledger's last entry, 2026-01-02 00:00:00Z";
    assert_eq!(doubt(&host).await, cause);
    assert_eq!(count(&host).await, 3);
    world.clock.advance(MS);
    let refusal = expect_refusal(&a, "HOST_CLOCK").await;
    assert_eq!(refusal.parameter("cause"), Some(cause));

    // Two hours are within the tolerance, so three machines agree, and the ledger goes on from the clock as it is.
    expect_refusal(&b, "HOST_CLOCK").await;
    let outcome = ask(&c).await;
    assert_eq!(outcome, Outcome::Leased { until: last_entry - 2 * HOUR + 180 * DAY }, "{outcome}");
    assert_eq!((doubt(&host).await, count(&host).await), (String::new(), 3));
    let host = restart(host).await;
    assert_eq!(doubt(&host).await, "", "the doubt has not outlived its end");
}

#[tokio::test]
async fn three_known_machines_outvote_a_host_and_strangers_do_not() {
    let (world, host, [a, b, c]) = host_with(["a", "b", "c"]).await;
    pass(&world, &host, DAY);
    // Both of its clocks run fast, so nothing parts; nobody has agreed with it for an hour.
    host.clock.advance(5 * HOUR);
    for name in ["stranger 1", "stranger 2", "stranger 3", "stranger 4"] {
        expect_refusal(&world.machine(name, &[host.address()]), "CLOCK_SKEW").await;
    }
    for machine in [&a, &a, &b, &b] {
        expect_refusal(machine, "CLOCK_SKEW").await;
        assert_eq!(doubt(&host).await, "");
    }
    let refusal = expect_refusal(&c, "HOST_CLOCK").await;
    assert_eq!(refusal.parameter("cause"), Some("known machines say that it is ahead"));
    assert_eq!(doubt(&host).await, "known machines say that it is ahead");
    assert!([&a, &b, &c].iter().all(|machine| state(machine).is_licensed()));

    host.clock.set(world.now());
    for machine in [&a, &b] {
        expect_refusal(machine, "HOST_CLOCK").await;
    }
    expect_lease(&c).await;
    // That the host was right all the time is seen by the others at their next ask.
    expect_lease(&a).await;
    assert_eq!((doubt(&host).await, count(&host).await), (String::new(), 3));
}

/// Where fewer than three are known, all of them decide: one of two says nothing, both do, and strangers never.
#[tokio::test]
async fn a_host_that_knows_two_machines_is_outvoted_by_both() {
    let (world, host, [a, b]) = host_with(["a", "b"]).await;
    pass(&world, &host, DAY);
    host.clock.advance(5 * HOUR);
    for name in ["stranger 1", "stranger 2", "stranger 3"] {
        expect_refusal(&world.machine(name, &[host.address()]), "CLOCK_SKEW").await;
    }
    expect_refusal(&a, "CLOCK_SKEW").await;
    assert_eq!(doubt(&host).await, "");
    expect_refusal(&b, "HOST_CLOCK").await;
    assert_eq!(doubt(&host).await, "known machines say that it is ahead");
}

/// Keys cost nothing. Whoever invented three machines and had them say another time had put a quiet host in doubt, and once more as
/// soon as its administrator had confirmed its clock.
#[tokio::test]
async fn machines_that_were_invented_today_do_not_outvote_a_host_and_after_a_confirmation_nobody_does() {
    let (world, host, _known) = host_with(["a", "b"]).await;
    pass(&world, &host, 3 * DAY);
    let wrong = Arc::new(TestClock::at(world.now()));
    let invented = ["one", "two", "three"].map(|name| world.machine_by(name, &[host.address()], &wrong));
    let all_say = async |code: &str, other: Timestamp| {
        wrong.set(other);
        for machine in &invented {
            expect_refusal(machine, code).await;
        }
    };
    for machine in &invented {
        expect_lease(machine).await;
    }
    pass(&world, &host, 23 * HOUR);
    all_say("CLOCK_SKEW", world.now() - 5 * HOUR).await;
    assert_eq!(doubt(&host).await, "", "nobody knows them yet");

    // They are known at last, and the administrator looks at the clock.
    pass(&world, &host, HOUR);
    wrong.set(world.now() + 5 * HOUR);
    expect_refusal(&invented[0], "CLOCK_SKEW").await;
    expect_refusal(&invented[1], "CLOCK_SKEW").await;
    expect_refusal(&invented[2], "HOST_CLOCK").await;
    assert_eq!(confirm_clock(&host).await, "known machines say that it is behind");
    all_say("CLOCK_SKEW", world.now() + 6 * HOUR).await;
    assert_eq!(doubt(&host).await, "", "right after it");
    pass(&world, &host, DAY.saturating_sub(MS));
    all_say("CLOCK_SKEW", world.now() + 7 * HOUR).await;
    assert_eq!(doubt(&host).await, "", "and for a day");
}

/// In a doubt the wall clock proves nothing, and nobody is known for longer because it says so.
#[tokio::test]
async fn machines_that_were_invented_before_a_jump_do_not_end_its_doubt() {
    let (world, host, [a, b]) = host_with(["a", "b"]).await;
    pass(&world, &host, DAY);
    let wrong = Arc::new(TestClock::at(world.now()));
    let invented = ["one", "two", "three"].map(|name| world.machine_by(name, &[host.address()], &wrong));
    for machine in &invented {
        expect_lease(machine).await;
    }
    host.clock.set(world.now() + 365 * DAY);
    wrong.set(host.clock.now());
    for machine in &invented {
        expect_refusal(machine, "HOST_CLOCK").await;
    }
    assert_eq!(doubt(&host).await, "it was set forward by 365 d", "they agree in vain");
    // Two are known for a day, which are not three.
    host.clock.set(world.now());
    for machine in [&a, &b] {
        expect_refusal(machine, "HOST_CLOCK").await;
    }
    assert_eq!(confirm_clock(&host).await, "it was set forward by 365 d");
    expect_lease(&a).await;
}

/// Machines from a crate whose clocks are all wrong do not make a new host doubt itself.
#[tokio::test]
async fn a_new_host_is_not_outvoted_by_machines_that_it_does_not_know() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let clock = Arc::new(TestClock::at(NEW_YEAR + 5 * HOUR));
    for n in 0..5 {
        let machine = world.machine_by(&format!("machine {n}"), &[host.address()], &clock);
        expect_refusal(&machine, "CLOCK_SKEW").await;
    }
    assert_eq!((doubt(&host).await, count(&host).await), (String::new(), 0));
    expect_lease(&world.machine("right", &[host.address()])).await;
}
