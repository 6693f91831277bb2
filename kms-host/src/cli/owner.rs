//! Root works in a data directory as its owner.
//!
//! The service runs as a user of its own. A signing key that root made for it with `kms-host init` would be root's, and
//! the service could not read it; and root would follow every link that stands in a directory of somebody else.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::panic::resume_unwind;
use std::thread;

use anyhow::Context as _;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

use super::{EX_CANTCREAT, EX_CONFIG, Failure, OrExit};
use crate::config::{Settings, Sources};
use crate::home::Home;

/// Gives up root's rights for those of whoever owns the data directory. Nothing happens to anybody but root, or where the
/// directory is root's own or does not exist. What root alone may read is to be read before.
///
/// To be called while the process has one thread, or on a thread that shall work so: the rights are a thread's, and those
/// that it starts inherit them.
pub(super) fn become_owner(home: &Home) -> Result<(), Failure> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let Ok(directory) = fs::metadata(home.path()) else { return Ok(()) };
    let (user, group) = (directory.uid(), directory.gid());
    if user == 0 {
        return Ok(());
    }
    let told = || format!("{} belongs to user {user}; run this as that user", home.path().display());
    give_up_root(Uid::from_raw(user), Gid::from_raw(group)).with_context(told).or_exit(EX_CANTCREAT)
}

/// Does this on a thread that works as the owner of the data directory; the one that calls stays who it is.
pub(super) fn as_owner<T: Send>(
    home: &Home,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let done = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            become_owner(home)?;
            work()
        });
        thread.join()
    });
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

/// The settings. What stands in the data directory is read as its owner; a file elsewhere that the command line names is read
/// by whoever names it.
pub(super) fn settings(home: &Home, sources: &Sources) -> Result<Settings, Failure> {
    let read = || sources.read().or_exit(EX_CONFIG);
    if sources.is_in_data() { as_owner(home, read) } else { read() }
}

/// 1. The groups, which take root's rights to set. 2. The user, after which there is no way back.
fn give_up_root(user: Uid, group: Gid) -> io::Result<()> {
    set_thread_groups(&[group])?;
    set_thread_gid(group)?;
    set_thread_uid(user)?;
    Ok(())
}
