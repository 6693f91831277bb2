//! The words of the stories: a vendor, a clock that everybody goes by, hosts and machines on it, and what people see.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kms_client::{Cause, Clock, LicenseState, MachineId, Outcome, Snapshot, Timestamp};
use proto::admin::v1::admin_service_server::AdminService;
use proto::admin::v1::{
    ConfirmClockRequest, GetStatusRequest, GetStatusResponse, ListRefusalsRequest, RecentRefusal,
};
use shared::answer::Verdict;
use shared::policy::Policy;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tonic::Request;
use world::machine::{Finds, copy_folder};
use world::{Asker, Machine, Shop, TestClock, TestHost, asker};

pub(crate) use world::clock::NEW_YEAR;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_mins(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// A change that does not come within this will not come.
const BOUND: Duration = Duration::from_secs(20);

/// A vendor with one product of production's numbers, and the clock of everybody who has none of their own.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) shop: Shop,
    pub(crate) clock: Arc<TestClock>,
}

impl World {
    pub(crate) fn with_threshold(threshold: u32) -> World {
        let folder = tempfile::tempdir().unwrap();
        let policy = Policy { threshold, ..Policy::CLIENT };
        let shop = Shop::open(folder.path(), "atlas", policy, false).unwrap();
        World { folder, shop, clock: Arc::new(TestClock::at(NEW_YEAR)) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Time passes for everybody until this instant.
    pub(crate) fn advance_to(&self, instant: Timestamp) {
        self.clock.advance(instant.since(self.now()));
    }

    /// A place on somebody's disk.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn host(&self, name: &str) -> TestHost {
        self.host_by(name, &self.clock).await
    }

    /// A host with these settings, as far as they are limits of what machines may bring.
    pub(crate) async fn host_with(&self, name: &str, settings: &str) -> TestHost {
        let home = self.shop.make_host(name, self.now()).unwrap();
        std::fs::write(home.path().join("kms-host.toml"), settings).unwrap();
        TestHost::start(&home, Arc::clone(&self.clock)).await.unwrap()
    }

    /// A host that goes by this clock.
    pub(crate) async fn host_by(&self, name: &str, clock: &Arc<TestClock>) -> TestHost {
        let home = self.shop.make_host(name, clock.now()).unwrap();
        TestHost::start(&home, Arc::clone(clock)).await.unwrap()
    }

    /// The machine of this name, which asks these hosts.
    pub(crate) fn machine(&self, name: &str, hosts: &[SocketAddr]) -> Machine {
        self.machine_by(name, hosts, &self.clock)
    }

    /// A machine that goes by this clock.
    pub(crate) fn machine_by(&self, name: &str, hosts: &[SocketAddr], clock: &Arc<TestClock>) -> Machine {
        self.machine_in(name, name, hosts, clock)
    }

    /// The installation on this disk, started under an operating system of this id.
    pub(crate) fn machine_in(
        &self,
        disk: &str,
        os_id: &str,
        hosts: &[SocketAddr],
        clock: &Arc<TestClock>,
    ) -> Machine {
        let finds = Finds::Named(hosts.iter().map(ToString::to_string).collect());
        Machine::new(&self.shop, &self.path(disk), os_id, &finds, Some(Arc::clone(clock))).unwrap()
    }

    /// So many other machines ask, all at this moment.
    pub(crate) async fn crowd(&self, size: usize, host: &TestHost) -> Vec<Asker> {
        let mut crowd: Vec<_> = (0..size).map(|_| Asker::new(&self.shop).unwrap()).collect();
        for asker in &mut crowd {
            let verdict = asker.ask(&mut asker::wire(host.address()).unwrap(), self.now()).await.unwrap();
            assert!(matches!(verdict, Verdict::Leased(_) | Verdict::Waiting(_)), "{verdict:?}");
        }
        crowd
    }
}

/// Puts a folder back to an earlier copy of it.
pub(crate) fn roll_back(folder: &Path, copy: &Path) {
    std::fs::remove_dir_all(folder).unwrap();
    copy_folder(copy, folder).unwrap();
}

/// Stops a host and starts it again, at the same address and by the same clock.
pub(crate) async fn restart(host: TestHost) -> TestHost {
    let (clock, address) = (Arc::clone(&host.clock), host.address());
    let home = host.stop().await.unwrap();
    TestHost::start_at(&home, clock, address).await.unwrap()
}

// What the user of a machine does and sees.

pub(crate) async fn ask(machine: &Machine) -> Outcome {
    machine.client.activate().await.unwrap().outcome
}

pub(crate) fn state(machine: &Machine) -> LicenseState {
    machine.client.state()
}

/// Who it is in the eyes of its product.
pub(crate) fn identity(machine: &Machine) -> MachineId {
    machine.client.snapshot().machine
}

pub(crate) fn licensed(until: Timestamp) -> LicenseState {
    LicenseState::Licensed { until }
}

/// Asks, and expects to be licensed for 180 days from now.
pub(crate) async fn expect_lease(machine: &Machine) {
    let outcome = ask(machine).await;
    let until = machine.clock.as_ref().unwrap().now() + 180 * DAY;
    assert_eq!(outcome, Outcome::Leased { until }, "{outcome}");
    assert_eq!(state(machine), licensed(until));
}

/// Asks, and expects to wait for others.
pub(crate) async fn expect_waiting(machine: &Machine, count: u64) {
    match ask(machine).await {
        Outcome::Waiting(waited) => assert_eq!(waited.count, count),
        other => panic!("no waiting: {other}"),
    }
}

/// Asks, and expects a signed refusal with this code.
pub(crate) async fn expect_refusal(machine: &Machine, code: &str) -> Cause {
    match ask(machine).await {
        Outcome::Refused(cause) if cause.code == code => cause,
        other => panic!("no {code}: {other}"),
    }
}

/// The product's own loop, which the vendor's code starts.
pub(crate) struct Agent(JoinHandle<()>);

impl Agent {
    pub(crate) fn of(machine: &Machine) -> Agent {
        let client = machine.client.clone();
        Agent(tokio::spawn(async move { client.run(std::future::pending()).await }))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits until the product is shown this.
pub(crate) async fn until(machine: &Machine, is_shown: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut shown = machine.client.watch();
    let wanted = tokio::time::timeout(BOUND, shown.wait_for(|snapshot| is_shown(snapshot))).await;
    let wanted = wanted.map(|snapshot| snapshot.unwrap().clone());
    wanted.unwrap_or_else(|_| panic!("still {:#?}", machine.client.snapshot()))
}

// What the administrator of a host does and sees.

pub(crate) async fn status(host: &TestHost) -> GetStatusResponse {
    host.admin().get_status(Request::new(GetStatusRequest::default())).await.unwrap().into_inner()
}

/// The count of the only product.
pub(crate) async fn count(host: &TestHost) -> u64 {
    status(host).await.products[0].count
}

/// Why the host doubts its clock; empty where it does not.
pub(crate) async fn doubt(host: &TestHost) -> String {
    status(host).await.doubt
}

/// The latest refusals, newest first.
pub(crate) async fn refusals(host: &TestHost) -> Vec<RecentRefusal> {
    let all = ListRefusalsRequest::default();
    host.admin().list_refusals(Request::new(all)).await.unwrap().into_inner().refusals
}

/// How often each outcome occurred.
pub(crate) async fn answered(host: &TestHost) -> BTreeMap<String, u64> {
    status(host).await.answered.into_iter().map(|tally| (tally.name, tally.times)).collect()
}

/// Says that the clock is right; what was doubted, if anything was.
pub(crate) async fn confirm_clock(host: &TestHost) -> String {
    let confirmed = host.admin().confirm_clock(Request::new(ConfirmClockRequest::default())).await;
    confirmed.unwrap().into_inner().ended
}
