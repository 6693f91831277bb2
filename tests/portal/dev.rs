//! `kms-portal dev` as somebody meets it who tries the portal for the first time.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::web::Browser;

/// A portal with the made-up world. Dropping it kills it.
pub(crate) struct DevPortal {
    process: Child,
    /// What it has said first.
    pub(crate) said: Value,
}

impl DevPortal {
    pub(crate) fn start(folder: Option<&Path>) -> DevPortal {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portal-under-test"));
        command.args(["dev", "--port", "0", "--json"]).stdout(Stdio::piped());
        folder.map(|folder| command.arg("--folder").arg(folder));
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        DevPortal { process, said: serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}")) }
    }

    /// Somebody who looks at it.
    pub(crate) fn browser(&self) -> Browser {
        let port = self.said["url"].as_str().unwrap().rsplit(':').next().unwrap();
        Browser::new(SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap())))
    }

    /// Stops it as Ctrl-C does.
    fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for DevPortal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_gives_a_portal_with_a_world_to_look_at_and_leaves_nothing() {
    let portal = DevPortal::start(None);
    let ada = &portal.said["people"][0];
    let mut browser = portal.browser();
    let fields = ["address", "password"].map(|field| (field, ada[field].as_str().unwrap()));
    let signed_in = browser.post("/sign-in", &fields).await.is(303);
    assert!(browser.cookies.contains_key("kms-session"), "{signed_in:?}");

    let token = format!("Bearer {}", portal.said["token"].as_str().unwrap());
    let mut program = portal.browser();
    program.headers.push(("authorization", token));
    let mut asked = async |path: &str| -> Value {
        serde_json::from_str(&program.get(&format!("/api/v1{path}")).await.is(200).body).unwrap()
    };
    assert_eq!(asked("/people").await["people"].as_array().unwrap().len(), 12);
    assert_eq!(asked("/people?unlicensed=true").await["people"].as_array().unwrap().len(), 5);
    let sold = asked("/subscriptions").await;
    let sold = sold["subscriptions"].as_array().unwrap();
    let stages: Vec<_> = sold.iter().map(|sold| (&sold["offer"], &sold["stage"], &sold["seats"])).collect();
    let expected = serde_json::json!([["voice", "disabled", 5], ["office", "active", 6]]);
    assert_eq!(serde_json::json!(stages), expected);

    let folder = PathBuf::from(portal.said["folder"].as_str().unwrap());
    assert!(folder.join("portal.db").exists());
    portal.stop();
    assert!(!folder.exists());
}

/// Whoever keeps a folder finds everything as they left it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_kept_has_the_same_world_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("trial");
    let people = async || {
        let portal = DevPortal::start(Some(&data));
        let mut program = portal.browser();
        program.headers.push(("authorization", format!("Bearer {}", portal.said["token"].as_str().unwrap())));
        let people = program.get("/api/v1/people").await.is(200).body;
        portal.stop();
        people
    };
    assert_eq!(people().await, people().await);
}
