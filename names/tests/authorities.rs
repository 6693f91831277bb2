//! The servers that are responsible for a name, as real name servers on loopback.

#![expect(clippy::unwrap_used, reason = "all of this is a test")]

use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{RData, Record};
use kms_dns::{DnsServer, Zone};
use kms_names::{Authorities, AuthorityAnswer};
use tokio::net::UdpSocket;

const NAME: &str = "_kms-challenge.corp.example";

/// Two servers of one zone, as the records of the zone say where they are.
const CORP: &str = "
$TTL 60
@    SOA  ns1 hostmaster 1 3600 600 86400 60
     NS   ns1
     NS   ns2
ns1  A    192.0.2.1
ns2  A    192.0.2.2
";

/// The first is also the resolver.
struct Servers([DnsServer; 2]);

impl Servers {
    async fn start(first: &str, second: &str) -> Servers {
        let mut servers = Vec::new();
        for records in [first, second] {
            let zone = Zone::parse("corp.example.", &format!("{CORP}{records}")).unwrap();
            servers.push(DnsServer::start(vec![zone]).await.unwrap());
        }
        Servers(servers.try_into().ok().unwrap())
    }

    fn authorities(&self) -> Authorities {
        let [first, second] = [0, 1].map(|number| self.0[number].address());
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        Authorities::new(first, move |address: IpAddr| match address.to_string().as_str() {
            "192.0.2.1" => first,
            "192.0.2.2" => second,
            _ => nobody,
        })
    }

    async fn texts(&self, name: &str) -> Vec<String> {
        let answers = self.authorities().texts(name).await.unwrap();
        let shown = |AuthorityAnswer { server, texts }| match texts {
            Ok(texts) => format!("{server}: {texts:?}"),
            Err(cause) => format!("{server} failed: {cause}"),
        };
        answers.into_iter().map(shown).collect()
    }
}

#[tokio::test]
async fn each_server_is_asked_and_says_what_it_has() {
    let record = "_kms-challenge TXT \"token=one \" \"expiry=never\"\n_kms-challenge TXT other\n";
    let servers = Servers::start(record, "").await;
    let [first, second] = servers.texts(NAME).await.try_into().unwrap();
    assert!(
        first.starts_with("ns1.corp.example: ") && first.contains("\"token=one expiry=never\""),
        "{first}"
    );
    assert!(first.contains("\"other\""), "{first}");
    assert_eq!(second, "ns2.corp.example: []", "one of two servers lags behind");
}

#[tokio::test]
async fn a_server_that_fails_says_nothing_and_the_other_one_is_enough() {
    let servers = Servers::start("_kms-challenge TXT one\n", "_kms-challenge TXT one\n").await;
    servers.0[1].fail(NAME);
    let [first, second] = servers.texts(NAME).await.try_into().unwrap();
    assert_eq!(first, "ns1.corp.example: [\"one\"]");
    assert!(second.starts_with("ns2.corp.example failed: "), "{second}");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_into_a_packet_is_fetched_by_tcp() {
    let long = "x".repeat(250);
    let many: Vec<_> = (0..9).map(|number| format!("_kms-challenge TXT {number}{long}\n")).collect();
    let many = many.concat();
    let servers = Servers::start(&many, &many).await;
    let answers = servers.authorities().texts(NAME).await.unwrap();
    assert!(answers.iter().all(|answer| answer.texts.as_ref().unwrap().len() == 9), "{answers:?}");
}

#[tokio::test]
async fn an_alias_is_followed_to_other_servers_and_never_in_a_circle() {
    let servers = Servers::start("", "").await;
    let alias = "_kms-challenge CNAME proof.vendor.example.\n";
    for server in &servers.0 {
        server.replace(Zone::parse("corp.example.", &format!("{CORP}{alias}")).unwrap());
    }
    let vendor = "
$TTL 60
@      SOA  ns.corp.example. hostmaster 1 3600 600 86400 60
       NS   ns1.corp.example.
proof  TXT  delegated
";
    servers.0[0].replace(Zone::parse("vendor.example.", vendor).unwrap());
    let answers = servers.texts(NAME).await;
    assert!(answers.contains(&"ns1.corp.example: [\"delegated\"]".to_owned()), "{answers:?}");
    let back = vendor.replace("TXT  delegated", "CNAME _kms-challenge.corp.example.");
    servers.0[0].replace(Zone::parse("vendor.example.", &back).unwrap());
    let answers = servers.texts(NAME).await;
    assert!(answers.iter().all(|answer| answer.contains("circle")), "{answers:?}");
}

/// A server that has the record from somewhere and is not responsible for it, such as a resolver.
async fn hearsay() -> SocketAddr {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut bytes = [0; 512];
        loop {
            let (length, asker) = socket.recv_from(&mut bytes).await.unwrap();
            let question = Message::from_vec(&bytes[..length]).unwrap();
            let mut answer = Message::response(question.metadata.id, OpCode::Query);
            answer.queries.clone_from(&question.queries);
            answer.metadata.recursion_available = true;
            let text = RData::TXT(TXT::new(vec!["one".to_owned()]));
            answer.answers.push(Record::from_rdata(question.queries[0].name().clone(), 60, text));
            socket.send_to(&answer.to_vec().unwrap(), asker).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_is_not_responsible_has_no_say() {
    let servers = Servers::start("", "").await;
    let (resolver, other) = (servers.0[0].address(), hearsay().await);
    let asked_at = move |address: IpAddr| if address.to_string() == "192.0.2.1" { resolver } else { other };
    let answers = Authorities::new(resolver, asked_at).texts(NAME).await.unwrap();
    assert_eq!(answers[0].texts, Ok(Vec::new()));
    assert_eq!(answers[1].texts, Err("127.0.0.1: it is not responsible for the name".to_owned()));
}

#[tokio::test]
async fn a_domain_that_does_not_exist_has_no_record() {
    let servers = Servers::start("", "").await;
    let nothing = servers.texts("_kms-challenge.gone.corp.example").await;
    assert_eq!(nothing, ["ns1.corp.example: []", "ns2.corp.example: []"]);
    let refused = servers.authorities().texts("_kms-challenge.elsewhere.example").await;
    assert!(refused.is_err(), "the resolver refuses: {refused:?}");
}
