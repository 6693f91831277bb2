//! Asks that no host answers: every host and every DNS name has its own cause.

use std::net::UdpSocket;

use kms_dns::{DnsServer, Zone};
use tokio::runtime::Runtime;

use crate::{Machine, PINNED, bare, nobody};

#[test]
fn an_ask_that_nobody_hears_names_the_address_and_the_cause() {
    let (machine, address) = (Machine::new(), nobody());
    let (code, text) = machine.answer(&["activate", "--host", &address]);
    assert_eq!(code, 69);
    let named = format!("{address} (command line): HOST_UNREACHABLE: no connection to {address}: ");
    assert!(text.contains(&named) && text.contains("remedy: check that the host runs"), "{text}");
    assert!(text.contains("in grace until"), "{text}");

    let (_, text) = machine.answer(&["status"]);
    let reason = format!("last reason   HOST_UNREACHABLE: no connection to {address}: ");
    assert!(text.contains(&reason), "{text}");
}

#[test]
fn every_host_is_listed_with_its_own_cause() {
    let (machine, one, other) = (Machine::new(), nobody(), nobody());
    let json = machine.json(&["activate", "--host", &one, "--host", &other]);
    let hosts: Vec<_> = json["attempts"].as_array().unwrap().iter().map(|tried| &tried["host"]).collect();
    assert_eq!(hosts, [one.as_str(), other.as_str()]);
    assert_eq!(json["attempts"][1]["cause"]["code"], "HOST_UNREACHABLE");
}

/// `status` in another process showed `no connection to <address>: <cause>`, and no other host than the first.
#[test]
fn another_process_shows_the_last_round_with_each_host_and_its_own_cause() {
    let (machine, one, other) = (Machine::new(), nobody(), nobody());
    let asked = machine.json(&["activate", "--host", &one, "--host", &other]);
    let shown = machine.json(&["status"]);
    for field in ["attempts", "last_cause", "last_reason", "asked_at_ms", "remedy"] {
        assert_eq!(shown[field], asked[field], "{field}");
    }
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 2);
    let (_, text) = machine.answer(&["status"]);
    let round = text.split_once("last round").unwrap().1;
    for host in [&one, &other] {
        let part = format!("{host} (command line): HOST_UNREACHABLE: no connection to {host}: ");
        assert!(round.contains(&part), "{part}: {text}");
    }
    assert!(!text.contains('<') && !text.contains(": ?"), "{text}");

    machine.answer(&["identity", "reset", "--yes"]);
    assert_eq!(machine.json(&["status"])["attempts"], serde_json::json!([]));
}

#[test]
fn a_release_that_nobody_hears_changes_nothing() {
    let (machine, address) = (Machine::new(), nobody());
    let (code, text) = machine.answer(&["release", "--host", &address]);
    assert_eq!(code, 69);
    assert!(text.contains("Not released") && text.contains("HOST_UNREACHABLE"), "{text}");
}

/// A name server that knows one domain with a host and one without.
fn name_server(runtime: &Runtime) -> DnsServer {
    let head = "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n";
    let records = "_kms-activation._tcp SRV 10 5 21688 kms1\nkms1 A 127.0.0.1\n\
                   _example-cad._tcp SRV 10 5 21688 kms2\nkms2 A 127.0.0.1\n";
    let with = Zone::parse("corp.example.", &format!("{head}{records}")).unwrap();
    let without = Zone::parse("empty.example.", head).unwrap();
    let half =
        "_kms-activation._tcp SRV 10 5 0 kms1\n_kms-activation._tcp SRV 20 5 21688 kms1\nkms1 A 127.0.0.1\n";
    let half = Zone::parse("half.example.", &format!("{head}{half}")).unwrap();
    runtime.block_on(DnsServer::start(vec![with, without, half])).unwrap()
}

#[test]
fn discovery_says_who_named_a_host_and_which_name_does_not_exist() {
    let runtime = Runtime::new().unwrap();
    let (machine, server) = (Machine::new(), name_server(&runtime));
    let dns = server.address().to_string();
    let (code, text) =
        machine.answer(&["discover", "--dns", &dns, "--domain", "corp.example", "--domain", "empty.example"]);
    assert_eq!(code, 0, "{text}");
    let found = "1  kms1.corp.example:21688  (DNS corp.example, priority 10, weight 5)";
    assert!(text.contains(found), "{text}");
    assert!(
        text.contains("Looked in vain:\n  _kms-activation._tcp.empty.example.\n      DNS_NO_RECORD: "),
        "{text}"
    );

    let (code, text) = machine.answer(&["discover", "--dns", &dns, "--domain", "empty.example"]);
    assert_eq!(code, 69, "{text}");
    assert!(text.contains("remedy: publish an SRV record"), "{text}");
    assert_eq!(server.queries().iter().filter(|query| !query.name.ends_with(".example.")).count(), 0);
}

#[test]
fn discovery_shows_each_domain_each_record_and_what_was_left_out() {
    let runtime = Runtime::new().unwrap();
    let (machine, server) = (Machine::new(), name_server(&runtime));
    let dns = server.address().to_string();
    let asked = ["--domain", "half.example", "--domain", "empty.example", "--domain", "foo..bar"];
    let discover = ["discover", "--dns", &dns];
    let (code, text) = machine.answer(&[&discover[..], &asked].concat());
    assert_eq!(code, 0, "{text}");
    let domains = "DNS was asked about:\n  _kms-activation._tcp.half.example.\n";
    assert!(text.starts_with(domains), "{text}");
    for shown in [
        "\n      SRV 10 5 0 kms1.half.example.\n",
        "\n      SRV 20 5 21688 kms1.half.example.\n",
        "\n  _kms-activation._tcp.empty.example.  nothing\n",
        "\n  1  kms1.half.example:21688  (DNS half.example, priority 20, weight 5)\n",
        "\nLeft out:\n  _kms-activation._tcp.half.example.\n      DNS_PORT_ZERO: ",
        "\n  foo..bar\n      DNS_SETTING_BAD: ",
    ] {
        assert!(text.contains(shown), "{shown} is missing: {text}");
    }
    let json = machine.json(&[&discover[..], &asked].concat());
    assert_eq!(json["domains"][0]["records"][0]["target"], "kms1.half.example.");
    assert_eq!(json["left_out"][0]["cause"]["code"], "DNS_PORT_ZERO");
    assert_eq!(json["left_out"].as_array().unwrap().len(), 2);
}

/// A name server that answers every question with SRV records of these targets, each one label of raw bytes: no zone file has
/// them all.
fn raw_name_server(targets: &[&[u8]]) -> String {
    let record = |target: &[u8]| {
        // The name that was asked, SRV, IN, 60 s; then priority 10, weight 5, port 21688.
        let mut record =
            [&b"\xc0\x0c\0\x21\0\x01\0\0\0\x3c\0"[..], &[u8::try_from(target.len()).unwrap() + 8]].concat();
        record.extend(b"\0\x0a\0\x05\x54\xb8");
        record.push(u8::try_from(target.len()).unwrap());
        record.extend(target);
        record.push(0);
        record
    };
    let records: Vec<_> = targets.iter().flat_map(|target| record(target)).collect();
    let count = u8::try_from(targets.len()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((_, asker)) = socket.recv_from(&mut query) {
            let question = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
            let head = [query[0], query[1], 0x85, 0x80, 0, 1, 0, count, 0, 0, 0, 0];
            socket.send_to(&[&head, &query[12..question], &records].concat(), asker).unwrap();
        }
    });
    address
}

/// DNS escapes were shown: a space as `\040`, an umlaut as `\303\274`.
#[test]
fn names_from_dns_are_shown_as_people_type_them_and_drive_no_terminal() {
    let machine = Machine::new();
    let deceiving = "a\u{1b}[2J\u{202e}\nb";
    let dns = raw_name_server(&[b"kms 1", "m\u{fc}nchen".as_bytes(), deceiving.as_bytes(), b"kms1.corp"]);
    let (code, text) = machine.answer(&["discover", "--dns", &dns, "--domain", "odd.example"]);
    assert_eq!(code, 69, "{text}");
    for shown in ["kms 1.", "m\u{fc}nchen.", r"a\u{1b}[2J\u{202e} b.", r"kms1\.corp."] {
        assert!(text.contains(&format!("\n      SRV 10 5 21688 {shown}\n")), "{shown}: {text}");
        let cause = format!("DNS_TARGET_BAD: an SRV record has the target {shown}, which names no host");
        assert!(text.contains(&cause), "{cause}: {text}");
    }
}

/// A product could have a label of its own, but its file could not. Support then searched under the wrong label.
#[test]
fn a_product_with_its_own_label_is_looked_for_there() {
    let runtime = Runtime::new().unwrap();
    let (machine, server) = (Machine::new(), name_server(&runtime));
    let dns = server.address().to_string();
    let discover = ["discover", "--product", PINNED, "--dns", &dns, "--domain", "corp.example"];
    let output = bare(&machine.home, &discover);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1  kms2.corp.example:21688  (DNS corp.example"), "{text}");
    assert!(!text.contains("kms1"), "{text}");
    assert_eq!(output.status.code(), Some(0));
}
