//! Stories of codes that are read aloud: a machine is known only by its digest, a host by its key.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kms_portal_rules::keys::KeyRefusal;
use kms_portal_rules::keys::calls::DayFault;
use kms_portal_rules::keys::granted::{Granted, Quota};
use kms_portal_rules::keys::hosts::{Activated, Certifying};
use shared::certificate::IssuingCertificate;
use shared::codes::{CodeForm, InstallationId};
use shared::envelope::{Kind, SecretKey};
use shared::features::Features;
use shared::ids::{CertificateId, ProductId};
use shared::parts::HardwareParts;
use shared::policy::Policy;
use shared::product_key::{KeyKind, ProductKey};
use shared::revocation::{RevocationList, Revocations, Revoked};
use shared::time::Timestamp;
use tokio::task::JoinSet;

use super::world::{
    DAY, Host, MS, Machine, ORGANISATION, OTHER_PRODUCT, PRODUCT, START, World, YEAR, told_caller,
};
use crate::db::{CodeHost, ConfirmHost, Db, ListedPlace, OfferedTerms, PlaceName, SoldTerms};
use crate::issue::{Issuer, TermsFault, Unconfirmed};

pub async fn a_machine_by_codes_takes_one_place_however_often_it_calls(mut world: World) {
    let key = world.machine_key(1).await;
    let (one, two) = (world.machine(), world.machine());
    assert_eq!(world.call(&key, &one).await, "new, 1 of 1");
    let id = World::read_aloud(&key, &one);
    let first = world.db.confirm_machine(world.phoned(id)).await.unwrap().unwrap();
    world.now = world.now + YEAR;
    let again = world.db.confirm_machine(world.phoned(id)).await.unwrap().unwrap();
    assert_eq!(told_caller(&Ok(again.clone())), "known, 1 of 1");
    assert_eq!(first.signed.confirmation, again.signed.confirmation, "the call may break off");
    assert_eq!(world.call(&key, &two).await, "1 of 1 machines of the key are activated");
    assert_eq!(world.used(&key).await, 1);
    // Under a second key it is another installation.
    let other = world.machine_key(1).await;
    assert_eq!(world.call(&other, &one).await, "new, 1 of 1");
    let change = &world.db.changes(None, 10).await.unwrap()[0];
    assert_eq!((change.what.as_str(), change.by.why.as_str()), ("confirm by code", "ticket 9"));
}

pub async fn a_machine_that_comes_online_keeps_the_place_of_its_call(world: World) {
    let key = world.machine_key(1).await;
    let mut machine = world.machine();
    assert_eq!(world.call(&key, &machine).await, "new, 1 of 1");
    let listed = world.db.places(key.number(), None, 10).await.unwrap();
    assert!(listed[0].online().is_none());
    assert_eq!(world.ask(&key, &machine).await, "by code before, 1 of 1");
    assert_eq!(world.ask(&key, &machine).await, "again, 1 of 1");
    assert_eq!(world.call(&key, &machine).await, "known, 1 of 1");
    assert_eq!(world.ask(&key, &machine).await, "again, 1 of 1", "its answer is still there");
    let online = world.db.places(key.number(), None, 10).await.unwrap();
    assert_eq!(online[0].id, listed[0].id);
    assert_eq!(online[0].online().unwrap().holder.machine, machine.identity.public().machine());
    assert_eq!(world.leave_anew(&key, &mut machine).await, "left, 1 of 5");
    assert_eq!(world.used(&key).await, 0);
}

pub async fn a_machine_that_is_online_calls_for_nothing(world: World) {
    let key = world.machine_key(1).await;
    let mut machine = world.machine();
    assert_eq!(world.ask(&key, &machine).await, "new, 1 of 1");
    assert_eq!(world.call(&key, &machine).await, "known, 1 of 1");
    // Another disk, and it has asked since.
    let mut parts =
        |disk: &str| machine.parts = HardwareParts::of_machine(PRODUCT, "BOARD-1", disk, "FIRM-1");
    parts("DISK-1");
    let other = world.machine_key(1).await;
    assert_eq!(world.ask_anew(&other, &mut machine).await, "new, 1 of 1");
    machine.parts = HardwareParts::of_machine(PRODUCT, "BOARD-1", "DISK-2", "FIRM-1");
    assert_eq!(world.call(&other, &machine).await, "1 of 1 machines of the key are activated");
    assert_eq!(world.ask_anew(&other, &mut machine).await, "own, 1 of 1");
    assert_eq!(world.call(&other, &machine).await, "known, 1 of 1");
}

pub async fn one_machine_that_got_a_second_place_by_a_code_is_counted_once_when_it_comes_online(
    world: World,
) {
    let key = world.machine_key(2).await;
    let mut machine = world.machine();
    machine.parts = HardwareParts::of_machine(PRODUCT, "BOARD-1", "DISK-1", "FIRM-1");
    assert_eq!(world.ask(&key, &machine).await, "new, 1 of 2");
    // The code shows a digest, and no part by itself: with another disk it looks like another machine.
    machine.parts = HardwareParts::of_machine(PRODUCT, "BOARD-1", "DISK-2", "FIRM-1");
    assert_eq!(world.call(&key, &machine).await, "new, 2 of 2");
    assert_eq!(world.ask_anew(&key, &mut machine).await, "own, 1 of 2");
    assert_eq!(world.used(&key).await, 1);
    assert_eq!(world.key(&key).await.taken.releases.0, 0);
    assert_eq!(world.call(&key, &machine).await, "known, 1 of 2");
    // Imaged anew, and then on the telephone first.
    let mut image = world.machine();
    image.parts = machine.parts;
    assert_eq!(world.call(&key, &image).await, "new, 2 of 2");
    assert_eq!(world.ask(&key, &image).await, "imaged, 1 of 2");
    assert_eq!(world.used(&key).await, 1);
}

pub async fn looking_at_a_call_changes_nothing(world: World) {
    let key = world.machine_key(1).await;
    let machine = world.machine();
    let changes = world.db.changes(None, 100).await.unwrap();
    let mut call = world.phoned(World::read_aloud(&key, &machine));
    call.dry_run = true;
    assert_eq!(told_caller(&world.db.confirm_machine(call).await.unwrap()), "new, 1 of 1");
    assert_eq!(world.used(&key).await, 0);
    assert_eq!(world.db.changes(None, 100).await.unwrap(), changes);

    let (host_key, host) = (world.host_key(PRODUCT).await, world.host());
    world.terms(&host_key).await.unwrap();
    let changes = world.db.changes(None, 100).await.unwrap();
    let mut call = world.host_phoned(&host_key, &host);
    call.dry_run = true;
    let looked = world.db.confirm_host(call).await.unwrap().unwrap();
    assert_eq!(looked.decided, Certifying::New(Activated { host: 1, activations: 1 }));
    assert!(world.db.hosts(host_key.number()).await.unwrap().is_empty());
    assert_eq!(world.db.changes(None, 100).await.unwrap(), changes);
}

pub async fn a_call_is_refused_as_an_ask_is(mut world: World) {
    let key = world.draw_key(KeyKind::MultipleActivation, PRODUCT);
    let mut new = world.new_key(&key, PRODUCT, Granted::machines(5));
    new.ends_at = Some(START + YEAR);
    world.issue(new).await.unwrap();
    let machine = world.machine();
    world.db.block_key(key.number(), world.by("stolen")).await.unwrap().unwrap();
    assert_eq!(world.call(&key, &machine).await, "the key is blocked");
    world.db.unblock_key(key.number(), world.by("it was not")).await.unwrap().unwrap();
    let unknown = "no such key is known for this product";
    assert_eq!(world.call(&world.draw_key(KeyKind::MultipleActivation, PRODUCT), &machine).await, unknown);
    assert_eq!(world.call(&world.host_key(PRODUCT).await, &machine).await, unknown);
    // The number is right, and the product another one.
    let mut foreign = machine.clone();
    foreign.product = OTHER_PRODUCT;
    assert_eq!(world.call(&key, &foreign).await, unknown);
    world.now = START + YEAR - MS;
    assert_eq!(world.call(&key, &machine).await, "new, 1 of 5");
    world.now = START + YEAR;
    assert!(world.call(&key, &machine).await.starts_with("the key has ended at "));
    assert_eq!(world.used(&key).await, 1);
}

/// A code says the month and no day, so what ends within a month ends with it.
pub async fn a_code_says_the_end_and_the_features_of_its_key(world: World) {
    // 15 January 2027, and a year later.
    let key = world.draw_key(KeyKind::MultipleActivation, PRODUCT);
    let mut new = world.new_key(&key, PRODUCT, Granted::machines(5));
    new.ends_at = Some(START + YEAR);
    world.issue(new).await.unwrap();
    let machine = world.machine();
    let id = World::read_aloud(&key, &machine);
    let done = world.db.confirm_machine(world.phoned(id)).await.unwrap().unwrap();
    let february = Timestamp::of_month(2028, 2);
    assert_eq!(done.signed.ends_at, Some(february));
    let typed = world.typed(&id, &done);
    assert_eq!(typed.ends_at, Some(february));
    assert_eq!(typed.features, Features::new(["export"]).unwrap());

    let mut earlier = world.phoned(id);
    earlier.ends_at = Some(Timestamp::of_month(2027, 4));
    let done = world.db.confirm_machine(earlier).await.unwrap().unwrap();
    assert_eq!(world.typed(&id, &done).ends_at, Some(Timestamp::of_month(2027, 4)));
    let mut later = world.phoned(id);
    later.ends_at = Some(START + YEAR + MS);
    let refused = world.db.confirm_machine(later).await.unwrap().unwrap_err();
    assert_eq!(refused, Unconfirmed::BeyondKey(START + YEAR));

    let key = world.draw_key(KeyKind::MultipleActivation, PRODUCT);
    let mut new = world.new_key(&key, PRODUCT, Granted::machines(5));
    new.features = Some(Features::new(["3d", "export"]).unwrap());
    world.issue(new).await.unwrap();
    let refused = world.call(&key, &machine).await;
    assert!(
        refused.contains("exactly \"3d,export\"") && refused.contains("--feature-set 3d,export"),
        "{refused}"
    );
    assert_eq!(world.used(&key).await, 0);
}

pub async fn staff_frees_the_place_of_a_caller(world: World) {
    let key = world.machine_key(1).await;
    let mut machine = world.machine();
    assert_eq!(world.call(&key, &machine).await, "new, 1 of 1");
    assert_eq!(world.leave_anew(&key, &mut machine).await, "it was not activated here");
    let free = |machine| {
        let name = PlaceName::Installation(Machine::digest(machine));
        world.db.free_place(key.number(), name, world.by("the laptop was stolen"))
    };
    assert!(free(&machine).await.unwrap());
    assert!(!free(&machine).await.unwrap());
    let shown = world.key(&key).await;
    assert_eq!((shown.taken.machines, shown.taken.releases.0), (0, 0));
    assert_eq!(world.call(&key, &world.machine()).await, "new, 1 of 1");
    assert_eq!(world.call(&key, &machine).await, "1 of 1 machines of the key are activated");
}

pub async fn callers_and_askers_at_once_never_are_more_than_granted(world: World) {
    let db = world.db.clone();
    crowd(world, &[db]).await;
}

/// 60 machines want the 30 places of a key at these portals at once: each asks online and calls.
pub async fn crowd(world: World, portals: &[Db]) {
    let world = Arc::new(world);
    let key = Arc::new(world.machine_key(30).await);
    let mut all = JoinSet::new();
    for (machine, db) in (0..60).map(|_| world.machine()).zip(portals.iter().cycle()) {
        let id = World::read_aloud(&key, &machine);
        let (ask, call) = (world.activation(&key, &machine), world.phoned(id));
        let (one, other) = (db.clone(), portals[0].clone());
        all.spawn(async move {
            let online = one.activate_machine(ask);
            let by_code = other.confirm_machine(call);
            let (online, by_code) = tokio::join!(online, by_code);
            match (online.unwrap().is_ok(), by_code.unwrap().is_ok()) {
                (online, by_code) if online == by_code => online.then(|| machine.digest()),
                told => panic!("one machine is told both: {told:?}"),
            }
        });
    }
    let confirmed: BTreeSet<_> = all.join_all().await.into_iter().flatten().collect();
    assert_eq!(confirmed.len(), 30);
    assert_eq!(world.used(&key).await, 30);
    let listed = world.db.places(key.number(), None, 100).await.unwrap();
    assert!(listed.iter().all(|place: &ListedPlace| place.online().is_some()), "all have asked");
}

impl World {
    /// The terms of a host key as it is sold now.
    async fn terms(&self, key: &ProductKey) -> Result<SoldTerms, Unconfirmed> {
        self.offered(key).await.map(|offered| offered.sold)
    }

    async fn offered(&self, key: &ProductKey) -> Result<OfferedTerms, Unconfirmed> {
        self.db.make_terms(key.number(), self.issuer.clone(), self.by("sold")).await.unwrap()
    }

    fn host_phoned(&self, key: &ProductKey, host: &Host) -> ConfirmHost {
        ConfirmHost {
            id: InstallationId::of_host(host.identity.public(), PRODUCT, key.number()),
            terms: None,
            issuer: self.issuer.clone(),
            by: self.by("ticket 9"),
            dry_run: false,
        }
    }

    /// Somebody calls for the host, which has these terms; what the operator sees.
    async fn host_calls(&self, key: &ProductKey, host: &Host, sold: &SoldTerms) -> String {
        let call = self.host_phoned(key, host);
        let id = call.id;
        match self.db.confirm_host(call).await.unwrap() {
            Ok(CodeHost { confirmation, decided, ends_at, .. }) => {
                let chain = confirmation.chain(&id, &sold.terms).unwrap();
                assert_eq!(chain.check_valid_at(self.now), Ok(()));
                assert_eq!(chain.ends_at(), ends_at);
                assert!(self.now + DAY <= ends_at, "it lasts for a day at least");
                assert!(chain.host().features.has("export"));
                let (activated, _) = decided.kept();
                let how = match decided {
                    Certifying::Again(..) => ", again",
                    Certifying::Renewed(_) => ", at no cost",
                    Certifying::Next(_) | Certifying::New(_) => "",
                };
                format!("host {}, activation {}{how}", activated.host, activated.activations)
            }
            Err(refused) => refused.to_string(),
        }
    }
}

pub async fn a_host_by_codes_is_one_of_the_hosts_of_its_key(mut world: World) {
    let key = world.host_key(PRODUCT).await;
    let mut host = world.host();
    let none = world.db.confirm_host(world.host_phoned(&key, &host)).await.unwrap().unwrap_err();
    assert!(none.to_string().contains(&format!("`kms-portal key terms {}`", key.number())), "{none}");
    let sold = world.terms(&key).await.unwrap();
    assert_eq!(world.host_calls(&key, &host, &sold).await, "host 1, activation 1");
    assert_eq!(world.host_calls(&key, &host, &sold).await, "host 1, activation 1, again");
    // Online it is the same host, and every later ask of it is heard.
    let online = world.activate(&key, &host).await.unwrap();
    assert_eq!((online.activated.host, online.activated.activations), (1, 2));
    host.asked = world.asked();
    world.renew(&host).await.unwrap();
    for number in 2..=6 {
        let told = world.host_calls(&key, &world.host(), &sold).await;
        assert_eq!(told, format!("host {number}, activation 1"));
    }
    assert_eq!(world.host_calls(&key, &world.host(), &sold).await, "all 6 hosts of the key are activated");
    world.raise(&key, Quota::Activations, -8).await.unwrap();
    world.now = world.now + 30 * DAY;
    let refused = "this host was activated 2 times, as often as the key allows";
    assert_eq!(world.host_calls(&key, &host, &sold).await, refused);
    world.db.block_key(key.number(), world.by("refunded")).await.unwrap().unwrap();
    assert_eq!(world.host_calls(&key, &host, &sold).await, "the key is blocked");
    assert_eq!(world.terms(&key).await.unwrap_err(), Unconfirmed::Key(KeyRefusal::Blocked));
}

/// Half of a confirmation of yesterday and half of one of today confirm nothing: the day is in them.
pub async fn a_call_of_a_host_that_broke_off_is_taken_up_within_a_fortnight(mut world: World) {
    let key = world.host_key(PRODUCT).await;
    let host = world.host();
    let sold = world.terms(&key).await.unwrap();
    let read = async |world: &World| {
        let done = world.db.confirm_host(world.host_phoned(&key, &host)).await.unwrap().unwrap();
        done.confirmation.text(CodeForm::Digits)
    };
    let first = read(&world).await;
    world.now = START + 14 * DAY - MS;
    assert_eq!(read(&world).await, first);
    assert_eq!(world.host_calls(&key, &host, &sold).await, "host 1, activation 1, again");
    world.now = START + 14 * DAY;
    assert_ne!(read(&world).await, first);
    assert_eq!(world.host_calls(&key, &host, &sold).await, "host 1, activation 2, again");
}

pub async fn terms_are_made_anew_only_where_something_has_changed(world: World) {
    let key = world.host_key(PRODUCT).await;
    let host = world.host();
    let first = world.terms(&key).await.unwrap();
    assert_eq!((first.number, world.terms(&key).await.unwrap().number), (1, 1));
    let small = Policy { threshold: 7, ..Policy::CLIENT };
    world
        .db
        .set_numbers(PRODUCT, ORGANISATION, Some(small), world.by("a small site"))
        .await
        .unwrap()
        .unwrap();
    let second = world.terms(&key).await.unwrap();
    assert_eq!(second.number, 2);
    let numbers: Vec<_> =
        world.db.terms(key.number()).await.unwrap().iter().map(|sold| sold.number).collect();
    assert_eq!(numbers, [1, 2]);
    // The host has the first ones still, and says so.
    let mut call = world.host_phoned(&key, &host);
    let id = call.id;
    call.terms = Some(1);
    let done = world.db.confirm_host(call).await.unwrap().unwrap();
    assert_eq!((done.terms, done.last_terms), (1, 2));
    assert!(done.confirmation.chain(&id, &first.terms).is_ok());
    assert!(done.confirmation.chain(&id, &second.terms).is_err());
    // The others cost nothing more.
    assert_eq!(world.host_calls(&key, &host, &second).await, "host 1, activation 1, again");
    let mut call = world.host_phoned(&key, &host);
    call.terms = Some(3);
    let refused = world.db.confirm_host(call).await.unwrap().unwrap_err();
    assert!(matches!(refused, Unconfirmed::NoTerms { .. }), "{refused}");
}

impl World {
    /// Its issuing key, under a certificate with this id.
    fn certified_anew(&self, id: u8) -> Arc<Issuer> {
        self.another_issuer(2, id)
    }

    fn another_issuer(&self, seed: u8, id: u8) -> Arc<Issuer> {
        let root = SecretKey::from_seed(&[1; 32]);
        let issuing = SecretKey::from_seed(&[seed; 32]);
        let certificate = IssuingCertificate {
            id: CertificateId::from_bytes([id; 16]),
            public_key: issuing.public(),
            not_before: START,
            not_after: START + 9 * YEAR,
            products: Vec::<ProductId>::new(),
            test: false,
        };
        let signed = root.sign(Kind::IssuingCertificate, &certificate.encode());
        Arc::new(Issuer::new(issuing, signed, &self.roots).unwrap())
    }
}

pub async fn under_terms_of_another_issuing_key_nobody_is_confirmed(mut world: World) {
    let key = world.host_key(PRODUCT).await;
    let host = world.host();
    let sold = world.terms(&key).await.unwrap();
    let (renewed, other) = (world.certified_anew(9), world.another_issuer(4, 10));
    // A certificate that was renewed for the same key: what was sold under the one before holds as long as that.
    world.issuer = renewed;
    assert_eq!(world.host_calls(&key, &host, &sold).await, "host 1, activation 1");
    assert_eq!(world.terms(&key).await.unwrap().number, 2);
    world.issuer = other;
    let refused = world.db.confirm_host(world.host_phoned(&key, &host)).await.unwrap().unwrap_err();
    assert!(matches!(refused, Unconfirmed::Terms { why: TermsFault::OtherIssuer, .. }), "{refused}");
    world.issuer = world.certified_anew(9);
    world.now = START + 3 * YEAR;
    let mut call = world.host_phoned(&key, &host);
    call.terms = Some(1);
    let refused = world.db.confirm_host(call).await.unwrap().unwrap_err();
    assert!(matches!(refused, Unconfirmed::Terms { number: 1, why: TermsFault::Issuer(_), .. }), "{refused}");
}

/// Machines were confirmed, counted, and warned as soon as they heard. Terms were looked at only where they name the certificate that is
/// installed, and not where they name one before it.
pub async fn under_a_certificate_that_a_root_has_revoked_nobody_is_confirmed(mut world: World) {
    let (key, host_key) = (world.machine_key(1).await, world.host_key(PRODUCT).await);
    let sold = world.terms(&host_key).await.unwrap();
    // Another certificate for the same key.
    world.issuer = world.certified_anew(9);
    // The issuing certificate in the terms, and the code certificate of this world.
    let (terms_of, code) =
        (sold.terms.issuing_certificate().id, world.code_signer.certificates()[0].limits.id);
    let ids = BTreeSet::from([terms_of, code]);
    let revoked = ids.into_iter().map(|id| Revoked { id, at: START, reason: String::new() }).collect();
    let list = RevocationList::new(1, START, revoked).sign(&SecretKey::from_seed(&[1; 32]), None);
    let mut by_root = Revocations::NONE;
    by_root.take_all(&[list], &world.roots);
    let by_root = Arc::new(by_root);
    world.code_signer.take_note(by_root.clone());
    world.issuer.take_note(by_root);

    assert_eq!(world.code_signer.revoked_at(), Some(START));
    let refused = world.call(&key, &world.machine()).await;
    assert!(refused.starts_with("a root has revoked the certificate of this portal's code key"), "{refused}");
    assert_eq!(world.used(&key).await, 0);
    let refused =
        world.db.confirm_host(world.host_phoned(&host_key, &world.host())).await.unwrap().unwrap_err();
    assert!(matches!(refused, Unconfirmed::Terms { why: TermsFault::IssuerRevoked, .. }), "{refused}");
    assert_eq!(world.issuer.revoked_at(), None, "what it signs is believed");

    // The remedies.
    assert_eq!(world.terms(&host_key).await.unwrap().number, 2);
    let again = world.db.confirm_host(world.host_phoned(&host_key, &world.host())).await.unwrap();
    assert!(again.is_ok());
    let heard = Arc::new(Revocations::NONE);
    world.code_signer.take_note(heard);
    assert_eq!(world.call(&key, &world.machine()).await, "new, 1 of 1");
}

pub async fn terms_leave_time_for_the_call_before_their_key_ends(mut world: World) {
    let key = world.draw_key(KeyKind::Host, PRODUCT);
    let mut new = world.new_key(&key, PRODUCT, Granted::HOST);
    new.ends_at = Some(START + 100 * DAY);
    world.issue(new).await.unwrap();
    let sold = world.terms(&key).await.unwrap();
    assert_eq!(sold.terms.valid_for(), 70 * DAY);
    world.now = START + 29 * DAY;
    assert_eq!(world.host_calls(&key, &world.host(), &sold).await, "host 1, activation 1");
    world.now = START + 31 * DAY;
    let refused = world.db.confirm_host(world.host_phoned(&key, &world.host())).await.unwrap().unwrap_err();
    assert!(
        matches!(refused, Unconfirmed::Terms { why: TermsFault::Day(DayFault::OutlastsKey { .. }), .. }),
        "{refused}"
    );
    world.now = START + 98 * DAY;
    let short = world.terms(&key).await.unwrap();
    assert_eq!((short.number, short.terms.valid_for()), (2, 2 * DAY));
}

/// Terms of a key that ended soon confirmed certificates that had ended before the code was typed, and cost an activation.
pub async fn a_key_that_ends_soon_sells_no_certificate_that_ends_at_once(mut world: World) {
    // The story begins at 8 o'clock.
    for (hours, is_too_soon) in [(1, true), (39, true), (40, false), (63, false), (64, false), (100, false)] {
        world.now = START;
        let key = world.draw_key(KeyKind::Host, PRODUCT);
        let ends_at = START + Duration::from_hours(hours);
        let mut new = world.new_key(&key, PRODUCT, Granted::HOST);
        new.ends_at = Some(ends_at);
        world.issue(new).await.unwrap();
        let offered = world.offered(&key).await;
        if is_too_soon {
            assert_eq!(offered.unwrap_err(), Unconfirmed::KeyEndsSoon(ends_at), "{hours} h");
            continue;
        }
        let OfferedTerms { sold, last_call } = offered.unwrap();
        world.now = last_call - MS;
        assert_eq!(world.host_calls(&key, &world.host(), &sold).await, "host 1, activation 1", "{hours} h");
        world.now = last_call;
        let refused =
            world.db.confirm_host(world.host_phoned(&key, &world.host())).await.unwrap().unwrap_err();
        assert!(
            matches!(refused, Unconfirmed::Terms { why: TermsFault::Day(_), .. }),
            "{hours} h: {refused}"
        );
        assert_eq!(world.key(&key).await.taken.hosts, 1);
    }
    // So near to its end, the issuing certificate confirms nobody either.
    let key = world.host_key(PRODUCT).await;
    world.now = START + 3 * YEAR - DAY;
    let OfferedTerms { sold, last_call } = world.offered(&key).await.unwrap();
    assert_eq!(last_call, world.now + MS);
    assert_eq!(world.host_calls(&key, &world.host(), &sold).await, "host 1, activation 1");
    world.now = last_call;
    let told = world.host_calls(&key, &world.host(), &sold).await;
    assert!(told.contains("less than a day from now"), "{told}");
    assert_eq!(world.offered(&key).await.unwrap_err(), Unconfirmed::Key(KeyRefusal::IssuerEnded));
}

/// Each `key terms` of a key with an end made other terms, so hosts had earlier ones than the operator confirmed under.
pub async fn terms_of_a_key_with_an_end_stay_as_long_as_they_leave_time(mut world: World) {
    let key = world.draw_key(KeyKind::Host, PRODUCT);
    let mut new = world.new_key(&key, PRODUCT, Granted::HOST);
    new.ends_at = Some(START + 100 * DAY);
    world.issue(new).await.unwrap();
    let mut numbers = Vec::new();
    for days in [0, 1, 14, 15, 16, 29, 30] {
        world.now = START + days * DAY;
        numbers.push(world.terms(&key).await.unwrap().number);
    }
    assert_eq!(numbers, [1, 1, 1, 1, 2, 2, 2]);
}

/// A code of the same day made a certificate that was no newer than the one from online, and cost an activation.
pub async fn a_host_that_was_certified_online_today_pays_nothing_for_a_code(mut world: World) {
    let key = world.host_key(PRODUCT).await;
    let mut host = world.host();
    let sold = world.terms(&key).await.unwrap();
    world.activate(&key, &host).await.unwrap();
    world.now = world.now + Duration::from_hours(1);
    assert_eq!(world.host_calls(&key, &host, &sold).await, "host 1, activation 1, at no cost");
    assert_eq!(world.host_calls(&key, &host, &sold).await, "host 1, activation 1, again");
    // On the next day it is another certificate.
    world.now = START + Duration::from_hours(16) - MS;
    host.asked = world.asked();
    world.renew(&host).await.unwrap();
    assert_eq!(world.host_calls(&key, &host, &sold).await, "host 1, activation 1, at no cost");
    host.asked = world.asked();
    world.renew(&host).await.unwrap();
    world.now = world.now + MS;
    assert_eq!(world.host_calls(&key, &host, &sold).await, "host 1, activation 2");
    // One who was online since then calls for something else.
    world.now = world.now + DAY;
    host.asked = world.asked();
    world.renew(&host).await.unwrap();
    world.now = world.now + DAY;
    assert_eq!(world.host_calls(&key, &host, &sold).await, "host 1, activation 3");
}
