//! TLS connections as a client opens them, for the load tool of this workspace. Only with the feature `plumbing`, which is not for
//! products: it may change in any release.

use std::sync::Arc;

use shared::reason::Cause;
use shared::time::Clock;

use crate::way::tls::Tls;

pub use crate::way::tls::TlsWay;

/// Reads the files. This clock decides whether certificates have ended.
///
/// # Errors
/// The first that cannot be used (`TLS_FILES_BAD`).
pub fn ready(tls: &Tls, clock: Arc<dyn Clock>) -> Result<TlsWay, Cause> {
    tls.read(clock)
}
