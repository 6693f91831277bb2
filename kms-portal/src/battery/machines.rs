//! Who gets a place of a key, and what it costs.

use kms_portal_rules::keys::granted::{Granted, Quota};
use shared::ids::Fingerprint;
use shared::parts::HardwareParts;
use shared::product_key::KeyKind;

use super::world::{DAY, MS, OTHER_PRODUCT, PRODUCT, START, World, YEAR};

pub async fn the_last_place_is_given_and_the_next_machine_is_refused(world: World) {
    let key = world.machine_key(2).await;
    let (one, two, three) = (world.machine(), world.machine(), world.machine());
    assert_eq!(world.ask(&key, &one).await, "new, 1 of 2");
    assert_eq!(world.ask(&key, &two).await, "new, 2 of 2");
    assert_eq!(world.ask(&key, &three).await, "2 of 2 machines of the key are activated");
    assert_eq!(world.ask(&key, &one).await, "again, 2 of 2");
    assert_eq!(world.used(&key).await, 2);
}

pub async fn the_same_ask_gets_the_same_bytes(mut world: World) {
    let key = world.machine_key(1).await;
    let mut machine = world.machine();
    let first = world.confirm(&key, &machine).await.unwrap();
    let confirmation = world.opened(&first.confirmation);
    assert_eq!(confirmation.machine, machine.identity.public().machine());
    assert_eq!((confirmation.product, confirmation.nonce), (PRODUCT, machine.asked.nonce()));
    assert_eq!((confirmation.confirmed_at, confirmation.not_after), (START, None));
    assert_eq!(confirmation.organisation_name, "Example Works");
    assert_eq!(confirmation.parts, machine.parts);
    assert!(confirmation.features.has("export") && !confirmation.test);
    // Much later, and by another portal on the same database: the answer was lost.
    world.now = START + YEAR;
    let again = world.confirm(&key, &machine).await.unwrap();
    assert_eq!(first.confirmation, again.confirmation);
    // Another ask of the same machine is confirmed anew, under the same id.
    machine.asked = world.asked();
    let anew = world.confirm(&key, &machine).await.unwrap();
    assert_ne!(first.confirmation, anew.confirmation);
    let anew = world.opened(&anew.confirmation);
    assert_eq!((anew.id, anew.confirmed_at), (confirmation.id, START + YEAR));
}

pub async fn a_machine_that_asks_anew_costs_nothing(mut world: World) {
    let key = world.machine_key(1).await;
    let mut machine = world.machine();
    assert_eq!(world.ask(&key, &machine).await, "new, 1 of 1");
    for _ in 0..20 {
        world.now = world.now + DAY;
        assert_eq!(world.ask_anew(&key, &mut machine).await, "own, 1 of 1");
    }
    assert_eq!(world.key(&key).await.taken.releases.0, 0);
}

pub async fn hardware_that_was_imaged_anew_keeps_its_place(world: World) {
    let key = world.machine_key(1).await;
    let before = world.machine();
    assert_eq!(world.ask(&key, &before).await, "new, 1 of 1");
    // Another identity and another installation, on the same hardware; no part of it has another key to count by.
    let mut after = world.machine();
    after.parts = before.parts;
    assert_eq!(world.ask(&key, &after).await, "imaged, 1 of 1");
    assert_eq!(world.ask(&key, &after).await, "again, 1 of 1");
    // The image of before is put back.
    let mut restored = before.clone();
    assert_eq!(world.ask_anew(&key, &mut restored).await, "imaged, 1 of 1");
    // Under a second key the same hardware is another machine.
    let other = world.machine_key(1).await;
    assert_eq!(world.ask(&other, &after).await, "new, 1 of 1");
}

/// Whoever has recorded an ask could take a place for a machine that has left, or back for an identity that is gone.
pub async fn a_recorded_ask_gets_nothing(world: World) {
    let key = world.machine_key(2).await;
    let mut machine = world.machine();
    let first = machine.clone();
    assert_eq!(world.ask(&key, &machine).await, "new, 1 of 2");
    assert_eq!(world.ask_anew(&key, &mut machine).await, "own, 1 of 2");
    let refused = "a later ask was heard before";
    assert_eq!(world.ask(&key, &first).await, refused);
    assert_eq!(world.ask(&key, &machine).await, "again, 1 of 2", "the last one may be lost at any time");
    let last = machine.clone();
    assert_eq!(world.leave_anew(&key, &mut machine).await, "left, 1 of 5");
    assert_eq!(world.ask(&key, &last).await, refused);
    assert_eq!(world.used(&key).await, 0);
    // An identity that another one has superseded on its hardware.
    assert_eq!(world.ask_anew(&key, &mut machine).await, "new, 1 of 2");
    let mut image = world.machine();
    image.parts = machine.parts;
    assert_eq!(world.ask(&key, &image).await, "imaged, 1 of 2");
    assert_eq!(world.ask(&key, &machine).await, refused);
    assert_eq!(world.ask_anew(&key, &mut machine).await, "imaged, 1 of 2", "unless it asks itself");
}

pub async fn one_part_may_be_replaced(world: World) {
    let key = world.machine_key(3).await;
    let parts = |board: &str, disk: &str| HardwareParts::of_machine(PRODUCT, board, disk, "FIRMWARE-1");
    let mut machine = world.machine();
    machine.parts = parts("BOARD-1", "DISK-1");
    assert_eq!(world.ask(&key, &machine).await, "new, 1 of 3");
    machine.parts = parts("BOARD-1", "DISK-2");
    assert_eq!(world.ask_anew(&key, &mut machine).await, "own, 1 of 3");
    // By and by nothing is left of the machine that it was. It is the same one nevertheless, and so is its next image.
    machine.parts = parts("BOARD-2", "DISK-2");
    assert_eq!(world.ask_anew(&key, &mut machine).await, "own, 1 of 3");
    let mut imaged = world.machine();
    imaged.parts = parts("BOARD-2", "DISK-2");
    assert_eq!(world.ask(&key, &imaged).await, "imaged, 1 of 3");
    // One part alone is another machine.
    let mut other = world.machine();
    other.parts = parts("BOARD-3", "DISK-3");
    assert_eq!(world.ask(&key, &other).await, "new, 2 of 3");
}

/// A disk that is cloned to a hundred machines has one identity. Each clone would be confirmed, one after the other, and keep what it
/// got: a key for one machine would have licensed a hundred.
pub async fn a_machine_on_other_hardware_takes_its_place_along_as_often_as_places_are_given_back(
    mut world: World,
) {
    let key = world.machine_key(1).await;
    let mut machine = world.machine();
    assert_eq!(world.ask(&key, &machine).await, "new, 1 of 1");
    for _ in 0..5 {
        machine.parts = world.machine().parts;
        assert_eq!(world.ask_anew(&key, &mut machine).await, "moved, 1 of 1");
        assert_eq!(world.ask(&key, &machine).await, "again, 1 of 1");
    }
    let sixth = world.machine().parts;
    let fifth = std::mem::replace(&mut machine.parts, sixth);
    let refused = "5 places of the key were given back within a year, as many as may be (5)";
    assert_eq!(world.ask_anew(&key, &mut machine).await, refused);
    machine.parts = fifth;
    assert_eq!(world.ask_anew(&key, &mut machine).await, "own, 1 of 1", "where it was it still is");
    machine.parts = sixth;
    world.now = START + YEAR - MS;
    assert_eq!(world.ask_anew(&key, &mut machine).await, refused);
    world.now = START + YEAR;
    assert_eq!(world.ask_anew(&key, &mut machine).await, "moved, 1 of 1");
}

pub async fn without_parts_the_fingerprint_tells_a_copy(world: World) {
    let key = world.machine_key(2).await;
    let mut machine = world.machine();
    machine.parts = HardwareParts::NONE;
    assert_eq!(world.ask(&key, &machine).await, "new, 1 of 2");
    machine.fingerprint = Fingerprint::NONE;
    assert_eq!(world.ask_anew(&key, &mut machine).await, "own, 1 of 2", "nothing tells them apart");
    machine.fingerprint = Fingerprint::of_machine(PRODUCT, b"one");
    assert_eq!(world.ask_anew(&key, &mut machine).await, "own, 1 of 2");
    machine.fingerprint = Fingerprint::of_machine(PRODUCT, b"two");
    assert_eq!(world.ask_anew(&key, &mut machine).await, "moved, 1 of 2");
    // Two machines without parts have nothing in common.
    let mut other = world.machine();
    other.parts = HardwareParts::NONE;
    assert_eq!(world.ask(&key, &other).await, "new, 2 of 2");
}

pub async fn a_blocked_or_ended_key_confirms_nobody(mut world: World) {
    let key = world.draw_key(KeyKind::MultipleActivation, PRODUCT);
    let mut new = world.new_key(&key, PRODUCT, Granted::machines(5));
    new.ends_at = Some(START + YEAR);
    world.issue(new).await.unwrap();
    let machine = world.machine();
    world.db.block_key(key.number(), world.by("stolen")).await.unwrap().unwrap();
    assert_eq!(world.ask(&key, &machine).await, "the key is blocked");
    world.db.unblock_key(key.number(), world.by("it was not")).await.unwrap().unwrap();
    world.now = START + YEAR - MS;
    let confirmed = world.confirm(&key, &machine).await.unwrap();
    assert_eq!(world.opened(&confirmed.confirmation).not_after, Some(START + YEAR));
    world.now = START + YEAR;
    assert!(world.ask(&key, &machine).await.starts_with("the key has ended at "));
    assert_eq!(world.used(&key).await, 1);
}

pub async fn no_key_and_another_products_key_look_the_same(world: World) {
    let unknown = "no such key is known for this product";
    let machine = world.machine();
    assert_eq!(world.ask(&world.draw_key(KeyKind::MultipleActivation, PRODUCT), &machine).await, unknown);
    let hosts = world.host_key(PRODUCT).await;
    assert_eq!(world.ask(&hosts, &machine).await, unknown);
    let key = world.machine_key(1).await;
    let mut foreign = machine.clone();
    foreign.product = OTHER_PRODUCT;
    assert_eq!(world.ask(&key, &foreign).await, unknown);
    assert_eq!(world.leave(&key, &foreign).await, "it was not activated here");
    assert_eq!(world.ask(&key, &machine).await, "new, 1 of 1");
}

pub async fn an_issuer_that_has_ended_signs_nothing_and_nothing_is_taken(mut world: World) {
    let key = world.machine_key(1).await;
    let machine = world.machine();
    world.now = START + 3 * YEAR;
    assert_eq!(world.ask(&key, &machine).await, "the portal's issuing certificate cannot sign this");
    assert_eq!(world.used(&key).await, 0);
    world.now = world.now - MS;
    assert_eq!(world.ask(&key, &machine).await, "new, 1 of 1");
}

pub async fn a_raised_key_gives_more_and_a_lowered_one_takes_nothing_away(world: World) {
    let key = world.machine_key(1).await;
    let (mut one, two, three) = (world.machine(), world.machine(), world.machine());
    world.ask(&key, &one).await;
    assert_eq!(world.ask(&key, &two).await, "1 of 1 machines of the key are activated");
    assert_eq!(world.raise(&key, Quota::Machines, 1).await.unwrap().machines, 2);
    assert_eq!(world.ask(&key, &two).await, "new, 2 of 2");
    assert_eq!(world.raise(&key, Quota::Machines, -2).await.unwrap().machines, 0);
    assert_eq!(world.ask_anew(&key, &mut one).await, "own, 2 of 0");
    assert_eq!(world.ask(&key, &three).await, "2 of 0 machines of the key are activated");
}
