//! Mail as a real SMTP server gets it: aiosmtpd, in a second process.
//!
//! Without it the stories say NOT RUN, and fail where `CI` is set.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use kms_portal::api::PortalCore;
use kms_portal::battery::World;
use kms_portal::db::{MessageFilter, MessageState, Outgoing, PostedMessage};
use kms_portal::outbox::{DeliveryWays, MailServer, deliver_due};
use kms_portal_texts::Language;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use world::TestClock;

const MINUTE: Duration = Duration::from_mins(1);

/// A mail server; it ends with its story.
struct SmtpServer {
    port: u16,
    mails: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

/// The Python that has aiosmtpd.
async fn python() -> Option<&'static str> {
    for python in ["python3", "/usr/bin/python3"] {
        let has = Command::new(python).args(["-c", "import aiosmtpd"]).output().await;
        if has.is_ok_and(|has| has.status.success()) {
            return Some(python);
        }
    }
    crate::open::not_run(
        "mail to a real server",
        "aiosmtpd is not installed (apt-get install python3-aiosmtpd)",
    );
    None
}

impl SmtpServer {
    async fn start(shown: &[&str]) -> Option<SmtpServer> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("portal/mail/server.py");
        let mut process = Command::new(python().await?);
        let process = process.arg(script).args(shown).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = process.spawn().unwrap();
        let mut mails = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = mails.next_line().await.unwrap().unwrap().parse().unwrap();
        Some(SmtpServer { port, mails, _process: process })
    }

    fn at(&self, credentials: Option<PathBuf>) -> Arc<DeliveryWays> {
        server_at(self.port, credentials)
    }

    /// The next mail: who gets it, and its text with headers.
    async fn mail(&mut self) -> (String, String) {
        let line = tokio::time::timeout(Duration::from_secs(20), self.mails.next_line()).await.unwrap();
        let mail: serde_json::Value = serde_json::from_str(&line.unwrap().unwrap()).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (text(&mail["to"][0]), text(&mail["data"]).replace("\r\n", "\n"))
    }
}

fn server_at(port: u16, credentials: Option<PathBuf>) -> Arc<DeliveryWays> {
    let url = format!("smtp://127.0.0.1:{port}");
    let server = MailServer::new(&url, credentials, "Example Licenses <licenses@example.com>").unwrap();
    Arc::new(DeliveryWays::new(Some(server)))
}

struct Office {
    portal: Arc<PortalCore>,
    clock: Arc<TestClock>,
    _world: World,
}

impl Office {
    async fn open() -> Office {
        let world = World::new(crate::open::sqlite().await.unwrap()).await;
        let clock = Arc::new(TestClock::at(world.now));
        Office { portal: Arc::new(world.portal(clock.clone())), clock, _world: world }
    }

    async fn posts(&self, to: &str) {
        let mail = Outgoing::Mail {
            to: to.to_owned(),
            language: Language::German,
            subject: "Passwort zur\u{fc}cksetzen".to_owned(),
            body: "Guten Tag,\n\n.eine Zeile mit Punkt\nhttps://licenses.example.com/reset?token=abc\n"
                .to_owned(),
        };
        self.portal.db.post(mail, self.portal.clock.now()).await.unwrap();
    }

    async fn delivers(&self, server: &Arc<DeliveryWays>) -> usize {
        deliver_due(&self.portal, server).await.unwrap()
    }

    async fn last(&self) -> PostedMessage {
        self.portal.db.messages(MessageFilter::default(), 1).await.unwrap().remove(0)
    }
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written_and_once() {
    let Some(mut server) = SmtpServer::start(&[]).await else { return };
    let office = Office::open().await;
    office.posts("Ann@Example.com").await;
    assert_eq!(office.delivers(&server.at(None)).await, 1);
    let (to, data) = server.mail().await;
    assert_eq!(to, "Ann@example.com");
    for line in [
        "From: \"Example Licenses\" <licenses@example.com>",
        "Auto-Submitted: auto-generated",
        "Content-Language: de",
        "Content-Type: text/plain; charset=utf-8",
        "Subject: Passwort =?utf-8?b?enVyw7xja3NldHplbg==?=",
        "\n.eine Zeile mit Punkt",
        "Message-ID: <1.",
    ] {
        assert!(data.contains(line), "no {line:?} in {data}");
    }
    assert!(matches!(office.last().await.state, MessageState::Sent(_)));
    assert_eq!(office.delivers(&server.at(None)).await, 0);
}

#[tokio::test]
async fn a_server_that_greylists_gets_the_mail_a_minute_later_and_one_that_refuses_gets_it_once() {
    let Some(mut server) = SmtpServer::start(&[]).await else { return };
    let office = Office::open().await;
    let at = server.at(None);
    office.posts("grey@example.com").await;
    assert_eq!(office.delivers(&at).await, 1);
    let waits = office.last().await;
    assert!(waits.fault.contains("451") && waits.fault.contains("greylisted"), "{waits:?}");
    office.clock.advance(Duration::from_millis(59_999));
    assert_eq!(office.delivers(&at).await, 0, "not yet");
    office.clock.advance(Duration::from_millis(1));
    assert_eq!(office.delivers(&at).await, 1);
    assert_eq!(server.mail().await.0, "grey@example.com");

    office.posts("nobody@example.com").await;
    assert_eq!(office.delivers(&at).await, 1);
    let refused = office.last().await;
    assert_eq!(refused.state, MessageState::GivenUp);
    assert!(refused.fault.contains("550"), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_is_down_gets_the_mail_once_it_is_back() {
    let Some(mut server) = SmtpServer::start(&[]).await else { return };
    let office = Office::open().await;
    // Nobody listens there: the port was free a moment ago.
    let free = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    office.posts("ann@example.com").await;
    for wait in [1, 2, 4] {
        assert_eq!(office.delivers(&server_at(port, None)).await, 1);
        office.clock.advance(MINUTE * wait);
    }
    let waits = office.last().await;
    assert!(waits.tries == 3 && !waits.fault.is_empty(), "{waits:?}");
    assert_eq!(office.delivers(&server.at(None)).await, 1);
    assert_eq!(server.mail().await.0, "ann@example.com");
}

/// A new password is used without a restart.
#[tokio::test]
async fn a_server_that_wants_a_password_gets_the_one_in_the_file() {
    let Some(mut server) = SmtpServer::start(&["portal", "secret"]).await else { return };
    let office = Office::open().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("smtp.credentials");
    let at = server.at(Some(file.clone()));
    office.posts("ann@example.com").await;
    for (text, fault) in [("", "smtp.credentials"), ("portal\n", "second"), ("portal\nwrong\n", "535")] {
        if !text.is_empty() {
            std::fs::write(&file, text).unwrap();
        }
        assert_eq!(office.delivers(&at).await, 1, "{text:?}");
        let waits = office.last().await;
        assert!(waits.fault.contains(fault) && !waits.fault.contains("wrong"), "{waits:?}");
        office.clock.advance(MINUTE * 10);
    }
    std::fs::write(&file, "portal\nsecret\n").unwrap();
    assert_eq!(office.delivers(&at).await, 1);
    assert_eq!(server.mail().await.0, "ann@example.com");
}
