//! Who is counted, when the threshold is met, and what is remembered of whom.

use std::time::Duration;

use shared::ids::{Fingerprint, Nonce};
use shared::record::{Record, RecordState, key};

use super::world::{Backend, DAY, HOUR, Machine, OTHER_PRODUCT, PRODUCT, START, World, hourly, meta, told};
use crate::testing;

pub async fn the_24th_waits_and_the_25th_is_licensed(backend: Backend) {
    let world = World::new(backend);
    let mut machines = Machine::some(25);
    for (before, machine) in machines[..24].iter_mut().enumerate() {
        assert_eq!(world.ask(machine).await, format!("waiting 1 of {}", before + 1));
    }
    assert_eq!(world.ask(&mut machines[24]).await, "lease 1 of 25");
    assert_eq!(world.ask(&mut machines[0]).await, "lease 2 of 25");
    assert_eq!(world.count().await, 25);
    let record = world.ledger.record(PRODUCT, machines[24].id).await.unwrap().unwrap();
    assert_eq!(record.licensed_until, Some(START + 180 * DAY));
}

pub async fn the_25th_of_a_batch_is_licensed(backend: Backend) {
    let world = World::new(backend);
    let told = world.ask_together(&mut Machine::some(26)).await;
    assert_eq!(told[23..], ["waiting 1 of 24", "lease 1 of 25", "lease 1 of 26"]);
    assert_eq!(world.count().await, 26);
}

pub async fn a_machine_that_asks_twice_is_one(backend: Backend) {
    let mut world = World::new(backend);
    let mut machine = Machine::new();
    world.ask(&mut machine).await;
    world.now = world.now + 5 * HOUR;
    assert_eq!(world.ask(&mut machine).await, "waiting 2 of 1");
    assert_eq!(world.count().await, 1);
}

pub async fn products_are_counted_apart(backend: Backend) {
    let mut world = World::new(backend);
    world.terms.threshold = 2;
    let mut machines = [Machine::of(PRODUCT), Machine::of(OTHER_PRODUCT), Machine::of(OTHER_PRODUCT)];
    let told = world.ask_together(&mut machines).await;
    assert_eq!(told, ["waiting 1 of 1", "waiting 1 of 1", "lease 1 of 2"]);
    assert_eq!((world.count().await, world.count_of(OTHER_PRODUCT).await), (1, 2));
    assert_eq!(world.ledger.products().await.unwrap(), [PRODUCT, OTHER_PRODUCT]);
}

pub async fn a_machine_leaves_the_count_after_the_window_and_returns(backend: Backend) {
    let mut world = World::new(backend);
    let (mut early, mut late) = (Machine::new(), Machine::new());
    world.ask(&mut early).await;
    world.now = START + HOUR;
    world.ask(&mut late).await;
    // Seen at half past; whole hours count, so it leaves as the 720th hour after its own begins.
    let leaves = START + 720 * HOUR - Duration::from_mins(30);
    world.now = leaves - Duration::from_millis(1);
    assert_eq!(world.count().await, 2);
    world.now = leaves;
    assert_eq!(world.count().await, 1);
    assert_eq!(world.ask(&mut early).await, "waiting 2 of 2");
    world.now = leaves + HOUR;
    assert_eq!(world.count().await, 1, "now the late one has left");
    assert_eq!(world.ask(&mut late).await, "waiting 2 of 2");
}

pub async fn a_changed_window_counts_anew(backend: Backend) {
    let mut world = World::new(backend);
    for age_days in [40, 20, 5] {
        world.now = START - age_days * DAY;
        world.ask(&mut Machine::new()).await;
    }
    world.now = START;
    assert_eq!(world.count().await, 2);
    world.terms.count_window = 10 * DAY;
    assert_eq!(world.count().await, 1, "narrower");
    world.terms.count_window = 50 * DAY;
    assert_eq!(world.count().await, 3, "wider");
    assert_eq!(world.ask(&mut Machine::new()).await, "waiting 1 of 4");
    world.terms.count_window = 30 * DAY;
    assert_eq!(world.ask(&mut Machine::new()).await, "waiting 1 of 4", "back again");
    assert_eq!(world.count().await, 4);
}

pub async fn after_a_long_silence_only_who_asks_is_counted(backend: Backend) {
    let mut world = World::new(backend);
    let mut machines = Machine::some(3);
    world.ask_together(&mut machines).await;
    world.now = START + 1000 * DAY;
    assert_eq!(world.count().await, 0);
    assert_eq!(world.ask(&mut machines[0]).await, "waiting 2 of 1");
    assert_eq!(world.count().await, 1);
    assert_eq!(world.recount_of(PRODUCT).await.active, 3);
}

pub async fn an_hour_may_be_a_tenth_of_a_second(backend: Backend) {
    let tenth = Duration::from_millis(100);
    let mut world = World::with(backend, meta(100), Vec::new());
    world.terms.count_window = 10 * tenth;
    let mut machine = Machine::new();
    world.ask(&mut machine).await;
    world.now = START + 9 * tenth;
    assert_eq!(world.ask(&mut Machine::new()).await, "waiting 1 of 2");
    world.now = START + 10 * tenth;
    assert_eq!(world.count().await, 1);
    assert_eq!(world.ask(&mut machine).await, "waiting 2 of 2");
}

pub async fn a_released_machine_leaves_at_once_and_may_come_back(backend: Backend) {
    let mut world = World::new(backend);
    let mut machine = Machine::new();
    world.ask(&mut machine).await;
    world.now = world.now + HOUR;
    assert_eq!(world.release(&mut machine).await, "released 2");
    assert_eq!((world.count().await, world.state_of(&machine).await), (0, "released"));
    assert_eq!(world.ask(&mut machine).await, "waiting 3 of 1");
    assert_eq!((world.count().await, world.state_of(&machine).await), (1, "active"));
}

pub async fn a_machine_without_state_is_licensed_by_the_others_and_leaves_no_record(backend: Backend) {
    let mut world = World::new(backend);
    world.terms.threshold = 2;
    let mut container = Machine::new();
    container.kept = false;
    container.serial = 5;
    assert_eq!(world.ask(&mut container.clone()).await, "waiting 6 of 0");
    world.ask_together(&mut Machine::some(2)).await;
    assert_eq!(world.ask(&mut container).await, "lease 6 of 2");
    assert_eq!((world.count().await, world.state_of(&container).await), (2, "none"));
    let reading = world.ledger.reading(PRODUCT, &world.terms, START).await.unwrap();
    assert_eq!((reading.unkept_today, reading.at), (2, START));
    let tomorrow = world.ledger.reading(PRODUCT, &world.terms, START + DAY).await.unwrap();
    assert_eq!(tomorrow.unkept_today, 0);
}

pub async fn a_list_is_read_in_pages_and_a_damaged_record_stands_in_it(backend: Backend) {
    let damaged = Machine::new();
    let (key, mut value) = row(&damaged);
    value[20] ^= 1;
    let world = World::with(backend, hourly(), vec![(key, value)]);
    let mut machines = Machine::some(4);
    machines.push(Machine::of(OTHER_PRODUCT));
    world.ask_together(&mut machines).await;

    let (mut listed, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = world.ledger.machines(Some(PRODUCT), after, 2).await.unwrap();
        listed.extend(page.rows);
        pages += 1;
        assert!(pages <= 5, "no end of pages");
        after = page.next;
        if after.is_none() {
            break;
        }
    }

    let read: Vec<_> = listed.iter().map(|listed| (listed.machine, listed.record.is_some())).collect();
    let mut expected = vec![(damaged.id, false)];
    expected.extend(machines[..4].iter().map(|machine| (machine.id, true)));
    assert_eq!(read, expected);
    let all = world.ledger.machines(None, None, 100).await.unwrap();
    assert_eq!((all.rows.len(), all.next), (6, None));
    let recount = world.recount_of(PRODUCT).await;
    assert_eq!((recount.records, recount.damaged, recount.counted), (5, 1, 4));
}

pub async fn a_damaged_record_fails_only_its_machine(backend: Backend) {
    let damaged = Machine::new();
    let (key, mut value) = row(&damaged);
    value.pop();
    let world = World::with(backend, hourly(), vec![(key, value)]);
    let sighting = world.sighting(&damaged, shared::ask::AskKind::Activate);

    let error = testing::sight(&*world.ledger, vec![sighting]).await.unwrap_err();

    let text = error.to_string();
    assert!(!error.is_fatal() && text.contains(&damaged.id.to_string()), "{text}");
    assert!(error.remedy().contains("`kms-host export --salvage FILE`"), "{}", error.remedy());
    let other = world.apply(world.sighting(&Machine::new(), shared::ask::AskKind::Activate));
    assert_eq!(told(&other.await), "waiting 1 of 1");
}

/// The row of a machine that was last answered under serial 7.
fn row(machine: &Machine) -> (Vec<u8>, Vec<u8>) {
    let record = Record {
        state: RecordState::Active,
        serial: 7,
        nonce: Nonce::from_bytes([0; 16]),
        asked_at: START - DAY,
        seen_at: START - DAY,
        first_seen: START - DAY,
        licensed_until: None,
        fingerprint: Fingerprint::NONE,
    };
    let key = key::record(machine.product, machine.id);
    let value = record.encode(&key);
    (key, value)
}
