//! The activation host: counts an organisation's machines and signs their leases.
//!
//! Data goes one way: `service` decodes what came in, `activate` goes through the steps of one activation, `ledger`
//! decides and keeps, `signer` signs, `service` encodes what goes out. Every decision is `shared`'s. `admin` is what an
//! administrator asks, `caller` says whether he may, `audit` keeps what he has changed, `retention` forgets who is long gone,
//! `alarms` what one should look at, `recheck` whether totals are right after a crash, `doctor` all that can be wrong,
//! `accept` who may connect, `listen` at which addresses, `tls`
//! how in private and `serve` for how long, `fairness` what each address may bring, `home` what stands in the data directory, `export` how it is carried
//! elsewhere, `space` whether its disk has room, `cli` the commands. Start at [`activate`].

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
