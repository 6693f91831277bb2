//! A machine without a network: it reads its installation id to the vendor, and types what the vendor reads back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kms_client::{
    BuildError, Builder, Cause, Client, CodeForm, GroupState, InstallationCode, LicenseState, Product,
    ProductId, Reason, Timestamp, confirmation_groups,
};
use prost::Message as _;
use proto::vendor::v1::GetRevocationsResponse;
use shared::certificate::IssuingCertificate;
use shared::codes::{CodeCertificate, ConfirmationId, InstallationId, MachineOptions};
use shared::envelope::{Kind, SecretKey};
use shared::features::Features;
use shared::ids::CertificateId;
use shared::revocation::{RevocationList, Revoked};

use crate::portal::{Do, Portal, key, typed};
use crate::world::{BEGIN, DAY, HOUR, Host, PRODUCT_ID, Say, StoryClock, builder_of, client, product, root};

const HARDWARE: [&str; 3] = ["PF1A2B3C", "S4EVNX0R", "4c4c4544-0042"];

fn code_key() -> SecretKey {
    SecretKey::from_seed(&[5; 32])
}

/// A code key for two years, with two sets of features.
fn code_certificate() -> CodeCertificate {
    CodeCertificate {
        limits: IssuingCertificate {
            id: CertificateId::from_bytes([5; 16]),
            public_key: code_key().public(),
            not_before: BEGIN - DAY,
            not_after: BEGIN + 730 * DAY,
            products: vec![ProductId::from_bytes(PRODUCT_ID)],
            test: false,
        },
        feature_sets: vec![Features::new(["export"]).unwrap(), Features::new(["3d", "export"]).unwrap()],
    }
}

fn signed(certificate: &CodeCertificate) -> Vec<u8> {
    root().sign(Kind::CodeCertificate, &certificate.encode()).encode_to_vec()
}

/// A product with this code key compiled in. It lives as long as the tests, like that of a real product.
fn with_code_key(product: Product, certificate: Vec<u8>) -> Product {
    let certificate: &'static [u8] = certificate.leak();
    product.with_code_keys(vec![certificate].leak())
}

pub(crate) fn coded() -> Product {
    with_code_key(product(), signed(&code_certificate()))
}

fn on_hardware(product: Product, parts: [&str; 3], dir: &Path, clock: &Arc<StoryClock>) -> Builder {
    builder_of(product, dir, "this machine", clock, &[]).hardware_source(parts[0], parts[1], parts[2])
}

pub(crate) fn open(dir: &Path, clock: &Arc<StoryClock>) -> Client {
    on_hardware(coded(), HARDWARE, dir, clock).build().unwrap()
}

/// A machine with key 1, for later, because nothing is asked without a network.
pub(crate) async fn with_key(dir: &Path, clock: &Arc<StoryClock>) -> Client {
    let product = open(dir, clock);
    product.set_key_for_later(&typed(1)).await.unwrap();
    product
}

/// The vendor's operator writes down what is read aloud, and reads the answer back.
pub(crate) fn answer(read: &str, options: MachineOptions) -> ConfirmationId {
    let id: InstallationId = read.parse().unwrap();
    ConfirmationId::of_machine(&id, options, &code_key())
}

fn confirmed(code: &InstallationCode) -> ConfirmationId {
    answer(&code.digits(), MachineOptions::default())
}

async fn id(product: &Client) -> InstallationCode {
    product.installation_id().await.unwrap()
}

async fn refused(product: &Client, text: &str) -> Cause {
    let before = product.snapshot();
    let cause = product.enter_confirmation(text).await.unwrap_err();
    assert_eq!(product.snapshot(), before, "nothing was changed");
    cause
}

fn until(at: Timestamp) -> MachineOptions {
    MachineOptions::new(Some(at), 0).unwrap()
}

#[tokio::test]
async fn a_machine_is_licensed_by_what_the_vendor_reads_back_and_stays_so() {
    for form in [CodeForm::Digits, CodeForm::Letters] {
        let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
        let product = with_key(dir.path(), &clock).await;
        let read = id(&product).await;
        assert_eq!(
            (read.groups(form).len(), read.key()),
            ([9, 6][usize::from(form == CodeForm::Letters)], key(1).number())
        );
        clock.advance(HOUR);
        let confirmation = answer(&read.groups(form).join(" "), MachineOptions::new(None, 2).unwrap());
        let seen = product.enter_confirmation(&confirmation.text(form)).await.unwrap();
        assert_eq!(seen.state, LicenseState::LicensedWithoutEnd);
        assert!(product.has("3d") && !seen.test);
        drop(product);

        clock.advance(1000 * DAY);
        let again = open(dir.path(), &clock);
        let seen = again.snapshot();
        assert_eq!(
            (seen.state, seen.ask_at, seen.troubles),
            (LicenseState::LicensedWithoutEnd, None, vec![])
        );
        assert_eq!((seen.organisation, seen.attempts.len()), (None, 0));
        assert!(again.has("export"));
        let shown = seen.key.unwrap();
        assert_eq!(
            (shown.number, shown.confirmed_at, shown.by_code),
            (key(1).number(), Some(BEGIN + HOUR), true)
        );
        // The code key has ended since. What it has confirmed stays confirmed.
        assert_eq!(again.installation_id().await.unwrap_err().reason(), Some(Reason::CodeKeyOutOfTime));
    }
}

#[tokio::test]
async fn the_same_machine_with_the_same_key_always_reads_the_same_and_another_reads_another() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let product = open(dir.path(), &clock);
    assert_eq!(product.installation_id().await.unwrap_err().reason(), Some(Reason::KeyMissing));
    product.set_key_for_later(&typed(1)).await.unwrap();
    let read = id(&product).await;
    drop(product);
    let again = open(dir.path(), &clock);
    assert_eq!(id(&again).await, read);
    again.enter_confirmation(&confirmed(&read).text(CodeForm::Letters)).await.unwrap();
    assert_eq!(id(&again).await, read);
    again.clear_key().await.unwrap();
    again.set_key_for_later(&typed(1)).await.unwrap();
    assert_eq!((id(&again).await, again.state()), (read, LicenseState::KeyEntered { notices: false }));
    again.set_key_for_later(&typed(2)).await.unwrap();
    assert_ne!(id(&again).await, read);

    let elsewhere = tempfile::tempdir().unwrap();
    assert_ne!(id(&with_key(elsewhere.path(), &clock).await).await, read);
}

#[tokio::test]
async fn every_wrong_group_is_named_and_two_that_were_swapped() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let product = with_key(dir.path(), &clock).await;
    let confirmation = confirmed(&id(&product).await);
    for form in [CodeForm::Digits, CodeForm::Letters] {
        let right = confirmation.text(form);
        assert!(confirmation_groups(&right).iter().all(|group| *group == GroupState::Right), "{right}");
        let groups: Vec<&str> = right.split('-').collect();
        for wrong in 0..groups.len() {
            let mut typed: Vec<_> = groups.iter().map(ToString::to_string).collect();
            let other = if typed[wrong].starts_with('7') { "3" } else { "7" };
            typed[wrong].replace_range(..1, other);
            let cause = refused(&product, &typed.join(" ")).await;
            assert_eq!(cause.reason(), Some(Reason::CodeMalformed));
            assert_eq!(cause.parameter("groups"), Some(&*(wrong + 1).to_string()));
            let states = confirmation_groups(&typed.join(" "));
            let named: Vec<_> = (0..states.len()).filter(|at| states[*at] != GroupState::Right).collect();
            assert_eq!(named, [wrong]);
        }
        let mut swapped = groups.clone();
        swapped.swap(3, 4);
        let cause = refused(&product, &swapped.join("-")).await;
        assert_eq!(cause.to_string(), "CODE_MALFORMED: the code cannot be right: look at group 4, 5");
    }
    // The check of digits takes these two for right. The signature does not.
    let digits = confirmation.text(CodeForm::Digits);
    let mut apart: Vec<&str> = digits.split('-').collect();
    assert_ne!(apart[2], apart[12]);
    apart.swap(2, 12);
    assert_eq!(refused(&product, &apart.join("-")).await.reason(), Some(Reason::CodeOtherInstallation));
    assert!(!product.state().is_licensed());
}

#[tokio::test]
async fn a_code_is_worth_nothing_on_another_machine_with_another_key_or_from_another_vendor() {
    let (dir, other_dir, clock) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), StoryClock::new());
    let [product, other] = [with_key(dir.path(), &clock).await, with_key(other_dir.path(), &clock).await];
    let confirmation = confirmed(&id(&product).await).text(CodeForm::Digits);
    let cause = refused(&other, &confirmation).await;
    assert_eq!(cause.reason(), Some(Reason::CodeOtherInstallation));
    assert!(cause.remedy().contains("kms-client key installation-id"), "{}", cause.remedy());

    product.set_key_for_later(&typed(2)).await.unwrap();
    assert_eq!(refused(&product, &confirmation).await.reason(), Some(Reason::CodeOtherInstallation));
    product.set_key_for_later(&typed(1)).await.unwrap();
    let read: InstallationId = id(&product).await.digits().parse().unwrap();
    let stranger =
        ConfirmationId::of_machine(&read, MachineOptions::default(), &SecretKey::from_seed(&[6; 32]));
    let cause = refused(&product, &stranger.text(CodeForm::Letters)).await;
    assert_eq!(cause.reason(), Some(Reason::CodeOtherInstallation));
    product.enter_confirmation(&confirmation).await.unwrap();
    assert!(product.state().is_licensed());
}

#[tokio::test]
async fn a_code_key_counts_while_it_is_valid_and_its_certificate_has_to_hold() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let product = with_key(dir.path(), &clock).await;
    let confirmation = confirmed(&id(&product).await).text(CodeForm::Digits);
    let end = code_certificate().limits.not_after;
    for outside in [BEGIN - 2 * DAY, end] {
        clock.set(outside);
        assert_eq!(refused(&product, &confirmation).await.reason(), Some(Reason::CodeKeyOutOfTime));
        assert_eq!(product.installation_id().await.unwrap_err().reason(), Some(Reason::CodeKeyOutOfTime));
    }
    clock.set(end - Duration::from_millis(1));
    product.enter_confirmation(&confirmation).await.unwrap();
    drop(product);

    // A product may carry a newer key beside the one that has ended.
    let newer = SecretKey::from_seed(&[15; 32]);
    let mut certificate = code_certificate();
    certificate.limits.public_key = newer.public();
    certificate.limits.not_after = end + 365 * DAY;
    let carried: [&'static [u8]; 2] = [signed(&code_certificate()).leak(), signed(&certificate).leak()];
    let both = self::product().with_code_keys(vec![carried[0], carried[1]].leak());
    clock.set(end + DAY);
    let updated = on_hardware(both, HARDWARE, dir.path(), &clock).build().unwrap();
    assert_eq!(updated.state(), LicenseState::LicensedWithoutEnd, "by the first");
    assert_eq!(refused(&updated, &confirmation).await.reason(), Some(Reason::CodeKeyOutOfTime));
    let read: InstallationId = id(&updated).await.letters().parse().unwrap();
    let by_newer = ConfirmationId::of_machine(&read, MachineOptions::default(), &newer);
    updated.enter_confirmation(&by_newer.text(CodeForm::Letters)).await.unwrap();

    let built = |certificate: Vec<u8>| {
        let product = with_code_key(self::product(), certificate);
        on_hardware(product, HARDWARE, dir.path(), &clock).build().map(|_| ())
    };
    let by_stranger =
        SecretKey::from_seed(&[66; 32]).sign(Kind::CodeCertificate, &code_certificate().encode());
    let mut of_another = code_certificate();
    of_another.limits.products = vec![ProductId::from_bytes([0x0c; 16])];
    let as_issuer = root().sign(Kind::IssuingCertificate, &code_certificate().encode());
    for bad in [by_stranger.encode_to_vec(), signed(&of_another), as_issuer.encode_to_vec(), vec![1, 2, 3]] {
        let error = built(bad).unwrap_err();
        assert!(matches!(error, BuildError::CodeKey { number: 1, .. }), "{error}");
        assert!(error.to_string().starts_with("certificate 1 of the product's code keys: "), "{error}");
    }
    let without = on_hardware(self::product(), HARDWARE, dir.path(), &clock).build().unwrap();
    assert_eq!(without.installation_id().await.unwrap_err().reason(), Some(Reason::CodesNotTaken));
    assert!(!without.state().is_licensed(), "nobody vouches for it any more");
}

#[tokio::test]
async fn a_confirmation_ends_with_its_month_and_a_clock_that_is_set_back_does_not_revive_it() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let product = with_key(dir.path(), &clock).await;
    let read = id(&product).await.digits();
    // It is 1 January 2026. A term until mid-April ends with April.
    let confirmation = answer(&read, until(BEGIN + 100 * DAY)).text(CodeForm::Digits);
    let seen = product.enter_confirmation(&confirmation).await.unwrap();
    let end = BEGIN + 120 * DAY;
    assert_eq!(seen.state, LicenseState::LicensedByKey { until: end });
    assert_eq!(seen.key.unwrap().not_after, Some(end));
    clock.set(end - DAY);
    assert_eq!(product.state(), LicenseState::KeyEndsSoon { until: end });
    clock.set(end);
    assert_eq!(product.state(), LicenseState::KeyEnded { since: end });
    let cause = refused(&product, &confirmation).await;
    assert_eq!(cause.to_string(), "CODE_ENDED: this confirmation id ended at 2026-05-01 00:00:00Z");
    // Whoever looks notices the time.
    let agent = product.clone();
    let running = tokio::spawn(async move { agent.run(std::future::pending()).await });
    crate::portal::until(&product, |product| !product.snapshot().attempts.is_empty()).await;
    running.abort();
    let _ended = running.await;
    clock.set(BEGIN + DAY);
    assert_eq!(product.state(), LicenseState::KeyEnded { since: end });
    assert_eq!(refused(&product, &confirmation).await.reason(), Some(Reason::CodeEnded));

    // The term was extended, and somebody calls again.
    clock.set(end + DAY);
    let later = answer(&read, until(end + 360 * DAY)).text(CodeForm::Digits);
    product.enter_confirmation(&later).await.unwrap();
    assert!(matches!(product.state(), LicenseState::LicensedByKey { .. }));
}

#[tokio::test]
async fn features_that_this_release_does_not_know_ask_for_a_newer_one() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let product = with_key(dir.path(), &clock).await;
    let newer = answer(&id(&product).await.digits(), MachineOptions::new(None, 3).unwrap());
    assert_eq!(refused(&product, &newer.text(CodeForm::Digits)).await.reason(), Some(Reason::CodeNewer));
}

#[tokio::test]
async fn a_code_key_for_tests_says_so() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let mut certificate = code_certificate();
    certificate.limits.test = true;
    let product = with_code_key(product(), signed(&certificate));
    let product = on_hardware(product, HARDWARE, dir.path(), &clock).build().unwrap();
    product.set_key_for_later(&typed(1)).await.unwrap();
    let confirmation = confirmed(&id(&product).await);
    assert!(product.enter_confirmation(&confirmation.text(CodeForm::Letters)).await.unwrap().test);
}

#[tokio::test]
async fn one_new_part_keeps_the_id_and_two_are_another_machine_that_calls_again() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let product = with_key(dir.path(), &clock).await;
    let read = id(&product).await;
    let confirmation = confirmed(&read).text(CodeForm::Letters);
    product.enter_confirmation(&confirmation).await.unwrap();
    drop(product);
    let start = |parts| on_hardware(coded(), parts, dir.path(), &clock).build().unwrap();
    let new_disk = start(["PF1A2B3C", "WD-NEW", "4c4c4544-0042"]);
    assert_eq!((new_disk.state(), id(&new_disk).await), (LicenseState::LicensedWithoutEnd, read));
    drop(new_disk);

    clock.advance(DAY);
    let new_board_too = ["PF-NEW", "WD-NEW", "4c4c4544-0042"];
    let changed = start(new_board_too);
    assert_eq!(changed.state(), LicenseState::HardwareChanged { since: BEGIN + DAY, notices: false });
    let now = id(&changed).await;
    assert_ne!(now, read);
    assert_eq!(refused(&changed, &confirmation).await.reason(), Some(Reason::CodeOtherInstallation));
    changed.enter_confirmation(&confirmed(&now).text(CodeForm::Digits)).await.unwrap();
    drop(changed);
    assert_eq!(start(new_board_too).state(), LicenseState::LicensedWithoutEnd);
}

#[tokio::test]
async fn a_copy_of_the_disk_has_the_key_and_no_license_until_it_calls_itself() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let product = with_key(dir.path(), &clock).await;
    let confirmation = confirmed(&id(&product).await).text(CodeForm::Letters);
    product.enter_confirmation(&confirmation).await.unwrap();
    drop(product);
    let image = tempfile::tempdir().unwrap();
    let home = ProductId::from_bytes(PRODUCT_ID).to_string();
    std::fs::create_dir(image.path().join(&home)).unwrap();
    for file in ["identity", "saved", "key"] {
        std::fs::copy(dir.path().join(&home).join(file), image.path().join(&home).join(file)).unwrap();
    }

    let copy = builder_of(coded(), image.path(), "another machine", &clock, &[])
        .hardware_source("OTHER1", "OTHER2", "OTHER3")
        .build()
        .unwrap();
    assert_eq!(copy.state(), LicenseState::KeyEntered { notices: false });
    assert_eq!(refused(&copy, &confirmation).await.reason(), Some(Reason::CodeOtherInstallation));
    copy.enter_confirmation(&confirmed(&id(&copy).await).text(CodeForm::Digits)).await.unwrap();
    drop(copy);
    // The first machine boots again, and nothing has changed there.
    assert_eq!(open(dir.path(), &clock).state(), LicenseState::LicensedWithoutEnd);
}

#[tokio::test]
async fn another_key_keeps_the_confirmation_and_no_key_forgets_it() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let hosts = [host.address.to_string()];
    let product = on_hardware(coded(), HARDWARE, dir.path(), &clock).hosts(hosts).build().unwrap();
    product.set_key_for_later(&typed(1)).await.unwrap();
    let confirmation = confirmed(&id(&product).await).text(CodeForm::Letters);
    product.enter_confirmation(&confirmation).await.unwrap();
    product.set_key_for_later(&typed(1)).await.unwrap();
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd, "the same key is confirmed already");
    product.set_key_for_later(&typed(2)).await.unwrap();
    let state = |product: &kms_client::Client| (product.state(), product.snapshot().key.unwrap().before);
    assert_eq!(state(&product), (LicenseState::LicensedWithoutEnd, Some(key(1).number())));
    drop(product);
    let product =
        on_hardware(coded(), HARDWARE, dir.path(), &clock).hosts([host.address.to_string()]).build().unwrap();
    assert_eq!(state(&product), (LicenseState::LicensedWithoutEnd, Some(key(1).number())), "after a restart");
    product.set_key_for_later(&typed(1)).await.unwrap();
    assert_eq!(state(&product), (LicenseState::LicensedWithoutEnd, None), "nothing is typed again");
    product.set_key_for_later(&typed(2)).await.unwrap();
    let second = confirmed(&id(&product).await).text(CodeForm::Digits);
    assert_eq!(refused(&product, &confirmation).await.reason(), Some(Reason::CodeOtherInstallation));
    let entered = product.enter_confirmation(&second).await.unwrap().key.unwrap();
    assert_eq!((entered.number, entered.by_code, entered.before), (key(2).number(), true, None));
    product.clear_key().await.unwrap();
    assert_eq!(product.snapshot().key, None);
    product.activate().await.unwrap();
    assert!(matches!(product.state(), LicenseState::Licensed { .. }));
    drop(product);
    assert_eq!(client(dir.path(), &clock, &[]).snapshot().key, None);
}

#[tokio::test]
async fn a_machine_that_comes_online_shows_what_the_code_was_given_to() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = || with_code_key(portal.product(), signed(&code_certificate()));
    let machine = on_hardware(product(), HARDWARE, dir.path(), &clock).build().unwrap();
    // An ask that was never answered, before the call.
    machine.set_key_for_later(&typed(1)).await.unwrap();
    portal.next(Do::LoseTheAnswer);
    machine.activate().await.unwrap();
    drop(machine);
    let new_disk = ["PF1A2B3C", "WD-NEW", "4c4c4544-0042"];
    let machine = on_hardware(product(), new_disk, dir.path(), &clock).build().unwrap();
    let read = id(&machine).await;
    machine.enter_confirmation(&confirmed(&read).text(CodeForm::Letters)).await.unwrap();
    drop(machine);
    // Another part is new when it comes online.
    let new_board = ["PF-NEW", "WD-NEW", "4c4c4544-0042"];
    let machine = on_hardware(product(), new_board, dir.path(), &clock).build().unwrap();
    assert_eq!(machine.state(), LicenseState::LicensedWithoutEnd);
    machine.activate().await.unwrap();
    let ask = portal.activations().pop().unwrap();
    let shown =
        InstallationId::of_machine(&ask.machine_key, ask.product, ask.product_key.number(), &ask.parts);
    assert_eq!(shown, read.digits().parse().unwrap());
    let seen = machine.snapshot();
    assert_eq!(
        (seen.state, seen.organisation.unwrap().name),
        (LicenseState::LicensedWithoutEnd, "Key Buyers".into())
    );
    assert!(!seen.key.unwrap().by_code);
    assert_eq!(id(&machine).await, read, "and a later call is for the same place");
    // The other way round, a code takes the place of what the portal has confirmed.
    machine.enter_confirmation(&confirmed(&read).text(CodeForm::Digits)).await.unwrap();
    drop(machine);
    let again = on_hardware(product(), new_board, dir.path(), &clock).build().unwrap();
    assert!(again.snapshot().key.unwrap().by_code && again.state().is_licensed());
}

#[tokio::test]
async fn a_place_by_code_is_given_back_once_the_portal_has_seen_the_machine() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = with_code_key(portal.product(), signed(&code_certificate()));
    let machine = on_hardware(product, HARDWARE, dir.path(), &clock).build().unwrap();
    machine.set_key_for_later(&typed(1)).await.unwrap();
    machine.enter_confirmation(&confirmed(&id(&machine).await).text(CodeForm::Letters)).await.unwrap();
    portal.next(Do::Refuse(Reason::KeyBlocked));
    let round = machine.release().await.unwrap();
    assert_eq!(round.outcome.cause().unwrap().reason(), Some(Reason::KeyBlocked));
    assert!(machine.state().is_licensed());
    machine.release().await.unwrap();
    assert_eq!((portal.activations().len(), portal.asks().len(), portal.used()), (2, 3, 0));
    assert_eq!(machine.state(), LicenseState::KeyEntered { notices: false });
}

/// The code key was stolen. Revoking it changed nothing, and whoever had it confirmed machines that never met the portal.
#[tokio::test]
async fn a_machine_whose_code_key_was_revoked_shows_a_notice_until_the_portal_confirms_it() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = with_code_key(portal.product(), signed(&code_certificate()));
    let open = || on_hardware(product, HARDWARE, dir.path(), &clock).build().unwrap();
    let machine = open();
    machine.set_key_for_later(&typed(1)).await.unwrap();
    machine.enter_confirmation(&confirmed(&id(&machine).await).text(CodeForm::Letters)).await.unwrap();
    assert_eq!(machine.state(), LicenseState::LicensedWithoutEnd);

    let id = CertificateId::from_bytes([5; 16]);
    let list = RevocationList::new(1, BEGIN, vec![Revoked { id, at: BEGIN, reason: "stolen".into() }]);
    let list = Some(list.sign(&root(), None));
    portal.hand_out(GetRevocationsResponse { by_issuer: None, by_root: list });
    portal.next(Do::Refuse(Reason::KeyUnknown));
    let agent = machine.clone();
    let running = tokio::spawn(async move { agent.run(std::future::pending()).await });
    let revoked = LicenseState::KeyRevoked { since: BEGIN };
    crate::portal::until(&machine, |machine| {
        machine.state() == revoked && machine.snapshot().last_reason.as_deref() == Some("KEY_UNKNOWN")
    })
    .await;
    assert!(machine.snapshot().key.unwrap().by_code);
    running.abort();
    drop(machine);

    let machine = open();
    assert_eq!(machine.state(), revoked, "a restart remembers it");
    clock.advance(DAY);
    let agent = machine.clone();
    tokio::spawn(async move { agent.run(std::future::pending()).await });
    crate::portal::until(&machine, |machine| machine.state() == LicenseState::LicensedWithoutEnd).await;
    let seen = machine.snapshot();
    assert!(!seen.key.unwrap().by_code && seen.revoked.is_none());
}

/// The portal answers a release of it that it knows no such place, and this machine would have given up its license for nothing.
#[tokio::test]
async fn a_place_by_code_of_a_key_that_was_replaced_needs_that_key_again() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = with_code_key(portal.product(), signed(&code_certificate()));
    let machine = on_hardware(product, HARDWARE, dir.path(), &clock).build().unwrap();
    machine.set_key_for_later(&typed(1)).await.unwrap();
    machine.enter_confirmation(&confirmed(&id(&machine).await).text(CodeForm::Letters)).await.unwrap();
    machine.set_key_for_later(&typed(2)).await.unwrap();
    let round = machine.release().await.unwrap();
    let cause = round.outcome.cause().unwrap();
    assert_eq!(cause.reason(), Some(Reason::KeyNotKept));
    assert_eq!(cause.parameter("key"), Some(&*key(1).number().to_string()));
    assert_eq!((machine.state(), portal.asks().len()), (LicenseState::LicensedWithoutEnd, 0));
    // As the remedy says.
    machine.set_key_for_later(&typed(1)).await.unwrap();
    assert_eq!(machine.release().await.unwrap().outcome, kms_client::Outcome::Released);
    assert_eq!((portal.asks().len(), portal.used()), (2, 0));
}

#[tokio::test]
async fn another_process_shows_what_was_typed_and_where_nothing_is_kept_nothing_is_taken() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let [types, looks] = [with_key(dir.path(), &clock).await, open(dir.path(), &clock)];
    let confirmation = confirmed(&id(&looks).await).text(CodeForm::Letters);
    types.enter_confirmation(&confirmation).await.unwrap();
    // It takes up what the other has saved, and finds its own code as good.
    assert_eq!(
        looks.enter_confirmation(&confirmation).await.unwrap().state,
        LicenseState::LicensedWithoutEnd
    );
    let seen = on_hardware(coded(), HARDWARE, dir.path(), &clock).inspect().unwrap().snapshot().clone();
    assert!(seen.state.is_licensed() && seen.key.unwrap().by_code);
    drop((types, looks));

    // `saved` cannot be replaced: a folder is in the way of the temporary file.
    let other = tempfile::tempdir().unwrap();
    let product = with_key(other.path(), &clock).await;
    let confirmation = confirmed(&id(&product).await).text(CodeForm::Letters);
    let in_the_way = other.path().join(ProductId::from_bytes(PRODUCT_ID).to_string()).join("saved.new");
    std::fs::create_dir(&in_the_way).unwrap();
    assert_eq!(refused(&product, &confirmation).await.reason(), Some(Reason::StateUnwritable));
    std::fs::remove_dir(&in_the_way).unwrap();
    product.enter_confirmation(&confirmation).await.unwrap();
    assert!(product.state().is_licensed());
}

#[tokio::test]
async fn a_copy_that_a_host_has_named_reads_the_code_of_its_new_identity_and_a_kill_is_mended() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let address = host.address.to_string();
    let product = on_hardware(coded(), HARDWARE, dir.path(), &clock).hosts([address]).build().unwrap();
    product.activate().await.unwrap();
    host.say(Say::Refusal(Reason::Copied.into()));
    host.say(Say::Waiting(24));
    product.activate().await.unwrap();
    product.set_key_for_later(&typed(1)).await.unwrap();
    let confirmation = confirmed(&id(&product).await).text(CodeForm::Letters);
    let seen = product.enter_confirmation(&confirmation).await.unwrap();
    assert_eq!(seen.state, LicenseState::LicensedWithoutEnd);
    drop(product);

    // Killed after `saved` was written and before the new identity had its name.
    let home = dir.path().join(ProductId::from_bytes(PRODUCT_ID).to_string());
    std::fs::rename(home.join("identity"), home.join("identity.next")).unwrap();
    assert_eq!(open(dir.path(), &clock).state(), LicenseState::LicensedWithoutEnd);
    assert!(home.join("identity").exists() && !home.join("identity.next").exists());
}
