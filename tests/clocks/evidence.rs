//! Below its threshold a host renews what it or a sibling has licensed, as long as the threshold was met not long ago.
//!
//! So a standby or a replaced host serves at once while its own count fills. `docs/protocol.md` 4.

use kms_client::{LicenseState, Timestamp};
use kms_host::home::Home;
use kms_vendor::{Allow, Contract, IssueRequest, Signer, Vendor};
use shared::answer::{Grant, Header, Verdict, compose_lease};
use shared::certificate::Chain;
use shared::envelope::Kind;
use world::asker::wire;
use world::machine::copy_folder;
use world::shop::ORGANISATION;
use world::{Asker, Machine, TestHost};

use crate::world::{
    DAY, HOUR, MS, NEW_YEAR, World, count, doubt, expect_lease, expect_refusal, expect_waiting, licensed,
    restart, state,
};

/// Machines that `first` has licensed now, and that ask `standby` alone from now on.
async fn moved<const N: usize>(
    world: &World,
    first: &TestHost,
    standby: &TestHost,
    names: [&str; N],
) -> [Machine; N] {
    for name in names {
        expect_lease(&world.machine(name, &[first.address()])).await;
    }
    names.map(|name| world.machine(name, &[standby.address()]))
}

#[tokio::test]
async fn a_standby_below_its_threshold_renews_on_evidence_of_29_days_and_not_of_31() {
    let world = World::with_threshold(10);
    let (first, standby) = (world.host("kms1").await, world.host("kms2").await);
    world.crowd(10, &first).await;
    let names = ["in time", "just in time", "just too late", "late"];
    let [in_time, just_in_time, just_too_late, late] = moved(&world, &first, &standby, names).await;
    first.stop().await.unwrap();

    world.advance_to(NEW_YEAR + 29 * DAY);
    expect_lease(&in_time).await;
    expect_waiting(&world.machine("never licensed", &[standby.address()]), 2).await;
    world.advance_to(NEW_YEAR + 30 * DAY - MS);
    expect_lease(&just_in_time).await;

    let overdue = LicenseState::RenewalOverdue { until: NEW_YEAR + 180 * DAY, since: NEW_YEAR + 7 * DAY };
    world.clock.advance(MS);
    expect_waiting(&just_too_late, 4).await;
    assert_eq!(state(&just_too_late), overdue);
    world.advance_to(NEW_YEAR + 31 * DAY);
    expect_waiting(&late, 5).await;
    assert_eq!(state(&late), overdue, "the lease runs on");
    assert_eq!(state(&in_time), licensed(NEW_YEAR + 209 * DAY));
}

#[tokio::test]
async fn evidence_cannot_renew_itself() {
    let world = World::with_threshold(3);
    let (first, standby) = (world.host("kms1").await, world.host("kms2").await);
    world.crowd(3, &first).await;
    let [machine] = moved(&world, &first, &standby, ["machine"]).await;
    for days in [10, 20, 29] {
        world.advance_to(NEW_YEAR + days * DAY);
        expect_lease(&machine).await;
        let lease = machine.client.snapshot().lease.unwrap();
        assert_eq!(lease.threshold_met_at, NEW_YEAR, "copied unchanged");
    }
    for days in [30, 31, 40] {
        world.advance_to(NEW_YEAR + days * DAY);
        expect_waiting(&machine, 1).await;
        assert!(state(&machine).is_licensed());
    }
    // Others come, and the threshold is met here.
    world.crowd(2, &standby).await;
    expect_lease(&machine).await;
    assert_eq!(state(&machine), licensed(NEW_YEAR + 220 * DAY));
}

/// A host that was off for longer than its window asks itself first whether its clock is right.
#[tokio::test]
async fn after_forty_days_without_any_host_the_count_starts_again_and_leases_run_on() {
    let world = World::with_threshold(3);
    let host = world.host("kms1").await;
    let machines = ["a", "b", "c"].map(|name| world.machine(name, &[host.address()]));
    expect_waiting(&machines[0], 1).await;
    expect_waiting(&machines[1], 2).await;
    for machine in machines.iter().rev() {
        expect_lease(machine).await;
    }
    // They are known for a day when the host's last entry is made, and so they are heard when it is back.
    world.advance_to(NEW_YEAR + DAY);
    world.crowd(1, &host).await;
    let (clock, address) = (host.clock.clone(), host.address());
    let home = host.stop().await.unwrap();
    world.clock.advance(40 * DAY);
    let host = TestHost::start_at(&home, clock, address).await.unwrap();
    assert!(doubt(&host).await.contains("more than a whole count window after"));

    let [a, b, c] = &machines;
    expect_refusal(a, "HOST_CLOCK").await;
    expect_refusal(b, "HOST_CLOCK").await;
    expect_waiting(c, 1).await;
    assert_eq!(doubt(&host).await, "");
    expect_waiting(a, 2).await;
    let until = NEW_YEAR + 180 * DAY;
    for machine in &machines {
        let overdue = LicenseState::RenewalOverdue { until, since: NEW_YEAR + 7 * DAY };
        assert_eq!(state(machine), overdue);
    }
    world.clock.advance(HOUR);
    for machine in [b, a, c] {
        expect_lease(machine).await;
    }
    assert_eq!(count(&restart(host).await).await, 3);
}

/// What a stranger is told who shows a lease that this home's key has signed under this chain.
async fn shows(world: &World, host: &TestHost, home: &Home, chain: &Chain, lease: [Timestamp; 2]) -> String {
    let [host_time, threshold_met_at] = lease;
    let mut stranger = Asker::new(&world.shop).unwrap();
    let mut ask = stranger.compose(world.now());
    let header = Header::answering(&ask, 1, host_time, chain.host().host(), host.ledger.meta().ledger);
    let grant = Grant { count: 10, threshold_met_at };
    let lease = compose_lease(&header, &chain.host().policy, &grant, ask.fingerprint);
    ask.held_lease = Some(home.signing_key().unwrap().sign(Kind::Lease, &lease));
    let mut request = stranger.request(&ask);
    request.held_chain = chain.encoded().clone();
    let answer = wire(host.address()).unwrap().activate(request).await.unwrap().into_inner().answer.unwrap();
    match stranger.judge(&ask, &answer, world.now()).unwrap() {
        Verdict::Leased(_) => "LEASE".to_owned(),
        Verdict::Waiting(_) => "WAITING".to_owned(),
        other => panic!("neither lease nor waiting: {other:?}"),
    }
}

/// A lease that was signed under a certificate that had ended long ago, with evidence of today, had opened the threshold: 18 machines
/// were licensed where 1,000 are needed. Whoever keeps the disk of a host that was retired can sign such leases.
#[tokio::test]
async fn the_key_of_a_retired_host_opens_no_threshold() {
    let world = World::with_threshold(10);
    let host = world.host("kms1").await;
    let retired = world.shop.make_host("retired", NEW_YEAR - 410 * DAY).unwrap();
    let chain = retired.certificates().unwrap().all().next().unwrap().chain.clone();
    let now = world.now();
    assert_eq!(shows(&world, &host, &retired, &chain, [now, now]).await, "WAITING");
    assert_eq!(shows(&world, &host, &retired, &chain, [now - 100 * DAY, now]).await, "WAITING");
    let then = now - 100 * DAY;
    assert_eq!(shows(&world, &host, &retired, &chain, [then, then]).await, "WAITING", "it is too old");

    let sibling = world.shop.make_host("sibling", now - 300 * DAY).unwrap();
    let chain = sibling.certificates().unwrap().all().next().unwrap().chain.clone();
    let met_at = now - 29 * DAY;
    assert_eq!(shows(&world, &host, &sibling, &chain, [met_at, met_at]).await, "LEASE", "as it should be");
}

/// A host that was tried out under a test certificate keeps it beside the one that it works under. A lease of that time had opened the
/// threshold of the other, though it had been given to a single machine.
#[tokio::test]
async fn a_lease_under_the_hosts_own_test_certificate_opens_no_threshold() {
    let world = World::with_threshold(10);
    let home = world.shop.make_host("kms1", NEW_YEAR).unwrap();
    let request_pem = std::fs::read_to_string(home.request_path()).unwrap();
    // The same vendor and product, by other numbers.
    let dir = world.path("tried out");
    copy_folder(world.shop.vendor().dir(), &dir).unwrap();
    let file = dir.join("products.toml");
    let numbers = std::fs::read_to_string(&file).unwrap().replace("threshold = 10", "threshold = 1");
    std::fs::write(&file, numbers).unwrap();
    let request = IssueRequest {
        request_pem: &request_pem,
        product: &world.shop.product().name,
        organisation: ORGANISATION,
        allow: Allow::default(),
        not_before: NEW_YEAR - DAY,
        valid_for: 365 * DAY,
        signer: Signer::Root1,
        test: true,
        now: NEW_YEAR - DAY,
        contract: Contract::default(),
    };
    let pem = Vendor::open(&dir).unwrap().issue(&request, &mut rand::rng()).unwrap().pem;
    std::fs::write(home.path().join("certificates/test.pem"), pem).unwrap();
    let certificates = home.certificates().unwrap();
    let chains: Vec<_> = certificates.all().map(|installed| installed.chain.clone()).collect();
    assert_eq!(chains.iter().filter(|chain| chain.host().test).count(), 1);
    let host = TestHost::start(&home, world.clock.clone()).await.unwrap();
    world.clock.advance(DAY);
    for chain in chains {
        let met_at = world.now() - HOUR;
        let told = shows(&world, &host, &home, &chain, [met_at, met_at]).await;
        assert_eq!(told, if chain.host().test { "WAITING" } else { "LEASE" });
    }
}
