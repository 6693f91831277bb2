//! Telephone numbers: from a file that people write, through a root, into products.

use std::fs;

use kms_vendor::{Extras, Signer, VendorError};
use shared::files::{self, TELEPHONES};
use shared::policy::Policy;
use shared::product_key::KeyKind;

use crate::World;
use crate::binary::{answer, failure, prepared};

pub(crate) const FILE: &str = r#"
[country.NL]
names = { en = "Netherlands", nl = "Nederland" }
[[country.NL.number]]
number = "+31 20 555 0100"
text_telephone = "+31 20 555 0101"
region = "Randstad"
hours = "Mon-Fri 8:00-18:00"
languages = ["nl", "en"]
kinds = ["multiple-activation"]

[country.BE]
[[country.BE.number]]
number = "+32 2 555 0100"
"#;

#[test]
fn numbers_go_from_a_file_into_a_product() {
    let home = prepared();
    // As an editor on another system writes it.
    fs::write(home.path().join("telephones.toml"), format!("\u{feff}{}", FILE.replace('\n', "\r\n")))
        .unwrap();
    let sign = ["telephones", "sign", "--file", "telephones.toml", "--out", "telephones.signed"];
    let said = answer(&home, &sign);
    assert!(said.starts_with("2 numbers of 2 countries are signed.\n"), "{said}");
    assert!(said.contains("`kms-vendor product rust NAME --telephones telephones.signed`"), "{said}");
    let carried = ["Example CAD", "--telephones", "telephones.signed"];
    let file = answer(&home, &[&["product", "file"], &carried[..]].concat());
    assert!(file.contains("\ntelephones = \"0a"), "{file}");
    let rust = answer(&home, &[&["product", "rust"], &carried[..]].concat());
    assert!(rust.contains("\n.with_telephones(&[0x0a, "), "{rust}");

    let (code, line) = failure(&home, &sign);
    assert!(code == 73 && line.contains("--force"), "{line}");
    let json = answer(&home, &[&sign[..], &["--force", "--json", "--root", "2"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["countries"].as_u64(), json["numbers"].as_u64()), (Some(2), Some(2)));
}

#[test]
fn what_is_shown_is_what_was_written() {
    let world = World::with_product();
    let path = world.path("telephones.toml");
    fs::write(&path, FILE).unwrap();
    let signed = world.vendor.sign_telephones(&path, &["Example CAD"], Signer::Root1).unwrap();
    let [belgium, netherlands] = signed.telephones.countries() else { panic!() };
    assert_eq!(
        (belgium.name("nl"), netherlands.name("nl"), netherlands.name("de")),
        ("BE", "Nederland", "Netherlands")
    );
    assert_eq!(netherlands.numbers[0].text_telephone, "+31 20 555 0101");
    assert_eq!(netherlands.numbers[0].kinds, [KeyKind::MultipleActivation]);
    assert!(
        belgium.numbers_for(KeyKind::Host, None).len() == 1
            && netherlands.numbers_for(KeyKind::Host, None).is_empty()
    );
}

/// Otherwise a user would find it, on the telephone.
#[test]
fn what_cannot_be_called_is_not_signed_and_the_country_is_named() {
    let world = World::with_product();
    let path = world.path("telephones.toml");
    let complain = |text: &str| {
        fs::write(&path, text).unwrap();
        let error = world.vendor.sign_telephones(&path, &[], Signer::Root1).unwrap_err();
        assert!(matches!(error, VendorError::TelephonesFile { .. }), "{error:?}");
        error.to_string().split_once("signed: ").unwrap().1.to_owned()
    };
    for (from, to, said) in [
        ("country.NL", "country.UK", "there is no country UK in ISO 3166-1; the United Kingdom is GB"),
        ("country.BE", "country.be", "`be` is no code of a country: write two capitals, such as NL"),
        ("+32 2", "0900-CALL", "BE: a number cannot be `0900-CALL 555 0100`"),
        (
            "multiple-activation",
            "mak",
            "NL: there is no kind \"mak\"; there is host, multiple-activation, subscription",
        ),
        (
            "hours",
            "houres",
            "line 8: unknown field `houres`, expected one of `number`, `text_telephone`, `region`, `hours`, `languages`, `kinds`",
        ),
        ("\"en\"]", "\"e\"]", "NL: a language cannot be `e`"),
    ] {
        assert_eq!(complain(&FILE.replace(from, to)), said);
    }
    assert!(complain("[country.NL]\nnumber = []\n").contains("NL has no number"));
}

#[test]
fn numbers_that_a_product_would_refuse_are_not_given_to_it() {
    let mut world = World::with_product();
    world.add("Other", Policy::CLIENT, false).unwrap();
    let (path, file) = (world.path("telephones.toml"), world.path("telephones.signed"));
    fs::write(&path, FILE).unwrap();
    fs::write(&file, world.vendor.sign_telephones(&path, &["Other"], Signer::Root2).unwrap().pem).unwrap();
    let extras = Extras { telephones: Some(file.clone()), ..Extras::default() };
    assert!(world.vendor.product_file("Other", &extras).is_ok());
    let refused = world.vendor.product_file("Example CAD", &extras).unwrap_err();
    assert!(refused.to_string().ends_with("the telephone numbers are for other products"), "{refused}");

    let strangers = World::with_product();
    let signed = world.vendor.sign_telephones(&path, &[], Signer::Root1).unwrap().pem;
    assert!(files::from_pem(TELEPHONES, signed.as_bytes()).is_ok());
    fs::write(&file, signed.replace("KMS TELEPHONES", "KMS CODE CERTIFICATE")).unwrap();
    for vendor in [&world.vendor, &strangers.vendor] {
        let refused = vendor.product_rust("Example CAD", &extras).unwrap_err();
        assert!(matches!(refused, VendorError::Telephones { .. }), "{refused}");
    }
}
