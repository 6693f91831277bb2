//! The name server as a resolver sees it: hickory-resolver asks it over loopback, as the client library does.
//!
//! How zone text is read, and which line an error names, is tested in `zone_text.rs`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RData;
use kms_dns::{DnsServer, Query, RecordType, Zone};
use tokio::net::{TcpListener, UdpSocket};

const SERVICE: &str = "_kms-activation._tcp.corp.example.";

const CORP: &str = "
$TTL 60
@       SOA  ns hostmaster ( 1 3600 600 86400 60 )
        NS   ns
ns      A    127.0.0.1
; Two hosts share the load, a third is for the day when both are down.
_kms-activation._tcp  SRV  0  60 21688 kms1
                      SRV  0  40 21689 kms2
                      SRV  10  0 21688 spare.elsewhere.example.
kms1    A    127.0.0.1
        AAAA ::1
kms2    A    127.0.0.2
";

#[tokio::test]
async fn the_hosts_of_a_service_are_read_back_with_their_addresses() {
    let server = DnsServer::start(vec![zone("corp.example", CORP)]).await.unwrap();

    let lookup = resolver(&server).srv_lookup(SERVICE).await.unwrap();

    assert_eq!(
        srv_records(lookup.answers()),
        [
            "0 60 21688 kms1.corp.example.",
            "0 40 21689 kms2.corp.example.",
            "10 0 21688 spare.elsewhere.example.",
        ]
    );
    // Hickory sends along the addresses of the first target only; a client looks up the others.
    let addresses: Vec<_> =
        lookup.additionals().iter().map(|record| format!("{} {}", record.name, record.data)).collect();
    assert_eq!(addresses, ["kms1.corp.example. 127.0.0.1", "kms1.corp.example. ::1"]);
}

#[tokio::test]
async fn a_target_resolves_to_both_kinds_of_address() {
    let server = DnsServer::start(vec![zone("corp.example", CORP)]).await.unwrap();

    let lookup = resolver(&server).lookup_ip("kms1.corp.example.").await.unwrap();

    let mut addresses: Vec<IpAddr> = lookup.iter().collect();
    addresses.sort();
    assert_eq!(addresses, ["127.0.0.1".parse::<IpAddr>().unwrap(), "::1".parse().unwrap()]);
}

#[tokio::test]
async fn an_edited_zone_is_served_at_once() {
    let server = DnsServer::start(vec![zone("corp.example", CORP)]).await.unwrap();
    resolver(&server).srv_lookup(SERVICE).await.unwrap();

    server.replace(zone("CORP.example.", &CORP.replace("0  60 21688 kms1", "5  60 21700 kms1")));

    let lookup = resolver(&server).srv_lookup(SERVICE).await.unwrap();
    assert!(srv_records(lookup.answers()).contains(&"5 60 21700 kms1.corp.example.".to_owned()));
}

#[tokio::test]
async fn a_zone_that_is_added_later_is_served_beside_the_first() {
    let server = DnsServer::start(vec![zone("corp.example", CORP)]).await.unwrap();

    server.replace(zone("branch.example", CORP));

    let resolver = resolver(&server);
    resolver.srv_lookup(SERVICE).await.unwrap();
    resolver.srv_lookup("_kms-activation._tcp.branch.example.").await.unwrap();
}

#[tokio::test]
async fn no_such_name_and_no_such_record_and_not_our_zone_are_told_apart() {
    let server = DnsServer::start(vec![zone("corp.example", CORP)]).await.unwrap();
    let resolver = resolver(&server);

    let no_name = resolver.srv_lookup("_other._tcp.corp.example.").await.unwrap_err();
    assert!(no_name.is_nx_domain(), "{no_name:?}");

    let no_record = resolver.srv_lookup("kms1.corp.example.").await.unwrap_err();
    assert!(no_record.is_no_records_found() && !no_record.is_nx_domain(), "{no_record:?}");

    let not_ours = resolver.srv_lookup("_kms-activation._tcp.branch.example.").await.unwrap_err();
    assert_eq!(response_code(&not_ours), Some(ResponseCode::Refused), "{not_ours:?}");
}

#[tokio::test]
async fn a_root_zone_with_its_soa_only_makes_every_other_name_unknown() {
    let root = zone(".", "@ 60 SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 60");
    let server = DnsServer::start(vec![root, zone("corp.example", CORP)]).await.unwrap();
    let resolver = resolver(&server);

    let unknown = resolver.srv_lookup("_kms-activation._tcp.").await.unwrap_err();

    assert!(unknown.is_nx_domain(), "{unknown:?}");
    resolver.srv_lookup(SERVICE).await.unwrap();
}

#[tokio::test]
async fn every_question_is_recorded_in_its_order() {
    let server = DnsServer::start(vec![zone("corp.example", CORP)]).await.unwrap();
    let resolver = resolver(&server);

    resolver.srv_lookup("_KMS-Activation._tcp.Corp.example.").await.unwrap();
    resolver.ipv6_lookup("kms1.corp.example.").await.unwrap();
    resolver.srv_lookup("_kms-activation._tcp.").await.unwrap_err();

    let mut queries = server.queries();
    // A refused question may be asked again.
    queries.dedup();
    assert_eq!(
        queries,
        [
            query(SERVICE, RecordType::SRV),
            query("kms1.corp.example.", RecordType::AAAA),
            query("_kms-activation._tcp.", RecordType::SRV),
        ]
    );
}

#[tokio::test]
async fn the_same_port_answers_over_tcp() {
    let server = DnsServer::start(vec![zone("corp.example", CORP)]).await.unwrap();

    let over_tcp = resolver_with(server.address(), vec![ConnectionConfig::tcp()], PATIENT);

    assert_eq!(over_tcp.srv_lookup(SERVICE).await.unwrap().answers().len(), 3);
}

#[tokio::test]
async fn an_answer_too_long_for_udp_is_fetched_over_tcp() {
    use std::fmt::Write;

    let mut text = CORP.to_owned();
    for host in 1..=100 {
        write!(text, "\n_many._tcp SRV 0 0 21688 a-host-with-quite-a-long-name-{host}").unwrap();
    }
    let server = DnsServer::start(vec![zone("corp.example", &text)]).await.unwrap();

    let lookup = resolver(&server).srv_lookup("_many._tcp.corp.example.").await.unwrap();

    assert_eq!(lookup.answers().len(), 100);
    assert_eq!(server.queries().len(), 2, "once over UDP, once over TCP");
}

#[tokio::test]
async fn a_silenced_name_times_out_while_others_are_answered() {
    let server = DnsServer::start(vec![zone("corp.example", CORP)]).await.unwrap();
    server.silence("_Kms-Activation._tcp.corp.example");

    let impatient = resolver_with(server.address(), vec![ConnectionConfig::udp()], Duration::from_millis(50));
    let silent = impatient.srv_lookup(SERVICE).await.unwrap_err();

    assert!(matches!(silent, NetError::Timeout), "{silent:?}");
    assert!(server.queries().contains(&query(SERVICE, RecordType::SRV)));
    let resolver = resolver(&server);
    resolver.ipv4_lookup("kms1.corp.example.").await.unwrap();

    server.mend(SERVICE);
    resolver.srv_lookup(SERVICE).await.unwrap();
}

#[tokio::test]
async fn a_failing_name_is_answered_servfail_until_it_is_mended() {
    let server = DnsServer::start(vec![zone("corp.example", CORP)]).await.unwrap();
    server.fail(SERVICE);
    let resolver = resolver(&server);

    let failed = resolver.srv_lookup(SERVICE).await.unwrap_err();

    assert_eq!(response_code(&failed), Some(ResponseCode::ServFail), "{failed:?}");
    server.mend(SERVICE);
    resolver.srv_lookup(SERVICE).await.unwrap();
}

#[tokio::test]
async fn a_stopped_server_leaves_its_port_free() {
    let server = DnsServer::start(vec![zone("corp.example", CORP)]).await.unwrap();
    let address = server.address();

    server.stop().await.unwrap();

    UdpSocket::bind(address).await.unwrap();
    TcpListener::bind(address).await.unwrap();
}

const PATIENT: Duration = Duration::from_secs(10);

fn zone(origin: &str, text: &str) -> Zone {
    Zone::parse(origin, text).expect("the zone of a test can be read")
}

fn query(name: &str, record_type: RecordType) -> Query {
    Query { name: name.to_owned(), record_type }
}

/// A resolver with an empty cache, which asks `server` alone.
fn resolver(server: &DnsServer) -> TokioResolver {
    resolver_with(server.address(), vec![ConnectionConfig::udp(), ConnectionConfig::tcp()], PATIENT)
}

fn resolver_with(
    address: SocketAddr,
    mut connections: Vec<ConnectionConfig>,
    timeout: Duration,
) -> TokioResolver {
    for connection in &mut connections {
        connection.port = address.port();
    }
    let name_server = NameServerConfig::new(address.ip(), true, connections);
    let config = ResolverConfig::from_name_servers(vec![name_server]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.timeout = timeout;
    options.attempts = 1;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build().expect("a resolver without TLS needs nothing that could be missing")
}

fn srv_records(answers: &[hickory_resolver::proto::rr::Record]) -> Vec<String> {
    let mut records = Vec::new();
    for record in answers {
        let RData::SRV(srv) = &record.data else { continue };
        records.push(format!("{} {} {} {}", srv.priority, srv.weight, srv.port, srv.target));
    }
    records
}

fn response_code(error: &NetError) -> Option<ResponseCode> {
    match error {
        NetError::Dns(DnsError::ResponseCode(code)) => Some(*code),
        _ => None,
    }
}
