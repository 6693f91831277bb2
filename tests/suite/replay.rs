//! Somebody between machine and host who records, replays, mixes up and changes answers gets nothing. `docs/protocol.md` 1, 2.

use kms_client::{Client, Outcome, Reason};
use proto::v1::Answer;
use world::HostProcess;

use crate::middle::Middle;
use crate::stage::{Stage, failure, outcomes};

/// A machine that was licensed by way of somebody who now turns against it.
async fn betrayed() -> (Stage, HostProcess, Middle, Client) {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let middle = Middle::of(host.address()).await;
    let machine = stage.machine("machine", &[middle.address()]);
    assert!(matches!(machine.activate().await.unwrap().outcome, Outcome::Leased { .. }));
    (stage, host, middle, machine)
}

/// Asks once more and is answered so; the machine says why it does not take that, and is none the worse.
async fn check(
    middle: &Middle,
    machine: &Client,
    says: impl Fn(Answer) -> Answer + Send + 'static,
    cause: &str,
) {
    let before = machine.snapshot();
    middle.answer_with(says);
    let (reason, text) = failure(&machine.activate().await.unwrap());
    assert_eq!(reason, if cause.contains("signature") { Reason::Untrusted } else { Reason::AnswerMismatch });
    assert!(text.contains(cause), "{text}");
    let after = machine.snapshot();
    assert!(after.state.is_licensed(), "{:?}", after.state);
    assert_eq!((after.serial, &after.last_host), (before.serial, &before.last_host));
    assert_eq!(after.lease, before.lease, "the lease that it held");

    // The ask that was answered wrongly goes on: the host gives it the same serial, and nobody is accused.
    middle.be_honest();
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"]);
    assert_eq!(machine.snapshot().serial, before.serial + 1);
}

#[tokio::test]
async fn a_recorded_answer_is_not_taken_twice() {
    let (_stage, _host, middle, machine) = betrayed().await;
    let recorded = middle.last().response.answer.unwrap();
    check(&middle, &machine, move |_| recorded.clone(), "its nonce is not the one").await;
}

#[tokio::test]
async fn another_machines_answer_is_not_taken() {
    let (stage, _host, middle, machine) = betrayed().await;
    stage.machine("another", &[middle.address()]).activate().await.unwrap();
    let anothers = middle.last().response.answer.unwrap();
    check(&middle, &machine, move |_| anothers.clone(), "its machine is not the one").await;
}

#[tokio::test]
async fn an_answer_that_was_changed_on_the_way_is_not_taken() {
    let (_stage, _host, middle, machine) = betrayed().await;
    let change = |mut answer: Answer| {
        let signed = answer.signed.as_mut().unwrap();
        let mut payload = signed.payload.to_vec();
        *payload.last_mut().unwrap() ^= 1;
        signed.payload = payload.into();
        answer
    };
    check(&middle, &machine, change, "signature").await;
}

#[tokio::test]
async fn a_first_answer_of_another_machine_licenses_nobody() {
    let (stage, host, middle, _) = betrayed().await;
    let recorded = middle.last().response.answer.unwrap();
    middle.answer_with(move |_| recorded.clone());
    let hosts = [middle.address(), host.address()];
    let newcomer = stage.machine("newcomer", &hosts);

    let round = newcomer.activate().await.unwrap();

    assert_eq!(outcomes(&round), ["ANSWER_MISMATCH", "LEASE"], "the next host is asked in the same round");
    assert_eq!(host.count().await.unwrap(), 2);
}
