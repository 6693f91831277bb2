//! People, what their organisation has bought, and who has a licence.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use kms_portal_rules::life::{LifeStage, NotRenewed, Subscription};
use kms_portal_rules::offers::{Country, Misfit, OfferName, OfferedService, ServiceName};
use kms_portal_rules::rights::{Act, AdminRole, AdminRoles, LastGeneral};
use kms_portal_rules::seats::{IfNotAll, NotAssigned, Plan, SeatChange, SeatOutcome, WantedSeats};
use kms_portal_rules::{PersonId, SubscriptionId};
use shared::ids::OrganisationId;
use tokio::task::JoinSet;

use super::world::{DAY, MS, ORGANISATION, World, YEAR};
use crate::db::{
    Actor, Assignment, NamedOffer, NamedService, NewPerson, Organisation, PeopleUnchanged, PersonFilter,
    SoldSubscription, SubscriptionChange,
};

pub fn offer(name: &str) -> OfferName {
    OfferName::new(name).unwrap()
}

pub fn service(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

pub fn wanted(names: &[&str]) -> WantedSeats {
    names.iter().map(|name| (offer(name), BTreeSet::new())).collect()
}

fn roles(of: &[AdminRole]) -> AdminRoles {
    AdminRoles::of(of.iter().copied())
}

impl World {
    pub fn staff(&self) -> Actor {
        Actor::staff(self.by("as the customer asked"))
    }

    pub fn person(&self, id: PersonId) -> Actor {
        Actor::person(id, self.by(""))
    }

    /// Basic has mail and files. Voice is not offered in Aruba. Mail-plus excludes mail.
    pub async fn shop(&self) {
        let plain = OfferedService::default;
        let aruba = Country::from_code("AW").unwrap();
        let offers = [
            ("basic", vec![("mail", plain()), ("files", plain())]),
            ("voice", vec![("voice", OfferedService { not_in: [aruba].into(), ..plain() })]),
            ("plus", vec![("mail-plus", OfferedService { excludes: [service("mail")].into(), ..plain() })]),
        ];
        for (name, services) in offers {
            let named = |(name, service_of)| {
                (service(name), NamedService { title: name.to_owned(), service: service_of })
            };
            let services: BTreeMap<_, _> = services.into_iter().map(named).collect();
            let sold = NamedOffer { name: offer(name), title: name.into(), devices: 5, services };
            self.db.set_offer(sold, self.by("new")).await.unwrap();
        }
    }

    pub async fn buys(&self, name: &str, seats: u32) -> SubscriptionId {
        self.buys_for(ORGANISATION, name, seats).await
    }

    pub async fn buys_for(&self, organisation: OrganisationId, name: &str, seats: u32) -> SubscriptionId {
        let id = SubscriptionId::from_bytes(self.draw());
        let sold = SoldSubscription {
            id,
            organisation,
            offer: offer(name),
            seats: NonZeroU32::new(seats).unwrap(),
            life: Subscription::new(self.now, self.now + YEAR),
            renews: true,
        };
        self.db.subscribe(sold, self.staff()).await.unwrap().unwrap();
        id
    }

    pub async fn add(
        &self,
        address: &str,
        organisation: Option<OrganisationId>,
    ) -> Result<PersonId, PeopleUnchanged> {
        let id = PersonId::from_bytes(self.draw());
        let location = Country::from_code("NL");
        let person = NewPerson { id, organisation, name: "Ann".into(), address: address.into(), location };
        self.db.add_person(person, self.staff()).await.unwrap().map(|()| id)
    }

    pub async fn someone(&self) -> PersonId {
        let number = u128::from_be_bytes(self.draw());
        self.add(&format!("p{number}@example.com"), Some(ORGANISATION)).await.unwrap()
    }

    pub async fn admin(&self, of: &[AdminRole]) -> PersonId {
        let number = u128::from_be_bytes(self.draw());
        self.employee(&format!("p{number}@example.com"), of).await
    }

    pub async fn assign(
        &self,
        people: &[PersonId],
        change: SeatChange,
        actor: Actor,
    ) -> Result<Plan, PeopleUnchanged> {
        let (people, if_not_all) = (people.to_vec(), IfNotAll::Nobody);
        let assignment =
            Assignment { organisation: ORGANISATION, people, change, if_not_all, dry_run: false, actor };
        self.db.assign(assignment).await.unwrap()
    }

    /// The offers that a person has, as an empty change tells them.
    pub async fn has(&self, person: PersonId) -> Vec<String> {
        let assignment = Assignment {
            organisation: ORGANISATION,
            people: vec![person],
            change: SeatChange::Add(WantedSeats::new()),
            if_not_all: IfNotAll::Nobody,
            dry_run: true,
            actor: self.staff(),
        };
        let plan = self.db.assign(assignment).await.unwrap().unwrap();
        let SeatOutcome::Has(seats) = &plan.people[0].1 else { panic!("{plan:?}") };
        seats.keys().map(ToString::to_string).collect()
    }
}

pub async fn the_last_general_administrator_stays_whatever_is_tried(world: World) {
    let general = world.admin(&[AdminRole::General]).await;
    let last = Err(PeopleUnchanged::LastGeneral(LastGeneral));
    assert_eq!(world.db.set_roles(general, AdminRoles::NONE, world.staff()).await.unwrap(), last);
    assert_eq!(world.db.block_person(general, true, world.staff()).await.unwrap(), last);
    assert_eq!(world.db.delete_person(general, world.staff()).await.unwrap(), last);
    let second = world.admin(&[AdminRole::General]).await;
    world.db.block_person(second, true, world.staff()).await.unwrap().unwrap();
    assert_eq!(
        world.db.delete_person(general, world.staff()).await.unwrap(),
        last,
        "who is blocked is no help"
    );
    world.db.block_person(second, false, world.staff()).await.unwrap().unwrap();
    world.db.delete_person(general, world.staff()).await.unwrap().unwrap();
}

pub async fn two_general_administrators_who_demote_each_other_leave_one(world: World) {
    for _ in 0..10 {
        let pair = [world.admin(&[AdminRole::General]).await, world.admin(&[AdminRole::General]).await];
        let mut demoting = JoinSet::new();
        for (one, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
            let (db, actor) = (world.db.clone(), world.person(one));
            demoting.spawn(async move { db.set_roles(other, AdminRoles::NONE, actor).await.unwrap() });
        }
        let done = demoting.join_all().await;
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
        let mut left = Vec::new();
        for person in pair {
            let roles = world.db.person(person).await.unwrap().unwrap().roles;
            left.extend(roles.has(AdminRole::General).then_some(person));
        }
        assert_eq!(left.len(), 1);
        // The next round begins with nobody.
        let third = world.admin(&[AdminRole::General]).await;
        world.db.set_roles(left[0], AdminRoles::NONE, world.person(third)).await.unwrap().unwrap();
        let fourth = world.admin(&[AdminRole::General]).await;
        world.db.set_roles(third, AdminRoles::NONE, world.person(fourth)).await.unwrap().unwrap();
    }
}

pub async fn fifty_at_once_for_the_last_seat_and_one_gets_it(world: World) {
    world.shop().await;
    world.buys("basic", 1).await;
    let world = Arc::new(world);
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let (world, person) = (Arc::clone(&world), world.someone().await);
        asking.spawn(async move {
            let plan =
                world.assign(&[person], SeatChange::Add(wanted(&["basic"])), world.staff()).await.unwrap();
            (person, plan.refused() == 0)
        });
    }
    let answers = asking.join_all().await;
    let served: Vec<_> = answers.iter().filter(|(_, served)| *served).collect();
    assert_eq!(served.len(), 1);
    for (person, served) in &answers {
        assert_eq!(world.has(*person).await, if *served { vec!["basic"] } else { vec![] });
    }
}

pub async fn looking_first_changes_nothing_and_says_what_comes(world: World) {
    world.shop().await;
    world.buys("basic", 2).await;
    let people = [world.someone().await, world.someone().await, world.someone().await];
    let before = world.db.verify_changes().await.unwrap().changes;
    let assignment = |if_not_all, dry_run| Assignment {
        organisation: ORGANISATION,
        people: people.to_vec(),
        change: SeatChange::Add(wanted(&["basic"])),
        if_not_all,
        dry_run,
        actor: world.staff(),
    };
    let looked = world.db.assign(assignment(IfNotAll::TheFirst, true)).await.unwrap().unwrap();
    assert_eq!((looked.refused(), looked.short.get("basic")), (1, Some(&1)));
    assert!(world.has(people[0]).await.is_empty());
    assert_eq!(world.db.verify_changes().await.unwrap().changes, before);
    let done = world.db.assign(assignment(IfNotAll::Nobody, false)).await.unwrap().unwrap();
    assert_eq!(done.refused(), 3);
    assert_eq!(world.db.verify_changes().await.unwrap().changes, before, "nothing was done");
    assert_eq!(world.db.assign(assignment(IfNotAll::TheFirst, false)).await.unwrap().unwrap(), looked);
    assert_eq!(world.has(people[1]).await, ["basic"]);
    assert!(world.has(people[2]).await.is_empty());
}

pub async fn many_people_are_replaced_at_once(world: World) {
    world.shop().await;
    world.buys("basic", 300).await;
    world.buys("voice", 300).await;
    let mut people = Vec::new();
    for _ in 0..300 {
        people.push(world.someone().await);
    }
    let added = world.assign(&people, SeatChange::Add(wanted(&["basic"])), world.staff()).await.unwrap();
    assert_eq!(added.refused(), 0);
    let replaced =
        world.assign(&people, SeatChange::Replace(wanted(&["voice"])), world.staff()).await.unwrap();
    assert_eq!(replaced.refused(), 0);
    for person in [people[0], people[299]] {
        assert_eq!(world.has(person).await, ["voice"]);
    }
    let back = world.assign(&people, SeatChange::Replace(wanted(&["basic"])), world.staff()).await.unwrap();
    assert_eq!(back.pools["voice"].taken, 0);
    assert_eq!(back.pools["basic"].taken, 300);
}

pub async fn services_that_do_not_fit_are_named(world: World) {
    world.shop().await;
    world.buys("basic", 9).await;
    world.buys("plus", 9).await;
    let person = world.someone().await;
    let refused = |plan: Plan| {
        let SeatOutcome::Refused(causes) = plan.people[0].1.clone() else { panic!("{plan:?}") };
        causes
    };
    let one = [person];
    let add = |names: &[&str]| world.assign(&one, SeatChange::Add(wanted(names)), world.staff());
    let both = refused(add(&["basic", "plus"]).await.unwrap());
    let misfit = Misfit::Excludes { one: service("mail"), other: service("mail-plus") };
    assert_eq!(both, [NotAssigned::Misfit(misfit)]);
    assert_eq!(refused(add(&["voice"]).await.unwrap()), [NotAssigned::NotBought(offer("voice"))]);
    let stranger = PersonId::from_bytes([0xee; 16]);
    let nobody = world.assign(&[person, stranger], SeatChange::Add(wanted(&["basic"])), world.staff()).await;
    assert_eq!(nobody, Err(PeopleUnchanged::UnknownPerson));
    assert!(world.has(person).await.is_empty());
}

pub async fn a_role_that_was_taken_away_is_of_no_use_and_no_role_reaches_another_organisation(world: World) {
    world.shop().await;
    world.buys("basic", 9).await;
    world.admin(&[AdminRole::General]).await;
    let (access, person) = (world.admin(&[AdminRole::UserAccess]).await, world.someone().await);
    let one = [person];
    let add = |actor| world.assign(&one, SeatChange::Add(wanted(&["basic"])), actor);
    assert_eq!(add(world.person(access)).await.unwrap().refused(), 0);
    world.db.set_roles(access, AdminRoles::NONE, world.staff()).await.unwrap().unwrap();
    let forbidden = add(world.person(access)).await.unwrap_err();
    assert!(matches!(&forbidden, PeopleUnchanged::Forbidden(no) if no.act == Act::Assign), "{forbidden:?}");
    let billing = world.admin(&[AdminRole::Billing]).await;
    assert!(matches!(add(world.person(billing)).await, Err(PeopleUnchanged::Forbidden(_))));
    let id = OrganisationId::from_bytes([0x77; 16]);
    let other = Organisation { id, name: "Other Works".into() };
    world.db.set_organisation(other, world.by("new")).await.unwrap().unwrap();
    let stranger = world.add("eve@example.com", Some(id)).await.unwrap();
    world.db.set_roles(stranger, roles(&[AdminRole::General]), world.staff()).await.unwrap().unwrap();
    assert_eq!(add(world.person(stranger)).await, Err(PeopleUnchanged::UnknownOrganisation));
    let blocked = world.db.block_person(person, true, world.person(stranger)).await.unwrap();
    assert_eq!(blocked, Err(PeopleUnchanged::UnknownOrganisation));
}

pub async fn an_address_is_given_once_in_each_organisation_and_once_for_oneself(world: World) {
    let taken = Err(PeopleUnchanged::AddressTaken);
    let at_work = world.add("Ann@Example.com", Some(ORGANISATION)).await.unwrap();
    assert_eq!(world.add("ann@example.com.", Some(ORGANISATION)).await, taken);
    world.add("ann@example.com", None).await.unwrap();
    assert_eq!(world.add("ANN@example.com", None).await, taken);
    world.add("ann+2@example.com", Some(ORGANISATION)).await.unwrap();
    assert_eq!(world.add("ann", Some(ORGANISATION)).await, Err(PeopleUnchanged::NotAnAddress));
    assert_eq!(
        world.db.person(at_work).await.unwrap().unwrap().address,
        "Ann@Example.com",
        "mail goes there"
    );
}

pub async fn one_of_twenty_people_with_one_address_is_added(world: World) {
    let world = Arc::new(world);
    for organisation in [Some(ORGANISATION), None] {
        let mut adding = JoinSet::new();
        for _ in 0..20 {
            let world = Arc::clone(&world);
            adding.spawn(async move { world.add("ann@example.com", organisation).await });
        }
        let added = adding.join_all().await;
        assert_eq!(added.iter().filter(|one| one.is_ok()).count(), 1, "{added:?}");
    }
    let filter = PersonFilter { organisation: ORGANISATION, after: None, unlicensed: false, deleted: false };
    assert_eq!(world.db.people(filter, 100).await.unwrap().len(), 1, "a refusal leaves nobody behind");
}

pub async fn a_deleted_person_frees_the_seat_at_once_and_can_be_restored_without_it_for_thirty_days(
    mut world: World,
) {
    world.shop().await;
    world.buys("basic", 1).await;
    world.admin(&[AdminRole::General]).await;
    let gone = world.add("ann@example.com", Some(ORGANISATION)).await.unwrap();
    let add = async |world: &World, person| {
        world.assign(&[person], SeatChange::Add(wanted(&["basic"])), world.staff()).await.unwrap().refused()
            == 0
    };
    assert!(add(&world, gone).await);
    world.db.delete_person(gone, world.staff()).await.unwrap().unwrap();
    let next = world.someone().await;
    assert!(add(&world, next).await, "the seat was free at once");
    let again = world.add("ann@example.com", Some(ORGANISATION)).await.unwrap();
    assert_ne!(again, gone, "the same address is another person");
    let deleted_at = world.now;
    world.now = deleted_at + DAY * 30 - MS;
    let restore = async |world: &World, address: Option<&str>| {
        world.db.restore_person(gone, address.map(Into::into), world.staff()).await.unwrap()
    };
    assert_eq!(restore(&world, None).await, Err(PeopleUnchanged::AddressTaken));
    restore(&world, Some("ann.2@example.com")).await.unwrap();
    assert!(world.has(gone).await.is_empty(), "the seat is somebody else's now");
    world.db.delete_person(gone, world.staff()).await.unwrap().unwrap();
    world.now = world.now + DAY * 30;
    assert_eq!(restore(&world, Some("ann.3@example.com")).await, Err(PeopleUnchanged::TooLate));
}

pub async fn a_lapsed_subscription_gives_no_seats_until_it_is_paid(mut world: World) {
    world.shop().await;
    let subscription = world.buys("basic", 9).await;
    let (start, person) = (world.now, world.someone().await);
    let add = async |world: &World| {
        world.assign(&[person], SeatChange::Add(wanted(&["basic"])), world.staff()).await.unwrap().refused()
            == 0
    };
    world.now = start + YEAR + DAY * 30 - MS;
    assert!(add(&world).await, "in the thirty days after its end everything works");
    world.assign(&[person], SeatChange::Revoke([offer("basic")].into()), world.staff()).await.unwrap();
    world.now = start + YEAR + DAY * 30;
    assert!(!add(&world).await);
    let change = async |world: &World, change, actor: Actor| {
        world.db.change_subscription(ORGANISATION, subscription, change, actor).await.unwrap()
    };
    let billing = world.admin(&[AdminRole::Billing]).await;
    let paid = SubscriptionChange::Paid(start + YEAR * 2 + DAY * 30);
    let by_customer = change(&world, paid, world.person(billing)).await;
    assert_eq!(
        by_customer,
        Err(PeopleUnchanged::NotRenewed(NotRenewed::AskTheVendor)),
        "only billing says what is paid"
    );
    let renewed = change(&world, paid, world.staff()).await.unwrap();
    assert_eq!(renewed.life.at(world.now).0, LifeStage::Active);
    assert_eq!(change(&world, paid, world.staff()).await.unwrap(), renewed, "the same event twice");
    assert!(add(&world).await);
    let cancelled = change(&world, SubscriptionChange::Cancel, world.person(billing)).await.unwrap();
    assert!(matches!(cancelled.life.at(world.now).0, LifeStage::Disabled(_)));
    let back = change(&world, SubscriptionChange::TakeCancellationBack, world.person(billing)).await.unwrap();
    assert_eq!(back, renewed, "the term that was paid runs on");
}

pub async fn people_without_a_licence_are_listed_page_by_page(world: World) {
    world.shop().await;
    world.buys("basic", 9).await;
    let mut people = Vec::new();
    for _ in 0..5 {
        people.push(world.someone().await);
    }
    world.assign(&people[..2], SeatChange::Add(wanted(&["basic"])), world.staff()).await.unwrap();
    let mut expected = people[2..].to_vec();
    expected.sort();
    let mut filter =
        PersonFilter { organisation: ORGANISATION, after: None, unlicensed: true, deleted: false };
    let first = world.db.people(filter, 2).await.unwrap();
    filter.after = first.last().map(|person| person.id);
    let second = world.db.people(filter, 2).await.unwrap();
    let listed: Vec<_> = first.iter().chain(&second).map(|person| person.id).collect();
    assert_eq!(listed, expected);
}
