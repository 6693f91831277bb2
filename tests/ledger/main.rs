//! Every ledger against the battery, and the chapters that only the disk has.

#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails, and clippy knows only the functions marked as tests for tests"
)]

mod in_memory {
    ledger::battery!(ledger::battery::Backend::Memory);
}

mod on_sled {
    ledger::battery!(ledger::battery::Backend::On(ledger::Engine::Sled));
}

mod on_fjall {
    ledger::battery!(ledger::battery::Backend::On(ledger::Engine::Fjall));
}

/// Makes a test of each story for each engine.
macro_rules! on_every_engine {
    ($($story:ident)*) => {
        mod on_sled {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story(store::Engine::Sled).await; })*
        }
        mod on_fjall {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story(store::Engine::Fjall).await; })*
        }
    };
}

mod remote;

mod random;

mod disk;

mod damaged;

mod upgraded;

/// A story that nobody tells is none.
#[test]
fn the_battery_lists_every_story() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../ledger/src");
    let list = std::fs::read_to_string(root.join("battery.rs")).unwrap();
    let mut stories = 0;
    for file in std::fs::read_dir(root.join("battery")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| line.ends_with("(backend: Backend) {")) {
            let name = line.split(['(', ' ']).nth(3).unwrap();
            assert!(list.lines().any(|line| line.trim().trim_end_matches(';') == name), "{line}");
            stories += 1;
        }
    }
    assert!(40 < stories, "only {stories} were found");
}
