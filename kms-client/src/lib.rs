//! The client side of volume activation, for a vendor's product.
//!
//! ```no_run
//! use kms_client::{Client, Notice, Product};
//!
//! // As `kms-vendor product rust Editor` prints it.
//! const EDITOR: Product = Product::new([0x0b; 16], "Editor", [[0x1c; 32], [0x2d; 32]]);
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), kms_client::BuildError> {
//! let license = Client::builder(EDITOR).state_dir("/var/lib/editor").build()?;
//! let agent = license.clone();
//! tokio::spawn(async move { agent.run(std::future::pending()).await });
//!
//! let mut watch = license.watch();
//! loop {
//!     if license.state().notice() == Notice::Warning {
//!         println!("{}", license.state().text_key());
//!     }
//!     if watch.changed().await.is_err() {
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The client finds the organisation's host, is counted, holds a lease and renews it. It says at any time, offline and without
//! waiting, where the product stands. No state takes a function away: the product chooses what it shows. The library prints nothing
//! and never ends the process; it logs through `tracing`. The loop runs on the vendor's runtime; a product without one uses
//! [`blocking`], which starts the one thread that it needs. Hosts are configured or found in DNS ([`Client::discover`] shows them);
//! trust rests on the two pinned roots alone. With the feature `tls`, the client speaks TLS with hosts if the product
//! (`Builder::tls`) or the administrator (the environment variable `KMS_TLS_CA`) wants it.
//!
//! Only the crate `shared` decides; this one reads clocks, sockets, DNS and disk. Read on in the order of the `mod` lines: the handle,
//! the loop and a round, how hosts are reached, the state on the disk, and the plain data below. Imports lead downwards only. The
//! vendor's guide is `docs/embedding.md`.
#![warn(unnameable_types)]

pub mod blocking;
mod client;
mod inspector;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "codes")]
pub mod wizard;

#[cfg(feature = "accounts")]
mod account;
mod agent;
#[cfg(feature = "keys")]
mod portal;
#[cfg(feature = "keys")]
mod revoked;
mod round;
mod shell;
#[cfg(feature = "accounts")]
mod signing;
mod snapshot;

mod addresses;
mod transport;
mod way;

#[cfg(feature = "keys")]
mod carrier;
mod files;
mod frame;
mod home;
mod identity;
mod installation;
#[cfg(feature = "keys")]
mod key_file;
mod last_round;
mod saved;

#[cfg(feature = "codes")]
mod codes;
mod discovery;
mod hosts;
mod lease;
mod outcome;
mod product;

mod fingerprint;
#[cfg(feature = "keys")]
mod hardware;
mod random;

pub use client::{BuildError, Builder, Client};
#[cfg(feature = "codes")]
pub use codes::{InstallationCode, confirmation_groups};
pub use discovery::{Candidate, Discovery, LookedIn, Problem, Source};
pub use home::Keeping;
pub use hosts::{HostName, HostNameError};
pub use inspector::Inspector;
pub use lease::Lease;
pub use outcome::{Attempt, Outcome, Round, Waited};
pub use product::Product;
pub use saved::Organisation;
#[cfg(feature = "accounts")]
pub use signing::{SignIn, SignedInAccount};
#[cfg(feature = "keys")]
pub use snapshot::EnteredKey;
pub use snapshot::Snapshot;
#[cfg(feature = "tls")]
pub use wire::Tls;

#[cfg(feature = "codes")]
pub use shared::codes::CodeForm;
pub use shared::features::{Features, FeaturesError};
#[cfg(feature = "keys")]
pub use shared::groups::{GroupState, Mistake};
pub use shared::ids::{HostId, LedgerId, MachineId, OrganisationId, ProductId};
pub use shared::license::{LicenseState, Notice, Setup};
#[cfg(feature = "keys")]
pub use shared::product_key::{KeyNumber, KeyText};
pub use shared::reason::{Cause, Fault, Reason};
pub use shared::srv::SrvRecord;
#[cfg(feature = "codes")]
pub use shared::telephones::{CountryCode, TelephoneCountry, TelephoneNumber, TelephonesError};
pub use shared::time::{Clock, Length, Timestamp};
pub use wire::SystemClock;
