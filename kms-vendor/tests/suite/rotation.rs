//! A root key is replaced: the kept one signs from then on, and what the old one has signed is named.

use std::fs;

use kms_vendor::{Custody, Fate, NewIssuer, Recorded, Signer, Vendor, VendorError};
use shared::envelope::SecretKey;
use shared::files::{KeyRequest, RequestedKey};
use shared::time::Timestamp;

use crate::binary::{answer, failure, issue_to, prepared};
use crate::{DAY, NOW, World, YEAR, request_pem, verify};

const LATER: Timestamp = Timestamp::from_unix_ms(NOW.unix_ms() + 86_400_000);

fn replace(world: &mut World, root: Signer) -> Result<kms_vendor::ReplacedRoot, VendorError> {
    let replaced = world.vendor.replace_root(root, &Custody::Plain, LATER, &mut world.rng)?;
    world.vendor = Vendor::open(world.vendor.dir()).unwrap();
    Ok(replaced)
}

fn sign_portal(world: &mut World, root: Signer, now: Timestamp) -> String {
    let new = NewIssuer { products: Vec::new(), not_before: now, valid_for: YEAR, root, test: false, now };
    let request = KeyRequest::to_pem(RequestedKey::Issuing, &SecretKey::from_seed(&[9; 32]));
    let signed = world.vendor.sign_issuer(&request, &new, &mut world.rng).unwrap();
    signed.certificate.id.to_string()
}

#[test]
fn what_the_kept_root_signs_holds_under_the_old_pair_and_the_new_one() {
    let mut world = World::with_product();
    let old_roots = world.vendor.roots();
    let old_key = fs::read(world.path("root-1.key")).unwrap();
    let replaced = replace(&mut world, Signer::Root1).unwrap();
    let new_roots = world.vendor.roots();
    assert!(old_roots[0] != new_roots[0] && old_roots[1] == new_roots[1]);
    assert_eq!(fs::read(replaced.moved_to.unwrap()).unwrap(), old_key, "a mistake is not final");

    let signer = world.vendor.usual_root().unwrap();
    assert_eq!(signer, Signer::Root2);
    let kept = world.issue(|request| request.signer = signer).unwrap();
    assert!(verify(&kept.pem, old_roots).is_ok() && verify(&kept.pem, new_roots).is_ok());
    let new = world.issue(|request| request.signer = Signer::Root1).unwrap();
    assert!(verify(&new.pem, old_roots).is_err() && verify(&new.pem, new_roots).is_ok());

    replace(&mut world, Signer::Root2).unwrap();
    assert_eq!(world.vendor.usual_root().unwrap(), Signer::Root1, "it is the older one now");
    assert_eq!(world.vendor.replaced_roots().unwrap().len(), 2);
}

/// Without the private key of the kept root, no product in use would trust anything that this vendor can sign.
#[test]
fn a_root_is_replaced_only_where_the_kept_one_can_sign() {
    let mut world = World::with_product();
    let aside = world.home.path().join("medium");
    fs::rename(world.path("root-2.key"), &aside).unwrap();
    let before = fs::read(world.path("roots.pub")).unwrap();
    let error = replace(&mut world, Signer::Root1).unwrap_err();
    assert!(matches!(error, VendorError::KeptRootMissing(_)), "{error}");
    assert_eq!(fs::read(world.path("roots.pub")).unwrap(), before);
    assert!(!world.path("replaced-roots.toml").exists());

    fs::copy(&aside, world.path("root-2.key")).unwrap();
    fs::remove_file(world.path("root-1.key")).unwrap();
    assert_eq!(replace(&mut world, Signer::Root1).unwrap().moved_to, None, "the lost one need not be here");
    world.issue(|request| request.signer = Signer::Root1).unwrap();
}

#[test]
fn what_the_old_root_has_signed_is_named_until_the_kept_one_has_signed_it_again() {
    let mut world = World::with_product();
    let portal = sign_portal(&mut world, Signer::Root1, NOW);
    let by_two = world.issue(|request| request.signer = Signer::Root2).unwrap().certificate.id.to_string();
    let host = world.issue_to(&request_pem(8, crate::HOUR_MS), |_| ()).unwrap().certificate.id.to_string();
    replace(&mut world, Signer::Root1).unwrap();
    let to_sign = |world: &World, now| -> Vec<String> {
        let is_old = |one: &Recorded| one.fate == Fate::OldRoot;
        world.vendor.recorded(now).unwrap().into_iter().filter(is_old).map(|one| one.id).collect()
    };
    assert_eq!(to_sign(&world, LATER), [portal.clone(), host.clone()]);
    let kept = world.vendor.recorded(LATER).unwrap().into_iter().find(|one| one.id == by_two).unwrap();
    assert_eq!(kept.fate, Fate::Valid);

    sign_portal(&mut world, Signer::Root2, LATER);
    assert_eq!(to_sign(&world, LATER), [host]);
    let renewed = world.vendor.recorded(LATER).unwrap().into_iter().find(|one| one.id == portal).unwrap();
    assert_eq!(renewed.fate, Fate::Renewed);
    assert!(to_sign(&world, LATER + YEAR + DAY).is_empty(), "what has ended needs nothing");
}

#[test]
fn the_command_says_in_which_order_to_go_on_and_its_remedies_work() {
    let home = prepared();
    answer(&home, &issue_to("1"));
    let digests: serde_json::Value = serde_json::from_str(&answer(&home, &["roots", "--json"])).unwrap();
    let said = answer(&home, &["roots", "replace", "1"]);
    assert!(
        said.starts_with(&format!("Root 1 was {}, and is ", digests["digests"][0].as_str().unwrap())),
        "{said}"
    );
    assert!(
        said.contains("signed by the old root-1: sign it again") && said.contains("Example University"),
        "{said}"
    );
    assert!(said.contains("\n4. Copy roots.pub to the portal's directory"), "{said}");

    let digest = digests["digests"][0].as_str().unwrap();
    let roots = answer(&home, &["roots"]);
    assert!(roots.contains(&format!("{digest}  root-1.key: replaced on ")), "{roots}");

    assert!(!said.contains("revocation list"), "{said}");

    // The kept root signs by default, and the new one only if it is meant.
    let said = answer(&home, &issue_to("2"));
    assert!(!said.contains("products from before"), "{said}");
    let listed = answer(&home, &["certificate", "list"]);
    assert!(!listed.contains("sign it again") && listed.contains("  valid\n"), "{listed}");
    let said = answer(&home, &[&issue_to("3")[..], &["--root", "1"]].concat());
    assert!(said.contains("products from before refuse it"), "{said}");
}

/// Both roots were replaced, one after the other, and what was signed by default was refused by every product in use.
#[test]
fn the_root_that_products_in_use_know_is_replaced_only_if_that_is_meant() {
    let home = prepared();
    answer(&home, &["roots", "replace", "1"]);
    let before = answer(&home, &["roots"]);
    let (code, line) = failure(&home, &["roots", "replace", "2"]);
    assert_eq!(code, 65);
    assert!(line.contains("would know neither; add --again"), "{line}");
    assert_eq!(answer(&home, &["roots"]), before);
    // One that has just been made may have leaked at once. Products with the next pair read no list that it has signed.
    answer(&home, &["revoke", "0ff1ce00112233445566778899aabbcc", "--unlisted", "--out", "revoked.pem"]);
    let said = answer(&home, &["roots", "replace", "1"]);
    assert!(
        said.contains("Sign the revocation list again, too, and install it: `kms-vendor revoke --out FILE`."),
        "{said}"
    );
    answer(&home, &["revoke", "--out", "again.pem"]);
    answer(&home, &["roots", "replace", "2", "--again"]);
}

/// The vendor's own issuing certificate is of the old root: the error is not that a file is damaged.
#[test]
fn an_issuing_certificate_of_the_old_root_is_made_anew_as_the_error_says() {
    let home = prepared();
    answer(&home, &["issuer", "create"]);
    answer(&home, &["roots", "replace", "1"]);
    let by_issuer = [&issue_to("1")[..], &["--issuer"]].concat();
    let (code, line) = failure(&home, &by_issuer);
    assert_eq!(code, 65);
    assert!(
        line.contains("was signed by a root key that was replaced; move it and issuing.key away"),
        "{line}"
    );
    for name in ["issuing.key", "issuing.certificate"] {
        fs::rename(home.path().join("vendor").join(name), home.path().join(name)).unwrap();
    }
    answer(&home, &["issuer", "create"]);
    answer(&home, &by_issuer);
}

#[test]
fn what_ends_soon_is_listed_and_what_was_revoked_is_not() {
    let home = prepared();
    answer(&home, &[&issue_to("1")[..], &["--valid-for", "20d"]].concat());
    let listed = answer(&home, &["certificate", "list"]);
    assert!(listed.contains("ends in 19 d") && listed.contains(": issue the next one"), "{listed}");
    assert!(answer(&home, &["certificate", "list", "--ending", "10d"]).contains("There is none."));
    let listed: serde_json::Value =
        serde_json::from_str(&answer(&home, &["certificate", "list", "--json"])).unwrap();
    let id = listed["certificates"][0]["certificate"].as_str().unwrap().to_owned();
    answer(&home, &["revoke", &id, "--out", "revoked.pem"]);
    assert!(answer(&home, &["certificate", "list"]).contains("There is none."));
    let all = answer(&home, &["certificate", "list", "--all"]);
    assert!(all.contains("  revoked\n"), "{all}");

    fs::write(
        home.path().join("portal.pem"),
        KeyRequest::to_pem(RequestedKey::Issuing, &SecretKey::from_seed(&[9; 32])),
    )
    .unwrap();
    let sign =
        ["issuer", "sign", "--request", "portal.pem", "--out", "portal.certificate", "--valid-for", "30d"];
    answer(&home, &sign);
    let listed = answer(&home, &["issuer", "list"]);
    assert!(listed.contains("  issuing key  ") && listed.contains(": issue the next one"), "{listed}");
}
