//! The door: how machines reach the host. The crate `server` has all of it up to a call.
//!
//! `service` decodes calls and encodes answers, `serve` opens the door and drains it. Nothing here decides whether a machine
//! gets a lease: read [`activate`](crate::activate) for that.

pub mod serve;
pub mod service;

pub use serve::serve;
