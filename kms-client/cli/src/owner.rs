//! Root works in a state directory as its owner.
//!
//! The product runs as a user of its own. An identity that root made for it would be root's, and the product could not read
//! it; and root would follow every link that stands in a directory of somebody else. `kms-host` does the same with its data
//! directory.

use std::path::Path;

use crate::answer::Failure;

/// Gives up root's rights for those of whoever owns the state, or would own what is made there. Nothing happens to anybody
/// but root, or where the directory is root's own. What root alone may read is to be read before.
///
/// To be called while the process has one thread: the rights are a thread's, and those that it starts inherit them.
#[cfg(target_os = "linux")]
pub(crate) fn become_owner(state: &Path) -> Result<(), Failure> {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use rustix::process::{Gid, Uid, geteuid};
    use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

    use crate::answer::EX_NOPERM;

    // The last of a relative path's is empty.
    let above = state.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let Some(directory) = above.into_iter().find_map(|path| fs::metadata(path).ok()) else { return Ok(()) };
    let (user, group) = (Uid::from_raw(directory.uid()), Gid::from_raw(directory.gid()));
    if !geteuid().is_root() || user.is_root() {
        return Ok(());
    }
    // 1. The groups, which take root's rights to set. 2. The user, after which there is no way back.
    let given_up =
        set_thread_groups(&[group]).and_then(|()| set_thread_gid(group)).and_then(|()| set_thread_uid(user));
    given_up.map_err(|error| {
        let shown = state.display();
        let line = format!("{shown} belongs to user {}; run this as that user: {error}", directory.uid());
        Failure::new(EX_NOPERM, line)
    })
}

/// Elsewhere the library gives what root makes to the owner of the directory.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "on Linux it can fail")]
pub(crate) fn become_owner(_state: &Path) -> Result<(), Failure> {
    Ok(())
}
