//! Commands that root runs work in a data directory as its owner.
//!
//! The service has a user of its own. It could not read a signing key that `kms-host init` had created as root. And root would
//! follow every link in a directory of another user.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::panic::resume_unwind;
use std::thread;

use anyhow::Context as _;
use kms_host::config::{SettingSources, Settings};
use kms_host::home::Home;
use program::exit::{EX_CANTCREAT, EX_CONFIG};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

use super::{Failure, OrExit};

/// Changes the user of this thread from root to the owner of the data directory. Does nothing for other users, for a directory of
/// root, and for one that does not exist. Read first what only root may read.
///
/// Call it while the process has one thread, or on the thread that does the work: the user belongs to a thread, and threads that it
/// starts inherit it.
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

/// Does this on a thread that works as the owner of the data directory. The calling thread keeps its user.
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

/// Reads the settings. A file in the data directory is read as its owner, and a file elsewhere as the user who named it.
pub(super) fn settings(home: &Home, sources: &SettingSources) -> Result<Settings, Failure> {
    let read = || sources.read().or_exit(EX_CONFIG);
    if sources.is_in_data() { as_owner(home, read) } else { read() }
}

/// 1. Set the groups, which takes root's rights. 2. Set the user, which cannot be undone.
fn give_up_root(user: Uid, group: Gid) -> io::Result<()> {
    set_thread_groups(&[group])?;
    set_thread_gid(group)?;
    set_thread_uid(user)?;
    Ok(())
}
