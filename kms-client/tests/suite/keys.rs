//! A machine with a product key: entered, confirmed by the portal, kept, given back, and cleared.

use kms_client::{KeyNumber, LicenseState, Notice, Outcome, Reason};
use proto::v1::Signed;
use shared::activation::MachineActivation;

use crate::portal::{Do, Portal, key, typed, until};
use crate::world::{BEGIN, DAY, Host, PRODUCT_ID, StoryClock};

fn nonce(ask: &Signed) -> shared::ids::Nonce {
    MachineActivation::open(ask).unwrap().nonce
}

#[tokio::test]
async fn a_key_licenses_without_end_and_asks_neither_host_nor_portal_again() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let (portal, host) = (Portal::start(&clock).await, Host::start(9, &clock).await);
    let product = portal.builder(dir.path(), &clock, &[&host]).build().unwrap();
    assert_eq!(product.set_key(&typed(1).to_lowercase()).await.unwrap(), key(1).number());
    assert_eq!(product.state(), LicenseState::KeyEntered { notices: false });
    assert_eq!(product.state().notice(), Notice::Info);
    assert_eq!(product.snapshot().key.unwrap().confirmed_at, None);

    let round = product.activate().await.unwrap();
    assert_eq!(round.outcome, Outcome::Confirmed { until: None, used: 1, granted: 5 });
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd);
    drop(product);

    clock.advance(1000 * DAY);
    let again = portal.builder(dir.path(), &clock, &[&host]).build().unwrap();
    let seen = again.snapshot();
    assert_eq!(again.state(), LicenseState::LicensedWithoutEnd);
    assert_eq!((seen.ask_at, seen.last_reason, seen.troubles), (None, None, vec![]));
    assert_eq!(seen.organisation.unwrap().name, "Key Buyers");
    assert!(again.has("export") && !seen.test);
    let shown = seen.key.unwrap();
    assert_eq!((shown.number, shown.confirmed_at, shown.not_after), (key(1).number(), Some(BEGIN), None));
    assert_eq!((portal.asks().len(), host.seen().len()), (1, 0));
}

#[tokio::test]
async fn the_key_lies_in_a_file_of_its_own_that_its_owner_alone_reads() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    portal.next(Do::LoseTheAnswer);
    let product = portal.client(dir.path(), &clock);
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();

    let folder = dir.path().join(kms_client::ProductId::from_bytes(PRODUCT_ID).to_string());
    let holds_the_key = |name: &str| {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        bytes.windows(13).any(|window| window == key(1).as_bytes())
    };
    let shown = format!("{product:?} {:?}", product.snapshot());
    assert!(holds_the_key("key") && !holds_the_key("saved") && !holds_the_key("identity"));
    assert!(!shown.contains(&typed(1)) && shown.contains(&key(1).number().to_string()), "{shown}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.join("key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn the_loop_asks_at_once_when_a_key_is_entered() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    let agent = product.clone();
    let running = tokio::spawn(async move { agent.run(std::future::pending()).await });
    product.set_key(&typed(1)).await.unwrap();
    until(&product, |product| product.state() == LicenseState::LicensedWithoutEnd).await;
    running.abort();
}

#[tokio::test]
async fn an_answer_that_is_lost_costs_no_place_even_over_a_restart() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    portal.next(Do::LoseTheAnswer);
    let product = portal.client(dir.path(), &clock);
    product.set_key(&typed(1)).await.unwrap();
    let round = product.activate().await.unwrap();
    assert_eq!(round.outcome.cause().unwrap().reason(), Some(Reason::PortalUnreachable));
    assert_eq!(product.state(), LicenseState::KeyEntered { notices: false });
    drop(product);

    clock.advance(DAY);
    let restarted = portal.client(dir.path(), &clock);
    restarted.activate().await.unwrap();
    assert_eq!(restarted.state(), LicenseState::LicensedWithoutEnd);
    let asks = portal.asks();
    assert_eq!(asks[0], asks[1], "the same bytes");
    // Whoever wants it may ask again; that costs nothing, either.
    restarted.activate().await.unwrap();
    assert_ne!(nonce(&portal.asks()[2]), nonce(&asks[1]));
    assert_eq!(portal.used(), 1);
}

#[tokio::test]
async fn what_the_portal_refuses_is_shown_and_the_next_ask_is_a_new_one() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    portal.next(Do::Refuse(Reason::KeyExhausted));
    let product = portal.client(dir.path(), &clock);
    product.set_key(&typed(1)).await.unwrap();
    let round = product.activate().await.unwrap();
    assert_eq!(round.outcome.to_string(), "KEY_EXHAUSTED: every place of this key is taken: 5 of 5");
    let seen = product.snapshot();
    assert_eq!(seen.state, LicenseState::KeyEntered { notices: false });
    assert_eq!((seen.reason(), seen.failures), (Some(Reason::KeyExhausted), 1));
    assert!(BEGIN < seen.ask_at.unwrap(), "asked again later");
    assert_eq!(seen.last_cause().unwrap().parameter("granted"), Some("5"));
    // What hosts say as well is said of the portal, also after a restart.
    portal.next(Do::Refuse(Reason::Overloaded));
    product.activate().await.unwrap();
    drop(product);
    let product = portal.client(dir.path(), &clock);
    let cause = product.snapshot().last_cause().unwrap();
    assert!(
        cause.to_string().starts_with("OVERLOADED: the vendor's portal has")
            && !cause.remedy().contains("host")
    );

    product.activate().await.unwrap();
    let asks = portal.asks();
    assert_ne!(nonce(&asks[0]), nonce(&asks[1]));
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd);
}

#[tokio::test]
async fn a_confirmation_that_does_not_verify_is_not_kept() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    product.set_key(&typed(1)).await.unwrap();
    for (wrong, reason) in
        [(Do::SignAsAnother, Reason::Untrusted), (Do::ConfirmAnother, Reason::AnswerMismatch)]
    {
        portal.next(wrong);
        let round = product.activate().await.unwrap();
        let cause = round.outcome.cause().unwrap();
        assert_eq!(cause.reason(), Some(reason));
        assert!(cause.to_string().contains(": the vendor's portal at https://localhost:"), "{cause}");
        assert!(!product.state().is_licensed());
    }
    product.activate().await.unwrap();
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd);
}

#[tokio::test]
async fn a_key_for_later_is_asked_for_when_somebody_wants_it() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    product.set_key_for_later(&typed(1)).await.unwrap();
    drop(product);

    let next_start = portal.client(dir.path(), &clock);
    assert_eq!(next_start.state(), LicenseState::KeyEntered { notices: false });
    assert_eq!(next_start.snapshot().ask_at, None, "the product asks its user");
    assert_eq!(portal.asks(), []);
    next_start.activate().await.unwrap();
    assert_eq!(next_start.state(), LicenseState::LicensedWithoutEnd);
}

#[tokio::test]
async fn a_wrong_key_is_told_before_anything_is_sent_or_changed() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    let told = async |text: &str| product.set_key(text).await.unwrap_err().to_string();
    let mut mistyped = typed(1).into_bytes();
    mistyped[6] = if mistyped[6] == b'0' { b'1' } else { b'0' };
    let mistyped = String::from_utf8(mistyped).unwrap();
    assert_eq!(told(&mistyped).await, "KEY_MALFORMED: the product key cannot be right: look at group 2");
    let host_key =
        shared::product_key::ProductKey::new(shared::product_key::KeyKind::Host, key(1).tag(), &[1; 10]);
    assert_eq!(
        told(&host_key.to_string()).await,
        "KEY_OTHER_KIND: this is a host key, and a multiple-activation key is needed here"
    );
    assert_eq!(product.snapshot().key, None);
    assert_eq!(portal.asks(), []);
}

#[tokio::test]
async fn a_machine_moves_from_hosts_to_a_key_and_back_and_its_lease_runs_on() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let (portal, host) = (Portal::start(&clock).await, Host::start(9, &clock).await);
    let product = portal.builder(dir.path(), &clock, &[&host]).build().unwrap();
    product.activate().await.unwrap();
    let leased = LicenseState::Licensed { until: BEGIN + 180 * DAY };
    assert_eq!(product.state(), leased);

    product.set_key(&typed(1)).await.unwrap();
    assert_eq!(product.state(), leased, "until the key is confirmed");
    product.activate().await.unwrap();
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd);
    assert_eq!(host.seen().len(), 1);

    product.clear_key().await.unwrap();
    let seen = product.snapshot();
    assert_eq!((seen.state, seen.key), (leased, None));
    assert_eq!(seen.organisation.unwrap().name, "Organisation 7");
    product.activate().await.unwrap();
    assert_eq!((host.seen().len(), portal.asks().len()), (2, 1));
    drop(product);
    let again = portal.builder(dir.path(), &clock, &[&host]).build().unwrap();
    assert_eq!(again.snapshot().key, None);
}

#[tokio::test]
async fn one_new_part_is_the_same_hardware_and_two_are_asked_for_again() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();
    drop(product);

    let start = |parts| portal.on_hardware(parts, dir.path(), &clock, &[]).build().unwrap();
    let new_disk = start(["PF1A2B3C", "WD-NEW", "4c4c4544-0042"]);
    assert_eq!(new_disk.state(), LicenseState::LicensedWithoutEnd);
    drop(new_disk);

    clock.advance(DAY);
    let new_board_too = ["PF-NEW", "WD-NEW", "4c4c4544-0042"];
    let changed = start(new_board_too);
    let since = BEGIN + DAY;
    assert_eq!(changed.state(), LicenseState::HardwareChanged { since, notices: false });
    assert!(changed.state().is_licensed(), "no function is taken away");
    drop(changed);
    clock.advance(25 * DAY);
    let still = start(new_board_too);
    assert_eq!(still.state(), LicenseState::HardwareChanged { since, notices: true });

    let agent = still.clone();
    let running = tokio::spawn(async move { agent.run(std::future::pending()).await });
    until(&still, |still| still.state() == LicenseState::LicensedWithoutEnd).await;
    running.abort();
    let _ended = running.await;
    assert_eq!(portal.used(), 1);
    drop(still);
    assert_eq!(start(new_board_too).state(), LicenseState::LicensedWithoutEnd);
}

#[tokio::test]
async fn a_part_that_was_put_back_is_the_old_hardware_again() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();
    drop(product);
    let other = portal.on_hardware(["A-NEW-BOARD", "WD-NEW", ""], dir.path(), &clock, &[]).build().unwrap();
    assert!(matches!(other.state(), LicenseState::HardwareChanged { .. }));
    drop(other);
    let back = portal.client(dir.path(), &clock);
    assert_eq!((back.state(), back.snapshot().ask_at), (LicenseState::LicensedWithoutEnd, None));
}

#[tokio::test]
async fn a_place_is_given_back_and_a_lost_answer_to_that_asks_the_same_again() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();

    portal.next(Do::LoseTheAnswer);
    product.release().await.unwrap();
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd, "nothing has confirmed it");
    assert_eq!(product.release().await.unwrap().outcome, Outcome::Released);
    assert_eq!(portal.asks()[1], portal.asks()[2]);
    assert_eq!(portal.used(), 0);
    assert_eq!(product.state(), LicenseState::KeyEntered { notices: false });
    drop(product);

    let again = portal.client(dir.path(), &clock);
    assert_eq!(again.snapshot().ask_at, None, "a restart does not undo a release");
    again.activate().await.unwrap();
    assert_eq!((again.state(), portal.used()), (LicenseState::LicensedWithoutEnd, 1));
    // A portal that knows nothing of this machine has no place to take back.
    portal.next(Do::Refuse(Reason::NotActivatedHere));
    assert_eq!(again.release().await.unwrap().outcome, Outcome::Released);
    assert!(!again.state().is_licensed());
}

#[tokio::test]
async fn a_key_with_an_end_warns_ends_and_goes_on_when_its_term_was_extended() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let end = BEGIN + 300 * DAY;
    portal.ends(end);
    portal.is_for_a_test();
    let product = portal.client(dir.path(), &clock);
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();
    assert_eq!(product.state(), LicenseState::LicensedByKey { until: end });
    assert!(product.snapshot().test);
    clock.set(end - DAY);
    assert_eq!(product.state(), LicenseState::KeyEndsSoon { until: end });
    clock.set(end);
    assert_eq!(product.state(), LicenseState::KeyEnded { since: end });
    assert!(product.snapshot().ask_at.unwrap() <= end);

    portal.ends(end + 300 * DAY);
    let agent = product.clone();
    let running = tokio::spawn(async move { agent.run(std::future::pending()).await });
    until(&product, |product| product.state().is_licensed()).await;
    running.abort();
    assert_eq!(product.state(), LicenseState::LicensedByKey { until: end + 300 * DAY });
}

#[tokio::test]
async fn another_key_is_asked_for_in_place_of_the_first() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let number = |product: &kms_client::Client| -> KeyNumber { product.snapshot().key.unwrap().number };
    let product = portal.client(dir.path(), &clock);
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();
    product.set_key(&typed(1)).await.unwrap();
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd, "the same key is confirmed already");
    product.set_key(&typed(2)).await.unwrap();
    assert_eq!((product.state(), number(&product)), (LicenseState::LicensedWithoutEnd, key(2).number()));
    product.activate().await.unwrap();
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd);
    let entered = product.snapshot().key.unwrap();
    assert_eq!((entered.confirmed_at, entered.before), (Some(BEGIN), None));
    drop(product);

    // The key in the product's own configuration goes before one that was entered.
    let configured = || portal.builder(dir.path(), &clock, &[]).key(&typed(3)).build().unwrap();
    assert_eq!(number(&configured()), key(3).number());
    configured().activate().await.unwrap();
    assert_eq!(configured().state(), LicenseState::LicensedWithoutEnd);
    let wrong = portal.builder(dir.path(), &clock, &[]).key("nonsense").build();
    assert!(wrong.unwrap_err().to_string().starts_with("KEY_MALFORMED"));
}

#[tokio::test]
async fn a_new_identity_and_a_copy_keep_the_key_and_are_confirmed_anew() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();
    product.identity_reset().await.unwrap();
    assert_eq!(product.state(), LicenseState::KeyEntered { notices: false });
    product.activate().await.unwrap();
    assert_eq!(product.state(), LicenseState::LicensedWithoutEnd);
    drop(product);

    let copy = portal.builder(dir.path(), &clock, &[]).fingerprint_source("another machine").build().unwrap();
    assert_eq!(copy.state(), LicenseState::KeyEntered { notices: false }, "the image had a key in it");
    copy.activate().await.unwrap();
    assert_eq!(portal.used(), 3);
}

#[tokio::test]
async fn a_damaged_or_missing_key_file_ends_no_license_and_the_machine_goes_by_hosts_without_one() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();
    drop(product);
    let file = dir.path().join(kms_client::ProductId::from_bytes(PRODUCT_ID).to_string()).join("key");
    std::fs::write(&file, b"noise").unwrap();
    let damaged = portal.client(dir.path(), &clock);
    assert_eq!(damaged.state(), LicenseState::LicensedWithoutEnd);
    assert_eq!(damaged.snapshot().troubles[0].reason(), Some(Reason::StateDamaged));
    drop(damaged);
    std::fs::remove_file(&file).unwrap();
    let missing = portal.client(dir.path(), &clock);
    assert_eq!((missing.state(), missing.snapshot().troubles), (LicenseState::LicensedWithoutEnd, vec![]));
    // Without a confirmation there is nothing left of the key.
    missing.identity_reset().await.unwrap();
    drop(missing);
    let hosts_again = portal.client(dir.path(), &clock);
    assert_eq!(hosts_again.snapshot().key, None);
}

#[tokio::test]
async fn a_tool_that_only_looks_shows_the_key_and_asks_nobody() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let product = portal.client(dir.path(), &clock);
    product.set_key(&typed(1)).await.unwrap();
    product.activate().await.unwrap();
    let looked = portal.builder(dir.path(), &clock, &[]).inspect().unwrap();
    let seen = looked.snapshot();
    assert_eq!(seen.state, LicenseState::LicensedWithoutEnd);
    assert_eq!(seen.key.unwrap().number, key(1).number());
    assert_eq!(portal.asks().len(), 1);
}

#[tokio::test]
async fn machines_without_a_network_are_confirmed_by_what_another_machine_carries() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let dirs = ["one", "two", "carrier"].map(|name| dir.path().join(name));
    let [one, two] = [0, 1].map(|index| portal.client(&dirs[index], &clock));
    let mut confirmations = Vec::new();
    let carrier = portal.builder(&dirs[2], &clock, &[]).inspect().unwrap();
    for machine in [&one, &two] {
        assert_eq!(machine.key_ask().await.unwrap_err().reason(), Some(Reason::KeyMissing));
        machine.set_key_for_later(&typed(1)).await.unwrap();
        let ask = machine.key_ask().await.unwrap();
        assert_eq!(machine.key_ask().await.unwrap(), ask, "it is the same until it is answered");
        confirmations.push(carrier.carry_ask(&ask).await.unwrap());
    }
    assert!(!dirs[2].exists(), "whoever carries has no state");

    clock.advance(20 * DAY);
    assert_eq!(one.apply_confirmation(&confirmations[1]).await, Ok(false), "it is the other machine's");
    assert_eq!(one.apply_confirmation(b"noise").await, Ok(false));
    assert_eq!(one.apply_confirmation(&confirmations[0]).await, Ok(true));
    assert_eq!(two.apply_confirmation(&confirmations[1]).await, Ok(true));
    for machine in [&one, &two] {
        assert_eq!(machine.state(), LicenseState::LicensedWithoutEnd);
    }
    assert_eq!(one.apply_confirmation(&confirmations[0]).await, Ok(false), "it is answered already");

    portal.next(Do::Refuse(Reason::KeyBlocked));
    two.clear_key().await.unwrap();
    two.set_key_for_later(&typed(2)).await.unwrap();
    let refused = carrier.carry_ask(&two.key_ask().await.unwrap()).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::KeyBlocked));
    portal.next(Do::SignAsAnother);
    let forged = carrier.carry_ask(&two.key_ask().await.unwrap()).await.unwrap();
    assert_eq!(two.apply_confirmation(&forged).await, Ok(false));
    assert!(!two.state().is_licensed());
}
