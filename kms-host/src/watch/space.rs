//! Free space: the host stops writing before its disk is full, and continues by itself once there is room.
//!
//! A full disk stops a store for good, because a write that failed half-way is not tried again. So the host refuses asks that would
//! write, signed, while some space is left for the log, the administrator and the engine's own work. [`Space::look`] is the rule, and
//! [`watch`] the shell that asks the file system once a second. An ask reads one flag.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::time::{Clock, Timestamp};
use tokio_util::sync::CancellationToken;

/// How often to ask the file system. A host writes at most some 40 MB in that time.
const LOOK: Duration = Duration::from_secs(1);

/// After a shortage an eighth more has to be free. Otherwise a log on the same disk would turn the host on and off.
const MORE_TO_GO_ON: u64 = 8;

/// The state of the file system of the data directory. Before the first look, there is room.
#[derive(Debug, Default)]
pub struct Space {
    /// The number of bytes that have to be free; 0 is no minimum.
    limit_bytes: AtomicU64,
    /// As of the last look; 0 before the first.
    free_bytes: AtomicU64,
    /// Read at every ask.
    is_short: AtomicBool,
    shortage: Mutex<Option<Shortage>>,
}

/// Too little is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Since when.
    pub since: Timestamp,
    /// The free bytes now.
    pub free_bytes: u64,
    /// The bytes that have to be free before machines are counted again.
    pub needed_bytes: u64,
}

/// A change that a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// There is too little now.
    Short(Shortage),
    /// There is room again.
    Roomy,
}

impl Space {
    /// Sets the minimum of free space in MiB, from the next look on.
    pub fn set_limit_mib(&self, mib: u64) {
        self.limit_bytes.store(mib.saturating_mul(1 << 20), Ordering::Relaxed);
    }

    /// Whether asks that would write are refused.
    pub fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// The shortage, while there is one.
    pub fn shortage(&self) -> Option<Shortage> {
        *self.current()
    }

    /// The free bytes at the last look, and the minimum; none before the first look.
    pub fn seen_bytes(&self) -> Option<(u64, u64)> {
        let [free, limit] = [&self.free_bytes, &self.limit_bytes].map(|bytes| bytes.load(Ordering::Relaxed));
        (0 < free || self.is_short()).then_some((free, limit))
    }

    /// Notes the free bytes, and returns whether that changes anything.
    pub fn look(&self, free_bytes: u64, now: Timestamp) -> Option<Turn> {
        let limit_bytes = self.limit_bytes.load(Ordering::Relaxed);
        self.free_bytes.store(free_bytes, Ordering::Relaxed);
        let mut current = self.current();
        let was_short = current.is_some();
        let needed_bytes = limit_bytes + if was_short { limit_bytes / MORE_TO_GO_ON } else { 0 };
        let since = current.map_or(now, |shortage| shortage.since);
        *current = (free_bytes < needed_bytes).then_some(Shortage {
            since,
            free_bytes,
            needed_bytes: limit_bytes + limit_bytes / MORE_TO_GO_ON,
        });
        self.is_short.store(current.is_some(), Ordering::Relaxed);
        match (was_short, *current) {
            (false, Some(shortage)) => Some(Turn::Short(shortage)),
            (true, None) => Some(Turn::Roomy),
            (false, None) | (true, Some(_)) => None,
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Shortage>> {
        self.shortage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the file system of this directory until the host stops.
pub async fn watch(space: Arc<Space>, clock: Arc<dyn Clock>, directory: PathBuf, stop: CancellationToken) {
    let mut could_look = true;
    loop {
        let looked = look(&space, clock.as_ref(), &directory);
        if let (true, Err(error)) = (could_look, &looked) {
            tracing::warn!(%error, directory = %directory.display(), "free space cannot be read; the host assumes that there is enough");
        }
        could_look = looked.is_ok();
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Looks once, and logs a change.
///
/// # Errors
/// The operating system cannot tell.
pub fn look(space: &Space, clock: &dyn Clock, directory: &Path) -> io::Result<()> {
    let free_bytes = store::file::free_bytes(directory)?;
    match space.look(free_bytes, clock.now()) {
        None => {}
        Some(Turn::Short(Shortage { free_bytes, needed_bytes, .. })) => tracing::error!(
            directory = %directory.display(), free_mib = free_bytes >> 20, needed_mib = needed_bytes >> 20,
            "too little free space: no machine is counted until there is more; then the host continues by itself"
        ),
        Some(Turn::Roomy) => tracing::info!(
            directory = %directory.display(), free_mib = free_bytes >> 20, "free space again: machines are counted"
        ),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// What each look comes to, with 256 MiB to be kept free.
    fn looks(free_mib: impl IntoIterator<Item = u64>) -> Vec<&'static str> {
        let space = Space::default();
        space.set_limit_mib(256);
        let look = |mib| match space.look(mib * MIB, Timestamp::from_unix_ms(0)) {
            None if space.is_short() => "refuses on",
            None => "serves on",
            Some(Turn::Short(_)) => "refuses",
            Some(Turn::Roomy) => "serves",
        };
        free_mib.into_iter().map(look).collect()
    }

    #[test]
    fn a_host_refuses_below_the_limit_and_serves_an_eighth_above_it() {
        assert_eq!(
            looks([256, 255, 256, 287, 288, 256]),
            ["serves on", "refuses", "refuses on", "refuses on", "serves", "serves on"]
        );
    }

    #[test]
    fn a_disk_that_is_short_at_the_first_look_is_refused_at_once() {
        assert_eq!(looks([0, 1000]), ["refuses", "serves"]);
    }

    #[test]
    fn without_a_limit_a_full_disk_is_nobodys_concern_and_a_limit_that_is_taken_away_ends_a_shortage() {
        let space = Space::default();
        assert_eq!(space.look(0, Timestamp::from_unix_ms(0)), None);
        space.set_limit_mib(1);
        assert!(matches!(space.look(0, Timestamp::from_unix_ms(5)), Some(Turn::Short(_))));
        space.look(7, Timestamp::from_unix_ms(9));
        let shortage = space.shortage().unwrap();
        assert_eq!((shortage.since, shortage.free_bytes), (Timestamp::from_unix_ms(5), 7), "since it began");
        space.set_limit_mib(0);
        assert_eq!(space.look(0, Timestamp::from_unix_ms(9)), Some(Turn::Roomy));
    }

    #[test]
    fn the_file_system_of_a_directory_says_how_much_is_free() {
        let home = tempfile::tempdir().unwrap();
        assert!(0 < store::file::free_bytes(home.path()).unwrap());
        assert!(store::file::free_bytes(&home.path().join("none")).is_err());
    }
}
