//! The door: how machines and administrators reach the host, from a listening socket to a decoded call.
//!
//! `listen` binds the addresses, `accept` decides who may connect and gives each connection a task, `tls` encrypts, `service`
//! decodes calls and encodes answers, `unanswered` is how a call is refused, `serve` starts all of it and drains it. Nothing here
//! decides whether a machine gets a lease: read [`activate`](crate::activate) for that.

pub mod accept;
pub mod listen;
pub mod serve;
pub mod service;
pub mod tls;
pub mod unanswered;

pub use accept::{Admission, Door};
pub use serve::{serve, serve_admin};
