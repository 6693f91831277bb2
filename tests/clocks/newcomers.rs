//! More new machines than a host takes in a day: who is refused, who is not for all that, and when it is over.
//!
//! That the real service obeys its settings is told in `tests/suite/fairness.rs`. `docs/protocol.md` 6.

use shared::reason::Reason;

use crate::world::{
    DAY, HOUR, MINUTE, World, answered, count, expect_lease, expect_refusal, identity, restart, status,
};

/// So many a day, of this source and of all.
const TWO_A_DAY: &str = "new_machines_per_source = 2";

async fn alarms(host: &world::TestHost) -> Vec<String> {
    status(host).await.alarms.into_iter().map(|alarm| alarm.code).collect()
}

#[tokio::test]
async fn one_that_came_too_late_is_entered_half_a_day_later_and_nobody_else_notices() {
    let world = World::with_threshold(1);
    let host = world.host_with("kms1", TWO_A_DAY).await;
    let machines = ["one", "two", "three"].map(|name| world.machine(name, &[host.address()]));
    expect_lease(&machines[0]).await;
    expect_lease(&machines[1]).await;
    let cause = expect_refusal(&machines[2], "NEW_MACHINES_LIMITED").await;
    assert!(cause.to_string().contains("more than 2 in a day"), "{cause}");
    // Those that are known renew, each as often as it likes.
    for _ in 0..3 {
        world.clock.advance(MINUTE);
        expect_lease(&machines[0]).await;
        expect_lease(&machines[1]).await;
    }
    assert!(alarms(&host).await.contains(&"NEW_MACHINES_LIMITED".to_owned()));

    world.clock.advance(11 * HOUR + 56 * MINUTE);
    expect_refusal(&machines[2], "NEW_MACHINES_LIMITED").await;
    world.clock.advance(MINUTE);
    expect_lease(&machines[2]).await;
    assert_eq!(count(&host).await, 3);
    world.clock.advance(3 * HOUR);
    assert!(!alarms(&host).await.contains(&"NEW_MACHINES_LIMITED".to_owned()), "nobody waits any more");
}

/// The image was activated two days before it was copied, so its identity speaks for the copies. One that is an hour old does
/// not: each new key would speak for the next.
#[tokio::test]
async fn a_copy_heals_past_the_limit_and_a_chain_of_new_keys_does_not_get_through() {
    let world = World::with_threshold(1);
    let host = world.host_with("kms1", TWO_A_DAY).await;
    let image = world.machine("image", &[host.address()]);
    expect_lease(&image).await;
    image.copy_state(&world.path("copy")).unwrap();
    let copy = world.machine_in("copy", "image", &[host.address()], &world.clock);
    world.clock.advance(2 * DAY);
    expect_lease(&image).await;
    let of_image = identity(&image);
    for name in ["one", "two"] {
        expect_lease(&world.machine(name, &[host.address()])).await;
    }
    expect_refusal(&world.machine("three", &[host.address()]), "NEW_MACHINES_LIMITED").await;

    world.clock.advance(MINUTE);
    expect_lease(&copy).await;
    assert_ne!(identity(&copy), of_image, "it was named, and has a new key");
    assert_eq!(answered(&host).await["COPIED"], 1);

    // The copy is copied in turn, within the hour.
    copy.copy_state(&world.path("another")).unwrap();
    let another = world.machine_in("another", "image", &[host.address()], &world.clock);
    world.clock.advance(HOUR);
    expect_lease(&copy).await;
    world.clock.advance(MINUTE);
    expect_refusal(&another, "NEW_MACHINES_LIMITED").await;
    assert!(another.client.state().is_licensed(), "it keeps its license meanwhile");
    world.clock.advance(DAY);
    expect_lease(&another).await;
}

/// The host that knew them is gone. This one knows none of them, and has just been filled with as many strangers as it takes.
#[tokio::test]
async fn machines_with_leases_are_taken_over_past_the_limit() {
    let world = World::with_threshold(1);
    let old = world.host("kms1").await;
    let new = world.host_with("kms2", TWO_A_DAY).await;
    let machines = ["one", "two"].map(|name| world.machine(name, &[old.address(), new.address()]));
    for machine in &machines {
        expect_lease(machine).await;
    }
    world.clock.advance(7 * DAY);
    old.stop().await.unwrap();
    for name in ["stranger", "another"] {
        expect_lease(&world.machine(name, &[new.address()])).await;
    }

    for machine in &machines {
        expect_lease(machine).await;
    }
    expect_refusal(&world.machine("a third", &[new.address()]), "NEW_MACHINES_LIMITED").await;
    assert_eq!(count(&new).await, 4);
}

/// Tokens are in memory. A restart gives them anew, and the count is what it was.
#[tokio::test]
async fn a_restart_forgets_who_came_and_refuses_nobody_for_it() {
    let world = World::with_threshold(1);
    let host = world.host_with("kms1", TWO_A_DAY).await;
    for name in ["one", "two"] {
        expect_lease(&world.machine(name, &[host.address()])).await;
    }
    let host = restart(host).await;
    expect_lease(&world.machine("three", &[host.address()])).await;
    assert_eq!(count(&host).await, 3);
    assert_eq!(answered(&host).await.get(Reason::NewMachinesLimited.code()), None);
}

#[tokio::test]
async fn new_machines_of_one_address_that_decide_are_an_alarm_for_a_day() {
    const ALARM: &str = "NEW_MACHINES_OF_ONE_SOURCE";
    let world = World::with_threshold(5);
    let host = world.host("kms1").await;
    world.crowd(4, &host).await;
    assert!(!alarms(&host).await.contains(&ALARM.to_owned()), "too few to reach anything");
    world.clock.advance(HOUR);
    world.crowd(1, &host).await;

    let status = status(&host).await;
    let alarm = status.alarms.iter().find(|alarm| alarm.code == ALARM).unwrap();
    assert!(alarm.text.contains("127.0.0.1") && alarm.text.contains("5 of them"), "{}", alarm.text);
    assert_eq!(alarm.since, world.now().unix_ms());
    world.clock.advance(22 * HOUR);
    assert!(alarms(&host).await.contains(&ALARM.to_owned()));
    world.clock.advance(2 * HOUR);
    assert!(!alarms(&host).await.contains(&ALARM.to_owned()), "they are new no more");
}
