//! Scripts for one machine's license: at which time of its clock what happened, and where that leaves it.
//!
//! A line of a script is `<time> <what> [<word>=<time>]..`; times count from the first start and are sums like `25d-1s`.
//! `host=` is the host's clock where it differs, `draw=` the share of jitter in hundredths, `again=` what an answer says,
//! `hint=` what a failure says, `renew=` how long after its beginning a lease is to be renewed, and `term=` how long a confirmation
//! licenses.
//! A line of the outcome is the time, what to do, the state, and when the machine asks and looks again. The scripts are in
//! `license_stories`.

use core::time::Duration;
use std::fmt::Write;

use expect_test::Expect;
use shared::answer::{self, Received, Verdict};
use shared::ask::AskKind;
use shared::envelope::Kind;
use shared::license::{AccountTerm, Draw, Event, KeyTerm, License, LicenseState, Setup, Timer};
use shared::policy::Policy;
use shared::reason::{Cause, Reason};
use shared::time::Timestamp;

use crate::kit::{self, DAY, NOW};

pub(crate) fn check(script: &str, expected: Expect) {
    let mut story = Story::begin();
    let mut told = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        told += &story.line(line);
        told.push('\n');
    }
    expected.assert_eq(&told);
}

/// What an answer says of the next ask, where that is not what the numbers say.
struct Waits {
    again: Option<Duration>,
    renew: Option<Duration>,
}

struct Story {
    license: License,
    serial: u64,
}

impl Story {
    fn begin() -> Story {
        Story { license: License::begin(Setup::DEFAULT, NOW), serial: 0 }
    }

    fn line(&mut self, line: &str) -> String {
        let mut words = line.split_whitespace();
        let (time, what) = (words.next().unwrap(), words.next().unwrap());
        let now = instant(time);
        let word = |name: &str| {
            let mut words = line.split_whitespace();
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        let host_time = word("host").map_or(now, |host| instant(&host));
        let length =
            |name| word(name).map(|length| Duration::from_millis(length_ms(&length).try_into().unwrap()));
        let waits = Waits { again: length("again"), renew: length("renew") };
        let share: u32 = word("draw").map_or(0, |draw| draw.parse().unwrap());
        let draw = Draw(if share == 100 { u32::MAX } else { u32::MAX / 100 * share });
        let asks_now = match what {
            "look" => false,
            "woke" => self.license.step(now, Event::Woke, draw),
            "wanted" => self.license.step(now, Event::Wanted, draw),
            "failed" => self.license.step(
                now,
                Event::Failed {
                    code: &word("code").unwrap_or_else(|| Reason::HostSilent.code().into()),
                    ask_again: length("hint"),
                },
                draw,
            ),
            "entered" => self.license.step(now, Event::KeyEntered { at_once: true }, draw),
            "entered-for-later" => self.license.step(now, Event::KeyEntered { at_once: false }, draw),
            "entered-again" => self.license.step(now, Event::KeyEnteredAgain, draw),
            "cleared" => self.license.step(now, Event::KeyCleared, draw),
            "other-hardware" => self.license.step(now, Event::HardwareChanged, draw),
            "hardware-back" => {
                let not_after = length("term").map(|term| host_time + term);
                let term = KeyTerm { confirmed_at: host_time, not_after };
                self.license.step(now, Event::HardwareRestored(term), draw)
            }
            "revoked" => {
                self.license.set_revoked(Some(now));
                false
            }
            "signed-in" => {
                let (renew, term) = (length("renew").unwrap_or(DAY), length("term").unwrap_or(30 * DAY));
                let (renew_after, not_after) = (host_time + renew, host_time + term);
                let term = AccountTerm { issued_at: host_time, renew_after, not_after };
                self.license.step(now, Event::SignedIn(term), draw)
            }
            "signed-out" => self.license.step(now, Event::SignedOut, draw),
            "given-back" => self.license.step(now, Event::GivenBack, draw),
            "confirmed" => {
                let not_after = length("term").map(|term| host_time + term);
                let term = KeyTerm { confirmed_at: host_time, not_after };
                self.license.step(now, Event::Confirmed(term), draw)
            }
            answer => {
                let verdict = self.answered(answer, now, host_time, &waits);
                let event = match &verdict {
                    Ok(Verdict::Leased(lease)) => Event::Leased(lease.as_ref()),
                    Ok(Verdict::Waiting(waiting)) => Event::Waited(waiting),
                    Ok(Verdict::Released(header)) => Event::Released(header.host_time),
                    Ok(Verdict::Refused(refused)) => Event::Refused(refused),
                    Err(code) => Event::Failed { code, ask_again: None },
                };
                self.license.step(now, event, draw)
            }
        };
        self.tell(line, now, asks_now)
    }

    /// Composes, signs, opens and judges an answer, as host and machine would.
    fn answered(
        &mut self,
        what: &str,
        now: Timestamp,
        host_time: Timestamp,
        waits: &Waits,
    ) -> Result<Verdict, String> {
        let mut expected = kit::expected();
        expected.serial = self.serial;
        let header = kit::header(&expected, host_time);
        let mut policy = Policy::CLIENT;
        policy.retry_interval = waits.again.unwrap_or(policy.retry_interval);
        let mut certificate = kit::certificate();
        // Some stories live for years.
        certificate.not_before = host_time - DAY;
        certificate.not_after = host_time + 365 * DAY;
        let chain = kit::chain_of(&certificate);
        let answer = match what {
            "leased" => {
                let mut lease = kit::lease(&header, &policy);
                let renew_after = waits.renew.map(|renew| (host_time + renew).unix_ms());
                lease.renew_after = renew_after.unwrap_or(lease.renew_after);
                kit::answer(chain.encoded(), Kind::Lease, &lease)
            }
            "waiting" => {
                let waiting = answer::compose_waiting(&header, &policy, 7);
                kit::answer(chain.encoded(), Kind::Waiting, &waiting)
            }
            "released" => {
                expected.kind = AskKind::Release;
                kit::answer(chain.encoded(), Kind::Released, &answer::compose_released(&header))
            }
            code => {
                let reason = Reason::from_code(code).unwrap_or_else(|| panic!("no reason {code}"));
                let cause = Cause::from(reason);
                let refusal = answer::compose_refusal(&header, &cause, policy.retry_interval);
                kit::answer(chain.encoded(), Kind::Refusal, &refusal)
            }
        };
        let received = Received::open(&answer, None, &kit::roots()).unwrap();
        let verdict = received.judge(&expected, now).map_err(|error| error.cause(&"host").code)?;
        if !matches!(verdict, Verdict::Refused(_)) {
            self.serial += 1;
        }
        Ok(verdict)
    }

    fn tell(&self, line: &str, now: Timestamp, asks_now: bool) -> String {
        let asks = match self.license.facts().timer {
            Timer::At { at, .. } => relative(at),
            Timer::Never => "never".into(),
        };
        let mut told = format!("{line}: ");
        if asks_now {
            told += "ASK, ";
        }
        let state = self.license.state(now);
        write!(told, "{} ({:?})", describe(state), state.notice()).unwrap();
        let looks = relative(self.license.wake_at(now));
        if looks == asks {
            write!(told, "; asks {asks}").unwrap();
        } else {
            write!(told, "; asks {asks}, looks {looks}").unwrap();
        }
        told
    }
}

fn describe(state: LicenseState) -> String {
    match state {
        LicenseState::InGrace { until } => format!("in grace until {}", relative(until)),
        LicenseState::Licensed { until } => format!("licensed until {}", relative(until)),
        LicenseState::RenewalOverdue { until, since } => {
            format!("overdue since {}, licensed until {}", relative(since), relative(until))
        }
        LicenseState::ExpiringSoon { until } => format!("expiring at {}", relative(until)),
        LicenseState::Lapsed { since } => format!("lapsed since {}", relative(since)),
        LicenseState::NeverActivated { since } => {
            format!("never activated, grace over since {}", relative(since))
        }
        LicenseState::ClockWrong { by, ahead, licensed_until, .. } => {
            let direction = if ahead { "ahead" } else { "behind" };
            let licensed = licensed_until
                .map_or("not licensed".into(), |until| format!("licensed until {}", relative(until)));
            format!("clock {direction} by {}, {licensed}", relative(NOW + by))
        }
        LicenseState::LicensedWithoutEnd => "licensed without end".into(),
        LicenseState::KeyEntered { .. } => "key entered".into(),
        LicenseState::LicensedByKey { until } => format!("licensed by key until {}", relative(until)),
        LicenseState::KeyEndsSoon { until } => format!("key ends at {}", relative(until)),
        LicenseState::KeyEnded { since } => format!("key ended at {}", relative(since)),
        LicenseState::LicensedByAccount { until } => format!("licensed by account until {}", relative(until)),
        LicenseState::AccountEndsSoon { until } => format!("account ends soon, at {}", relative(until)),
        LicenseState::AccountEnded { since } => format!("account ended at {}", relative(since)),
        LicenseState::KeyRevoked { since } => format!("revoked since {}", relative(since)),
        LicenseState::HardwareChanged { since, .. } => {
            let licensed = if state.is_licensed() { "licensed" } else { "not licensed" };
            format!("other hardware since {}, {licensed}", relative(since))
        }
        other => panic!("no story has a word for {other}"),
    }
}

const UNITS: [(&str, i64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)];

fn instant(text: &str) -> Timestamp {
    Timestamp::from_unix_ms(NOW.unix_ms() + length_ms(text))
}

/// `25d-1s` in milliseconds; `0` needs no unit.
fn length_ms(text: &str) -> i64 {
    let mut sum = 0;
    let mut rest = text;
    while !rest.is_empty() && rest != "0" {
        let number_end = rest.find(char::is_alphabetic).unwrap();
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit).unwrap();
        sum += number.parse::<i64>().unwrap() * ms;
        rest = after;
    }
    sum
}

/// The inverse of [`instant`].
fn relative(at: Timestamp) -> String {
    let mut rest = i128::from(at.unix_ms()) - i128::from(NOW.unix_ms());
    let mut told = String::from(if rest < 0 { "-" } else { "" });
    rest = rest.abs();
    if rest == 0 {
        return "0".into();
    }
    for (unit, ms) in UNITS {
        let (count, left) = (rest / i128::from(ms), rest % i128::from(ms));
        if 0 < count {
            let plus = if told.is_empty() || told == "-" { "" } else { "+" };
            write!(told, "{plus}{count}{unit}").unwrap();
        }
        rest = left;
    }
    told
}
