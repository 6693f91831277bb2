//! Reads the files of a store by itself, without the engine: what is left when the engine refuses.
//!
//! An engine gives up at the first thing that it cannot read. A store whose values carry a checksum of their own has more to
//! say: every value that is whole can be recognised, wherever it lies. So this looks at the raw files, knows as much of their
//! layout as is needed to put keys together, and believes nothing but the caller's checksum. It opens files for reading only
//! and changes nothing.
//!
//! Newer versions of a value replace older ones, and removals count, as far as what says so is whole. Where it is not, an
//! older version of a value, or one that was removed, may come back.
//!
//! Read next: `sled.rs`, `fjall.rs`, each the layout of one engine's files.

pub(crate) mod fjall;
mod sled;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::engine::Engine;

/// The newest version of each record that is whole.
pub type Salvaged = BTreeMap<Vec<u8>, Vec<u8>>;

/// Says whether a value is what was once written under a key.
pub type Verify<'a> = &'a dyn Fn(&[u8], &[u8]) -> bool;

/// Reads the files of the store in a directory. Nobody may write to it meanwhile. All that it finds is held in memory.
///
/// `verify` has to be a checksum that covers the key and the value: pieces of files are offered to it that never were a record.
///
/// # Errors
/// A file or a directory cannot be read at all, or there is no store.
pub fn salvage(directory: &Path, verify: Verify) -> io::Result<Salvaged> {
    match Engine::of(directory)? {
        Some(Engine::Sled) => sled::salvage(directory, verify),
        Some(Engine::Fjall) => fjall::salvage(directory, verify),
        None => Err(io::Error::new(io::ErrorKind::NotFound, "there are no files of a store in it")),
    }
}
