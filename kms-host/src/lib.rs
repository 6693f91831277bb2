//! The activation host: counts an organisation's machines and signs their leases.
//!
//! Data goes one way: `service` decodes what came in, `activate` goes through the steps of one activation, `ledger` decides and keeps,
//! `signer` signs, `service` encodes what goes out. Every decision is `shared`'s. Start at [`activate`].
//!
//! - machines: `listen` at which addresses, `accept` who may connect, `tls` how in private, `serve` for how long, `fairness` what
//!   each address may bring, `rejections` who does not take the answers
//! - administrators: `admin` is what they ask, `caller` says whether they may, `audit` keeps what they have changed, `cli` has the
//!   commands, `alarms` what they should look at, `doctor` all that can be wrong
//! - the disk: `home` is the data directory, `space` says whether its disk has room, `retention` forgets machines long gone,
//!   `recheck` looks whether totals are right after a crash, `export` carries the ledger elsewhere

/// glibc's allocator keeps what a storm of connections took: 80 MiB of 6,000 that had long gone.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub mod accept;
pub mod activate;
pub mod admin;
pub mod alarms;
pub mod audit;
pub mod caller;
pub mod certificates;
pub mod export;
pub mod fairness;
pub mod journal;
pub mod ledger;
pub mod listen;
pub mod queue;
pub mod recheck;
mod rejections;
pub mod retention;
pub mod serve;
pub mod service;
pub mod signer;
pub mod space;
pub mod tls;

pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod home;

pub use accept::{Admission, Door};
pub use activate::Host;
pub use serve::{serve, serve_admin};
