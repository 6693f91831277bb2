//! Random histories on the rules and on both databases. What may happen in them, and what must follow, is in the battery.

use kms_portal::battery::random::{Subject, run, steps};
use kms_portal::battery::{Opened, World};
use proptest::prelude::*;
use tokio::runtime::Runtime;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn by_the_rules_a_key_gives_what_looking_at_every_machine_gives(steps in steps(200)) {
        Runtime::new().unwrap().block_on(run(Subject::rules(), steps));
    }
}

proptest! {
    // Every commit is a sync.
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_sqlite_a_key_gives_what_looking_at_every_machine_gives(steps in steps(60)) {
        on_database(crate::open::sqlite(), steps);
    }

    #[test]
    fn on_postgres_a_key_gives_what_looking_at_every_machine_gives(steps in steps(60)) {
        on_database(crate::open::postgres(), steps);
    }
}

fn on_database(opened: impl Future<Output = Option<Opened>>, steps: Vec<kms_portal::battery::random::Step>) {
    Runtime::new().unwrap().block_on(async {
        let Some(opened) = opened.await else { return };
        run(Subject::db(World::new(opened).await).await, steps).await;
    });
}
