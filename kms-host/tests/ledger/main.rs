//! Stories of the ledger, told to each implementation, and of the queue in front of it.
//!
//! `world.rs` has the words in which they are told; every other module is one chapter. The disk's own chapters are
//! `disk.rs`, `damaged.rs` and `upgraded.rs`.

#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails, and clippy knows only the functions marked as tests for tests"
)]

/// Makes a test of each story for each ledger.
macro_rules! battery {
    ($($story:ident)*) => {
        mod in_memory {
            $(#[tokio::test] async fn $story() { super::$story(crate::world::Kind::Memory).await; })*
        }
        mod on_sled {
            use crate::world::Kind;
            $(#[tokio::test] async fn $story() { super::$story(Kind::On(store::Engine::Sled)).await; })*
        }
        mod on_fjall {
            use crate::world::Kind;
            $(#[tokio::test] async fn $story() { super::$story(Kind::On(store::Engine::Fjall)).await; })*
        }
    };
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

mod world;

mod counting;

mod copies;

mod evidence;

mod clocks;

mod inventory;

mod history;

mod random;

mod disk;

mod damaged;

mod upgraded;

mod carrying;

mod queue;
