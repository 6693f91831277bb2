//! A portal's key: certified from a request that it has signed, so that its private half never leaves the portal.

use std::fs;

use bytes::Bytes;
use kms_vendor::{NewIssuer, SignedIssuer, Signer, VendorError};
use prost::Message as _;
use shared::certificate::{Chain, IssuingCertificate, Roots};
use shared::envelope::{Kind, SecretKey};
use shared::files::{self, ISSUING_REQUEST, KeyRequest, RequestedKey};
use shared::policy::Policy;
use shared::testing;

use crate::binary::{answer, failure, prepared};
use crate::{HOUR_MS, NOW, World, YEAR};

fn portal_key() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

fn sign(world: &mut World, request: &str, products: &[&str]) -> Result<SignedIssuer, VendorError> {
    let new = NewIssuer {
        products: products.to_vec(),
        not_before: NOW,
        valid_for: YEAR,
        root: Signer::Root2,
        test: false,
        now: NOW,
    };
    world.vendor.sign_issuer(request, &new, &mut world.rng)
}

#[test]
fn a_portal_signs_host_certificates_with_the_key_that_a_root_has_signed() {
    let mut world = World::with_product();
    world.add("Other", Policy::CLIENT, false).unwrap();
    let request = KeyRequest::to_pem(RequestedKey::Issuing, &portal_key());
    let signed = sign(&mut world, &request, &["Example CAD"]).unwrap();
    let envelope = files::issuing_certificate_from_pem(signed.pem.as_bytes()).unwrap();
    let roots = Roots::new(world.vendor.roots().iter().map(<[u8; 32]>::as_slice)).unwrap();
    let certificate = IssuingCertificate::verify(&envelope, &roots).unwrap();
    assert_eq!((certificate.id, certificate.public_key), (signed.certificate.id, portal_key().public()));
    assert_eq!((certificate.not_before, certificate.not_after), (NOW, NOW + YEAR));

    let chain = |product: &str| {
        let product = world.vendor.product(product).unwrap().id;
        let host = testing::certificate(SecretKey::from_seed(&[7; 32]).public(), product, NOW);
        let host = portal_key().sign(Kind::HostCertificate, &host.encode());
        Chain::verify(&Chain::encode(host, Some(envelope.clone())), &roots)
    };
    assert!(chain("Example CAD").is_ok());
    assert!(chain("Other").is_err(), "for its own products alone");

    let line = &world.journal()[0];
    assert_eq!(line["issuing_certificate"], signed.certificate.id.to_string());
    assert_eq!(line["signer"], "root-2");
    assert!(!world.path("issuing.key").exists(), "the vendor's own issuing key is another one");
}

/// Whoever had seen a portal's public key could have it certified under a name of their own.
#[test]
fn a_portal_key_that_has_not_signed_its_request_is_not_certified() {
    let mut world = World::with_product();
    let mut forged = KeyRequest::compose(RequestedKey::Issuing, &portal_key());
    forged.public_key = Bytes::copy_from_slice(SecretKey::from_seed(&[8; 32]).public().as_bytes());
    let unsigned = proto::v1::IssuingRequest { proof: None, ..forged.clone() };
    let pem = |request: &proto::v1::IssuingRequest| files::to_pem(ISSUING_REQUEST, &request.encode_to_vec());
    for (request, complaint) in [
        (
            pem(&forged),
            "the proof that its sender has the key does not hold: signed by another key than is wanted here",
        ),
        (pem(&unsigned), "what it holds is damaged"),
    ] {
        let error = sign(&mut world, &request, &[]).unwrap_err();
        assert_eq!(error.to_string(), format!("the portal's request is not usable: {complaint}"));
        assert!(error.remedy().contains("issuing-request.pem"), "{}", error.remedy());
    }
    assert!(world.journal().is_empty(), "nothing is recorded");
}

#[test]
fn the_certificate_of_a_portal_is_a_file_for_a_year() {
    let home = prepared();
    fs::write(
        home.path().join("issuing-request.pem"),
        KeyRequest::to_pem(RequestedKey::Issuing, &portal_key()),
    )
    .unwrap();
    let sign = ["issuer", "sign", "--request", "issuing-request.pem", "--out", "issuing.certificate"];
    let said = answer(&home, &[&sign[..], &["--json"]].concat());
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["key_id"], portal_key().public().key_id().to_string());
    let at = |name: &str| kms_vendor::parse_instant(said[name].as_str().unwrap()).unwrap().unix_ms();
    assert_eq!(at("not_after") - at("not_before"), (365 * 24 + 1) * HOUR_MS);
    let pem = fs::read_to_string(home.path().join("issuing.certificate")).unwrap();
    assert!(pem.starts_with("-----BEGIN KMS ISSUING CERTIFICATE-----\n"), "{pem}");

    let (code, line) = failure(&home, &sign);
    assert_eq!(code, 73);
    assert!(line.contains("--force"), "{line}");
    let said = answer(&home, &[&sign[..], &["--force", "--root", "2"]].concat());
    assert!(said.contains("`kms-portal install-issuer issuing.certificate`"), "{said}");
    fs::write(home.path().join("issuing-request.pem"), "garbage").unwrap();
    assert_eq!(failure(&home, &[&sign[..], &["--force"]].concat()).0, 65);
}
