//! Stories of one machine, told from outside: through the library's public interface, real sockets and real files.
//!
//! `world.rs` has a host that signs with real keys and answers by a script, even what a real host would not answer. The workspace's
//! `tests/` has the stories with a real host.

#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy sees only the functions marked so")]

mod portal;
mod world;

mod accounts;
mod activating;
mod codes;
mod copies;
mod disk;
mod kept;
mod key_before;
mod keys;
#[cfg(unix)]
mod links;
mod looking;
#[cfg(feature = "dns")]
mod names;
mod peers;
mod processes;
mod revoked;
mod staged;
mod timing;
mod turns;
mod vectors;
mod wizard;
