//! A host that doubts its own clock.
//!
//! A wrong clock at the host would age out everybody or nobody, and would refuse every machine for its own fault. So the
//! host compares its wall clock with its monotonic one, with the last commit of its ledger, and with what machines that it
//! knows say of the time. In doubt it counts nobody, ages nobody and signs no lease. [`HostClock`] is told what the
//! clocks say and what machines say; it reads nothing itself. `docs/protocol.md` 5.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::ids::MachineId;
use crate::time::{Length, Timestamp};

/// If the wall clock and the monotonic clock have moved apart by more than this, somebody has set the wall clock.
const PARTED: Duration = Duration::from_hours(1);

/// A host that starts before its last commit by more than this has a wrong clock, or had one.
const BEFORE_LAST_COMMIT: Duration = Duration::from_mins(5);

/// What a machine says of the time is forgotten after this, by the monotonic clock.
const WITNESS_LIFE: Duration = Duration::from_hours(1);

/// How many known machines decide; where fewer are known, all of them.
pub const QUORUM: u64 = 3;

/// How long a host in doubt asks machines to stay away.
pub const ASK_AGAIN: Duration = Duration::from_mins(1);

/// What both clocks said at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The wall clock.
    pub wall: Timestamp,
    /// The monotonic clock.
    pub monotonic: Duration,
}

/// How a machine's clock compares with the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// Within the tolerance.
    Agrees,
    /// The machine is ahead by more than the tolerance.
    Ahead,
    /// The machine is behind by more than the tolerance.
    Behind,
}

impl Skew {
    /// How a clock that says `machine` compares with one that says `host`. Exactly the tolerance agrees.
    pub fn of(machine: Timestamp, host: Timestamp, tolerance: Duration) -> Skew {
        if machine.apart(host) <= tolerance {
            return Skew::Agrees;
        }
        if host < machine { Skew::Ahead } else { Skew::Behind }
    }
}

/// Why a host doubts its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The wall clock moved and the monotonic one did not.
    Jumped {
        /// By how much.
        by: Duration,
        /// Whether it moved forward.
        forward: bool,
    },
    /// The host started before the last commit of its own ledger.
    BeforeLastCommit {
        /// That commit.
        last_commit: Timestamp,
    },
    /// The host started more than a whole window after the last commit of its own ledger.
    LongAfterLastCommit {
        /// That commit.
        last_commit: Timestamp,
    },
    /// Known machines are out in the same direction and none agrees.
    Outvoted {
        /// Whether the machines are ahead of the host.
        machines_ahead: bool,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Jumped { by, forward } => {
                write!(f, "it was set {} by {}", if *forward { "forward" } else { "back" }, Length(*by))
            }
            Doubt::BeforeLastCommit { last_commit } => {
                write!(f, "the host started before its ledger's last entry, {last_commit}")
            }
            Doubt::LongAfterLastCommit { last_commit } => {
                write!(
                    f,
                    "the host started more than a whole count window after its ledger's last entry, {last_commit}"
                )
            }
            Doubt::Outvoted { machines_ahead } => {
                write!(
                    f,
                    "known machines say that it is {}",
                    if *machines_ahead { "behind" } else { "ahead" }
                )
            }
        }
    }
}

/// A [`ClockReading`] that a [`HostClock`] has judged.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The wall clock.
    pub wall: Timestamp,
    /// The monotonic clock.
    pub monotonic: Duration,
    /// How many doubts had begun. What a machine said of the time in an earlier era says nothing about the clock of this
    /// one: asks are under way while a clock jumps.
    era: u64,
}

impl Moment {
    /// What both clocks said.
    pub fn reading(self) -> ClockReading {
        ClockReading { wall: self.wall, monotonic: self.monotonic }
    }
}

/// The host's judgement of its own clock.
#[derive(Debug)]
pub struct HostClock {
    /// Both clocks at the start, or when the last doubt ended: small steps add up from there.
    base: ClockReading,
    last: ClockReading,
    doubt: Option<Doubt>,
    era: u64,
    /// Until this instant, machines cannot outvote the administrator.
    confirmed_until: Duration,
    agreed_at: Option<Duration>,
    agreeing: Vec<MachineId>,
    ahead: Vec<(MachineId, Duration)>,
    behind: Vec<(MachineId, Duration)>,
}

impl HostClock {
    /// The clock at start-up. A new ledger has no last commit, and no doubt. `longest_window` is the longest of all products.
    pub fn start(now: ClockReading, last_commit: Option<Timestamp>, longest_window: Duration) -> HostClock {
        let doubt = last_commit.and_then(|last_commit| {
            if BEFORE_LAST_COMMIT < last_commit.since(now.wall) {
                return Some(Doubt::BeforeLastCommit { last_commit });
            }
            let late = longest_window < now.wall.since(last_commit);
            late.then_some(Doubt::LongAfterLastCommit { last_commit })
        });
        let (agreeing, ahead, behind) = (Vec::new(), Vec::new(), Vec::new());
        HostClock {
            base: now,
            last: now,
            doubt,
            era: 0,
            confirmed_until: Duration::ZERO,
            agreed_at: None,
            agreeing,
            ahead,
            behind,
        }
    }

    /// Why the clock is doubted, if it is.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// What the clocks say now. Notices when they have parted since the start, or since the last doubt ended.
    pub fn read(&mut self, now: ClockReading) -> Moment {
        self.last = now;
        let expected = self.base.wall + now.monotonic.saturating_sub(self.base.monotonic);
        let by = now.wall.apart(expected);
        if PARTED < by && self.doubt.is_none() {
            self.begin(Doubt::Jumped { by, forward: expected < now.wall });
        }
        Moment { wall: now.wall, monotonic: now.monotonic, era: self.era }
    }

    /// The time, without trust in the present wall clock: the wall clock at the start (or the ledger's last commit, if the start
    /// was doubted) plus the monotonic time since. So no machine gets older by the wall clock while that is in doubt.
    pub fn trusted(&self) -> Timestamp {
        let since = self.last.monotonic.saturating_sub(self.base.monotonic);
        let began_at = match self.doubt {
            Some(Doubt::BeforeLastCommit { last_commit } | Doubt::LongAfterLastCommit { last_commit }) => {
                last_commit
            }
            Some(Doubt::Jumped { .. } | Doubt::Outvoted { .. }) | None => self.base.wall,
        };
        began_at + since
    }

    /// Takes the vote of a machine that may vote (`count::may_vote`), formed at this moment; `known` is how many
    /// machines have an active record.
    ///
    /// Returns whether enough of them agree to end a doubt: the ledger then has to be settled at the wall clock, and
    /// the doubt [ended](HostClock::end) after that, so that nobody is counted in between.
    pub fn witness(&mut self, now: Moment, machine: MachineId, skew: Skew, known: u64) -> bool {
        if now.era != self.era {
            return false;
        }
        let quorum = usize::try_from(known.clamp(1, QUORUM)).unwrap_or(usize::MAX);
        match skew {
            Skew::Agrees => self.agrees(now.monotonic, machine, quorum),
            Skew::Ahead | Skew::Behind => {
                self.is_out(now.monotonic, machine, skew == Skew::Ahead, quorum);
                false
            }
        }
    }

    /// Ends the doubt of this moment, if it is still that one: enough machines agree, or the administrator says that the
    /// clock is right. The ledger has been settled. Returns the doubt that this ended.
    pub fn end(&mut self, now: Moment) -> Option<Doubt> {
        if now.era != self.era {
            return None;
        }
        self.forget();
        self.base = self.last;
        self.doubt.take()
    }

    /// The administrator says that the clock is right. For this long, machines that say otherwise are not heard: the machines that
    /// had outvoted it would do so again at once.
    pub fn confirm(&mut self, monotonic: Duration, holds_for: Duration) {
        self.confirmed_until = monotonic.saturating_add(holds_for);
    }

    fn agrees(&mut self, monotonic: Duration, machine: MachineId, quorum: usize) -> bool {
        self.agreed_at = Some(monotonic);
        if self.doubt.is_none() {
            self.ahead.clear();
            self.behind.clear();
            return false;
        }
        if !self.agreeing.contains(&machine) && self.agreeing.len() < quorum {
            self.agreeing.push(machine);
        }
        quorum <= self.agreeing.len()
    }

    fn is_out(&mut self, monotonic: Duration, machine: MachineId, ahead: bool, quorum: usize) {
        if monotonic < self.confirmed_until {
            return;
        }
        let lives = |at: Duration| monotonic.saturating_sub(at) < WITNESS_LIFE;
        let out = if ahead { &mut self.ahead } else { &mut self.behind };
        out.retain(|(other, at)| *other != machine && lives(*at));
        if out.len() == quorum {
            // No more than a quorum, the freshest: the list stays small however many ask.
            out.remove(0);
        }
        out.push((machine, monotonic));
        if quorum <= out.len() && !self.agreed_at.is_some_and(lives) && self.doubt.is_none() {
            self.begin(Doubt::Outvoted { machines_ahead: ahead });
        }
    }

    fn begin(&mut self, doubt: Doubt) {
        self.forget();
        self.era += 1;
        self.doubt = Some(doubt);
    }

    fn forget(&mut self) {
        self.agreed_at = None;
        self.agreeing.clear();
        self.ahead.clear();
        self.behind.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const HOUR: Duration = Duration::from_hours(1);
    const DAY: Duration = Duration::from_hours(24);
    const WINDOW: Duration = Duration::from_hours(30 * 24);

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_763_000_000_000 + hours * 3_600_000)
    }

    fn machine(number: u8) -> MachineId {
        MachineId::from_bytes([number; 16])
    }

    fn reading(wall: Timestamp, monotonic: Duration) -> ClockReading {
        ClockReading { wall, monotonic }
    }

    fn started(wall: Timestamp, last_commit: Option<Timestamp>) -> HostClock {
        HostClock::start(reading(wall, Duration::ZERO), last_commit, WINDOW)
    }

    /// A moment of this era.
    fn moment(clock: &HostClock, monotonic: Duration) -> Moment {
        Moment { wall: at(0), monotonic, era: clock.era }
    }

    /// A word of this era.
    fn witness(
        clock: &mut HostClock,
        monotonic: Duration,
        machine: MachineId,
        skew: Skew,
        known: u64,
    ) -> bool {
        clock.witness(moment(clock, monotonic), machine, skew, known)
    }

    /// What the host does when enough agree, or when the administrator says so.
    fn end(clock: &mut HostClock) -> Option<Doubt> {
        clock.end(moment(clock, HOUR))
    }

    #[test]
    fn a_new_ledger_has_no_doubt() {
        assert_eq!(started(at(0), None).doubt(), None);
    }

    #[test]
    fn a_start_before_the_last_commit_or_long_after_it_is_doubted() {
        let minutes = |n: u64| Duration::from_mins(n);
        assert_eq!(started(at(0), Some(at(0) + minutes(5))).doubt(), None);
        let doubt = started(at(0), Some(at(0) + minutes(5) + Duration::from_millis(1))).doubt();
        assert!(matches!(doubt, Some(Doubt::BeforeLastCommit { .. })));
        assert_eq!(started(at(0) + WINDOW, Some(at(0))).doubt(), None);
        let doubt = started(at(0) + WINDOW + minutes(1), Some(at(0))).doubt();
        assert!(matches!(doubt, Some(Doubt::LongAfterLastCommit { .. })));
    }

    #[test]
    fn clocks_that_part_by_more_than_an_hour_are_doubted_either_way() {
        for (wall, text) in [(at(2), None), (at(25), Some("forward by 23 h")), (at(-1), Some("back by 3 h"))]
        {
            let mut clock = started(at(0), None);
            clock.read(reading(wall, 2 * HOUR));
            let found = clock.doubt().map(|doubt| doubt.to_string());
            assert_eq!(found.as_deref(), text.map(|text| alloc::format!("it was set {text}")).as_deref());
        }
        let mut clock = started(at(0), None);
        clock.read(reading(at(1), Duration::ZERO));
        assert_eq!(clock.doubt(), None, "exactly an hour is not more than an hour");
    }

    #[test]
    fn three_known_machines_outvote_a_clock_unless_one_agrees() {
        let mut clock = started(at(0), None);
        witness(&mut clock, HOUR, machine(1), Skew::Behind, 100);
        witness(&mut clock, HOUR, machine(1), Skew::Behind, 100);
        witness(&mut clock, HOUR, machine(2), Skew::Behind, 100);
        witness(&mut clock, HOUR, machine(3), Skew::Ahead, 100);
        assert_eq!(
            clock.doubt(),
            None,
            "the same machine twice is one, and another direction is another matter"
        );
        witness(&mut clock, HOUR, machine(4), Skew::Behind, 100);
        assert_eq!(clock.doubt(), Some(Doubt::Outvoted { machines_ahead: false }));

        let mut clock = started(at(0), None);
        witness(&mut clock, Duration::ZERO, machine(9), Skew::Agrees, 100);
        for number in 1..=3 {
            witness(&mut clock, Duration::from_mins(59), machine(number), Skew::Behind, 100);
        }
        assert_eq!(clock.doubt(), None, "one has agreed in the last hour");
        witness(&mut clock, HOUR, machine(4), Skew::Behind, 100);
        assert!(clock.doubt().is_some(), "and its word has lapsed");
    }

    #[test]
    fn where_fewer_than_three_are_known_all_of_them_decide() {
        let mut clock = started(at(0), None);
        witness(&mut clock, HOUR, machine(1), Skew::Ahead, 2);
        assert_eq!(clock.doubt(), None);
        witness(&mut clock, HOUR, machine(2), Skew::Ahead, 2);
        assert!(clock.doubt().is_some());
        assert!(!witness(&mut clock, HOUR, machine(1), Skew::Agrees, 2));
        assert!(witness(&mut clock, HOUR, machine(2), Skew::Agrees, 2));
        assert!(end(&mut clock).is_some() && clock.doubt().is_none());
    }

    #[test]
    fn a_doubt_ends_when_three_agree_or_when_it_is_confirmed() {
        let mut clock = started(at(0), Some(at(24)));
        assert!(!witness(&mut clock, HOUR, machine(1), Skew::Agrees, 50));
        assert!(!witness(&mut clock, HOUR, machine(1), Skew::Agrees, 50));
        assert!(!witness(&mut clock, HOUR, machine(2), Skew::Agrees, 50));
        assert!(witness(&mut clock, HOUR, machine(3), Skew::Agrees, 50));
        assert!(clock.doubt().is_some(), "until the ledger is settled nobody is counted");
        assert!(end(&mut clock).is_some() && clock.doubt().is_none());

        let mut clock = started(at(0), Some(at(24)));
        assert_eq!(end(&mut clock), Some(Doubt::BeforeLastCommit { last_commit: at(24) }));
        assert_eq!((end(&mut clock), clock.doubt()), (None, None));
    }

    /// Three machines had outvoted the clock again right after the administrator had said that it was right.
    #[test]
    fn after_a_confirmation_nobody_outvotes_the_clock_for_a_day() {
        let mut clock = started(at(0), None);
        let mut outvoted = |monotonic| {
            for number in 1..=3 {
                witness(&mut clock, monotonic, machine(number), Skew::Ahead, 100);
            }
            let doubted = clock.doubt().is_some();
            end(&mut clock);
            clock.confirm(HOUR, DAY);
            doubted
        };
        assert!(outvoted(HOUR));
        assert!(!outvoted(HOUR));
        assert!(!outvoted((HOUR + DAY).saturating_sub(Duration::from_millis(1))));
        assert!(outvoted(HOUR + DAY), "then it is as before");
        clock.read(reading(at(3), HOUR));
        assert!(clock.doubt().is_some(), "a clock that jumps is doubted all the same");
    }

    #[test]
    fn the_tolerance_itself_agrees() {
        let tolerance = 4 * HOUR;
        assert_eq!(Skew::of(at(4), at(0), tolerance), Skew::Agrees);
        assert_eq!(Skew::of(at(4) + Duration::from_millis(1), at(0), tolerance), Skew::Ahead);
        assert_eq!(Skew::of(at(-4), at(0), tolerance), Skew::Agrees);
        assert_eq!(Skew::of(at(0) - DAY, at(0), tolerance), Skew::Behind);
    }

    /// Sixty machines were renewing when the clock was set back by ten hours. Their words, formed before, had ended the
    /// doubt at once, and for an hour nobody could outvote the clock.
    #[test]
    fn what_was_said_before_a_doubt_began_does_not_end_it() {
        let mut clock = started(at(0), None);
        let before = clock.read(reading(at(1), HOUR));
        let after = clock.read(reading(at(-9), HOUR));
        assert!(clock.doubt().is_some());
        for number in 1..=3 {
            assert!(!clock.witness(before, machine(number), Skew::Agrees, 60));
        }
        assert_eq!((clock.end(before), clock.doubt().is_some()), (None, true));
        assert!(!clock.witness(after, machine(4), Skew::Agrees, 60), "one is not three");
    }

    #[test]
    fn small_steps_add_up_and_the_end_of_a_doubt_begins_anew() {
        let mut clock = started(at(0), None);
        clock.read(reading(at(0) + Duration::from_mins(59), Duration::ZERO));
        assert_eq!(clock.doubt(), None);
        clock.read(reading(at(0) + Duration::from_mins(61), Duration::ZERO));
        assert!(clock.doubt().is_some());
        assert!(end(&mut clock).is_some());
        clock.read(reading(at(2), Duration::ZERO));
        assert_eq!(clock.doubt(), None, "from 61 minutes to 120");
    }

    #[test]
    fn the_freshest_words_count() {
        let mut clock = started(at(0), None);
        for (minute, number) in [(0, 1), (40, 2), (50, 3), (70, 4)] {
            // One agrees at first, so that nothing is decided before the 70th minute.
            if minute == 0 {
                witness(&mut clock, Duration::from_mins(10), machine(9), Skew::Agrees, 100);
            }
            witness(&mut clock, Duration::from_mins(minute), machine(number), Skew::Behind, 100);
        }
        assert!(clock.doubt().is_some(), "the machines of minutes 40, 50 and 70");
    }
}
