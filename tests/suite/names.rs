//! Names that lead nowhere, each with its own cause, and names that lead to IPv6.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use kms_client::{Reason, Round};
use kms_host::home::Home;
use tokio::net::TcpListener;
use world::HostProcess;
use world::dns::DnsServer;

use crate::stage::{DOMAIN, SERVICE, Stage, an_hour_ago, dns, failure, outcomes, program};

/// A round that has not ended by then hangs, as far as its user can tell.
const PATIENCE: Duration = Duration::from_secs(20);

async fn round_with(dns: &DnsServer) -> Round {
    let stage = Stage::with_threshold(1);
    let machine = stage.machine_with_dns("machine", dns);
    let round = tokio::time::timeout(PATIENCE, machine.activate()).await.expect("it ends");
    assert!(!machine.state().is_licensed());
    round.unwrap()
}

#[tokio::test]
async fn without_a_record_the_full_name_is_told_and_no_name_that_is_there_is_called_missing() {
    for other_records in ["", "_kms-activation._tcp A 127.0.0.1\n"] {
        let (reason, text) = failure(&round_with(&dns(other_records).await).await);
        assert_eq!(reason, Reason::DnsNoRecord);
        assert!(text.contains(&format!("{SERVICE} has no SRV record")), "{text}");
    }
}

#[tokio::test]
async fn a_name_server_that_fails_is_told_apart_from_a_missing_record() {
    let dns = dns("").await;
    dns.fail(SERVICE);
    let (reason, text) = failure(&round_with(&dns).await);
    assert_eq!(reason, Reason::DnsFailed);
    assert!(text.contains(SERVICE), "{text}");
}

#[tokio::test]
async fn a_silent_name_server_costs_a_round_some_seconds_and_no_more() {
    let dns = dns("").await;
    dns.silence(SERVICE);
    let (reason, text) = failure(&round_with(&dns).await);
    assert_eq!(reason, Reason::DnsFailed);
    assert!(text.contains(SERVICE), "{text}");
}

#[tokio::test]
async fn a_target_without_an_address_is_named() {
    let round = round_with(&dns("_kms-activation._tcp SRV 0 0 21688 ghost\n").await).await;
    let (reason, text) = failure(&round);
    assert_eq!(reason, Reason::HostNameUnknown);
    assert!(text.contains(&format!("ghost.{DOMAIN}")), "{text}");
    assert_eq!(round.attempts[0].host, format!("ghost.{DOMAIN}:21688"));
}

#[tokio::test]
async fn a_lone_dot_says_that_there_is_no_host_and_nobody_is_asked() {
    let dns = dns("_kms-activation._tcp SRV 0 0 21688 .\n").await;
    let round = round_with(&dns).await;
    assert!(round.attempts.iter().all(|attempt| attempt.address.is_none()), "{round:?}");
    assert_eq!(outcomes(&round), ["DNS_NOT_OFFERED"]);
    assert_eq!(dns.queries().len(), 1, "the dot is not looked up: {:?}", dns.queries());
}

/// A host on `::1` alone; nothing where this machine has no IPv6.
async fn ipv6_host(home: &Home) -> Option<HostProcess> {
    let loopback = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    if let Err(error) = TcpListener::bind(loopback).await {
        println!("not told, since this machine has no IPv6: {error}");
        return None;
    }
    Some(HostProcess::start(&program(), home, loopback).await.unwrap())
}

#[tokio::test]
async fn a_host_with_ipv6_alone_is_found_by_name() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let Some(host) = ipv6_host(&home).await else { return };
    let port = host.address().port();
    let dns = dns(&format!("_kms-activation._tcp SRV 0 0 {port} six\nsix AAAA ::1\n")).await;

    let round = stage.machine_with_dns("machine", &dns).activate().await.unwrap();

    assert_eq!(outcomes(&round), ["LEASE"]);
    assert_eq!(round.attempts[0].address, Some(host.address()));
}

#[tokio::test]
async fn a_host_with_ipv6_alone_is_asked_by_its_address() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let Some(host) = ipv6_host(&home).await else { return };

    let round = stage.machine("machine", &[host.address()]).activate().await.unwrap();

    assert_eq!(outcomes(&round), ["LEASE"]);
    assert_eq!(round.attempts[0].host, format!("[::1]:{}", host.address().port()));
}
