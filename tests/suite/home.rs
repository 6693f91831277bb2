//! A host's home under rough handling: a long path, a directory that goes away, signals at the wrong moment, a host that
//! stands still, a machine with other defaults for its sockets.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use kms_client::Outcome;
use kms_host::home::Home;
use ledger::Engine;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::commands::run_at;
use crate::settings::log_of;
use crate::stage::{LIMIT, Stage, an_hour_ago, program, serve, until};

async fn signal(pid: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().await.unwrap().success());
}

/// Starts a host whose ledger somebody else holds, and waits until it waits for it.
async fn start_in_vain(home: &Home) -> Child {
    let log = home.path().with_extension("log");
    let host = Command::new(program().path)
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(home.path())
        .stdin(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until("waiting", async || {
        fs::read_to_string(&log).unwrap().contains("another process has this store open")
    })
    .await;
    host
}

/// A reload right after a start is what deployment tools do. It once killed the host.
#[tokio::test]
async fn sighup_to_a_host_that_waits_for_its_ledger_is_a_reload_once_it_serves() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let held = home.ledger(Engine::Sled, 4 << 20, &|_| {}).unwrap();
    let host = start_in_vain(&home).await;
    signal(host.id().unwrap(), "-HUP").await;
    drop(held);
    until("serving", async || run_at(&home, &["status"]).await.code == 0).await;
    let log = || fs::read_to_string(home.path().with_extension("log")).unwrap();
    until("read again", async || log().contains("were read again")).await;
}

#[tokio::test]
async fn sigterm_to_a_host_that_waits_for_its_ledger_ends_it_in_order_and_at_once() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    for stop in ["-TERM", "-INT"] {
        let _held = home.ledger(Engine::Sled, 4 << 20, &|_| {}).unwrap();
        let mut host = start_in_vain(&home).await;
        signal(host.id().unwrap(), stop).await;
        let ended = timeout(Duration::from_secs(2), host.wait()).await.expect("at once").unwrap();
        assert_eq!(ended.code(), Some(0), "{stop}: {ended}");
        let log = fs::read_to_string(home.path().with_extension("log")).unwrap();
        assert!(log.contains("stopping before the host has served"), "{log}");
    }
}

/// Into files without a name a host once acknowledged 200 asks, and would have gone on.
#[tokio::test]
async fn a_host_whose_directory_is_removed_or_replaced_stops_and_says_why() {
    let stage = Stage::with_threshold(1);
    for (name, what) in [
        ("removed", "was removed"),
        ("replaced", "was replaced"),
        ("ledger", "was removed"),
        ("mark", "was removed"),
    ] {
        let mut host = stage.host(name).await;
        let path = host.home().path().to_owned();
        let other = stage.shop.make_host(&format!("beside-{name}"), an_hour_ago()).unwrap();
        match name {
            "removed" => fs::remove_dir_all(&path).unwrap(),
            "mark" => fs::remove_file(path.join("ledger/mark")).unwrap(),
            "ledger" => fs::rename(path.join("ledger"), path.join("ledger.old")).unwrap(),
            _ => {
                fs::rename(&path, path.with_extension("old")).unwrap();
                fs::rename(other.path(), &path).unwrap();
                fs::write(path.join("admin.sock"), "of another").unwrap();
            }
        }
        let (exit, said) = timeout(LIMIT, host.ended()).await.expect("it notices").unwrap();
        assert_eq!(exit.code(), Some(74), "{name}: {said}");
        assert!(said.contains(&path.display().to_string()) && said.contains(what), "{name}: {said}");
        if name == "replaced" {
            assert_eq!(fs::read_to_string(path.join("admin.sock")).unwrap(), "of another");
        }
    }
}

/// Each command that asks a host. Every one of them once waited for ever; now each ends within the limit of `run_at`.
#[tokio::test]
async fn a_host_that_stands_still_is_told_of_by_every_command_and_waited_for_by_none() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let home = host.home().clone();
    let out = stage.folder.path().join("out").display().to_string();
    let id = "00112233445566778899aabbccddeeff";
    signal(host.id().unwrap(), "-STOP").await;
    let mut asked = JoinSet::new();
    for command in [
        &["status"][..],
        &["machines"],
        &["machine", "show", id],
        &["machine", "block", id],
        &["machine", "unblock", id],
        &["machine", "forget", id],
        &["copies"],
        &["certificates"],
        &["refusals"],
        &["sources"],
        &["audit"],
        &["audit", "--verify"],
        &["verify"],
        &["clock", "confirm"],
        &["reload"],
        &["export", "-"],
        &["backup", &out],
    ] {
        let (home, command) = (home.clone(), command.iter().map(|&one| one.to_owned()).collect::<Vec<_>>());
        asked.spawn(async move {
            let arguments: Vec<_> = command.iter().map(String::as_str).collect();
            let done = run_at(&home, &arguments).await;
            (command, done)
        });
    }
    while let Some(done) = asked.join_next().await {
        let (command, done) = done.unwrap();
        assert_eq!(done.code, 69, "{command:?}: {}", done.stderr);
        assert!(done.stderr.contains("does not answer in time"), "{command:?}: {}", done.stderr);
        assert!(done.stderr.contains("kms-host doctor --data"), "{command:?}: {}", done.stderr);
    }
    // The remedy works.
    let doctor = run_at(&home, &["doctor"]).await;
    let pid = format!("process {}", host.id().unwrap());
    assert!(doctor.code == 1 && doctor.stdout.contains(&pid), "{}", doctor.stdout);
    signal(host.id().unwrap(), "-CONT").await;
    assert_eq!(run_at(&home, &["status"]).await.code, 0);
}

/// `init` and the vendor's certificate went well, and then the host could not be started.
#[tokio::test]
async fn a_host_lives_at_a_path_of_any_length() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host(&"d".repeat(200), an_hour_ago()).unwrap();
    assert!(107 < home.socket_path().as_os_str().len());
    let host = serve(&home).await;
    let outcome = stage.machine("machine", &[host.address()]).activate().await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Leased { .. }), "{outcome:?}");
    let backup = stage.folder.path().join("backup").display().to_string();
    for command in [&["status"][..], &["doctor"], &["backup", &backup]] {
        let done = run_at(&home, command).await;
        assert_eq!(done.code, 0, "{command:?}: {}{}", done.stdout, done.stderr);
    }
    let served = run_at(&home, &["import", &backup]).await;
    assert_eq!(served.code, 69, "it knows that a host serves there: {}", served.stderr);
    let home = host.stop().await.unwrap();
    assert!(!home.socket_path().exists());
}

/// `[::]` is what a new host listens on. With this setting of the kernel it took no IPv4, and `doctor` said ok.
#[tokio::test]
async fn ipv4_is_served_where_the_machine_binds_ipv6_alone_by_default() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let Some(host) = serve_where_ipv6_is_alone(&home, &["[::]:21688"]).await else { return };
    let doctor = doctor_beside(&host, &home).await;
    assert!(doctor.contains("[::]:21688 over IPv4 is answered"), "{doctor}");

    let home = stage.shop.make_host("both", an_hour_ago()).unwrap();
    let both = ["[::]:21688", "0.0.0.0:21688"];
    let Some(host) = serve_where_ipv6_is_alone(&home, &both).await else { return };
    let doctor = doctor_beside(&host, &home).await;
    assert_eq!(doctor.matches("21688 is answered").count(), 2, "{doctor}");

    // Listened on, and told as unreachable by a check that had asked over IPv6.
    let home = stage.shop.make_host("written-as-ipv6", an_hour_ago()).unwrap();
    let Some(host) = serve_where_ipv6_is_alone(&home, &["[::ffff:127.0.0.1]:21688"]).await else { return };
    let doctor = doctor_beside(&host, &home).await;
    assert!(doctor.contains("[::ffff:127.0.0.1]:21688 over IPv4 is answered"), "{doctor}");
}

/// In a network of its own; nothing where this user may not make one.
async fn serve_where_ipv6_is_alone(home: &Home, listen: &[&str]) -> Option<Child> {
    const PREPARE: &str = "echo 1 > /proc/sys/net/ipv6/bindv6only && ip link set lo up && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", PREPARE, "sh"]).arg(program().path).arg("serve");
    for address in listen {
        command.args(["--listen", address]);
    }
    let log = home.path().with_extension("log");
    let host =
        command.arg("--data").arg(home.path()).stdin(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let mut host = host.kill_on_drop(true).spawn().unwrap();
    loop {
        if run_at(home, &["status"]).await.code == 0 {
            return Some(host);
        }
        if host.try_wait().unwrap().is_some() {
            let log = fs::read_to_string(&log).unwrap();
            assert!(!log.contains("cannot listen"), "{log}");
            eprintln!(
                "NOT RUN: a host where bindv6only is set: no network of its own can be made here: {log}"
            );
            return None;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn doctor_beside(host: &Child, home: &Home) -> String {
    let pid = host.id().unwrap().to_string();
    let mut command = Command::new("nsenter");
    command.args(["--net", "--target", &pid]).arg(program().path).args(["doctor", "--data"]).arg(home.path());
    String::from_utf8(command.kill_on_drop(true).output().await.unwrap().stdout).unwrap()
}

/// A check that passes where `serve` fails is worse than none.
#[tokio::test]
async fn config_check_looks_whether_serve_could_listen() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let write = |home: &Home, listen: &str| {
        fs::write(home.path().join("kms-host.toml"), format!("listen = [{listen}]\n")).unwrap();
    };
    let taken = format!("{:?}", host.address().to_string());
    let idle = stage.shop.make_host("idle", an_hour_ago()).unwrap();
    for (listen, code, told) in [
        (taken.as_str(), 69, "in use"),
        ("\"192.0.2.7:0\"", 69, "192.0.2.7:0"),
        ("\"[::]:1\", \"[::1]:1\"", 78, "leave out one"),
        ("\"0.0.0.0:1\", \"0.0.0.0:1\"", 78, "twice"),
        ("\"127.0.0.1:0\"", 0, ""),
    ] {
        write(&idle, listen);
        let done = run_at(&idle, &["config", "check"]).await;
        assert!(done.code == code && done.stderr.contains(told), "{listen}: {} {}", done.code, done.stderr);
    }
    // What the host itself holds is not in its way.
    write(host.home(), &taken);
    let done = run_at(host.home(), &["config", "check"]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);

    // Whoever may not see that it serves is not told that the address is another's.
    let readable = tempfile::tempdir().unwrap();
    fs::set_permissions(readable.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let file = readable.path().join("settings");
    fs::copy(host.home().path().join("kms-host.toml"), &file).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--clear-groups"])
        .arg(program().path)
        .args(["config", "check", "--config"]);
    command.arg(file).arg("--data").arg(host.home().path()).kill_on_drop(true);
    let Ok(output) = command.output().await else {
        eprintln!("NOT RUN: `config check` by another user: setpriv is not installed");
        return;
    };
    match output.status.code() {
        Some(1 | 126 | 127) => eprintln!("NOT RUN: `config check` by another user: {output:?}"),
        code => assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Whoever has read the key can sign leases as this host. `doctor` told of it only where nothing else was wrong.
#[tokio::test]
async fn a_signing_key_that_others_can_read_is_told_at_the_start_and_by_doctor() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let key = home.path().join("signing.key");
    for (mode, is_told) in [(0o600, false), (0o604, true), (0o640, true), (0o660, true)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let host = serve(&home).await;
        let log = log_of(&host);
        assert_eq!(log.contains("others may read or write the signing key"), is_told, "{mode:o}: {log}");
        let doctor = run_at(&home, &["doctor"]).await.stdout;
        let remedy = format!("chmod 600 {}", key.display());
        assert_eq!(doctor.contains(&remedy), is_told, "{mode:o}: {doctor}");
        host.stop().await.unwrap();
        fs::remove_file(home.path().with_extension("log")).unwrap();
    }
}

/// Unit files and compose files set a variable to nothing where they mean none.
#[tokio::test]
async fn an_empty_variable_for_the_data_directory_is_an_unset_one() {
    for (data, arguments, code) in [
        ("", &["explain", "CLOCK_SKEW"][..], 0),
        ("", &["status", "--data", "/nowhere"], 69),
        ("/nowhere", &["status", "--data", ""], 64),
    ] {
        let mut command = Command::new(program().path);
        command.args(arguments).env("KMS_HOST_DATA", data).kill_on_drop(true);
        let output = timeout(LIMIT, command.output()).await.unwrap().unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Root once printed the first line of any file to which the owner of a data directory had put a link.
#[tokio::test]
async fn root_reads_the_settings_of_a_data_directory_as_its_owner() {
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let secret = stage.folder.path().join("secret");
    fs::write(&secret, "root:$6$hash").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = home.path().join("kms-host.toml");
    fs::hard_link(&secret, &file).unwrap();
    if chown(home.path(), Some(65534), Some(65534)).is_err() {
        eprintln!("NOT RUN: root reads the settings of another user: this is not root");
        return;
    }
    let out = stage.folder.path().join("backup").display().to_string();
    let named = file.display().to_string();
    for made_by in ["hard link", "link"] {
        for command in [
            &["config", "check"][..],
            &["config", "show"],
            &["config", "check", "--config", &named],
            &["init"],
            &["serve"],
            &["doctor"],
            &["import", &out],
            &["backup", &out, "--config", &named],
        ] {
            let done = run_at(&home, command).await;
            assert!(done.code != 0, "{made_by}: {command:?}");
            let said = done.stdout + &done.stderr;
            assert!(!said.contains("$6$hash") && !said.contains("root:"), "{made_by}: {command:?}: {said}");
        }
        fs::remove_file(&file).unwrap();
        symlink(&secret, &file).unwrap();
    }
}
