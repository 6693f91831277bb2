//! A host without any way to its vendor, activated by codes that people read to each other. `codes/machine.rs` has a machine, and
//! `codes/operator.rs` the other end of the telephone.

mod machine;
mod operator;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use kms_host::home::{HOUR_MS, Home};
use kms_vendor::{NewIssuer, Signer};
use shared::certificate::{HostCertificate, Roots};
use shared::codes::{CodeForm, ConfirmationId, HostTerms, InstallationId};
use shared::envelope::SecretKey;
use shared::features::Features;
use shared::files::{self, HOST_TERMS, KeyRequest, RequestedKey};
use shared::product_key::{KeyKind, KeyNumber, ProductKey, ProductTag};
use shared::testing;

use crate::commands::run_at;
use crate::stage::{Stage, YEAR, an_hour_ago, now, outcomes, serve};

/// The vendor's side of a call: a portal's key, and the terms of a host key that was sold.
struct Operator {
    issuing_key: SecretKey,
    key: ProductKey,
    terms: HostTerms,
    file: PathBuf,
}

impl Operator {
    fn of(stage: &Stage) -> Operator {
        let issuing_key = SecretKey::from_seed(&[9; 32]);
        let issuer = NewIssuer {
            products: vec![],
            not_before: an_hour_ago(),
            valid_for: YEAR,
            root: Signer::Root1,
            test: false,
            now: now(),
        };
        let vendor = stage.shop.vendor();
        let request = KeyRequest::to_pem(RequestedKey::Issuing, &issuing_key);
        let signed = vendor.sign_issuer(&request, &issuer, &mut rand::rng()).unwrap();
        let product = stage.shop.product();
        let sold = HostCertificate {
            policy: product.policy,
            test: product.test,
            features: Features::new(["export"]).unwrap(),
            ..testing::certificate(issuing_key.public(), product.id, now())
        };
        let key = ProductKey::new(KeyKind::Host, ProductTag::of(product.id), &[7; 10]);
        let issuing = files::issuing_certificate_from_pem(signed.pem.as_bytes()).unwrap();
        let roots = Roots::new(vendor.roots().iter().map(<[u8; 32]>::as_slice)).unwrap();
        let terms = HostTerms::new(&sold, YEAR, key.number(), issuing, &roots).unwrap();
        let file = stage.folder.path().join("host-terms.pem");
        fs::write(&file, files::to_pem(HOST_TERMS, &terms.encode())).unwrap();
        Operator { issuing_key, key, terms, file }
    }

    /// Writes down what a host reads aloud, and reads the answer back in this form.
    fn answer(&self, read: &str, form: CodeForm) -> String {
        let id: InstallationId = read.parse().unwrap();
        ConfirmationId::of_host(&id, &self.terms, now(), &self.issuing_key).unwrap().text(form)
    }
}

/// What stands in the first rows with letters before them.
pub(crate) fn first_code(said: &str) -> String {
    let rows = said.lines().skip_while(|line| !line.starts_with("  A ")).take_while(|line| !line.is_empty());
    rows.map(|row| &row[4..]).collect()
}

async fn said(home: &Home, operator: &Operator, arguments: &[&str]) -> (i32, String) {
    let terms = operator.file.display().to_string();
    let done = run_at(home, &[&["activate", "--terms", &terms], arguments].concat()).await;
    (done.code, done.stdout + &done.stderr)
}

#[tokio::test]
async fn a_host_without_a_network_reads_its_id_and_types_what_the_vendor_reads_back() {
    for form in [CodeForm::Digits, CodeForm::Letters] {
        let stage = Stage::with_threshold(1);
        let operator = Operator::of(&stage);
        let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
        let (code, shown) = said(&home, &operator, &[]).await;
        assert_eq!(code, 0, "{shown}");
        assert!(!shown.contains(&operator.key.last_group()), "the key is not in it: {shown}");
        let read = first_code(&shown);
        let confirmation = operator.answer(&read, form);

        let (code, shown) = said(&home, &operator, &["--confirm", &confirmation.replace('-', " ")]).await;
        assert_eq!(code, 0, "{shown}");
        let host = serve(&home).await;
        let machine = stage.machine("machine", &[host.address()]);
        assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"]);
        assert!(machine.has("export"));
        host.stop().await.unwrap();
    }
}

/// The numbers were signed for products, and whoever activated a host had to know whom to call.
#[tokio::test]
async fn numbers_that_come_with_the_terms_are_shown_if_a_root_has_signed_them() {
    let numbers = |stage: &Stage| {
        let file = stage.folder.path().join("telephones.toml");
        let text = "[country.NL]\nnames = { en = \"Netherlands\" }\n[[country.NL.number]]\nnumber = \"+31 20 555 0100\"\n\
                    hours = \"Mon-Fri 8:00-18:00\"\nlanguages = [\"nl\", \"en\"]\n[[country.NL.number]]\nkinds = [\"multiple-activation\"]\n\
                    number = \"+31 20 555 0199\"\n";
        fs::write(&file, text).unwrap();
        stage.shop.vendor().sign_telephones(&file, &[], Signer::Root2).unwrap().pem
    };
    let (stage, stranger) = (Stage::with_threshold(1), Stage::with_threshold(1));
    let operator = Operator::of(&stage);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let terms = fs::read_to_string(&operator.file).unwrap();

    fs::write(&operator.file, format!("{terms}{}", numbers(&stage))).unwrap();
    let (code, shown) = said(&home, &operator, &[]).await;
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("\n  Netherlands: +31 20 555 0100  Mon-Fri 8:00-18:00; nl, en\n\n  A "),
        "{shown}"
    );
    assert!(!shown.contains("0199"), "that one is for other keys: {shown}");
    let (_, json) = said(&home, &operator, &["--json"]).await;
    assert!(json.contains("\"number\": \"+31 20 555 0100\""), "{json}");

    fs::write(&operator.file, format!("{terms}{}", numbers(&stranger))).unwrap();
    let (code, shown) = said(&home, &operator, &[]).await;
    assert!(
        code == 0 && shown.contains("warning: the telephone numbers") && !shown.contains("+31"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_host_that_runs_takes_up_what_was_read_to_it() {
    let stage = Stage::with_threshold(1);
    let operator = Operator::of(&stage);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    stage.shop.certify(&home, "Example Works", an_hour_ago(), Duration::from_hours(24)).unwrap();
    let host = serve(&home).await;
    let (_, shown) = said(&home, &operator, &[]).await;
    let confirmation = operator.answer(&first_code(&shown), CodeForm::Digits);
    // The organisation that the key was sold to has another id than the one that was typed by hand.
    let (code, shown) = said(&home, &operator, &["--confirm", &confirmation, "--new-organisation"]).await;
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("The running host has taken it up."), "{shown}");
    host.stop().await.unwrap();
}

#[tokio::test]
async fn a_mistyped_confirmation_names_its_groups_and_installs_nothing() {
    let stage = Stage::with_threshold(1);
    let operator = Operator::of(&stage);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let (_, shown) = said(&home, &operator, &[]).await;
    let right = operator.answer(&first_code(&shown), CodeForm::Digits);
    let mut groups: Vec<_> = right.split('-').collect();
    groups.swap(1, 2);
    let (code, shown) = said(&home, &operator, &["--confirm", &groups.join("-")]).await;
    assert_eq!(code, 65, "{shown}");
    assert!(shown.contains("groups 2 and 3 are mistyped"), "{shown}");

    let other = stage.shop.make_bare_host("other", HOUR_MS).unwrap();
    let (code, shown) = said(&other, &operator, &["--confirm", &right]).await;
    assert_eq!(code, 65, "{shown}");
    assert!(shown.contains("this confirmation is not for this installation id"), "{shown}");
    for home in [&home, &other] {
        assert!(home.certificates().unwrap().all().next().is_none());
    }
}

#[tokio::test]
async fn terms_of_another_key_or_another_file_are_refused() {
    let stage = Stage::with_threshold(1);
    let operator = Operator::of(&stage);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let tag = ProductTag::of(stage.shop.product().id);
    let other = ProductKey::new(KeyKind::Host, tag, &[8; 10]);
    assert_eq!(said(&home, &operator, &[&operator.key.to_string()]).await.0, 0);
    let (code, shown) = said(&home, &operator, &[&other.to_string()]).await;
    assert_eq!(code, 64, "{shown}");
    let named = |number: KeyNumber| shown.contains(&number.to_string());
    assert!(named(other.number()) && named(operator.key.number()), "{shown}");

    fs::copy(home.request_path(), &operator.file).unwrap();
    let (code, shown) = said(&home, &operator, &[]).await;
    assert_eq!(code, 65, "{shown}");
    assert!(shown.contains("it holds a KMS HOST REQUEST") && shown.contains("came with the key"), "{shown}");
}
