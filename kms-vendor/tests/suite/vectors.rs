//! The files that outlive a release, made with fixed keys: hosts read certificates that were written years ago.
//!
//! A vector is never changed and never deleted; another form gets another file.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use expect_test::expect_file;
use kms_vendor::{Extras, Signer, VendorError};
use prost::Message as _;
use shared::envelope::SecretKey;
use shared::files::{HOST_REQUEST, HostRequest, to_pem};

use crate::code_key;
use crate::issuing::create_issuer;
use crate::telephones;
use crate::{HOUR_MS, NOW, World, YEAR, request_pem, verify};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");

#[test]
fn the_files_are_written_as_they_always_were() {
    let mut world = World::with_product();
    let by_root = world.issue(|_| ()).unwrap();
    create_issuer(&mut world, &["Example CAD"]).unwrap();
    let by_issuer = world.issue(|request| request.signer = Signer::Issuer).unwrap();

    expect_file!["../vectors/request-2.pem"].assert_eq(&request_pem(7, HOUR_MS));
    let [key, other] = [7, 8].map(|host| SecretKey::from_seed(&[host; 32]));
    let mut forged = HostRequest::compose(&other, Duration::from_hours(1));
    forged.signing_key = Bytes::copy_from_slice(key.public().as_bytes());
    let forged = to_pem(HOST_REQUEST, &forged.encode_to_vec());
    expect_file!["../vectors/bad-request-other-key.pem"].assert_eq(&forged);
    expect_file!["../vectors/certificate-2.pem"].assert_eq(&by_root.pem);
    expect_file!["../vectors/certificate-by-issuer-2.pem"].assert_eq(&by_issuer.pem);
    for name in [
        "root-1.key",
        "roots.pub",
        "issuing.key",
        "issuing.certificate",
        "products.toml",
        "organisations.toml",
        "issued.jsonl",
    ] {
        let written = fs::read_to_string(world.path(name)).unwrap();
        expect_file![format!("{VECTORS}/{name}")].assert_eq(&written);
    }
}

/// The first release wrote `product.toml`, which `kms-client` still takes.
#[test]
fn a_product_carries_its_id_its_name_and_both_roots() {
    let world = World::with_product();
    expect_file!["../vectors/product-2.toml"]
        .assert_eq(&world.vendor.product_file("Example CAD", &Extras::default()).unwrap());
    let rust = world.vendor.product_rust("Example CAD", &Extras::default()).unwrap();
    expect_file!["../vectors/product.rs.txt"].assert_eq(&rust);
}

#[test]
fn a_copy_for_one_organisation_carries_the_id_that_its_certificates_have() {
    let mut world = World::with_product();
    let issued = world.issue(|_| ()).unwrap();
    let extras = Extras {
        organisation: Some("Example University".to_owned()),
        service_label: Some("_example-cad._tcp".to_owned()),
        ..Extras::default()
    };
    let file = world.vendor.product_file("Example CAD", &extras).unwrap();
    assert!(file.contains(&format!("\norganisation = \"{}\"\n", issued.certificate.organisation)), "{file}");
    expect_file!["../vectors/product-pinned.toml"].assert_eq(&file);
    expect_file!["../vectors/product-pinned.rs.txt"]
        .assert_eq(&world.vendor.product_rust("Example CAD", &extras).unwrap());
}

#[test]
fn a_product_for_codes_carries_the_certificates_of_its_code_keys() {
    let mut world = World::with_product();
    let code_keys = [9, 10].map(|seed| {
        let file = world.path(&format!("code-{seed}.certificate"));
        fs::write(&file, code_key::sign(&mut world, seed, &["Example CAD"]).unwrap().pem).unwrap();
        file
    });
    let extras = Extras { code_keys: code_keys.to_vec(), ..Extras::default() };
    expect_file!["../vectors/product-codes.toml"]
        .assert_eq(&world.vendor.product_file("Example CAD", &extras).unwrap());
    expect_file!["../vectors/product-codes.rs.txt"]
        .assert_eq(&world.vendor.product_rust("Example CAD", &extras).unwrap());
}

#[test]
fn a_product_with_numbers_to_call_carries_them_signed() {
    let world = World::with_product();
    let [path, signed] = ["telephones.toml", "telephones.signed"].map(|name| world.path(name));
    fs::write(&path, telephones::FILE).unwrap();
    let pem = world.vendor.sign_telephones(&path, &["Example CAD"], Signer::Root1).unwrap().pem;
    expect_file!["../vectors/telephones.signed"].assert_eq(&pem);
    fs::write(&signed, pem).unwrap();
    let extras = Extras { telephones: Some(signed), ..Extras::default() };
    expect_file!["../vectors/product-telephones.toml"]
        .assert_eq(&world.vendor.product_file("Example CAD", &extras).unwrap());
    expect_file!["../vectors/product-telephones.rs.txt"]
        .assert_eq(&world.vendor.product_rust("Example CAD", &extras).unwrap());
}

#[test]
fn a_product_with_keys_carries_its_portal_and_the_ca_of_that() {
    let world = World::with_product();
    let portal_ca = world.path("portal-ca.pem");
    let pem = "-----BEGIN CERTIFICATE-----\nQ0EgMQ==\n-----END CERTIFICATE-----\n";
    // As a mail would have it.
    fs::write(&portal_ca, format!("Our CA:\r\n{}", pem.replace('\n', "\r\n"))).unwrap();
    let portal = Some("https://activation.example.com:443".parse().unwrap());
    let extras = Extras { portal, portal_ca: Some(portal_ca.clone()), ..Extras::default() };
    expect_file!["../vectors/product-portal.toml"]
        .assert_eq(&world.vendor.product_file("Example CAD", &extras).unwrap());
    expect_file!["../vectors/product-portal.rs.txt"]
        .assert_eq(&world.vendor.product_rust("Example CAD", &extras).unwrap());
    fs::write(&portal_ca, "no CA").unwrap();
    let refused = world.vendor.product_file("Example CAD", &extras).unwrap_err();
    assert!(matches!(refused, VendorError::PortalCa { .. }), "{refused}");
}

/// The first release wrote `request.pem`, which anybody could have written.
#[test]
fn a_request_of_the_first_release_is_taken_only_where_that_is_meant() {
    let mut world = World::with_product();
    let request = fs::read_to_string(format!("{VECTORS}/request.pem")).unwrap();
    let refused = world.issue_to(&request, |_| ()).unwrap_err();
    assert!(matches!(refused, VendorError::UnsignedRequest), "{refused}");
    assert!(world.journal().is_empty());
    let issued = world.issue_to(&request, |request| request.allow.unsigned_request = true).unwrap();
    assert_eq!(issued.certificate.host(), world.issue(|_| ()).unwrap().certificate.host());
}

/// The first release did not say when it issued `certificate.pem` and `certificate-by-issuer.pem`.
#[test]
fn the_certificates_of_every_release_are_still_believed() {
    let roots = World::new().vendor.roots();
    for name in
        ["certificate.pem", "certificate-by-issuer.pem", "certificate-2.pem", "certificate-by-issuer-2.pem"]
    {
        let pem = fs::read_to_string(format!("{VECTORS}/{name}")).unwrap();
        let chain = verify(&pem, roots).unwrap();
        assert_eq!(chain.host().organisation_name, "Example University");
        assert_eq!(chain.check_valid_at(NOW), Ok(()));
        assert_eq!(chain.ends_at(), NOW + YEAR);
        assert_eq!(chain.host().dated(), NOW);
    }
}
