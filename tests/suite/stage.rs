//! The scene of every story: a vendor, its product, hosts that are processes, machines with the client library.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use kms_client::{Builder, Client, Clock, Outcome, Reason, Round, SystemClock, Timestamp};
use kms_host::home::{HOUR_MS, Home};
use proto::admin::v1::{ListMachinesRequest, Machine};
use shared::policy::Policy;
use tempfile::TempDir;
use tokio::net::TcpSocket;
use world::dns::{DnsServer, Zone};
use world::shop::ORGANISATION;
use world::{HostProcess, Program, Shop};

/// Any port of this machine.
pub(crate) const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The domain in which hosts are published.
pub(crate) const DOMAIN: &str = "corp.example";

/// The service under which they are published there.
pub(crate) const SERVICE: &str = "_kms-activation._tcp.corp.example.";

/// A year, the life of most certificates.
pub(crate) const YEAR: Duration = Duration::from_hours(365 * 24);

/// No single wait of a story takes longer.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A vendor in a folder that goes away with it.
pub(crate) struct Stage {
    pub(crate) folder: TempDir,
    pub(crate) shop: Shop,
}

impl Stage {
    /// A product that needs so many machines; all its other numbers are the defaults.
    pub(crate) fn with_threshold(threshold: u32) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let policy = Policy { threshold, ..Policy::CLIENT };
        let shop = Shop::open(folder.path(), "Atlas", policy, false).unwrap();
        Stage { folder, shop }
    }

    /// A running host of the usual organisation.
    pub(crate) async fn host(&self, name: &str) -> HostProcess {
        self.host_of(name, ORGANISATION).await
    }

    /// A running host of another organisation.
    pub(crate) async fn host_of(&self, name: &str, organisation: &str) -> HostProcess {
        let home = self.shop.make_bare_host(name, HOUR_MS).unwrap();
        self.shop.certify(&home, organisation, an_hour_ago(), YEAR).unwrap();
        serve(&home).await
    }

    /// Where a machine of this name keeps its state.
    pub(crate) fn state_dir(&self, machine: &str) -> std::path::PathBuf {
        let path = self.folder.path().join("machines").join(machine);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// The client library of a machine of this name, not told where to look.
    pub(crate) fn builder(&self, machine: &str) -> Builder {
        Client::builder(self.shop.compiled())
            .state_dir(self.state_dir(machine))
            .fingerprint_source(machine.as_bytes())
    }

    /// A machine that asks these hosts, in this order.
    pub(crate) fn machine(&self, name: &str, hosts: &[SocketAddr]) -> Client {
        self.builder(name).hosts(hosts.iter().map(SocketAddr::to_string)).build().unwrap()
    }

    /// A machine that looks in DNS.
    pub(crate) fn machine_with_dns(&self, name: &str, dns: &DnsServer) -> Client {
        self.builder(name).domains([DOMAIN]).name_server(dns.address()).build().unwrap()
    }
}

/// How the host under test is started.
pub(crate) fn program() -> Program {
    Program { path: env!("CARGO_BIN_EXE_host-under-test").into(), arguments: Vec::new() }
}

/// Starts the host of this directory on a port of its own.
pub(crate) async fn serve(home: &Home) -> HostProcess {
    HostProcess::start(&program(), home, LOOPBACK).await.unwrap()
}

/// What every clock of this machine says.
pub(crate) fn now() -> Timestamp {
    SystemClock::new().now()
}

/// When most certificates began, so that none is too young for a clock that was read a moment earlier.
pub(crate) fn an_hour_ago() -> Timestamp {
    now() - Duration::from_hours(1)
}

/// A port at which nobody listens, and nobody will while this is held.
pub(crate) fn dead_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(LOOPBACK).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A name server for the usual domain with these records, as an administrator writes them.
pub(crate) async fn dns(records: &str) -> DnsServer {
    DnsServer::start(vec![zone(DOMAIN, records)]).await.unwrap()
}

/// A zone of this domain with these records.
pub(crate) fn zone(domain: &str, records: &str) -> Zone {
    let text = format!(
        "\
$TTL 60
@                     SOA ns hostmaster 1 3600 600 86400 60
@                     NS  ns
ns                    A   127.0.0.1
{records}"
    );
    Zone::parse(domain, &text).unwrap()
}

/// Every machine that the host knows.
pub(crate) async fn machines_of(host: &HostProcess) -> Vec<Machine> {
    let mut admin = host.admin().await.unwrap();
    let mut machines = Vec::new();
    let mut page_token = bytes::Bytes::new();
    loop {
        let request = ListMachinesRequest { page_token, ..ListMachinesRequest::default() };
        let page = admin.list_machines(request).await.unwrap().into_inner();
        machines.extend(page.machines);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return machines;
        }
    }
}

/// How often the host has answered so since it was started.
pub(crate) async fn answered(host: &HostProcess, outcome: &str) -> u64 {
    let status = host.status().await.unwrap();
    status.answered.iter().find(|tally| tally.name == outcome).map_or(0, |tally| tally.times)
}

/// Why each attempt of a round gave no lease: the codes, in order; `LEASE` and `WAITING` where there was an answer.
pub(crate) fn outcomes(round: &Round) -> Vec<&str> {
    let name = |outcome| match outcome {
        Outcome::Leased { .. } => "LEASE",
        Outcome::Waiting(_) => "WAITING",
        Outcome::Released => "RELEASED",
        _ => "",
    };
    let attempts = round.attempts.iter().map(|attempt| &attempt.outcome);
    attempts
        .map(|outcome| outcome.cause().map_or_else(|| name(outcome.clone()), |cause| cause.code.as_str()))
        .collect()
}

/// The reason for which a round failed altogether, and its text.
pub(crate) fn failure(round: &Round) -> (Reason, String) {
    let cause = round.outcome.cause().unwrap_or_else(|| panic!("it did not fail: {round:?}"));
    (cause.reason().unwrap(), cause.to_string())
}

/// Looks until it is so, with a bound.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let look = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, look).await.unwrap_or_else(|_| panic!("never {what}"));
}

/// A folder inside another.
pub(crate) fn folder(stage: &Stage, name: &str) -> std::path::PathBuf {
    let path = Path::new(stage.folder.path()).join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}
