//! Lost answers, recorded asks, copies and rolled-back disks: one is never taken for another.

use std::time::Duration;

use shared::ask::AskKind;
use shared::ids::Fingerprint;

use super::world::{Backend, HOUR, Machine, World, told};
use crate::testing;

const SECOND: Duration = Duration::from_secs(1);

pub async fn a_lost_answer_is_given_again_under_its_serial(backend: Backend) {
    let mut world = World::new(backend);
    let mut machine = Machine::new();
    assert_eq!(world.ask_in_vain(&machine).await, "waiting 1 of 1");
    world.now = world.now + SECOND;
    assert_eq!(world.ask_in_vain(&machine).await, "waiting 1 of 1");
    world.now = world.now + SECOND;
    // Meanwhile the others have come.
    world.ask_together(&mut Machine::some(24)).await;
    assert_eq!(world.ask(&mut machine).await, "lease 1 of 25");
    assert_eq!(world.ask(&mut machine).await, "lease 2 of 25");
    assert_eq!(world.count().await, 25);
}

pub async fn a_lost_answer_is_given_again_in_the_same_batch(backend: Backend) {
    let mut world = World::new(backend);
    let machine = Machine::new();
    let first = world.sighting(&machine, AskKind::Activate);
    world.now = world.now + SECOND;
    let second = world.sighting(&machine, AskKind::Activate);
    let outcomes = testing::sight(&*world.ledger, vec![first, second]).await.unwrap();
    let told: Vec<_> = outcomes.iter().map(told).collect();
    assert_eq!(told, ["waiting 1 of 1", "waiting 1 of 1"]);
    assert_eq!(world.count().await, 1);
}

pub async fn an_ask_that_the_network_repeats_changes_nothing(backend: Backend) {
    let mut world = World::new(backend);
    let machine = Machine::new();
    let ask = world.sighting(&machine, AskKind::Activate);
    world.apply(ask.clone()).await;
    let before = world.seen_at(&machine).await;
    world.now = world.now + 5 * HOUR;
    let again = world.apply(shared::count::Sighting { at: world.now, ..ask }).await;
    assert_eq!(told(&again), "refused REPLAYED");
    assert_eq!(world.seen_at(&machine).await, before);
    assert_eq!(world.count().await, 1);
}

pub async fn a_recorded_ask_is_refused_and_nobody_is_accused(backend: Backend) {
    let mut world = World::new(backend);
    let mut machine = Machine::new();
    let recorded = world.sighting(&machine, AskKind::Activate);
    world.ask(&mut machine).await;
    world.now = world.now + SECOND;
    world.ask(&mut machine).await;
    assert_eq!(told(&world.apply(recorded).await), "refused REPLAYED");
    assert_eq!(world.ask(&mut machine).await, "waiting 3 of 1");
    assert_eq!(world.count().await, 1);
}

pub async fn a_copy_is_named_and_counts_once_it_has_a_key_of_its_own(backend: Backend) {
    let mut world = World::new(backend);
    let mut original = Machine::new();
    world.ask(&mut original).await;
    let copy = original.copied();
    world.now = world.now + SECOND;
    assert_eq!(world.ask(&mut original).await, "waiting 2 of 1");
    world.now = world.now + SECOND;
    assert_eq!(world.ask_in_vain(&copy).await, "refused COPIED");
    assert_eq!(world.count().await, 1, "a refusal writes nothing");
    // Its fingerprint is the same, so it might be the same machine: the old seat goes.
    let mut healed = copy.rekeyed();
    assert_eq!(world.ask(&mut healed).await, "waiting 1 of 1");
    assert_eq!((world.count().await, world.state_of(&original).await), (1, "replaced"));
    // It was not: the original lives, and has its seat again. From now on there are two.
    assert_eq!(world.ask(&mut original).await, "waiting 3 of 2");
    assert_eq!(world.ask(&mut healed).await, "waiting 2 of 2");
    assert_eq!((world.count().await, world.state_of(&original).await), (2, "active"));
}

pub async fn a_rolled_back_disk_stays_one_machine(backend: Backend) {
    let mut world = World::new(backend);
    let mut machine = Machine::new();
    world.ask(&mut machine).await;
    let snapshot = machine.copied();
    world.now = world.now + HOUR;
    world.ask(&mut machine).await;
    world.now = world.now + HOUR;
    assert_eq!(world.ask_in_vain(&snapshot).await, "refused COPIED");
    let mut healed = snapshot.rekeyed();
    assert_eq!(world.ask(&mut healed).await, "waiting 1 of 1");
    assert_eq!(world.ask(&mut healed).await, "waiting 2 of 1");
    assert_eq!(world.count().await, 1);
}

pub async fn another_or_no_fingerprint_takes_no_seat(backend: Backend) {
    for fingerprint in [Machine::new().fingerprint, Fingerprint::NONE] {
        let world = World::new(backend);
        let mut original = Machine::new();
        world.ask(&mut original).await;
        let mut healed = original.copied().rekeyed();
        healed.fingerprint = fingerprint;
        assert_eq!(world.ask(&mut healed).await, "waiting 1 of 2");
        assert_eq!((world.count().await, world.state_of(&original).await), (2, "active"));
    }
    let world = World::new(backend);
    let mut original = Machine::new();
    original.fingerprint = Fingerprint::NONE;
    world.ask(&mut original).await;
    world.ask(&mut original.copied().rekeyed()).await;
    assert_eq!(world.count().await, 2, "an empty one equals none, not even another empty one");
}

pub async fn a_release_that_the_network_repeats_does_not_end_a_return(backend: Backend) {
    let mut world = World::new(backend);
    let mut machine = Machine::new();
    world.ask(&mut machine).await;
    world.now = world.now + SECOND;
    let release = world.sighting(&machine, AskKind::Release);
    world.release(&mut machine).await;
    world.now = world.now + SECOND;
    world.ask(&mut machine).await;
    assert_eq!(told(&world.apply(release).await), "refused REPLAYED");
    assert_eq!((world.count().await, world.state_of(&machine).await), (1, "active"));
}
