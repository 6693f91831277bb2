//! Counts the asks of a run while it goes on: by phase, by second, and for the progress line.
//!
//! Instants are those of the monotonic clock, so that latencies stay right when somebody sets the clock. Seconds of the wall clock
//! are that of the beginning with the time since then added. The tally reads no clock and locks nothing; `ground` keeps it behind
//! a mutex. What it counts goes into `result`.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::time::Timestamp;

use super::outcome;
use super::result::{HostCount, LoadResult, Phase, Second};

/// A latency beyond an hour is counted as an hour, in microseconds.
const LONGEST_US: u64 = 3_600_000_000;

/// The first bits of a latency that a phase keeps, and a second.
const FINE_BITS: u32 = 11;
pub(crate) const COARSE_BITS: u32 = 8;

/// One ask and what came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished<'a> {
    /// When it was to be sent. In a closed phase this is when it was sent.
    pub(crate) due: Duration,
    pub(crate) sent: Duration,
    /// When its answer was there, or it had failed.
    pub(crate) done: Duration,
    /// By its name, as in `outcome`.
    pub(crate) outcome: &'a str,
    /// What the host counts, if the answer says so.
    pub(crate) count: Option<HostCount>,
}

/// How things stand while the run goes on. What is counted `lately` is what came since the last snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Since the run began.
    pub(crate) elapsed: Duration,
    /// Since the last snapshot.
    pub(crate) lately: Duration,
    /// The phase that goes on; none before the first and after the last.
    pub(crate) phase: Option<String>,
    /// Asks that were due lately.
    pub(crate) due: u64,
    /// Asks that were answered lately; a refusal is an answer.
    pub(crate) answered: u64,
    /// Of what was done lately, microseconds from when it was due.
    pub(crate) p50: Option<u64>,
    pub(crate) p99: Option<u64>,
    /// Refusals and failures since the run began, by code.
    pub(crate) troubles: BTreeMap<String, u64>,
    /// Due and not sent yet.
    pub(crate) behind: u64,
    /// Sent and not done yet.
    pub(crate) in_flight: u64,
    /// Machines counted, as the latest answer says.
    pub(crate) count: Option<HostCount>,
    /// Time since the last answer, if asks have failed since then; else zero.
    pub(crate) unanswered: Duration,
    /// How many asks have failed since the last answer.
    pub(crate) failed_in_a_row: u64,
}

/// Counts a run.
#[derive(Debug)]
pub(crate) struct Tally {
    /// When the run began, on the wall clock and on the monotonic one.
    began_at: Timestamp,
    began: Duration,
    phases: Vec<Running>,
    /// By second of the wall clock; within a second what prepares the run (false) comes before the run (true). With the count
    /// that an answer told last.
    seconds: BTreeMap<(i64, bool), (Second, Option<HostCount>)>,
    lately: Second,
    snapshot_at: Duration,
    due: u64,
    sent: u64,
    done: u64,
    troubles: BTreeMap<String, u64>,
    count: Option<HostCount>,
    /// The last answer, or the beginning of the phase in which there was none.
    answered_at: Duration,
    failed_in_a_row: u64,
}

/// A phase that may still go on.
#[derive(Debug)]
struct Running {
    from: Duration,
    to: Option<Duration>,
    phase: Phase,
}

impl Tally {
    /// Nothing is counted yet. The run begins at this instant, on the wall clock and on the monotonic one.
    pub(crate) fn new(began_at: Timestamp, began: Duration) -> Tally {
        Tally {
            began_at,
            began,
            phases: Vec::new(),
            seconds: BTreeMap::new(),
            lately: Second::default(),
            snapshot_at: began,
            due: 0,
            sent: 0,
            done: 0,
            troubles: BTreeMap::new(),
            count: None,
            answered_at: began,
            failed_in_a_row: 0,
        }
    }

    /// A phase begins, and the one before ends if it has not. Asks that are due from here on belong to it.
    pub(crate) fn begin_phase(&mut self, phase: Phase, at: Duration) {
        self.end_phase(at);
        (self.answered_at, self.failed_in_a_row) = (at, 0);
        self.phases.push(Running { from: at, to: None, phase });
    }

    /// The phase ends. What was due in it still belongs to it.
    pub(crate) fn end_phase(&mut self, at: Duration) {
        let Some(phase) = self.phases.last_mut() else { return };
        phase.to.get_or_insert(at);
    }

    /// An ask is due. In a closed phase it is due when it is sent.
    pub(crate) fn due(&mut self, at: Duration) {
        self.due += 1;
        self.lately.due += 1;
        self.second(at, at).0.due += 1;
    }

    /// An ask is sent that was due at `due`.
    pub(crate) fn sent(&mut self, due: Duration) {
        self.sent += 1;
        if let Some(Running { phase, .. }) = self.phase_of(due) {
            phase.asked += 1;
        }
    }

    /// An ask is done. It counts for the phase in which it was due, and for the second in which it was done.
    pub(crate) fn answered(&mut self, one: &Finished<'_>) {
        self.done += 1;
        if outcome::is_trouble(one.outcome) {
            bump(&mut self.troubles, one.outcome);
        }
        let response_us = match self.phase_of(one.due) {
            Some(Running { phase, .. }) => phase.answered(one),
            None => us(one.done.saturating_sub(one.due)),
        };
        if outcome::is_answer(one.outcome) {
            if let Some(Running { to, phase, .. }) = self.phase_of(one.done) {
                phase.answers += u64::from(to.is_none_or(|to| one.done <= to));
            }
            (self.answered_at, self.failed_in_a_row) = (one.done, 0);
        } else {
            self.failed_in_a_row += 1;
        }
        self.lately.answered(one.outcome, response_us);
        let (second, count) = self.second(one.due, one.done);
        second.answered(one.outcome, response_us);
        *count = one.count.max(*count);
        self.count = self.count.max(one.count);
    }

    /// The current state. What is counted `lately` starts again at zero.
    pub(crate) fn snapshot(&mut self, at: Duration) -> Snapshot {
        let lately = std::mem::take(&mut self.lately);
        let from = std::mem::replace(&mut self.snapshot_at, at);
        let answered = lately.outcomes.iter().filter(|(name, _)| outcome::is_answer(name));
        let phase = self.phases.last().filter(|phase| phase.to.is_none());
        let unanswered =
            if self.failed_in_a_row == 0 { Duration::ZERO } else { at.saturating_sub(self.answered_at) };
        Snapshot {
            elapsed: at.saturating_sub(self.began),
            lately: at.saturating_sub(from),
            phase: phase.map(|running| running.phase.name.clone()),
            due: lately.due,
            answered: answered.map(|(_, number)| number).sum(),
            p50: lately.response.quantile(0.5),
            p99: lately.response.quantile(0.99),
            troubles: self.troubles.clone(),
            behind: self.due.saturating_sub(self.sent),
            in_flight: self.sent.saturating_sub(self.done),
            count: self.count,
            unanswered,
            failed_in_a_row: self.failed_in_a_row,
        }
    }

    /// A result with all that was counted, and nothing else. A phase that still goes on ends here.
    pub(crate) fn finish(self, at: Duration) -> LoadResult {
        let began = self.began;
        let phase = |Running { from, to, phase }: Running| Phase {
            from_s: seconds(from.saturating_sub(began)),
            to_s: seconds(to.unwrap_or(at).saturating_sub(began)),
            ..phase
        };
        let second =
            |((at_unix_s, is_run), (second, count)): ((i64, bool), (Second, Option<HostCount>))| Second {
                at_unix_s,
                prepares: !is_run,
                count: count.map(|told| told.count),
                threshold: count.map(|told| told.threshold),
                ..second
            };
        LoadResult {
            began_at_ms: self.began_at.unix_ms(),
            phases: self.phases.into_iter().map(phase).collect(),
            seconds: self.seconds.into_iter().map(second).collect(),
            counted: self.count,
            ..LoadResult::default()
        }
    }

    /// The last phase that had begun when this ask was due. Phases are few.
    fn phase_of(&mut self, due: Duration) -> Option<&mut Running> {
        self.phases.iter_mut().rev().find(|phase| phase.from <= due)
    }

    /// The second of `at`, for asks that are about the same as one that was due then. A second in which the preparation ends has
    /// both, apart.
    fn second(&mut self, due: Duration, at: Duration) -> &mut (Second, Option<HostCount>) {
        let at_unix_s = (self.began_at + at.saturating_sub(self.began)).unix_ms().div_euclid(1000);
        let mut until_due = self.phases.iter().take_while(|phase| phase.from <= due).peekable();
        let prepares = until_due.peek().is_some() && until_due.all(|running| running.phase.prepares());
        self.seconds.entry((at_unix_s, !prepares)).or_default()
    }
}

impl Phase {
    /// Counts an ask that was due in it, and gives its response time in microseconds: a closed phase has no plan to count from.
    fn answered(&mut self, one: &Finished<'_>) -> u64 {
        let service_us = us(one.done.saturating_sub(one.sent));
        let response_us = if self.open { us(one.done.saturating_sub(one.due)) } else { service_us };
        self.response.record(response_us, FINE_BITS);
        self.service.record(service_us, FINE_BITS);
        bump(&mut self.outcomes, one.outcome);
        response_us
    }
}

impl Second {
    fn answered(&mut self, outcome: &str, response_us: u64) {
        self.response.record(response_us, COARSE_BITS);
        bump(&mut self.outcomes, outcome);
    }
}

/// One more of this name. The name is only copied when it is new: this runs for every ask.
fn bump(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else {
        counts.insert(name.to_owned(), 1);
    }
}

fn us(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX).min(LONGEST_US)
}

/// To the microsecond, so that the figure survives being written, read and shifted.
#[expect(clippy::cast_precision_loss, reason = "a run of far less than 2^52 µs")]
fn seconds(length: Duration) -> f64 {
    length.as_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN: Timestamp = Timestamp::from_unix_ms(1_700_000_000_600);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn counting(count: u64, threshold: u32) -> HostCount {
        HostCount { at_ms: BEGAN.unix_ms(), count, threshold, asked: false }
    }

    fn tally(open: bool) -> Tally {
        let mut tally = Tally::new(BEGAN, ms(0));
        tally.begin_phase(Phase::begun("steady", "a pace", open, true), ms(0));
        tally
    }

    fn play(tally: &mut Tally, due: u64, sent: u64, done: u64, outcome: &str) {
        tally.due(ms(due));
        tally.sent(ms(due));
        let (due, sent, done) = (ms(due), ms(sent), ms(done));
        tally.answered(&Finished { due, sent, done, outcome, count: Some(counting(7, 5)) });
    }

    /// 100 asks a second for ten seconds over one kept connection. The host takes 1 ms for each, and between 4 s and 6 s
    /// it stands still: what is due then waits until the one that was caught in it is answered.
    fn stall(open: bool) -> Phase {
        let mut tally = tally(open);
        let mut free_at = 0;
        for due in (0..10_000).step_by(10) {
            let sent = free_at.max(due);
            let done = if (4000..6000).contains(&sent) { 6001 } else { sent + 1 };
            free_at = done;
            play(&mut tally, due, sent, done, outcome::LEASE);
        }
        tally.finish(ms(10_000)).phases.remove(0)
    }

    #[test]
    fn a_stall_of_two_seconds_shows_from_when_asks_were_due_and_hides_from_when_they_were_sent() {
        let phase = stall(true);
        let (response, service) =
            (phase.response.quantile(0.99).unwrap(), phase.service.quantile(0.99).unwrap());
        assert!((1_900_000..2_010_000).contains(&response), "{response} µs");
        assert_eq!(service, 1000, "one ask of a thousand was caught: a tool that waits shows nothing");
        assert!((2_000_000..2_003_000).contains(&phase.service.max().unwrap()));
    }

    #[test]
    fn a_closed_phase_has_no_plan_to_count_from() {
        let phase = stall(false);
        assert_eq!(phase.response, phase.service);
        assert_eq!(phase.response.quantile(0.99), Some(1000));
    }

    #[test]
    fn an_ask_counts_for_the_phase_it_was_due_in_and_the_second_it_was_done_in() {
        let mut tally = tally(true);
        play(&mut tally, 999, 999, 1500, outcome::WAITING);
        tally.begin_phase(Phase::begun("after", "a pace", true, true), ms(1000));
        play(&mut tally, 1000, 1000, 1401, outcome::LEASE);
        let counted = tally.finish(ms(2000));

        let phases: Vec<_> =
            counted.phases.iter().map(|p| (p.from_s, p.to_s, p.asked, &p.outcomes)).collect();
        let of = |name: &str| BTreeMap::from([(name.to_owned(), 1)]);
        assert_eq!(phases, [(0.0, 1.0, 1, &of("WAITING")), (1.0, 2.0, 1, &of("LEASE"))]);
        // The run began 600 ms into a second: the first ask was due at 1.599 s, the answers came at 2.001 s and 2.1 s.
        let seconds: Vec<_> =
            counted.seconds.iter().map(|s| (s.at_unix_s, s.due, s.response.len(), s.count)).collect();
        assert_eq!(seconds, [(1_700_000_001, 2, 0, None), (1_700_000_002, 0, 2, Some(7))]);
    }

    #[test]
    fn a_snapshot_tells_of_what_came_since_the_last_and_of_what_is_still_away() {
        let mut tally = tally(true);
        play(&mut tally, 10, 10, 20, "OVERLOADED");
        tally.snapshot(ms(1000));
        play(&mut tally, 1100, 1100, 1104, outcome::LEASE);
        play(&mut tally, 1200, 1200, 1900, "HOST_SILENT");
        (0..3).for_each(|_| tally.due(ms(1950)));
        tally.sent(ms(1950));
        let shown = tally.snapshot(ms(2000));

        assert_eq!((shown.due, shown.answered, shown.in_flight, shown.behind), (5, 1, 1, 2));
        assert_eq!((shown.lately, shown.phase.as_deref()), (ms(1000), Some("steady")));
        assert!(shown.p50 < Some(4100) && Some(700_000) <= shown.p99, "{shown:?}");
        let troubles = BTreeMap::from([("HOST_SILENT".into(), 1), ("OVERLOADED".into(), 1)]);
        assert_eq!((shown.troubles, shown.count), (troubles, Some(counting(7, 5))));
    }

    /// The busiest second of a Monday was that in which Friday's preparation ended.
    #[test]
    fn a_second_in_which_the_preparation_ends_tells_it_from_the_run() {
        let mut tally = Tally::new(BEGAN, ms(0));
        tally.begin_phase(Phase::begun("friday", "a pace", false, false), ms(0));
        (0..900).for_each(|_| play(&mut tally, 500, 500, 510, outcome::LEASE));
        tally.begin_phase(Phase::begun("morning", "a pace", true, true), ms(600));
        (0..100).for_each(|_| play(&mut tally, 700, 700, 710, outcome::LEASE));
        // One of the preparation that is answered late.
        play(&mut tally, 599, 599, 720, outcome::LEASE);
        let seconds = tally.finish(ms(800)).seconds;
        let found: Vec<_> =
            seconds.iter().map(|s| (s.at_unix_s % 10, s.prepares, s.due, s.outcomes["LEASE"])).collect();
        assert_eq!(found, [(1, true, 901, 901), (1, false, 100, 100)]);
    }

    #[test]
    fn the_count_is_that_of_the_answer_that_the_host_gave_last() {
        let mut tally = tally(true);
        let mut answered = |seconds: u64, count| {
            let count =
                HostCount { at_ms: (BEGAN + Duration::from_secs(seconds)).unix_ms(), ..counting(count, 5) };
            let at = ms(100);
            tally.answered(&Finished {
                due: at,
                sent: at,
                done: at,
                outcome: outcome::LEASE,
                count: Some(count),
            });
        };
        answered(9, 40);
        answered(3, 12);
        assert_eq!(tally.finish(ms(200)).counted.map(|count| count.count), Some(40));
    }

    #[test]
    fn a_host_that_answers_nobody_is_told_from_one_that_nobody_asks() {
        let mut tally = tally(true);
        let at = |tally: &mut Tally, at_ms| {
            let shown = tally.snapshot(ms(at_ms));
            (shown.unanswered, shown.failed_in_a_row)
        };
        assert_eq!(at(&mut tally, 9000), (ms(0), 0), "nobody has asked");
        play(&mut tally, 9000, 9000, 9001, outcome::LEASE);
        play(&mut tally, 9500, 9500, 9501, "HOST_UNREACHABLE");
        assert_eq!(at(&mut tally, 12_001), (ms(3000), 1));
        play(&mut tally, 12_500, 12_500, 12_501, "OVERLOADED");
        assert_eq!(at(&mut tally, 13_000), (ms(0), 0), "a refusal is an answer");
        play(&mut tally, 13_000, 13_000, 13_001, "HOST_SILENT");
        tally.begin_phase(Phase::begun("after", "a pace", true, true), ms(14_000));
        assert_eq!(at(&mut tally, 15_000), (ms(0), 0), "each phase begins anew");
    }

    #[test]
    fn times_that_make_no_sense_and_days_of_waiting_are_counted_and_break_nothing() {
        let mut tally = tally(true);
        play(&mut tally, 50, 40, 30, outcome::LEASE);
        play(&mut tally, 50, 50, 172_800_000, outcome::LEASE);
        let phase = tally.finish(ms(100)).phases.remove(0);
        assert_eq!(phase.response.0.keys().next(), Some(&0));
        let longest = phase.response.max().unwrap();
        assert!((LONGEST_US..LONGEST_US + LONGEST_US / 500).contains(&longest), "{longest}");
    }
}
