//! `kms.portal`: what the vendor's staff asks a running portal.

/// `kms.portal.v1`.
#[rustfmt::skip]
#[path = "gen/kms.portal.v1.rs"]
pub mod v1;
