//! Webhooks as a service gets them: a receiver in a second process, which checks each signature by itself.
//!
//! Without Python the stories say NOT RUN, and fail where `CI` is set.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use kms_portal::api::PortalCore;
use kms_portal::battery::World;
use kms_portal::db::{MessageFilter, MessageState, Outgoing, PostedMessage, WebhookTarget};
use kms_portal::outbox::{DeliveryWays, deliver_due};
use kms_portal::rules::PersonId;
use kms_portal::rules::offers::ServiceName;
use kms_portal::webhook_signature::WebhookSecret;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use world::TestClock;

/// A service that is told; it ends with its story.
struct Receiver {
    port: u16,
    told: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Receiver {
    async fn start(failing: u32, secret: &WebhookSecret) -> Option<Receiver> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("portal/webhooks/receiver.py");
        let mut process = Command::new("python3");
        process.arg(script).arg(failing.to_string()).arg(&*secret.text());
        let Ok(mut process) = process.stdout(Stdio::piped()).kill_on_drop(true).spawn() else {
            crate::open::not_run("webhooks to a real service", "python3 is not installed");
            return None;
        };
        let mut told = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = told.next_line().await.unwrap().unwrap().parse().unwrap();
        Some(Receiver { port, told, _process: process })
    }

    /// What it was told next: the answer, and the message.
    async fn next(&mut self) -> (u64, serde_json::Value) {
        let line = tokio::time::timeout(Duration::from_secs(20), self.told.next_line()).await.unwrap();
        let told: serde_json::Value = serde_json::from_str(&line.unwrap().unwrap()).unwrap();
        (told["status"].as_u64().unwrap(), told)
    }
}

struct Office {
    world: World,
    portal: Arc<PortalCore>,
    clock: Arc<TestClock>,
    ways: Arc<DeliveryWays>,
}

impl Office {
    async fn open() -> Office {
        let world = World::new(crate::open::sqlite().await.unwrap()).await;
        let clock = Arc::new(TestClock::at(world.now));
        let portal = Arc::new(world.portal(clock.clone()));
        Office { world, portal, clock, ways: Arc::new(DeliveryWays::new(None)) }
    }

    async fn tells(&self, port: u16, secret: &WebhookSecret) {
        let url = format!("http://127.0.0.1:{port}/hook");
        let target = WebhookTarget::new(mail(), &url, secret.clone()).unwrap();
        self.portal.db.set_webhook_target(target, self.world.by("")).await.unwrap();
    }

    async fn posts(&self, event: &str) {
        let person = PersonId::from_bytes([1; 16]);
        let webhook = Outgoing::Webhook { service: mail(), person, event: event.to_owned() };
        self.portal.db.post(webhook, self.world.now).await.unwrap();
    }

    async fn delivers(&self) -> usize {
        deliver_due(&self.portal, &self.ways).await.unwrap()
    }

    async fn last(&self) -> PostedMessage {
        self.portal.db.messages(MessageFilter::default(), 1).await.unwrap().remove(0)
    }
}

fn mail() -> ServiceName {
    ServiceName::new("mail").unwrap()
}

#[tokio::test]
async fn a_service_that_fails_twice_is_told_in_order_and_by_one_id() {
    let (secret, office) = (WebhookSecret::draw(), Office::open().await);
    let Some(mut receiver) = Receiver::start(2, &secret).await else { return };
    office.tells(receiver.port, &secret).await;
    office.posts(r#"{"type":"service.held"}"#).await;
    office.posts(r#"{"type":"service.restored"}"#).await;
    let mut ids = Vec::new();
    for (wait, status, kind) in [(0, 500, "held"), (1, 500, "held"), (2, 204, "held"), (0, 204, "restored")] {
        office.clock.advance(Duration::from_mins(wait));
        assert_eq!(office.delivers().await, 1);
        let (answered, told) = receiver.next().await;
        assert_eq!(
            (answered, told["event"]["type"].as_str()),
            (status, Some(format!("service.{kind}").as_str()))
        );
        ids.push(told["id"].as_str().unwrap().to_owned());
    }
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
    assert!(matches!(office.last().await.state, MessageState::Sent(_)));
    assert_eq!(office.delivers().await, 0);
}

#[tokio::test]
async fn a_service_with_another_secret_refuses_and_hears_once_it_is_mended() {
    let (secret, office) = (WebhookSecret::draw(), Office::open().await);
    let Some(mut receiver) = Receiver::start(0, &secret).await else { return };
    office.tells(receiver.port, &WebhookSecret::draw()).await;
    office.posts("{}").await;
    office.delivers().await;
    assert_eq!(receiver.next().await.0, 401);
    let waits = office.last().await;
    assert!(waits.fault.contains("401"), "{waits:?}");
    office.tells(receiver.port, &secret).await;
    assert_eq!(office.portal.db.retry(Some(waits.number), office.portal.clock.now()).await.unwrap(), 1);
    office.delivers().await;
    assert_eq!(receiver.next().await.0, 204);
}

#[tokio::test]
async fn a_service_that_is_down_or_told_no_more_is_named() {
    let office = Office::open().await;
    office.posts("{}").await;
    office.delivers().await;
    let given_up = office.last().await;
    assert_eq!(
        (given_up.state, given_up.fault.as_str()),
        (MessageState::GivenUp, "mail is told nothing any more")
    );
    // Nobody listens there: the port was free a moment ago.
    let free = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    office.tells(free.port(), &WebhookSecret::draw()).await;
    office.posts("{}").await;
    office.delivers().await;
    let waits = office.last().await;
    assert!(waits.fault.contains("refused") && matches!(waits.state, MessageState::Waits(_)), "{waits:?}");
}

#[test]
fn a_target_is_reached_by_tls_unless_it_is_on_this_machine() {
    for (url, fits) in [
        ("https://mail.example.com/hook", true),
        ("http://127.0.0.1:8080/", true),
        ("http://mail.example.com/hook", false),
        ("https://a:b@mail.example.com/", false),
        ("mail.example.com", false),
        ("", false),
    ] {
        assert_eq!(WebhookTarget::new(mail(), url, WebhookSecret::draw()).is_some(), fits, "{url}");
    }
}
