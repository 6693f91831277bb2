//! Renewals below the threshold: what proves that it was met, and for how long. And a ledger that was set back.

use std::time::Duration;

use shared::answer::ShownLease;
use shared::ask::AskKind;
use shared::count::Decision;
use shared::time::Timestamp;

use super::world::{Backend, DAY, HOUR, LEDGER, Machine, SIBLING, START, World};
use crate::Restored;

const MOMENT: Duration = Duration::from_millis(1);

/// A machine that comes with a sibling's lease.
fn from_sibling(threshold_met_at: Timestamp) -> Machine {
    let mut machine = Machine::new();
    machine.serial = 4;
    machine.lease = Some(ShownLease {
        machine: machine.id,
        ledger: SIBLING,
        serial: 4,
        threshold_met_at,
        issued_at: START,
    });
    machine
}

pub async fn a_siblings_lease_is_evidence_for_a_window(backend: Backend) {
    for (threshold_met_at, answer) in [
        (START - 29 * DAY, "lease 5 of 1"),
        (START - 30 * DAY + MOMENT, "lease 5 of 1"),
        (START - 30 * DAY, "waiting 5 of 1"),
        (START - 31 * DAY, "waiting 5 of 1"),
    ] {
        let world = World::new(backend);
        let mut machine = from_sibling(threshold_met_at);
        assert_eq!(world.ask(&mut machine).await, answer, "evidence of {threshold_met_at}");
    }
}

pub async fn the_ledgers_own_row_is_evidence_for_a_window(backend: Backend) {
    for (age, answer) in
        [(29 * DAY, "lease 5 of 1"), (30 * DAY, "waiting 5 of 1"), (31 * DAY, "waiting 5 of 1")]
    {
        let mut world = World::new(backend);
        world.terms.threshold = 2;
        let mut machines = Machine::some(2);
        world.ask_together(&mut machines).await;
        for machine in &mut machines {
            world.release(machine).await;
        }
        world.now = START + age;
        let mut machine = from_sibling(START - 60 * DAY);
        assert_eq!(world.ask(&mut machine).await, answer, "evidence {age:?} old");
    }
}

pub async fn a_first_activation_never_uses_evidence(backend: Backend) {
    let mut world = World::new(backend);
    world.terms.threshold = 2;
    let mut machines = Machine::some(2);
    world.ask_together(&mut machines).await;
    world.release(&mut machines[0]).await;
    assert_eq!(world.ask(&mut machines[1]).await, "lease 2 of 1", "a renewal does");
    world.release(&mut machines[1]).await;
    assert_eq!(world.ask(&mut Machine::new()).await, "waiting 1 of 1");
}

pub async fn evidence_must_name_the_asker_or_whom_it_replaces(backend: Backend) {
    let world = World::new(backend);
    let old = from_sibling(START - DAY);
    let mut stranger = Machine::new();
    stranger.lease = old.lease;
    assert_eq!(world.ask(&mut stranger).await, "waiting 1 of 1");
    let mut heir = old.rekeyed();
    assert_eq!(world.ask(&mut heir).await, "lease 1 of 2");
}

pub async fn evidence_does_not_renew_itself(backend: Backend) {
    let mut world = World::new(backend);
    let mut machine = from_sibling(START - DAY);
    for _ in 0..29 {
        let outcome = world.apply(world.sighting(&machine, AskKind::Activate)).await;
        let Decision::Lease { grant, .. } = outcome.decision else {
            panic!("{outcome:?}");
        };
        assert_eq!(grant.threshold_met_at, START - DAY);
        machine.hear(&outcome);
        world.now = world.now + DAY;
    }
    assert_eq!(world.ask(&mut machine).await, "waiting 34 of 1");
}

pub async fn a_ledger_that_was_set_back_raises_one_alarm_and_learns(backend: Backend) {
    let mut world = World::new(backend);
    let mut machines = Machine::some(3);
    world.ask_together(&mut machines).await;
    assert_eq!(world.ledger.restored().await.unwrap(), None);
    // Two of them have renewed since the backup was taken; what this ledger knows is older.
    for machine in &mut machines[..2] {
        machine.serial = 9;
        machine.lease = Some(ShownLease {
            machine: machine.id,
            ledger: LEDGER,
            serial: 9,
            threshold_met_at: START - 40 * DAY,
            issued_at: START + MOMENT,
        });
    }
    let noticed = START + HOUR;
    for (machine, machines) in machines.iter_mut().zip(1..=2) {
        world.now = world.now + HOUR;
        assert_eq!(world.ask(machine).await, "waiting 10 of 3, behind");
        let restored = Restored { at: noticed, machines };
        assert_eq!(world.ledger.restored().await.unwrap(), Some(restored));
    }
    for machine in &mut machines[..2] {
        assert_eq!(world.ask(machine).await, "waiting 11 of 3", "it has learned");
    }
    let restored = world.ledger.restored().await.unwrap().unwrap();
    assert_eq!((restored.at, restored.machines), (noticed, 2));
    // A sibling's serials say nothing of this ledger.
    assert_eq!(world.ask(&mut from_sibling(START - 40 * DAY)).await, "waiting 5 of 4");
}
