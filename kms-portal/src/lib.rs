//! The vendor's online service: which product keys were sold, and which hosts and machines they activate.
//!
//! It holds an issuing key that a root has signed for a year, and never a root. Read next: the nested crate `rules`, what a key allows; `db`, what
//! is kept of keys, hosts and machines, in SQLite or PostgreSQL; `issue`, what the portal makes: keys, confirmations, host certificates; `api`,
//! the calls; `roles`, which of them staff may make, and `token`, by which it is known; `outbox`, which sends mails and events, and `retention`, after which things are gone; `home`, the data directory; `run`, which puts
//! them together, and `reload`. The commands are the nested crate `cli`.

pub mod act;
pub mod api;
#[cfg(feature = "battery")]
pub mod battery;
pub mod config;
pub mod db;
pub mod doctor;
pub mod home;
pub mod issue;
pub mod outbox;
pub mod passwords;
pub mod reload;
pub mod remedy;
pub mod retention;
pub mod roles;
pub mod run;
pub mod token;
pub mod web_address;
pub mod webhook_signature;

pub use kms_portal_rules as rules;
pub use run::{OpenedPortal, RunningPortal, run};
