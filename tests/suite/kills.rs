//! SIGKILL while many machines ask: what was acknowledged is on the disk, and the count is exact.
//!
//! `docs/protocol.md` 3 says what a machine does whose answer was lost: it asks again under the same nonce.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kms_client::MachineId;
use ledger::Engine;
use proto::admin::v1::VerifyRequest;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use shared::answer::Verdict;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use world::asker::{Asker, NoAnswer, Wire, wire};
use world::{HostProcess, Shop};

use crate::stage::{LIMIT, LOOPBACK, Stage, an_hour_ago, answered, machines_of, now, program};

const KILLS: usize = 4;
const ASKING_AT_ONCE: u64 = 12;
const THRESHOLD: u32 = 40;

/// What machines were told: the serial, and whether it was with a lease.
type Told = BTreeMap<MachineId, (u64, bool)>;

/// What all who ask share.
struct Load {
    shop: Shop,
    wire: Wire,
    told: Mutex<Told>,
    acknowledged: watch::Sender<u64>,
    stop: CancellationToken,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_a_host_on_sled_has_lost_nothing_that_it_acknowledged() {
    killed_under_load(Engine::Sled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_a_host_on_fjall_has_lost_nothing_that_it_acknowledged() {
    killed_under_load(Engine::Fjall).await;
}

async fn killed_under_load(engine: Engine) {
    let seed =
        std::env::var("KMS_TEST_SEED").map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap());
    println!("KMS_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);

    let stage = Stage::with_threshold(THRESHOLD);
    let home = stage.shop.make_host_on(engine, "host", an_hour_ago()).unwrap();
    let mut host = HostProcess::start(&program(), &home, LOOPBACK).await.unwrap();
    let address = host.address();
    let load = Arc::new(Load {
        shop: stage.shop,
        wire: wire(address).unwrap(),
        told: Mutex::default(),
        acknowledged: watch::Sender::new(0),
        stop: CancellationToken::new(),
    });
    let mut asking = JoinSet::new();
    for _ in 0..ASKING_AT_ONCE {
        asking.spawn(ask_on(load.clone(), StdRng::seed_from_u64(random.random())));
    }

    for _ in 0..KILLS {
        let enough = *load.acknowledged.borrow() + random.random_range(1..60);
        load.acknowledged.subscribe().wait_for(|so_far| enough <= *so_far).await.unwrap();
        let home = host.kill().await.unwrap();
        let told = load.told.lock().unwrap().clone();
        host = HostProcess::start(&program(), &home, address).await.unwrap();
        check_all_known(&host, &told).await;
    }
    load.stop.cancel();
    let mut askers: Vec<_> = asking.join_all().await.into_iter().flatten().collect();

    // Everybody once more, so that nothing is under way: now the numbers are exact.
    let mut wire = load.wire.clone();
    for asker in &mut askers {
        ask_until_answered(asker, &mut wire).await;
        assert!(asker.lease().is_some());
    }
    let verified = host.admin().await.unwrap().verify(VerifyRequest {}).await.unwrap().into_inner();
    let machines = u64::try_from(askers.len()).unwrap();
    assert_eq!((verified.records, verified.damaged), (machines, 0));
    let product = &verified.products[0];
    assert_eq!([product.count, product.recounted, product.active, product.active_found], [machines; 4]);
    assert_eq!(answered(&host, "COPIED").await + answered(&host, "REPLAYED").await, 0);
    println!("{machines} machines, {} answers, {KILLS} kills", *load.acknowledged.borrow());
}

/// New machines and known ones by turns, until it is told to stop; each asks again until somebody answers.
async fn ask_on(load: Arc<Load>, mut random: StdRng) -> Vec<Asker> {
    let mut wire = load.wire.clone();
    let mut askers: Vec<Asker> = Vec::new();
    while !load.stop.is_cancelled() {
        if askers.is_empty() || random.random_bool(0.7) {
            askers.push(Asker::new(&load.shop).unwrap());
        }
        let chosen = random.random_range(0..askers.len());
        let asker = &mut askers[chosen];
        ask_until_answered(asker, &mut wire).await;
        load.told.lock().unwrap().insert(asker.machine(), (asker.serial(), asker.lease().is_some()));
        load.acknowledged.send_modify(|answers| *answers += 1);
    }
    askers
}

/// Asks until a host has signed an answer; while it is killed and started again nobody does.
async fn ask_until_answered(asker: &mut Asker, wire: &mut Wire) {
    let until_answered = async {
        loop {
            match asker.ask(wire, now()).await {
                Ok(Verdict::Leased(_) | Verdict::Waiting(_)) => return,
                Err(NoAnswer::Unsigned(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(LIMIT, until_answered).await.expect("somebody answers in time");
}

/// A record may be ahead of what was acknowledged, since answers get lost; behind it never.
async fn check_all_known(host: &HostProcess, told: &Told) {
    let known: BTreeMap<_, _> = machines_of(host)
        .await
        .into_iter()
        .map(|machine| (MachineId::from_slice(&machine.id).unwrap(), machine))
        .collect();
    for (machine, (serial, leased)) in told {
        let record = known.get(machine).unwrap_or_else(|| panic!("{machine} was acknowledged, and is lost"));
        assert!(*serial <= record.serial, "{machine} was told {serial}: {record:?}");
        assert!(!leased || 0 < record.licensed_until, "{machine} was leased: {record:?}");
    }
}
