//! What is shown while the load runs: on a terminal one line that changes, elsewhere a line each time.
//!
//! It goes to standard error, so that the table at the end can be redirected by itself.

use std::io::{IsTerminal, Stderr, Write};

use super::tally::Snapshot;
use report::figures::{count, latency_or_dash, per_second, rate};

/// No line is wider, in characters.
const WIDTH: usize = 120;

/// The name of a phase is cut off here.
const PHASE: usize = 16;

#[derive(Debug)]
pub(crate) struct Progress<W> {
    out: W,
    /// Whether one line is written again and again.
    rewrites: bool,
    /// The width of the current line.
    shown: usize,
}

impl Progress<Stderr> {
    /// To standard error, whatever that is.
    pub(crate) fn to_stderr() -> Progress<Stderr> {
        let out = std::io::stderr();
        let rewrites = out.is_terminal();
        Progress::new(out, rewrites)
    }
}

impl<W: Write> Progress<W> {
    fn new(out: W, rewrites: bool) -> Progress<W> {
        Progress { out, rewrites, shown: 0 }
    }

    /// Shows how things stand now.
    pub(crate) fn show(&mut self, snapshot: &Snapshot) {
        let line = line(snapshot);
        // A line that cannot be shown is no reason to stop.
        let _ = if self.rewrites {
            // What stood there may have been longer.
            write!(self.out, "\r{line:<shown$}", shown = self.shown)
        } else {
            writeln!(self.out, "{line}")
        };
        let _ = self.out.flush();
        self.shown = line.chars().count();
    }

    /// Ends the line, so that what is printed next begins one of its own.
    pub(crate) fn end(&mut self) {
        if self.rewrites && 0 < self.shown {
            let _ = writeln!(self.out);
        }
        self.shown = 0;
    }
}

/// A snapshot in one line of at most [`WIDTH`] characters. Errors that find no room are summed up.
pub(crate) fn line(snapshot: &Snapshot) -> String {
    let lately_s = snapshot.lately.as_secs_f64();
    let phase: String = snapshot.phase.as_deref().unwrap_or("-").chars().take(PHASE).collect();
    let latest = format!(
        "{:6.1} s  {phase}  {}/s of {}/s due  {} in flight  p50 {}  p99 {}",
        snapshot.elapsed.as_secs_f64(),
        rate(per_second(snapshot.answered, lately_s)),
        rate(per_second(snapshot.due, lately_s)),
        count(snapshot.in_flight),
        latency_or_dash(snapshot.p50),
        latency_or_dash(snapshot.p99),
    );
    let counted = snapshot.count.map(|told| format!("count {}/{}", count(told.count), count(told.threshold)));
    let behind = (0 < snapshot.behind).then(|| format!("{} behind", count(snapshot.behind)));
    let mut line = [Some(latest), counted, behind].into_iter().flatten().collect::<Vec<_>>().join("  ");
    line.push_str(&troubles(snapshot, WIDTH.saturating_sub(line.chars().count())));
    line.chars().take(WIDTH).collect()
}

/// The most frequent errors that fit into the room, and how many more there are.
fn troubles(snapshot: &Snapshot, room: usize) -> String {
    let mut troubles: Vec<_> = snapshot.troubles.iter().collect();
    troubles.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
    let text = |named: usize| {
        let of = |(code, number): &(&String, &u64)| format!("{code} {}", count(**number));
        let rest = troubles[named..].iter().fold(0, |sum: u64, (_, number)| sum.saturating_add(**number));
        let rest =
            (0 < rest).then(|| format!("{} {}", count(rest), if named == 0 { "failed" } else { "others" }));
        let texts: Vec<_> =
            std::iter::once(String::new()).chain(troubles[..named].iter().map(of)).chain(rest).collect();
        texts.join("  ")
    };
    let fits = (0..=troubles.len()).rev().map(text).find(|text| text.chars().count() <= room);
    fits.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::result::HostCount;

    fn snapshot() -> Snapshot {
        Snapshot {
            elapsed: Duration::from_millis(12_040),
            lately: Duration::from_secs(1),
            phase: Some("peak".into()),
            due: 10_000,
            answered: 9990,
            p50: Some(1200),
            p99: Some(1_234_000),
            in_flight: 12,
            count: Some(HostCount { at_ms: 0, count: 40, threshold: 25, asked: false }),
            ..Snapshot::default()
        }
    }

    fn with_troubles(troubles: &[(&str, u64)]) -> Snapshot {
        let troubles = troubles.iter().map(|(code, number)| ((*code).to_owned(), *number)).collect();
        Snapshot { troubles, ..snapshot() }
    }

    #[test]
    fn a_second_reads_like_this() {
        let usual =
            "  12.0 s  peak  9,990/s of 10,000/s due  12 in flight  p50 1.20 ms  p99 1.23 s  count 40/25";
        assert_eq!(line(&snapshot()), usual);
        let nothing = "   0.0 s  -  0.0/s of 0.0/s due  0 in flight  p50 -  p99 -";
        assert_eq!(line(&Snapshot::default()), nothing);
        let late = Snapshot { behind: 1500, ..with_troubles(&[("OVERLOADED", 3)]) };
        assert_eq!(line(&late), format!("{usual}  1,500 behind  OVERLOADED 3"));
    }

    #[test]
    fn errors_that_find_no_room_are_summed_up_and_the_most_frequent_are_named() {
        let few = [("BLOCKED", 2), ("OVERLOADED", 7), ("STOPPING", 1)];
        let text = line(&with_troubles(&few));
        assert!(text.ends_with("  OVERLOADED 7  3 others"), "{text}");
        let long = line(&with_troubles(&[("A_VERY_LONG_CODE_OF_A_LATER_RELEASE_OF_THE_HOST", 2000)]));
        assert!(long.ends_with("count 40/25  2,000 failed"), "{long}");
    }

    #[test]
    fn no_line_is_wider_than_promised_whatever_the_numbers() {
        let mut largest = with_troubles(&[("OVERLOADED", u64::MAX), ("STOPPING", u64::MAX)]);
        (largest.due, largest.answered, largest.in_flight, largest.behind) =
            (u64::MAX, u64::MAX, u64::MAX, 1);
        (largest.phase, largest.count) = (
            Some("é".repeat(300)),
            Some(HostCount { at_ms: 0, count: u64::MAX, threshold: u32::MAX, asked: false }),
        );
        assert_eq!(line(&largest).chars().count(), WIDTH);
    }

    #[test]
    fn on_a_terminal_a_shorter_line_wipes_out_the_longer_one() {
        let mut progress = Progress::new(Vec::new(), true);
        progress.show(&with_troubles(&[("OVERLOADED", 3)]));
        progress.show(&snapshot());
        progress.end();
        let text = String::from_utf8(progress.out).unwrap();
        let lines: Vec<_> = text.split('\r').collect();
        assert_eq!(lines[2], format!("{}              \n", line(&snapshot())));
        assert_eq!(lines[1].len() + 1, lines[2].len());
    }

    #[test]
    fn elsewhere_each_second_has_its_line() {
        let mut progress = Progress::new(Vec::new(), false);
        progress.show(&snapshot());
        progress.show(&snapshot());
        progress.end();
        let line = line(&snapshot());
        assert_eq!(String::from_utf8(progress.out).unwrap(), format!("{line}\n{line}\n"));
    }
}
