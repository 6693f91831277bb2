//! The root keys: made once, private, never overwritten, and needed only to sign.

use std::fs;

use kms_vendor::{Signer, Vendor, VendorError};
use shared::files::{self, ROOT_KEY};

use crate::{Counting, World};

const FILES: [&str; 3] = ["root-1.key", "root-2.key", "roots.pub"];

#[test]
fn a_second_init_is_refused_and_the_keys_are_untouched() {
    let world = World::new();
    let before = FILES.map(|name| fs::read(world.path(name)).unwrap());
    let error = Vendor::init(world.vendor.dir(), &mut Counting(99)).unwrap_err();
    assert!(matches!(&error, VendorError::Exists(path) if path.ends_with("root-1.key")), "{error}");
    assert_eq!(FILES.map(|name| fs::read(world.path(name)).unwrap()), before);
}

#[test]
fn one_key_alone_is_enough_to_refuse() {
    let world = World::new();
    for gone in ["root-1.key", "roots.pub"] {
        fs::remove_file(world.path(gone)).unwrap();
    }
    let error = Vendor::init(world.vendor.dir(), &mut Counting(99)).unwrap_err();
    assert!(matches!(&error, VendorError::Exists(path) if path.ends_with("root-2.key")), "{error}");
    assert!(!world.path("root-1.key").exists());
}

#[cfg(unix)]
#[test]
fn private_keys_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut world = World::new();
    crate::issuing::create_issuer(&mut world, &[]).unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for name in ["root-1.key", "root-2.key", "issuing.key"] {
        assert_eq!(mode(world.path(name)), 0o600, "{name}");
    }
    assert_eq!(mode(world.vendor.dir().to_owned()), 0o700);
}

#[test]
fn a_key_that_is_kept_elsewhere_is_missed_only_when_it_signs() {
    let mut world = World::with_product();
    fs::remove_file(world.path("root-2.key")).unwrap();
    world.vendor = Vendor::open(world.vendor.dir()).unwrap();
    world.issue(|_| ()).unwrap();
    let error = world.issue(|request| request.signer = Signer::Root2).unwrap_err();
    assert!(matches!(error, VendorError::KeyMissing { .. }), "{error}");
}

#[test]
fn another_vendors_key_in_the_place_of_a_root_is_noticed() {
    let mut world = World::with_product();
    fs::copy(world.path("root-2.key"), world.path("root-1.key")).unwrap();
    let error = world.issue(|_| ()).unwrap_err().to_string();
    assert!(error.ends_with("root-1.key is damaged: it is not the key that roots.pub names"), "{error}");
    assert!(world.journal().is_empty());
}

#[test]
fn a_key_of_another_form_is_refused() {
    for (body, complaint) in [
        (&[2; 33][..], "its body has version 2, which this release does not know"),
        (&[1; 32], "what it holds is damaged"),
    ] {
        let mut world = World::with_product();
        fs::write(world.path("root-1.key"), files::to_pem(ROOT_KEY, body)).unwrap();
        let error = world.issue(|_| ()).unwrap_err().to_string();
        assert!(error.ends_with(&format!("root-1.key is damaged: {complaint}")), "{error}");
    }
}
