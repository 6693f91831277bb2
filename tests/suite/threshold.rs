//! The threshold: who is counted, when leases begin, and what never counts twice. `docs/protocol.md` 4.

use kms_client::{Outcome, Waited};
use shared::answer::Verdict;
use shared::policy::Policy;
use tokio::task::JoinSet;
use world::asker::{Asker, wire};
use world::shop::ORGANISATION;

use crate::stage::{Stage, YEAR, an_hour_ago, answered, machines_of, now, serve};

#[tokio::test]
async fn the_24th_machine_waits_and_the_25th_is_leased() {
    let stage = Stage::with_threshold(25);
    let host = stage.host("host").await;
    let mut wire = wire(host.address()).unwrap();
    for number in 1..=23 {
        let answer = Asker::new(&stage.shop).unwrap().ask(&mut wire, now()).await.unwrap();
        assert!(matches!(answer, Verdict::Waiting(waiting) if waiting.count == number));
    }

    let [before, after] = ["the 24th", "the 25th"].map(|name| stage.machine(name, &[host.address()]));
    let waits = before.activate().await.unwrap();
    assert_eq!(waits.outcome, Outcome::Waiting(Waited::new(24, 25)));
    assert!(!before.state().is_licensed());
    let leased = after.activate().await.unwrap();
    assert!(matches!(leased.outcome, Outcome::Leased { .. }), "{leased:?}");
    assert!(after.state().is_licensed());

    // Nothing is pushed: the one that waited asks again.
    assert!(matches!(before.activate().await.unwrap().outcome, Outcome::Leased { .. }));
    assert_eq!(host.count().await.unwrap(), 25);
}

#[tokio::test]
async fn of_25_that_ask_at_once_all_are_counted_and_one_is_leased() {
    let stage = Stage::with_threshold(25);
    let host = stage.host("host").await;
    let wire = wire(host.address()).unwrap();
    let asks = (0..25).map(|_| {
        let (mut asker, mut wire) = (Asker::new(&stage.shop).unwrap(), wire.clone());
        async move { asker.ask(&mut wire, now()).await.unwrap() }
    });
    let answers = asks.collect::<JoinSet<_>>().join_all().await;

    let mut seen: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Verdict::Waiting(waiting) => waiting.count,
            Verdict::Leased(lease) => lease.count(),
            other => panic!("{other:?}"),
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (1..=25).collect::<Vec<_>>(), "each sees those before it, and itself");
    let leased = answers.iter().filter(|answer| matches!(answer, Verdict::Leased(_))).count();
    assert_eq!(leased, 1, "in order of arrival the 25th alone sees 25");
    assert_eq!(host.count().await.unwrap(), 25);
}

#[tokio::test]
async fn the_same_machine_twice_counts_once() {
    let stage = Stage::with_threshold(2);
    let host = stage.host("host").await;
    let machine = stage.machine("machine", &[host.address()]);
    for _ in 0..2 {
        let round = machine.activate().await.unwrap();
        assert_eq!(round.outcome, Outcome::Waiting(Waited::new(1, 2)));
    }
    assert_eq!(host.count().await.unwrap(), 1);
    assert_eq!(machines_of(&host).await.len(), 1);
}

#[tokio::test]
async fn two_products_on_one_host_are_counted_apart() {
    let stage = Stage::with_threshold(2);
    let other = stage.shop.another_product("Borealis", Policy { threshold: 3, ..Policy::CLIENT }).unwrap();
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    other.certify(&home, ORGANISATION, an_hour_ago(), YEAR).unwrap();
    let host = serve(&home).await;
    let mut wire = wire(host.address()).unwrap();
    for shop in [&stage.shop, &stage.shop, &other, &other] {
        Asker::new(shop).unwrap().ask(&mut wire, now()).await.unwrap();
    }

    let status = host.status().await.unwrap();
    let mut counts: Vec<_> =
        status.products.iter().map(|product| (product.name.as_str(), product.count)).collect();
    counts.sort_unstable();
    assert_eq!(counts, [("Atlas", 2), ("Borealis", 2)]);
    // Two of two are enough, two of three are not; four machines are no four of either.
    assert_eq!((answered(&host, "LEASE").await, answered(&host, "WAITING").await), (1, 3));
}
