//! The vendor's offline tool: root keys, products and their numbers, host certificates.
//!
//! A [`Vendor`] is a directory with the root keys. It belongs on a machine that serves nobody, and this crate is never part of
//! the host's binary. The library does not print, read a clock or generate random numbers: the command line (`main.rs`,
//! `cli.rs` and its folder) does, and tests pass their own. `docs/protocol.md` 2 says what a certificate means,
//! `shared::policy` which numbers are valid, `shared::files` what its files contain.
//!
//! ```
//! use std::time::Duration;
//!
//! use kms_vendor::{Allow, Contract, IssueRequest, NewProduct, Signer, Vendor};
//! use shared::policy::Policy;
//! use shared::time::Timestamp;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! # let dir = home.path().join("vendor");
//! # let request_pem = include_str!("../tests/vectors/request-2.pem");
//! let mut rng = rand::rng();
//! let vendor = Vendor::init(&dir, &mut rng)?;
//! let product = NewProduct { name: "Example CAD".into(), id: None, policy: Policy::CLIENT, test: false, contract: Contract::default() };
//! vendor.add_product(product, &mut rng)?;
//!
//! let now = Timestamp::from_unix_ms(1_800_000_000_000);
//! let issued = vendor.issue(
//!     &IssueRequest {
//!         request_pem,
//!         product: "Example CAD",
//!         organisation: "Example University",
//!         allow: Allow::default(),
//!         not_before: now,
//!         valid_for: Duration::from_secs(365 * 86_400),
//!         signer: Signer::Root1,
//!         test: false,
//!         now,
//!         contract: Contract::default(),
//!     },
//!     &mut rng,
//! )?;
//! assert!(issued.pem.starts_with("-----BEGIN KMS HOST CERTIFICATE-----"));
//! # Ok(())
//! # }
//! ```
//!
//! Read in the order of the `mod` lines: first the operations, then the files.

mod vendor;

mod starting;

mod custody;
mod draft;
mod root;
mod rotation;

mod code_key;
mod contract;
mod issue;
mod issuer;
mod numbers;
mod product;
mod product_file;
mod recorded;
mod revoke;
mod signer;
mod telephones;

mod journal;
mod keys;
mod organisation;
mod registry;
mod sealed;
mod token;

mod text;

mod error;

pub use code_key::SignedCodeKey;
pub use contract::Contract;
pub use custody::{Custody, KeyPlace, Locked, NoUnlock, Passphrase, Token, Unlock};
pub use error::VendorError;
pub use issue::{Allow, IssueRequest, Issued};
pub use issuer::{NewIssuer, SignedIssuer};
pub use numbers::Numbers;
pub use product::{NewProduct, Product};
pub use product_file::Extras;
pub use recorded::{Fate, Recorded, RecordedKind};
pub use revoke::{RevokeRequest, SignedRevocations};
pub use rotation::ReplacedRoot;
pub use signer::Signer;
pub use telephones::SignedTelephones;
pub use text::{instant_text, length_text, parse_instant, parse_length};
pub use vendor::Vendor;
