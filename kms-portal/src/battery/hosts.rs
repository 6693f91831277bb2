//! What a host key gives.

use std::num::NonZeroU32;
use std::time::Duration;

use kms_portal_rules::keys::KeyRefusal;
use kms_portal_rules::keys::granted::Granted;
use shared::features::Features;
use shared::policy::Policy;
use shared::product_key::KeyKind;

use super::world::{DAY, MS, ORGANISATION, PRODUCT, START, TEST_PRODUCT, World, YEAR, told_host};

pub async fn six_hosts_are_activated_ten_times_each(world: World) {
    let key = world.host_key(PRODUCT).await;
    for number in 1..=6 {
        let mut host = world.host();
        for activation in 1..=10 {
            host.asked = world.asked();
            let told = told_host(&world.activate(&key, &host).await);
            assert_eq!(told, format!("host {number} of 6, activation {activation} of 10"));
        }
        host.asked = world.asked();
        let told = told_host(&world.activate(&key, &host).await);
        assert_eq!(told, "this host was activated 10 times, as often as the key allows");
    }
    let told = told_host(&world.activate(&key, &world.host()).await);
    assert_eq!(told, "all 6 hosts of the key are activated");
    let hosts = world.db.hosts(key.number()).await.unwrap();
    assert!(hosts.iter().map(|host| host.activated.host).eq(1..=6));
    assert!(hosts.iter().all(|host| host.activated.activations == 10));
}

pub async fn a_lost_answer_is_given_again_and_costs_nothing(mut world: World) {
    let key = world.host_key(PRODUCT).await;
    let mut host = world.host();
    let first = world.activate(&key, &host).await.unwrap();
    world.now = world.now + DAY;
    let again = world.activate(&key, &host).await;
    assert_eq!(told_host(&again), "host 1 of 6, activation 1 of 10, again");
    assert_eq!(again.unwrap().chain, first.chain);
    let lost = std::mem::replace(&mut host.asked, world.asked());
    assert_eq!(told_host(&world.activate(&key, &host).await), "host 1 of 6, activation 2 of 10");
    // An earlier ask is still answered as it was.
    host.asked = lost;
    assert_eq!(world.activate(&key, &host).await.unwrap().chain, first.chain);
}

pub async fn a_recorded_ask_of_a_host_gets_nothing(world: World) {
    let key = world.host_key(PRODUCT).await;
    let mut host = world.host();
    // It was made first, and did not arrive.
    let mut recorded = host.clone();
    recorded.asked = world.asked();
    host.asked = world.asked();
    world.activate(&key, &host).await.unwrap();
    assert_eq!(world.activate(&key, &recorded).await.unwrap_err(), KeyRefusal::Replayed);
    assert_eq!(world.renew(&recorded).await.unwrap_err(), KeyRefusal::Replayed);
    recorded.asked = world.asked();
    world.renew(&recorded).await.unwrap();
    host.asked = world.asked();
    world.renew(&host).await.unwrap();
    assert_eq!(world.renew(&recorded).await.unwrap_err(), KeyRefusal::Replayed, "an earlier renewal");
    let hosts = world.db.hosts(key.number()).await.unwrap();
    assert_eq!(hosts[0].activated.activations, 1);
}

pub async fn a_renewal_costs_nothing_and_only_the_latest_is_given_again(mut world: World) {
    let key = world.host_key(PRODUCT).await;
    let mut host = world.host();
    world.activate(&key, &host).await.unwrap();
    let mut chains = Vec::new();
    for _ in 0..12 {
        world.now = world.now + 30 * DAY;
        host.asked = world.asked();
        let renewed = world.renew(&host).await;
        assert_eq!(told_host(&renewed), "host 1 of 6, activation 1 of 10");
        let renewed = renewed.unwrap();
        assert_eq!(world.chain(&renewed).host().not_after, world.now + YEAR);
        let again = world.renew(&host).await;
        assert_eq!(told_host(&again), "host 1 of 6, activation 1 of 10, again");
        assert_eq!(again.unwrap().chain, renewed.chain);
        chains.push(renewed.chain);
    }
    chains.dedup();
    assert_eq!(chains.len(), 12);
}

pub async fn a_host_that_was_never_activated_is_not_renewed(world: World) {
    let host = world.host();
    assert_eq!(told_host(&world.renew(&host).await), "it was not activated here");
    // Nor is one of another product.
    let key = world.host_key(TEST_PRODUCT).await;
    world.activate(&key, &host).await.unwrap();
    assert_eq!(told_host(&world.renew(&host).await), "it was not activated here");
    // A key for machines activates no host.
    let machines = world.machine_key(5).await;
    assert_eq!(world.activate(&machines, &host).await.unwrap_err(), KeyRefusal::Unknown);
}

/// A host whose customer had lost the key, and got another one, ended within the year of the block.
pub async fn a_blocked_key_activates_nobody_and_renews_who_is_there_until_its_end(mut world: World) {
    let key = world.draw_key(KeyKind::Host, PRODUCT);
    let mut new = world.new_key(&key, PRODUCT, Granted::HOST);
    new.ends_at = Some(START + 100 * DAY);
    world.issue(new).await.unwrap();
    let mut host = world.host();
    let activated = world.activate(&key, &host).await.unwrap();
    assert_eq!(world.chain(&activated).host().not_after, START + 100 * DAY, "as long as the key");
    world.db.block_key(key.number(), world.by("refunded")).await.unwrap().unwrap();
    assert_eq!(world.activate(&key, &host).await.unwrap_err(), KeyRefusal::Blocked);
    host.asked = world.asked();
    assert_eq!(told_host(&world.renew(&host).await), "host 1 of 6, activation 1 of 10");
    world.db.unblock_key(key.number(), world.by("paid again")).await.unwrap().unwrap();
    world.now = START + 100 * DAY - MS;
    host.asked = world.asked();
    assert_eq!(told_host(&world.renew(&host).await), "host 1 of 6, activation 1 of 10");
    world.now = START + 100 * DAY;
    let ended = KeyRefusal::Ended { ends_at: START + 100 * DAY };
    assert_eq!(world.renew(&host).await.unwrap_err(), ended);
    assert_eq!(world.activate(&key, &host).await.unwrap_err(), ended);
}

pub async fn the_certificate_has_what_was_sold(world: World) {
    let key = world.draw_key(KeyKind::Host, PRODUCT);
    let mut new = world.new_key(&key, PRODUCT, Granted::HOST);
    new.seats = NonZeroU32::new(300);
    new.features = Some(Features::new(["3d", "cloud"]).unwrap());
    world.issue(new).await.unwrap();
    let mut host = world.host();
    let first = world.activate(&key, &host).await.unwrap();
    let first = world.chain(&first);
    assert_eq!(first.host().signing_key, host.identity.public());
    assert_eq!((first.host().product_name.as_str(), first.host().organisation), ("Atlas", ORGANISATION));
    assert_eq!((first.host().seats, first.host().policy), (NonZeroU32::new(300), Policy::CLIENT));
    assert_eq!(first.host().features.to_string(), "3d, cloud");
    // A small site has a lower threshold from its next certificate on.
    let small = Policy { threshold: 7, ..Policy::CLIENT };
    let set = |policy| world.db.set_numbers(PRODUCT, ORGANISATION, policy, world.by("a small site"));
    set(Some(small)).await.unwrap().unwrap();
    host.asked = world.asked();
    let second = world.activate(&key, &host).await.unwrap();
    assert_eq!(world.chain(&second).host().policy.threshold, 7);
    set(None).await.unwrap().unwrap();
    host.asked = world.asked();
    let third = world.renew(&host).await.unwrap();
    assert_eq!(world.chain(&third).host().policy.threshold, 25);
}

pub async fn odd_hours_are_for_test_products(world: World) {
    let mut host = world.host();
    host.hour_width = Duration::from_millis(100);
    let key = world.host_key(PRODUCT).await;
    assert_eq!(world.activate(&key, &host).await.unwrap_err(), KeyRefusal::HourWidth);
    assert_eq!(world.key(&key).await.taken.hosts, 0);
    let key = world.host_key(TEST_PRODUCT).await;
    assert!(world.chain(&world.activate(&key, &host).await.unwrap()).host().test);
}

pub async fn a_host_with_two_keys_is_renewed_by_the_one_that_is_valid(mut world: World) {
    let (old, new) = (world.host_key(PRODUCT).await, world.host_key(PRODUCT).await);
    let mut host = world.host();
    world.activate(&old, &host).await.unwrap();
    world.now = world.now + DAY;
    world.activate(&new, &host).await.unwrap();
    host.asked = world.asked();
    assert_eq!(world.renew(&host).await.unwrap().key, new.number(), "the latest");
    world.db.block_key(new.number(), world.by("refunded")).await.unwrap().unwrap();
    host.asked = world.asked();
    assert_eq!(world.renew(&host).await.unwrap().key, old.number());
    world.db.block_key(old.number(), world.by("refunded")).await.unwrap().unwrap();
    host.asked = world.asked();
    assert!(world.renew(&host).await.is_ok(), "no block takes anything");
}
