//! Disks that are set back: a machine's, which then looks like a copy of itself, and a host's, which has forgotten.
//!
//! `docs/protocol.md` 3.

use kms_client::Outcome;
use world::machine::copy_folder;
use world::{Machine, TestHost};

use crate::world::{
    DAY, HOUR, MINUTE, NEW_YEAR, World, answered, ask, count, expect_lease, expect_refusal, identity,
    licensed, refusals, restart, roll_back, state, status,
};

/// The disk of this machine goes back to what it was before its last ask.
async fn ask_and_roll_back(world: &World, host: &TestHost, machine: Machine) -> Machine {
    let copy = world.path("backup");
    machine.copy_state(&copy).unwrap();
    world.clock.advance(MINUTE);
    ask(&machine).await;
    drop(machine);
    roll_back(&world.path("machine"), &copy);
    std::fs::remove_dir_all(&copy).unwrap();
    world.clock.advance(MINUTE);
    world.machine("machine", &[host.address()])
}

#[tokio::test]
async fn a_machine_whose_disk_was_set_back_heals_and_stays_one_machine() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let machine = world.machine("machine", &[host.address()]);
    expect_lease(&machine).await;
    let before = identity(&machine);

    let machine = ask_and_roll_back(&world, &host, machine).await;
    assert_eq!(state(&machine), licensed(NEW_YEAR + 180 * DAY));
    expect_lease(&machine).await;
    assert_ne!(identity(&machine), before);
    assert_eq!(count(&host).await, 1);
    assert_eq!(refusals(&host).await[0].code, "COPIED");

    world.clock.advance(7 * DAY);
    expect_lease(&machine).await;
    assert_eq!((count(&host).await, refusals(&host).await.len()), (1, 1));
}

#[tokio::test]
async fn a_disk_that_is_set_back_ten_times_makes_three_new_keys_a_day_and_its_license_runs_on() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let mut machine = world.machine("machine", &[host.address()]);
    expect_lease(&machine).await;
    for times in 1..=10 {
        machine = ask_and_roll_back(&world, &host, machine).await;
        let before = identity(&machine);
        if times <= 3 {
            expect_lease(&machine).await;
            assert_ne!(identity(&machine), before);
        } else {
            let limited = expect_refusal(&machine, "REKEY_LIMIT").await;
            assert_eq!(limited.parameter("until"), Some("2026-01-02 00:02:00Z"), "a day after the first");
            assert_eq!(identity(&machine), before);
        }
        assert!(state(&machine).is_licensed());
        assert_eq!(count(&host).await, 1);
    }
    assert_eq!(
        answered(&host).await.get("COPIED"),
        Some(&16),
        "one for each of the first four, two for each after that"
    );
    world.advance_to(NEW_YEAR + DAY + HOUR);
    expect_lease(&machine).await;
    assert_eq!(count(&host).await, 1);
}

/// Its notes of earlier keys go back with it, so nothing tells it from a machine that is cloned every night: the seats of
/// its former selves leave the count when their windows end.
#[tokio::test]
async fn a_disk_that_goes_back_to_the_same_day_every_night_counts_as_clones_do() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let mut machine = world.machine("machine", &[host.address()]);
    expect_lease(&machine).await;
    let snapshot = world.path("snapshot");
    machine.copy_state(&snapshot).unwrap();
    expect_lease(&machine).await;
    for nights in 1..=5 {
        drop(machine);
        roll_back(&world.path("machine"), &snapshot);
        world.clock.advance(DAY);
        machine = world.machine("machine", &[host.address()]);
        assert!(state(&machine).is_licensed());
        expect_lease(&machine).await;
        assert_eq!(count(&host).await, nights, "only the first takes a seat, that of the snapshot");
    }
    world.advance_to(NEW_YEAR + 35 * DAY - HOUR);
    assert_eq!(count(&host).await, 1);
}

/// The folder of the ledger comes back from a backup of last week. Its machines show leases that are ahead of what it
/// remembers, and one that it has never heard of is simply new to it.
#[tokio::test]
async fn a_host_that_was_restored_raises_one_alarm_and_learns_its_machines_again() {
    let world = World::with_threshold(2);
    let host = world.host("kms1").await;
    let address = host.address();
    let machines = ["a", "b", "c"].map(|name| world.machine(name, &[address]));
    let late = world.machine("late", &[address]);
    assert!(matches!(ask(&machines[0]).await, Outcome::Waiting(_)));
    for machine in machines.iter().rev() {
        expect_lease(machine).await;
    }
    let clock = host.clock.clone();
    let home = host.stop().await.unwrap();
    let backup = world.path("backup");
    copy_folder(home.path(), &backup).unwrap();
    let host = TestHost::start_at(&home, clock.clone(), address).await.unwrap();
    world.clock.advance(7 * DAY);
    for machine in machines.iter().chain([&late]) {
        expect_lease(machine).await;
    }
    assert_eq!((count(&host).await, status(&host).await.restored), (4, None));

    let home = host.stop().await.unwrap();
    roll_back(home.path(), &backup);
    let host = TestHost::start_at(&home, clock, address).await.unwrap();
    world.clock.advance(HOUR);
    let noticed_at = world.now();
    assert_eq!(count(&host).await, 3);
    for (machine, relearned) in machines.iter().zip(1..) {
        expect_lease(machine).await;
        let restored = status(&host).await.restored.unwrap();
        assert_eq!((restored.noticed_at, restored.machines), (noticed_at.unix_ms(), relearned));
        world.clock.advance(MINUTE);
    }
    expect_lease(&late).await;
    assert_eq!(count(&host).await, 4);

    // Nothing is left to be said of it.
    let host = restart(host).await;
    world.clock.advance(7 * DAY);
    for machine in &machines {
        expect_lease(machine).await;
    }
    assert_eq!(status(&host).await.restored.unwrap().machines, 3);
    assert!(refusals(&host).await.is_empty());
}
