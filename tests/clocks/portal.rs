//! The portal through the years: keys and issuing certificates end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kms_host::certificates::Allowed;
use kms_host::config::SettingSources;
use kms_host::home::HOUR_MS;
use kms_host::portal::PortalWay;
use kms_host::watch::alarms::Alarm;
use kms_portal::api::PortalCore;
use kms_portal::config::PortalConfig;
use kms_portal::db::{By, NewKey, Organisation, Product};
use kms_portal::home::PortalHome;
use kms_portal::rules::keys::granted::Granted;
use kms_portal::run::{Listeners, OpenedPortal, RunningPortal, run};
use kms_vendor::{NewIssuer, Signer};
use proto::v1::Signed;
use shared::activation::MachineActivation;
use shared::envelope::SecretKey;
use shared::features::Features;
use shared::ids::{Fingerprint, Nonce, OrganisationId, ProductId};
use shared::parts::HardwareParts;
use shared::policy::Policy;
use shared::product_key::{KeyKind, ProductKey, ProductTag};
use shared::time::{Clock as _, Timestamp};
use wire::Tls;
use wire::portal::{Portal, PortalAddress};
use world::clock::NEW_YEAR;
use world::{Shop, TestClock, TestHost};

use crate::world::MS;

const DAY: Duration = Duration::from_hours(24);

/// A portal in this process, whose clock a story moves.
struct PortalInTime {
    _folder: tempfile::TempDir,
    shop: Shop,
    home: PortalHome,
    clock: Arc<TestClock>,
    running: RunningPortal,
}

impl PortalInTime {
    /// Its issuing certificate is valid for a year from New Year on.
    async fn open() -> PortalInTime {
        let folder = tempfile::tempdir().unwrap();
        let shop = Shop::open(folder.path(), "Atlas", Policy::CLIENT, false).unwrap();
        let home = PortalHome::at(folder.path().join("portal"));
        let roots = std::fs::read(shop.vendor().dir().join("roots.pub")).unwrap();
        home.init(Some(&roots), &["localhost".parse().unwrap()], NEW_YEAR, &mut rand::rng()).await.unwrap();
        let clock = Arc::new(TestClock::at(NEW_YEAR));
        install_issuer(&shop, &home, NEW_YEAR);
        let running = serve(&home, "127.0.0.1:0".parse().unwrap(), &clock).await;
        let product = Product {
            id: shop.product().id,
            name: "Atlas".to_owned(),
            test: false,
            policy: Policy::CLIENT,
            features: Features::NONE,
        };
        let db = &running.portal.db;
        db.set_product(product, by(NEW_YEAR)).await.unwrap().unwrap();
        let organisation = Organisation { id: organisation(), name: "Example Works".to_owned() };
        db.set_organisation(organisation, by(NEW_YEAR)).await.unwrap().unwrap();
        PortalInTime { _folder: folder, shop, home, clock, running }
    }

    fn core(&self) -> &PortalCore {
        &self.running.portal
    }

    /// A key for ten machines.
    async fn key(&self, ends_at: Option<Timestamp>) -> ProductKey {
        self.issue(KeyKind::MultipleActivation, Granted::machines(10), ends_at).await
    }

    async fn issue(&self, kind: KeyKind, granted: Granted, ends_at: Option<Timestamp>) -> ProductKey {
        let product = self.shop.product().id;
        let key = ProductKey::new(kind, ProductTag::of(product), &rand::random());
        let new = NewKey {
            mac: self.home.pepper().unwrap().mac(&key),
            number: key.number(),
            last_group: "XXXXX".to_owned(),
            kind,
            product,
            organisation: organisation(),
            features: None,
            seats: None,
            ends_at,
            note: String::new(),
            granted,
        };
        let issued = self.core().db.issue_keys(vec![new], None, String::new(), by(self.clock.now())).await;
        issued.unwrap().unwrap();
        key
    }

    fn address(&self) -> String {
        format!("https://localhost:{}", self.running.addresses[0].port())
    }

    /// A root signs its request again, for a year from now on.
    fn renew_issuer(&self) {
        install_issuer(&self.shop, &self.home, self.clock.now());
        (self.running.staff.read_again)().unwrap();
    }

    /// A new machine asks; the number of machines, or why not.
    async fn ask(&self, key: &ProductKey) -> Result<u64, String> {
        self.ask_at(key, self.clock.now()).await
    }

    /// The same with another clock at the machine.
    async fn ask_at(&self, key: &ProductKey, now: Timestamp) -> Result<u64, String> {
        let address: PortalAddress = self.address().parse().unwrap();
        let tls = Tls::from_file(self.home.authority_path()).read(self.clock.clone()).unwrap();
        let portal = Portal::connect(&address, &tls).await.unwrap();
        let ask = ask(self.shop.product().id, key, now);
        let answer = portal.activate_machine(ask).await;
        answer.map(|answer| answer.used).map_err(|failure| failure.cause.to_string())
    }
}

async fn serve(home: &PortalHome, address: SocketAddr, clock: &Arc<TestClock>) -> RunningPortal {
    let config = PortalConfig { listen: vec![address], ..PortalConfig::default() };
    let opened = OpenedPortal::open(home, config.clone()).await.unwrap();
    run(opened, Listeners::bind(&config).unwrap(), clock.clone()).unwrap()
}

fn install_issuer(shop: &Shop, home: &PortalHome, now: Timestamp) {
    let request = std::fs::read_to_string(home.request_path()).unwrap();
    let (root, valid_for) = (Signer::Root1, 365 * DAY);
    let new = NewIssuer { products: vec![], not_before: now, valid_for, root, test: false, now };
    let signed = shop.vendor().sign_issuer(&request, &new, &mut rand::rng()).unwrap();
    home.install_issuer(signed.pem.as_bytes(), &PathBuf::from("issuing.pem"), now, false).unwrap();
}

fn organisation() -> OrganisationId {
    OrganisationId::from_bytes([3; 16])
}

fn by(at: Timestamp) -> By {
    By { who: "a test".to_owned(), at, why: String::new() }
}

fn ask(product: ProductId, key: &ProductKey, asked_at: Timestamp) -> Signed {
    let identity = SecretKey::from_seed(&rand::random());
    let machine_key = identity.public();
    let (nonce, product_key) = (Nonce::from_bytes(rand::random()), key.clone());
    let (fingerprint, parts) = (Fingerprint::NONE, HardwareParts::default());
    MachineActivation { machine_key, product, product_key, nonce, asked_at, fingerprint, parts }
        .sign(&identity)
}

#[tokio::test]
async fn a_key_activates_until_the_second_before_its_end() {
    let portal = PortalInTime::open().await;
    let end = NEW_YEAR + 30 * DAY;
    let key = portal.key(Some(end)).await;
    portal.clock.set(end - Duration::from_secs(1));
    assert_eq!(portal.ask(&key).await, Ok(1));
    portal.clock.set(end);
    let told = portal.ask(&key).await.unwrap_err();
    assert!(told.starts_with("KEY_ENDED") && told.contains("2026-01-31 00:00:00Z"), "{told}");
}

#[tokio::test]
async fn a_portal_whose_issuing_certificate_has_ended_says_so_until_a_new_one_is_read() {
    let portal = PortalInTime::open().await;
    let key = portal.key(None).await;
    let end = NEW_YEAR + 365 * DAY;
    portal.clock.set(end - Duration::from_secs(1));
    assert_eq!(portal.ask(&key).await, Ok(1));
    portal.clock.set(end);
    let told = portal.ask(&key).await.unwrap_err();
    assert!(told.starts_with("ISSUER_ENDED"), "{told}");

    portal.renew_issuer();
    assert_eq!(portal.ask(&key).await, Ok(2));
}

/// A host that this portal has activated. It visits the portal by itself, and takes up what that gives.
async fn host_of(portal: &PortalInTime) -> TestHost {
    let key = portal.issue(KeyKind::Host, Granted::HOST, None).await;
    let home = portal.shop.make_bare_host("kms1", HOUR_MS).unwrap();
    let authority = portal.home.authority_path();
    let settings = format!("portal = \"{}\"\nportal_ca = \"{}\"\n", portal.address(), authority.display());
    std::fs::write(home.path().join("kms-host.toml"), settings).unwrap();
    let config = SettingSources::new(None, home.path()).read_with([]).unwrap().config;
    let way = PortalWay::of(&config, home.path()).unwrap().unwrap();
    way.activate(&home, &key, Allowed::default(), portal.clock.clone()).await.unwrap();
    let mut host = TestHost::start(&home, portal.clock.clone()).await.unwrap();
    host.reload_at_orders().unwrap();
    host
}

/// Since when the certificate in use is valid, and until when.
fn certified(host: &TestHost) -> (Timestamp, Timestamp) {
    let certificates = host.host.certificates();
    let (_, used) = certificates.products(host.clock.now()).next().unwrap();
    (used.chain.host().not_before, used.chain.ends_at())
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let holding = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), holding).await.unwrap_or_else(|_| panic!("not so: {what}"));
}

async fn ends_soon(host: &TestHost) -> Option<String> {
    let alarms = host.host.alarms(None, host.clock.now()).await.unwrap();
    let is_it = |alarm: &Alarm| alarm.code == "CERTIFICATE_ENDS_SOON";
    alarms.into_iter().find(is_it).map(|alarm| alarm.text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_renews_by_itself_two_months_before_the_end_and_says_a_month_before_it_that_it_cannot() {
    let mut portal = PortalInTime::open().await;
    let host = host_of(&portal).await;
    let end = NEW_YEAR + 365 * DAY;
    assert_eq!(certified(&host), (NEW_YEAR, end));
    portal.clock.set(NEW_YEAR + 250 * DAY);
    portal.renew_issuer();

    // At 60 days it has time left, and a moment later it renews, without a restart.
    portal.clock.set(end - 60 * DAY);
    host.visit_portal();
    let renewed = end - 60 * DAY + MS;
    portal.clock.set(renewed);
    let next_end = NEW_YEAR + (250 + 365) * DAY;
    until("it is renewed", async || {
        host.visit_portal();
        certified(&host) == (renewed, next_end)
    })
    .await;

    // The portal is away.
    let address = portal.running.addresses[0];
    portal.running.stop().await;
    portal.clock.set(next_end - 30 * DAY);
    host.visit_portal();
    assert_eq!(ends_soon(&host).await, None);
    portal.clock.set(next_end - 30 * DAY + MS);
    until("an alarm says why", async || {
        host.visit_portal();
        ends_soon(&host)
            .await
            .is_some_and(|text| text.contains("The vendor's portal has not renewed it: PORTAL_UNREACHABLE"))
    })
    .await;
    assert_eq!(certified(&host), (renewed, next_end), "and nothing has changed");

    // It is back.
    portal.clock.set(next_end - 20 * DAY);
    install_issuer(&portal.shop, &portal.home, portal.clock.now());
    portal.running = serve(&portal.home, address, &portal.clock).await;
    host.visit_portal();
    until("it is renewed again", async || certified(&host).0 == portal.clock.now()).await;
    assert_eq!(ends_soon(&host).await, None);
    host.stop().await.unwrap();
}

/// A clock that was ahead once made every later ask a recorded one, and the place was taken.
#[tokio::test]
async fn a_machine_whose_clock_is_ahead_is_told_so_and_takes_no_place() {
    let portal = PortalInTime::open().await;
    let key = portal.key(None).await;
    let told = portal.ask_at(&key, NEW_YEAR + 200 * DAY).await.unwrap_err();
    assert!(told.starts_with("CLOCK_AHEAD: this machine's clock is 200 d ahead, more than 4 h"), "{told}");
    assert_eq!(portal.ask_at(&key, NEW_YEAR + Duration::from_hours(4)).await, Ok(1));
    // Nobody minds a clock that is behind: an ask by file may be old.
    assert_eq!(portal.ask_at(&key, NEW_YEAR - 200 * DAY).await, Ok(2));
}
