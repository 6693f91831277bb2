//! Machines whose clocks are wrong: they are told by how much, keep what they have, and gain nothing.
//!
//! `docs/protocol.md` 5.

use std::sync::Arc;

use kms_client::{Clock, LicenseState, Outcome, Timestamp};
use world::{Fate, Proxy, TestClock};

use crate::world::{
    Agent, DAY, HOUR, MINUTE, MS, NEW_YEAR, World, ask, count, expect_lease, expect_refusal, expect_waiting,
    identity, licensed, refusals, state, until,
};

const NEW_YEAR_2019: Timestamp = Timestamp::from_unix_ms(1_546_300_800_000);
const NEW_YEAR_2035: Timestamp = Timestamp::from_unix_ms(2_051_222_400_000);

/// A machine that waits for a battery, or for its time server, when it is started for the first time.
#[tokio::test]
async fn a_machine_that_begins_in_2019_is_told_so_and_gets_its_grace_once_when_the_clock_is_mended() {
    let world = World::with_threshold(5);
    let host = world.host("kms1").await;
    world.crowd(3, &host).await;
    let clock = Arc::new(TestClock::at(NEW_YEAR_2019));
    let machine = world.machine_by("machine", &[host.address()], &clock);
    let skew = expect_refusal(&machine, "CLOCK_SKEW").await;
    assert_eq!(
        skew.to_string(),
        "CLOCK_SKEW: this machine's clock is 2557 d behind, more than 4 h: \
         the host says 2026-01-01 00:00:00Z"
    );
    let wrong =
        |notices| LicenseState::ClockWrong { by: 2557 * DAY, ahead: false, licensed_until: None, notices };
    assert_eq!(state(&machine), wrong(false));
    assert_eq!(count(&host).await, 3);

    clock.set(NEW_YEAR);
    assert_eq!(state(&machine), wrong(true), "until a host says that it is right again");
    expect_waiting(&machine, 4).await;
    let grace = LicenseState::InGrace { until: NEW_YEAR + 25 * DAY };
    assert_eq!(state(&machine), grace);

    // Once: a clock that stands still while the machine is off, or is turned back, brings no more of it.
    for (days, wrong) in [(10, NEW_YEAR), (20, NEW_YEAR_2019)] {
        world.advance_to(NEW_YEAR + days * DAY);
        clock.set(wrong);
        expect_refusal(&machine, "CLOCK_SKEW").await;
        clock.set(world.now());
        expect_waiting(&machine, 4).await;
        assert_eq!(state(&machine), grace);
    }
    world.crowd(1, &host).await;
    expect_lease(&machine).await;
}

#[tokio::test]
async fn a_machine_that_begins_in_2035_gets_its_grace_when_the_clock_is_mended() {
    let world = World::with_threshold(2);
    let host = world.host("kms1").await;
    let clock = Arc::new(TestClock::at(NEW_YEAR_2035));
    let machine = world.machine_by("machine", &[host.address()], &clock);
    let skew = expect_refusal(&machine, "CLOCK_SKEW").await;
    assert_eq!(skew.parameter("direction"), Some("ahead"));
    clock.set(NEW_YEAR);
    expect_waiting(&machine, 1).await;
    assert_eq!(state(&machine), LicenseState::InGrace { until: NEW_YEAR + 25 * DAY });
}

#[tokio::test]
async fn four_hours_are_tolerated_and_no_more() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let mut counted = 0;
    for (apart, tolerated) in
        [(239 * MINUTE, true), (4 * HOUR, true), (4 * HOUR + MS, false), (241 * MINUTE, false)]
    {
        for (direction, now) in [("ahead", NEW_YEAR + apart), ("behind", NEW_YEAR - apart)] {
            let clock = Arc::new(TestClock::at(now));
            let machine = world.machine_by(&format!("{apart:?} {direction}"), &[host.address()], &clock);
            match ask(&machine).await {
                Outcome::Leased { until } => {
                    assert!(tolerated, "{apart:?} {direction}");
                    assert_eq!(until, NEW_YEAR + 180 * DAY, "by the host's clock");
                    counted += 1;
                }
                Outcome::Refused(cause) => {
                    assert!(!tolerated && cause.code == "CLOCK_SKEW", "{apart:?} {direction}: {cause}");
                    assert_eq!(cause.parameter("direction"), Some(direction));
                    let ahead = direction == "ahead";
                    let wrong =
                        LicenseState::ClockWrong { by: apart, ahead, licensed_until: None, notices: false };
                    assert_eq!(state(&machine), wrong);
                }
                other => panic!("{apart:?} {direction}: {other}"),
            }
            assert_eq!(count(&host).await, counted);
        }
    }
    assert_eq!((counted, refusals(&host).await.len()), (4, 4));
}

/// The product's loop would sleep until 2035 if it believed the instant that it drew there.
#[tokio::test]
async fn a_clock_set_to_2035_and_back_ends_a_license_until_the_next_answer() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    // Enough others that the host does not take one machine's word against its own.
    world.crowd(3, &host).await;
    let clock = Arc::new(TestClock::at(NEW_YEAR));
    let machine = world.machine_by("machine", &[host.address()], &clock);
    let _agent = Agent::of(&machine);
    let end = NEW_YEAR + 180 * DAY;
    until(&machine, |shown| shown.state == licensed(end)).await;

    clock.set(NEW_YEAR_2035);
    assert_eq!(state(&machine), LicenseState::Lapsed { since: end });
    machine.client.wake();
    let by = NEW_YEAR_2035.since(NEW_YEAR);
    let wrong = LicenseState::ClockWrong { by, ahead: true, licensed_until: None, notices: true };
    let shown = until(&machine, |shown| shown.state == wrong).await;
    assert!(NEW_YEAR_2035 < shown.ask_at.unwrap());

    world.clock.advance(HOUR);
    clock.set(world.now());
    assert_eq!(state(&machine), wrong);
    machine.client.wake();
    until(&machine, |shown| shown.state == licensed(end + HOUR)).await;
    assert_eq!(count(&host).await, 4);
}

#[tokio::test]
async fn a_clock_that_is_set_back_lengthens_no_license_and_no_grace() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let line = Proxy::before(host.address()).await.unwrap();
    let clock = Arc::new(TestClock::at(NEW_YEAR));
    let machine = world.machine_by("licensed", &[line.address()], &clock);
    let in_grace = world.machine_by("in grace", &[line.address()], &clock);
    expect_lease(&machine).await;
    line.always(Fate::LoseAsk(0));
    let lapsed = LicenseState::Lapsed { since: NEW_YEAR + 180 * DAY };
    let over = LicenseState::NeverActivated { since: NEW_YEAR + 25 * DAY };
    clock.advance(181 * DAY);
    for machine in [&machine, &in_grace] {
        assert!(matches!(ask(machine).await, Outcome::Failed(_)));
    }

    for now in [NEW_YEAR + 10 * DAY, NEW_YEAR_2019] {
        clock.set(now);
        assert_eq!((state(&machine), state(&in_grace)), (lapsed, over));
        let restarted = world.machine_by("licensed", &[line.address()], &clock);
        assert_eq!(state(&restarted), lapsed);
    }
    world.clock.advance(10 * DAY);
    clock.set(world.now());
    line.always(Fate::Deliver);
    expect_lease(&machine).await;
}

#[tokio::test]
async fn a_new_identity_gets_no_new_grace() {
    let world = World::with_threshold(1);
    let machine = world.machine("machine", &[]);
    let before = identity(&machine);
    let grace = LicenseState::InGrace { until: NEW_YEAR + 25 * DAY };
    assert_eq!(state(&machine), grace);
    for _ in 0..3 {
        world.clock.advance(8 * DAY);
        machine.client.identity_reset().await.unwrap();
        assert_ne!(identity(&machine), before);
        assert_eq!(state(&machine), grace);
    }
    world.clock.advance(DAY);
    assert_eq!(world.clock.now(), NEW_YEAR + 25 * DAY);
    assert_eq!(state(&machine), LicenseState::NeverActivated { since: NEW_YEAR + 25 * DAY });
}
