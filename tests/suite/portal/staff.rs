//! The vendor's people and programs reach the portal over the network: by tokens, whose roles say which calls they may make.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use kms_portal::db::{By, Db, NewToken};
use kms_portal::roles::{CALLS, Role};
use kms_portal::token::StaffToken;
use shared::time::Clock as _;
use tonic::Code;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::codegen::http::Request;
use wire::portal::PortalAddress;
use wire::{Connection, SystemClock, Tls};

use super::stage::{PortalStage, text};
use crate::commands::Done;

pub(super) const OVER_THE_NETWORK: &str = "staff_listen = [\"127.0.0.1:0\"]\n";

/// Which roles may make a call, as the vendor's guide says.
fn roles_of(call: &str) -> Vec<Role> {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/vendor.md");
    let guide = fs::read_to_string(guide).unwrap();
    let rows = guide.lines().skip_while(|line| !line.starts_with("| who may |")).skip(2);
    let mut rows =
        rows.take_while(|line| line.starts_with('|')).map(|row| row.split('|').collect::<Vec<_>>());
    let row = rows.find(|row| row[3].split(',').any(|listed| listed.trim() == format!("`{call}`")));
    let row = row.unwrap_or_else(|| panic!("docs/vendor.md does not say who may call {call}"));
    row[1].split(',').map(|role| Role::from_name(role.trim()).unwrap()).collect()
}

/// What a token shows in a header.
fn bearer(token: &StaffToken) -> String {
    format!("Bearer {}", *token.text())
}

fn new_token() -> StaffToken {
    StaffToken::new(rand::random::<[u8; 32]>().into())
}

/// Where staff is served.
pub(super) async fn staff_address(portal: &PortalStage) -> PortalAddress {
    let status = portal.json(&["status"]).await;
    let port = status["staff_listening"][0].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    format!("https://localhost:{port}").parse().unwrap()
}

/// Issues a token, and keeps it in a file.
pub(super) async fn token(portal: &PortalStage, name: &str, role: &str) -> PathBuf {
    let file = portal.stage.folder.path().join(name);
    portal.does(&["token", "issue", "--name", name, "--role", role, "--out", text(&file)]).await;
    file
}

/// Runs a command that asks by this token, as on another machine.
pub(super) async fn asks(portal: &PortalStage, file: &std::path::Path, arguments: &[&str]) -> Done {
    let address = staff_address(portal).await.to_string();
    let authority = portal.data.join("portal-ca.pem");
    let elsewhere = ["--portal", &address, "--ca", text(&authority), "--token-file", text(file)];
    portal.run_elsewhere(&[], &[arguments, &elsewhere].concat()).await
}

/// Makes each call with an empty message; the status of each.
async fn call_all(portal: &PortalStage, authorization: Option<&str>) -> Vec<(&'static str, Code, String)> {
    let address = staff_address(portal).await;
    let tls = Tls::from_file(portal.data.join("portal-ca.pem")).read(Arc::new(SystemClock::new())).unwrap();
    let line = wire::portal::open(&address, &tls).await.unwrap();
    let connection = Connection::open(line, &address.to_string(), "the portal").await.unwrap();
    let (mut channel, origin) = connection.channel();
    let mut told = Vec::new();
    for (call, _) in CALLS {
        let mut request = Request::post(format!("{origin}kms.portal.v1.PortalService/{call}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        // A message without bytes, behind its five bytes of length.
        let request = request.body(Body::new(Full::new(Bytes::from_static(&[0; 5])))).unwrap();
        let answer = channel.call(request).await.unwrap();
        let status = Status::from_header_map(answer.headers());
        let (code, message) =
            status.map_or((Code::Ok, String::new()), |status| (status.code(), status.message().to_owned()));
        told.push((*call, code, message));
    }
    told
}

#[tokio::test]
async fn each_role_may_make_its_calls_and_no_other_and_without_a_token_that_holds_there_are_none() {
    let mut portal = PortalStage::open(OVER_THE_NETWORK).await;
    portal.stop().await;
    let now = SystemClock::new().now();
    let db = Db::open_sqlite(&portal.data.join("portal.db")).await.unwrap();
    let by = || By { who: "ann".into(), at: now, why: String::new() };
    let issue = async |name: &str, role, ends_at| {
        let token = new_token();
        let new = NewToken { name: name.into(), digest: token.digest(), role, ends_at };
        db.issue_token(new, by()).await.unwrap().unwrap();
        bearer(&token)
    };
    let mut roles = Vec::new();
    for role in Role::ALL {
        roles.push((role, issue(role.name(), role, None).await));
    }
    let ended = issue("ended", Role::Administrator, Some(now)).await;
    let revoked = issue("revoked", Role::Administrator, None).await;
    assert!(db.revoke_token("revoked".into(), by()).await.unwrap());
    db.close().await;
    portal.start().await;

    for (role, authorization) in roles {
        for (call, code, message) in call_all(&portal, Some(&authorization)).await {
            let may = roles_of(call).contains(&role);
            assert_eq!(code == Code::PermissionDenied, !may, "{role:?} {call}: {code:?} {message}");
            assert_eq!(message.starts_with("NOT_PERMITTED"), !may, "{role:?} {call}: {message}");
            assert_ne!(code, Code::Unauthenticated, "{role:?} {call}");
        }
    }
    let wrong = bearer(&new_token());
    for (authorization, reason) in [
        (None, "TOKEN_UNKNOWN"),
        (Some(&wrong), "TOKEN_UNKNOWN"),
        (Some(&ended), "TOKEN_ENDED"),
        (Some(&revoked), "TOKEN_ENDED"),
    ] {
        for (call, code, message) in call_all(&portal, authorization.map(String::as_str)).await {
            assert_eq!(code, Code::Unauthenticated, "{call}: {message}");
            assert!(message.starts_with(reason), "{call}: {message}");
        }
    }
}

#[tokio::test]
async fn a_token_sells_from_another_machine_under_its_name_until_it_is_revoked() {
    let portal = PortalStage::open(OVER_THE_NETWORK).await;
    let file = token(&portal, "CI", "seller").await;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let usual = ["key", "issue", "--product", "Atlas", "--organisation", "Example Works"];
    let issued =
        asks(&portal, &file, &[&usual[..], &["--kind", "mak", "--machines", "3", "--json"]].concat()).await;
    assert_eq!(issued.code, 0, "{}", issued.stderr);
    let issued: serde_json::Value = serde_json::from_str(&issued.stdout).unwrap();
    let number = issued["number"].as_str().unwrap();
    let raised = asks(&portal, &file, &["key", "raise", number, "--machines", "2"]).await;
    assert_eq!(raised.stdout, format!("Key {number} grants 5 machines, 5 releases a year now.\n"));
    let changes = portal.json(&["audit"]).await;
    let told =
        |index: usize| (changes[index]["what"].as_str().unwrap(), changes[index]["who"].as_str().unwrap());
    assert_eq!((told(0), told(1)), (("raise", "token:CI"), ("issue", "token:CI")));
    let (what, who) = told(3);
    assert!(what == "issue token" && who.starts_with("local:"), "{what} {who}");

    let refused = asks(&portal, &file, &["key", "block", number]).await;
    assert_eq!(refused.code, 77, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("NOT_PERMITTED: the token CI is for the role seller"),
        "{}",
        refused.stderr
    );
    let boss = token(&portal, "boss", "administrator").await;
    let blocked = asks(&portal, &boss, &["key", "block", number]).await;
    assert_eq!(blocked.code, 0, "{}", blocked.stderr);

    let listed = portal.json(&["token", "list"]).await;
    assert_eq!((&listed[0]["name"], &listed[0]["role"]), (&"CI".into(), &"seller".into()));
    assert!(listed[0]["used_at_ms"].is_number(), "{listed}");
    // The audit log could not tell them apart, and no reader of it either.
    for name in ["CI", "ci", "C1"] {
        let again = portal.run(&["token", "issue", "--name", name, "--role", "reader"]).await;
        assert!(again.code == 65 && again.stderr.contains("choose another name"), "{}", again.stderr);
    }

    portal.does(&["token", "revoke", "CI", "--note", "the server was replaced"]).await;
    let refused = asks(&portal, &file, &["key", "list"]).await;
    assert!(refused.code == 77 && refused.stderr.contains("TOKEN_ENDED"), "{}", refused.stderr);
    let unknown = portal.run(&["token", "revoke", "CJ"]).await;
    assert!(unknown.code == 65 && unknown.stderr.contains("kms-portal token list"), "{}", unknown.stderr);
}

#[tokio::test]
async fn who_cannot_reach_a_portal_over_the_network_is_told_why() {
    let portal = PortalStage::open(OVER_THE_NETWORK).await;
    let file = token(&portal, "CI", "reader").await;
    let authority = portal.data.join("portal-ca.pem");
    let check = async |address: &str, more: &[&str], code: i32, told: &str| {
        let arguments = [&["key", "list", "--portal", address][..], more].concat();
        let done = portal.run_elsewhere(&[], &arguments).await;
        assert!(
            done.code == code && done.stderr.contains(told),
            "{arguments:?}: {} {}",
            done.code,
            done.stderr
        );
    };
    let staff = staff_address(&portal).await.to_string();
    let public = portal.address().to_string();
    let (ca, token) = (["--ca", text(&authority)], ["--token-file", text(&file)]);
    check(&staff, &ca, 64, "--token-file").await;
    check(&staff, &[&ca[..], &["--token-file", text(&authority)]].concat(), 65, "token issue").await;
    check(&staff, &token, 69, "TLS_CERTIFICATE_BAD").await;
    check(&staff, &token, 69, "with --ca: portal-ca.pem").await;
    check(&staff, &[&["--ca", text(&file)][..], &token].concat(), 78, "with --ca, or in KMS_PORTAL_CA").await;
    check(&public, &[ca, token].concat(), 69, "`staff_listen`").await;
    check("https://localhost:1", &[ca, token].concat(), 69, "PORTAL_UNREACHABLE").await;
    check("https://localhost:1", &[ca, token].concat(), 69, "neither a firewall nor `staff_allow`").await;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let done = asks(&portal, &file, &["key", "list"]).await;
    assert!(done.code == 0 && done.stderr.contains("chmod 600"), "{} {}", done.code, done.stderr);
}

#[tokio::test]
async fn an_address_that_guesses_tokens_has_to_wait_and_the_socket_stays_open() {
    let portal = PortalStage::open(&format!("{OVER_THE_NETWORK}wrong_tokens_per_source = 2\n")).await;
    let good = token(&portal, "CI", "reader").await;
    let wrong = portal.stage.folder.path().join("wrong");
    fs::write(&wrong, new_token().text().as_bytes()).unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    for _ in 0..2 {
        let refused = asks(&portal, &wrong, &["status"]).await;
        assert!(refused.code == 77 && refused.stderr.contains("TOKEN_UNKNOWN"), "{}", refused.stderr);
    }
    let refused = asks(&portal, &good, &["status"]).await;
    assert!(refused.code == 75 && refused.stderr.contains("TOO_MANY_WRONG_TOKENS"), "{}", refused.stderr);
    assert!(refused.stderr.contains("11 h 59 min"), "{}", refused.stderr);
    portal.does(&["status"]).await;
}

#[tokio::test]
async fn staff_is_served_at_the_socket_alone_unless_the_settings_say_where() {
    let portal = PortalStage::open("").await;
    let status = portal.json(&["status"]).await;
    assert_eq!(status["staff_listening"].as_array().unwrap().len(), 0, "{status}");
    let clash = "listen = [\"127.0.0.1:4711\"]\nstaff_listen = [\"127.0.0.1:4711\"]\n";
    fs::write(portal.data.join("kms-portal.toml"), clash).unwrap();
    let done = portal.run(&["config", "check"]).await;
    assert!(done.code == 78 && done.stderr.contains("`staff_listen`"), "{}", done.stderr);
}

/// No token may reach a log, whatever is logged.
pub(super) async fn ask_by_tokens(portal: &PortalStage) -> Vec<String> {
    let file = token(portal, "CI", "reader").await;
    let wrong = portal.stage.folder.path().join("wrong");
    fs::write(&wrong, new_token().text().as_bytes()).unwrap();
    for file in [&file, &wrong] {
        asks(portal, file, &["key", "list"]).await;
    }
    [file, wrong].map(|file| fs::read_to_string(file).unwrap().trim().to_uppercase()).to_vec()
}
