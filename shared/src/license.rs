//! The client's license state machine: what a product is told, when the machine asks, and what an answer changes.
//!
//! [`License`] is told what happened ([`License::step`]). It says what to do, when to look again ([`License::wake_at`]), and at any
//! instant where the product stands ([`License::state`]). It never waits and reads no clock. No state takes a function away from
//! the product: it has a notice level and a text, and that is all. `answer` decides which answers get here. `docs/protocol.md` 2,
//! 5 and 7.

mod by_account;
mod by_key;
mod state;

use alloc::string::String;
use core::time::Duration;

use crate::answer::{Lease, Refused, Waiting};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::time::Timestamp;

pub use self::by_account::AccountTerm;
pub use self::by_key::{ByKey, KeyTerm};
pub use self::state::{LicenseState, Notice};
pub use crate::answer::Term;

/// What the vendor compiles into the product, since no certificate has been seen when it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// From the first start until notices begin.
    pub grace: Duration,
    /// When an unlicensed machine asks again, until a certificate says otherwise.
    pub retry_interval: Duration,
}

impl Setup {
    /// The defaults: 25 days, 2 hours.
    pub const DEFAULT: Setup =
        Setup { grace: Duration::from_hours(25 * 24), retry_interval: Duration::from_hours(2) };
}

/// The clock tolerance of a machine that has seen no certificate.
const FIRST_TOLERANCE: Duration = Duration::from_hours(4);

/// No round follows another sooner than this, whatever an answer, a hint or a lease says. The numbers of a test certificate may
/// be shorter. What is to be done at once is done within the round.
const SHORTEST_WAIT: Duration = Duration::from_secs(5);

/// Lower limit even for a test certificate: a loop of asks helps nobody.
const SHORTEST_TEST_WAIT: Duration = Duration::from_millis(50);

/// What happened.
#[derive(Debug)]
pub enum Event<'a, T = Lease> {
    /// The agent looked at the clock: its timer fired, the machine woke, the product started.
    Woke,
    /// Somebody wants an ask now, whatever the timer says.
    Wanted,
    /// A lease was accepted.
    Leased(&'a T),
    /// A waiting was accepted, and no host gave a lease.
    Waited(&'a Waiting),
    /// A release was accepted, signed at this host time.
    Released(Timestamp),
    /// A refusal was believed, and no host gave anything better.
    Refused(&'a Refused),
    /// No host gave an answer that could be used.
    Failed {
        /// The code of the reason.
        code: &'a str,
        /// When a host asked to be asked again, without a signature: a hint, which never lengthens the machine's own step.
        ask_again: Option<Duration>,
    },
    /// A product key was entered that has confirmed nothing here: from now on the portal is asked for it, and no host. What another key
    /// has confirmed stays licensed until this one is confirmed.
    KeyEntered {
        /// Whether to ask the portal now, or when somebody wants it.
        at_once: bool,
    },
    /// The key whose confirmation is held was entered again, in place of one that waited to be confirmed.
    KeyEnteredAgain,
    /// The product key was taken away: from now on hosts are asked.
    KeyCleared,
    /// A confirmation was accepted.
    Confirmed(KeyTerm),
    /// The hardware is not the one that was confirmed.
    HardwareChanged,
    /// The hardware is the one that was confirmed again.
    HardwareRestored(KeyTerm),
    /// The portal has taken back the place of this machine. The key stays.
    GivenBack,
    /// A user lease was accepted. From now on the portal is asked for the next one, and what else licenses this machine rests.
    SignedIn(AccountTerm),
    /// Nobody is signed in any more. What else licenses this machine counts again.
    SignedOut,
}

/// A share of the jitter, drawn by the shell once for each event: from none of it (0) to all of it.
#[derive(Clone, Copy, Debug)]
pub struct Draw(pub u32);

impl Draw {
    /// `length`, earlier by up to a fifth. Never later: what a host or a back-off has promised is an upper bound, and a
    /// renewal that came late could leave the count window.
    pub fn earlier(self, length: Duration) -> Duration {
        let jitter = (length / 5).as_nanos() * u128::from(self.0) / u128::from(u32::MAX);
        length.saturating_sub(Duration::from_nanos(u64::try_from(jitter).unwrap_or(0)))
    }
}

/// When to ask: an instant that was drawn once and is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// At an instant.
    At {
        /// The instant.
        at: Timestamp,
        /// What the wall clock said when it was drawn.
        drawn_at: Timestamp,
    },
    /// Not before somebody wants it: the machine was released.
    Never,
}

/// What a license consists of besides its lease: all of it is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// When grace began.
    pub grace_began_at: Timestamp,
    /// Whether it has been restarted.
    pub grace_restarted: bool,
    /// Whether a signed refusal has said that this machine's clock was behind when grace began.
    pub grace_doubtful: bool,
    /// The latest time that this machine has believed.
    pub latest_seen: Timestamp,
    /// When to ask next.
    pub timer: Timer,
    /// Attempts that failed since the last lease.
    pub failures: u32,
    /// How many milliseconds the clock is ahead of a host that has refused it for that.
    pub clock_ahead_ms: Option<i64>,
    /// The code of the last refusal or failure; empty after a success.
    pub last_reason: String,
    /// Count and threshold of the last waiting, if that was the last answer.
    pub waiting: Option<(u64, u32)>,
    /// How far this machine has come with a product key, if one was entered.
    pub key: Option<ByKey>,
    /// Whether another key was entered since, and waits to be confirmed.
    pub other_key_waits: bool,
    /// The lease of the account that is signed in, ended or not.
    pub account: Option<AccountTerm>,
}

impl Facts {
    /// The facts at a first start: grace begins, and the first ask is due.
    pub const fn begin(now: Timestamp) -> Facts {
        Facts {
            grace_began_at: now,
            grace_restarted: false,
            grace_doubtful: false,
            latest_seen: now,
            timer: Timer::At { at: now, drawn_at: now },
            failures: 0,
            clock_ahead_ms: None,
            last_reason: String::new(),
            waiting: None,
            key: None,
            other_key_waits: false,
            account: None,
        }
    }
}

/// Where one product on one machine stands.
#[derive(Clone, Debug)]
pub struct License<T = Lease> {
    setup: Setup,
    retry_interval: Duration,
    tolerance: Duration,
    lease: Option<T>,
    facts: Facts,
    /// When what the key has activated was taken back. It follows from the revocation lists, and is not saved.
    revoked_at: Option<Timestamp>,
}

impl<T: Term> License<T> {
    /// The first start of a product on this machine: grace begins, and the first ask is due.
    pub fn begin(setup: Setup, now: Timestamp) -> License<T> {
        License::resume(setup, Facts::begin(now), None, None)
    }

    /// From what was saved. `seen` are the numbers of the last certificate, for a machine that holds no lease.
    pub fn resume(setup: Setup, facts: Facts, lease: Option<T>, seen: Option<&Policy>) -> License<T> {
        let retry_interval = seen.map_or(setup.retry_interval, |policy| policy.retry_interval);
        let tolerance = seen.map_or(FIRST_TOLERANCE, |policy| policy.clock_tolerance);
        let mut license = License { setup, retry_interval, tolerance, lease: None, facts, revoked_at: None };
        license.hold(lease);
        license
    }

    /// The same license with `lease` in place of its own.
    pub fn with<U: Term>(&self, lease: Option<U>) -> License<U> {
        let License { setup, retry_interval, tolerance, ref facts, revoked_at, .. } = *self;
        License { setup, retry_interval, tolerance, lease, facts: facts.clone(), revoked_at }
    }

    /// What is to be saved beside the lease.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The lease that is held, ended or not: what the next ask shows.
    pub fn lease(&self) -> Option<&T> {
        self.lease.as_ref()
    }

    /// Says from when on the confirmation that licenses this machine is taken back, if it is.
    pub fn set_revoked(&mut self, at: Option<Timestamp>) {
        self.revoked_at = at;
    }

    /// Where the product stands. Costs nothing, and needs nobody.
    pub fn state(&self, now: Timestamp) -> LicenseState {
        if let Some(account) = self.facts.account {
            return account.state(self.time(now), self.is_account_refused());
        }
        if let Some(by_key) = self.state_by_key(now) {
            return by_key;
        }
        let by_time = self.state_by_time(now);
        let Some(ahead_ms) = self.facts.clock_ahead_ms else {
            return by_time;
        };
        LicenseState::ClockWrong {
            by: Duration::from_millis(ahead_ms.unsigned_abs()),
            ahead: 0 <= ahead_ms,
            licensed_until: self.lease.as_ref().map(Term::expires_at).filter(|_| by_time.is_licensed()),
            notices: by_time.notice() == Notice::Warning,
        }
    }

    /// When to look again: the next ask, or the next change of state that time alone brings. A wall-clock instant; the
    /// agent re-checks the clock at every wake, and never sleeps longer than a few minutes.
    pub fn wake_at(&self, now: Timestamp) -> Timestamp {
        let ask_at = match self.facts.timer {
            Timer::At { at, .. } => at,
            Timer::Never => Timestamp::from_unix_ms(i64::MAX),
        };
        let now = self.time(now);
        let changes = match &self.lease {
            None => [self.grace_ends_at(); 3],
            Some(lease) => [overdue_at(lease), warning_at(lease), lease.expires_at()],
        };
        let by_key = self.facts.key.map(|key| key.changes(self.setup.grace)).into_iter().flatten().flatten();
        let by_account = self.facts.account.map(AccountTerm::changes).into_iter().flatten();
        let changes = changes.into_iter().chain(by_key).chain(by_account).chain(self.revoked_since());
        changes.filter(|change| now < *change).fold(ask_at, Timestamp::min)
    }

    /// Takes note of what happened. Returns whether to ask now: go through the hosts until one gives a lease, and tell what came of it.
    pub fn step(&mut self, now: Timestamp, event: Event<'_, T>, draw: Draw) -> bool {
        let clock_was_behind = now + self.tolerance < self.facts.latest_seen;
        self.facts.latest_seen = self.time(now);
        match event {
            Event::Woke => return self.is_due(now),
            Event::Wanted => return true,
            Event::Leased(lease) => {
                self.accepted(now, lease.issued_at());
                self.hold(Some(lease.clone()));
                self.facts.failures = 0;
                self.facts.waiting = None;
                let wait = renew_at(lease).since(lease.issued_at());
                self.ask_in(now, draw.earlier(wait), lease.policy().renew_retry);
            }
            Event::Waited(waiting) => {
                let policy = &waiting.chain.host().policy;
                (self.retry_interval, self.tolerance) = (policy.retry_interval, policy.clock_tolerance);
                self.accepted(now, waiting.header.host_time);
                self.facts.waiting = Some((waiting.count, waiting.threshold));
                self.facts.last_reason = Reason::CountBelowThreshold.code().into();
                let step = self.failed(now);
                // To a licensed machine this is a renewal that failed: a host that has lost its threshold must not be
                // asked by its whole fleet at the interval of unlicensed machines.
                let wait = if self.is_held(now) { step } else { waiting.ask_again.min(step) };
                self.ask_in(now, draw.earlier(wait), step);
            }
            Event::Released(host_time) => {
                self.accepted(now, host_time);
                self.retire();
            }
            Event::Refused(refused) => {
                self.facts.last_reason.clone_from(&refused.cause.code);
                if refused.cause.reason() == Some(Reason::ClockSkew) {
                    let ahead_ms = now.unix_ms().saturating_sub(refused.host_time.unix_ms());
                    self.facts.clock_ahead_ms = Some(ahead_ms);
                    // A clock that was set back since grace began says nothing about the clock that it began under.
                    self.facts.grace_doubtful |= ahead_ms < 0 && !clock_was_behind;
                } else if refused.cause.reason() != Some(Reason::HostClock) {
                    // A host looks at the clock before it refuses for anything else.
                    self.facts.clock_ahead_ms = None;
                }
                let step = self.failed(now);
                self.ask_in(now, draw.earlier(refused.ask_again.min(step)), step);
            }
            Event::Failed { code, ask_again } => {
                // A portal that is not reached takes back nothing of what it has said.
                if !self.is_account_refused() || is_refusal_of_account(code) {
                    self.facts.last_reason = code.into();
                }
                let step = self.failed(now);
                self.ask_in(now, draw.earlier(ask_again.map_or(step, |hint| hint.min(step))), step);
            }
            Event::KeyEntered { at_once } => {
                let held = self.facts.key.filter(|key| *key != ByKey::Entered);
                self.go_by_key(Some(held.unwrap_or(ByKey::Entered)));
                self.facts.other_key_waits = held.is_some();
                self.facts.timer = if at_once { Timer::At { at: now, drawn_at: now } } else { Timer::Never };
            }
            Event::KeyEnteredAgain => self.go_on_by_key(now, self.facts.key, draw),
            Event::KeyCleared => {
                self.go_by_key(None);
                self.facts.timer = Timer::At { at: now, drawn_at: now };
            }
            Event::Confirmed(term) => {
                // Only now is a clock that was ahead before found out.
                self.facts.latest_seen = now.max(term.confirmed_at);
                self.go_on_by_key(now, Some(ByKey::Confirmed(term)), draw);
            }
            Event::HardwareChanged => {
                let since = self.facts.latest_seen;
                self.look_at_hardware(now, ByKey::HardwareChanged { since }, draw);
            }
            Event::HardwareRestored(term) => self.look_at_hardware(now, ByKey::Confirmed(term), draw),
            Event::GivenBack => {
                self.go_by_key(Some(ByKey::Entered));
                self.retire();
            }
            Event::SignedIn(term) => {
                // As for a confirmation.
                self.facts.latest_seen = now.max(term.issued_at);
                self.start_anew();
                self.facts.account = Some(term);
                self.ask_in(now, draw.earlier(term.ask_in(now)), self.retry_interval);
            }
            Event::SignedOut => {
                self.facts.account = None;
                self.start_anew();
                match self.facts.key {
                    None => self.facts.timer = Timer::At { at: now, drawn_at: now },
                    // Its user may have wanted to activate it later.
                    Some(ByKey::Entered) => self.facts.timer = Timer::Never,
                    Some(_) if self.facts.other_key_waits => self.facts.timer = Timer::Never,
                    Some(key) => self.go_on_by_key(now, Some(key), draw),
                }
            }
        }
        if let Some(term) = self.facts.account.filter(|_| self.facts.timer == Timer::Never) {
            self.ask_in(now, draw.earlier(term.ask_in(now)), self.retry_interval);
        }
        false
    }

    /// Whether the portal has said that it renews the lease of the account no more.
    fn is_account_refused(&self) -> bool {
        self.facts.account.is_some() && is_refusal_of_account(&self.facts.last_reason)
    }

    /// Where the product stands by its key. Nothing if it goes by hosts, or if a lease licenses it until the key is confirmed.
    fn state_by_key(&self, now: Timestamp) -> Option<LicenseState> {
        let time = self.time(now);
        let state = |key: ByKey| key.state(time, self.grace_ends_at(), self.setup.grace);
        let key = self.facts.key?;
        if key != ByKey::Entered {
            let revoked = self.revoked_since().filter(|since| *since <= time);
            let held = revoked.map_or_else(|| state(key), |since| LicenseState::KeyRevoked { since });
            if !self.facts.other_key_waits || held.is_licensed() {
                return Some(held);
            }
        }
        (!self.is_held(now)).then(|| state(ByKey::Entered))
    }

    /// Since when a license by key is taken back. Other hardware is asked for again first.
    fn revoked_since(&self) -> Option<Timestamp> {
        self.revoked_at.filter(|_| matches!(self.facts.key, Some(ByKey::Confirmed(_))))
    }

    /// Continues with what a key has confirmed, and sets the time of the next ask.
    fn go_on_by_key(&mut self, now: Timestamp, key: Option<ByKey>, draw: Draw) {
        self.go_by_key(key);
        self.facts.timer = Timer::At { at: now, drawn_at: now };
        if let Some(ByKey::Confirmed(term)) = key {
            match term.ask_in(now) {
                Some(wait) => self.ask_in(now, draw.earlier(wait), self.retry_interval),
                None => self.facts.timer = Timer::Never,
            }
        }
    }

    /// Notes whether the hardware fits a confirmation. If another key waits, its user decides when the portal is asked.
    fn look_at_hardware(&mut self, now: Timestamp, key: ByKey, draw: Draw) {
        if self.facts.other_key_waits {
            self.facts.key = Some(key);
        } else {
            self.go_on_by_key(now, Some(key), draw);
        }
    }

    /// Goes on by this key, or by hosts.
    fn go_by_key(&mut self, key: Option<ByKey>) {
        self.facts.key = key;
        self.facts.other_key_waits = false;
        self.start_anew();
    }

    /// What went wrong before is no longer of interest.
    fn start_anew(&mut self) {
        self.facts.failures = 0;
        self.facts.waiting = None;
        self.facts.clock_ahead_ms = None;
        self.facts.last_reason.clear();
    }

    /// Holds nothing any more, and asks only if somebody wants it.
    fn retire(&mut self) {
        self.lease = None;
        self.facts.failures = 0;
        self.facts.waiting = None;
        self.facts.timer = Timer::Never;
    }

    /// Never earlier than the latest time that was believed: a clock that is set back lengthens nothing.
    fn time(&self, now: Timestamp) -> Timestamp {
        now.max(self.facts.latest_seen)
    }

    fn state_by_time(&self, now: Timestamp) -> LicenseState {
        let now = self.time(now);
        let Some(lease) = &self.lease else {
            let until = self.grace_ends_at();
            return if now < until {
                LicenseState::InGrace { until }
            } else {
                LicenseState::NeverActivated { since: until }
            };
        };
        let until = lease.expires_at();
        if until <= now {
            return LicenseState::Lapsed { since: until };
        }
        if warning_at(lease) <= now {
            return LicenseState::ExpiringSoon { until };
        }
        if overdue_at(lease) <= now {
            return LicenseState::RenewalOverdue { until, since: renew_at(lease) };
        }
        LicenseState::Licensed { until }
    }

    fn grace_ends_at(&self) -> Timestamp {
        self.facts.grace_began_at + self.setup.grace
    }

    /// Whether the timer has fired. One that was drawn under a clock that has been set back since is void: it could lie
    /// years ahead.
    fn is_due(&self, now: Timestamp) -> bool {
        match self.facts.timer {
            Timer::At { at, drawn_at } => at <= now || now + self.tolerance < drawn_at,
            Timer::Never => false,
        }
    }

    /// `step` is what the vendor's numbers say: only they may be shorter than the shortest wait.
    fn ask_in(&mut self, now: Timestamp, wait: Duration, step: Duration) {
        let shortest = SHORTEST_WAIT.min(step).max(SHORTEST_TEST_WAIT);
        self.facts.timer = Timer::At { at: now + wait.max(shortest), drawn_at: now };
    }

    /// Counts a failure and says when to try again at the latest. A licensed machine backs off, so that a host in
    /// trouble is not met by its whole fleet; an unlicensed one has nothing to back off from.
    fn failed(&mut self, now: Timestamp) -> Duration {
        self.facts.failures = self.facts.failures.saturating_add(1);
        if self.facts.key.is_some() || self.facts.account.is_some() {
            let first = self.retry_interval;
            return back_off(first, by_key::RETRY_MAX.max(first), self.facts.failures);
        }
        let Some(lease) = self.lease.as_ref().filter(|_| self.is_held(now)) else {
            return self.retry_interval;
        };
        back_off(lease.policy().renew_retry, lease.policy().renew_retry_max, self.facts.failures)
    }

    /// Whether a lease is held that has not ended.
    fn is_held(&self, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|lease| self.time(now) < lease.expires_at())
    }

    /// What every accepted answer brings: the right time, and with it the end of whatever was wrong with the clock.
    fn accepted(&mut self, now: Timestamp, host_time: Timestamp) {
        let began_ahead = host_time + self.tolerance < self.facts.grace_began_at;
        if (began_ahead || self.facts.grace_doubtful) && !self.facts.grace_restarted && self.lease.is_none() {
            self.facts.grace_began_at = now;
            self.facts.grace_restarted = true;
        }
        self.facts.grace_doubtful = false;
        self.facts.clock_ahead_ms = None;
        self.facts.latest_seen = host_time;
        self.facts.last_reason.clear();
    }

    fn hold(&mut self, lease: Option<T>) {
        if let Some(lease) = &lease {
            self.retry_interval = lease.policy().retry_interval;
            self.tolerance = lease.policy().clock_tolerance;
        }
        self.lease = lease;
    }
}

/// Whether a portal says with this code that it licenses no machine by the account any more.
fn is_refusal_of_account(code: &str) -> bool {
    [Reason::NotSignedIn, Reason::AccountNotLicensed].iter().any(|reason| reason.code() == code)
}

/// How long a licensed machine waits at the latest after so many failures in a row: it doubles with each, up to `longest`.
pub fn back_off(first: Duration, longest: Duration, failures: u32) -> Duration {
    first.saturating_mul(1 << failures.saturating_sub(1).min(31)).min(longest)
}

fn warning_at(lease: &impl Term) -> Timestamp {
    lease.expires_at() - lease.policy().expiry_warning
}

fn overdue_at(lease: &impl Term) -> Timestamp {
    renew_at(lease) + lease.policy().renew_retry_max
}

/// When the renewal is due. A host chooses between the shortest and the longest wait that the vendor allows a licensed machine:
/// a shorter wait would flood it with asks, and a longer one would let machines leave the count before they renew.
fn renew_at(lease: &impl Term) -> Timestamp {
    let (issued_at, policy) = (lease.issued_at(), lease.policy());
    let chosen = lease.renew_after().since(issued_at);
    issued_at + chosen.min(policy.renew_interval).max(policy.renew_retry)
}
