//! Hosts found by SRV: which is tried first, what happens when one is dead, and what is never asked. `docs/protocol.md` 4.

use std::net::SocketAddr;

use kms_client::{Client, Outcome, Reason, Source};

use crate::stage::{DOMAIN, SERVICE, Stage, dead_port, dns, outcomes};

/// How many first choices are drawn to see weights at work.
const DRAWS: usize = 200;

/// Records for hosts `a`, `b` and so on of this machine, with priority, weight and port.
fn records(hosts: &[(u16, u16, u16)]) -> String {
    let names = "abcdef".chars().zip(hosts);
    let records = names.map(|(name, (priority, weight, port))| {
        format!("_kms-activation._tcp SRV {priority} {weight} {port} {name}\n{name} A 127.0.0.1\n")
    });
    records.collect()
}

async fn first_choice(machine: &Client) -> String {
    machine.discover().await.hosts.first().unwrap().host.to_string()
}

#[tokio::test]
async fn a_dead_first_host_is_listed_with_its_cause_and_the_next_one_gives_the_lease() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let (_held, dead) = dead_port();
    let dns = dns(&records(&[(0, 0, dead.port()), (10, 0, host.address().port())])).await;
    let machine = stage.machine_with_dns("machine", &dns);

    let round = machine.activate().await.unwrap();

    assert_eq!(outcomes(&round), ["HOST_UNREACHABLE", "LEASE"]);
    let attempt = &round.attempts[0];
    assert_eq!(attempt.host, format!("a.{DOMAIN}:{}", dead.port()));
    assert!(attempt.outcome.to_string().contains("refused"), "{}", attempt.outcome);
    assert_eq!(
        round.attempts[1].source,
        Some(Source::Dns { domain: DOMAIN.into(), priority: 10, weight: 0 })
    );
    assert_eq!(machine.snapshot().attempts, round.attempts, "a status line can show both");
    assert!(machine.state().is_licensed());
}

#[tokio::test]
async fn first_choices_follow_the_weights() {
    let stage = Stage::with_threshold(1);
    let dns = dns(&records(&[(0, 90, 1), (0, 10, 2), (1, 65535, 3)])).await;
    let machine = stage.machine_with_dns("machine", &dns);
    let mut heavy = 0;
    for _ in 0..DRAWS {
        let found = machine.discover().await;
        let ports: Vec<_> = found.hosts.iter().map(|candidate| candidate.host.port()).collect();
        assert!(matches!(ports[..], [1, 2, 3] | [2, 1, 3]), "priority goes before any weight: {ports:?}");
        heavy += usize::from(ports[0] == 1);
    }
    // 180 of 200 are expected, with a standard deviation of 4; more than five of them off is no chance.
    assert!((155..DRAWS).contains(&heavy), "{heavy} of {DRAWS}");
}

#[tokio::test]
async fn the_host_that_gave_the_last_lease_is_tried_first_among_its_equals() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let (_held, dead) = dead_port();
    let dns = dns(&records(&[(0, 1, host.address().port()), (0, 1000, dead.port())])).await;
    let machine = stage.machine_with_dns("machine", &dns);
    assert!(matches!(machine.activate().await.unwrap().outcome, Outcome::Leased { .. }));

    let alive = format!("a.{DOMAIN}:{}", host.address().port());
    assert_eq!(machine.snapshot().last_host.as_deref(), Some(alive.as_str()));
    for _ in 0..5 {
        assert_eq!(first_choice(&machine).await, alive, "whatever its weight");
        assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"]);
    }
}

#[tokio::test]
async fn the_first_domain_that_names_a_host_is_asked_first_and_each_is_listed() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let dns = dns("").await;
    dns.replace(crate::stage::zone("lab.example", &records(&[(0, 0, host.address().port())])));
    let domains = [DOMAIN, "lab.example."];
    let machine = stage.builder("machine").domains(domains).name_server(dns.address()).build().unwrap();

    let round = machine.activate().await.unwrap();

    assert_eq!(outcomes(&round), ["DNS_NO_RECORD", "LEASE"]);
    assert_eq!(round.attempts[0].host, SERVICE);
    let source = round.attempts[1].source.clone().unwrap();
    assert_eq!(source, Source::Dns { domain: "lab.example".into(), priority: 0, weight: 0 });
}

#[tokio::test]
async fn no_relative_name_is_ever_asked_at_the_root() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let dns = dns(&records(&[(0, 0, host.address().port())])).await;
    // A root that knows nothing would answer whatever leaked out of the domain.
    dns.replace(crate::stage::zone(".", ""));
    let machine = stage.machine_with_dns("machine", &dns);
    assert!(matches!(machine.activate().await.unwrap().outcome, Outcome::Leased { .. }));
    machine.discover().await;

    let asked: Vec<_> = dns.queries().into_iter().map(|query| query.name).collect();
    assert!(asked.iter().any(|name| name == SERVICE), "{asked:?}");
    assert!(asked.iter().all(|name| name.ends_with(&format!(".{DOMAIN}."))), "{asked:?}");
}

#[tokio::test]
async fn where_dns_fails_the_host_that_gave_the_last_lease_is_asked() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let address: SocketAddr = host.address();
    let dns = dns(&format!("_kms-activation._tcp SRV 0 0 {} a\na A 127.0.0.1\n", address.port())).await;
    let machine = stage.machine_with_dns("machine", &dns);
    machine.activate().await.unwrap();

    dns.fail(SERVICE);
    let found = machine.discover().await;
    assert_eq!(found.problems[0].cause.reason(), Some(Reason::DnsFailed));
    assert_eq!(found.hosts[0].source, Source::Remembered);
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["DNS_FAILED", "LEASE"]);
}
