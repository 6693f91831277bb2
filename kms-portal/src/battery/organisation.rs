//! What administrators look up, and what is noted of their organisation.

use std::num::NonZeroU32;

use kms_portal_rules::PersonId;
use kms_portal_rules::addresses::Address;
use kms_portal_rules::conflicts::TooMany;
use kms_portal_rules::life::TOO_MANY_ASSIGNED_FOR;
use kms_portal_rules::offers::{Country, Misfit};
use kms_portal_rules::rights::AdminRole;
use kms_portal_rules::seats::{Pool, SeatChange};
use shared::ids::OrganisationId;

use super::people::{offer, service, wanted};
use super::world::{DAY, ORGANISATION, World, YEAR};
use crate::db::{NewPerson, Organisation, PeopleKind, PeopleSearch, PersonEdit, SubscriptionChange};

const OTHER: OrganisationId = OrganisationId::from_bytes([0x77; 16]);

impl World {
    async fn named(&self, name: &str, address: &str) -> PersonId {
        let id = PersonId::from_bytes(self.draw());
        let (organisation, location) = (Some(ORGANISATION), Country::from_code("NL"));
        let person = NewPerson { id, organisation, name: name.into(), address: address.into(), location };
        self.db.add_person(person, self.staff()).await.unwrap().unwrap();
        id
    }

    async fn names(&self, text: &str, which: PeopleKind, after: Option<PersonId>, limit: u32) -> Vec<String> {
        let search = PeopleSearch { organisation: ORGANISATION, text: text.into(), which, after };
        let found = self.db.search_people(search, limit).await.unwrap();
        found.into_iter().map(|listed| listed.person.name).collect()
    }
}

pub async fn people_are_found_by_parts_of_name_and_address(world: World) {
    world.shop().await;
    world.buys("basic", 9).await;
    world.admin(&[AdminRole::General]).await;
    let other = Organisation { id: OTHER, name: "Other Works".into() };
    world.db.set_organisation(other, world.by("new")).await.unwrap().unwrap();
    world.add("ann.other@example.com", Some(OTHER)).await.unwrap();
    let people = [
        world.named("Ann de Vries", "ann@example.com").await,
        world.named("Émile Vries", "emile@example.com").await,
        world.named("100% Bob", "bob_1@example.com").await,
        world.named("ann-marie", "marie@example.com").await,
    ];
    let find = async |text: &str| world.names(text, PeopleKind::There, None, 50).await;
    assert_eq!(find("VRIES").await, ["Ann de Vries", "Émile Vries"]);
    assert_eq!(find("ann vries").await, ["Ann de Vries"]);
    assert_eq!(find("éMILE").await, ["Émile Vries"]);
    assert_eq!(find("bob_").await, ["100% Bob"]);
    assert_eq!(find("%").await, ["100% Bob"], "no sign means any text");
    assert!(find("nobody").await.is_empty());
    // Page by page, by name.
    let all = find("").await;
    assert_eq!(all.len(), 5);
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let search =
            PeopleSearch { organisation: ORGANISATION, text: String::new(), which: PeopleKind::There, after };
        let page = world.db.search_people(search, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.person.id);
        pages.extend(page.into_iter().map(|listed| listed.person.name));
    }
    assert_eq!(pages, all);
    // Those without a licence, and those who are gone.
    world.assign(&people[..1], SeatChange::Add(wanted(&["basic"])), world.staff()).await.unwrap();
    world.db.delete_person(people[2], world.staff()).await.unwrap().unwrap();
    assert_eq!(world.names("vries", PeopleKind::Unlicensed, None, 50).await, ["Émile Vries"]);
    assert_eq!(world.names("", PeopleKind::Deleted, None, 50).await, ["100% Bob"]);
    assert!(find("bob").await.is_empty());
    // By address, in the order of the list.
    let addresses = ["nobody@example.com", "ANN@example.com"].map(|typed| Address::new(typed).unwrap());
    let found = world.db.people_by_address(ORGANISATION, addresses.to_vec()).await.unwrap();
    assert_eq!(found, [None, Some(people[0])]);
    let held = world.db.seats(people[0]).await.unwrap();
    assert!(held["basic"].seat.by_hand);
    assert_eq!(held["basic"].since, world.now);
}

pub async fn seats_that_are_too_many_say_since_when_and_whose_are_the_latest(mut world: World) {
    world.shop().await;
    let subscription = world.buys("basic", 3).await;
    let mut people = Vec::new();
    for _ in 0..3 {
        let person = world.someone().await;
        world.assign(&[person], SeatChange::Add(wanted(&["basic"])), world.staff()).await.unwrap();
        world.now = world.now + DAY;
        people.push(person);
    }
    let standing = async |world: &World| world.db.standing(ORGANISATION, world.now).await.unwrap().unwrap();
    let before = standing(&world).await;
    assert_eq!((before.people, before.unlicensed), (3, 0));
    assert_eq!(before.pools["basic"].pool, Pool { bought: 3, taken: 3 });
    assert_eq!(before.pools["basic"].over, None);
    let reduce = async |world: &World, seats| {
        let seats = SubscriptionChange::Seats(NonZeroU32::new(seats).unwrap());
        world
            .db
            .change_subscription(ORGANISATION, subscription, seats, world.staff())
            .await
            .unwrap()
            .unwrap();
    };
    reduce(&world, 2).await;
    let reduced_at = world.now;
    world.now = world.now + DAY;
    reduce(&world, 1).await;
    let expected = TooMany { over: 2, all_work_until: reduced_at + TOO_MANY_ASSIGNED_FOR };
    assert_eq!(
        standing(&world).await.pools["basic"].over,
        Some(expected),
        "a second reduction gives no more time"
    );
    let latest = world.db.latest_seats(ORGANISATION, offer("basic"), 2).await.unwrap();
    assert_eq!(latest.iter().map(|(_, person)| person.id).collect::<Vec<_>>(), [people[2], people[1]]);
    world.assign(&people[1..], SeatChange::Revoke([offer("basic")].into()), world.staff()).await.unwrap();
    let after = standing(&world).await;
    assert_eq!((after.unlicensed, after.pools["basic"].over), (2, None));
    // Later it is reduced anew, and the time runs anew.
    reduce(&world, 2).await;
    world.assign(&people[1..2], SeatChange::Add(wanted(&["basic"])), world.staff()).await.unwrap();
    world.now = world.now + DAY * 200;
    reduce(&world, 1).await;
    let over = standing(&world).await.pools["basic"].over.unwrap();
    assert_eq!(over.all_work_until, world.now + TOO_MANY_ASSIGNED_FOR);
    // A subscription that lapses takes its seats along; nothing was written then.
    world.now = world.now + YEAR;
    assert_eq!(standing(&world).await.pools["basic"].pool, Pool { bought: 0, taken: 2 });
    assert!(world.db.standing(OTHER, world.now).await.unwrap().is_none());
}

pub async fn a_person_who_moves_where_a_service_is_not_offered_keeps_it_and_is_in_conflict(world: World) {
    world.shop().await;
    world.buys("voice", 9).await;
    world.admin(&[AdminRole::General]).await;
    let people = [world.someone().await, world.someone().await, world.someone().await];
    world.assign(&people, SeatChange::Add(wanted(&["voice"])), world.staff()).await.unwrap();
    let conflicts =
        async |after, limit| world.db.people_in_conflict(ORGANISATION, after, limit).await.unwrap();
    assert!(conflicts(None, 50).await.people.is_empty());
    let aruba = Country::from_code("AW").unwrap();
    let access = world.admin(&[AdminRole::UserAccess]).await;
    for (person, location) in [(people[0], Some(aruba)), (people[2], None)] {
        let edit = PersonEdit { name: "Ann Smith".into(), location };
        world.db.edit_person(person, edit, world.person(access)).await.unwrap().unwrap();
    }
    let found = conflicts(None, 50).await;
    let misfits: Vec<_> = found.people.iter().flat_map(|one| one.misfits.clone()).collect();
    assert_eq!(
        misfits,
        [Misfit::NotOfferedThere { service: service("voice"), country: aruba }, Misfit::NoLocation]
    );
    assert_eq!((found.people[0].person.name.as_str(), found.next), ("Ann Smith", None));
    assert_eq!(world.has(people[0]).await, ["voice"], "nothing is lost in silence");
    let first = conflicts(None, 1).await;
    assert_eq!((first.people.len(), first.next), (1, Some(people[0])));
    assert_eq!(conflicts(first.next, 1).await.people[0].person.id, people[2]);
}

pub async fn administrators_see_the_changes_of_their_organisation_and_no_others(world: World) {
    let other = Organisation { id: OTHER, name: "Other Works".into() };
    world.db.set_organisation(other, world.by("new")).await.unwrap().unwrap();
    world.shop().await;
    world.buys("basic", 1).await;
    let general = world.admin(&[AdminRole::General]).await;
    world.add("eve@example.com", Some(OTHER)).await.unwrap();
    world.assign(&[general], SeatChange::Add(wanted(&["basic"])), world.person(general)).await.unwrap();
    let changes = world.db.changes_in(ORGANISATION, None, 50).await.unwrap();
    let what: Vec<_> = changes.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(what, ["assign", "set password", "set roles", "add person", "add subscription"]);
    assert_eq!(changes[0].subject, format!("basic for {general}"));
    let older = world.db.changes_in(ORGANISATION, Some(changes[1].number), 1).await.unwrap();
    assert_eq!(older, changes[2..3]);
    assert_eq!(world.db.changes_in(OTHER, None, 50).await.unwrap().len(), 1);
    // The digests cover whose change it is, and those of the vendor's changes are as they were.
    let checked = world.db.verify_changes().await.unwrap();
    assert_eq!(checked.broken, None);
    assert!(changes.len() < usize::try_from(checked.changes).unwrap());
}
