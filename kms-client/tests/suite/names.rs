//! Hosts found in DNS: real packets from a name server on loopback whose zone an administrator could have written.

use kms_client::{Client, Outcome, Reason, Source};
use kms_dns::{DnsServer, Zone};

use crate::world::{Host, StoryClock, builder};

const SERVICE: &str = "_kms-activation._tcp.corp.example.";

async fn serve(records: &str) -> DnsServer {
    DnsServer::start(vec![zone(records)]).await.unwrap()
}

fn zone(records: &str) -> Zone {
    let head = "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n";
    Zone::parse("corp.example.", &format!("{head}{records}")).unwrap()
}

/// A client that knows only its domain and the name server.
fn client(dir: &std::path::Path, clock: &std::sync::Arc<StoryClock>, dns: &DnsServer) -> Client {
    let product = builder(dir, "this machine", clock, &[]);
    let product = product.domains(["corp.example"]).name_server(dns.address());
    product.build().unwrap()
}

#[tokio::test]
async fn a_host_is_found_by_its_record_and_every_name_is_asked_fully_qualified() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let port = host.address.port();
    let dns = serve(&format!("_kms-activation._tcp SRV 10 5 {port} kms1\nkms1 A 127.0.0.1\n")).await;
    let product = client(dir.path(), &clock, &dns);

    let found = product.discover().await;
    let (domain, priority, weight) = ("corp.example".into(), 10, 5);
    assert_eq!(found.hosts[0].source, Source::Dns { domain, priority, weight });
    assert_eq!(found.hosts[0].host.to_string(), format!("kms1.corp.example:{port}"));
    assert!(host.seen().is_empty());

    let round = product.activate().await.unwrap();
    assert!(matches!(round.outcome, Outcome::Leased { .. }), "{round:#?}");
    assert_eq!(round.attempts[0].address, Some(host.address));
    for query in dns.queries() {
        assert!(query.name.ends_with("corp.example."), "{query:?}");
    }
}

#[tokio::test]
async fn a_host_that_is_gone_costs_nothing_but_the_next_one() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let port = host.address.port();
    let records = format!(
        "_kms-activation._tcp SRV 1 0 1 gone\n_kms-activation._tcp SRV 2 0 1 dead\n\
         _kms-activation._tcp SRV 3 0 {port} kms1\ndead A 127.0.0.1\nkms1 A 127.0.0.1\n"
    );
    let dns = serve(&records).await;
    let round = client(dir.path(), &clock, &dns).activate().await.unwrap();
    let reasons: Vec<_> = round
        .attempts
        .iter()
        .map(|attempt| attempt.outcome.cause().and_then(kms_client::Cause::reason))
        .collect();
    assert_eq!(reasons, [Some(Reason::HostNameUnknown), Some(Reason::HostUnreachable), None]);
}

#[tokio::test]
async fn a_domain_without_a_record_and_a_name_server_that_fails_are_told_apart() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let dns = serve("").await;
    let product = client(dir.path(), &clock, &dns);
    let cause = product.activate().await.unwrap().outcome.cause().cloned().unwrap();
    assert_eq!(cause.reason(), Some(Reason::DnsNoRecord));
    assert_eq!(cause.parameter("name"), Some(SERVICE));

    // RFC 2782: "A Target of "." means that the service is decidedly not available at this domain."
    dns.replace(zone("_kms-activation._tcp SRV 0 0 0 .\n"));
    let cause = product.activate().await.unwrap().outcome.cause().cloned().unwrap();
    assert_eq!(cause.reason(), Some(Reason::DnsNotOffered));

    // It was shown as a host that refuses connections.
    dns.replace(zone("_kms-activation._tcp SRV 0 0 0 kms1\nkms1 A 127.0.0.1\n"));
    let cause = product.activate().await.unwrap().outcome.cause().cloned().unwrap();
    assert_eq!(cause.reason(), Some(Reason::DnsPortZero));
    assert_eq!(cause.parameter("target"), Some("kms1.corp.example."));

    dns.fail(SERVICE);
    let cause = product.activate().await.unwrap().outcome.cause().cloned().unwrap();
    assert_eq!(cause.reason(), Some(Reason::DnsFailed));
}

/// An address in the place of a name was shown as a name without an address, and escaped dots as a name that somebody had configured.
#[tokio::test]
async fn a_target_that_names_no_host_is_told_as_a_fault_of_the_record() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let dns = serve("").await;
    let product = client(dir.path(), &clock, &dns);
    for (target, cause) in [
        ("127.0.0.1.", "it is an address"),
        ("127.0.0.1", "it is an address, and the zone's name was put behind it"),
        (r"127\.0\.0\.1.", "it is an address"),
        (r"kms1\.corp\.example.", "its dots are escaped, and separate nothing"),
    ] {
        dns.replace(zone(&format!("_kms-activation._tcp SRV 0 0 21688 {target}\n")));
        let told = product.activate().await.unwrap().outcome.cause().cloned().unwrap();
        assert_eq!(
            (told.reason(), told.parameter("cause")),
            (Some(Reason::DnsTargetBad), Some(cause)),
            "{told}"
        );
    }
    // The zone may have such a name.
    dns.replace(zone("_kms-activation._tcp SRV 0 0 1 127.0.0.1\n127.0.0.1 A 127.0.0.1\n"));
    let told = product.activate().await.unwrap().outcome.cause().cloned().unwrap();
    assert_eq!(told.reason(), Some(Reason::HostUnreachable));
}

#[tokio::test]
async fn where_dns_fails_the_host_that_gave_the_last_lease_is_asked() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let port = host.address.port();
    let dns = serve(&format!("_kms-activation._tcp SRV 0 0 {port} kms1\nkms1 A 127.0.0.1\n")).await;
    let product = client(dir.path(), &clock, &dns);
    product.activate().await.unwrap();

    dns.fail(SERVICE);
    let round = product.activate().await.unwrap();
    assert_eq!(round.attempts[0].outcome.cause().unwrap().reason(), Some(Reason::DnsFailed));
    assert_eq!(round.attempts[1].source, Some(Source::Remembered));
    assert!(matches!(round.outcome, Outcome::Leased { .. }));
}

#[tokio::test]
async fn priorities_keep_their_meaning_after_a_failure() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let standby = Host::start(10, &clock).await;
    let port = standby.address.port();
    let records = |primary: u16| {
        format!(
            "_kms-activation._tcp SRV 1 0 {primary} kms1\n_kms-activation._tcp SRV 2 0 {port} kms2\n\
             kms1 A 127.0.0.1\nkms2 A 127.0.0.1\n"
        )
    };
    let dns = serve(&records(1)).await;
    let product = client(dir.path(), &clock, &dns);
    product.activate().await.unwrap();
    assert_eq!(standby.seen().len(), 1);

    let primary = Host::start(9, &clock).await;
    dns.replace(zone(&records(primary.address.port())));
    product.activate().await.unwrap();
    assert_eq!((primary.seen().len(), standby.seen().len()), (1, 1));
}
