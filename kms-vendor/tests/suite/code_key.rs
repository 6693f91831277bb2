//! A code key: certified from a request that it has signed, and carried by products.

use std::fs;

use kms_vendor::{Extras, NewIssuer, SignedCodeKey, Signer, VendorError};
use prost::Message as _;
use shared::certificate::Roots;
use shared::codes::CodeKey;
use shared::envelope::{Kind, SecretKey};
use shared::features::Features;
use shared::files::{self, CODE_CERTIFICATE, KeyRequest, RequestedKey};
use shared::policy::Policy;

use crate::binary::{answer, failure, prepared};
use crate::{NOW, World, YEAR};

fn portal_key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// A key for all products.
pub(crate) fn new_issuer<'a>() -> NewIssuer<'a> {
    NewIssuer {
        products: Vec::new(),
        not_before: NOW,
        valid_for: 10 * YEAR,
        root: Signer::Root1,
        test: false,
        now: NOW,
    }
}

pub(crate) fn sign(world: &mut World, seed: u8, products: &[&str]) -> Result<SignedCodeKey, VendorError> {
    let new = NewIssuer { products: products.to_vec(), ..new_issuer() };
    let sets = vec![Features::new(["export"]).unwrap()];
    world.vendor.sign_code_key(
        &KeyRequest::to_pem(RequestedKey::Code, &portal_key(seed)),
        &new,
        sets,
        &mut world.rng,
    )
}

#[test]
fn a_product_takes_the_code_key_that_its_vendor_has_certified() {
    let mut world = World::with_product();
    let signed = sign(&mut world, 9, &["Example CAD"]).unwrap();
    let body = files::from_pem(CODE_CERTIFICATE, signed.pem.as_bytes()).unwrap();
    let roots = Roots::new(world.vendor.roots().iter().map(<[u8; 32]>::as_slice)).unwrap();
    let product = world.vendor.product("Example CAD").unwrap().id;
    let key = CodeKey::verify(&body, &roots, product, false).unwrap();
    assert_eq!(key.public_key(), portal_key(9).public());
    assert!(key.check_valid_at(NOW + 9 * YEAR).is_ok() && key.check_valid_at(NOW + 11 * YEAR).is_err());

    let line = &world.journal()[0];
    assert_eq!(line["code_certificate"], signed.certificate.limits.id.to_string());
    assert!(line.get("issuing_certificate").is_none(), "{line}");
}

/// It would be found only where somebody types a code, far from any network.
#[test]
fn a_certificate_that_a_product_would_refuse_is_not_given_to_it() {
    let mut world = World::with_product();
    world.add("Other", Policy::CLIENT, false).unwrap();
    let file = world.path("code.certificate");
    let certificate = sign(&mut world, 9, &[]).unwrap().certificate;
    let complain = |pem: &str| {
        fs::write(&file, pem).unwrap();
        let extras = Extras { code_keys: vec![file.clone()], ..Extras::default() };
        let error = world.vendor.product_file("Example CAD", &extras).unwrap_err();
        assert!(matches!(error, VendorError::CodeKey { .. }), "{error:?}");
        assert_eq!(
            world.vendor.product_rust("Example CAD", &extras).unwrap_err().to_string(),
            error.to_string()
        );
        error.to_string().rsplit("product: ").next().unwrap().to_owned()
    };
    let strangers = portal_key(8).sign(Kind::CodeCertificate, &certificate.encode()).encode_to_vec();
    assert_eq!(
        complain(&files::to_pem(CODE_CERTIFICATE, &strangers)),
        "issuing certificate: signed by another key than is wanted here"
    );
    assert_eq!(
        complain("garbage"),
        "a whole KMS CODE CERTIFICATE is not in it: there is no -----BEGIN line in it"
    );
    let others = sign(&mut world, 9, &["Other"]).unwrap().pem;
    fs::write(&file, others).unwrap();
    let extras = Extras { code_keys: vec![file.clone()], ..Extras::default() };
    assert!(world.vendor.product_file("Other", &extras).is_ok());
    assert!(world.vendor.product_file("Example CAD", &extras).is_err());
}

#[test]
fn a_code_has_room_for_63_feature_sets() {
    let mut world = World::with_product();
    let new = NewIssuer {
        products: vec![],
        not_before: NOW,
        valid_for: YEAR,
        root: Signer::Root1,
        test: false,
        now: NOW,
    };
    let request = KeyRequest::to_pem(RequestedKey::Code, &portal_key(9));
    let mut sign =
        |sets| world.vendor.sign_code_key(&request, &new, vec![Features::NONE; sets], &mut world.rng);
    assert!(sign(63).is_ok());
    assert!(matches!(sign(64), Err(VendorError::TooManyFeatureSets)));
}

/// The two had one form, so each was signed as the other, and nothing worked with what came of it.
#[test]
fn a_request_for_another_kind_of_key_is_refused_and_the_right_command_is_named() {
    let home = prepared();
    let key = portal_key(9);
    let requests = [
        ("host.request", crate::request_pem(7, crate::HOUR_MS), "kms-vendor certificate issue"),
        ("issuing.request", KeyRequest::to_pem(RequestedKey::Issuing, &key), "kms-vendor issuer sign"),
        ("code.request", KeyRequest::to_pem(RequestedKey::Code, &key), "kms-vendor code-key sign"),
    ];
    for (file, pem, _) in &requests {
        fs::write(home.path().join(file), pem).unwrap();
    }
    let verbs = [
        &["certificate", "issue", "--product", "Example CAD", "--organisation", "Example University"][..],
        &["issuer", "sign"],
        &["code-key", "sign"],
    ];
    for (verb, (_, _, command)) in verbs.into_iter().zip(&requests) {
        for (file, _, right) in &requests {
            let out = format!("{file}-by-{}", verb[0]);
            let typed = [verb, &["--request", file, "--out", &out]].concat();
            if right == command {
                answer(&home, &typed);
                continue;
            }
            let (code, line) = failure(&home, &typed);
            assert_eq!(code, 65);
            assert!(line.contains("which another command takes; use `") && line.contains(right), "{line}");
        }
    }
    // Somebody has changed the label.
    let forged = requests[1].1.replace("ISSUING REQUEST", "CODE REQUEST");
    fs::write(home.path().join("code.request"), forged).unwrap();
    let (code, line) = failure(&home, &["code-key", "sign", "--request", "code.request", "--out", "forged"]);
    assert_eq!(code, 65);
    assert!(line.contains("the proof that its sender has the key does not hold"), "{line}");
}

#[test]
fn a_code_key_goes_from_a_request_into_a_product() {
    let home = prepared();
    fs::write(home.path().join("code-request.pem"), KeyRequest::to_pem(RequestedKey::Code, &portal_key(9)))
        .unwrap();
    let sign = [
        "code-key",
        "sign",
        "--request",
        "code-request.pem",
        "--feature-set",
        "export",
        "--feature-set",
        "3d,export",
        "--out",
        "code.certificate",
    ];
    let said: serde_json::Value =
        serde_json::from_str(&answer(&home, &[&sign[..], &["--json"]].concat())).unwrap();
    assert_eq!(said["feature_sets"], serde_json::json!([["export"], ["3d", "export"]]));
    let file = answer(&home, &["product", "file", "Example CAD", "--code-key", "code.certificate"]);
    assert!(file.contains("\ncode_keys = [\n    \"0a"), "{file}");
    let rust = answer(&home, &["product", "rust", "Example CAD", "--code-key", "code.certificate"]);
    assert!(rust.contains("\n.with_code_keys(&[&[0x0a, "), "{rust}");

    let said = answer(&home, &[&sign[..], &["--force"]].concat());
    assert!(said.contains("`kms-vendor product rust NAME --code-key code.certificate`"), "{said}");
    let (code, line) = failure(&home, &["product", "rust", "Example CAD", "--code-key", "code-request.pem"]);
    assert_eq!(code, 65);
    assert!(line.contains("`kms-vendor code-key sign`"), "{line}");
}
