//! A second process holds the store, or dies by SIGKILL in the middle of its work.

use std::io::Read as _;

use kms_store::{Engine, OpenError, Store};

use crate::world::{
    CACHE_BYTES, Process, Random, batch, everything, last_batch, loaded, open, open_as_told, seed,
};

on_every_engine! {
    a_killed_process_loses_nothing_that_it_acknowledged_and_no_batch_is_halved
    a_store_in_use_is_refused_by_name_with_the_remedy
}

const CYCLES: u64 = 5;

/// The child of the first story: loads the store until it is killed, and says each batch that is durable.
#[test]
#[ignore = "a role that other tests start in a second process"]
fn loader() {
    let Some(store) = open_as_told() else {
        return;
    };
    let seed = seed();
    for number in last_batch(&store) + 1.. {
        store.write(batch(seed, number)).unwrap();
        store.sync().unwrap();
        eprintln!("{number}");
    }
}

/// The child of the second story: holds the store until its stdin ends.
#[test]
#[ignore = "a role that other tests start in a second process"]
fn holder() {
    let Some(_store) = open_as_told() else {
        return;
    };
    eprintln!("holding");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn a_killed_process_loses_nothing_that_it_acknowledged_and_no_batch_is_halved(engine: Engine) {
    let seed = seed();
    let mut random = Random::new(seed);
    let home = tempfile::tempdir().unwrap();
    for cycle in 1..=CYCLES {
        let mut loader = Process::start("killed::loader", engine, home.path(), seed);
        let acknowledgements = 1 + random.below(150);
        let mut acknowledged = 0;
        for _ in 0..acknowledgements {
            acknowledged =
                loader.line().expect("the loader is alive").parse().expect("the number of a batch");
        }
        loader.child.kill().unwrap();

        // At once, without waiting for the process to be gone: the lock may still be there.
        let store = open(engine, home.path());

        assert!(!store.was_closed_in_order());
        while let Some(line) = loader.line() {
            acknowledged = line.parse().expect("the number of a batch");
        }
        let last = last_batch(&store);
        let possible = acknowledged..=acknowledged + 1;
        assert!(
            possible.contains(&last),
            "cycle {cycle}: {acknowledged} acknowledged, the store ends at {last}"
        );
        assert!(
            everything(&store) == loaded(seed, last),
            "cycle {cycle}: not the records of batches 1 to {last}"
        );
    }
}

fn a_store_in_use_is_refused_by_name_with_the_remedy(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let mut holder = Process::start("killed::holder", engine, home.path(), 0);
    assert_eq!(holder.line().as_deref(), Some("holding"));

    let error = Store::open(home.path(), engine, CACHE_BYTES).unwrap_err();

    assert!(matches!(&error, OpenError::Locked { directory } if directory == home.path()), "{error:?}");
    assert!(error.to_string().contains(home.path().to_str().unwrap()), "{error}");
    assert!(error.remedy().contains("stop that process"), "{}", error.remedy());
    // Its stdin ends, it closes the store, and nothing stands in the way any more.
    drop(holder.child.stdin.take());
    open(engine, home.path());
}
