//! Single files: replaced whole, created once, private from the first instant.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use kms_store::file;

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
}

#[test]
fn a_file_is_replaced_whole_and_nothing_else_stays_behind() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("state");
    file::replace(&path, b"a long first version", 0o600).unwrap();

    file::replace(&path, b"second", 0o600).unwrap();

    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(names(home.path()), ["state"]);
}

#[test]
#[cfg(unix)]
fn a_replaced_file_has_the_new_mode_and_not_the_old_one() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key");
    fs::write(&path, "readable by all").unwrap();

    file::replace(&path, b"secret", 0o600).unwrap();

    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_file_that_exists_is_not_created_again() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key");
    file::create_new(&path, b"first", 0o600).unwrap();

    let error = file::create_new(&path, b"second", 0o600).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(names(home.path()), ["key"]);
    #[cfg(unix)]
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_link_in_the_way_is_neither_followed_nor_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let victim = home.path().join("victim");
    let path = home.path().join("key");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&victim, &path).unwrap();
    #[cfg(not(unix))]
    fs::write(&path, "in the way").unwrap();

    let error = file::create_new(&path, b"secret", 0o600).unwrap_err();

    assert_eq!((error.kind(), victim.exists()), (ErrorKind::AlreadyExists, false));
}

#[test]
fn of_many_that_create_one_file_at_once_exactly_one_succeeds() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key");
    let create = |number: u8| file::create_new(&path, &[number; 4_096], 0o600).is_ok();

    let created: Vec<u8> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(move || (number, create(number)))).collect();
        let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
        outcomes.filter_map(|(number, created)| created.then_some(number)).collect()
    });

    let [winner] = created[..] else { panic!("created by {created:?}") };
    assert_eq!(fs::read(&path).unwrap(), [winner; 4_096]);
    assert_eq!(names(home.path()), ["key"]);
}

#[test]
fn a_directory_that_is_not_there_is_an_error_that_names_the_file() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("nowhere").join("key");

    let error = file::replace(&path, b"bytes", 0o600).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("nowhere"), "{error}");
}

/// A backup that was killed left the signing key in a hidden file that nothing removed.
#[test]
#[cfg(unix)]
fn what_killed_writers_have_left_is_swept_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let left = [".backup.0123456789abcdef.kms-draft", ".a.b.00000000000000ff.kms-draft"];
    let earlier = ".signing.key.0123456789abcdef.new";
    let others = [
        "backup.kms-draft",
        ".backup.kms-draft",
        ".x.0123456789abcdeg.kms-draft",
        ".x.0123456789abcde.new",
        "0123456789abcdef.new",
    ];
    for name in left.iter().chain([&earlier]).chain(&others) {
        fs::write(at(name), "").unwrap();
    }
    fs::create_dir(at(".folder.0123456789abcdef.kms-draft")).unwrap();
    std::os::unix::fs::symlink("backup.kms-draft", at(".link.0123456789abcdef.kms-draft")).unwrap();
    let written = file::Draft::begin(&at("backup"), 0o600).unwrap();

    assert_eq!(file::sweep(home.path()), 2);
    assert!(left.iter().all(|name| !at(name).exists()) && at(earlier).exists());
    assert_eq!(file::sweep_private(home.path()), 1);
    assert!(!at(earlier).exists() && others.iter().all(|name| at(name).exists()));
    assert_eq!(names(home.path()).len(), others.len() + 3, "a folder, a link and what is being written stay");

    assert!(written.path().exists(), "somebody writes it");
    written.create_new().unwrap();
    assert!(at("backup").exists());
    assert_eq!(file::sweep(&at("nowhere")), 0);
}
