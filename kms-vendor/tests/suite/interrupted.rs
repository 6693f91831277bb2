//! A command is killed between two of its steps, and run again: it finishes or begins anew, and no key is lost.

use std::fs;
use std::path::Path;

use kms_vendor::{Custody, Signer, Vendor, VendorError};
use shared::envelope::{PublicKey, SecretKey};
use shared::files::{self, ROOT_KEY};
use tempfile::TempDir;

use crate::binary::{answer, failure, issue_to, prepared};
use crate::issuing::create_issuer;
use crate::{Counting, NOW, World, verify};

/// What a step writes, or gives another name.
enum Step {
    Write(String, Vec<u8>),
    Rename(String, String),
}

impl Step {
    fn take(&self, dir: &Path) {
        match self {
            Step::Write(name, bytes) => fs::write(dir.join(name), bytes).unwrap(),
            Step::Rename(from, to) => fs::rename(dir.join(from), dir.join(to)).unwrap(),
        }
    }
}

fn key_in(path: &Path) -> SecretKey {
    files::key_from_pem(ROOT_KEY, &fs::read(path).unwrap()).unwrap()
}

fn digest(key: PublicKey) -> String {
    key.key_id().to_string()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every private root key in the directory, by digest.
fn keys_in(dir: &Path) -> Vec<String> {
    let is_key =
        |name: &String| name.strip_prefix("root-").and_then(|rest| rest.strip_suffix(".key")).is_some();
    names(dir).into_iter().filter(is_key).map(|name| digest(key_in(&dir.join(name)).public())).collect()
}

/// The steps of `roots replace 1` in this vendor's directory, taken from a copy in which it ran to its end.
fn steps_of_replacing(home: &TempDir) -> Vec<Step> {
    let copy = home.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for name in names(&home.path().join("vendor")) {
        fs::copy(home.path().join("vendor").join(&name), copy.join(&name)).unwrap();
    }
    let old = digest(key_in(&copy.join("root-1.key")).public());
    answer(home, &["roots", "replace", "1", "--dir", "copy"]);
    let read = |name: &str| fs::read(copy.join(name)).unwrap();
    let draft = format!("root-new-{}.key", digest(key_in(&copy.join("root-1.key")).public()));
    vec![
        Step::Write(draft.clone(), read("root-1.key")),
        Step::Write("replaced-roots.toml".into(), read("replaced-roots.toml")),
        Step::Write("roots.pub".into(), read("roots.pub")),
        Step::Rename("root-1.key".into(), format!("root-{old}.key")),
        Step::Rename(draft, "root-1.key".into()),
    ]
}

/// It left `root-new.key`, and the error said to move that file away: from the fourth step on, it was the key that `roots.pub` names.
#[test]
fn a_replacement_that_was_killed_after_any_step_is_finished_by_the_same_command() {
    for killed_after in 0..5 {
        let home = prepared();
        let dir = home.path().join("vendor");
        let old = digest(key_in(&dir.join("root-1.key")).public());
        let kept = digest(key_in(&dir.join("root-2.key")).public());
        let steps = steps_of_replacing(&home);
        let new = digest(key_in(&home.path().join("copy/root-1.key")).public());
        steps[..killed_after].iter().for_each(|step| step.take(&dir));
        let is_recorded = 2 <= killed_after;
        if is_recorded {
            let said = answer(&home, &["roots"]);
            assert!(said.contains("was interrupted: run `kms-vendor roots replace 1` again"), "{said}");
            for another in
                [&["roots", "replace", "2", "--again"][..], &[&issue_to("0")[..], &["--root", "1"]].concat()]
            {
                let (code, line) = failure(&home, another);
                assert_eq!(code, 65);
                assert!(
                    line.contains("`kms-vendor roots replace 1` was interrupted; run it again"),
                    "{line}"
                );
            }
            answer(&home, &issue_to("by-kept"));
        }

        let said = answer(&home, &["roots", "replace", "1"]);
        assert!(said.starts_with(&format!("Root 1 was {old}, and is ")), "{said}");
        assert!(said.contains(&format!("The old private key is in ./vendor/root-{old}.key.")), "{said}");
        let vendor = Vendor::open(&dir).unwrap();
        let now = vendor.root_digests();
        assert_eq!(now[1], kept);
        assert_eq!(now[0] == new, is_recorded, "after step {killed_after}");
        let mut keys = keys_in(&dir);
        keys.sort();
        let mut wanted = vec![old.clone(), now[0].clone(), kept];
        wanted.sort();
        assert_eq!(keys, wanted, "no key is lost, and none is left over");
        assert!(!names(&dir).iter().any(|name| name.contains("new")), "{:?}", names(&dir));
        let replaced = vendor.replaced_roots().unwrap();
        assert_eq!(replaced.len(), 1);
        assert_eq!((replaced[0].old.to_string(), replaced[0].new.to_string()), (old, now[0].clone()));
        // Both roots sign, and what they sign holds under the new pair.
        for root in ["1", "2"] {
            answer(&home, &[&issue_to(root)[..], &["--root", root]].concat());
            let pem = fs::read_to_string(home.path().join(root)).unwrap();
            verify(&pem, vendor.roots()).unwrap();
        }
        assert_eq!(vendor.usual_root().unwrap(), Signer::Root2);
    }
}

/// Somebody who found root 1 missing had copied it back from its medium before the command was given again.
#[test]
fn a_copy_of_the_old_root_that_was_put_back_meanwhile_is_kept_as_well() {
    let home = prepared();
    let dir = home.path().join("vendor");
    let old = fs::read(dir.join("root-1.key")).unwrap();
    let steps = steps_of_replacing(&home);
    steps[..4].iter().for_each(|step| step.take(&dir));
    fs::write(dir.join("root-1.key"), &old).unwrap();
    answer(&home, &["roots", "replace", "1"]);
    let new = key_in(&home.path().join("copy/root-1.key"));
    assert_eq!(key_in(&dir.join("root-1.key")).public(), new.public());
    let copies = names(&dir).into_iter().filter(|name| fs::read(dir.join(name)).unwrap() == old);
    assert_eq!(copies.count(), 2);
}

/// The new key is gone, and `roots.pub` still has the old one: nothing was replaced, and the record says so after the next time.
#[test]
fn a_replacement_whose_new_key_is_gone_begins_anew() {
    let mut world = World::with_product();
    let old = world.vendor.root_digests()[0].clone();
    let replaced = world.vendor.replace_root(Signer::Root1, &Custody::Plain, NOW, &mut world.rng).unwrap();
    fs::rename(world.path(&format!("root-{old}.key")), world.path("root-1.key")).unwrap();
    fs::write(world.path("roots.pub"), files::roots_to_text(&world.vendor.roots())).unwrap();
    let vendor = Vendor::open(world.vendor.dir()).unwrap();
    assert_eq!(vendor.unfinished_root().unwrap(), None);
    let again = vendor.replace_root(Signer::Root1, &Custody::Plain, NOW, &mut world.rng).unwrap();
    assert!(again.old == replaced.old && again.new != replaced.new);
    let recorded = Vendor::open(world.vendor.dir()).unwrap().replaced_roots().unwrap();
    assert_eq!(recorded.iter().map(|one| one.new).collect::<Vec<_>>(), [again.new]);
}

#[test]
fn an_init_that_was_killed_is_finished_or_begins_anew() {
    let whole = World::new();
    let keys = ["root-1.key", "root-2.key"].map(|name| fs::read(whole.path(name)).unwrap());
    let drafts = ["root-1.key", "root-2.key"]
        .map(|name| format!("root-new-{}.key", digest(key_in(&whole.path(name)).public())));
    let roots = fs::read(whole.path("roots.pub")).unwrap();
    let steps = [
        Step::Write(drafts[0].clone(), keys[0].clone()),
        Step::Write(drafts[1].clone(), keys[1].clone()),
        Step::Write("roots.pub".into(), roots.clone()),
        Step::Rename(drafts[0].clone(), "root-1.key".into()),
        Step::Rename(drafts[1].clone(), "root-2.key".into()),
    ];
    for killed_after in 1..5 {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("vendor");
        fs::create_dir(&dir).unwrap();
        steps[..killed_after].iter().for_each(|step| step.take(&dir));
        if 3 <= killed_after {
            let vendor = Vendor::open(&dir).unwrap();
            let new = crate::code_key::new_issuer();
            let request =
                files::KeyRequest::to_pem(files::RequestedKey::Issuing, &SecretKey::from_seed(&[9; 32]));
            let error = vendor.sign_issuer(&request, &new, &mut Counting(5)).unwrap_err();
            assert!(matches!(error, VendorError::Unfinished("kms-vendor init")), "{error}");
        }
        answer(&home, &["init"]);
        assert_eq!(
            names(&dir),
            [".lock", "root-1.key", "root-2.key", "roots.pub"][usize::from(killed_after < 3)..]
        );
        assert_eq!(fs::read(dir.join("roots.pub")).unwrap() == roots, 3 <= killed_after);
        let vendor = Vendor::open(&dir).unwrap();
        let private = ["root-1.key", "root-2.key"].map(|name| digest(key_in(&dir.join(name)).public()));
        assert_eq!(vendor.root_digests(), private);
        assert!(failure(&home, &["init"]).1.contains("is never overwritten"));
    }
}

#[test]
fn an_issuing_key_that_was_left_without_a_certificate_gets_one() {
    let mut world = World::with_product();
    create_issuer(&mut world, &[]).unwrap();
    let key = fs::read(world.path("issuing.key")).unwrap();
    fs::remove_file(world.path("issuing.certificate")).unwrap();
    create_issuer(&mut world, &[]).unwrap();
    assert_eq!(fs::read(world.path("issuing.key")).unwrap(), key);
    world.issue(|request| request.signer = Signer::Issuer).unwrap();
}

/// A draft of a key stayed in the directory for ever, in plain if the key was being decrypted.
#[test]
fn a_draft_of_a_killed_writer_is_removed_by_the_next_change() {
    let home = prepared();
    let draft = home.path().join("vendor/.root-1.key.0123456789abcdef.kms-draft");
    fs::write(&draft, "a private key").unwrap();
    answer(&home, &["roots"]);
    assert!(draft.exists(), "looking changes nothing");
    answer(&home, &issue_to("1"));
    assert!(!draft.exists());
}
