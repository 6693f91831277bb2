//! The wizard as a user meets it: with a portal, without one, by telephone, and at the next start.

use std::path::Path;
use std::sync::Arc;

use kms_client::wizard::{Wizard, WizardChoice, WizardStep, WizardTask};
use kms_client::{
    BuildError, Client, LicenseState, Product, Reason, TelephoneCountry, TelephoneNumber, TelephonesError,
    blocking,
};
use prost::Message as _;
use shared::codes::{CodeForm, MachineOptions};
use shared::envelope::{Kind, SecretKey};
use shared::ids::ProductId;
use shared::product_key::{KeyKind, ProductKey, ProductTag};
use shared::telephones::Telephones;

use crate::codes::{answer, coded};
use crate::portal::{Do, Portal, key, typed};
use crate::world::{PRODUCT_ID, StoryClock, builder_of, product, root};

fn number(region: &str, number: &str) -> TelephoneNumber {
    TelephoneNumber {
        region: region.to_owned(),
        kinds: vec![KeyKind::MultipleActivation],
        number: number.to_owned(),
        text_telephone: "+32 2 555 0199".to_owned(),
        hours: String::new(),
        languages: vec![],
    }
}

/// Numbers of two countries, as this key has signed them.
fn numbers(products: Vec<ProductId>, signer: &SecretKey) -> &'static [u8] {
    let country =
        |code: &str, numbers| TelephoneCountry { code: code.parse().unwrap(), names: vec![], numbers };
    let belgium =
        country("BE", vec![number("Vlaanderen", "+32 2 555 0100"), number("Wallonie", "+32 2 555 0101")]);
    let telephones =
        Telephones::new(products, vec![belgium, country("NL", vec![number("", "+31 20 555 0100")])]);
    signer.sign(Kind::Telephones, &telephones.unwrap().encode()).encode_to_vec().leak()
}

/// A product that offers both ways.
fn offering(portal: Option<&Portal>) -> Product {
    let mut product = coded().with_telephones(numbers(vec![ProductId::from_bytes(PRODUCT_ID)], &root()));
    match portal.map(Portal::product) {
        Some(with) => (product.portal, product.portal_ca) = (with.portal, with.portal_ca),
        // Nobody listens there.
        None => product = product.with_portal("https://localhost:1"),
    }
    product
}

struct User {
    client: Client,
    wizard: Wizard,
}

impl User {
    fn start(product: Product, dir: &Path, clock: &Arc<StoryClock>) -> User {
        let client = builder_of(product, dir, "this machine", clock, &[])
            .hardware_source("PF1A2B3C", "S4EVNX0R", "4c4c4544-0042")
            .build()
            .unwrap();
        let wizard = Wizard::start(&client, "nl_BE.UTF-8");
        User { client, wizard }
    }

    async fn run(&mut self, task: Option<WizardTask>) -> String {
        if let Some(task) = task {
            assert_eq!(*self.wizard.step(), WizardStep::Working);
            self.wizard.finish(task.run(&self.client).await);
        }
        self.at()
    }

    async fn choose(&mut self, choice: WizardChoice) -> String {
        let task = self.wizard.choose(&choice);
        self.run(task).await
    }

    async fn enter(&mut self, text: &str) -> String {
        let task = self.wizard.enter(text);
        self.run(task).await
    }

    /// The step, and what went wrong.
    fn at(&self) -> String {
        let cause = self.wizard.problem().or(self.wizard.step().cause());
        let code = cause.map(|cause| format!(" {}", cause.code)).unwrap_or_default();
        self.wizard.step().text_key().strip_prefix("wizard.").unwrap().to_owned() + &code
    }
}

#[tokio::test]
async fn a_user_with_a_connection_is_licensed_in_four_steps() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let mut user = User::start(offering(Some(&portal)), dir.path(), &clock);
    assert_eq!(user.at(), "enter-key");
    assert_eq!(user.enter(&typed(1).to_lowercase()).await, "now-or-later");
    assert_eq!(user.wizard.key(), Some(key(1).number()));
    assert_eq!(user.choose(WizardChoice::Now).await, "way");
    assert!(portal.asks().is_empty(), "nobody was asked before the user has chosen it");
    assert_eq!(user.choose(WizardChoice::Internet).await, "licensed");
    assert_eq!(user.client.state(), LicenseState::LicensedWithoutEnd);
    assert!(user.wizard.is_over() && !user.client.snapshot().is_activation_put_off());
    drop(user);
    assert_eq!(User::start(offering(Some(&portal)), dir.path(), &clock).at(), "licensed");
}

#[tokio::test]
async fn without_a_connection_a_user_is_told_so_and_licensed_by_telephone() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let mut user = User::start(offering(None), dir.path(), &clock);
    user.enter(&typed(1)).await;
    user.choose(WizardChoice::Now).await;
    assert_eq!(user.choose(WizardChoice::Internet).await, "no-connection PORTAL_UNREACHABLE");
    assert_eq!(user.choose(WizardChoice::Retry).await, "no-connection PORTAL_UNREACHABLE");
    assert_eq!(user.wizard.choices(), [WizardChoice::Retry, WizardChoice::Telephone, WizardChoice::Back]);

    assert_eq!(user.choose(WizardChoice::Telephone).await, "country");
    assert_eq!(user.wizard.country().unwrap().code.as_str(), "BE", "the country of the locale is proposed");
    assert_eq!(user.choose(WizardChoice::Country("NL".parse().unwrap())).await, "numbers");
    assert_eq!(user.wizard.numbers()[0].number, "+31 20 555 0100");
    assert_eq!(user.choose(WizardChoice::Back).await, "country");
    assert_eq!(user.choose(WizardChoice::Country("BE".parse().unwrap())).await, "region");
    assert_eq!(user.choose(WizardChoice::Region("Wallonie".to_owned())).await, "numbers");
    let [number] = user.wizard.numbers()[..] else { panic!() };
    assert_eq!((&*number.number, &*number.text_telephone), ("+32 2 555 0101", "+32 2 555 0199"));
    assert_eq!(user.choose(WizardChoice::Continue).await, "installation-id");
    let WizardStep::InstallationId(read) = *user.wizard.step() else { panic!() };

    assert_eq!(user.choose(WizardChoice::Continue).await, "confirmation");
    let code = answer(&read.digits(), MachineOptions::default()).text(CodeForm::Digits);
    let mut groups: Vec<_> = code.split('-').collect();
    groups.swap(3, 4);
    assert_eq!(user.enter(&groups.join(" ")).await, "confirmation CODE_MALFORMED");
    assert_eq!(user.wizard.problem().unwrap().parameter("groups"), Some("4, 5"));
    assert_eq!(user.choose(WizardChoice::Back).await, "installation-id");
    assert_eq!(user.choose(WizardChoice::Continue).await, "confirmation", "the problem was the last text's");
    assert_eq!(user.enter(&code).await, "licensed");
    assert!(user.client.snapshot().key.unwrap().by_code);
}

#[tokio::test]
async fn a_user_who_activates_later_is_asked_again_at_the_next_start() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let mut user = User::start(offering(Some(&portal)), dir.path(), &clock);
    user.enter(&typed(1)).await;
    assert_eq!(user.choose(WizardChoice::Later).await, "later");
    assert!(user.wizard.is_over());
    drop(user);

    let mut user = User::start(offering(Some(&portal)), dir.path(), &clock);
    let snapshot = user.client.snapshot();
    assert_eq!(snapshot.state, LicenseState::KeyEntered { notices: false });
    assert!(snapshot.is_activation_put_off() && portal.asks().is_empty());
    assert_eq!((user.at(), user.wizard.key()), ("now-or-later".to_owned(), Some(key(1).number())));
    user.choose(WizardChoice::Now).await;
    assert_eq!(user.choose(WizardChoice::Internet).await, "licensed");
    assert_eq!(portal.used(), 1);
}

#[tokio::test]
async fn a_key_that_cannot_be_right_is_named_and_the_one_before_stays() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let mut user = User::start(offering(None), dir.path(), &clock);
    let mut wrong = typed(1).into_bytes();
    wrong[13] = if wrong[13] == b'7' { b'8' } else { b'7' };
    let wrong = String::from_utf8(wrong).unwrap();
    assert_eq!(user.enter(&wrong).await, "enter-key KEY_MALFORMED");
    assert_eq!(user.wizard.problem().unwrap().parameter("groups"), Some("3"));
    let of = |kind, product| ProductKey::new(kind, ProductTag::of(ProductId::from_bytes(product)), &[7; 10]);
    assert_eq!(user.enter(&of(KeyKind::Host, PRODUCT_ID).to_string()).await, "enter-key KEY_OTHER_KIND");
    let other = of(KeyKind::MultipleActivation, [9; 16]).to_string();
    assert_eq!(user.enter(&other).await, "enter-key KEY_OTHER_PRODUCT");
    assert!(user.client.snapshot().key.is_none());

    user.enter(&typed(1)).await;
    assert_eq!(user.choose(WizardChoice::OtherKey).await, "enter-key");
    assert_eq!(user.enter(&wrong).await, "enter-key KEY_MALFORMED");
    assert_eq!(user.choose(WizardChoice::Back).await, "now-or-later");
    assert_eq!(user.client.snapshot().key.unwrap().number, key(1).number());
}

#[tokio::test]
async fn a_blocked_key_says_where_to_turn_and_another_one_can_be_entered() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let mut user = User::start(offering(Some(&portal)), dir.path(), &clock);
    user.enter(&typed(1)).await;
    user.choose(WizardChoice::Now).await;
    portal.next(Do::Refuse(Reason::KeyBlocked));
    assert_eq!(user.choose(WizardChoice::Internet).await, "failed KEY_BLOCKED");
    let remedy = user.wizard.step().cause().unwrap().remedy();
    assert!(
        remedy.contains("ask the seller") && remedy.contains("nothing on this machine is at fault"),
        "{remedy}"
    );
    assert_eq!(user.wizard.choices(), [WizardChoice::Retry, WizardChoice::OtherKey, WizardChoice::Back]);

    user.choose(WizardChoice::OtherKey).await;
    user.enter(&typed(2)).await;
    user.choose(WizardChoice::Now).await;
    portal.next(Do::Refuse(Reason::KeyExhausted));
    assert_eq!(user.choose(WizardChoice::Internet).await, "failed KEY_EXHAUSTED");
    assert!(
        user.wizard.choices().contains(&WizardChoice::Telephone),
        "the vendor may grant more on the telephone"
    );
    assert_eq!(user.choose(WizardChoice::Retry).await, "licensed");
}

/// To enter the key that had activated the machine already led to `Activate it now, or later?`.
#[tokio::test]
async fn another_key_leaves_the_license_and_the_first_one_again_needs_no_portal() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let mut user = User::start(portal.product(), dir.path(), &clock);
    user.enter(&typed(1)).await;
    user.choose(WizardChoice::Now).await;
    assert_eq!(
        (user.choose(WizardChoice::OtherKey).await, user.wizard.key_before()),
        ("enter-key".into(), None)
    );
    assert_eq!(user.enter(&typed(2)).await, "now-or-later");
    portal.next(Do::Refuse(Reason::KeyBlocked));
    assert_eq!(user.choose(WizardChoice::Now).await, "failed KEY_BLOCKED");
    assert_eq!(user.wizard.key_before(), Some(key(1).number()));
    assert_eq!(user.client.state(), LicenseState::LicensedWithoutEnd);
    drop(user);

    let mut user = User::start(portal.product(), dir.path(), &clock);
    assert_eq!((user.at(), user.wizard.key_before()), ("now-or-later".into(), Some(key(1).number())));
    user.choose(WizardChoice::OtherKey).await;
    assert_eq!((user.enter(&typed(1)).await, user.wizard.key_before()), ("licensed".into(), None));
    assert_eq!(portal.asks().len(), 2);
    user.choose(WizardChoice::OtherKey).await;
    user.enter(&typed(2)).await;
    assert_eq!(user.choose(WizardChoice::Now).await, "licensed");
    assert_eq!(user.wizard.key_before(), Some(key(1).number()), "its place is still counted");
}

#[tokio::test]
async fn whoever_leaves_while_the_portal_is_asked_loses_nothing() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let portal = Portal::start(&clock).await;
    let mut user = User::start(offering(Some(&portal)), dir.path(), &clock);
    user.enter(&typed(1)).await;
    user.choose(WizardChoice::Now).await;
    portal.next(Do::LoseTheAnswer);
    assert!(user.choose(WizardChoice::Internet).await.starts_with("no-connection"));
    // The window is closed in the middle of the next ask.
    let task = user.wizard.choose(&WizardChoice::Retry).unwrap();
    drop(tokio::time::timeout(std::time::Duration::ZERO, task.run(&user.client)).await);
    assert_eq!(user.choose(WizardChoice::Back).await, "no-connection PORTAL_UNREACHABLE");
    drop(user);

    let mut user = User::start(offering(Some(&portal)), dir.path(), &clock);
    assert_eq!(user.at(), "now-or-later");
    user.choose(WizardChoice::Now).await;
    assert_eq!(user.choose(WizardChoice::Internet).await, "licensed");
    assert_eq!(portal.used(), 1);
}

#[tokio::test]
async fn a_product_that_offers_one_way_asks_for_no_choice() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    // Without a portal and without numbers, the user knows whom to call.
    let mut user = User::start(coded(), dir.path(), &clock);
    user.enter(&typed(1)).await;
    assert_eq!(user.choose(WizardChoice::Now).await, "installation-id");
    assert_eq!(user.choose(WizardChoice::Back).await, "now-or-later");

    // Without a portal and codes, nobody is told to look at the network.
    let dir = tempfile::tempdir().unwrap();
    let mut user = User::start(product(), dir.path(), &clock);
    user.enter(&typed(1)).await;
    assert_eq!(user.choose(WizardChoice::Now).await, "failed NO_PORTAL_KNOWN");

    let (dir, portal) = (tempfile::tempdir().unwrap(), Portal::start(&clock).await);
    let mut user = User::start(portal.product(), dir.path(), &clock);
    user.enter(&typed(1)).await;
    assert_eq!(user.choose(WizardChoice::Now).await, "licensed");
}

#[test]
fn a_dialog_without_a_runtime_goes_the_same_way() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let builder = builder_of(coded(), dir.path(), "this machine", &clock, &[]);
    let client = blocking::Client::start(builder.hardware_source("", "", "")).unwrap();
    let mut wizard = Wizard::start(&client.handle(), "");
    let task = wizard.enter(&typed(1)).unwrap();
    wizard.finish(client.run_task(task));
    let task = wizard.choose(&WizardChoice::Now).unwrap();
    wizard.finish(client.run_task(task));
    assert!(matches!(wizard.step(), WizardStep::InstallationId(_)));
}

#[test]
fn a_product_with_numbers_of_somebody_else_does_not_start() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let refused = |signed| {
        let built =
            builder_of(coded().with_telephones(signed), dir.path(), "this machine", &clock, &[]).build();
        let Err(BuildError::Telephones(error)) = built else { panic!("{built:?}") };
        error
    };
    let other = numbers(vec![ProductId::from_bytes([9; 16])], &root());
    assert_eq!(refused(other), TelephonesError::OtherProduct);
    let strangers = numbers(vec![], &SecretKey::from_seed(&[66; 32]));
    assert!(matches!(refused(strangers), TelephonesError::Envelope(_)));
    assert!(matches!(refused(b"numbers"), TelephonesError::Envelope(_)));
}
