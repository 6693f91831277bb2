//! The store from outside: opened, reopened, killed, damaged.
//!
//! A random test prints its seed first; `KMS_STORE_SEED=...` runs it again.

#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy sees only the functions marked so")]

/// Makes a test of each story for each engine.
macro_rules! on_every_engine {
    ($($story:ident)*) => {
        mod on_sled {
            $(#[test] fn $story() { super::$story(kms_store::Engine::Sled); })*
        }
        mod on_fjall {
            $(#[test] fn $story() { super::$story(kms_store::Engine::Fjall); })*
        }
    };
}

mod reopened;
mod salvaged;

mod killed;

mod damaged;

mod damaged_fjall;

mod untouched;

mod files;

mod world;
