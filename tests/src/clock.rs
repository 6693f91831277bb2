//! A clock that a test moves: forward as time passes, or anywhere as an administrator sets it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use shared::time::{Clock, Timestamp, to_ms};

/// Wall and monotonic clock of one machine. Both stand still until a test moves them.
#[derive(Debug)]
pub struct TestClock {
    wall_ms: AtomicI64,
    monotonic_ms: AtomicU64,
}

/// When most stories begin: 2026-01-01 00:00:00Z.
pub const NEW_YEAR: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

impl TestClock {
    /// A clock that says this.
    pub fn at(wall: Timestamp) -> TestClock {
        TestClock { wall_ms: AtomicI64::new(wall.unix_ms()), monotonic_ms: AtomicU64::new(0) }
    }

    /// Time passes.
    pub fn advance(&self, length: Duration) {
        self.wall_ms.fetch_add(to_ms(length), Ordering::SeqCst);
        self.monotonic_ms.fetch_add(u64::try_from(to_ms(length)).unwrap_or(0), Ordering::SeqCst);
    }

    /// Somebody sets the wall clock, or the machine was suspended: no monotonic time passes.
    pub fn set(&self, wall: Timestamp) {
        self.wall_ms.store(wall.unix_ms(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.wall_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::SeqCst))
    }
}
