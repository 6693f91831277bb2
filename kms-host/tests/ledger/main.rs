//! Stories of what stands before a ledger: the queue, and an export that carries it to another.
//!
//! The words in which they are told are the battery's, which is `ledger`'s.

#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails, and clippy knows only the functions marked as tests for tests"
)]

/// Makes a test of each story for each ledger.
macro_rules! on_every_ledger {
    ($($story:ident)*) => {
        mod in_memory {
            use ledger::battery::Backend;
            $(#[tokio::test] async fn $story() { super::$story(Backend::Memory).await; })*
        }
        mod on_sled {
            use ledger::battery::Backend;
            $(#[tokio::test] async fn $story() { super::$story(Backend::On(ledger::Engine::Sled)).await; })*
        }
        mod on_fjall {
            use ledger::battery::Backend;
            $(#[tokio::test] async fn $story() { super::$story(Backend::On(ledger::Engine::Fjall)).await; })*
        }
    };
}

mod carrying;

mod queue;
