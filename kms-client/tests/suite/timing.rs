//! The agent asks when it is time, by a wall clock that may jump, and backs off after failures.

use std::collections::HashMap;
use std::time::Duration;

use kms_client::{Client, LicenseState, Outcome, Reason};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::processes::until;
use crate::world::{BEGIN, DAY, HOUR, Host, Say, StoryClock, client};

struct Agent(tokio::task::JoinHandle<()>);

impl Agent {
    fn of(client: &Client) -> Agent {
        let client = client.clone();
        Agent(tokio::spawn(async move { client.run(std::future::pending()).await }))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test]
async fn a_laptop_that_slept_past_its_renewal_asks_when_it_wakes() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    let _agent = Agent::of(&product);
    until(&product, |shown| shown.serial == 1).await;
    let ask_at = product.snapshot().ask_at.unwrap();
    assert!(BEGIN + 5 * DAY < ask_at && ask_at <= BEGIN + 7 * DAY, "{ask_at}");

    clock.advance(60 * DAY);
    product.wake();
    until(&product, |shown| shown.serial == 2).await;
    let until = BEGIN + 240 * DAY;
    assert_eq!(product.state(), LicenseState::Licensed { until });
}

#[tokio::test]
async fn time_alone_changes_what_a_product_sees_and_the_watch_tells() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    host.always(Say::Refusal(Reason::HostClock.into()));
    let product = client(dir.path(), &clock, &[&host]);
    let _agent = Agent::of(&product);
    until(&product, |shown| shown.reason() == Some(Reason::HostClock)).await;
    clock.advance(25 * DAY);
    product.wake();
    let since = BEGIN + 25 * DAY;
    until(&product, |shown| shown.state == LicenseState::NeverActivated { since }).await;
}

#[tokio::test]
async fn the_state_is_right_without_the_agent_and_a_clock_set_back_lengthens_nothing() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    product.activate().await.unwrap();
    let end = BEGIN + 180 * DAY;
    clock.set(end - Duration::from_millis(1));
    assert_eq!(product.state(), LicenseState::ExpiringSoon { until: end });
    clock.set(end);
    assert_eq!(product.state(), LicenseState::Lapsed { since: end });

    host.always(Say::Status(Status::unavailable("down")));
    product.activate().await.unwrap();
    clock.set(BEGIN);
    assert_eq!(product.state(), LicenseState::Lapsed { since: end });
    drop(product);
    let restarted = client(dir.path(), &clock, &[&host]);
    assert_eq!(restarted.state(), LicenseState::Lapsed { since: end });
}

#[tokio::test]
async fn a_wrong_clock_is_named_and_forgotten_when_it_is_set() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    product.activate().await.unwrap();
    host.say(Say::Refusal(Reason::ClockSkew.into()));
    product.activate().await.unwrap();
    assert!(matches!(product.state(), LicenseState::ClockWrong { .. }));
    assert!(product.state().is_licensed());
    product.activate().await.unwrap();
    assert!(matches!(product.state(), LicenseState::Licensed { .. }));
}

#[tokio::test]
async fn an_unsigned_hint_changes_no_state_and_moves_the_timer_only_nearer() {
    let hint = |code, reason: Reason, wait| {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason.code(), "kms", HashMap::new()).set_retry_info(Some(wait));
        Say::Status(Status::with_error_details(code, "", details))
    };
    let (dir, clock) = (tempfile::tempdir().unwrap(), StoryClock::new());
    let host = Host::start(9, &clock).await;
    let product = client(dir.path(), &clock, &[&host]);
    let cases = [
        (Duration::from_mins(1), Duration::from_mins(1)),
        (400 * DAY, 2 * HOUR),
        (Duration::ZERO, Duration::from_secs(5)),
    ];
    for (asked_for, at_most) in cases {
        host.say(hint(Code::ResourceExhausted, Reason::Overloaded, asked_for));
        let outcome = product.activate().await.unwrap().outcome;
        assert!(outcome.to_string().contains("(unsigned, by 127.0.0.1:"), "{outcome}");
        let wait = product.snapshot().ask_at.unwrap().since(BEGIN);
        assert!(at_most * 4 / 5 <= wait && wait <= at_most, "{asked_for:?}: {wait:?}");
        assert_eq!(product.snapshot().reason(), Some(Reason::Overloaded));
    }
    let (machine, until) = (product.snapshot().machine, BEGIN + 25 * DAY);
    for reason in [Reason::ClockSkew, Reason::Copied] {
        host.say(hint(Code::FailedPrecondition, reason, HOUR));
        let outcome = product.activate().await.unwrap().outcome;
        let Outcome::Failed(cause) = outcome else { panic!("{outcome}") };
        assert_eq!(cause.reason(), Some(Reason::NotAHost), "a host would have signed it");
        assert!(
            cause.to_string().contains(&format!("it says {} without a signature", reason.code())),
            "{cause}"
        );
        assert_eq!(product.state(), LicenseState::InGrace { until }, "{reason:?}");
    }
    host.say(Say::Refusal(Reason::ClockSkew.into()));
    product.activate().await.unwrap();
    host.say(hint(Code::ResourceExhausted, Reason::Overloaded, HOUR));
    product.activate().await.unwrap();
    assert!(matches!(product.state(), LicenseState::ClockWrong { .. }), "nor does it end one");
    assert_eq!(product.snapshot().machine, machine, "only a signed word makes a new identity");
}
