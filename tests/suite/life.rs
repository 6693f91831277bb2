//! The life of the host's process: it stops in order, starts after a kill, and refuses to start twice.

use std::process::Stdio;
use std::time::Duration;

use kms_client::Outcome;
use kms_host::home::Home;
use shared::answer::Verdict;
use tokio::process::Command;
use tokio::time::timeout;
use world::HostProcess;
use world::asker::{Asker, wire};

use crate::commands::{Done, run};
use crate::slow::SlowHost;
use crate::stage::{LIMIT, Stage, an_hour_ago, now, program, until};

/// `serve` where it is expected to end by itself.
async fn serve_in_vain(home: &Home, arguments: &[&str]) -> Done {
    let data = home.path().display().to_string();
    run(&[&["serve", "--data", &data], arguments].concat()).await
}

#[tokio::test]
async fn told_to_stop_it_ends_with_success_and_serves_again_on_the_same_port() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let machine = stage.machine("machine", &[host.address()]);
    machine.activate().await.unwrap();
    let mut idle = wire(host.address()).unwrap();
    Asker::new(&stage.shop).unwrap().ask(&mut idle, now()).await.unwrap();

    let address = host.address();
    let stopped = timeout(Duration::from_secs(8), host.stop()).await;
    let home = stopped.expect("a connection that is idle keeps nobody waiting").unwrap();
    assert!(!home.socket_path().exists());
    assert!(home.path().join("ledger/closed").exists(), "the ledger was closed in order");
    let host = HostProcess::start(&program(), &home, address).await.unwrap();

    assert_eq!(host.count().await.unwrap(), 2);
    assert!(matches!(machine.activate().await.unwrap().outcome, Outcome::Leased { .. }));
    assert_eq!(host.count().await.unwrap(), 2);
}

#[tokio::test]
async fn an_ask_that_is_under_way_is_answered_before_the_host_stops() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let host = SlowHost::start(&home, 16).await;
    let (mut asker, mut wire) = (Asker::new(&stage.shop).unwrap(), wire(host.address).unwrap());
    let asking = tokio::spawn(async move { asker.ask(&mut wire, now()).await });
    host.is_busy().await;

    let SlowHost { address, running, disk } = host;
    let mut stopping = tokio::spawn(running.stop());
    until("closed to newcomers", async || tokio::net::TcpStream::connect(address).await.is_err()).await;
    let ended = timeout(Duration::from_millis(200), &mut stopping).await;
    assert!(ended.is_err() && !asking.is_finished(), "it owes one answer, and waits until that is given");
    disk.go_on();

    assert!(matches!(asking.await.unwrap(), Ok(Verdict::Leased(_))));
    timeout(LIMIT, stopping).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn after_sigkill_the_socket_that_was_left_behind_is_in_nobodys_way() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let address = host.address();
    let home = host.kill().await.unwrap();
    assert!(home.socket_path().exists(), "nobody was there to remove it");
    let host = HostProcess::start(&program(), &home, address).await.unwrap();
    assert_eq!(host.count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_second_host_on_the_same_directory_is_refused_and_the_first_serves_on() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let second = serve_in_vain(host.home(), &["--listen", "127.0.0.1:0"]).await;
    assert_eq!(second.code, 69, "{}", second.stderr);
    assert!(second.stderr.contains("another process serves the directory"), "{}", second.stderr);
    assert!(!second.stderr.contains("stopped"), "it never served: {}", second.stderr);
    let data = host.home().path().display().to_string();
    assert_eq!(run(&["init", "--data", &data]).await.code, 69, "nor is anything made under it");
    let machine = stage.machine("machine", &[host.address()]);
    assert!(matches!(machine.activate().await.unwrap().outcome, Outcome::Leased { .. }));
    assert!(host.home().socket_path().exists(), "and its socket is left alone");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let other = stage.shop.make_host("other", an_hour_ago()).unwrap();
    let taken = host.address().to_string();
    let done = serve_in_vain(&other, &["--listen", &taken]).await;
    assert_eq!(done.code, 69, "{}", done.stderr);
    assert!(done.stderr.contains(&taken) && done.stderr.contains("--listen"), "{}", done.stderr);
    assert!(!done.stderr.contains("stopped"), "it never served: {}", done.stderr);
}

#[tokio::test]
async fn without_a_certificate_it_says_how_to_get_one() {
    let stage = Stage::with_threshold(1);
    let bare = stage.shop.make_bare_host("bare", kms_host::home::HOUR_MS).unwrap();
    let done = serve_in_vain(&bare, &["--listen", "127.0.0.1:0"]).await;
    assert_eq!(done.code, 78, "{}", done.stderr);
    assert!(done.stderr.contains("host-request.pem"), "{}", done.stderr);
    assert!(done.stderr.contains("install-certificate"), "{}", done.stderr);
}

#[tokio::test]
async fn an_unknown_key_in_the_configuration_is_refused_with_its_line() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    std::fs::write(home.path().join("kms-host.toml"), "queue = 64\nthreshhold = 3\n").unwrap();
    let done = serve_in_vain(&home, &["--listen", "127.0.0.1:0"]).await;
    assert_eq!(done.code, 78, "{}", done.stderr);
    assert!(done.stderr.contains("line 2") && done.stderr.contains("threshhold"), "{}", done.stderr);
    assert_eq!(done.stderr.matches("TOML parse error").count(), 1, "said once: {}", done.stderr);

    std::fs::write(home.path().join("kms-host.toml"), "log = \"loud\"\n").unwrap();
    let done = serve_in_vain(&home, &["--listen", "127.0.0.1:0"]).await;
    assert!(done.code == 78 && done.stderr.contains("loud"), "{}", done.stderr);
}

#[tokio::test]
async fn the_log_is_json_where_it_is_wanted() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let mut host = Command::new(program().path)
        .args(["serve", "--log-json", "--listen", "127.0.0.1:0", "--data"])
        .arg(home.path())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until("serving", async || home.socket_path().exists()).await;
    until("there", async || kms_host::admin::connect(&home.socket_path()).await.is_ok()).await;
    let pid = host.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let mut log = String::new();
    let mut stderr = host.stderr.take().unwrap();
    tokio::io::AsyncReadExt::read_to_string(&mut stderr, &mut log).await.unwrap();
    assert!(host.wait().await.unwrap().success());

    let events: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let messages: Vec<_> = events.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert!(messages.contains(&"serving") && messages.contains(&"stopped"), "{messages:?}");
}
