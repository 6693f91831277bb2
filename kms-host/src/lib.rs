//! The activation host: counts an organisation's machines and signs their leases.
//!
//! Data goes one way: `service` decodes what came in, `activate` goes through the steps of one activation, `ledger` decides and keeps,
//! `signer` signs, `service` encodes what goes out. Every decision is `shared`'s. Start at [`activate`].
//!
//! - machines: the crate `server` lets them in, `fairness` limits what each address may bring, `activate` answers
//! - administrators: `admin` serves them and writes down their changes, `doctor` checks everything that can be wrong; the commands are
//!   the nested crate `cli`
//! - the vendor's portal: `portal` activates the host, renews its certificate and fetches revocation lists; `codes` is the way without one
//! - the host itself: `watch` observes it, `home` is the data directory, `config` has the settings, `export` writes and reads backups

/// glibc's allocator keeps what a storm of connections took: 80 MiB of 6,000 that had long gone.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub mod activate;
pub mod certificates;
pub mod codes;
pub mod journal;
pub mod portal;
pub mod queue;
pub mod remedy;
pub mod signer;

pub mod admin;
pub mod door;
pub mod fairness;
pub mod watch;

pub mod clock;
pub mod config;
pub mod doctor;
pub mod export;
pub mod home;
pub mod reload;
pub mod run;

pub use activate::Host;
pub use door::serve;
pub use run::{Opened, Running, run};
