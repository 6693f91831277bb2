//! Whom a load would ask, and whom it refuses to. Nothing here connects to anybody.

use world::dns::{DnsServer, Zone};

use super::*;

fn product() -> Product {
    let root = |seed: u8| *shared::envelope::SecretKey::from_seed(&[seed; 32]).public().as_bytes();
    Product::new([1; 16], "Atlas", [root(1), root(2)])
}

fn hosts(names: &[&str], allow: &[&str]) -> Whom {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Whom { hosts: owned(names), allow: owned(allow), ..Whom::default() }
}

async fn dns() -> DnsServer {
    let zone = "\
$TTL 60
@                      SOA  ns hostmaster 1 3600 600 86400 60
@                      NS   ns
ns                     A    127.0.0.1
near                   A    127.0.0.1
nearer                 A    127.0.0.2
far                    A    127.0.0.1
far                    A    192.0.2.7
_kms-activation._tcp   SRV  10 0 4001 near
_kms-activation._tcp   SRV  20 0 4002 nearer
_kms-activation._tcp.away   SRV  0 0 4003 far
";
    DnsServer::start(vec![Zone::parse("corp.example", zone).unwrap()]).await.unwrap()
}

#[tokio::test]
async fn hosts_on_this_machine_are_asked_in_the_order_in_which_they_were_named() {
    let wanted = hosts(&["127.0.0.1:4001", "[::1]", "localhost:4002"], &[]);
    let target = Target::find(&wanted, product()).await.unwrap();
    let names: Vec<_> = target.hosts.iter().map(|host| host.name.to_string()).collect();
    assert_eq!(names, ["127.0.0.1:4001", "[::1]:21688", "localhost:4002"]);
    assert_eq!(target.addresses()[..2], ["127.0.0.1:4001".parse().unwrap(), "[::1]:21688".parse().unwrap()]);
    assert_eq!((target.order(|_| 0), target.how.as_str()), (vec![0, 1, 2], "named"));
}

#[tokio::test]
async fn an_address_beyond_this_machine_is_refused_until_its_name_is_repeated() {
    for beyond in ["192.0.2.7", "192.0.2.7:4000", "[2001:db8::1]", "[::ffff:192.0.2.7]", "0.0.0.0"] {
        let error =
            Target::find(&hosts(&["127.0.0.1", beyond], &[]), product()).await.unwrap_err().to_string();
        assert!(error.contains("counts every simulated machine") && error.contains("--allow "), "{error}");
    }
    let allowed = Target::find(&hosts(&["192.0.2.7:4000"], &["192.0.2.7"]), product()).await.unwrap();
    assert_eq!(allowed.addresses(), ["192.0.2.7:4000".parse().unwrap()]);
    let other = Target::find(&hosts(&["192.0.2.7"], &["192.0.2.8", "192.0.2"]), product()).await;
    assert!(other.is_err(), "only the very name counts");
}

#[tokio::test]
async fn a_name_that_leads_beyond_this_machine_with_one_of_its_addresses_is_refused() {
    let dns = dns().await;
    let with_dns = |wanted: Whom| Whom { dns: Some(dns.address()), ..wanted };
    let near = Target::find(&with_dns(hosts(&["near.corp.example:4001"], &[])), product()).await.unwrap();
    assert_eq!(near.addresses(), ["127.0.0.1:4001".parse().unwrap()]);

    let far = Target::find(&with_dns(hosts(&["far.corp.example"], &[])), product()).await;

    let error = far.unwrap_err().to_string();
    assert!(error.starts_with("far.corp.example leads to 192.0.2.7, which is not this machine."), "{error}");
    assert!(error.ends_with("--allow far.corp.example"), "{error}");
    let allowed = with_dns(hosts(&["far.corp.example"], &["FAR.corp.example."]));
    assert!(Target::find(&allowed, product()).await.is_ok());
    let nowhere = Target::find(&with_dns(hosts(&["nobody.corp.example"], &[])), product()).await.unwrap_err();
    assert!(nowhere.to_string().starts_with("the name nobody.corp.example leads nowhere"), "{nowhere}");
}

#[tokio::test]
async fn hosts_of_a_domain_are_found_by_srv_and_each_machine_draws_its_order() {
    let dns = dns().await;
    let in_domain =
        |domain: &str| Whom { domain: Some(domain.to_owned()), dns: Some(dns.address()), ..Whom::default() };
    let target = Target::find(&in_domain("corp.example"), product()).await.unwrap();
    assert_eq!(target.how, "by SRV in corp.example");
    assert_eq!(target.hosts[0].name.to_string(), "near.corp.example:4001");
    assert_eq!(target.addresses(), ["127.0.0.1:4001".parse().unwrap(), "127.0.0.2:4002".parse().unwrap()]);
    assert_eq!(target.order(|_| 0), [0, 1], "by priority");
    let weighed = |weight, name: &str| Host {
        srv: Some((0, weight)),
        name: name.parse().unwrap(),
        ..target.hosts[0].clone()
    };
    let equal = Target { hosts: vec![weighed(50, "one"), weighed(50, "other")], how: String::new() };
    assert_eq!((equal.order(|_| 0), equal.order(|most| most)), (vec![0, 1], vec![1, 0]), "by weight");

    let away = Target::find(&in_domain("away.corp.example"), product()).await.unwrap_err().to_string();
    assert!(away.starts_with("far.corp.example leads to 192.0.2.7"), "SRV is no way around it: {away}");
    let none = Target::find(&in_domain("none.corp.example"), product()).await.unwrap_err().to_string();
    assert!(none.starts_with("no host is published in none.corp.example: "), "{none}");
}

#[tokio::test]
async fn who_names_nobody_is_told_what_to_name() {
    let error = Target::find(&Whom::default(), product()).await.unwrap_err().to_string();
    assert!(error.contains("name a host, or a domain"), "{error}");
    let error = Target::find(&hosts(&["::1"], &[]), product()).await.unwrap_err().to_string();
    assert!(error.contains("write an IPv6 address in brackets"), "{error}");
}
