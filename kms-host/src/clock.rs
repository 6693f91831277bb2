//! The clock of a host: the machine's own. Its parts take a `Clock`, so that a test can move the time.

pub use wire::SystemClock;
