//! Several addresses, hosts and domains: which is next after a failure, and which waits for the next round.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kms_client::{Client, Outcome, Round};
use kms_dns::{DnsServer, Zone};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::peers::read_all;
use crate::world::{Host, StoryClock, builder};

const HEAD: &str = "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n";

/// Does this to each connection at 127.0.0.`last`.
async fn peer<F: Future<Output = ()> + Send + 'static>(
    last: u8,
    port: u16,
    with: impl Fn(TcpStream) -> F + Send + 'static,
) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, last], port))).await.unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(with(stream));
        }
    });
}

/// A name server whose one record leads to a name at 127.0.0.2 and so on up to 127.0.0.`last`.
async fn name_with_addresses(last: u8, port: u16) -> DnsServer {
    let addresses: Vec<_> = (2..=last).map(|last| format!("kms A 127.0.0.{last}\n")).collect();
    let addresses = addresses.concat();
    let records = format!("_kms-activation._tcp SRV 0 0 {port} kms\n{addresses}");
    DnsServer::start(vec![Zone::parse("corp.example.", &format!("{HEAD}{records}")).unwrap()]).await.unwrap()
}

fn in_dns(dir: &Path, clock: &Arc<StoryClock>, dns: &DnsServer) -> Client {
    let machine = builder(dir, "this machine", clock, &[]);
    machine.domains(["corp.example"]).name_server(dns.address()).build().unwrap()
}

/// Each attempt as its address or host, and its code.
fn told(round: &Round) -> Vec<String> {
    let line = |attempt: &kms_client::Attempt| {
        let at = attempt.address.map_or(attempt.host.clone(), |address| address.ip().to_string());
        match &attempt.outcome {
            Outcome::Leased { .. } => format!("{at} LEASE"),
            other => format!("{at} {}", other.cause().map_or("?", |cause| &cause.code)),
        }
    };
    round.attempts.iter().map(line).collect()
}

/// An address that accepted and then gave no answer ended the round for its host, although the next address was good.
#[tokio::test]
async fn an_address_that_accepts_and_gives_no_answer_is_passed_over_for_the_next() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::at([127, 0, 0, 6].into(), 9, &clock).await;
    let port = host.address.port();
    peer(2, port, |stream| async move { drop(stream) }).await;
    peer(3, port, |stream| async move {
        // Unread bytes make the close a reset.
        let _ = stream.peek(&mut [0; 24]).await;
    })
    .await;
    peer(4, port, |mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        read_all(&mut stream).await;
    })
    .await;
    // Nothing listens at 127.0.0.5.
    let dns = name_with_addresses(6, port).await;
    let round = in_dns(dir.path(), &clock, &dns).activate().await.unwrap();
    let expected = [
        "127.0.0.2 HOST_UNREACHABLE",
        "127.0.0.3 HOST_UNREACHABLE",
        "127.0.0.4 NOT_A_HOST",
        "127.0.0.6 LEASE",
    ];
    assert_eq!(told(&round), expected, "{round:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_accepts_and_stays_silent_is_passed_over_for_the_next() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let port = TcpListener::bind("127.0.0.4:0").await.unwrap().local_addr().unwrap().port();
    for last in [2, 3] {
        peer(last, port, |mut stream| async move { read_all(&mut stream).await }).await;
    }
    let dns = name_with_addresses(3, port).await;
    let round = in_dns(dir.path(), &clock, &dns).activate().await.unwrap();
    assert_eq!(told(&round), ["127.0.0.2 HOST_SILENT", "127.0.0.3 HOST_SILENT"], "{round:#?}");
}

/// Only eight addresses of a name were tried, and nothing said so.
#[tokio::test]
async fn every_address_has_its_turn_however_many_there_are() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::at([127, 0, 0, 40].into(), 9, &clock).await;
    let dns = name_with_addresses(40, host.address.port()).await;
    let round = in_dns(dir.path(), &clock, &dns).activate().await.unwrap();
    assert_eq!(told(&round), ["127.0.0.40 LEASE"], "{round:#?}");
}

#[tokio::test]
async fn addresses_that_time_does_not_suffice_for_are_told_and_come_first_in_the_next_round() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::at([127, 0, 0, 4].into(), 9, &clock).await;
    let port = host.address.port();
    for last in [2, 3] {
        let clock = Arc::clone(&clock);
        peer(last, port, move |_| {
            clock.advance(Duration::from_secs(20));
            async {}
        })
        .await;
    }
    let dns = name_with_addresses(4, port).await;
    let round = in_dns(dir.path(), &clock, &dns).activate().await.unwrap();
    let name = format!("kms.corp.example:{port}");
    let expected = [
        "127.0.0.2 HOST_UNREACHABLE".to_owned(),
        "127.0.0.3 HOST_UNREACHABLE".to_owned(),
        format!("{name} NOT_TRIED"),
    ];
    assert_eq!(told(&round), expected, "{round:#?}");
    let cause = round.attempts[2].outcome.cause().unwrap();
    assert_eq!(cause.parameter("name"), Some(format!("{name} at 127.0.0.4:{port}").as_str()));

    // Another process begins with those that this one had no time for.
    let round = in_dns(dir.path(), &clock, &dns).activate().await.unwrap();
    assert_eq!(told(&round), ["127.0.0.4 LEASE"], "{round:#?}");
}

/// The 33rd host was never tried.
#[tokio::test]
async fn every_host_has_its_turn_however_many_there_are() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::at([127, 0, 0, 1].into(), 9, &clock).await;
    let dead: Vec<_> = (2..=60).map(|last| format!("127.0.0.{last}:{}", host.address.port())).collect();
    let hosts = dead.into_iter().chain([host.address.to_string()]);
    let round = builder(dir.path(), "this machine", &clock, &[]).hosts(hosts).build().unwrap();
    let round = round.activate().await.unwrap();
    assert_eq!(round.attempts.len(), 60);
    assert!(matches!(round.outcome, Outcome::Leased { .. }), "{round:#?}");
}

#[tokio::test]
async fn hosts_that_time_does_not_suffice_for_are_told_and_come_first_in_the_next_round() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::at([127, 0, 0, 3].into(), 9, &clock).await;
    let port = host.address.port();
    let slow = Arc::clone(&clock);
    peer(2, port, move |_| {
        slow.advance(Duration::from_mins(2));
        async {}
    })
    .await;
    let hosts = [2, 3].map(|last| format!("127.0.0.{last}:{port}"));
    let machine = || builder(dir.path(), "this machine", &clock, &[]).hosts(&hosts).build().unwrap();
    let round = machine().activate().await.unwrap();
    assert_eq!(told(&round), ["127.0.0.2 HOST_UNREACHABLE", &format!("127.0.0.3:{port} NOT_TRIED")]);
    assert!(host.seen().is_empty());

    let first = |found: kms_client::Discovery| found.hosts[0].host.to_string();
    assert_eq!(first(machine().discover().await), hosts[1], "as it would be asked");
    let round = machine().activate().await.unwrap();
    assert_eq!(told(&round), ["127.0.0.3 LEASE"]);
}

/// The ninth domain was never asked.
#[tokio::test]
async fn every_domain_has_its_turn_however_many_there_are() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let records = format!("_kms-activation._tcp SRV 0 0 {} kms\nkms A 127.0.0.1\n", host.address.port());
    let zone = |domain: &str, records: &str| Zone::parse(domain, &format!("{HEAD}{records}")).unwrap();
    let mut zones: Vec<_> = (0..30).map(|n| zone(&format!("d{n}.example."), "")).collect();
    zones.push(zone("corp.example.", &records));
    let dns = DnsServer::start(zones).await.unwrap();
    let domains = (0..30).map(|n| format!("d{n}.example")).chain(["corp.example".to_owned()]);
    let machine = builder(dir.path(), "this machine", &clock, &[]).domains(domains);
    let machine = machine.name_server(dns.address()).build().unwrap();
    let round = machine.activate().await.unwrap();
    assert_eq!((round.attempts.len(), told(&round).pop().unwrap().as_str()), (31, "127.0.0.1 LEASE"));
}

/// Name servers that are silent about the first domains use up all of the time.
#[tokio::test(start_paused = true)]
async fn domains_that_time_does_not_suffice_for_are_told_and_come_first_in_the_next_round() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let records = format!("_kms-activation._tcp SRV 0 0 {} kms\nkms A 127.0.0.1\n", host.address.port());
    let zone = |domain: &str, records: &str| Zone::parse(domain, &format!("{HEAD}{records}")).unwrap();
    let silent: Vec<_> = (0..40).map(|n| format!("d{n}.example")).collect();
    let mut zones: Vec<_> = silent.iter().map(|domain| zone(&format!("{domain}."), "")).collect();
    zones.push(zone("corp.example.", &records));
    let dns = DnsServer::start(zones).await.unwrap();
    for domain in &silent {
        dns.silence(&format!("_kms-activation._tcp.{domain}."));
    }
    let domains = silent.iter().cloned().chain(["corp.example".to_owned()]);
    let machine = builder(dir.path(), "this machine", &clock, &[]).domains(domains);
    let machine = machine.name_server(dns.address()).build().unwrap();
    let round = machine.activate().await.unwrap();
    assert_eq!(told(&round).pop().unwrap(), "_kms-activation._tcp.corp.example. NOT_TRIED", "{round:#?}");

    tokio::time::resume();
    for domain in &silent {
        dns.mend(&format!("_kms-activation._tcp.{domain}."));
    }
    let asked = dns.queries().len();
    let round = machine.activate().await.unwrap();
    assert_eq!(told(&round).pop().unwrap(), "127.0.0.1 LEASE", "{round:#?}");
    let first: Vec<_> = dns.queries().into_iter().skip(asked).take(8).map(|query| query.name).collect();
    assert!(first.iter().all(|name| !name.contains(".d0.") && !name.contains(".d7.")), "{first:?}");
}

/// An interface has a name and a number. For an address that is not link-local the system accepts only the number.
#[tokio::test]
async fn a_host_is_asked_at_an_address_of_one_interface() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        return println!("not told, since this machine has no IPv6");
    };
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let host = Host::at_port(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), port, 9, &clock).await;
    let machine = builder(dir.path(), "this machine", &clock, &[]).hosts([format!("[::1%1]:{port}")]);
    let round = machine.build().unwrap().activate().await.unwrap();
    assert!(matches!(round.outcome, Outcome::Leased { .. }), "{round:#?}");
    assert_eq!(host.seen().len(), 1);
}
