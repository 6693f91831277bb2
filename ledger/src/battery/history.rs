//! What is remembered of a machine beside its record.

use std::time::Duration;

use shared::answer::ShownLease;
use shared::ask::AskKind;
use shared::count::Sighting;
use shared::ids::MachineId;
use shared::inventory::Verb;
use shared::record::{Event, EventKind, key};

use super::world::{Backend, DAY, HOUR, LEDGER, Machine, OTHER_PRODUCT, PRODUCT, START, World, hourly, told};
use crate::ListedEvent;

const SECOND: Duration = Duration::from_secs(1);

pub async fn entering_and_renewing_leave_no_event(backend: Backend) {
    let world = World::new(backend);
    let mut machines = Machine::some(25);
    world.ask_together(&mut machines).await;
    world.ask_together(&mut machines).await;
    let page = world.ledger.events(None, None, 100).await.unwrap();
    assert!(page.rows.is_empty() && page.next.is_none());
}

pub async fn what_happens_to_a_machine_is_told_in_its_order(backend: Backend) {
    let mut world = World::new(backend);
    let mut machine = Machine::new();
    world.ask(&mut machine).await;
    world.now = START + HOUR;
    world.release(&mut machine).await;
    world.release(&mut machine).await;
    world.ask(&mut machine).await;
    world.now = START + 2 * HOUR;
    world.change(Verb::Block, &machine).await;
    world.ask(&mut machine).await;
    world.change(Verb::Unblock, &machine).await;
    world.ask(&mut machine).await;
    assert_eq!(world.history(&machine).await, ["released", "returned", "blocked", "unblocked", "returned"]);
    let events = world.ledger.history(PRODUCT, machine.id).await.unwrap();
    let first = Event { number: 1, at: START + HOUR, kind: EventKind::Released, other: None };
    assert_eq!((events[0], events[4].at), (first, START + 2 * HOUR));
}

pub async fn a_new_key_and_the_old_one_name_each_other(backend: Backend) {
    let world = World::new(backend);
    let mut original = Machine::new();
    world.ask(&mut original).await;
    let mut healed = original.copied().rekeyed();
    world.ask(&mut healed).await;
    world.ask(&mut healed).await;
    let others = async |machine: &Machine| -> Vec<(EventKind, Option<MachineId>)> {
        let events = world.ledger.history(PRODUCT, machine.id).await.unwrap();
        events.iter().map(|event| (event.kind, event.other)).collect()
    };
    assert_eq!(others(&healed).await, [(EventKind::Replaces, Some(original.id))]);
    assert_eq!(others(&original).await, [(EventKind::Replaced, Some(healed.id))]);
    // A copy was at work, and not the machine itself: the original lives.
    world.ask(&mut original).await;
    assert_eq!(world.history(&original).await, ["replaced", "returned"]);
    let mut stranger = Machine::new().rekeyed();
    world.ask(&mut stranger).await;
    assert!(world.history(&stranger).await.is_empty(), "what it replaces is not known here");
}

pub async fn a_copy_is_noted_once_an_hour_however_often_it_asks(backend: Backend) {
    let mut world = World::new(backend);
    let mut original = Machine::new();
    world.ask(&mut original).await;
    let copy = original.copied();
    world.ask(&mut original).await;
    let first = START + SECOND;
    let last_time = world.ledger.last_time().await.unwrap();
    for (after_ms, noted) in
        [(0, 1), (1000, 1), (3_599_999, 1), (3_600_000, 2), (7_199_999, 2), (7_200_000, 3)]
    {
        world.now = first + Duration::from_millis(after_ms);
        assert_eq!(world.ask_in_vain(&copy).await, "refused COPIED");
        assert_eq!(world.history(&original).await, vec!["copied"; noted], "{after_ms} ms");
    }
    assert_eq!(world.ledger.last_time().await.unwrap(), last_time, "nobody was seen");
    assert_eq!(world.count().await, 1);
    // What happens in between does not begin the hour anew.
    world.release(&mut original).await;
    world.now = world.now + SECOND;
    assert_eq!(world.ask_in_vain(&copy).await, "refused COPIED");
    assert_eq!(world.history(&original).await, ["copied", "copied", "copied", "released"]);
    // The host's clock was ahead, and is set right: what was noted in a time that has not come yet holds nothing up.
    let ask = world.sighting(&copy, AskKind::Activate);
    world.settle(vec![(PRODUCT, world.terms)], START).await;
    let at = first + HOUR;
    assert_eq!(
        told(&world.apply(Sighting { at: at + Duration::from_millis(1), ..ask.clone() }).await),
        "refused COPIED"
    );
    assert_eq!(world.history(&original).await.len(), 4);
    assert_eq!(told(&world.apply(Sighting { at, ..ask }).await), "refused COPIED");
    assert_eq!(world.history(&original).await[3..], ["released", "copied"]);
}

pub async fn a_machine_that_the_ledger_has_to_relearn_is_noted(backend: Backend) {
    let mut world = World::new(backend);
    let mut machine = Machine::new();
    world.ask(&mut machine).await;
    world.now = START + HOUR;
    machine.serial = 9;
    machine.lease = Some(ShownLease {
        machine: machine.id,
        ledger: LEDGER,
        serial: 9,
        threshold_met_at: START + SECOND,
        issued_at: START + SECOND,
    });
    world.terms.threshold = 1;
    assert_eq!(world.ask(&mut machine).await, "lease 10 of 1, behind");
    world.ask(&mut machine).await;
    assert_eq!(world.history(&machine).await, ["relearned"]);
}

pub async fn of_many_events_the_last_32_are_kept(backend: Backend) {
    let world = World::new(backend);
    let mut machine = Machine::new();
    for _ in 0..20 {
        world.ask(&mut machine).await;
        world.release(&mut machine).await;
    }
    let events = world.ledger.history(PRODUCT, machine.id).await.unwrap();
    let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (8..=39).collect::<Vec<_>>(), "the first ask of all is none");
    let page = world.ledger.events(Some(PRODUCT), None, 100).await.unwrap();
    assert_eq!((page.rows.len(), page.damaged, page.next), (32, 0, None));
}

pub async fn events_are_listed_page_by_page(backend: Backend) {
    let mut world = World::new(backend);
    let mut machines = Machine::some(3);
    machines.push(Machine::of(OTHER_PRODUCT));
    world.ask_together(&mut machines).await;
    let copies: Vec<_> = machines.iter().map(Machine::copied).collect();
    world.ask_together(&mut machines).await;
    world.release_together(&mut machines[..2]).await;
    world.now = START + DAY;
    for copy in &copies[1..] {
        world.ask_in_vain(copy).await;
    }

    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = world.ledger.events(Some(PRODUCT), after, 1).await.unwrap();
        assert!(page.rows.len() <= 1, "as many as are looked at");
        found.extend(page.rows);
        pages += 1;
        assert!(pages <= 9, "no end of pages");
        after = page.next;
        if after.is_none() {
            break;
        }
    }

    let copied = |machine: &Machine, number| ListedEvent {
        product: machine.product,
        machine: machine.id,
        event: Event { number, at: START + DAY, kind: EventKind::Copied, other: None },
    };
    let of_copies = |events: Vec<ListedEvent>| {
        events.into_iter().filter(|listed| listed.event.kind == EventKind::Copied).collect::<Vec<_>>()
    };
    assert_eq!(of_copies(found), [copied(&machines[1], 2), copied(&machines[2], 1)]);
    let events = of_copies(world.ledger.events(None, None, 100).await.unwrap().rows);
    assert_eq!(events.len(), 3, "of every product");
    assert_eq!(events[2], copied(&machines[3], 1));
}

/// No answer rests on a history, and so none is denied for its damage.
pub async fn a_damaged_event_is_left_out_and_fails_nobody(backend: Backend) {
    let mut machine = Machine::new();
    let key = key::event(PRODUCT, machine.id, 1);
    let event = Event { number: 1, at: START, kind: EventKind::Blocked, other: None };
    let mut value = event.encode(&key);
    value[10] ^= 1;
    let world = World::with(backend, hourly(), vec![(key, value)]);
    world.ask(&mut machine).await;
    assert!(world.history(&machine).await.is_empty());
    let page = world.ledger.events(None, None, 100).await.unwrap();
    assert_eq!((page.rows.len(), page.damaged), (0, 1));
    assert_eq!(world.recount_of(PRODUCT).await.damaged, 1, "`verify` tells of it");
    assert_eq!(world.release(&mut machine).await, "released 2");
    assert_eq!(world.history(&machine).await, ["released"]);
    world.change(Verb::Forget, &machine).await;
    assert_eq!(world.count().await, 0, "it goes with its machine, and nothing is damaged any more");
}
