//! Random histories on every ledger. What may happen in them, and what must follow, is in the battery.

use ledger::Engine;
use ledger::battery::Backend;
use ledger::battery::random::{run, steps};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_count_in_memory_is_what_looking_at_every_machine_gives(steps in steps(300)) {
        run(Backend::Memory, steps);
    }
}

proptest! {
    // Every commit is a sync, or many calls.
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_count_of_a_ledger_kept_elsewhere_is_what_looking_at_every_machine_gives(steps in steps(60)) {
        run(crate::remote::ELSEWHERE, steps);
    }

    #[test]
    fn the_count_on_sled_is_what_looking_at_every_machine_gives(steps in steps(150)) {
        run(Backend::On(Engine::Sled), steps);
    }

    #[test]
    fn the_count_on_fjall_is_what_looking_at_every_machine_gives(steps in steps(150)) {
        run(Backend::On(Engine::Fjall), steps);
    }
}
