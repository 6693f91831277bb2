//! `kms.state`: what the client keeps on disk; it never travels.

/// `kms.state.v1`.
#[rustfmt::skip]
#[path = "gen/kms.state.v1.rs"]
pub mod v1;
