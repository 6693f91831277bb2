//! `kms.admin`: what an administrator asks a running host.

/// `kms.admin.v1`.
#[rustfmt::skip]
#[path = "gen/kms.admin.v1.rs"]
pub mod v1;
