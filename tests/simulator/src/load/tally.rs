//! Counts what happens while it happens: by phase, by second, and for the line that is shown meanwhile.
//!
//! Every instant that is given here is the monotonic time since the run began, to the microsecond, so that latencies
//! are right when somebody sets the clock. Seconds on the wall are those of the beginning with that added. The tally
//! reads no clock and locks nothing; the engine keeps it behind a mutex. What comes out is in `result`.

mod stretch;

use std::collections::BTreeMap;
use std::time::Duration;

use shared::time::Timestamp;

use self::stretch::{Bucket, Running, bump, us};
use super::outcome::{self, Counting, Outcome};
use super::result::{Phase, Second};

/// One ask and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// When it was to be sent. In a closed phase this is when it was sent.
    pub(crate) due: Duration,
    pub(crate) sent: Duration,
    /// When its answer was there, or it had failed.
    pub(crate) done: Duration,
    pub(crate) outcome: Outcome,
    /// Count and threshold, if the answer names them.
    pub(crate) count: Option<Counting>,
}

/// A phase that begins.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub(crate) name: String,
    /// For people.
    pub(crate) pace: String,
    /// Whether its asks are planned ahead.
    pub(crate) open: bool,
    /// Whether it is what the run is about.
    pub(crate) measured: bool,
}

/// All that was counted, ready for a `LoadResult` whose `began_at_ms` is the tally's beginning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counted {
    pub(crate) phases: Vec<Phase>,
    pub(crate) seconds: Vec<Second>,
    /// As the latest answer says.
    pub(crate) count: Option<Counting>,
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
    /// Asks that were answered lately, be it with a refusal.
    pub(crate) answered: u64,
    /// Of what was done lately, microseconds from when it was due.
    pub(crate) p50: Option<u64>,
    pub(crate) p99: Option<u64>,
    /// What came lately that is not `LEASE`.
    pub(crate) others: BTreeMap<String, u64>,
    /// Refusals and failures since the run began, by code.
    pub(crate) troubles: BTreeMap<String, u64>,
    /// Due and not sent yet.
    pub(crate) behind: u64,
    /// Sent and not done yet.
    pub(crate) in_flight: u64,
    /// Machines counted, as the latest answer says.
    pub(crate) count: Option<Counting>,
    /// How long nobody has answered, though asks have failed since; zero where none has.
    pub(crate) unanswered: Duration,
    /// How many asks have failed since the last answer.
    pub(crate) failed_in_a_row: u64,
}

/// Counts a run.
#[derive(Debug)]
pub(crate) struct Tally {
    began: Timestamp,
    phases: Vec<Running>,
    /// By second, and within it what prepares the run before what it is about.
    seconds: BTreeMap<(i64, About), Bucket>,
    lately: Bucket,
    snapshot_at: Duration,
    due: u64,
    sent: u64,
    done: u64,
    troubles: BTreeMap<String, u64>,
    count: Option<Counting>,
    /// The last answer, or the beginning of the phase in which there was none.
    answered_at: Duration,
    failed_in_a_row: u64,
}

/// What a second is about. A second in which the preparation ends has both, apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Preparation,
    Run,
}

impl Tally {
    /// Nothing is counted yet. `began` is the wall-clock time of the instant from which all others count.
    pub(crate) fn new(began: Timestamp) -> Tally {
        Tally {
            began,
            phases: Vec::new(),
            seconds: BTreeMap::new(),
            lately: Bucket::new(),
            snapshot_at: Duration::ZERO,
            due: 0,
            sent: 0,
            done: 0,
            troubles: BTreeMap::new(),
            count: None,
            answered_at: Duration::ZERO,
            failed_in_a_row: 0,
        }
    }

    /// The wall-clock time of the instant from which all others count.
    pub(crate) fn began(&self) -> Timestamp {
        self.began
    }

    /// A phase begins, and the one before ends if it has not. Asks that are due from here on belong to it.
    pub(crate) fn begin_phase(&mut self, begun: Begun, at: Duration) {
        self.end_phase(at);
        (self.answered_at, self.failed_in_a_row) = (at, 0);
        self.phases.push(Running::new(begun, at));
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
        self.second(at, at).due += 1;
    }

    /// An ask is sent that was due at `due`.
    pub(crate) fn sent(&mut self, due: Duration) {
        self.sent += 1;
        if let Some(phase) = self.phase_of(due) {
            phase.asked += 1;
        }
    }

    /// An ask is done. It counts for the phase in which it was due, and for the second in which it was done.
    pub(crate) fn answered(&mut self, exchange: &Exchange) {
        let name = exchange.outcome.name();
        self.done += 1;
        if outcome::is_trouble(name) {
            bump(&mut self.troubles, name);
        }
        let response_us = match self.phase_of(exchange.due) {
            Some(phase) => phase.answered(exchange),
            None => us(exchange.done.saturating_sub(exchange.due)),
        };
        if outcome::is_answer(name)
            && let Some(phase) = self.phase_of(exchange.done)
        {
            phase.answers += u64::from(phase.to.is_none_or(|to| exchange.done <= to));
        }
        if outcome::is_answer(name) {
            (self.answered_at, self.failed_in_a_row) = (exchange.done, 0);
        } else {
            self.failed_in_a_row += 1;
        }
        self.lately.answered(name, response_us, exchange.count);
        self.second(exchange.due, exchange.done).answered(name, response_us, exchange.count);
        self.count = self.count.max(exchange.count);
    }

    /// How things stand; what is counted lately begins anew.
    pub(crate) fn snapshot(&mut self, at: Duration) -> Snapshot {
        let lately = std::mem::replace(&mut self.lately, Bucket::new());
        let from = std::mem::replace(&mut self.snapshot_at, at);
        let answered = lately.outcomes.iter().filter(|(name, _)| outcome::is_answer(name));
        let quantile =
            |share| (!lately.response.is_empty()).then(|| lately.response.value_at_quantile(share));
        Snapshot {
            elapsed: at,
            lately: at.saturating_sub(from),
            phase: self
                .phases
                .last()
                .filter(|phase| phase.to.is_none())
                .map(|phase| phase.begun.name.clone()),
            due: lately.due,
            answered: answered.map(|(_, number)| number).sum(),
            p50: quantile(0.5),
            p99: quantile(0.99),
            others: lately.outcomes.into_iter().filter(|(name, _)| name != outcome::LEASE).collect(),
            troubles: self.troubles.clone(),
            behind: self.due.saturating_sub(self.sent),
            in_flight: self.sent.saturating_sub(self.done),
            count: self.count,
            unanswered: if self.failed_in_a_row == 0 {
                Duration::ZERO
            } else {
                at.saturating_sub(self.answered_at)
            },
            failed_in_a_row: self.failed_in_a_row,
        }
    }

    /// All that was counted. A phase that still goes on ends here.
    pub(crate) fn finish(mut self, at: Duration) -> Counted {
        self.end_phase(at);
        let second =
            |((at_unix_s, about), bucket): (_, Bucket)| bucket.finish(at_unix_s, about == About::Preparation);
        Counted {
            phases: self.phases.into_iter().map(|phase| phase.finish(at)).collect(),
            seconds: self.seconds.into_iter().map(second).collect(),
            count: self.count,
        }
    }

    /// The last phase that had begun when this ask was due. Phases are few.
    fn phase_of(&mut self, due: Duration) -> Option<&mut Running> {
        self.phases.iter_mut().rev().find(|phase| phase.from <= due)
    }

    /// What happened in the second of `at`, to asks that are about the same as one that was due then.
    fn second(&mut self, due: Duration, at: Duration) -> &mut Bucket {
        let at_unix_s = (self.began + at).unix_ms().div_euclid(1000);
        let until_due = self.phases.iter().take_while(|phase| phase.from <= due);
        let prepares =
            until_due.clone().next().is_some() && until_due.clone().all(|phase| phase.begun.prepares());
        let about = if prepares { About::Preparation } else { About::Run };
        self.seconds.entry((at_unix_s, about)).or_insert_with(Bucket::new)
    }
}

impl Begun {
    /// Whether it makes a fleet as fast as it can be made, for what comes after it.
    fn prepares(&self) -> bool {
        !self.open && !self.measured
    }
}

#[cfg(test)]
impl Begun {
    /// A measured phase.
    pub(crate) fn of(name: &str, pace: &str, open: bool) -> Begun {
        Begun { name: name.to_owned(), pace: pace.to_owned(), open, measured: true }
    }
}

#[cfg(test)]
mod tests {
    use super::stretch::LONGEST_US;
    use super::*;

    const BEGAN: Timestamp = Timestamp::from_unix_ms(1_700_000_000_600);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn counting(count: u64, threshold: u32) -> Counting {
        Counting { host_time: BEGAN, count, threshold }
    }

    fn tally(open: bool) -> Tally {
        let mut tally = Tally::new(BEGAN);
        tally.begin_phase(Begun::of("steady", "a pace", open), ms(0));
        tally
    }

    fn play(tally: &mut Tally, due: u64, sent: u64, done: u64, outcome: Outcome) {
        tally.due(ms(due));
        tally.sent(ms(due));
        let (due, sent, done) = (ms(due), ms(sent), ms(done));
        tally.answered(&Exchange { due, sent, done, outcome, count: Some(counting(7, 5)) });
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
            play(&mut tally, due, sent, done, Outcome::Lease);
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
        play(&mut tally, 999, 999, 1500, Outcome::Waiting);
        tally.begin_phase(Begun::of("after", "a pace", true), ms(1000));
        play(&mut tally, 1000, 1000, 1401, Outcome::Lease);
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
        play(&mut tally, 10, 10, 20, Outcome::Code("OVERLOADED".into()));
        tally.snapshot(ms(1000));
        play(&mut tally, 1100, 1100, 1104, Outcome::Lease);
        play(&mut tally, 1200, 1200, 1900, Outcome::Code("HOST_SILENT".into()));
        (0..3).for_each(|_| tally.due(ms(1950)));
        tally.sent(ms(1950));
        let shown = tally.snapshot(ms(2000));

        assert_eq!((shown.due, shown.answered, shown.in_flight, shown.behind), (5, 1, 1, 2));
        assert_eq!((shown.lately, shown.phase.as_deref()), (ms(1000), Some("steady")));
        assert!(shown.p50 < Some(4100) && Some(700_000) <= shown.p99, "{shown:?}");
        assert_eq!(shown.others, BTreeMap::from([("HOST_SILENT".into(), 1)]));
        let troubles = BTreeMap::from([("HOST_SILENT".into(), 1), ("OVERLOADED".into(), 1)]);
        assert_eq!((shown.troubles, shown.count), (troubles, Some(counting(7, 5))));
    }

    /// The busiest second of a Monday was that in which Friday's preparation ended.
    #[test]
    fn a_second_in_which_the_preparation_ends_tells_it_from_the_run() {
        let mut tally = Tally::new(BEGAN);
        tally.begin_phase(Begun { measured: false, ..Begun::of("friday", "a pace", false) }, ms(0));
        (0..900).for_each(|_| play(&mut tally, 500, 500, 510, Outcome::Lease));
        tally.begin_phase(Begun::of("morning", "a pace", true), ms(600));
        (0..100).for_each(|_| play(&mut tally, 700, 700, 710, Outcome::Lease));
        // One of the preparation that is answered late.
        play(&mut tally, 599, 599, 720, Outcome::Lease);
        let seconds = tally.finish(ms(800)).seconds;
        let found: Vec<_> =
            seconds.iter().map(|s| (s.at_unix_s % 10, s.prepares, s.due, s.outcomes["LEASE"])).collect();
        assert_eq!(found, [(1, true, 901, 901), (1, false, 100, 100)]);
    }

    #[test]
    fn the_count_is_that_of_the_answer_that_the_host_gave_last() {
        let mut tally = tally(true);
        let mut answered = |seconds: u64, count| {
            let count = Counting { host_time: BEGAN + Duration::from_secs(seconds), ..counting(count, 5) };
            let at = ms(100);
            tally.answered(&Exchange {
                due: at,
                sent: at,
                done: at,
                outcome: Outcome::Lease,
                count: Some(count),
            });
        };
        answered(9, 40);
        answered(3, 12);
        assert_eq!(tally.finish(ms(200)).count.map(|count| count.count), Some(40));
    }

    #[test]
    fn a_host_that_answers_nobody_is_told_from_one_that_nobody_asks() {
        let mut tally = tally(true);
        let at = |tally: &mut Tally, at_ms| {
            let shown = tally.snapshot(ms(at_ms));
            (shown.unanswered, shown.failed_in_a_row)
        };
        assert_eq!(at(&mut tally, 9000), (ms(0), 0), "nobody has asked");
        play(&mut tally, 9000, 9000, 9001, Outcome::Lease);
        play(&mut tally, 9500, 9500, 9501, Outcome::Code("HOST_UNREACHABLE".into()));
        assert_eq!(at(&mut tally, 12_001), (ms(3000), 1));
        play(&mut tally, 12_500, 12_500, 12_501, Outcome::Code("OVERLOADED".into()));
        assert_eq!(at(&mut tally, 13_000), (ms(0), 0), "a refusal is an answer");
        play(&mut tally, 13_000, 13_000, 13_001, Outcome::Code("HOST_SILENT".into()));
        tally.begin_phase(Begun::of("after", "a pace", true), ms(14_000));
        assert_eq!(at(&mut tally, 15_000), (ms(0), 0), "each phase begins anew");
    }

    #[test]
    fn times_that_make_no_sense_and_days_of_waiting_are_counted_and_break_nothing() {
        let mut tally = tally(true);
        play(&mut tally, 50, 40, 30, Outcome::Lease);
        play(&mut tally, 50, 50, 172_800_000, Outcome::Lease);
        let phase = tally.finish(ms(100)).phases.remove(0);
        assert_eq!(phase.response.0.keys().next(), Some(&0));
        let longest = phase.response.max().unwrap();
        assert!((LONGEST_US..LONGEST_US + LONGEST_US / 500).contains(&longest), "{longest}");
    }
}
