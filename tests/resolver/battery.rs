//! The table: settings of a machine, and what its two lookups find.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use kms_client::{Builder, Client, Clock as _, Outcome, SystemClock};
use kms_host::home::HOUR_MS;
use shared::policy::Policy;
use tempfile::TempDir;
use world::shop::ORGANISATION;
use world::{HostProcess, Program, Shop};

use crate::network::{Named, asks_for_ipv6, prepare, refusing, relay, run as shell, silent, tcp_relay};

/// The host that records lead to.
const HOST: &str = "host.corp.example";

/// A round that takes longer hangs, as far as its user can tell.
const PATIENCE: Duration = Duration::from_mins(1);

/// The name servers at 127.0.1.N.
const GOOD: &str = "nameserver 127.0.1.1\n";

/// What the table's settings have to come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// By both.
    ByBoth,
    /// By the client alone: it does more than the C library.
    ByUs,
    /// The host's address by both, but no record: it stands nowhere that the settings name.
    NoRecord,
}
use Found::{ByBoth, ByUs, NoRecord};

/// What is tried, the text of resolv.conf (`None`: there is no such file), what is found.
const TABLE: [(&str, Option<&str>, Found); 33] = [
    ("a search list", Some("nameserver 127.0.1.1\nsearch corp.example\n"), ByBoth),
    ("a domain", Some("nameserver 127.0.1.1\ndomain corp.example\n"), ByBoth),
    (
        "the last of domain and search",
        Some("nameserver 127.0.1.1\nsearch no.example\ndomain corp.example\n"),
        ByBoth,
    ),
    ("no domain", Some("nameserver 127.0.1.1\n"), NoRecord),
    ("no file: this machine's server", None, NoRecord),
    ("no server: this machine's", Some("search corp.example\n"), ByBoth),
    ("an entry that is no domain", Some("nameserver 127.0.1.1\nsearch foo..bar corp.example\n"), ByBoth),
    ("the root and commas", Some("nameserver 127.0.1.1\nsearch . a,b corp.example\n"), ByBoth),
    (
        "a server that is no address",
        Some("nameserver dns1\nnameserver 127.0.1.1\nsearch corp.example\n"),
        ByBoth,
    ),
    (
        "comments and blanks",
        Some("; a\n# b\n\n\t \nnameserver\t127.0.1.1  \nsearch  corp.example\t\n"),
        ByBoth,
    ),
    (
        "the seventh domain",
        Some(
            "nameserver 127.0.1.1\nsearch a.example b.example c.example d.example e.example f.example corp.example\n",
        ),
        ByBoth,
    ),
    ("an alias", Some("nameserver 127.0.1.1\nsearch dept.corp.example\n"), ByBoth),
    ("an alias below a DNAME", Some("nameserver 127.0.1.1\nsearch old.corp.example\n"), ByBoth),
    ("many records, truncated", Some("nameserver 127.0.1.1\nsearch many.corp.example\n"), ByBoth),
    ("an alias of nothing", Some("nameserver 127.0.1.1\nsearch gone.corp.example\n"), NoRecord),
    ("aliases in a circle", Some("nameserver 127.0.1.1\nsearch ring.corp.example\n"), NoRecord),
    ("no service", Some("nameserver 127.0.1.1\nsearch none.corp.example\n"), NoRecord),
    ("port 0 beside a good one", Some("nameserver 127.0.1.1\nsearch half.corp.example\n"), ByBoth),
    ("lines of another system", Some("nameserver 127.0.1.1\r\nsearch corp.example\r\n"), ByBoth),
    (
        "more than the C library waits",
        Some("nameserver 127.0.1.1\nsearch corp.example\noptions timeout:99 attempts:99\n"),
        ByBoth,
    ),
    (
        "a dead server first",
        Some("nameserver 127.0.1.99\nnameserver 127.0.1.1\nsearch corp.example\noptions timeout:1\n"),
        ByBoth,
    ),
    (
        "two silent servers first",
        Some(
            "nameserver 127.0.1.2\nnameserver 127.0.1.3\nnameserver 127.0.1.1\nsearch corp.example\noptions timeout:1\n",
        ),
        ByBoth,
    ),
    (
        "three silent servers first",
        Some(
            "nameserver 127.0.1.2\nnameserver 127.0.1.3\nnameserver 127.0.1.4\nnameserver 127.0.1.1\nsearch corp.example\noptions timeout:1 attempts:1\n",
        ),
        ByUs,
    ),
    (
        "a server that refuses first",
        Some("nameserver 127.0.1.5\nnameserver 127.0.1.1\nsearch corp.example\n"),
        ByBoth,
    ),
    ("a slow server", Some("nameserver 127.0.1.6\nsearch corp.example\noptions timeout:3\n"), ByBoth),
    (
        "a server that is slower than the timeout",
        Some("nameserver 127.0.1.6\nsearch corp.example\noptions timeout:1 attempts:3\n"),
        ByBoth,
    ),
    (
        "a server that drops EDNS",
        Some("nameserver 127.0.1.7\nsearch corp.example\noptions timeout:1\n"),
        ByBoth,
    ),
    (
        "a server that cannot read EDNS",
        Some("nameserver 127.0.1.8\nsearch corp.example\noptions timeout:1\n"),
        ByBoth,
    ),
    (
        "a server that drops AAAA",
        Some("nameserver 127.0.1.9\nsearch corp.example\noptions timeout:1\n"),
        ByBoth,
    ),
    ("TCP alone", Some("nameserver 127.0.1.10\nsearch corp.example\noptions use-vc\n"), ByBoth),
    (
        "rotation",
        Some("nameserver 127.0.1.99\nnameserver 127.0.1.1\nsearch corp.example\noptions rotate timeout:1\n"),
        ByBoth,
    ),
    ("a link-local server", Some("nameserver fe80::53%kms0\nsearch corp.example\n"), ByBoth),
    (
        "many dots before a name is complete",
        Some("nameserver 127.0.1.1\nsearch corp.example\noptions ndots:5\n"),
        ByBoth,
    ),
];

/// The scene: a vendor, a host, and name servers of every kind.
struct Scene {
    folder: TempDir,
    shop: Shop,
    host: HostProcess,
    _servers: Vec<Named>,
}

impl Scene {
    async fn set() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let shop =
            Shop::open(folder.path(), "Atlas", Policy { threshold: 1, ..Policy::CLIENT }, false).unwrap();
        let home = shop.make_bare_host("host", HOUR_MS).unwrap();
        let began = SystemClock::new().now() - Duration::from_hours(1);
        shop.certify(&home, ORGANISATION, began, Duration::from_hours(9000)).unwrap();
        let program = Program { path: env!("CARGO_BIN_EXE_host-under-test").into(), arguments: Vec::new() };
        let host = HostProcess::start(&program, &home, "127.0.2.1:0".parse().unwrap()).await.unwrap();
        let zone = folder.path().join("zone");
        fs::write(&zone, zone_text(host.address().port())).unwrap();
        let named = |address: &str, switches: &[&str]| Named::start(folder.path(), address, &zone, switches);
        // `named` listens at addresses that an interface has.
        for last in [1, 6, 7, 8] {
            shell(&format!("ip address add 127.0.1.{last}/8 dev lo"));
        }
        let servers = vec![
            named("127.0.0.1", &[]),
            named("127.0.1.1", &[]),
            named("127.0.1.6", &["delay=1500"]),
            named("127.0.1.7", &["dropedns"]),
            named("127.0.1.8", &["ednsformerr"]),
            named("fe80::53", &[]),
        ];
        ["127.0.1.2", "127.0.1.3", "127.0.1.4"].into_iter().for_each(silent);
        refusing("127.0.1.5");
        relay("127.0.1.9", "127.0.1.1", asks_for_ipv6);
        tcp_relay("127.0.1.10", "127.0.1.1");
        Scene { folder, shop, host, _servers: servers }
    }

    /// A machine that has never asked, and knows only what its system says.
    fn machine(&self, number: usize) -> Builder {
        let state = self.folder.path().join(format!("machine-{number}"));
        fs::create_dir(&state).unwrap();
        let builder = Client::builder(self.shop.compiled()).state_dir(state);
        builder.fingerprint_source(number.to_string().as_bytes())
    }
}

fn zone_text(port: u16) -> String {
    let many: Vec<_> = (0..40)
        .map(|n| format!("_kms-activation._tcp.many SRV 20 100 1 a-host-with-a-long-name-{n}\n"))
        .collect();
    let many = many.concat();
    format!(
        "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 5\n@ NS ns\nns A 127.0.1.1\nhost A 127.0.2.1\n\
         _kms-activation._tcp SRV 10 100 {port} host\n_kms-activation._tcp.many SRV 10 100 {port} host\n\
         _kms-activation._tcp.dept CNAME _kms-activation._tcp\nnew A 127.0.2.9\n_kms-activation._tcp.new SRV 10 100 {port} host\n\
         old DNAME new\n_kms-activation._tcp.gone CNAME nothing\n\
         _kms-activation._tcp.ring CNAME _kms-activation._tcp.gnir\n_kms-activation._tcp.gnir CNAME _kms-activation._tcp.ring\n\
         _kms-activation._tcp.none SRV 0 0 0 .\n_kms-activation._tcp.half SRV 10 100 0 host\n\
         _kms-activation._tcp.half SRV 20 100 {port} host\n{many}"
    )
}

/// The addresses that the C library finds.
fn getent(name: &str) -> BTreeSet<IpAddr> {
    let output = Command::new("getent").args(["ahosts", name]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let addresses = text.lines().filter_map(|line| line.split_whitespace().next()?.parse::<IpAddr>().ok());
    // What the hosts file has is listed as an IPv6 address, too.
    addresses.map(|address| address.to_canonical()).collect()
}

/// Goes through the table; each row by a machine of its own.
pub(crate) async fn run() {
    let scene = Scene::set().await;
    let mut wrong = Vec::new();
    for (number, (what, settings, expected)) in TABLE.into_iter().enumerate() {
        match settings {
            Some(text) => fs::write("/etc/resolv.conf", text).unwrap(),
            None => fs::remove_file("/etc/resolv.conf").unwrap(),
        }
        let machine = scene.machine(number).build().unwrap();
        let asked = tokio::task::spawn_blocking(|| getent(HOST));
        let round = tokio::time::timeout(PATIENCE, machine.activate()).await.expect(what).unwrap();
        let known = asked.await.unwrap();
        let lease = round.attempts.iter().find(|attempt| matches!(attempt.outcome, Outcome::Leased { .. }));
        let ours: BTreeSet<IpAddr> =
            lease.and_then(|attempt| attempt.address).map(|at| at.ip()).into_iter().collect();
        let is_so = match expected {
            ByBoth => ours == known && ours.contains(&scene.host.address().ip()),
            ByUs => known.is_empty() && ours.contains(&scene.host.address().ip()),
            NoRecord => ours.is_empty() && known.contains(&scene.host.address().ip()),
        };
        println!("{} {what}: getent {known:?}, the client {ours:?}", if is_so { "ok   " } else { "WRONG" });
        if !is_so {
            wrong.push(format!("{what}: {:#?}", round.attempts));
        }
    }
    whole_answer(&scene, &mut wrong).await;
    hosts_file(&scene, &mut wrong).await;
    given_server(&scene, &mut wrong).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An answer that does not fit into a datagram may have the best record in the part that was cut off.
async fn whole_answer(scene: &Scene, wrong: &mut Vec<String>) {
    fs::write("/etc/resolv.conf", format!("{GOOD}search many.corp.example\n")).unwrap();
    let found = scene.machine(TABLE.len() + 3).build().unwrap().discover().await;
    if found.hosts.len() != 41 {
        wrong.push(format!("of 41 records {} were found", found.hosts.len()));
    }
}

/// DNS names the host, and the hosts file says where it is: files go before DNS.
async fn hosts_file(scene: &Scene, wrong: &mut Vec<String>) {
    fs::write("/etc/resolv.conf", format!("{GOOD}search corp.example\n")).unwrap();
    let hosts = fs::read_to_string("/etc/hosts").unwrap();
    fs::write("/etc/hosts", format!("{hosts}\n127.0.2.7 {HOST}\n")).unwrap();
    let round = scene.machine(TABLE.len()).build().unwrap().activate().await.unwrap();
    // Nobody listens there, and the cause names the address that was tried.
    let shown = format!("{:?}", round.attempts);
    let known = getent(HOST);
    if known != BTreeSet::from([IpAddr::from([127, 0, 2, 7])]) || !shown.contains("HOST_UNREACHABLE") {
        wrong.push(format!("the hosts file: getent {known:?}, {shown}"));
    }
}

/// A name server that was given takes the place of the machine's, and of nothing else: the search list holds, and a record is
/// found by the one and its host's address, too.
async fn given_server(scene: &Scene, wrong: &mut Vec<String>) {
    for (number, settings) in
        ["search foo..bar corp.example\n", "nameserver dns1\ndomain corp.example\n"].iter().enumerate()
    {
        fs::write("/etc/resolv.conf", settings).unwrap();
        let machine = scene.machine(TABLE.len() + 1 + number).name_server("127.0.1.1:53".parse().unwrap());
        let round = machine.build().unwrap().activate().await.unwrap();
        let told =
            round.attempts.iter().any(|attempt| attempt.outcome.to_string().contains("DNS_SETTING_BAD"));
        if !matches!(round.outcome, Outcome::Leased { .. }) || !told {
            wrong.push(format!("a server that was given: {:#?}", round.attempts));
        }
    }
}
