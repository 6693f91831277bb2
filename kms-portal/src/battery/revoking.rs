//! Stories of what is taken back before its end, and of the lists that say so.

use std::collections::BTreeSet;
use std::sync::Arc;

use kms_portal_rules::keys::KeyRefusal;
use kms_portal_rules::keys::granted::Quota;
use prost::Message as _;
use proto::v1::{KnownRevocations, SignedRevocationList};
use shared::certificate::IssuingCertificate;
use shared::envelope::{Kind, SecretKey};
use shared::ids::CertificateId;
use shared::revocation::{ListTooLarge, RevocationList, Revocations, Revoked, SignedList};

use super::world::{DAY, Host, Machine, PRODUCT, START, World, YEAR};
use crate::db::{
    InstalledList, KeyUnchanged, NotRevoked, PlaceName, RevocationSubject, RevokedKind, TakenBack,
    WithdrawnIds,
};
use crate::issue::{Issue as _, Issuer};

async fn revoke(world: &World, subject: RevocationSubject) -> Result<TakenBack, NotRevoked> {
    let by = world.by("stolen");
    world.db.revoke(subject, false, world.issuer.clone(), by).await.unwrap()
}

async fn withdraw(world: &World, subject: RevocationSubject) -> Result<WithdrawnIds, NotRevoked> {
    world.db.withdraw_revocation(subject, world.issuer.clone(), world.by("by mistake")).await.unwrap()
}

fn id(bytes: &[u8; 16]) -> RevocationSubject {
    RevocationSubject::Id(CertificateId::from_bytes(*bytes))
}

/// The lists of a reader that has fetched everything.
async fn fetched(world: &World) -> Revocations {
    let newer = world.db.newer_revocations(KnownRevocations::default()).await.unwrap();
    let lists = newer.into_iter().flatten().map(|list| SignedRevocationList::decode(list).unwrap());
    let mut kept = Revocations::default();
    kept.take_all(&lists.collect::<Vec<_>>(), &world.roots);
    kept
}

async fn listed(world: &World) -> usize {
    fetched(world).await.lists().map(|list| list.list().revoked().len()).sum()
}

fn root() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn entry(number: u128) -> Revoked {
    let id = CertificateId::from_bytes(number.to_be_bytes());
    Revoked { id, at: START, reason: String::new() }
}

/// A list that the portal's issuing key has signed elsewhere.
async fn signed(world: &World, number: u64, ids: impl Iterator<Item = u128>) -> SignedList {
    let list = RevocationList::new(number, world.now, ids.map(entry).collect());
    let wire = world.issuer.revoke(&list).await.unwrap().unwrap();
    RevocationList::open(&wire, &world.roots).unwrap()
}

async fn install(world: &World, list: SignedList) -> Result<InstalledList, NotRevoked> {
    world.db.install_revocations(list, world.issuer.clone(), world.by("from a file")).await.unwrap()
}

pub async fn a_key_is_revoked_with_all_its_machines_by_one_id(world: World) {
    let (key, other) = (world.machine_key(3).await, world.machine_key(3).await);
    let machines = [world.machine(), world.machine()];
    let mut confirmations = Vec::new();
    for machine in &machines {
        confirmations.push(world.opened(&world.confirm(&key, machine).await.unwrap().confirmation));
    }
    let stays = world.opened(&world.confirm(&other, &world.machine()).await.unwrap().confirmation);

    let taken = revoke(&world, RevocationSubject::Key(key.number())).await.unwrap();
    assert_eq!((taken.kind, taken.added), (RevokedKind::Key, 1));
    let lists = fetched(&world).await;
    for confirmation in &confirmations {
        let revoked = lists.of_confirmation(confirmation, Some(world.issuer.id())).unwrap();
        assert_eq!((revoked.at, revoked.reason.as_str()), (START, "stolen"));
    }
    assert!(lists.of_confirmation(&stays, Some(world.issuer.id())).is_none());

    let [mut machine, _] = machines;
    assert_eq!(world.ask_anew(&key, &mut machine).await, "the key is blocked");
    assert_eq!(world.key(&key).await.validity.revoked_at, Some(START));
    // It was unblocked and raised, and gave nothing to anybody.
    let revoked = Err(KeyUnchanged::Revoked(START));
    assert_eq!(world.db.unblock_key(key.number(), world.by("paid")).await.unwrap(), revoked);
    assert_eq!(world.raise(&key, Quota::Machines, 1).await.unwrap_err(), KeyUnchanged::Revoked(START));
}

pub async fn a_revocation_is_withdrawn_and_no_earlier_list_brings_it_back(mut world: World) {
    let key = world.machine_key(3).await;
    let [mut one, mut two] = [(); 2].map(|()| world.machine());
    let place = world.opened(&world.confirm(&key, &one).await.unwrap().confirmation).id;
    world.confirm(&key, &two).await.unwrap();
    revoke(&world, id(place.as_bytes())).await.unwrap();
    let first = revoke(&world, RevocationSubject::Key(key.number())).await.unwrap();
    let earlier = fetched(&world).await.lists().next().unwrap().clone();
    assert_eq!(listed(&world).await, 1, "one id for the key and its machines");

    world.now = world.now + DAY;
    let withdrawn = withdraw(&world, RevocationSubject::Key(key.number())).await.unwrap();
    assert!((withdrawn.ids, first.number < withdrawn.number) == (1, true), "{withdrawn:?}");
    assert_eq!(world.ask_anew(&key, &mut two).await, "the key is blocked", "staff says who may use it again");
    world.db.unblock_key(key.number(), world.by("paid")).await.unwrap().unwrap();
    assert_eq!(world.ask_anew(&key, &mut two).await, "own, 2 of 3");
    assert_eq!(
        world.ask_anew(&key, &mut one).await,
        "it was revoked at 2027-01-15 08:00:00Z",
        "that is another one"
    );
    assert!(fetched(&world).await.of(place, PRODUCT, false).is_some(), "and is listed again");

    let installed = install(&world, earlier).await.unwrap();
    assert!(!installed.is_newer);
    withdraw(&world, id(one.identity.public().machine().as_bytes())).await.unwrap();
    assert_eq!(listed(&world).await, 0);
    assert!(world.db.revocations().await.unwrap().revoked.is_empty());
    assert_eq!(world.ask_anew(&key, &mut one).await, "own, 2 of 3");
    let nothing = withdraw(&world, id(place.as_bytes())).await;
    assert_eq!(nothing, Err(NotRevoked::NotInForce));
    let told = world.db.changes(None, 1).await.unwrap();
    assert_eq!((told[0].what.as_str(), told[0].by.why.as_str()), ("withdraw", "by mistake"));

    // Once more, and it counts from now on.
    revoke(&world, id(place.as_bytes())).await.unwrap();
    assert_eq!(world.ask_anew(&key, &mut one).await, "it was revoked at 2027-01-16 08:00:00Z");
    assert_eq!(listed(&world).await, 1);
}

pub async fn a_host_key_is_revoked_and_withdrawn_with_its_hosts(world: World) {
    let key = world.host_key(PRODUCT).await;
    let subject = RevocationSubject::Key(key.number());
    // Without a host, nothing stands in the list, and the key is revoked all the same.
    let taken = revoke(&world, subject).await.unwrap();
    assert_eq!((taken.added, taken.is_new, listed(&world).await), (0, true, 0));
    assert!(!revoke(&world, subject).await.unwrap().is_new);
    assert_eq!(withdraw(&world, subject).await.unwrap().ids, 0);
    world.db.unblock_key(key.number(), world.by("paid")).await.unwrap().unwrap();

    let [mut one, mut two] = [(); 2].map(|()| world.host());
    for host in [&one, &two] {
        world.activate(&key, host).await.unwrap();
    }
    revoke(&world, id(one.identity.public().host().as_bytes())).await.unwrap();
    revoke(&world, subject).await.unwrap();
    let hosts = world.db.hosts(key.number()).await.unwrap();
    assert!(hosts.iter().all(|host| host.revoked_at == Some(START)));
    assert_eq!(withdraw(&world, subject).await.unwrap().ids, 1, "one of them was revoked by itself");
    (one.asked, two.asked) = (world.asked(), world.asked());
    assert_eq!(world.renew(&one).await.unwrap_err(), KeyRefusal::Revoked { at: START });
    world.renew(&two).await.unwrap();
}

/// A machine that was revoked left, and took another place. So did one whose place staff had freed for another machine.
pub async fn a_revoked_machine_gets_no_other_place(world: World) {
    let key = world.machine_key(9).await;
    let revoked = "it was revoked at 2027-01-15 08:00:00Z";
    let [mut left, mut freed] = [(); 2].map(|()| world.machine());
    for machine in [&left, &freed] {
        world.confirm(&key, machine).await.unwrap();
        revoke(&world, id(machine.identity.public().machine().as_bytes())).await.unwrap();
    }
    assert_eq!(world.leave_anew(&key, &mut left).await, "left, 1 of 5", "leaving harms nobody");
    let place = PlaceName::Id(*freed.identity.public().machine().as_bytes());
    assert!(world.db.free_place(key.number(), place, world.by("stolen")).await.unwrap());
    assert_eq!(world.used(&key).await, 0);
    for machine in [&mut left, &mut freed] {
        assert_eq!(world.ask_anew(&key, machine).await, revoked);
        assert_eq!(world.call(&key, machine).await, revoked);
        let image = Machine { parts: machine.parts, ..world.machine() };
        assert_eq!(world.ask(&key, &image).await, revoked, "the same hardware");
    }
    assert_eq!(world.used(&key).await, 0);
    assert_eq!(world.ask(&key, &world.machine()).await, "new, 1 of 9");
}

pub async fn an_installed_list_restores_the_kinds_of_its_entries(world: World) {
    let (key, hosts_key) = (world.machine_key(3).await, world.host_key(PRODUCT).await);
    let host = world.host();
    world.activate(&hosts_key, &host).await.unwrap();
    let ids = [Revoked::key(key.number()), Revoked::host(host.identity.public().host())];
    let entries = ids.map(|id| Revoked { id, at: START, reason: "stolen".into() });
    let list = RevocationList::new(2_000_000_000, world.now, entries.to_vec());
    let wire = world.issuer.revoke(&list).await.unwrap().unwrap();
    install(&world, RevocationList::open(&wire, &world.roots).unwrap()).await.unwrap();
    assert_eq!(world.key(&key).await.validity.revoked_at, Some(START));
    assert_eq!(world.ask(&key, &world.machine()).await, "the key is blocked");
    assert_eq!(world.db.hosts(hosts_key.number()).await.unwrap()[0].revoked_at, Some(START));
    let mut kinds: Vec<_> =
        world.db.revocations().await.unwrap().revoked.iter().map(|one| one.kind.name()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["host", "key"]);
    assert_eq!(withdraw(&world, RevocationSubject::Key(key.number())).await.unwrap().ids, 1);
}

pub async fn a_revoked_host_gets_no_certificate_and_none_that_it_has_counts(mut world: World) {
    let key = world.host_key(PRODUCT).await;
    let (mut stolen, other) = (world.host(), world.host());
    let mut chains = vec![world.chain(&world.activate(&key, &stolen).await.unwrap())];
    world.activate(&key, &other).await.unwrap();
    for _ in 0..2 {
        world.now = world.now + 30 * DAY;
        stolen.asked = world.asked();
        chains.push(world.chain(&world.renew(&stolen).await.unwrap()));
    }
    let host = stolen.identity.public().host();
    let taken = revoke(&world, id(host.as_bytes())).await.unwrap();
    assert_eq!((taken.kind, taken.added), (RevokedKind::Host, 1));
    let lists = fetched(&world).await;
    // Of renewals the portal knows the latest only, and a thief has them all.
    assert!(chains.iter().all(|chain| lists.of_chain(chain, world.now).is_some()));

    let refused = KeyRefusal::Revoked { at: world.now };
    let ask_again = |world: &World, host: &Host| Host { asked: world.asked(), ..host.clone() };
    assert_eq!(world.renew(&ask_again(&world, &stolen)).await.unwrap_err(), refused);
    assert_eq!(world.activate(&key, &ask_again(&world, &stolen)).await.unwrap_err(), refused);
    world.renew(&ask_again(&world, &other)).await.unwrap();

    // All hosts of a key, at once.
    let taken = revoke(&world, RevocationSubject::Key(key.number())).await.unwrap();
    assert_eq!((taken.kind, taken.added), (RevokedKind::Host, 1), "one of the two is revoked already");
    assert_eq!(world.activate(&key, &world.host()).await.unwrap_err(), KeyRefusal::Blocked);
    world.now = world.now + 3 * YEAR;
    assert!(listed(&world).await == 2, "a list stays as it was signed");
}

pub async fn one_certificate_is_revoked_and_its_host_gets_another(world: World) {
    let key = world.host_key(PRODUCT).await;
    let mut host = world.host();
    let chain = world.chain(&world.activate(&key, &host).await.unwrap());
    let taken = revoke(&world, id(chain.host().id.as_bytes())).await.unwrap();
    assert_eq!((taken.kind, taken.added), (RevokedKind::Certificate, 1));
    host.asked = world.asked();
    let renewed = world.chain(&world.renew(&host).await.unwrap());
    let lists = fetched(&world).await;
    assert!(lists.of_chain(&chain, world.now).is_some() && lists.of_chain(&renewed, world.now).is_none());
}

pub async fn a_machine_is_revoked_by_its_id_or_by_that_of_its_place(world: World) {
    let key = world.machine_key(3).await;
    let [mut one, two, three] = [(); 3].map(|()| world.machine());
    let mut places = Vec::new();
    for machine in [&one, &two, &three] {
        places.push(world.opened(&world.confirm(&key, machine).await.unwrap().confirmation).id);
    }
    let machine = |machine: &Machine| id(machine.identity.public().machine().as_bytes());
    for subject in [machine(&one), id(places[1].as_bytes())] {
        let taken = revoke(&world, subject).await.unwrap();
        assert_eq!((taken.kind, taken.added), (RevokedKind::Machine, 1));
    }
    let lists = fetched(&world).await;
    let revoked = places.iter().map(|place| lists.of(*place, PRODUCT, false).is_some());
    assert_eq!(revoked.collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(world.ask(&key, &one).await, "it was revoked at 2027-01-15 08:00:00Z", "the same ask");
    assert_eq!(world.ask_anew(&key, &mut one).await, "it was revoked at 2027-01-15 08:00:00Z");
}

pub async fn what_is_unknown_is_revoked_only_if_that_is_meant(world: World) {
    let unknown = id(&[0x77; 16]);
    assert_eq!(revoke(&world, unknown).await, Err(NotRevoked::UnknownId));
    let key = world.draw_key(shared::product_key::KeyKind::Host, PRODUCT);
    let unissued = RevocationSubject::Key(key.number());
    assert_eq!(revoke(&world, unissued).await, Err(NotRevoked::UnknownKey));
    assert_eq!(listed(&world).await, 0, "nothing was signed");
    let taken = world.db.revoke(unknown, true, world.issuer.clone(), world.by("")).await.unwrap().unwrap();
    assert_eq!((taken.kind, taken.added), (RevokedKind::Unlisted, 1));
}

pub async fn a_list_has_a_higher_number_than_every_one_before(mut world: World) {
    let key = world.host_key(PRODUCT).await;
    let hosts = [world.host(), world.host()];
    for host in &hosts {
        world.activate(&key, host).await.unwrap();
    }
    let [one, two] = hosts.map(|host| id(host.identity.public().host().as_bytes()));
    let first = revoke(&world, one).await.unwrap().number;
    assert_eq!(first, 1_800_000_000, "a restored database would count from 1 otherwise");
    assert_eq!(
        revoke(&world, one).await,
        Ok(TakenBack { kind: RevokedKind::Host, added: 0, number: first, is_new: false })
    );
    world.now = START - DAY;
    assert_eq!(revoke(&world, two).await.unwrap().number, first + 1, "the clock was set back");
    let known = KnownRevocations { by_issuer: first + 1, by_root: 0 };
    assert_eq!(world.db.newer_revocations(known).await.unwrap(), [None, None]);

    let changes = world.db.changes(None, 3).await.unwrap();
    let told: Vec<_> = changes.iter().map(|change| (change.what.as_str(), change.by.why.as_str())).collect();
    assert_eq!(told, [("revoke", "stolen"), ("revoke", "stolen"), ("issue", "order 1")]);
    let kept = world.db.revocations().await.unwrap();
    assert_eq!((kept.by_issuer.number, kept.by_issuer.revoked, kept.revoked.len()), (first + 1, 2, 2));
    assert_eq!((kept.revoked[0].who.as_str(), kept.revoked[0].kind), ("ann", RevokedKind::Host));
}

pub async fn of_20_revocations_at_once_every_one_has_a_number_and_a_place_in_the_list(world: World) {
    let world = Arc::new(world);
    let tasks = (1..=20_u8).map(|number| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let (by, issuer) = (world.by(""), world.issuer.clone());
            world.db.revoke(id(&[number; 16]), true, issuer, by).await.unwrap().unwrap().number
        })
    });
    let mut numbers = BTreeSet::new();
    for task in tasks.collect::<Vec<_>>() {
        numbers.insert(task.await.unwrap());
    }
    assert_eq!((numbers.len(), listed(&world).await), (20, 20));
}

pub async fn a_list_of_a_root_is_handed_out_until_a_newer_one_comes(world: World) {
    let list = |number, of: u128| {
        let list = RevocationList::new(number, START, vec![entry(of)]).sign(&root(), None);
        RevocationList::open(&list, &world.roots).unwrap()
    };
    assert_eq!(install(&world, list(2, 1)).await, Ok(InstalledList { number: 2, is_newer: true }));
    for number in [1, 2] {
        let older = install(&world, list(number, 7)).await;
        assert_eq!(older, Ok(InstalledList { number: 2, is_newer: false }));
    }
    assert!(fetched(&world).await.issuer(entry(1).id).is_some());
    assert_eq!(install(&world, list(3, 2)).await, Ok(InstalledList { number: 3, is_newer: true }));
    assert!(fetched(&world).await.issuer(entry(2).id).is_some());
}

pub async fn what_a_restored_database_has_lost_comes_back_from_a_list_of_a_host(world: World) {
    let lost = signed(&world, 2_000_000_000, 1..=3).await;
    let installed = install(&world, lost.clone()).await.unwrap();
    assert_eq!((installed.number, installed.is_newer), (2_000_000_001, true), "hosts take it");
    assert_eq!(listed(&world).await, 3);
    assert!(!install(&world, lost).await.unwrap().is_newer);
    assert!(!install(&world, signed(&world, 5, 2..=3).await).await.unwrap().is_newer, "it knows these");
    world.db.revoke(id(&[9; 16]), true, world.issuer.clone(), world.by("")).await.unwrap().unwrap();
    assert_eq!(listed(&world).await, 4);

    let last = signed(&world, u64::MAX, 1..=4).await;
    assert_eq!(install(&world, last).await, Err(NotRevoked::LastNumber(u64::MAX)));
}

/// A larger list would reach no machine, and nobody would notice.
pub async fn a_list_that_machines_could_not_read_is_not_signed_and_a_key_as_a_whole_makes_room(world: World) {
    let key = world.machine_key(9).await;
    let machines = [(); 9].map(|()| world.machine());
    for machine in &machines {
        world.confirm(&key, machine).await.unwrap();
    }
    let subject = |machine: &Machine| id(machine.identity.public().machine().as_bytes());
    for machine in &machines[..6] {
        revoke(&world, subject(machine)).await.unwrap();
    }
    let mut filled = 500;
    install(&world, signed(&world, 1, 1..=filled).await).await.unwrap();
    loop {
        let taken = world.db.revoke(
            id(&(filled + 1).to_be_bytes()),
            true,
            world.issuer.clone(),
            world.by("a reason"),
        );
        match taken.await.unwrap() {
            Ok(_) => filled += 1,
            Err(error) => {
                let ids = usize::try_from(filled).unwrap() + 7;
                assert_eq!(error, NotRevoked::TooLarge(ListTooLarge(ids)));
                assert!((510..530).contains(&ids), "{ids}");
                break;
            }
        }
    }
    let before = listed(&world).await;
    assert!(revoke(&world, subject(&machines[7])).await.is_err());
    assert_eq!((listed(&world).await, world.used(&key).await), (before, 9), "nothing has changed");

    // The remedy.
    revoke(&world, RevocationSubject::Key(key.number())).await.unwrap();
    assert_eq!(listed(&world).await, before - 5);
}

/// Readers drop a list whose issuing certificate a root has revoked, and with it all that it takes back.
pub async fn under_another_issuing_certificate_the_list_is_signed_again(world: World) {
    let again = async |issuer: &Arc<Issuer>| {
        world.db.sign_revocations_again(issuer.clone(), world.now).await.unwrap().unwrap()
    };
    assert_eq!(again(&world.issuer).await, None, "there is none");
    let taken = world.db.revoke(id(&[7; 16]), true, world.issuer.clone(), world.by("")).await.unwrap();
    let number = taken.unwrap().number;
    assert_eq!(again(&world.issuer).await, None);

    let issuing = SecretKey::from_seed(&[3; 32]);
    let certificate = IssuingCertificate {
        id: CertificateId::from_bytes([0x88; 16]),
        public_key: issuing.public(),
        ..world.issuer.certificate().clone()
    };
    let signed = root().sign(Kind::IssuingCertificate, &certificate.encode());
    let next = Arc::new(Issuer::new(issuing, signed, &world.roots).unwrap());
    assert_eq!(again(&next).await, Some(number + 1));
    assert_eq!(again(&next).await, None);
    let lists = fetched(&world).await;
    assert_eq!(lists.lists().next().unwrap().issuer(), Some(next.id()));
    assert!(lists.of(CertificateId::from_bytes([7; 16]), PRODUCT, false).is_some());
}
