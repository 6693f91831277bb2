//! Ledger time: it never goes back by itself, and `settle` may set it back.

use shared::ask::AskKind;
use shared::count::Terms;
use shared::record::key;

use super::world::{Backend, DAY, HOUR, Machine, OTHER_PRODUCT, PRODUCT, START, World, hourly};
use crate::{Housekeeping, LedgerError, Write, Written};

fn served(world: &World) -> Vec<(shared::ids::ProductId, Terms)> {
    vec![(PRODUCT, world.terms), (OTHER_PRODUCT, world.terms)]
}

pub async fn ledger_time_never_goes_back_by_itself(backend: Backend) {
    let mut world = World::new(backend);
    world.ask(&mut Machine::new()).await;
    world.now = START - 3 * DAY;
    let mut late = Machine::new();
    assert_eq!(world.ask(&mut late).await, "waiting 1 of 2");
    assert_eq!(world.ledger.last_time().await.unwrap(), Some(START));
    assert_eq!(world.seen_at(&late).await, START);
    let reading = world.ledger.reading(PRODUCT, &world.terms, world.now).await.unwrap();
    assert_eq!(reading.at, START);
}

pub async fn settling_sets_the_time_back_and_counts_anew(backend: Backend) {
    let mut world = World::new(backend);
    let mut machines = Machine::some(3);
    world.ask_together(&mut machines).await;
    // The clock jumps ahead, and one machine is seen there before anybody doubts it.
    world.now = START + 100 * DAY;
    assert_eq!(world.ask(&mut machines[0]).await, "waiting 2 of 1");
    world.now = START + HOUR;
    world.settle(served(&world), world.now).await;
    assert_eq!(world.ledger.last_time().await.unwrap(), Some(START + HOUR));
    assert_eq!(world.count().await, 3);
    assert_eq!(world.ask(&mut machines[1]).await, "waiting 2 of 3");
    world.now = START + 31 * DAY;
    assert_eq!(world.count().await, 1, "who was seen in the future has not aged");
    assert_eq!(world.ask(&mut machines[0]).await, "waiting 3 of 1", "and is seen now");
    world.now = START + 62 * DAY;
    assert_eq!(world.count().await, 0);
}

pub async fn settling_a_new_ledger_sets_its_time(backend: Backend) {
    let world = World::new(backend);
    world.settle(Vec::new(), START).await;
    assert_eq!(world.ledger.last_time().await.unwrap(), Some(START));
    assert_eq!(world.count().await, 0);
}

pub async fn evidence_from_the_future_is_as_old_as_the_settling(backend: Backend) {
    let mut world = World::new(backend);
    world.terms.threshold = 2;
    let mut machines = Machine::some(2);
    world.now = START + 100 * DAY;
    world.ask_together(&mut machines).await;
    world.now = START;
    world.settle(served(&world), START).await;
    let reading = world.ledger.reading(PRODUCT, &world.terms, START).await.unwrap();
    assert_eq!(reading.tally.threshold_met_at, Some(START));
}

/// It sets the time first. What failed half-way must not be written with what comes after it.
pub async fn a_settling_that_fails_changes_nothing_and_the_rest_of_its_batch_is_done(backend: Backend) {
    let world = World::with(backend, hourly(), vec![(key::tally(PRODUCT), vec![1, 2, 3])]);
    let ask = |machine: Machine| Write::Sight(world.sighting(&machine, AskKind::Activate));
    let settle = Write::Settle(Housekeeping::alone(), served(&world), START + DAY);
    let writes =
        vec![ask(Machine::of(OTHER_PRODUCT)), ask(Machine::new()), settle, ask(Machine::of(OTHER_PRODUCT))];

    let done = world.ledger.apply(writes).await.unwrap();

    assert!(matches!(done[0], Ok(Written::Sighted(_))) && matches!(done[3], Ok(Written::Sighted(_))));
    assert!(done[1..3].iter().all(|done| matches!(done, Err(LedgerError::Damaged { .. }))), "{done:?}");
    assert_eq!(world.ledger.last_time().await.unwrap(), Some(START));
    assert_eq!(world.count_of(OTHER_PRODUCT).await, 2);
}
