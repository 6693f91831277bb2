//! What an administrator changes: who is shut out, let in again, forgotten, or gone with time.

use std::time::Duration;

use shared::ids::Fingerprint;
use shared::inventory::{Prune, Pruned, Verb};
use shared::record::key;

use super::world::{Backend, DAY, HOUR, Machine, OTHER_PRODUCT, PRODUCT, START, World, hourly};

const SECOND: Duration = Duration::from_secs(1);

pub async fn a_blocked_machine_leaves_the_count_until_it_is_unblocked_and_asks(backend: Backend) {
    let mut world = World::new(backend);
    let (mut machine, mut other) = (Machine::new(), Machine::new());
    world.ask(&mut machine).await;
    world.ask(&mut other).await;

    assert_eq!(world.change(Verb::Block, &machine).await, "done, it was active");
    assert_eq!((world.count().await, world.known().await), (1, [1, 0, 0, 1]));
    assert_eq!(world.ask(&mut machine).await, "refused BLOCKED");
    assert_eq!(world.release(&mut machine).await, "refused BLOCKED");
    let mut without_state = Machine { kept: false, ..machine.clone() };
    assert_eq!(world.ask(&mut without_state).await, "refused BLOCKED");
    assert_eq!(world.ask(&mut other).await, "waiting 2 of 1");

    world.now = world.now + HOUR;
    assert_eq!(world.change(Verb::Unblock, &machine).await, "done, it was blocked");
    assert_eq!((world.count().await, world.known().await), (1, [1, 1, 0, 0]));
    assert_eq!(world.ask(&mut machine).await, "waiting 2 of 2", "the serial goes on");
    assert_eq!((world.count().await, world.known().await), (2, [2, 0, 0, 0]));
}

pub async fn a_block_holds_for_whoever_has_left_the_window_or_the_count(backend: Backend) {
    let mut world = World::new(backend);
    let (mut aged, mut released) = (Machine::new(), Machine::new());
    world.ask(&mut aged).await;
    world.now = START + 31 * DAY;
    world.ask(&mut released).await;
    world.release(&mut released).await;

    assert_eq!(world.change(Verb::Block, &aged).await, "done, it was active");
    assert_eq!(world.change(Verb::Block, &released).await, "done, it was released");

    assert_eq!((world.count().await, world.known().await), (0, [0, 0, 0, 2]));
    assert_eq!(world.ask(&mut aged).await, "refused BLOCKED");
    assert_eq!(world.ask(&mut released).await, "refused BLOCKED");
}

/// Whoever is told that it is a copy comes back with a new key, and names the old one.
pub async fn a_new_key_does_not_slip_past_a_block(backend: Backend) {
    let world = World::new(backend);
    let mut machine = Machine::new();
    world.ask(&mut machine).await;
    let mut early = machine.copied().rekeyed();
    early.fingerprint = Fingerprint::NONE;
    world.ask(&mut early).await;
    world.change(Verb::Block, &machine).await;

    let mut late = machine.copied().rekeyed();
    assert_eq!(world.ask(&mut late).await, "refused BLOCKED");
    let mut without_state = Machine { kept: false, ..machine.copied().rekeyed() };
    assert_eq!(world.ask(&mut without_state).await, "refused BLOCKED");
    assert_eq!(world.ask(&mut early).await, "refused BLOCKED", "one that was entered before is no better");
    assert_eq!((world.count().await, world.known().await), (1, [1, 0, 0, 1]));

    world.change(Verb::Unblock, &machine).await;
    assert_eq!(world.ask(&mut late).await, "waiting 1 of 2");
    assert_eq!(world.state_of(&machine).await, "released", "only an active seat is taken");
}

pub async fn who_is_not_known_or_not_blocked_is_named_and_nothing_is_written(backend: Backend) {
    let world = World::new(backend);
    let (mut machine, stranger) = (Machine::new(), Machine::new());
    world.ask(&mut machine).await;
    for verb in [Verb::Block, Verb::Unblock, Verb::Forget] {
        assert_eq!(world.change(verb, &stranger).await, "unknown");
        let elsewhere = Machine { product: OTHER_PRODUCT, ..machine.clone() };
        assert_eq!(world.change(verb, &elsewhere).await, "unknown");
    }
    assert_eq!(world.change(Verb::Unblock, &machine).await, "not blocked, but active");
    assert!(world.history(&machine).await.is_empty());
    world.change(Verb::Block, &machine).await;
    assert_eq!(world.change(Verb::Block, &machine).await, "blocked already");
    assert_eq!(world.history(&machine).await, ["blocked"]);
    assert_eq!((world.count().await, world.known().await), (0, [0, 0, 0, 1]));
}

pub async fn a_forgotten_machine_is_new_when_it_asks_again(backend: Backend) {
    let mut world = World::new(backend);
    let (mut machine, mut other) = (Machine::new(), Machine::new());
    world.ask(&mut other).await;
    world.ask(&mut machine).await;
    world.release(&mut machine).await;
    world.ask(&mut machine).await;
    assert_eq!(world.history(&machine).await, ["released", "returned"]);

    assert_eq!(world.change(Verb::Forget, &machine).await, "done, it was active");

    assert_eq!((world.count().await, world.known().await), (1, [1, 0, 0, 0]));
    assert_eq!(world.state_of(&machine).await, "none");
    assert!(world.history(&machine).await.is_empty());
    assert_eq!(world.change(Verb::Forget, &machine).await, "unknown");
    world.now = world.now + HOUR;
    assert_eq!(world.ask(&mut machine).await, "waiting 4 of 2", "above what it presents");
    let record = world.ledger.record(PRODUCT, machine.id).await.unwrap().unwrap();
    assert_eq!(record.first_seen, world.now);

    world.release(&mut other).await;
    assert_eq!(world.change(Verb::Forget, &other).await, "done, it was released");
    assert_eq!((world.count().await, world.known().await), (1, [1, 0, 0, 0]));
}

pub async fn a_blocked_machine_is_not_forgotten(backend: Backend) {
    let world = World::new(backend);
    let mut machine = Machine::new();
    world.ask(&mut machine).await;
    world.change(Verb::Block, &machine).await;
    assert_eq!(world.change(Verb::Forget, &machine).await, "still blocked");
    assert_eq!(world.ask(&mut machine).await, "refused BLOCKED");
    world.change(Verb::Unblock, &machine).await;
    assert_eq!(world.change(Verb::Forget, &machine).await, "done, it was released");
    assert_eq!((world.count().await, world.known().await), (0, [0; 4]));
}

/// Time moves by asks alone; a change that moved it would age machines while the host doubts its clock.
pub async fn a_change_does_not_move_the_ledgers_time(backend: Backend) {
    let mut world = World::new(backend);
    let mut machines = Machine::some(2);
    world.ask_together(&mut machines).await;
    world.now = START + 1000 * DAY;
    for verb in [Verb::Block, Verb::Unblock, Verb::Forget] {
        world.change(verb, &machines[0]).await;
        assert_eq!(world.ledger.last_time().await.unwrap(), Some(START));
    }
    world.now = START;
    assert_eq!(world.count().await, 1);
}

pub async fn a_retention_takes_who_was_seen_a_millisecond_before_it(backend: Backend) {
    let mut world = World::new(backend);
    let mut machines = Machine::some(3);
    for (machine, ms) in machines.iter_mut().zip(0..) {
        world.now = START + Duration::from_millis(ms);
        world.ask(machine).await;
    }
    world.now = START + 400 * DAY;
    assert_eq!(world.prune(PRODUCT, START + Duration::from_millis(1), 100).await, 1);
    let states = [
        world.state_of(&machines[0]).await,
        world.state_of(&machines[1]).await,
        world.state_of(&machines[2]).await,
    ];
    assert_eq!(states, ["none", "active", "active"]);
    assert_eq!((world.count().await, world.known().await), (0, [2, 0, 0, 0]));
    assert_eq!(world.ask(&mut machines[0]).await, "waiting 2 of 1");
    assert_eq!(world.count().await, 1);
}

/// Even a retention of no time at all.
pub async fn a_retention_takes_nobody_who_is_counted_or_blocked(backend: Backend) {
    let mut world = World::new(backend);
    let [mut counted, mut aged, mut blocked, mut released, mut replaced] =
        std::array::from_fn(|_| Machine::new());
    world.ask_together(&mut [aged.clone(), blocked.clone()]).await;
    world.change(Verb::Block, &blocked).await;
    world.now = START + 31 * DAY;
    world.ask(&mut counted).await;
    world.ask(&mut released).await;
    world.release(&mut released).await;
    world.ask(&mut replaced).await;
    let mut healed = replaced.copied().rekeyed();
    world.ask(&mut healed).await;
    assert_eq!(world.known().await, [3, 1, 1, 1]);
    world.now = world.now + SECOND;

    assert_eq!(world.prune(PRODUCT, world.now, 100).await, 3, "aged, released, replaced");

    assert_eq!((world.count().await, world.known().await), (2, [2, 0, 0, 1]));
    assert_eq!(world.ask(&mut blocked).await, "refused BLOCKED");
    aged.serial = 1;
    assert_eq!(world.ask(&mut aged).await, "waiting 2 of 3");
    assert_eq!(world.ask(&mut counted).await, "waiting 2 of 3");
}

pub async fn a_retention_leaves_what_is_damaged_and_other_products_alone(backend: Backend) {
    let (damaged, mut machine, mut other) = (Machine::new(), Machine::new(), Machine::of(OTHER_PRODUCT));
    let rows = vec![(key::record(PRODUCT, damaged.id), vec![1, 2, 3])];
    let mut world = World::with(backend, hourly(), rows);
    world.ask_together(&mut [machine.clone(), other.clone()]).await;
    world.now = START + 400 * DAY;
    assert_eq!(world.prune(PRODUCT, world.now, 100).await, 1);
    let recount = world.recount_of(PRODUCT).await;
    assert_eq!((recount.records, recount.damaged), (1, 1));
    assert_eq!(world.state_of(&other).await, "active");
    assert_eq!(world.ask(&mut other).await, "waiting 1 of 1");
    assert_eq!(world.ask(&mut machine).await, "waiting 1 of 1");
}

pub async fn a_retention_goes_on_where_its_last_page_ended(backend: Backend) {
    let mut world = World::new(backend);
    let mut machines = Machine::some(7);
    world.ask_together(&mut machines).await;
    world.now = START + 400 * DAY;
    world.ask(&mut machines[2]).await;
    let terms = world.terms;
    let page = |after| Prune { product: PRODUCT, terms, before: START + DAY, after, limit: 3, at: world.now };
    let first = world.prune_page(page(None)).await;
    assert_eq!(first, Pruned { removed: 2, next: Some(machines[2].id) });
    let second = world.prune_page(page(first.next)).await;
    assert_eq!(second, Pruned { removed: 3, next: Some(machines[5].id) });
    let third = world.prune_page(page(second.next)).await;
    assert_eq!(third, Pruned { removed: 1, next: None });
    assert_eq!((world.count().await, world.known().await), (1, [1, 0, 0, 0]));
}

/// A record with its events is up to 33 rows, and the store takes 256 at a time.
pub async fn a_retention_takes_long_histories_with_it(backend: Backend) {
    let mut world = World::new(backend);
    let mut machines = Machine::some(20);
    for _ in 0..16 {
        world.ask_together(&mut machines).await;
        world.release_together(&mut machines).await;
    }
    let events = world.ledger.events(Some(PRODUCT), None, 1000).await.unwrap().rows;
    assert_eq!(events.len(), 20 * 31);
    world.now = START + DAY;
    assert_eq!(world.prune(PRODUCT, world.now, 100).await, 20);
    assert_eq!((world.count().await, world.known().await), (0, [0; 4]));
    assert!(world.ledger.events(None, None, 1000).await.unwrap().rows.is_empty());
}
