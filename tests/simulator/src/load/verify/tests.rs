//! Answers of a real host, as they came and as somebody would have liked them to be.

use super::*;
use crate::load::machine::{Machine, Reply};
use crate::load::testing::stage::{Stage, stage};
use bytes::Bytes;
use shared::time::Clock;

async fn kept(stage: &Stage, machine: &mut Machine) -> (Kept, v1::Answer) {
    let (_, outgoing, answer) = stage.ask_and_keep(machine).await;
    let at = stage.host.clock.now();
    (Kept::of(outgoing.expected, outgoing.known, at, &answer, &stage.chains), answer)
}

fn keeper(kept: Vec<Kept>) -> Keeper {
    Keeper { limit: kept.len(), offered: kept.len(), kept }
}

#[tokio::test]
async fn waiting_first_leases_and_renewals_that_leave_the_chain_out_all_hold() {
    let stage = stage(2).await;
    let (mut first, mut second) = (stage.machine(), stage.machine());
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(kept(&stage, &mut first).await.0);
        all.push(kept(&stage, &mut second).await.0);
    }
    let (last, answer) = kept(&stage, &mut first).await;
    assert!(answer.chain.is_empty(), "the ask has named the chain");
    all.push(last);

    let judged = judge(keeper(all), &stage.roots());

    // The one that is neither a lease nor wrong is the waiting.
    assert_eq!(judged, (Verified { answers: 7, looked_at: 7, leases: 6, wrong: 0 }, vec![]));
}

/// One answer, changed by whoever stands between, beside one that is as it came. Says what is told of it.
async fn check(tamper: impl FnOnce(&mut v1::Answer), wanted: &str) {
    let stage = stage(1).await;
    let (good, _) = kept(&stage, &mut stage.machine()).await;
    let (_, outgoing, mut answer) = stage.ask_and_keep(&mut stage.machine()).await;
    tamper(&mut answer);
    let at = stage.host.clock.now();
    let changed = Kept::of(outgoing.expected, outgoing.known, at, &answer, &stage.chains);

    let (judged, told) = judge(keeper(vec![good, changed]), &stage.roots());

    assert_eq!((judged.looked_at, judged.leases, judged.wrong), (2, 1, 1), "{wanted}");
    let machine = outgoing.expected.machine;
    assert_eq!(told, [format!("machine {machine}: {wanted}")]);
}

#[tokio::test]
async fn an_answer_that_was_changed_on_the_way_is_wrong() {
    let flip = |bytes: &Bytes| {
        let mut bytes = bytes.to_vec();
        bytes[40] ^= 1;
        Bytes::from(bytes)
    };
    let signed = |answer: &mut v1::Answer| answer.signed.take().unwrap();
    check(
        |answer| {
            let before = signed(answer);
            answer.signed = Some(v1::Signed { payload: flip(&before.payload), ..before });
        },
        "the signature does not hold",
    )
    .await;
    check(|answer| drop(signed(answer)), "the answer is malformed").await;
    check(|answer| answer.chain = flip(&answer.chain), "host certificate: the signature does not hold").await;
    check(|answer| answer.chain = Bytes::new(), "the chain is malformed").await;
}

#[tokio::test]
async fn the_lease_of_another_machine_is_wrong_and_so_is_one_of_another_vendor() {
    let stage = stage(1).await;
    let (_, ours, _) = stage.ask_and_keep(&mut stage.machine()).await;
    let (_, _, theirs) = stage.ask_and_keep(&mut stage.machine()).await;
    let at = stage.host.clock.now();
    let swapped = Kept::of(ours.expected, ours.known, at, &theirs, &stage.chains);
    let (_, told) = judge(keeper(vec![swapped]), &stage.roots());
    assert!(told[0].ends_with("its machine is not the one that was asked for"), "{told:?}");

    let (good, _) = kept(&stage, &mut stage.machine()).await;
    let forger = stage.shop.forge(&stage.folder.path().join("forger")).unwrap();
    let roots = Roots::new(forger.vendor().roots().iter().map(<[u8; 32]>::as_slice)).unwrap();
    let (judged, told) = judge(keeper(vec![good]), &roots);
    assert_eq!((judged.leases, judged.wrong), (0, 1), "{told:?}");
}

#[tokio::test]
async fn only_the_first_few_errors_are_told_and_all_are_counted() {
    let stage = stage(1).await;
    let (one, _) = kept(&stage, &mut stage.machine()).await;
    let broken = Kept { signed: None, ..one };
    let (judged, told) = judge(keeper(vec![broken; 12]), &stage.roots());
    assert_eq!((judged.wrong, told.len()), (12, TOLD_MAX));
}

#[tokio::test]
async fn a_keeper_has_all_up_to_its_limit_and_a_fair_sample_beyond() {
    let stage = stage(1).await;
    let mut machine = stage.machine();
    let (one, _) = kept(&stage, &mut machine).await;
    assert!(matches!(stage.ask(&mut machine).await, Reply::Lease(_)));
    let numbered = |number: u64| {
        let expected = Expected { serial: number, ..one.expected };
        Kept { expected, ..one.clone() }
    };
    let mut all = Keeper::new(10);
    (0..10).for_each(|number| all.offer(numbered(number)));
    assert_eq!(all.offered, 10);
    assert!(all.kept.iter().map(|kept| kept.expected.serial).eq(0..10));

    let mut chosen_from_late = 0;
    for _ in 0..200 {
        let mut sample = Keeper::new(10);
        (0..100).for_each(|number| sample.offer(numbered(number)));
        assert_eq!(sample.offered, 100);
        let kept = sample.kept;
        assert_eq!(kept.len(), 10);
        chosen_from_late += kept.iter().filter(|kept| 50 <= kept.expected.serial).count();
    }
    // 1000 of 2000 are to be expected, give or take 21; a keeper of the first or the last ten has 0 or 2000.
    assert!((850..1150).contains(&chosen_from_late), "{chosen_from_late} of 2000 came in the second half");
}
