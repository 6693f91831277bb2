//! Many at once: whatever the order, no more than was granted is acknowledged.

use kms_portal_rules::keys::KeyRefusal;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::world::{Machine, PRODUCT, World, told_host};
use crate::db::{Db, ListedPlace};

pub async fn of_300_machines_at_once_150_get_the_150_places(world: World) {
    let db = world.db.clone();
    crowd(world, &[db], 300, 150).await;
}

/// So many machines ask these portals at once for the places of one key, and each asks twice, because its answer was late.
pub async fn crowd(world: World, portals: &[Db], machines: usize, places: u64) {
    let world = Arc::new(world);
    let mut portals = portals.iter().cycle().cloned();
    let key = Arc::new(world.machine_key(places).await);
    let asks = (0..machines).flat_map(|_| {
        let machine = world.machine();
        [machine.clone(), machine]
    });
    let answers = at_once(asks, |machine: Machine| {
        let ask = world.activation(&key, &machine);
        let portal = portals.next().unwrap();
        async move { (machine.identity.public().machine(), portal.activate_machine(ask).await.unwrap()) }
    });
    let mut confirmed = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for (machine, answer) in answers.await {
        match answer {
            Ok(answer) => {
                assert!(answer.used <= places);
                confirmed.insert(machine);
            }
            Err(error) => {
                assert_eq!(error, KeyRefusal::Exhausted { used: places, granted: places });
                refused.insert(machine);
            }
        }
    }
    assert_eq!(confirmed.len() as u64, places);
    assert!(confirmed.is_disjoint(&refused), "nobody is told both");
    assert_eq!(confirmed.len() + refused.len(), machines);
    let listed = world.db.places(key.number(), None, u32::MAX).await.unwrap();
    let listed: BTreeSet<_> =
        listed.iter().filter_map(ListedPlace::online).map(|place| place.holder.machine).collect();
    assert_eq!(listed, confirmed);
}

pub async fn one_machine_that_asks_50_times_at_once_has_one_place(world: World) {
    let world = Arc::new(world);
    let key = Arc::new(world.machine_key(10).await);
    let machine = world.machine();
    let answers = at_once(0..50, |_| {
        let (world, key, machine) = (Arc::clone(&world), Arc::clone(&key), machine.clone());
        async move { world.confirm(&key, &machine).await.unwrap().confirmation }
    });
    let confirmations: BTreeSet<_> = answers.await.into_iter().collect();
    assert_eq!(confirmations.len(), 1, "all got the same bytes");
    assert_eq!(world.used(&key).await, 1);
}

pub async fn machines_that_leave_and_come_at_once_never_are_more_than_granted(world: World) {
    let world = Arc::new(world);
    let key = Arc::new(world.machine_key(60).await);
    let left = at_once(0..60, |_| {
        let (world, key) = (Arc::clone(&world), Arc::clone(&key));
        async move {
            let mut machine = world.machine();
            assert!(world.ask(&key, &machine).await.starts_with("new, "));
            world.leave_anew(&key, &mut machine).await.starts_with("left, ")
        }
    });
    let left = left.await.into_iter().filter(|left| *left).count() as u64;
    assert_eq!(left, 6, "a tenth may leave in a year");
    assert_eq!(world.used(&key).await, 60 - left);
    let come = at_once(0..20, |_| {
        let (world, key) = (Arc::clone(&world), Arc::clone(&key));
        async move { world.confirm(&key, &world.machine()).await.is_ok() }
    });
    assert_eq!(come.await.into_iter().filter(|came| *came).count(), 6);
    assert_eq!(world.used(&key).await, 60);
}

pub async fn of_20_hosts_at_once_6_are_activated(world: World) {
    let world = Arc::new(world);
    let key = Arc::new(world.host_key(PRODUCT).await);
    let answers = at_once(0..20, |_| {
        let (world, key) = (Arc::clone(&world), Arc::clone(&key));
        async move { told_host(&world.activate(&key, &world.host()).await) }
    });
    let answers = answers.await;
    let (refused, activated): (Vec<_>, BTreeSet<_>) = {
        let (refused, activated): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|told| told == "all 6 hosts of the key are activated");
        (refused, activated.into_iter().collect())
    };
    assert_eq!(refused.len(), 14);
    assert!(activated.into_iter().eq((1..=6).map(|host| format!("host {host} of 6, activation 1 of 10"))));
}

/// Does this for each of them, all at once.
async fn at_once<T, F: Future<Output: Send + 'static> + Send + 'static>(
    all: impl IntoIterator<Item = T>,
    act: impl FnMut(T) -> F,
) -> Vec<F::Output> {
    all.into_iter().map(act).collect::<JoinSet<_>>().join_all().await
}
