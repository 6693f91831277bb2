//! The store from outside: opened, reopened, killed, damaged.
//!
//! A random test prints its seed first; `KMS_STORE_SEED=...` runs it again.

#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy sees only the functions marked so")]

mod reopened;

mod killed;

mod damaged;

mod files;

mod world;
