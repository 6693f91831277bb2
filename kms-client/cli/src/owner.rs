//! Root works in a state directory as its owner, as `kms-host` does in its data directory.

use std::path::Path;

use program::exit::EX_NOPERM;
use program::owner;

use crate::answer::Failure;

/// Exchanges root's rights for those of the owner of the state, or of the directory above it if there is no state. On other systems
/// than Linux the library gives the files that root makes to the owner of the directory.
pub(crate) fn become_owner(state: &Path) -> Result<(), Failure> {
    // The last ancestor of a relative path is empty.
    let above = state.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let Some(directory) = above.into_iter().find(|path| path.exists()) else { return Ok(()) };
    owner::become_owner(directory).map_err(|error| Failure::new(EX_NOPERM, error.to_string()))
}
