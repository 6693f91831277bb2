//! People sign in on machines: what a machine hears from a portal that runs, and why it is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use kms_portal::act::devices::{decide_sign_in, shown_sign_in};
use kms_portal::db::{
    Actor, Assignment, By, Db, NamedOffer, NamedService, NewPerson, Organisation, SoldSubscription,
};
use kms_portal::rules::life::Subscription;
use kms_portal::rules::offers::{Country, OfferName, OfferedService, ServiceName};
use kms_portal::rules::seats::{IfNotAll, SeatChange};
use kms_portal::rules::{PersonId, SubscriptionId};
use proto::vendor::v1::BeginSignInResponse;
use serde_json::Value;
use shared::certificate::Roots;
use shared::features::Features;
use shared::ids::{Fingerprint, Nonce, OrganisationId};
use shared::parts::HardwareParts;
use shared::user_lease::{AccountAsk, AccountPurpose, UserLease};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;
use wire::Failure;

use super::refused;
use super::stage::{Asking, PortalStage};
use crate::stage::{LIMIT, YEAR, now};

const SETTINGS: &str = "web_listen = [\"127.0.0.1:0\"]\nweb_url = \"http://localhost:21692\"\n";
const ORGANISATION: OrganisationId = OrganisationId::from_bytes([7; 16]);

/// A portal that sells its product to people, and its database beside it.
pub(crate) struct Shop {
    pub(crate) portal: PortalStage,
    pub(crate) db: Db,
}

impl Shop {
    pub(crate) async fn open() -> Shop {
        let portal = PortalStage::open(SETTINGS).await;
        let db = Db::open_sqlite(&portal.data.join("portal.db")).await.unwrap();
        let organisation = Organisation { id: ORGANISATION, name: "Example Works".into() };
        db.set_organisation(organisation, by()).await.unwrap().unwrap();
        let (name, service) = (OfferName::new("pro").unwrap(), ServiceName::new("atlas").unwrap());
        let named = NamedService { title: "Atlas".into(), service: OfferedService::default() };
        let services = BTreeMap::from([(service.clone(), named)]);
        db.set_offer(NamedOffer { name: name.clone(), title: "Pro".into(), devices: 2, services }, by())
            .await
            .unwrap();
        db.set_service_product(service, portal.product(), Features::new(["export"]).unwrap(), by())
            .await
            .unwrap();
        let sold = SoldSubscription {
            id: SubscriptionId::from_bytes([1; 16]),
            organisation: ORGANISATION,
            offer: name,
            seats: NonZeroU32::new(9).unwrap(),
            life: Subscription::new(now(), now() + YEAR),
            renews: true,
        };
        db.subscribe(sold, Actor::staff(by())).await.unwrap().unwrap();
        Shop { portal, db }
    }

    pub(crate) async fn person(&self, address: &str) -> PersonId {
        let id = PersonId::from_bytes(rand::random());
        let (name, location) = ("Ann".into(), Country::from_code("NL"));
        let person =
            NewPerson { id, organisation: Some(ORGANISATION), name, address: address.into(), location };
        self.db.add_person(person, Actor::staff(by())).await.unwrap().unwrap();
        id
    }

    pub(crate) async fn seat(&self, person: PersonId, has: bool) {
        let pro = OfferName::new("pro").unwrap();
        let change = if has {
            SeatChange::Add(BTreeMap::from([(pro, BTreeSet::new())]))
        } else {
            SeatChange::Revoke([pro].into())
        };
        let (if_not_all, actor) = (IfNotAll::Nobody, Actor::staff(by()));
        let people = vec![person];
        let assignment =
            Assignment { organisation: ORGANISATION, people, change, if_not_all, dry_run: false, actor };
        assert_eq!(self.db.assign(assignment).await.unwrap().unwrap().refused(), 0);
    }

    fn roots(&self) -> Roots {
        let vendor = self.portal.stage.shop.vendor().roots();
        Roots::new(vendor.iter().map(<[u8; 32]>::as_slice)).unwrap()
    }

    pub(crate) async fn decide(&self, code: &str, person: PersonId, approved: bool) -> bool {
        decide_sign_in(&self.db, code, person, approved, by()).await.unwrap()
    }

    async fn signs_in(&self, machine: &Asking, person: PersonId) -> Result<UserLease, Failure> {
        let ask = account_ask(machine, self.portal.product(), AccountPurpose::SignIn);
        let signed = ask.sign(&machine.identity);
        let portal = self.portal.connect().await?;
        let BeginSignInResponse { device_code, user_code, .. } = portal.begin_sign_in(signed.clone()).await?;
        assert!(self.decide(&user_code, person, true).await);
        let polled = portal.poll_sign_in(signed, device_code.to_vec()).await?;
        let lease = UserLease::open(&polled.lease.unwrap(), &self.roots()).unwrap();
        lease.check_answer(&ask, None).unwrap();
        Ok(lease)
    }

    async fn renews(&self, machine: &Asking) -> Result<UserLease, Failure> {
        let ask = account_ask(machine, self.portal.product(), AccountPurpose::Renew);
        let renewed = self.portal.connect().await?.renew_user_lease(ask.sign(&machine.identity)).await?;
        Ok(UserLease::open(&renewed.lease.unwrap(), &self.roots()).unwrap())
    }
}

fn by() -> By {
    By { who: "ann".into(), at: now(), why: String::new() }
}

fn account_ask(machine: &Asking, product: shared::ids::ProductId, purpose: AccountPurpose) -> AccountAsk {
    let machine_key = machine.identity.public();
    AccountAsk {
        machine_key,
        product,
        purpose,
        nonce: Nonce::from_bytes(rand::random()),
        asked_at: now(),
        fingerprint: Fingerprint::NONE,
        parts: HardwareParts::NONE,
        device_name: if purpose == AccountPurpose::SignIn { "laptop".into() } else { String::new() },
    }
}

#[tokio::test]
async fn somebody_signs_in_and_a_machine_hears_why_it_is_not_licensed_any_more() {
    let shop = Shop::open().await;
    let (ann, machine) = (shop.person("ann@example.com").await, Asking::new(shop.portal.product()));
    let told = refused(shop.signs_in(&machine, ann).await);
    assert!(told.contains("this product is not linked to the account ann@example.com"), "{told}");
    shop.seat(ann, true).await;
    let lease = shop.signs_in(&machine, ann).await.unwrap();
    assert_eq!((lease.account.as_str(), lease.offer.as_str()), ("ann@example.com", "pro"));
    assert_eq!(shop.renews(&machine).await.unwrap().person, lease.person);

    shop.signs_in(&Asking::new(shop.portal.product()), ann).await.unwrap();
    let third = Asking::new(shop.portal.product());
    let told = refused(shop.signs_in(&third, ann).await);
    assert!(told.starts_with("TOO_MANY_DEVICES: ann@example.com is signed in on 2 devices"), "{told}");

    shop.seat(ann, false).await;
    assert!(refused(shop.renews(&machine).await).starts_with("ACCOUNT_NOT_LICENSED"));
    let devices = shop.db.devices(ann).await.unwrap();
    for device in devices {
        assert!(shop.db.sign_out_device(ann, device.id, by()).await.unwrap());
    }
    assert!(refused(shop.renews(&machine).await).starts_with("NOT_SIGNED_IN"));
}

#[tokio::test]
async fn an_address_has_so_many_codes_that_nobody_has_typed() {
    let shop = Shop::open().await;
    let portal = shop.portal.connect().await.unwrap();
    let machine = Asking::new(shop.portal.product());
    let begin = || {
        let ask = account_ask(&machine, shop.portal.product(), AccountPurpose::SignIn);
        portal.begin_sign_in(ask.sign(&machine.identity))
    };
    let first = begin().await.unwrap();
    assert_eq!(first.verification_uri, "http://localhost:21692/device");
    assert_eq!(
        first.verification_uri_complete,
        format!("http://localhost:21692/device?code={}", first.user_code)
    );
    let shown = shown_sign_in(&shop.db, &first.user_code.to_lowercase(), now()).await.unwrap().unwrap();
    assert_eq!((shown.product.as_deref(), shown.label.as_str()), (Some("Atlas"), "laptop"));
    for _ in 1..50 {
        begin().await.unwrap();
    }
    let failure = begin().await.unwrap_err();
    assert!(failure.cause.to_string().starts_with("TOO_MANY_SIGN_INS"), "{failure:?}");
    assert!(failure.retry_after.is_some(), "{failure:?}");
    let ann = shop.person("ann@example.com").await;
    assert!(shop.decide(&first.user_code, ann, false).await);
    begin().await.unwrap();
}

/// Waits for the 5 seconds that a machine has to wait between two questions.
#[tokio::test]
async fn a_person_signs_in_on_the_command_line_and_out_again() {
    let shop = Shop::open().await;
    let ann = shop.person("ann@example.com").await;
    shop.seat(ann, true).await;
    let mut signing_in = shop.portal.starts_at_machine("laptop", &["account", "sign-in", "--json"]);
    let mut lines = BufReader::new(signing_in.stdout.take().unwrap()).lines();
    let shown: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    let code = shown["user_code"].as_str().unwrap();
    assert_eq!(shown["uri_with_code"], format!("http://localhost:21692/device?code={code}"));
    assert!(shop.decide(code, ann, true).await);
    let mut rest = String::new();
    while let Some(line) = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap() {
        rest += &line;
    }
    let told: Value = serde_json::from_str(&rest).unwrap();
    assert_eq!(told["account"]["account"], "ann@example.com");
    assert!(signing_in.wait().await.unwrap().success());

    let at = async |arguments: &[&str]| shop.portal.at_machine("laptop", arguments).await;
    let status: Value = serde_json::from_str(&at(&["status", "--json"]).await.stdout).unwrap();
    assert_eq!((&status["state"], &status["licensed"]), (&"by-account".into(), &true.into()), "{status}");
    let renewed = at(&["activate"]).await;
    assert_eq!(renewed.code, 0, "{}{}", renewed.stdout, renewed.stderr);
    let listed = shop.db.devices(ann).await.unwrap();
    assert_eq!(listed.len(), 1);

    let done = at(&["account", "sign-out"]).await;
    assert!(done.code == 0 && done.stdout.starts_with("Signed out."), "{}{}", done.stdout, done.stderr);
    assert!(shop.db.devices(ann).await.unwrap().is_empty());
    let shown = at(&["account", "show"]).await.stdout;
    assert!(shown.starts_with("Nobody is signed in"), "{shown}");
}
