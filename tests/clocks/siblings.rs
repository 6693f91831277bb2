//! Two hosts of one organisation, each with a ledger of its own, and a machine that goes from one to the other.
//!
//! The serial grows across both, so neither takes the machine for a copy, whatever answers are lost.
//! `docs/protocol.md` 3.

use kms_client::Outcome;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use world::{Fate, Proxy};

use crate::world::{HOUR, World, answered, ask, count, expect_lease, refusals, state};

/// So many seeds, unless `KMS_SEED` names a single one.
const SEEDS: u64 = 3;

const ROUNDS: usize = 60;

#[tokio::test]
async fn a_machine_between_two_siblings_is_never_taken_for_a_copy() {
    if let Ok(seed) = std::env::var("KMS_SEED") {
        return between_siblings(seed.parse().unwrap()).await;
    }
    for seed in 1..=SEEDS {
        println!("KMS_SEED={seed}");
        between_siblings(seed).await;
    }
}

async fn between_siblings(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::with_threshold(1);
    let hosts = [world.host("kms1").await, world.host("kms2").await];
    let lines =
        [Proxy::before(hosts[0].address()).await.unwrap(), Proxy::before(hosts[1].address()).await.unwrap()];
    let machine = world.machine("machine", &[lines[0].address(), lines[1].address()]);
    expect_lease(&machine).await;

    for round in 1..=ROUNDS {
        world.clock.advance(HOUR);
        let (down, up) = (&lines[round % 2], &lines[(round + 1) % 2]);
        down.always(Fate::LoseAsk(0));
        let lost = random.random_ratio(1, 3);
        up.always(if lost { Fate::LoseAnswer(0) } else { Fate::Deliver });
        let outcome = ask(&machine).await;
        assert_eq!(matches!(outcome, Outcome::Leased { .. }), !lost, "{outcome}");
        assert!(state(&machine).is_licensed());
    }
    for host in &hosts {
        assert!(refusals(host).await.is_empty(), "{:?}", refusals(host).await);
        assert_eq!(count(host).await, 1);
        let leases = answered(host).await["LEASE"];
        assert!(ROUNDS as u64 / 2 <= leases, "each was asked by turns: {leases}");
    }
}
