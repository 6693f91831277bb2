//! On which devices people use what they have.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kms_portal_rules::device_codes::Polled;
use kms_portal_rules::devices::DeviceRefusal;
use kms_portal_rules::keys::KeyRefusal;
use kms_portal_rules::offers::{OfferName, ServiceName};
use kms_portal_rules::seats::{SeatChange, WantedSeats};
use kms_portal_rules::{DeviceId, PersonId};
use prost::Message as _;
use proto::vendor::v1::SignedUserLease;
use shared::features::Features;
use shared::user_lease::UserLease;
use tokio::task::JoinSet;

use super::world::{DAY, MS, Machine, PRODUCT, World, YEAR};
use crate::db::{BeginSignIn, CodeDigest, DeviceAsk, PollSignIn, SignInAnswer, SubscriptionChange};

const SECOND: Duration = Duration::from_secs(1);

/// Codes that a machine shows, as their digests.
#[derive(Clone, Copy)]
struct Codes {
    device: CodeDigest,
    user: CodeDigest,
}

impl World {
    /// Basic licenses the product by its service mail, with a feature, for so many seats.
    async fn sells_the_product(&self, seats: u32) -> kms_portal_rules::SubscriptionId {
        self.shop().await;
        let (mail, features) = (ServiceName::new("mail").unwrap(), Features::new(["export"]).unwrap());
        self.db.set_service_product(mail, PRODUCT, features, self.by("new")).await.unwrap();
        self.buys("basic", seats).await
    }

    async fn licensed_person(&self) -> PersonId {
        let person = self.someone().await;
        self.seat(person, true).await;
        person
    }

    async fn seat(&self, person: PersonId, has: bool) {
        let basic = OfferName::new("basic").unwrap();
        let change = if has {
            SeatChange::Add(WantedSeats::from([(basic, BTreeSet::new())]))
        } else {
            SeatChange::Revoke([basic].into())
        };
        let plan = self.assign(&[person], change, self.staff()).await.unwrap();
        assert_eq!(plan.refused(), 0, "{plan:?}");
    }

    /// Somebody who can sign in on pages, with a device: who, their address, and the device.
    pub async fn device_user(&self) -> (PersonId, String, DeviceId) {
        self.sells_the_product(1).await;
        let person = self.licensed_person().await;
        let address = self.db.person(person).await.unwrap().unwrap().address;
        self.gives_password(person, &address).await;
        self.signs_in_on(&self.machine(), person).await.unwrap();
        let device = self.db.devices(person).await.unwrap()[0].id;
        (person, address, device)
    }

    fn device_ask(&self, machine: &Machine) -> DeviceAsk {
        DeviceAsk {
            machine: machine.identity.public().machine(),
            product: PRODUCT,
            asked: machine.asked,
            fingerprint: machine.fingerprint,
            parts: machine.parts,
            now: self.now,
            issuer: self.issuer.clone(),
        }
    }

    async fn shows_a_code(&self, machine: &Machine, source: &str) -> Result<Codes, DeviceRefusal> {
        let mut code = [0; 32];
        code[..16].copy_from_slice(&self.draw());
        let codes = Codes { device: code, user: code.map(|byte| byte ^ 0xff) };
        let begin = BeginSignIn {
            device_code: codes.device,
            user_code: codes.user,
            machine: machine.identity.public().machine(),
            product: PRODUCT,
            nonce: machine.asked.nonce(),
            label: "laptop".into(),
            source: source.into(),
            now: self.now,
        };
        self.db.begin_sign_in(begin).await.unwrap().map(|()| codes)
    }

    async fn decides(&self, codes: Codes, person: PersonId, approved: bool) -> bool {
        self.db.decide_sign_in(codes.user, person, approved, self.by("")).await.unwrap()
    }

    async fn poll(&self, codes: Codes, machine: &Machine) -> Result<SignInAnswer, DeviceRefusal> {
        let device = DeviceId::from_bytes(self.draw());
        let poll = PollSignIn { device_code: codes.device, ask: self.device_ask(machine), device };
        self.db.poll_sign_in(poll).await.unwrap()
    }

    /// The whole way, for a machine that nobody turns away.
    async fn signs_in_on(&self, machine: &Machine, person: PersonId) -> Result<UserLease, DeviceRefusal> {
        let codes = self.shows_a_code(machine, "192.0.2.7").await?;
        assert!(self.decides(codes, person, true).await);
        match self.poll(codes, machine).await? {
            SignInAnswer::Lease(lease) => Ok(self.opened_lease(&lease)),
            not @ SignInAnswer::Not(..) => panic!("{not:?}"),
        }
    }

    async fn renews(&self, machine: &mut Machine) -> Result<UserLease, DeviceRefusal> {
        machine.asked = self.asked();
        let lease = self.db.renew_user_lease(self.device_ask(machine)).await.unwrap()?;
        Ok(self.opened_lease(&lease))
    }

    fn opened_lease(&self, lease: &[u8]) -> UserLease {
        UserLease::open(&SignedUserLease::decode(lease).unwrap(), &self.roots).unwrap()
    }
}

pub async fn a_machine_that_is_let_in_is_licensed_renews_by_itself_and_signs_out(mut world: World) {
    world.sells_the_product(1).await;
    let (person, mut machine) = (world.licensed_person().await, world.machine());
    let codes = world.shows_a_code(&machine, "192.0.2.7").await.unwrap();
    let pending = SignInAnswer::Not(Polled::Pending, SECOND * 5);
    assert_eq!(world.poll(codes, &machine).await, Ok(pending));
    let shown = world.db.shown_sign_in(codes.user, world.now).await.unwrap().unwrap();
    assert_eq!((shown.product.as_deref(), shown.source.as_str()), (Some("Atlas"), "192.0.2.7"));
    assert!(world.decides(codes, person, true).await);
    assert!(!world.decides(codes, person, false).await, "it is decided");
    assert!(world.db.shown_sign_in(codes.user, world.now).await.unwrap().is_none());
    world.now = world.now + SECOND * 5;
    let SignInAnswer::Lease(first) = world.poll(codes, &machine).await.unwrap() else { panic!("no lease") };
    let first = world.opened_lease(&first);
    assert_eq!((first.offer.as_str(), first.features.has("export")), ("basic", true));
    assert_eq!(first.not_after.since(world.now), DAY * 30);
    assert_ne!(first.person.as_bytes(), person.as_bytes(), "no product sees the portal's id");

    world.now = world.now + DAY;
    let next = world.renews(&mut machine).await.unwrap();
    assert_eq!((next.issued_at, next.person), (world.now, first.person));
    let listed = world.db.devices(person).await.unwrap();
    assert_eq!((listed.len(), listed[0].label.as_str(), listed[0].seen_at), (1, "laptop", world.now));

    machine.asked = world.asked();
    let leave = |machine: &Machine| {
        world.db.leave_device(machine.identity.public().machine(), PRODUCT, machine.asked)
    };
    leave(&machine).await.unwrap().unwrap();
    leave(&machine).await.unwrap().unwrap();
    assert!(world.db.devices(person).await.unwrap().is_empty());
    assert_eq!(world.renews(&mut machine).await.unwrap_err(), DeviceRefusal::NotSignedIn);
}

pub async fn a_code_lets_its_own_machine_in_once_and_in_time(mut world: World) {
    world.sells_the_product(1).await;
    let (person, machine, other) = (world.licensed_person().await, world.machine(), world.machine());
    let codes = world.shows_a_code(&machine, "192.0.2.7").await.unwrap();
    assert!(world.decides(codes, person, true).await);
    let used = Ok(SignInAnswer::Not(Polled::Used, Duration::ZERO));
    assert_eq!(world.poll(codes, &other).await, used, "another machine has got hold of the code");
    let mut anew = machine.clone();
    anew.asked = world.asked();
    assert_eq!(world.poll(codes, &anew).await, used, "it is for the ask that has begun");
    assert!(matches!(world.poll(codes, &machine).await, Ok(SignInAnswer::Lease(_))));
    assert!(matches!(world.poll(codes, &machine).await, Ok(SignInAnswer::Not(Polled::Used, _))));

    let denied = world.shows_a_code(&other, "192.0.2.7").await.unwrap();
    assert!(world.decides(denied, person, false).await);
    assert!(matches!(world.poll(denied, &other).await, Ok(SignInAnswer::Not(Polled::Denied, _))));

    let late = world.shows_a_code(&other, "192.0.2.7").await.unwrap();
    world.now = world.now + SECOND * 900 - MS;
    assert!(world.db.shown_sign_in(late.user, world.now).await.unwrap().is_some());
    world.now = world.now + MS;
    assert!(!world.decides(late, person, true).await);
    assert!(matches!(world.poll(late, &other).await, Ok(SignInAnswer::Not(Polled::Expired, _))));
}

pub async fn a_person_without_a_licence_is_named_and_a_lease_is_not_renewed_after_it_is_taken_back(
    world: World,
) {
    world.sells_the_product(1).await;
    let (person, mut machine) = (world.someone().await, world.machine());
    let account = world.db.person(person).await.unwrap().unwrap().address;
    let not_licensed = DeviceRefusal::NotLicensed { account };
    let codes = world.shows_a_code(&machine, "192.0.2.7").await.unwrap();
    assert!(world.decides(codes, person, true).await);
    assert_eq!(world.poll(codes, &machine).await, Err(not_licensed.clone()));
    assert!(world.db.devices(person).await.unwrap().is_empty());
    world.seat(person, true).await;
    assert!(
        matches!(world.poll(codes, &machine).await, Ok(SignInAnswer::Lease(_))),
        "a refusal uses no code up"
    );
    world.seat(person, false).await;
    assert_eq!(world.renews(&mut machine).await.unwrap_err(), not_licensed);
    world.seat(person, true).await;
    world.renews(&mut machine).await.unwrap();
}

pub async fn the_sixth_device_waits_for_one_of_five_and_one_that_is_installed_anew_does_not(world: World) {
    world.sells_the_product(2).await;
    let person = world.licensed_person().await;
    let mut machines = Vec::new();
    for _ in 0..5 {
        machines.push(world.machine());
        world.signs_in_on(machines.last().unwrap(), person).await.unwrap();
    }
    let sixth = world.machine();
    let refused = world.signs_in_on(&sixth, person).await.unwrap_err();
    assert!(matches!(refused, DeviceRefusal::TooManyDevices { devices: 5, .. }), "{refused:?}");
    // The same hardware under a new key.
    let mut old = machines[0].clone();
    let anew = Machine { parts: old.parts, ..world.machine() };
    world.signs_in_on(&anew, person).await.unwrap();
    assert_eq!(world.db.devices(person).await.unwrap().len(), 5);
    assert_eq!(world.renews(&mut old).await.unwrap_err(), DeviceRefusal::NotSignedIn);
    // Its owner signs one out.
    let listed = world.db.devices(person).await.unwrap();
    let stranger = world.licensed_person().await;
    assert!(!world.db.sign_out_device(stranger, listed[0].id, world.by("")).await.unwrap());
    assert!(world.db.sign_out_device(person, listed[0].id, world.by("")).await.unwrap());
    world.signs_in_on(&sixth, person).await.unwrap();
    // Somebody else signs in on it.
    world.signs_in_on(&sixth, stranger).await.unwrap();
    assert_eq!(world.db.devices(person).await.unwrap().len(), 4);
    assert_eq!(world.db.devices(stranger).await.unwrap().len(), 1);
}

pub async fn of_ten_devices_at_once_five_are_let_in(world: World) {
    world.sells_the_product(1).await;
    let person = world.licensed_person().await;
    let (world, mut asking) = (Arc::new(world), JoinSet::new());
    for _ in 0..10 {
        let world = Arc::clone(&world);
        asking.spawn(async move { world.signs_in_on(&world.machine(), person).await.is_ok() });
    }
    let answers = asking.join_all().await;
    assert_eq!(answers.iter().filter(|is_in| **is_in).count(), 5, "{answers:?}");
    assert_eq!(world.db.devices(person).await.unwrap().len(), 5);
}

pub async fn a_source_has_fifty_codes_that_nobody_has_typed(mut world: World) {
    let person = world.someone().await;
    let mut codes = Vec::new();
    for _ in 0..50 {
        codes.push(world.shows_a_code(&world.machine(), "192.0.2.7").await.unwrap());
    }
    let refused = world.shows_a_code(&world.machine(), "192.0.2.7").await;
    assert!(matches!(refused, Err(DeviceRefusal::TooManyCodes(_))));
    world.shows_a_code(&world.machine(), "192.0.2.8").await.unwrap();
    assert!(world.decides(codes[0], person, false).await);
    world.shows_a_code(&world.machine(), "192.0.2.7").await.unwrap();
    world.now = world.now + SECOND * 900;
    world.shows_a_code(&world.machine(), "192.0.2.7").await.unwrap();
}

pub async fn a_recorded_ask_of_a_device_gets_nothing_and_one_whose_answer_was_lost_gets_it(world: World) {
    world.sells_the_product(1).await;
    let (person, machine) = (world.licensed_person().await, world.machine());
    world.signs_in_on(&machine, person).await.unwrap();
    let mut asks = [machine.clone(), machine.clone()];
    world.renews(&mut asks[0]).await.unwrap();
    world.renews(&mut asks[1]).await.unwrap();
    let ask = |machine: &Machine| world.db.renew_user_lease(world.device_ask(machine));
    ask(&asks[1]).await.unwrap().unwrap();
    assert_eq!(ask(&asks[0]).await.unwrap(), Err(KeyRefusal::Replayed.into()));
    let leave = world.db.leave_device(machine.identity.public().machine(), PRODUCT, asks[0].asked);
    assert_eq!(leave.await.unwrap(), Err(KeyRefusal::Replayed.into()));
}

pub async fn whoever_is_blocked_is_not_renewed_and_a_lease_ends_with_its_subscription(mut world: World) {
    let subscription = world.sells_the_product(1).await;
    let (person, mut machine) = (world.licensed_person().await, world.machine());
    world.signs_in_on(&machine, person).await.unwrap();
    world.db.block_person(person, true, world.staff()).await.unwrap().unwrap();
    assert_eq!(world.renews(&mut machine).await.unwrap_err(), DeviceRefusal::NotSignedIn);
    world.db.block_person(person, false, world.staff()).await.unwrap().unwrap();
    // A year, and 30 days in which all works as before.
    world.now = world.now + YEAR + DAY * 28;
    let lease = world.renews(&mut machine).await.unwrap();
    assert_eq!(lease.not_after.since(world.now), DAY * 2);
    world.now = world.now + DAY * 2;
    let refused = world.renews(&mut machine).await.unwrap_err();
    assert!(matches!(refused, DeviceRefusal::NotLicensed { .. }), "{refused:?}");
    let paid = SubscriptionChange::Paid(world.now + YEAR);
    let organisation = super::world::ORGANISATION;
    world.db.change_subscription(organisation, subscription, paid, world.staff()).await.unwrap().unwrap();
    world.renews(&mut machine).await.unwrap();
}

pub async fn where_seats_were_cut_the_newest_device_stops_after_ninety_days_and_no_other(mut world: World) {
    let subscription = world.sells_the_product(2).await;
    let (first, mut older) = (world.licensed_person().await, world.machine());
    world.now = world.now + DAY;
    let (second, mut newer) = (world.licensed_person().await, world.machine());
    world.signs_in_on(&older, first).await.unwrap();
    world.signs_in_on(&newer, second).await.unwrap();
    let one = SubscriptionChange::Seats(std::num::NonZeroU32::MIN);
    let organisation = super::world::ORGANISATION;
    world.db.change_subscription(organisation, subscription, one, world.staff()).await.unwrap().unwrap();
    world.now = world.now + DAY * 88;
    assert_eq!(world.renews(&mut older).await.unwrap().not_after.since(world.now), DAY * 30);
    assert_eq!(world.renews(&mut newer).await.unwrap().not_after.since(world.now), DAY * 2, "it stops then");
    world.now = world.now + DAY * 2;
    let refused = world.renews(&mut newer).await.unwrap_err();
    assert!(matches!(refused, DeviceRefusal::NotLicensed { .. }), "{refused:?}");
    world.renews(&mut older).await.unwrap();
    world.seat(first, false).await;
    world.renews(&mut newer).await.unwrap();
}
