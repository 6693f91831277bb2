//! The portal through the years: keys and issuing certificates end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kms_portal::api::PortalCore;
use kms_portal::config::PortalConfig;
use kms_portal::db::{By, NewKey, Organisation, Product};
use kms_portal::home::PortalHome;
use kms_portal::rules::granted::Granted;
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
use world::{Shop, TestClock};

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
        let config = PortalConfig { listen: vec!["127.0.0.1:0".parse().unwrap()], ..PortalConfig::default() };
        let opened = OpenedPortal::open(&home, config.clone()).await.unwrap();
        let running = run(opened, Listeners::bind(&config).unwrap(), clock.clone()).unwrap();
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
        let product = self.shop.product().id;
        let key = ProductKey::new(KeyKind::MultipleActivation, ProductTag::of(product), &rand::random());
        let new = NewKey {
            mac: self.home.pepper().unwrap().mac(&key),
            number: key.number(),
            last_group: "XXXXX".to_owned(),
            kind: KeyKind::MultipleActivation,
            product,
            organisation: organisation(),
            features: None,
            seats: None,
            ends_at,
            note: String::new(),
            granted: Granted::machines(10),
        };
        self.core().db.issue_key(new, by(self.clock.now())).await.unwrap().unwrap();
        key
    }

    /// A new machine asks; the number of machines, or why not.
    async fn ask(&self, key: &ProductKey) -> Result<u64, String> {
        let address = format!("https://localhost:{}", self.running.addresses[0].port());
        let address: PortalAddress = address.parse().unwrap();
        let tls = Tls::from_file(self.home.authority_path()).read(self.clock.clone()).unwrap();
        let portal = Portal::connect(&address, &tls).await.unwrap();
        let ask = ask(self.shop.product().id, key, self.clock.now());
        let answer = portal.activate_machine(ask).await;
        answer.map(|answer| answer.used).map_err(|failure| failure.cause.to_string())
    }
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

    install_issuer(&portal.shop, &portal.home, end);
    (portal.running.staff.read_again)().unwrap();
    assert_eq!(portal.ask(&key).await, Ok(2));
}
