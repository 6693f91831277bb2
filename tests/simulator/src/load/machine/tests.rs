//! Machines against a host: what each of them hears, ask after ask.

use bytes::Bytes;

use super::*;
use crate::load::testing::stage::stage;

/// What was said, without the host's time: `LEASE 2/2`.
fn told(said: &Reply) -> String {
    match said {
        Reply::Lease(counting) => format!("LEASE {}/{}", counting.count, counting.threshold),
        Reply::Waiting(counting) => format!("WAITING {}/{}", counting.count, counting.threshold),
        Reply::Refused(code) => code.clone(),
        Reply::Nonsense => "nonsense".to_owned(),
    }
}

#[tokio::test]
async fn the_first_waits_the_second_is_licensed_and_both_renew() {
    let stage = stage(2).await;
    let (mut first, mut second) = (stage.machine(), stage.machine());

    assert_eq!(told(&stage.ask(&mut first).await), "WAITING 1/2");
    assert_eq!(told(&stage.ask(&mut second).await), "LEASE 2/2");
    assert_eq!(told(&stage.ask(&mut first).await), "LEASE 2/2");
    assert_eq!(told(&stage.ask(&mut second).await), "LEASE 2/2");

    assert_eq!((first.exchange.serial, second.exchange.serial), (2, 2));
    assert!(first.lease.is_some() && second.lease.is_some());
    assert_eq!(stage.host.count().await.unwrap(), 2);
}

#[tokio::test]
async fn a_copy_is_told_so_and_goes_on_under_an_identity_of_its_own() {
    let stage = stage(2).await;
    let (mut one, mut other) = (stage.machine(), stage.machine());
    stage.ask(&mut one).await;
    stage.ask(&mut other).await;
    stage.ask(&mut one).await;
    let mut copy = one.copy();
    let old = copy.key.public();
    assert_eq!(told(&stage.ask(&mut one).await), "LEASE 2/2");

    let said = stage.ask(&mut copy).await;
    assert_eq!(told(&said), "COPIED");
    assert!(copy.asks_again_at_once());
    let outgoing = copy.ask(stage.tick());
    let ask = Ask::open(outgoing.request.ask.as_ref().unwrap(), outgoing.request.replaced_signature.as_ref())
        .unwrap();
    assert_eq!(ask.replaces, Some(old), "signed by both keys");
    assert!(matches!(stage.ask(&mut copy).await, Reply::Lease(_)));

    assert!(copy.pending.is_none() && copy.key.public() != old);
    assert!(matches!(stage.ask(&mut one).await, Reply::Lease(_)));
    assert!(matches!(stage.ask(&mut copy).await, Reply::Lease(_)));
    assert_eq!(stage.host.count().await.unwrap(), 3, "one, the other, and the copy");
}

#[tokio::test]
async fn a_host_that_does_not_know_the_lease_is_brought_its_chain() {
    let stage = stage(1).await;
    let mut machine = stage.machine();
    stage.ask(&mut machine).await;
    let second = stage.shop.make_host("second", world::clock::NEW_YEAR).unwrap();
    let second = world::TestHost::start(&second, stage.host.clock.clone()).await.unwrap();
    let wire = crate::load::wire::Wire::new(
        0,
        vec![second.address()],
        crate::load::sources::Addresses::new(1),
        crate::load::wire::Limits::default(),
    );

    let mut said = Vec::new();
    for _ in 0..2 {
        let answer = wire.activate(0, 0, machine.ask(stage.tick()).request).await.unwrap();
        said.push(machine.take(&answer, &stage.chains));
        if !machine.asks_again_at_once() {
            break;
        }
    }

    assert_eq!(said.iter().map(told).collect::<Vec<_>>(), ["CHAIN_NEEDED", "LEASE 1/1"]);
    assert_eq!(machine.exchange.chain.unwrap().digest, machine.lease.unwrap().chain.digest);
}

#[tokio::test]
async fn asks_that_were_signed_ahead_are_the_ones_that_are_sent() {
    let stage = stage(1).await;
    let mut machines: Vec<_> = (0..20).map(|_| stage.machine()).collect();
    let signed_at = stage.tick();
    for machine in &mut machines {
        machine.sign_ahead(signed_at);
    }

    for machine in &mut machines {
        let (said, outgoing, _) = stage.ask_and_keep(machine).await;
        let ask = Ask::open(outgoing.request.ask.as_ref().unwrap(), None).unwrap();
        assert_eq!((ask.asked_at, ask.nonce), (signed_at, outgoing.expected.nonce));
        assert!(matches!(said, Reply::Lease(_)), "{said:?}");
    }

    let fresh = machines[0].ask(stage.tick());
    let ask = Ask::open(fresh.request.ask.as_ref().unwrap(), None).unwrap();
    assert!(signed_at < ask.asked_at, "one that was used is not used again");
}

#[tokio::test]
async fn an_image_of_a_machine_that_has_signed_ahead_is_a_copy_and_not_a_lost_answer() {
    let stage = stage(1).await;
    let mut machine = stage.machine();
    machine.sign_ahead(stage.tick());
    let mut copy = machine.copy();
    stage.ask(&mut machine).await;

    assert_eq!(told(&stage.ask(&mut copy).await), "COPIED");
}

#[tokio::test]
async fn what_is_no_answer_to_the_ask_changes_nothing() {
    let stage = stage(1).await;
    let (mut machine, mut other) = (stage.machine(), stage.machine());
    let (_, _, answer) = stage.ask_and_keep(&mut other).await;
    let ours = machine.ask(stage.tick());
    let of = |signed| v1::Answer { signed, ..answer.clone() };
    let mut cut = answer.signed.clone().unwrap();
    cut.payload = cut.payload.slice(..9);
    let mut unknown = answer.signed.clone().unwrap();
    unknown.payload_type = "kms.gift.v1".to_owned();
    let mut wild = answer.clone();
    wild.chain = Bytes::new();

    for nonsense in [answer.clone(), of(None), of(Some(cut)), of(Some(unknown)), wild] {
        assert_eq!(machine.take(&nonsense, &stage.chains), Reply::Nonsense);
    }

    assert_eq!((machine.exchange.serial, machine.lease.is_some()), (0, false));
    assert_eq!(machine.ask(stage.tick()).expected.nonce, ours.expected.nonce, "it is still under way");
}

#[tokio::test]
async fn a_machine_with_its_lease_takes_less_than_a_kilobyte() {
    let stage = stage(1).await;
    let mut machine = stage.machine();
    stage.ask(&mut machine).await;
    let lease = machine.lease.as_ref().unwrap().signed.len();
    let all = size_of::<Machine>() + lease;
    assert!((200..1024).contains(&all), "{all} bytes, {lease} of them the lease");
}
