//! Revocation: every list has all that was ever taken back, under a higher number, and nothing by mistake.

use std::fs;

use kms_vendor::{Fate, RevokeRequest, SignedRevocations, Signer, VendorError};
use prost::Message as _;
use shared::certificate::Roots;
use shared::files;
use shared::ids::CertificateId;
use shared::revocation::{LIST_MAX_BYTES, RevocationList, Revocations, Revoked};

use crate::binary::{ISSUE, answer, failure, prepared};
use crate::{DAY, NOW, World};

fn revoke(world: &World, ids: &[CertificateId], reason: &str) -> Result<SignedRevocations, VendorError> {
    world.vendor.revoke(&RevokeRequest { ids, reason, unlisted: false, root: Signer::Root1, now: NOW })
}

fn take(kept: &mut Revocations, world: &World, pem: &str) -> bool {
    let roots = Roots::new(world.vendor.roots().iter().map(<[u8; 32]>::as_slice)).unwrap();
    let list = files::revocation_lists_from_pem(pem.as_bytes()).unwrap().remove(0);
    kept.take(RevocationList::open(&list, &roots).unwrap())
}

#[test]
fn each_list_replaces_the_one_before_and_has_all_that_was_taken_back() {
    let mut world = World::with_product();
    let [first, second] = [(); 2].map(|()| world.issue(|_| ()).unwrap().certificate);
    let mut kept = Revocations::default();
    let revoked = |kept: &Revocations, id| kept.of(id, first.product, false).map(ToString::to_string);

    let list = revoke(&world, &[first.id], "the host was stolen").unwrap();
    assert!(take(&mut kept, &world, &list.pem));
    let text = format!("revoked at {NOW} (the host was stolen)");
    assert_eq!(revoked(&kept, first.id), Some(text.clone()));
    assert_eq!(revoked(&kept, second.id), None);

    let again = RevokeRequest {
        ids: &[first.id, second.id],
        reason: "",
        unlisted: false,
        root: Signer::Root2,
        now: NOW + DAY,
    };
    let again = world.vendor.revoke(&again).unwrap();
    assert_eq!((list.list.number, again.list.number), (1, 2));
    assert!(take(&mut kept, &world, &again.pem) && !take(&mut kept, &world, &list.pem));
    assert_eq!(revoked(&kept, first.id), Some(text), "what was revoked stays so from its day on");
    assert_eq!(revoked(&kept, second.id), Some(format!("revoked at {}", NOW + DAY)));
}

/// A mistyped id would take nothing back, and nobody would notice.
#[test]
fn an_id_that_was_not_issued_here_is_revoked_only_if_that_is_meant() {
    let mut world = World::with_product();
    let known = world.issue(|_| ()).unwrap().certificate.id;
    let issuer = crate::issuing::create_issuer(&mut world, &[]).unwrap().id;
    let other = CertificateId::from_bytes([9; 16]);
    let error = revoke(&world, &[known, other], "").unwrap_err();
    assert_eq!(error.to_string(), format!("no certificate {other} was issued here"));
    assert!(error.remedy().contains("--unlisted"), "{}", error.remedy());
    assert!(!world.path("revoked.toml").exists(), "nothing is recorded");
    let list = revoke(&world, &[issuer], "").unwrap();
    assert_eq!(list.list.number, 1);
    let request = RevokeRequest { ids: &[other], reason: "", unlisted: true, root: Signer::Root1, now: NOW };
    assert_eq!(world.vendor.revoke(&request).unwrap().list.revoked().len(), 2);
    for reason in ["x".repeat(201).as_str(), "two\nlines"] {
        assert!(matches!(revoke(&world, &[known], reason), Err(VendorError::BadReason)), "{reason}");
    }
    let by_issuer =
        RevokeRequest { ids: &[known], reason: "", unlisted: false, root: Signer::Issuer, now: NOW };
    assert!(world.vendor.revoke(&by_issuer).is_err());
}

/// A larger list would reach no machine, and nobody would notice. Reasons make room first.
#[test]
fn a_list_that_machines_could_not_read_is_not_signed() {
    let world = World::with_product();
    let ids: Vec<_> = (1..=600_u128).map(|id| CertificateId::from_bytes(id.to_be_bytes())).collect();
    let revoke = |ids: &[CertificateId], reason| {
        let request = RevokeRequest { ids, reason, unlisted: true, root: Signer::Root1, now: NOW };
        world.vendor.revoke(&request)
    };
    let long = "x".repeat(200);
    let first = revoke(&ids[..500], &long).unwrap();
    let pem = files::revocation_lists_from_pem(first.pem.as_bytes()).unwrap().remove(0);
    assert!(pem.encoded_len() <= LIST_MAX_BYTES, "{}", pem.encoded_len());
    let error = revoke(&ids, "").unwrap_err();
    assert!(error.to_string().starts_with("a list of 600 revoked ids"), "{error}");
    assert_eq!(revoke(&ids[..501], "").unwrap().list.number, 2, "nothing was recorded");
}

/// Both were "not issued here", although the record has them.
#[test]
fn a_host_and_a_code_certificate_of_the_record_are_revoked_by_their_ids() {
    let mut world = World::with_product();
    let host = world.issue(|_| ()).unwrap().certificate;
    let code = crate::code_key::sign(&mut world, 9, &[]).unwrap().certificate.limits.id;
    let list = revoke(&world, &[Revoked::host(host.host()), code], "stolen").unwrap().list;
    assert_eq!(list.revoked().len(), 2);
    let recorded = world.vendor.recorded(NOW).unwrap();
    assert!(recorded.iter().all(|one| one.fate == Fate::Revoked), "{recorded:?}");
}

/// The number of a list was one that no file can hold: the program ended in a panic, or began again at 0.
#[test]
fn an_absurd_number_of_a_list_is_damage() {
    let world = World::with_product();
    for number in ["4611686018427387904", "9223372036854775807", "4294967296"] {
        fs::write(world.path("revoked.toml"), format!("version = 1\nnumber = {number}\n")).unwrap();
        let request = RevokeRequest {
            ids: &[CertificateId::from_bytes([9; 16])],
            reason: "",
            unlisted: true,
            root: Signer::Root1,
            now: NOW,
        };
        let error = world.vendor.revoke(&request).unwrap_err();
        assert!(matches!(error, VendorError::Damaged { .. }), "{error}");
    }
}

#[test]
fn the_list_is_a_file_for_hosts() {
    let home = prepared();
    answer(&home, &[&ISSUE[..], &["--out", "1"]].concat());
    let journal = fs::read_to_string(home.path().join("vendor/issued.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(journal.trim_end()).unwrap();
    let id = line["certificate"].as_str().unwrap();
    let command = ["revoke", id, "--reason", "refunded", "--out", "revoked.pem"];
    let said = answer(&home, &command);
    assert!(
        said.contains("Revocation list 1 has 1 revoked") && said.contains("install-revocations"),
        "{said}"
    );
    let pem = fs::read_to_string(home.path().join("revoked.pem")).unwrap();
    assert!(pem.starts_with("-----BEGIN KMS REVOCATION LIST-----\n"), "{pem}");
    let (code, line) = failure(&home, &command);
    assert!(code == 73 && line.contains("--force"), "{line}");
    // After a root was replaced, machines with the new pair read only a list that the kept one has signed.
    let again = answer(&home, &["revoke", "--root", "2", "--out", "again.pem"]);
    assert!(again.contains("Revocation list 2 has 1 revoked"), "{again}");
    let (code, line) = failure(&prepared(), &["revoke", "--out", "nothing.pem"]);
    assert!(code == 64 && line.contains("nothing was revoked yet; name the ids"), "{line}");
    let wrong = "00".repeat(16);
    let (code, line) = failure(&home, &["revoke", &wrong, "--out", "2"]);
    assert!(code == 64 && line.contains("--unlisted"), "{line}");
}
