//! Root works in a state directory as its owner.
//!
//! The product runs as a user of its own. It could not read an identity that root has made for it, and root would follow every link
//! in a directory of another user. `kms-host` does the same with its data directory.

use std::path::Path;

use crate::answer::Failure;

/// Exchanges root's rights for those of the owner of the state, or of the directory above it if there is no state. Does nothing for
/// other users, and nothing if root is the owner. Read files that only root may read before.
///
/// Call it while the process has one thread: rights belong to a thread, and the threads that it starts inherit them.
#[cfg(target_os = "linux")]
pub(crate) fn become_owner(state: &Path) -> Result<(), Failure> {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use program::exit::EX_NOPERM;
    use rustix::process::{Gid, Uid, geteuid};
    use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

    // The last ancestor of a relative path is empty.
    let above = state.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let Some(directory) = above.into_iter().find_map(|path| fs::metadata(path).ok()) else { return Ok(()) };
    let (user, group) = (Uid::from_raw(directory.uid()), Gid::from_raw(directory.gid()));
    if !geteuid().is_root() || user.is_root() {
        return Ok(());
    }
    // 1. The groups, because setting them takes root's rights. 2. The user, after which there is no way back.
    let given_up =
        set_thread_groups(&[group]).and_then(|()| set_thread_gid(group)).and_then(|()| set_thread_uid(user));
    given_up.map_err(|error| {
        let shown = state.display();
        let line = format!("{shown} belongs to user {}; run this as that user: {error}", directory.uid());
        Failure::new(EX_NOPERM, line)
    })
}

/// On other systems the library gives the files that root makes to the owner of the directory.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "on Linux it can fail")]
pub(crate) fn become_owner(_state: &Path) -> Result<(), Failure> {
    Ok(())
}
