//! Copies of one installation: an image that was rolled out, a virtual machine that was cloned, a folder that was copied.
//!
//! Copies with different fingerprints tell themselves apart when they start. Those with the same one are told apart by
//! the serial, when they meet at a host. `docs/protocol.md` 3 and 7.

use std::collections::BTreeSet;

use kms_client::{LicenseState, MachineId, Outcome};
use world::machine::copy_folder;
use world::{Fate, Machine, Proxy, TestHost};

use crate::world::{
    DAY, MINUTE, NEW_YEAR, SECOND, World, answered, ask, count, expect_lease, expect_waiting, identity,
    licensed, refusals, state,
};

/// How many refusals as COPIED have named this identity.
async fn named_as_copied(host: &TestHost, machine: MachineId) -> usize {
    let refusals = refusals(host).await;
    refusals
        .iter()
        .filter(|refusal| refusal.code == "COPIED" && refusal.machine == machine.as_bytes()[..])
        .count()
}

fn identities(machines: &[Machine]) -> BTreeSet<MachineId> {
    machines.iter().map(identity).collect()
}

#[tokio::test]
async fn thirty_machines_from_one_image_are_thirty_machines() {
    let world = World::with_threshold(25);
    let host = world.host("kms1").await;
    let image = world.machine("image", &[host.address()]);
    world.clock.advance(DAY);
    let mut machines = Vec::new();
    for n in 0..30 {
        let disk = format!("machine{n}");
        image.copy_state(&world.path(&disk)).unwrap();
        machines.push(world.machine(&disk, &[host.address()]));
    }
    assert_eq!(identities(&machines).len(), 30);
    let (grace_ends_at, until) = (NEW_YEAR + DAY + 25 * DAY, world.now() + 180 * DAY);

    for (n, machine) in (1..).zip(&machines) {
        match ask(machine).await {
            Outcome::Waiting(waited) => assert_eq!(
                (waited.count, state(machine)),
                (n, LicenseState::InGrace { until: grace_ends_at })
            ),
            Outcome::Leased { .. } => assert!(25 <= n && state(machine) == licensed(until), "{n}"),
            other => panic!("{other}"),
        }
    }
    assert_eq!(count(&host).await, 30);
    assert_eq!(answered(&host).await, [("LEASE".to_owned(), 6), ("WAITING".to_owned(), 24)].into());
}

/// Nothing tells these apart but that they ask. The first keeps the image's identity; each of the others is named, takes
/// one of its own, and the seat of the first is free until that one asks again.
#[tokio::test]
async fn thirty_clones_with_one_fingerprint_are_told_apart_below_the_threshold() {
    let world = World::with_threshold(25);
    let host = world.host("kms1").await;
    let image = world.machine("image", &[host.address()]);
    let of_image = identity(&image);
    let mut clones = Vec::new();
    for n in 0..30 {
        let disk = format!("clone{n}");
        image.copy_state(&world.path(&disk)).unwrap();
        clones.push(world.machine_in(&disk, "image", &[host.address()], &world.clock));
    }
    assert_eq!(identities(&clones), [of_image].into());

    expect_waiting(&clones[0], 1).await;
    for (n, clone) in (1..).zip(&clones[1..]) {
        world.clock.advance(SECOND);
        match n {
            ..25 => expect_waiting(clone, n).await,
            _ => expect_lease(clone).await,
        }
        assert_eq!(count(&host).await, n);
    }
    assert_eq!(named_as_copied(&host, of_image).await, 29);

    for clone in &clones {
        world.clock.advance(SECOND);
        expect_lease(clone).await;
        assert_eq!(count(&host).await, 30);
    }
    assert_eq!(identities(&clones).len(), 30);
    assert_eq!(named_as_copied(&host, of_image).await, 29, "and nobody a second time");
}

#[tokio::test]
async fn the_seat_that_a_copy_has_taken_returns_when_the_original_asks() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let machine = world.machine("machine", &[host.address()]);
    expect_lease(&machine).await;
    machine.copy_state(&world.path("clone")).unwrap();
    let clone = world.machine_in("clone", "machine", &[host.address()], &world.clock);
    world.clock.advance(DAY);
    expect_lease(&machine).await;
    world.clock.advance(DAY);

    let round = clone.client.activate().await.unwrap();
    let told: Vec<_> = round.attempts.iter().map(|attempt| &attempt.outcome).collect();
    assert!(
        matches!(told[..], [Outcome::Refused(copied), Outcome::Leased { .. }] if copied.code == "COPIED"),
        "{told:?}"
    );
    assert_ne!(identity(&clone), identity(&machine));
    assert_eq!(count(&host).await, 1, "nobody knows yet that the other one lives");

    expect_lease(&machine).await;
    assert_eq!(count(&host).await, 2);
}

/// Both sides of a clone ask by turns, twice each, and every one of these four rounds loses nothing, its first answer, or
/// the answer after it was told to be a copy.
#[tokio::test]
async fn a_cloned_machine_and_its_clone_both_stay_licensed_whatever_answers_are_lost() {
    const FATES: [Fate; 3] = [Fate::Deliver, Fate::LoseAnswer(0), Fate::LoseAnswer(1)];
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let line = Proxy::before(host.address()).await.unwrap();
    for turns in [[0, 1, 0, 1], [0, 0, 1, 1]] {
        for case in 0..81_usize {
            let fates = [1, 3, 9, 27].map(|place| FATES[case / place % 3]);
            clone_story(&world, &host, &line, turns, fates, false).await;
        }
    }
}

/// The copy was made between an ask and its answer, so both hold the same nonce, and both get the same answer.
#[tokio::test]
async fn a_machine_that_was_cloned_while_it_asked_is_told_apart_too() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let line = Proxy::before(host.address()).await.unwrap();
    for fates in
        [[Fate::Deliver; 4], [Fate::LoseAnswer(0), Fate::Deliver, Fate::LoseAnswer(0), Fate::Deliver]]
    {
        clone_story(&world, &host, &line, [0, 1, 0, 1], fates, true).await;
    }
}

async fn clone_story(
    world: &World,
    host: &TestHost,
    line: &Proxy,
    turns: [usize; 4],
    fates: [Fate; 4],
    asking: bool,
) {
    let story = format!("{turns:?} {fates:?}");
    let counted = count(host).await;
    let machine = world.machine(&story, &[line.address()]);
    expect_lease(&machine).await;
    let shared = identity(&machine);
    if asking {
        line.next(Fate::LoseAnswer(0));
        ask(&machine).await;
    }
    let disk = format!("clone of {story}");
    machine.copy_state(&world.path(&disk)).unwrap();
    let clone = world.machine_in(&disk, &story, &[line.address()], &world.clock);
    let both = [machine, clone];

    let settling = [0, 1].map(|side| (side, Fate::Deliver));
    for (side, fate) in turns.into_iter().zip(fates).chain(settling) {
        world.clock.advance(MINUTE);
        line.always(fate);
        ask(&both[side]).await;
        assert!(both.iter().all(|machine| state(machine).is_licensed()), "{story}");
    }
    for machine in &both {
        expect_lease(machine).await;
    }
    assert_eq!(identities(&both).len(), 2, "{story}");
    assert!(0 < named_as_copied(host, shared).await, "{story}");
    assert_eq!(count(host).await, counted + 2, "{story}");
}

#[tokio::test]
async fn a_state_folder_that_is_copied_to_another_machine_begins_anew_there() {
    let world = World::with_threshold(1);
    let host = world.host("kms1").await;
    let machine = world.machine("machine", &[host.address()]);
    expect_lease(&machine).await;
    let of_machine = identity(&machine);
    let (until, copied_at) = (NEW_YEAR + 180 * DAY, NEW_YEAR + 3 * DAY);
    world.advance_to(copied_at);

    copy_folder(machine.state_dir(), &world.path("other")).unwrap();
    let other = world.machine("other", &[host.address()]);
    assert_eq!(state(&other), LicenseState::InGrace { until: copied_at + 25 * DAY });
    assert_ne!(identity(&other), of_machine);
    assert!(other.client.snapshot().lease.is_none());
    assert_eq!((state(&machine), identity(&machine)), (licensed(until), of_machine));

    expect_lease(&other).await;
    expect_lease(&machine).await;
    assert_eq!(count(&host).await, 2);
    assert!(refusals(&host).await.is_empty());
}
