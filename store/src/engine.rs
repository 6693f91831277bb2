//! What a store stands on: an engine that keeps ordered keys and values in a directory.
//!
//! An engine only keeps. That a sync is never tried again, that an opened store has every record that was acknowledged,
//! limits, locks that a killed process still holds: all that stands once, in `store.rs` and `store/opening.rs`, for every
//! engine. Read next: `engine/sled.rs`, and `engine/fjall.rs` beside it.

use std::fs;
use std::io;
use std::ops::Bound;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::batch::Batch;
use crate::file;

pub(crate) mod fjall;
pub(crate) mod sled;

/// The key under which an engine keeps the number of the last sync, apart from the caller's keys.
const SYNCS_KEY: &str = "syncs";

/// The engines that come with this crate. A store is made with one and stays with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// sled 0.34: a tree over one log-structured file.
    Sled,
    /// fjall 3: a log-structured merge tree over a journal.
    Fjall,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Engine; 2] = [Engine::Sled, Engine::Fjall];

    /// Its name, as configurations and messages have it.
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Sled => "sled",
            Engine::Fjall => "fjall",
        }
    }

    /// The engine whose files are in a directory; none where there are none.
    ///
    /// # Errors
    /// The operating system refused to look.
    pub fn of(directory: &Path) -> io::Result<Option<Engine>> {
        for engine in Engine::ALL {
            for name in engine.files() {
                if fs::exists(directory.join(name))? {
                    return Ok(Some(engine));
                }
            }
        }
        Ok(None)
    }

    /// Opens its part of the directory, or makes it.
    pub(crate) fn open(self, directory: &Path, marked: bool, cache_bytes: u64) -> Result<Opened, Fault> {
        match self {
            Engine::Sled => sled::open(directory, marked, cache_bytes),
            Engine::Fjall => fjall::open(directory, marked, cache_bytes),
        }
    }

    /// The files that it needs to open.
    pub(crate) fn parts(self, directory: &Path) -> io::Result<Vec<Part>> {
        match self {
            Engine::Sled => sled::parts(directory),
            Engine::Fjall => fjall::parts(directory),
        }
    }

    /// Removes what it can make anew.
    pub(crate) fn remove_derived(self, directory: &Path) -> io::Result<()> {
        for part in self.parts(directory)?.iter().filter(|part| part.kind == PartKind::Derived) {
            if file::if_there(fs::remove_file(directory.join(&part.path)))?.is_some() {
                let file = part.path.display();
                tracing::warn!(%file, "removed what was damaged, and can be made anew from the rest");
            }
        }
        Ok(())
    }

    /// Takes records out of the file system under a copy that is open, as far as it can do without them there.
    pub(crate) fn unname(self, copy: &Path) {
        match self {
            // It has its log open, and looks for no other file.
            Engine::Sled => _ = fs::remove_dir_all(copy),
            Engine::Fjall => fjall::clear_journals(copy),
        }
    }

    /// Names in a directory that only this engine gives.
    pub(crate) const fn files(self) -> &'static [&'static str] {
        match self {
            Engine::Sled => sled::FILES,
            Engine::Fjall => fjall::FILES,
        }
    }
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Engine, UnknownEngine> {
        Engine::ALL.into_iter().find(|engine| engine.name() == name).ok_or(UnknownEngine)
    }
}

/// A name that no engine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write {:?} or {:?}", Engine::Sled.name(), Engine::Fjall.name())]
pub struct UnknownEngine;

/// A file or a folder that an engine needs, by its path inside the store.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    pub(crate) kind: PartKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartKind {
    /// The engine may change it.
    Changing,
    /// The engine may remove it, but never changes it. So a link to it is enough.
    Lasting,
    /// The engine can make it anew from the others.
    Derived,
}

/// A key and its value.
///
/// Both are plain vectors rather than an engine's shared bytes: copying a record of a hundred bytes costs nothing
/// beside the sync that follows, and no caller is tied to an engine.
pub type Record = (Vec<u8>, Vec<u8>);

/// Ordered keys and values in a directory, as a [`Store`](crate::Store) needs them.
///
/// Dropping it closes it. It may panic on damage: the store catches that.
pub trait Backing: Send + Sync {
    /// The value under a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// The records between two keys, in the order of the keys' bytes. It should read nothing outside: a page there may be
    /// damaged.
    fn scan(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Records;

    /// Applies a batch whole or, after a crash, not at all. If a crash loses a batch, it loses every later one, too.
    ///
    /// # Errors
    /// Nothing may be written any more.
    fn write(&self, batch: Batch) -> io::Result<()>;

    /// Returns once everything that was written is on the disk, and behind it this number.
    ///
    /// # Errors
    /// Nothing may be written any more.
    fn sync(&self, number: u64) -> io::Result<()>;

    /// Bytes that its files take, free space inside them included.
    fn size_on_disk(&self) -> Result<u64, Fault>;
}

/// The number of the last sync as an engine has kept it; 0 when there was none.
fn sync_number(kept: Option<&[u8]>) -> Result<u64, Fault> {
    let Some(bytes) = kept else {
        return Ok(0);
    };
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| {
        Fault::Damaged(format!("the number of its last sync has {} bytes instead of 8", bytes.len()))
    })
}

/// Records, until the first that cannot be read.
pub type Records = Box<dyn Iterator<Item = Result<Record, Fault>> + Send>;

/// A backing that was just opened. All that it shows is on the disk, and so are the names of its files.
pub struct Opened {
    /// Where records are kept.
    pub backing: Box<dyn Backing>,
    /// The number that came with the last sync that it still has; 0 when there was none.
    pub syncs: u64,
}

/// What an engine says when it cannot open or read.
#[derive(Debug)]
pub enum Fault {
    /// Another process has it open.
    Locked,
    /// What is there is not what was written: what is wrong with it.
    Damaged(String),
    /// The operating system refused.
    Io(io::Error),
}

impl From<io::Error> for Fault {
    /// A file that ends too early, that is not there, or that sends an engine to a place that no file has, is damage and
    /// not a failing disk.
    fn from(error: io::Error) -> Fault {
        use io::ErrorKind::{AlreadyExists, InvalidData, InvalidInput, NotFound, UnexpectedEof};
        match error.kind() {
            UnexpectedEof | NotFound | AlreadyExists | InvalidInput | InvalidData => {
                Fault::Damaged(error.to_string())
            }
            _ => Fault::Io(error),
        }
    }
}

/// Has an engine do something that it may panic over: on damage, or when it closes over a disk that failed. What it panics with.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(run)).map_err(|panic| match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast_ref().map_or("the engine panicked", |message: &&str| message).to_owned(),
    })
}
