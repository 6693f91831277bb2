//! Subscription keys, and what people have bought for themselves.

use std::num::NonZeroU32;
use std::sync::Arc;

use kms_portal_rules::rights::AdminRole;
use kms_portal_rules::seats::{IfNotAll, SeatChange};
use kms_portal_rules::{PersonId, SubscriptionId};
use kms_portal_texts::Language;
use shared::ids::OrganisationId;
use shared::product_key::{KeyKind, ProductKey};
use tokio::task::JoinSet;

use super::people::{offer, wanted};
use super::world::{DAY, HOUR, ORGANISATION, PRODUCT, World};
use crate::db::{
    Assignment, KeysNotIssued, Letter, LinkPurpose, NewLink, NewSubscriptionKey, PeopleUnchanged,
    RedeemedKey, Redeemer,
};
use crate::token::{LinkToken, TokenDigest};

impl World {
    /// A key of the offer `basic`.
    pub async fn basic_key(&self, seats: u32) -> ProductKey {
        let key = self.draw_key(KeyKind::Subscription, PRODUCT);
        self.issues(&key, "basic", seats).await.unwrap();
        key
    }

    async fn issues(&self, key: &ProductKey, of: &str, seats: u32) -> Result<(), KeysNotIssued> {
        let (number, mac, term) = (key.number(), self.mac(key), DAY * 365);
        let seats = NonZeroU32::new(seats).unwrap();
        let new = NewSubscriptionKey { number, mac, offer: offer(of), seats, term };
        self.db.issue_subscription_keys(vec![new], self.by("boxes")).await.unwrap()
    }

    async fn redeems_for(
        &self,
        key: &ProductKey,
        redeemer: Redeemer,
    ) -> Result<RedeemedKey, PeopleUnchanged> {
        let id = SubscriptionId::from_bytes(self.draw());
        self.db.redeem_key(self.mac(key), redeemer, id, self.staff()).await.unwrap()
    }

    /// A person redeems a key for themselves.
    async fn redeems(&self, key: &ProductKey, person: PersonId) -> Result<RedeemedKey, PeopleUnchanged> {
        self.redeems_for(key, Redeemer::Oneself(person, OrganisationId::from_bytes(self.draw()))).await
    }

    /// A person shares a subscription with whoever has this address.
    async fn shares(
        &self,
        owner: PersonId,
        id: SubscriptionId,
        to: &str,
    ) -> Result<TokenDigest, PeopleUnchanged> {
        let address = kms_portal_rules::addresses::Address::new(to).unwrap();
        let (digest, purpose) = (LinkToken::draw().digest(), LinkPurpose::Share);
        let link = NewLink { digest, purpose, person: None, address, ends_at: self.now + HOUR };
        let letter = Letter { language: Language::English, subject: "shared".into(), body: "..".into() };
        let shared = self.db.share_subscription(owner, id, (link, letter), self.now).await.unwrap();
        shared.map(|()| digest)
    }

    async fn accepts(&self, link: TokenDigest, person: PersonId) -> Result<(), PeopleUnchanged> {
        self.db.accept_share(link, self.person(person), person).await.unwrap()
    }

    async fn seats_of(&self, person: PersonId) -> Vec<(bool, bool, usize)> {
        let found = self.db.personal_subscriptions(person).await.unwrap();
        found.iter().map(|one| (one.is_owner, one.has_seat, one.people.len())).collect()
    }
}

pub async fn of_twenty_who_redeem_a_key_at_once_one_does_and_sees_it_again(world: World) {
    world.shop().await;
    let (key, mut people) = (world.basic_key(5).await, Vec::new());
    for number in 0..20 {
        people.push(world.registered(&format!("p{number}@example.com")).await);
    }
    let (world, mut redeeming) = (Arc::new(world), JoinSet::new());
    for person in people {
        let (world, key) = (Arc::clone(&world), key.clone());
        redeeming.spawn(async move { (person, world.redeems(&key, person).await) });
    }
    let done = redeeming.join_all().await;
    let (winners, others): (Vec<_>, Vec<_>) = done.into_iter().partition(|(_, redeemed)| redeemed.is_ok());
    let [(winner, Ok(first))] = winners.as_slice() else { panic!("{winners:?}") };
    assert!(others.iter().all(|(_, redeemed)| *redeemed == Err(PeopleUnchanged::KeyRedeemed)), "{others:?}");
    assert_eq!((first.again, first.subscription.life.ends_at), (false, world.now + DAY * 365));
    let again = world.redeems(&key, *winner).await.unwrap();
    assert_eq!((again.again, &again.subscription), (true, &first.subscription));
    assert_eq!(world.seats_of(*winner).await, [(true, true, 1)], "whoever has bought it has the first seat");
    assert_eq!(world.seats_of(others[0].0).await, []);
    assert!(world.db.organisations().await.unwrap().iter().all(|one| one.id == ORGANISATION));
}

pub async fn only_who_buys_for_an_organisation_redeems_its_key(world: World) {
    world.shop().await;
    let billing = world.employee("bill@example.com", &[AdminRole::Billing]).await;
    let users = world.employee("ute@example.com", &[AdminRole::UserAccess]).await;
    let key = world.basic_key(3).await;
    let redeem = async |person| {
        let (id, mac) = (SubscriptionId::from_bytes(world.draw()), world.mac(&key));
        world
            .db
            .redeem_key(mac, Redeemer::Organisation(ORGANISATION), id, world.person(person))
            .await
            .unwrap()
    };
    let refused = redeem(users).await;
    assert!(matches!(refused, Err(PeopleUnchanged::Forbidden(_))), "{refused:?}");
    assert!(!redeem(billing).await.unwrap().again);
    assert!(redeem(billing).await.unwrap().again);
    assert_eq!(world.db.subscriptions(ORGANISATION).await.unwrap().len(), 1);
}

pub async fn a_key_that_is_unknown_or_blocked_begins_nothing(world: World) {
    world.shop().await;
    let (ann, key) = (world.registered("ann@example.com").await, world.basic_key(1).await);
    let unknown = world.draw_key(KeyKind::Subscription, PRODUCT);
    assert_eq!(world.redeems(&unknown, ann).await, Err(PeopleUnchanged::UnknownKey));
    assert_eq!(world.issues(&unknown, "nothing", 1).await, Err(KeysNotIssued::UnknownOffer));
    assert_eq!(world.issues(&key, "basic", 1).await, Err(KeysNotIssued::NumberTaken));
    assert!(world.db.block_subscription_key(key.number(), world.by("stolen")).await.unwrap());
    assert_eq!(world.redeems(&key, ann).await, Err(PeopleUnchanged::KeyBlocked));
    let other = world.basic_key(1).await;
    world.redeems(&other, ann).await.unwrap();
    assert!(!world.db.block_subscription_key(other.number(), world.by("late")).await.unwrap());
}

pub async fn a_subscription_is_shared_with_as_many_as_it_has_seats(world: World) {
    world.shop().await;
    let (ann, bob) = (world.registered("ann@example.com").await, world.registered("bob@example.com").await);
    let (carl, work) =
        (world.registered("carl@example.com").await, world.employee("dora@example.com", &[]).await);
    let id = world.redeems(&world.basic_key(2).await, ann).await.unwrap().subscription.id;
    assert_eq!(world.shares(bob, id, "carl@example.com").await, Err(PeopleUnchanged::UnknownSubscription));
    let [one, other] =
        [world.shares(ann, id, "bob@example.com").await, world.shares(ann, id, "c@x.example").await];
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(world.db.shared_by(one).await.unwrap(), Some(("basic".into(), "Ann".into())));
    assert_eq!(world.accepts(one, work).await, Err(PeopleUnchanged::ForPersonalAccounts));
    assert_eq!(world.accepts(one, ann).await, Err(PeopleUnchanged::HasItAlready));
    world.accepts(one, bob).await.unwrap();
    assert_eq!(world.accepts(one, carl).await, Err(PeopleUnchanged::LinkEnded));
    assert_eq!(world.accepts(other, carl).await, Err(PeopleUnchanged::NoSeat));
    assert_eq!(world.seats_of(carl).await, []);
    assert_eq!(
        (world.seats_of(ann).await, world.seats_of(bob).await),
        (vec![(true, true, 2)], vec![(false, true, 0)])
    );
    let end = async |person, by| world.db.end_share(id, person, world.person(by), by).await.unwrap();
    assert_eq!(end(bob, carl).await, Err(PeopleUnchanged::UnknownSubscription));
    assert_eq!(
        end(ann, bob).await,
        Err(PeopleUnchanged::UnknownSubscription),
        "only the owner ends another's"
    );
    end(bob, bob).await.unwrap();
    assert_eq!(world.seats_of(bob).await, []);
    world.accepts(other, carl).await.unwrap();
    end(carl, ann).await.unwrap();
    assert_eq!(world.seats_of(ann).await, [(true, true, 1)]);
}

pub async fn a_deleted_account_gives_its_shared_seats_back(world: World) {
    world.shop().await;
    let (ann, bob) = (world.registered("ann@example.com").await, world.registered("bob@example.com").await);
    let id = world.redeems(&world.basic_key(2).await, ann).await.unwrap().subscription.id;
    let link = world.shares(ann, id, "bob@example.com").await.unwrap();
    world.accepts(link, bob).await.unwrap();
    let letter = Letter { language: Language::English, subject: "deleted".into(), body: "..".into() };
    world.db.deactivate(bob, letter, world.now).await.unwrap().unwrap();
    assert_eq!(world.seats_of(ann).await, [(true, true, 1)]);
    let carl = world.registered("carl@example.com").await;
    let link = world.shares(ann, id, "carl@example.com").await.unwrap();
    world.accepts(link, carl).await.unwrap();
}

/// An owner acts in their household as a general administrator does, and nowhere else.
pub async fn a_household_is_nobody_elses(world: World) {
    world.shop().await;
    let ann = world.registered("ann@example.com").await;
    let general = world.employee("gina@example.com", &[AdminRole::General]).await;
    let sold = world.redeems(&world.basic_key(2).await, ann).await.unwrap().subscription;
    let assign = async |organisation, person, actor| {
        let (people, change) = (vec![person], SeatChange::Add(wanted(&["basic"])));
        let (if_not_all, dry_run, actor) = (IfNotAll::Nobody, true, world.person(actor));
        let asked = Assignment { organisation, people, change, if_not_all, dry_run, actor };
        world.db.assign(asked).await.unwrap().map(|_| ())
    };
    assert_eq!(assign(sold.organisation, ann, ann).await, Ok(()));
    assert_eq!(assign(sold.organisation, ann, general).await, Err(PeopleUnchanged::UnknownOrganisation));
    assert_eq!(assign(ORGANISATION, general, ann).await, Err(PeopleUnchanged::UnknownOrganisation));
    assert_eq!(assign(sold.organisation, general, ann).await, Err(PeopleUnchanged::UnknownPerson));
}
