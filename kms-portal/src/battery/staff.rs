//! What the vendor's staff changes and sees.

use kms_portal_rules::keys::granted::{GRANTED_MAX, Granted, NotGrantable, Quota, Unfit};
use shared::ids::{OrganisationId, ProductId};
use shared::policy::Policy;
use shared::product_key::{KeyKind, ProductTag};

use super::world::{ORGANISATION, OTHER_PRODUCT, PRODUCT, World};
use crate::db::{KeyFilter, KeyUnchanged, NewKey, NotCatalogued, Organisation, Product};

pub async fn a_key_has_one_number(world: World) {
    let key = world.machine_key(3).await;
    let again = world.new_key(&key, PRODUCT, Granted::machines(99));
    assert_eq!(world.issue(again).await, Err(KeyUnchanged::NumberTaken));
    // Another key with the same number.
    let mut other = world.new_key(&world.draw_key(KeyKind::Host, PRODUCT), PRODUCT, Granted::HOST);
    other.number = key.number();
    assert_eq!(world.issue(other).await, Err(KeyUnchanged::NumberTaken));
    let shown = world.key(&key).await;
    assert_eq!(shown.granted, Granted::machines(3));
    assert_eq!((shown.last_group, shown.kind), (key.last_group(), KeyKind::MultipleActivation));
}

pub async fn what_is_unknown_is_named(world: World) {
    let key = world.draw_key(KeyKind::MultipleActivation, PRODUCT);
    let new = world.new_key(&key, PRODUCT, Granted::machines(3));
    let mut other = new.clone();
    other.product = ProductId::from_bytes([99; 16]);
    assert_eq!(world.issue(other).await, Err(KeyUnchanged::UnknownProduct));
    let mut other = new.clone();
    other.organisation = OrganisationId::from_bytes([99; 16]);
    assert_eq!(world.issue(other).await, Err(KeyUnchanged::UnknownOrganisation));
    let too_many = Granted::machines(GRANTED_MAX + 1);
    let refused = world.issue(world.new_key(&key, PRODUCT, too_many)).await;
    assert!(matches!(refused, Err(KeyUnchanged::NotGrantable(NotGrantable { quota: Quota::Machines, .. }))));
    assert_eq!(world.db.key(key.number(), world.now).await.unwrap(), None, "nothing was issued");
    assert_eq!(world.raise(&key, Quota::Machines, 1).await, Err(KeyUnchanged::UnknownKey));
    let blocked = world.db.block_key(key.number(), world.by("")).await.unwrap();
    assert_eq!(blocked, Err(KeyUnchanged::UnknownKey));
    let set = |product, organisation| {
        world.db.set_numbers(product, organisation, Some(Policy::SERVER), world.by(""))
    };
    let unknown = ProductId::from_bytes([99; 16]);
    assert_eq!(set(unknown, ORGANISATION).await.unwrap(), Err(NotCatalogued::UnknownProduct));
    let unknown = OrganisationId::from_bytes([99; 16]);
    assert_eq!(set(PRODUCT, unknown).await.unwrap(), Err(NotCatalogued::UnknownOrganisation));
    world.issue(new).await.unwrap();
}

pub async fn names_and_tags_are_given_once(world: World) {
    let product = |id, name: &str| {
        let features = shared::features::Features::NONE;
        let product = Product { id, name: name.into(), test: false, policy: Policy::SERVER, features };
        world.db.set_product(product, world.by("new"))
    };
    let new = ProductId::from_bytes([50; 16]);
    assert_eq!(product(new, "Atlas").await.unwrap(), Err(NotCatalogued::NameTaken));
    // Of 32,768 tags one is the same before long.
    let same_tag = (0..u128::MAX)
        .map(|number| ProductId::from_bytes(number.to_be_bytes()))
        .find(|id| ProductTag::of(*id) == ProductTag::of(PRODUCT));
    assert_eq!(product(same_tag.unwrap(), "Draco").await.unwrap(), Err(NotCatalogued::TagTaken));
    product(new, "Draco").await.unwrap().unwrap();
    product(PRODUCT, "Atlas 2").await.unwrap().unwrap();
    let names: Vec<_> = world.db.products().await.unwrap().into_iter().map(|product| product.name).collect();
    assert_eq!(names, ["Atlas 2", "Borealis", "Corona", "Draco"]);
    let organisation =
        |id, name: &str| world.db.set_organisation(Organisation { id, name: name.into() }, world.by("new"));
    let new = OrganisationId::from_bytes([50; 16]);
    assert_eq!(organisation(new, "Example Works").await.unwrap(), Err(NotCatalogued::NameTaken));
    organisation(ORGANISATION, "Example Works Ltd").await.unwrap().unwrap();
    organisation(new, "Example Works").await.unwrap().unwrap();
    let names: Vec<_> = world.db.organisations().await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["Example Works", "Example Works Ltd"]);
}

pub async fn keys_are_listed_page_by_page(world: World) {
    let mut numbers = Vec::new();
    for product in [PRODUCT, PRODUCT, OTHER_PRODUCT, PRODUCT] {
        numbers.push(world.host_key(product).await.number());
    }
    let other = numbers[2];
    numbers.sort();
    let list = |filter, limit| world.db.keys(filter, limit, world.now);
    let first = list(KeyFilter::default(), 3).await.unwrap();
    let after = first.last().map(|key| key.number);
    let second = list(KeyFilter { after, ..KeyFilter::default() }, 3).await.unwrap();
    let listed: Vec<_> = first.iter().chain(&second).map(|key| key.number).collect();
    assert_eq!(listed, numbers);
    let filter = KeyFilter { product: Some(OTHER_PRODUCT), ..KeyFilter::default() };
    let listed = list(filter, 3).await.unwrap();
    assert_eq!(listed.iter().map(|key| key.number).collect::<Vec<_>>(), [other]);
    assert_eq!(listed[0].product_name, "Borealis");
    let nobody = Some(OrganisationId::from_bytes([99; 16]));
    assert!(list(KeyFilter { organisation: nobody, ..KeyFilter::default() }, 3).await.unwrap().is_empty());
}

pub async fn an_order_is_answered_once_and_whole_or_not_at_all(world: World) {
    let new = || world.new_key(&world.draw_key(KeyKind::Host, PRODUCT), PRODUCT, Granted::HOST);
    let issue = async |keys, order: &str| {
        world.db.issue_keys(keys, None, order.to_owned(), world.by("sold")).await.unwrap()
    };
    let listed = async |order: &str| {
        let filter = KeyFilter { order: Some(order.to_owned()), ..KeyFilter::default() };
        world.db.keys(filter, 10, world.now).await.unwrap().len()
    };
    let taken = new();
    issue(vec![taken.clone()], "").await.unwrap();
    let before = world.db.verify_changes().await.unwrap().changes;
    assert_eq!(issue(vec![new(), taken], "4711").await, Err(KeyUnchanged::NumberTaken));
    let mut too_much = new();
    too_much.granted.hosts = GRANTED_MAX + 1;
    assert!(matches!(issue(vec![new(), too_much], "4711").await, Err(KeyUnchanged::NotGrantable(_))));
    assert_eq!(listed("4711").await, 0, "not a part of it");
    assert_eq!(world.db.verify_changes().await.unwrap().changes, before);
    issue(vec![new(), new(), new()], "4711").await.unwrap();
    assert_eq!(issue(vec![new()], "4711").await, Err(KeyUnchanged::OrderAnswered));
    assert_eq!(listed("4711").await, 3);
    issue(vec![new()], "4712").await.unwrap();
    issue(vec![new()], "").await.unwrap();
    assert_eq!((listed("4712").await, listed("").await), (1, 6), "without an order, all are listed");
}

/// A refused order has left its organisation behind, under the name that somebody had mistyped.
pub async fn a_refused_order_adds_no_organisation(world: World) {
    let buyer = Organisation { id: OrganisationId::from_bytes([50; 16]), name: "Other Works".into() };
    let new = || {
        let new = world.new_key(&world.draw_key(KeyKind::Host, PRODUCT), PRODUCT, Granted::HOST);
        NewKey { organisation: buyer.id, ..new }
    };
    let issue = async |key, organisation: Option<&Organisation>, order: &str| {
        let (organisation, order) = (organisation.cloned(), order.to_owned());
        world.db.issue_keys(vec![key], organisation, order, world.by("sold")).await.unwrap()
    };
    let known = async || world.db.organisations().await.unwrap().len();
    world.db.issue_keys(Vec::new(), None, "4711".into(), world.by("sold")).await.unwrap().unwrap();
    assert_eq!(issue(new(), Some(&buyer), "4711").await, Err(KeyUnchanged::OrderAnswered));
    let mut nothing = new();
    nothing.granted.hosts = 0;
    assert!(matches!(issue(nothing, Some(&buyer), "4712").await, Err(KeyUnchanged::Unfit(_))));
    assert_eq!(issue(new(), None, "4712").await, Err(KeyUnchanged::UnknownOrganisation));
    assert_eq!(known().await, 1);
    issue(new(), Some(&buyer), "4712").await.unwrap();
    assert_eq!(issue(new(), Some(&buyer), "4713").await, Err(KeyUnchanged::OrganisationKnown));
    issue(new(), None, "4713").await.unwrap();
    assert_eq!(known().await, 2);
}

pub async fn what_was_granted_is_told_with_who_and_why(world: World) {
    let key = world.machine_key(3).await;
    world.raise(&key, Quota::Machines, 10).await.unwrap();
    let refused = NotGrantable { quota: Quota::Machines, granted: 13, more: -14 };
    assert_eq!(world.raise(&key, Quota::Machines, -14).await, Err(KeyUnchanged::NotGrantable(refused)));
    // A quota of the other kind was printed, and nothing ever asked for it.
    let other = Unfit::OtherKind { quota: Quota::Hosts, kind: KeyKind::MultipleActivation.name() };
    assert_eq!(world.raise(&key, Quota::Hosts, 5).await, Err(KeyUnchanged::Unfit(other)));
    world.raise(&key, Quota::Machines, -3).await.unwrap();
    let raises = world.db.raises(key.number()).await.unwrap();
    let told: Vec<_> = raises
        .iter()
        .map(|raise| format!("{} {:+} {} {}", raise.quota.name(), raise.more, raise.by.who, raise.by.why))
        .collect();
    assert_eq!(
        told,
        [
            "machines +3 ann order 1",
            "releases +5 ann order 1",
            "machines +10 ann bought more",
            "machines -3 ann bought more",
        ]
    );
    assert_eq!(world.key(&key).await.granted.machines, 10);
}

pub async fn every_change_is_noted(world: World) {
    let key = world.host_key(PRODUCT).await;
    world.raise(&key, Quota::Hosts, 1).await.unwrap();
    world.db.block_key(key.number(), world.by("stolen")).await.unwrap().unwrap();
    let changes = world.db.changes(None, 3).await.unwrap();
    let number = key.number().to_string();
    let told: Vec<_> = changes.iter().map(|change| (change.what.as_str(), change.subject.as_str())).collect();
    assert_eq!(told, [("block", &*number), ("raise", &*number), ("issue", &*number)]);
    assert_eq!((changes[0].by.who.as_str(), changes[0].by.why.as_str()), ("ann", "stolen"));
    let earlier = world.db.changes(Some(changes[2].number), 10).await.unwrap();
    let told: Vec<_> = earlier.iter().map(|change| change.subject.as_str()).collect();
    assert_eq!(told, ["Example Works", "Corona", "Borealis", "Atlas"]);
}
