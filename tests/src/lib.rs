//! The world in one process: a vendor, hosts, a DNS server and machines, each the real thing.
//!
//! Tests and the simulator build their stories from it. [`shop`] is the vendor with one product, [`host`] a host inside
//! this process whose clock a test may move, [`process`] a host as a process of its own that can be killed, [`machine`] a
//! machine with the client library, [`authority`] a CA for those that speak TLS, [`asker`] a machine that is nothing but its asks, for stories with many, [`proxy`]
//! the way between two of them, on which things get lost. [`postgres`] is a database server of the test's own.
//! [`cores`] spreads work over the machine this runs on. [`attack`] is what means a host harm.
//! Nothing here decides anything.

pub mod asker;
pub mod attack;
pub mod authority;
pub mod clock;
pub mod cores;
pub mod host;
pub mod machine;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod shop;

pub use asker::Asker;
pub use clock::TestClock;
pub use host::TestHost;
pub use machine::Machine;
pub use postgres::Postgres;
pub use process::{HostProcess, Program};
pub use proxy::{Fate, Proxy};
pub use shop::Shop;

/// The DNS server of the world.
pub use kms_dns as dns;
