//! A portal's directory that is not whole: cut short, removed, replaced or mixed up. A portal never takes a part for the whole.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::process::Command;
use world::Postgres;

use super::stage::{Asking, PORTAL, PortalStage, text};
use crate::commands::Done;
use crate::space::not_run;
use crate::stage::{YEAR, until};

#[track_caller]
fn refused(done: &Done, code: i32, told: &str) {
    assert!(done.code == code && done.stderr.contains(told), "{} {}{}", done.code, done.stdout, done.stderr);
}

/// `restore` took a portal's own directory, without the log of its database, and the remains of a killed `backup`: it said that all was
/// well, and the new portal knew no key.
#[tokio::test]
async fn what_is_no_whole_backup_is_not_restored() {
    let mut portal = PortalStage::open("").await;
    portal.key(&["--kind", "mak", "--machines", "2"]).await;
    let backup = portal.stage.folder.path().join("backup");
    portal.does(&["backup", text(&backup)]).await;
    let live = portal.data.clone();
    portal.data = portal.stage.folder.path().join("new");
    refused(&portal.run(&["restore", text(&live)]).await, 65, "a portal's own directory is no backup");

    let (database, list) = (backup.join("portal.db"), backup.join("portal-backup.sha256"));
    let (whole, listed) = (fs::read(&database).unwrap(), fs::read(&list).unwrap());
    for damaged in [&[][..], &whole[..whole.len() / 2], &[&whole[..], &b"more"[..]].concat()] {
        fs::write(&database, damaged).unwrap();
        refused(&portal.run(&["restore", text(&backup)]).await, 65, "is not what was backed up");
    }
    fs::remove_file(&database).unwrap();
    refused(&portal.run(&["restore", text(&backup)]).await, 74, "portal.db cannot be read");
    fs::write(&list, "This backup is not finished.\n").unwrap();
    refused(&portal.run(&["restore", text(&backup)]).await, 65, "cut short");
    assert!(!portal.data.exists(), "nothing was written");

    // The same commands go on from there.
    let new = std::mem::replace(&mut portal.data, live);
    portal.does(&["backup", text(&backup)]).await;
    assert_eq!(fs::read(&list).unwrap().len(), listed.len());
    portal.data = new;
    portal.does(&["restore", text(&backup)]).await;
}

/// A portal that was killed while it was restored had every file but an empty database, and served.
#[tokio::test]
async fn a_restore_that_is_killed_leaves_no_portal_and_goes_on_when_it_is_repeated() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "mak", "--machines", "9"]).await;
    let backup = portal.stage.folder.path().join("backup");
    portal.does(&["backup", text(&backup)]).await;
    portal.stop().await;
    for round in 0..6 {
        portal.data = portal.stage.folder.path().join(format!("restored-{round}"));
        let mut restore = Command::new(PORTAL);
        restore.args(["restore", text(&backup), "--data", text(&portal.data)]);
        let mut restore = restore.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(random.random_range(0..25))).await;
        restore.kill().await.unwrap();
        let doctor = portal.run(&["doctor"]).await;
        if doctor.code != 0 {
            assert_ne!(portal.refuses_to_serve().await.code, 0);
            portal.does(&["restore", text(&backup)]).await;
        }
        portal.start().await;
        portal.confirm(Asking::new(portal.product()).for_confirmation(&key)).await.unwrap();
        portal.stop().await;
    }
}

#[tokio::test]
async fn a_directory_with_an_unfinished_restore_is_refused_by_every_command() {
    let mut portal = PortalStage::open("").await;
    let backup = portal.stage.folder.path().join("backup");
    portal.does(&["backup", text(&backup)]).await;
    portal.stop().await;
    fs::write(portal.data.join("restore-unfinished"), "").unwrap();
    let (other, issuer) = (portal.stage.folder.path().join("other"), portal.sign_issuer(|_| {}));
    let commands: [&[&str]; 4] = [
        &["serve"],
        &["init", "--name", "localhost"],
        &["backup", text(&other)],
        &["install-issuer", text(&issuer)],
    ];
    for command in commands {
        refused(&portal.run(command).await, 78, "was not finished; run it again: `kms-portal restore");
    }
    let doctor = portal.run(&["doctor"]).await;
    assert!(doctor.code == 1 && doctor.stdout.contains("was not finished"), "{}", doctor.stdout);
    portal.does(&["restore", text(&backup)]).await;
    portal.start().await;
}

/// For one small file, the remedy was a whole backup in another directory: whoever followed it lost what was sold since. A file of code
/// certificates without any was taken for that of a portal without codes.
#[tokio::test]
async fn one_file_that_is_damaged_or_lost_is_brought_back_alone() {
    let mut portal = PortalStage::open("").await;
    portal.certify_codes(&[]).await;
    let backup = portal.stage.folder.path().join("backup");
    portal.does(&["backup", text(&backup)]).await;
    let key = portal.key(&["--kind", "mak", "--machines", "9"]).await;
    let files =
        ["roots.pub", "issuing.key", "issuing.certificate", "pepper", "code.key", "code.certificates"];
    for name in files {
        fs::write(portal.data.join(name), "garbage").unwrap();
        if name != "pepper" {
            let reloaded = portal.run(&["reload"]).await;
            assert!(reloaded.code != 0 && reloaded.stderr.contains(name), "{name}: {}", reloaded.stderr);
        }
        portal.stop().await;
        let refused = portal.refuses_to_serve().await;
        let remedy = format!("put the `{name}` of a backup in its place");
        let remedy =
            if name == "roots.pub" { "take `roots.pub` from the directory of `kms-vendor`" } else { &remedy };
        assert!(refused.code == 65 && refused.stderr.contains(remedy), "{name}: {}", refused.stderr);
        fs::copy(backup.join(name), portal.data.join(name)).unwrap();
        portal.start().await;
    }
    fs::remove_file(portal.data.join("pepper")).unwrap();
    portal.stop().await;
    refused(&portal.refuses_to_serve().await, 78, "put the `pepper` of a backup in its place");
    fs::copy(backup.join("pepper"), portal.data.join("pepper")).unwrap();
    portal.start().await;
    portal.confirm(Asking::new(portal.product()).for_confirmation(&key)).await.unwrap();
}

/// A portal whose database was removed went on selling keys, which were gone with its process.
#[tokio::test]
async fn a_portal_whose_files_are_removed_or_moved_acknowledges_nothing_and_ends() {
    let mut portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "mak", "--machines", "9"]).await;
    let (database, aside) = (portal.data.join("portal.db"), portal.data.join("aside.db"));
    fs::rename(&database, &aside).unwrap();
    portal.confirm(Asking::new(portal.product()).for_confirmation(&key)).await.unwrap_err();
    assert_eq!(portal.ended().await, Some(74));
    let log = fs::read_to_string(portal.log_path()).unwrap();
    assert!(log.contains("portal.db was removed"), "{log}");
    refused(&portal.refuses_to_serve().await, 78, "kms-portal restore BACKUP --data NEWDIR");
    refused(&portal.run(&["init", "--name", "localhost"]).await, 78, "keys that were sold are not found");
    fs::write(&database, "").unwrap();
    refused(&portal.refuses_to_serve().await, 65, "portal.db is damaged");
    let doctor = portal.run(&["doctor"]).await;
    assert!(doctor.code == 1 && doctor.stdout.contains("FAIL  database"), "{}", doctor.stdout);

    fs::rename(&aside, &database).unwrap();
    portal.start().await;
    let elsewhere = portal.stage.folder.path().join("elsewhere");
    fs::rename(&portal.data, &elsewhere).unwrap();
    assert_eq!(portal.ended().await, Some(74), "without being asked");
    portal.data = elsewhere;
    portal.start().await;
    portal.confirm(Asking::new(portal.product()).for_confirmation(&key)).await.unwrap();
}

/// With another pepper every customer was told that the key is unknown, and to compare it.
#[tokio::test]
async fn a_pepper_that_is_not_the_databases_is_noticed_and_none_is_made_anew() {
    let mut portal = PortalStage::open("").await;
    portal.stop().await;
    let pepper = portal.data.join("pepper");
    let old = fs::read(&pepper).unwrap();
    fs::write(&pepper, [7; 32]).unwrap();
    refused(&portal.refuses_to_serve().await, 65, "another pepper");
    fs::remove_file(&pepper).unwrap();
    refused(&portal.run(&["init", "--name", "localhost"]).await, 78, "keys that were sold are not found");
    let backup = portal.stage.folder.path().join("backup");
    refused(&portal.run(&["backup", text(&backup)]).await, 78, "pepper is missing");
    for (name, bytes) in [("pepper", &b""[..]), ("roots.pub", b""), ("issuing.key", b"")] {
        let path = portal.data.join(name);
        let kept = if name == "pepper" { old.clone() } else { fs::read(&path).unwrap() };
        fs::write(&path, bytes).unwrap();
        refused(&portal.run(&["backup", text(&backup)]).await, 65, name);
        fs::write(&path, kept).unwrap();
    }
    assert!(!backup.exists());
    portal.start().await;
}

/// `init` replaced keys whose certificates were missing: one may be known to a public authority, another to every product.
#[tokio::test]
async fn init_makes_what_is_missing_and_replaces_no_key() {
    let mut portal = PortalStage::open("").await;
    portal.stop().await;
    let at = |name: &str| portal.data.join(name);
    let bytes = |name: &str| fs::read(at(name)).unwrap();
    let init = ["init", "--name", "localhost"];
    let keys = ["issuing.key", "tls.key", "portal-ca.key", "pepper"].map(|name| (name, bytes(name)));
    for missing in ["tls.pem", "issuing-request.pem"] {
        fs::remove_file(at(missing)).unwrap();
        portal.does(&init).await;
        assert!(at(missing).exists());
    }
    fs::remove_file(at("tls.pem")).unwrap();
    fs::remove_file(at("portal-ca.pem")).unwrap();
    portal.does(&init).await;
    for (name, old) in &keys {
        assert_eq!(&bytes(name), old, "{name}");
    }
    portal.start().await;
    portal.confirm_one().await;
    portal.stop().await;

    let certificate = portal.data.join("tls.pem");
    for (lost, told) in [("tls.key", "tls.pem is of no use"), ("portal-ca.key", "portal-ca.pem is of no use")]
    {
        let path = portal.data.join(lost);
        let (old, kept) = (fs::read(&path).unwrap(), fs::read(&certificate).unwrap());
        fs::remove_file(&path).unwrap();
        if lost == "portal-ca.key" {
            fs::remove_file(&certificate).unwrap();
        }
        refused(&portal.run(&init).await, 78, told);
        fs::write(&path, old).unwrap();
        fs::write(&certificate, kept).unwrap();
    }

    // Without a name nothing is written at all.
    let roots = portal.data.join("roots.pub");
    let empty = portal.stage.folder.path().join("empty");
    let refusal = portal.run_at(text(&empty), &["init", "--roots", text(&roots)]).await;
    refused(&refusal, 78, "--name");
    assert!(!empty.exists());
}

/// The certificate that `init` makes ends after five years, and nothing but `init` can make another one: it said that nothing is missing.
#[tokio::test]
async fn init_makes_the_tls_certificate_anew_for_other_names() {
    let portal = PortalStage::open("").await;
    let (key, old) = (portal.data.join("tls.key"), fs::read(portal.data.join("tls.pem")).unwrap());
    let kept = fs::read(&key).unwrap();
    let told = portal.does(&["init", "--name", "localhost"]).await;
    assert!(told.starts_with("Nothing is missing"), "{told}");
    let told = portal.does(&["init", "--name", "localhost", "--name", "127.0.0.1"]).await;
    assert!(told.contains("kms-portal reload"), "{told}");
    assert_ne!(fs::read(portal.data.join("tls.pem")).unwrap(), old);
    assert_eq!(fs::read(&key).unwrap(), kept);
    portal.does(&["reload"]).await;
    portal.confirm_one().await;
}

/// The socket was removed, and a second portal began to serve the directory.
#[tokio::test]
async fn one_portal_serves_a_directory_even_if_its_socket_is_removed() {
    let portal = PortalStage::open("").await;
    fs::remove_file(portal.data.join("admin.sock")).unwrap();
    refused(&portal.refuses_to_serve().await, 69, "another portal serves this directory");
}

/// A certificate that cannot sign took the place of a good one, and then every host and machine was refused.
#[tokio::test]
async fn an_issuing_certificate_that_may_sign_less_is_installed_only_by_force() {
    let portal = PortalStage::open("").await;
    let install = async |file: &Path| portal.run(&["install-issuer", text(file)]).await;
    let late = portal.sign_issuer(|new| new.not_before = new.now + Duration::from_hours(1));
    refused(&install(&late).await, 65, "is valid only from");
    let short = portal.sign_issuer(|new| new.valid_for = YEAR / 300);
    refused(&install(&short).await, 65, "it ends earlier");
    let tests = portal.sign_issuer(|new| new.test = true);
    refused(&install(&tests).await, 65, "tests only");
    let one = portal.sign_issuer(|new| new.products = vec!["Atlas"]);
    refused(&install(&one).await, 65, "not every product");
    portal.confirm_one().await;
    portal.does(&["install-issuer", text(&one), "--force"]).await;
    portal.confirm_one().await;
}

/// Every row failed, and each said that the file has to belong to this user; other commands wanted a settings file that its owner can read.
#[tokio::test]
async fn another_user_than_the_portals_is_told_whom_to_run_the_command_as() {
    let portal = PortalStage::open("").await;
    fs::set_permissions(portal.stage.folder.path(), Permissions::from_mode(0o755)).unwrap();
    let as_nobody = |words: &[&str]| {
        let mut command = std::process::Command::new(PORTAL);
        command.args(words).args(["--data", text(&portal.data)]).current_dir("/");
        command.uid(65_534).gid(65_534).output()
    };
    let Ok(doctor) = as_nobody(&["doctor"]) else {
        return not_run("a command by another user: this is not root, or nobody may not run it");
    };
    let told = String::from_utf8(doctor.stdout).unwrap();
    assert!(told.starts_with("FAIL  user ") && told.lines().count() == 1, "{told}");
    assert!(told.contains("`runuser -u root -- kms-portal doctor --data "), "{told}");
    for verb in [&["serve"][..], &["backup", "/nowhere"]] {
        let said = String::from_utf8(as_nobody(verb).unwrap().stderr).unwrap();
        assert!(said.contains("run the command as root or as the user of the service"), "{said}");
    }
    let root = portal.run(&["doctor"]).await.stdout;
    assert!(root.contains("ok    user "), "{root}");
}

/// With PostgreSQL, `doctor` said nothing of the database: neither that the server was away nor that it is another portal's.
#[tokio::test]
async fn doctor_looks_at_a_database_on_a_server() {
    if let Some(missing) = Postgres::missing() {
        return not_run(&format!("a portal on PostgreSQL: {missing}"));
    }
    let mut server = Postgres::start(&[]).unwrap();
    let url = server.database().unwrap();
    let mut portal = PortalStage::open("").await;
    portal.stop().await;
    fs::write(portal.data.join("kms-portal.toml"), format!("database = \"{url}\"\n")).unwrap();
    let doctor = async |portal: &PortalStage| portal.run(&["doctor"]).await.stdout;
    let told = doctor(&portal).await;
    assert!(told.contains("ok    database  new"), "{told}");
    portal.start().await;
    portal.stop().await;
    let told = doctor(&portal).await;
    assert!(told.contains("ok    database  the server answers"), "{told}");

    // A second portal that was made by an `init` of its own.
    let pepper = fs::read(portal.data.join("pepper")).unwrap();
    fs::write(portal.data.join("pepper"), [7; 32]).unwrap();
    let told = doctor(&portal).await;
    assert!(told.contains("FAIL  database  the database belongs to a portal with another pepper"), "{told}");
    refused(&portal.refuses_to_serve().await, 65, "another pepper");

    fs::write(portal.data.join("pepper"), pepper).unwrap();
    portal.start().await;
    server.crash().unwrap();
    // Staff was told what customers are told: that nothing is wrong here.
    let done = portal.run(&["organisation", "list"]).await;
    refused(&done, 75, "see to the connection to the database");
    portal.kill().await;
    let told = doctor(&portal).await;
    assert!(told.contains("FAIL  database  the database server cannot be reached"), "{told}");
    let done = portal.refuses_to_serve().await;
    refused(&done, 74, "then start the portal again");
    assert!(!done.stderr.contains("by itself"), "{}", done.stderr);
}

/// A portal that was frozen was "ok".
#[tokio::test]
async fn doctor_notices_a_portal_that_does_not_answer() {
    let mut portal = PortalStage::open("").await;
    portal.signal("STOP").await;
    let told = portal.run(&["doctor"]).await;
    assert!(told.code == 1 && told.stdout.contains("FAIL  served"), "{}", told.stdout);
    let issuer = portal.sign_issuer(|_| {});
    let done = portal.run(&["install-issuer", text(&issuer)]).await;
    refused(&done, 69, "is installed, and the portal that runs has not taken it up");
    portal.signal("CONT").await;
    portal.stop().await;
}

/// Another user was told to start the portal, which was running.
#[tokio::test]
async fn another_user_is_told_who_may_administrate_a_portal() {
    let portal = PortalStage::open("").await;
    fs::set_permissions(portal.stage.folder.path(), Permissions::from_mode(0o755)).unwrap();
    match portal.run_as_nobody(&["status"]).await {
        None => not_run(
            "another user at a portal: this user may not become another, or that one not run this program",
        ),
        Some(done) => refused(&done, 77, "may not administrate the portal"),
    }
    // What they may not read was missing.
    if let Some(done) = portal.run_as_nobody(&["init"]).await {
        refused(&done, 77, "run the command as root, or as the user");
    }
}

/// The user nobody, who owns the directory of the story.
const OWNER: u32 = 65534;

/// Root restored, and the service could not read its own pepper; and could back up into no folder of root's.
#[tokio::test]
async fn what_root_backs_up_and_restores_of_a_portal_belongs_to_the_owner_of_its_directory() {
    let mut portal = PortalStage::open("").await;
    portal.stop().await;
    if chown(&portal.data, Some(OWNER), Some(OWNER)).is_err() {
        eprintln!("NOT RUN: root backs up a portal of another user: this is not root");
        return;
    }
    for entry in fs::read_dir(&portal.data).unwrap() {
        chown(entry.unwrap().path(), Some(OWNER), Some(OWNER)).unwrap();
    }
    fs::set_permissions(portal.stage.folder.path(), Permissions::from_mode(0o755)).unwrap();
    let private = portal.stage.folder.path().join("root");
    fs::create_dir(&private).unwrap();
    fs::set_permissions(&private, Permissions::from_mode(0o700)).unwrap();
    let backup = private.join("backup");
    portal.does(&["backup", text(&backup)]).await;
    assert_eq!(owners(&portal.data), [OWNER]);
    assert_eq!(owners(&backup), [0]);

    portal.data = portal.stage.folder.path().join("restored");
    fs::create_dir(&portal.data).unwrap();
    chown(&portal.data, Some(OWNER), Some(OWNER)).unwrap();
    portal.does(&["restore", text(&backup)]).await;
    assert_eq!(owners(&portal.data), [OWNER]);
    portal.start().await;
    until("the portal's socket", async || portal.data.join("admin.sock").exists()).await;
    assert_eq!(owners(&portal.data), [OWNER]);
}

/// Who owns what is in a directory.
fn owners(directory: &Path) -> Vec<u32> {
    let entries = fs::read_dir(directory).unwrap();
    let mut owners: Vec<_> = entries.map(|entry| entry.unwrap().metadata().unwrap().uid()).collect();
    owners.sort_unstable();
    owners.dedup();
    owners
}
