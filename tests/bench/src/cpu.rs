//! Processor time that this process has used, by thread name, or that another process has.
//!
//! How many cores there are, and work spread over them, is `world::cores`.

use std::fs;
use std::ops::Sub;
use std::time::Duration;

/// `/proc` counts processor time in hundredths of a second, whatever the kernel's own tick (`man 5 proc`, `USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Processor time of this process that was not spent by threads of this name; none where there is no `/proc`.
///
/// The whole is read first and threads that have ended are in it, since a store's come and go.
pub(crate) fn spent_except_by(name: &str) -> Option<Duration> {
    let whole = spent(&fs::read_to_string("/proc/self/stat").ok()?)?;
    let threads = fs::read_dir("/proc/self/task").ok()?.filter_map(Result::ok);
    let named = threads.filter(|thread| {
        fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    });
    let theirs: Duration =
        named.filter_map(|thread| spent(&fs::read_to_string(thread.path().join("stat")).ok()?)).sum();
    Some(whole.saturating_sub(theirs))
}

/// What threads have asked of the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calls {
    /// How often one slept. Each time it had to be woken.
    pub(crate) sleeps: u64,
    /// Calls that write: to sockets, to files, and to wake a thread that waits for sockets.
    pub(crate) writes: u64,
}

impl Sub for Calls {
    type Output = Calls;

    fn sub(self, before: Calls) -> Calls {
        Calls {
            sleeps: self.sleeps.saturating_sub(before.sleeps),
            writes: self.writes.saturating_sub(before.writes),
        }
    }
}

/// The calls of this process's threads that do not have this name; none where there is no `/proc`.
pub(crate) fn calls_except_by(name: &str) -> Calls {
    let mut calls = Calls::default();
    for thread in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |file| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        if read("comm").trim_end() != name {
            calls.sleeps += number(&read("status"), "voluntary_ctxt_switches:");
            calls.writes += number(&read("io"), "syscw:");
        }
    }
    calls
}

/// The number behind a name at the start of a line; 0 where there is none.
fn number(text: &str, name: &str) -> u64 {
    let number = text.lines().find_map(|line| line.strip_prefix(name));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// Processor time of another process; none where there is no `/proc`, or it is gone.
pub(crate) fn spent_by(process: Option<u32>) -> Option<Duration> {
    spent(&fs::read_to_string(format!("/proc/{}/stat", process?)).ok()?)
}

/// User and system time in a line of `/proc/../stat`: fields 14 and 15, counted from after the name, which may have
/// spaces in it.
fn spent(stat: &str) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut times = after_name.split_ascii_whitespace().skip(11);
    let user: u32 = times.next()?.parse().ok()?;
    let system: u32 = times.next()?.parse().ok()?;
    Some(TICK * user.saturating_add(system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_spaces_and_brackets() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1";
        assert_eq!(spent(stat), Some(Duration::from_secs(3)));
        assert_eq!(spent("7 (cut short) S 1"), None);
    }

    #[test]
    fn numbers_are_found_by_their_whole_name() {
        let status = "nonvoluntary_ctxt_switches:\t8\nvoluntary_ctxt_switches:\t9\n";
        assert_eq!((number(status, "voluntary_ctxt_switches:"), number(status, "syscw:")), (9, 0));
    }
}
