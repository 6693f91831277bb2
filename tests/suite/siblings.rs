//! Two hosts under one SRV name, each with a ledger of its own: what machines see while one is killed and replaced.
//!
//! That serials and evidence hold over months and lost answers is told with moved clocks, in `tests/clocks`.

use kms_client::Client;
use world::HostProcess;

use crate::stage::{DOMAIN, Stage, an_hour_ago, answered, dns, outcomes, program};

const THRESHOLD: u32 = 3;

/// Asks, and says what each host that was tried has answered.
async fn ask(machine: &Client) -> Vec<String> {
    let round = machine.activate().await.unwrap();
    outcomes(&round).into_iter().map(str::to_owned).collect()
}

/// How many machines the host that gave the lease had counted.
fn counted(machine: &Client) -> u64 {
    machine.snapshot().lease.expect("it holds a lease").count
}

/// Whether the host of this name in DNS gave the last lease.
fn is_last(machine: &Client, name: &str) -> bool {
    let last = machine.snapshot().last_host.expect("it holds a lease");
    last.starts_with(&format!("{name}.{DOMAIN}:"))
}

#[tokio::test]
async fn of_two_hosts_under_one_name_one_is_killed_and_replaced_and_every_machine_renews_at_once() {
    let stage = Stage::with_threshold(THRESHOLD);
    let (a, b) = (stage.host("a").await, stage.host("b").await);
    let records = [("a", a.address()), ("b", b.address())].map(|(name, address)| {
        format!("_kms-activation._tcp SRV 10 100 {} {name}\n{name} A 127.0.0.1\n", address.port())
    });
    let dns = dns(&records.concat()).await;
    let machines = ["one", "two", "three"].map(|name| stage.machine_with_dns(name, &dns));
    let [one, two, three] = &machines;

    // A machine that is told to wait goes on to the next host, so both count it. The third is licensed by the first it meets.
    for machine in [one, two] {
        assert_eq!(ask(machine).await, ["WAITING", "WAITING"]);
    }
    assert_eq!(ask(three).await, ["LEASE"]);
    let (doomed, sibling) = if is_last(three, "a") { (a, b) } else { (b, a) };
    assert_eq!((doomed.count().await.unwrap(), sibling.count().await.unwrap()), (3, 2));
    for machine in [one, two] {
        assert_eq!(ask(machine).await.last().unwrap(), "LEASE");
        assert_eq!(counted(machine), 3, "the host that has its threshold gives the lease");
    }

    // One is killed. Its sibling has never met the threshold, and renews on the evidence in the leases that it is shown.
    let address = doomed.address();
    doomed.kill().await.unwrap();
    for (machine, count) in [(one, 2), (two, 2), (three, 3)] {
        assert_eq!(ask(machine).await, ["HOST_UNREACHABLE", "LEASE"]);
        assert_eq!(counted(machine), count);
    }

    // Another takes its place under the same name: a new key, a new certificate and an empty ledger. DNS is left as it is.
    let home = stage.shop.make_host("replacement", an_hour_ago()).unwrap();
    let replacement = HostProcess::start(&program(), &home, address).await.unwrap();
    let [ours, theirs] = [&replacement, &sibling].map(HostProcess::status);
    let (ours, theirs) = (ours.await.unwrap(), theirs.await.unwrap());
    assert!(ours.host != theirs.host && ours.ledger != theirs.ledger, "nothing is shared but the name");

    // The sibling is away meanwhile, so everybody has to go to the one that knows nobody.
    let sibling_address = sibling.address();
    let sibling = sibling.stop().await.unwrap();
    assert_eq!(ask(one).await, ["HOST_UNREACHABLE", "LEASE"]);
    assert_eq!((counted(one), replacement.count().await.unwrap()), (1, 1));
    let newcomer = stage.machine_with_dns("newcomer", &dns);
    let told = ask(&newcomer).await;
    assert!(
        told.contains(&"WAITING".to_owned()),
        "whoever has no lease waits until its count has filled: {told:?}"
    );
    assert_eq!(ask(two).await, ["HOST_UNREACHABLE", "LEASE"]);
    assert_eq!(ask(&newcomer).await.last().unwrap(), "LEASE");
    assert_eq!((counted(&newcomer), replacement.count().await.unwrap()), (3, 3), "and now it has");

    let sibling = HostProcess::start(&program(), &sibling, sibling_address).await.unwrap();
    assert_eq!(ask(&stage.machine_with_dns("last", &dns)).await, ["LEASE"], "whichever is drawn");
    for host in [&replacement, &sibling] {
        let accused = answered(host, "COPIED").await + answered(host, "REPLAYED").await;
        assert_eq!(accused, 0, "nobody was taken for a copy");
    }
}
