//! Stories of one machine, told from outside: through the library's public interface, real sockets and real files.
//!
//! `world.rs` has a host that signs with real keys and says what a story wants it to say; whether a real host would
//! say it is not asked here. The stories with the real host stand in the workspace's `tests/`.

#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy sees only the functions marked so")]

mod world;

mod activating;
mod copies;
mod disk;
mod kept;
#[cfg(unix)]
mod links;
mod looking;
#[cfg(feature = "dns")]
mod names;
mod peers;
mod processes;
mod staged;
mod timing;
mod turns;
mod vectors;
