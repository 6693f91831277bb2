//! `kms.vendor`: what hosts and machines say to the vendor's portal.

/// `kms.vendor.v1`.
#[rustfmt::skip]
#[path = "gen/kms.vendor.v1.rs"]
pub mod v1;
