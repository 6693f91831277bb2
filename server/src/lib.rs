//! What every daemon of ours needs to serve peers, and what knows nothing of what is served.
//!
//! `listen` binds the addresses. `accept` decides who may connect, gives each connection a task, and hands its calls to a
//! [`CallHandler`](accept::CallHandler) of the program; `services` is the one for tonic's services. `tls` reads the files of TLS.
//! Start at [`accept::serve`].

pub mod accept;
pub mod admin;
pub mod audit;
pub mod certificate;
pub mod listen;
pub mod services;
pub mod settings;
pub mod tls;
pub mod unanswered;

pub mod fixable;
pub mod network;
mod source;

mod clock;

pub use source::Source;
