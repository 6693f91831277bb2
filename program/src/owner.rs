//! Commands that root runs work in a directory as its owner.
//!
//! A service has a user of its own. It could not read a key that root has made for it. And root would follow every link in a
//! directory of another user.

use std::io;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

/// Does this on a thread that works as the owner of the directory, as [`become_owner`] says. The calling thread keeps its user.
///
/// # Errors
/// The system refuses.
pub fn as_owner<T: Send>(directory: &Path, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let done = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            become_owner(directory)?;
            Ok(work())
        });
        thread.join()
    });
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

/// What to tell root, whose files a service with a user of its own cannot read.
#[cfg(target_os = "linux")]
pub fn hint_at_owner(directory: &Path) -> Option<String> {
    let text = || {
        let directory = directory.display();
        format!(
            "The new files belong to root. If the service runs as another user: chown -R USER: {directory}\n"
        )
    };
    rustix::process::geteuid().is_root().then(text)
}

/// Nothing on this system.
#[cfg(not(target_os = "linux"))]
pub fn hint_at_owner(_directory: &Path) -> Option<String> {
    None
}

/// Whether this is root, and the directory belongs to another user.
#[cfg(target_os = "linux")]
pub fn is_of_another(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    rustix::process::geteuid().is_root() && directory.metadata().is_ok_and(|found| found.uid() != 0)
}

/// Never on this system.
#[cfg(not(target_os = "linux"))]
pub fn is_of_another(_directory: &Path) -> bool {
    false
}

/// Changes the user of this thread from root to the owner of the directory. Does nothing for other users, for a directory of root, for
/// one that does not exist, and on other systems than Linux. Read first what only root may read.
///
/// Call it while the process has one thread, or on the thread that does the work: the user belongs to a thread, and threads that it
/// starts inherit it.
///
/// # Errors
/// The system refuses. The text says who may do it.
#[cfg(target_os = "linux")]
pub fn become_owner(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    use rustix::process::{Gid, Uid, geteuid};
    use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

    let Ok(found) = directory.metadata() else { return Ok(()) };
    let (user, group) = (Uid::from_raw(found.uid()), Gid::from_raw(found.gid()));
    if !geteuid().is_root() || user.is_root() {
        return Ok(());
    }
    // 1. Set the groups, which takes root's rights. 2. Set the user, which cannot be undone.
    let given_up =
        set_thread_groups(&[group]).and_then(|()| set_thread_gid(group)).and_then(|()| set_thread_uid(user));
    given_up.map_err(|error| {
        let (shown, user) = (directory.display(), found.uid());
        io::Error::other(format!("{shown} belongs to user {user}; run this as that user: {error}"))
    })
}

/// Nothing on this system.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "on Linux it can fail")]
pub fn become_owner(_directory: &Path) -> io::Result<()> {
    Ok(())
}
