//! Groups: what their members get, who waits for it, and what stays when a group goes.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use kms_portal_rules::offers::Country;
use kms_portal_rules::rights::{Act, AdminRole};
use kms_portal_rules::seats::{NotAssigned, SeatChange, WantedSeats};
use kms_portal_rules::{GroupId, PersonId};

use super::people::{offer, wanted};
use super::world::{DAY, ORGANISATION, World};
use crate::db::{GroupChange, Organisation, PeopleUnchanged, PersonEdit, SubscriptionChange};

impl World {
    async fn group(&self, name: &str, gives: &[&str]) -> GroupId {
        let id = GroupId::from_bytes(self.draw());
        self.regroup(id, GroupChange::Name(name.into())).await;
        self.regroup(id, GroupChange::Offers(wanted(gives))).await;
        id
    }

    async fn regroup(&self, id: GroupId, change: GroupChange) {
        self.db.change_group(ORGANISATION, id, change, self.staff()).await.unwrap().unwrap();
    }

    async fn join_group(&self, id: GroupId, people: &[PersonId]) {
        let add = people.iter().copied().collect();
        self.regroup(id, GroupChange::Members { add, remove: BTreeSet::new() }).await;
    }

    async fn leave_group(&self, id: GroupId, person: PersonId) {
        self.regroup(id, GroupChange::Members { add: BTreeSet::new(), remove: [person].into() }).await;
    }

    /// Who waits, and for what reason.
    async fn group_waits(&self) -> Vec<(PersonId, Vec<NotAssigned>)> {
        let waiting = self.db.waiting(ORGANISATION, None, self.now, 100).await.unwrap();
        waiting.into_iter().map(|claim| (claim.person, claim.causes)).collect()
    }

    async fn seats_taken(&self) -> u64 {
        let standing = self.db.standing(ORGANISATION, self.now).await.unwrap().unwrap();
        standing.pools.values().map(|pool| pool.pool.taken).sum()
    }
}

pub async fn a_person_in_two_groups_who_leaves_one_keeps_what_the_other_gives(world: World) {
    world.shop().await;
    world.buys("basic", 5).await;
    world.buys("voice", 5).await;
    let (both, person) = (world.group("Sales", &["basic", "voice"]).await, world.someone().await);
    let one = world.group("Staff", &["basic"]).await;
    world.join_group(both, &[person]).await;
    world.join_group(one, &[person]).await;
    assert_eq!(world.has(person).await, ["basic", "voice"]);
    world.leave_group(both, person).await;
    assert_eq!(world.has(person).await, ["basic"]);
    world.assign(&[person], SeatChange::Revoke([offer("basic")].into()), world.staff()).await.unwrap();
    assert_eq!(world.has(person).await, ["basic"], "what a group gives, only leaving the group takes");
    world.leave_group(one, person).await;
    assert!(world.has(person).await.is_empty());
    assert_eq!(world.seats_taken().await, 0);
}

pub async fn a_group_that_goes_takes_its_licences_along_or_leaves_them(world: World) {
    world.shop().await;
    world.buys("basic", 5).await;
    for keep_seats in [false, true] {
        let (group, person) = (world.group("Sales", &["basic"]).await, world.someone().await);
        world.join_group(group, &[person]).await;
        world.regroup(group, GroupChange::Delete { keep_seats }).await;
        assert_eq!(world.has(person).await.len(), usize::from(keep_seats));
        assert_eq!(world.db.group(ORGANISATION, group).await.unwrap(), None);
        world.assign(&[person], SeatChange::Revoke([offer("basic")].into()), world.staff()).await.unwrap();
        assert!(world.has(person).await.is_empty(), "as if it was assigned by hand");
    }
}

pub async fn a_seat_that_frees_goes_to_whoever_waits_longest(mut world: World) {
    world.shop().await;
    let subscription = world.buys("basic", 1).await;
    let (group, by_hand) = (world.group("Sales", &["basic"]).await, world.someone().await);
    world.assign(&[by_hand], SeatChange::Add(wanted(&["basic"])), world.staff()).await.unwrap();
    let mut people = Vec::new();
    for _ in 0..4 {
        world.now = world.now + DAY;
        let person = world.someone().await;
        world.join_group(group, &[person]).await;
        people.push(person);
    }
    let no_seat = vec![NotAssigned::NoSeat(offer("basic"))];
    let waiting: Vec<_> = people.iter().map(|person| (*person, no_seat.clone())).collect();
    assert_eq!(world.group_waits().await, waiting, "the member shows what is missing");
    // By hand, by deleting somebody, by buying more, by leaving the group.
    world.assign(&[by_hand], SeatChange::Revoke([offer("basic")].into()), world.staff()).await.unwrap();
    assert_eq!(world.has(people[0]).await, ["basic"]);
    world.admin(&[AdminRole::General]).await;
    world.db.delete_person(people[0], world.staff()).await.unwrap().unwrap();
    assert_eq!(world.has(people[1]).await, ["basic"]);
    let more = SubscriptionChange::Seats(NonZeroU32::new(2).unwrap());
    world.db.change_subscription(ORGANISATION, subscription, more, world.staff()).await.unwrap().unwrap();
    assert_eq!(world.has(people[2]).await, ["basic"]);
    world.leave_group(group, people[1]).await;
    assert_eq!(world.has(people[3]).await, ["basic"]);
    assert_eq!((world.group_waits().await, world.seats_taken().await), (Vec::new(), 2));
    world.db.restore_person(people[0], None, world.staff()).await.unwrap().unwrap();
    assert_eq!(world.group_waits().await, [(people[0], no_seat)], "back in the group");
}

pub async fn a_member_whom_an_offer_does_not_fit_waits_for_that_and_gets_the_rest(world: World) {
    world.shop().await;
    world.buys("basic", 5).await;
    world.buys("voice", 5).await;
    let (group, person) = (world.group("Sales", &["basic", "voice"]).await, world.someone().await);
    let edit = |country: &str| PersonEdit { name: "Ann".into(), location: Country::from_code(country) };
    world.db.edit_person(person, edit("AW"), world.staff()).await.unwrap().unwrap();
    world.join_group(group, &[person]).await;
    assert_eq!(world.has(person).await, ["basic"]);
    let waits = world.group_waits().await;
    assert!(matches!(waits[0].1[..], [NotAssigned::Misfit(_)]), "{waits:?}");
    world.db.edit_person(person, edit("NL"), world.staff()).await.unwrap().unwrap();
    assert_eq!(world.has(person).await, ["basic", "voice"]);
    assert!(world.group_waits().await.is_empty());
}

pub async fn a_seat_by_hand_and_by_a_group_is_one_seat(world: World) {
    world.shop().await;
    world.buys("basic", 1).await;
    let (group, person) = (world.group("Sales", &["basic"]).await, world.someone().await);
    world.join_group(group, &[person]).await;
    world.assign(&[person], SeatChange::Add(wanted(&["basic"])), world.staff()).await.unwrap();
    assert_eq!(world.seats_taken().await, 1);
    world.leave_group(group, person).await;
    assert_eq!((world.has(person).await, world.seats_taken().await), (vec!["basic".to_owned()], 1));
    world.regroup(group, GroupChange::Offers(WantedSeats::new())).await;
    let known = world.db.group(ORGANISATION, group).await.unwrap().unwrap();
    assert_eq!((known.members, known.offers.len(), known.name.as_str()), (0, 0, "Sales"));
}

pub async fn groups_are_changed_by_whoever_gives_licences_and_never_across_organisations(world: World) {
    let other =
        Organisation { id: shared::ids::OrganisationId::from_bytes([8; 16]), name: "Other Works".into() };
    world.db.set_organisation(other.clone(), world.by("new")).await.unwrap().unwrap();
    world.shop().await;
    world.buys("basic", 5).await;
    let (group, stranger) =
        (world.group("Sales", &["basic"]).await, world.add("eve@example.com", Some(other.id)).await.unwrap());
    let change = async |organisation, id, change, actor| {
        world.db.change_group(organisation, id, change, actor).await.unwrap()
    };
    let joins = |person| GroupChange::Members { add: [person].into(), remove: BTreeSet::new() };
    let staff = world.staff();
    assert_eq!(
        change(ORGANISATION, group, joins(stranger), staff.clone()).await,
        Err(PeopleUnchanged::UnknownPerson)
    );
    assert_eq!(
        change(other.id, group, joins(stranger), staff.clone()).await,
        Err(PeopleUnchanged::UnknownGroup)
    );
    let renamed = GroupChange::Name("Theirs".into());
    assert_eq!(change(other.id, group, renamed, staff.clone()).await, Err(PeopleUnchanged::GroupNameTaken));
    let another = GroupId::from_bytes(world.draw());
    let same = GroupChange::Name("Sales".into());
    assert_eq!(change(ORGANISATION, another, same, staff).await, Err(PeopleUnchanged::GroupNameTaken));
    let billing = world.admin(&[AdminRole::Billing]).await;
    let refused = change(ORGANISATION, group, joins(billing), world.person(billing)).await;
    assert!(matches!(refused, Err(PeopleUnchanged::Forbidden(forbidden)) if forbidden.act == Act::Assign));
    let access = world.admin(&[AdminRole::UserAccess]).await;
    change(ORGANISATION, group, joins(access), world.person(access)).await.unwrap();
    assert_eq!(world.db.group_members(group, None, 10).await.unwrap(), [access]);
    assert_eq!(world.db.groups_of(access).await.unwrap(), [group]);
}
