//! Commands that root runs work in a data directory as its owner.
//!
//! The service has a user of its own. It could not read a signing key that `kms-host init` had created as root. And root would
//! follow every link in a directory of another user.

use kms_host::config::{SettingSources, Settings};
use kms_host::home::Home;
use program::exit::{EX_CANTCREAT, EX_CONFIG};
use program::owner;

use super::{Failure, OrExit};

/// Works as the owner of the data directory from now on, as [`program::owner`] says.
pub(super) fn become_owner(home: &Home) -> Result<(), Failure> {
    owner::become_owner(home.path()).or_exit(EX_CANTCREAT)
}

/// Does this on a thread that works as the owner of the data directory. The calling thread keeps its user.
pub(super) fn as_owner<T: Send>(
    home: &Home,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    owner::as_owner(home.path(), work).or_exit(EX_CANTCREAT)?
}

/// Reads the settings. A file in the data directory is read as its owner, and a file elsewhere as the user who named it.
pub(super) fn settings(home: &Home, sources: &SettingSources) -> Result<Settings, Failure> {
    let read = || sources.read().or_exit(EX_CONFIG);
    if sources.is_in_data() { as_owner(home, read) } else { read() }
}
