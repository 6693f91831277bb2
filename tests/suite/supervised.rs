//! The host under a service manager: what it says on the socket of one, and that its unit file holds.
//!
//! The socket is a test's own; systemd itself is not needed, except to judge the unit file.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use shared::envelope::digest;
use shared::record::key::META;
use store::{Batch, Engine, Store};

use crate::commands::run;
use crate::stage::{LIMIT, Stage, an_hour_ago, program};

/// What a service manager hears, datagram by datagram.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn listen(path: &Path) -> Manager {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Manager { socket }
    }

    /// In the kernel's own space of names, as user managers and container tools do it.
    fn listen_without_a_file(name: &str) -> Manager {
        use std::os::linux::net::SocketAddrExt as _;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Manager { socket }
    }

    fn heard(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).expect("the host says something in time");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }
}

#[test]
fn a_service_manager_hears_that_it_serves_that_it_lives_and_that_it_stops() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = Manager::listen(&path);
    let host = Command::new(program().path)
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(home.path())
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "600000")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut host = Host(host);

    let ready = manager.heard();
    assert!(ready.contains("READY=1\n") && ready.contains("STATUS=serving 127.0.0.1:"), "{ready}");
    for _ in 0..3 {
        assert_eq!(manager.heard().trim_end(), "WATCHDOG=1");
    }

    // While nobody reads its socket's answers, and the process stands still, it is not fed.
    signal(&host, "-STOP");
    std::thread::sleep(Duration::from_millis(100));
    manager.socket.set_nonblocking(true).unwrap();
    while manager.socket.recv(&mut [0; 64]).is_ok() {}
    std::thread::sleep(Duration::from_millis(700));
    assert!(manager.socket.recv(&mut [0; 64]).is_err(), "a host that stands still is not fed");
    manager.socket.set_nonblocking(false).unwrap();
    signal(&host, "-CONT");

    signal(&host, "-TERM");
    while manager.heard().trim_end() != "STOPPING=1" {}
    assert!(host.0.wait().unwrap().success());
}

#[test]
fn a_service_manager_may_listen_at_a_name_that_is_no_path() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let name = format!("kms-test-{}", std::process::id());
    let manager = Manager::listen_without_a_file(&name);
    let host = Command::new(program().path)
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(home.path())
        .env("NOTIFY_SOCKET", format!("@{name}"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _host = Host(host);
    assert!(manager.heard().contains("READY=1\n"));
}

/// A start that takes long because of an upgrade is not taken for one that hangs, and is not begun again and again.
#[test]
fn a_service_manager_waits_for_an_upgrade_of_the_ledger() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    make_first_format(&home.path().join("ledger"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = Manager::listen(&path);
    let serve = Command::new(program().path)
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(home.path())
        .env("NOTIFY_SOCKET", &path)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut host = Host(serve);

    let upgrading = manager.heard();
    assert!(upgrading.contains("EXTEND_TIMEOUT_USEC=60000000\n"), "{upgrading}");
    assert!(upgrading.contains("STATUS=upgrading the ledger: 0 records read"), "{upgrading}");
    let ready = manager.heard();
    assert!(ready.contains("READY=1\n"), "{ready}");

    signal(&host, "-TERM");
    assert!(host.0.wait().unwrap().success());
}

/// Makes a ledger what it was in the first format: meta says so, under a checksum that fits.
fn make_first_format(ledger: &Path) {
    let store = Store::open(ledger, Engine::Sled, 1 << 20).unwrap();
    let mut meta = store.get(META).unwrap().unwrap();
    meta.truncate(meta.len() - 8);
    meta[0] = 1;
    let checksum = digest(&[META, &meta].concat());
    meta.extend_from_slice(&checksum[..8]);
    let mut batch = Batch::new();
    batch.put(META, meta);
    store.write(batch).unwrap();
    store.sync().unwrap();
}

struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        // After a failed assertion too, no host stays behind.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn signal(host: &Host, signal: &str) {
    assert!(Command::new("kill").args([signal, &host.0.id().to_string()]).status().unwrap().success());
}

#[test]
fn the_unit_file_holds_and_leaves_little_exposed() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd/kms-host.service");
    unit_file_holds(&unit, "/usr/bin/kms-host", &program().path.display().to_string());
}

/// systemd's own judgement of a unit, where there is one. The program that the unit names is not installed here, so the copy names
/// the one under test.
pub(crate) fn unit_file_holds(unit: &Path, installed: &str, under_test: &str) {
    let text = fs::read_to_string(unit).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join(unit.file_name().unwrap());
    fs::write(&copy, text.replace(installed, under_test)).unwrap();
    for arguments in [&["verify", "--man=no"][..], &["security", "--offline=true", "--threshold=20"]] {
        let judged = Command::new("systemd-analyze").args(arguments).arg(&copy).output();
        let Ok(judged) = judged else {
            eprintln!("NOT RUN: systemd-analyze {}: it is not installed", arguments[0]);
            continue;
        };
        let told = String::from_utf8_lossy(&judged.stdout) + String::from_utf8_lossy(&judged.stderr);
        assert!(judged.status.success(), "{arguments:?}: {told}");
    }
}

/// What a restart cannot help, systemd does not try again and again; what it can, it does.
#[test]
fn the_unit_file_starts_a_host_again_where_that_can_help() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd/kms-host.service");
    let text = fs::read_to_string(unit).unwrap();
    let value = |key: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("no {key}")).to_owned()
    };
    assert_eq!(value("RestartPreventExitStatus"), "64 65 73 77 78", "69 and 74 may pass");
    assert_eq!((value("LimitCORE").as_str(), value("MemoryMax").as_str()), ("0", "2G"));
}

#[tokio::test]
async fn completions_and_manual_pages_are_made_from_the_command_line() {
    for shell in ["bash", "zsh", "fish"] {
        let done = run(&["completions", shell]).await;
        assert!(done.code == 0 && done.stdout.contains("install-certificate"), "{shell}: {}", done.stderr);
    }
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("man1");
    let done = run(&["manual", &directory.display().to_string()]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let page = fs::read_to_string(directory.join("kms-host.1")).unwrap();
    assert!(page.contains(".TH kms-host 1"), "{page}");
    // Each example on a line of its own, with dashes that can be pasted.
    let examples = page.split_once(".SH EXAMPLES\n.nf\n").unwrap().1;
    assert!(examples.contains("\n  kms\\-host init \\-\\-data ./host\n"), "{page}");
    assert!([".SH \"FILES\"", ".SH \"ENVIRONMENT\""].iter().all(|section| page.contains(section)), "{page}");
    assert!(directory.join("kms-host-serve.1").exists());
}
