//! One machine with several processes, users and accidents of its disk, against a real host. `docs/protocol.md` 7.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use kms_client::{Cause, Client, Keeping, LicenseState, Outcome, Product, Reason, Waited};
use tokio::process::Command;
use world::asker::{Asker, wire};

use crate::stage::{LIMIT, Stage, answered, machines_of, now, outcomes};

#[tokio::test]
async fn what_one_process_is_given_the_other_sees_without_asking() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let [asks, looks] = [(); 2].map(|()| stage.machine("machine", &[host.address()]));
    assert_eq!(asks.snapshot().machine, looks.snapshot().machine);
    asks.activate().await.unwrap();

    let agent = looks.clone();
    let agent = tokio::spawn(async move { agent.run(std::future::pending()).await });
    let mut watch = looks.watch();
    let seen = watch.wait_for(|shown| shown.state.is_licensed());
    tokio::time::timeout(LIMIT, seen).await.expect("seen in time").unwrap();
    agent.abort();

    assert_eq!(looks.snapshot().lease, asks.snapshot().lease);
    assert_eq!(answered(&host, "LEASE").await, 1, "its own ask was due, and there was no need for it");
    let third = stage.machine("machine", &[host.address()]);
    assert!(third.state().is_licensed(), "and whoever starts later sees it at once");
}

/// What the child needs to know: state directory, product and roots in hex, host.
const CHILD: &str = "KMS_SUITE_CHILD";

/// Any user but the one who owns the state.
const NOBODY: u32 = 65_534;

#[tokio::test]
async fn another_user_sees_the_license_and_never_asks() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let machine = stage.machine("machine", &[host.address()]);
    machine.activate().await.unwrap();

    let product = stage.shop.compiled();
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let described = [
        stage.state_dir("machine").display().to_string(),
        hex(&product.id),
        hex(product.roots.as_flattened()),
        host.address().to_string(),
    ];
    // A copy in a folder that everybody may read: the build's own may be in somebody's home.
    let program = stage.folder.path().join("another-users-program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut child = Command::new(&program);
    child.args(["--exact", "machines::the_other_user", "--ignored", "--nocapture"]);
    child.env(CHILD, described.join(",")).kill_on_drop(true);
    if fs::metadata(stage.folder.path()).unwrap().uid() == 0 {
        child.uid(NOBODY).gid(NOBODY);
    } else {
        // Whoever is not root cannot be somebody else; the file's mode makes the same difference.
        let identity = state_file(&stage, "identity");
        fs::set_permissions(identity, fs::Permissions::from_mode(0o000)).unwrap();
    }
    let output = tokio::time::timeout(LIMIT, child.output()).await.expect("it ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);

    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("licensed true, read only true, asked IDENTITY_UNREADABLE"), "{said}");
    assert_eq!(answered(&host, "LEASE").await, 1);
    assert_eq!(host.count().await.unwrap(), 1, "a machine is counted once, whoever uses it");
}

#[tokio::test]
#[ignore = "it is what another user's process does, and is started by the story of that name"]
async fn the_other_user() {
    let Ok(described) = std::env::var(CHILD) else { return };
    let [state_dir, id, roots, host] = &described.split(',').collect::<Vec<_>>()[..] else {
        panic!("{described}")
    };
    let bytes = |hex: &str| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    let roots: Vec<[u8; 32]> = bytes(roots).chunks(32).map(|root| root.try_into().unwrap()).collect();
    let product = Product::new(bytes(id).try_into().unwrap(), "Atlas", roots.try_into().unwrap());
    let client = Client::builder(product)
        .state_dir(*state_dir)
        .fingerprint_source(b"machine")
        .hosts([*host])
        .build()
        .unwrap();
    let read_only = client.snapshot().keeping == Keeping::ReadOnly;
    let asked = client.activate().await.unwrap_err();
    println!("licensed {}, read only {read_only}, asked {}", client.state().is_licensed(), asked.code);
}

#[tokio::test]
async fn a_released_machine_leaves_the_count_and_may_come_back() {
    let stage = Stage::with_threshold(2);
    let host = stage.host("host").await;
    let [stays, leaves] = ["stays", "leaves"].map(|name| stage.machine(name, &[host.address()]));
    stays.activate().await.unwrap();
    leaves.activate().await.unwrap();
    assert!(leaves.state().is_licensed());

    assert_eq!(leaves.release().await.unwrap().outcome, Outcome::Released);
    assert!(!leaves.state().is_licensed());
    assert_eq!(leaves.snapshot().ask_at, None, "it asks no more by itself");
    assert_eq!(host.count().await.unwrap(), 1);
    let states: Vec<_> = machines_of(&host).await.into_iter().map(|machine| machine.state).collect();
    assert!(states.contains(&"released".to_owned()), "its record stays: {states:?}");

    let serial = leaves.snapshot().serial;
    assert!(matches!(leaves.activate().await.unwrap().outcome, Outcome::Leased { .. }));
    assert_eq!(leaves.snapshot().serial, serial + 1);
    assert_eq!((host.count().await.unwrap(), machines_of(&host).await.len()), (2, 2));
}

#[tokio::test]
async fn a_machine_that_cannot_keep_state_is_licensed_by_others_and_leaves_no_record() {
    let stage = Stage::with_threshold(2);
    let host = stage.host("host").await;
    let file = stage.folder.path().join("file");
    fs::write(&file, "this is no directory").unwrap();
    let container = Client::builder(stage.shop.compiled())
        .state_dir(&file)
        .fingerprint_source(b"container")
        .hosts([host.address().to_string()])
        .build()
        .unwrap();
    assert_eq!(container.snapshot().keeping, Keeping::NotKept);
    let mut wire = wire(host.address()).unwrap();
    Asker::new(&stage.shop).unwrap().ask(&mut wire, now()).await.unwrap();

    let round = container.activate().await.unwrap();
    assert_eq!(round.outcome, Outcome::Waiting(Waited::new(1, 2)), "it does not count itself");
    Asker::new(&stage.shop).unwrap().ask(&mut wire, now()).await.unwrap();
    assert_eq!(outcomes(&container.activate().await.unwrap()), ["LEASE"]);
    assert!(container.state().is_licensed());

    let product = &host.status().await.unwrap().products[0];
    assert_eq!((product.count, product.active, product.unkept_today), (2, 2, 2));
    assert_eq!(machines_of(&host).await.len(), 2);
}

fn state_file(stage: &Stage, name: &str) -> PathBuf {
    stage.state_dir("machine").join(stage.shop.product().id.to_string()).join(name)
}

/// Spoils a file between two starts of the product; the product says so, and is licensed again with the next ask.
async fn check_damage(name: &str, spoil: fn(&[u8]) -> Vec<u8>, counted: u64) {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let machine = stage.machine("machine", &[host.address()]);
    let LicenseState::InGrace { until: grace_ends } = machine.state() else { panic!("{machine:?}") };
    let before = machine.snapshot().machine;
    machine.activate().await.unwrap();
    drop(machine);

    let path = state_file(&stage, name);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, spoil(&whole)).unwrap();
    let machine = stage.machine("machine", &[host.address()]);

    let troubles: Vec<_> = machine.snapshot().troubles.iter().map(Cause::reason).collect();
    assert_eq!(troubles, [Some(Reason::StateDamaged)]);
    assert_eq!(machine.state(), LicenseState::InGrace { until: grace_ends }, "grace does not begin again");
    assert_eq!(machine.snapshot().machine == before, name != "identity", "what is whole is kept");
    let round = machine.activate().await.unwrap();
    assert!(matches!(round.outcome, Outcome::Leased { .. }), "{round:?}");
    assert!(machine.state().is_licensed());
    assert_eq!(host.count().await.unwrap(), counted);
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"], "and all is well again");
}

#[tokio::test]
async fn a_state_that_was_cut_short_is_made_anew_and_still_one_machine() {
    check_damage("saved", |whole| whole[..whole.len() / 2].to_vec(), 1).await;
}

#[tokio::test]
async fn a_state_that_is_empty_is_made_anew_and_still_one_machine() {
    check_damage("saved", |_| Vec::new(), 1).await;
}

#[tokio::test]
async fn a_state_with_a_bit_flipped_is_made_anew_and_still_one_machine() {
    let flip = |whole: &[u8]| {
        let mut flipped = whole.to_vec();
        flipped[whole.len() / 2] ^= 1;
        flipped
    };
    check_damage("saved", flip, 1).await;
}

#[tokio::test]
async fn a_spoilt_identity_makes_another_machine_and_the_old_seat_stays_for_its_time() {
    check_damage("identity", |whole| whole[..whole.len() - 1].to_vec(), 2).await;
}
