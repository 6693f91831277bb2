//! The vendor's side, offline part: root keys, products with their numbers, host certificates.
//!
//! A [`Vendor`] is a directory. It holds the root keys, so it belongs on a machine that serves nobody, and this crate
//! never shares a binary with the host. Nothing here prints, reads a clock or draws randomness of its own: the
//! command line (`main.rs`, `cli.rs`, `commands.rs`) does, and a test or demo passes what it likes. What a certificate
//! means is told in `docs/protocol.md` 2; which numbers hold, in `shared::policy`.
//!
//! ```
//! use std::time::Duration;
//!
//! use kms_vendor::{Allow, IssueRequest, NewProduct, Signer, Vendor};
//! use shared::policy::Policy;
//! use shared::time::Timestamp;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! # let dir = home.path().join("vendor");
//! # let request_pem = include_str!("../tests/vectors/request-2.pem");
//! let mut rng = rand::rng();
//! let vendor = Vendor::init(&dir, &mut rng)?;
//! let product = NewProduct { name: "Example CAD".into(), id: None, policy: Policy::CLIENT, test: false };
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
//!     },
//!     &mut rng,
//! )?;
//! assert!(issued.pem.starts_with("-----BEGIN KMS HOST CERTIFICATE-----"));
//! # Ok(())
//! # }
//! ```
//!
//! Read in the order of the `mod` lines: what a vendor does first, then its files, then the bytes in them.

mod vendor;

mod carried;
mod issue;
mod issuer;
mod product;

mod journal;
mod keys;
mod organisation;
mod registry;

mod text;

mod error;

pub use carried::Extras;
pub use error::{Fault, VendorError};
pub use issue::{Allow, IssueRequest, Issued, Signer};
pub use issuer::{Issuer, NewIssuer};
pub use product::{NewProduct, Product};
pub use text::{instant_text, length_text, parse_instant, parse_length};
pub use vendor::Vendor;
