//! How places are given back.

use kms_portal_rules::keys::granted::Quota;

use super::world::{DAY, MS, START, World, YEAR};
use crate::db::PlaceName;

pub async fn a_place_that_is_given_back_is_free(world: World) {
    let key = world.machine_key(1).await;
    let (mut one, two) = (world.machine(), world.machine());
    assert_eq!(world.ask(&key, &one).await, "new, 1 of 1");
    assert_eq!(world.leave_anew(&key, &mut one).await, "left, 1 of 5");
    assert_eq!(world.used(&key).await, 0);
    assert_eq!(world.ask(&key, &two).await, "new, 1 of 1");
    assert_eq!(world.ask_anew(&key, &mut one).await, "1 of 1 machines of the key are activated");
    let places = world.db.places(key.number(), None, 10).await.unwrap();
    let freed: Vec<_> = places.iter().filter_map(|place| place.freed_at).collect();
    assert_eq!((places.len(), freed), (2, vec![START]), "what was is still known");
}

/// Whoever has recorded a release could end a machine's license whenever it likes.
pub async fn a_release_that_is_repeated_frees_nothing_more(mut world: World) {
    let key = world.machine_key(2).await;
    let mut machine = world.machine();
    world.ask(&key, &machine).await;
    assert_eq!(world.leave_anew(&key, &mut machine).await, "left, 1 of 5");
    let recorded = machine.clone();
    assert_eq!(world.leave(&key, &recorded).await, "left before", "the answer was lost");
    assert_eq!(world.leave_anew(&key, &mut machine).await, "left before", "it is content with that");
    assert_eq!(world.ask_anew(&key, &mut machine).await, "new, 1 of 2", "it has come back");
    world.now = world.now + DAY;
    assert_eq!(world.leave(&key, &recorded).await, "a later ask was heard before");
    assert_eq!(world.used(&key).await, 1, "and stays");
    assert_eq!(world.leave_anew(&key, &mut machine).await, "left, 2 of 5");
}

pub async fn a_machine_that_has_no_place_cannot_leave(world: World) {
    let key = world.machine_key(2).await;
    let unknown = "it was not activated here";
    let mut before = world.machine();
    assert_eq!(world.leave(&key, &before).await, unknown);
    world.ask_anew(&key, &mut before).await;
    let mut after = world.machine();
    after.parts = before.parts;
    assert_eq!(world.ask(&key, &after).await, "imaged, 1 of 2");
    assert_eq!(world.leave_anew(&key, &mut before).await, unknown, "the place is another's now");
    let other = world.machine_key(2).await;
    assert_eq!(world.leave_anew(&other, &mut after).await, unknown);
    assert_eq!(world.leave_anew(&key, &mut after).await, "left, 1 of 5");
}

/// A machine that leaves keeps its confirmation, which has no end. A key for one machine would have licensed one after the other.
pub async fn only_so_many_places_are_given_back_in_a_year(mut world: World) {
    let key = world.machine_key(1).await;
    for released in 1..=5 {
        let mut machine = world.machine();
        assert_eq!(world.ask(&key, &machine).await, "new, 1 of 1");
        assert_eq!(world.leave_anew(&key, &mut machine).await, format!("left, {released} of 5"));
        world.now = world.now + DAY;
    }
    let mut machine = world.machine();
    assert_eq!(world.ask(&key, &machine).await, "new, 1 of 1");
    let refused = "5 places of the key were given back within a year, as many as may be (5)";
    assert_eq!(world.leave_anew(&key, &mut machine).await, refused);
    world.now = START + YEAR - MS;
    assert_eq!(world.leave_anew(&key, &mut machine).await, refused);
    world.now = START + YEAR;
    assert_eq!(world.leave_anew(&key, &mut machine).await, "left, 5 of 5");
    world.raise(&key, Quota::Releases, 1).await.unwrap();
    world.ask_anew(&key, &mut machine).await;
    assert_eq!(world.leave_anew(&key, &mut machine).await, "left, 6 of 6");
}

pub async fn staff_frees_a_place_without_a_limit(world: World) {
    let key = world.machine_key(1).await;
    for _ in 0..7 {
        let machine = world.machine();
        let place = world.confirm(&key, &machine).await.unwrap();
        let place = PlaceName::Id(*world.opened(&place.confirmation).id.as_bytes());
        let free = || world.db.free_place(key.number(), place, world.by("the laptop was stolen"));
        assert!(free().await.unwrap());
        assert!(!free().await.unwrap(), "nobody has it any more");
        assert_eq!(world.leave(&key, &machine).await, "left before");
    }
    let shown = world.key(&key).await;
    assert_eq!((shown.taken.machines, shown.taken.releases.0), (0, 0));
    let change = &world.db.changes(None, 1).await.unwrap()[0];
    assert_eq!((change.what.as_str(), change.by.why.as_str()), ("free place", "the laptop was stolen"));
    assert!(change.subject.ends_with(&format!(" of {}", key.number())), "{}", change.subject);
}
