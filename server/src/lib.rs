//! What every daemon of ours needs, and what knows nothing of what is served.
//!
//! - the process: `log`, `signals` and `supervised` are for `main`; `settings` are what its administrator writes down
//! - peers: `listen` binds the addresses. `accept` decides who may connect, gives each connection a task, and hands its calls to a
//!   [`CallHandler`](accept::CallHandler) of the program; `services` is the one for tonic's services. `tls` reads the files of TLS
//! - administrators: `admin` serves them over a unix socket, and `audit` writes down what they change
//!
//! Start at [`accept::serve`].

pub mod log;
pub mod settings;
pub mod signals;
pub mod supervised;

pub mod accept;
pub mod certificate;
pub mod listen;
pub mod network;
pub mod services;
mod source;
pub mod tls;
pub mod unanswered;

pub mod admin;
pub mod audit;

mod clock;
pub mod fixable;

pub use source::Source;
