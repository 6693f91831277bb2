//! How a device signs in for a person: RFC 8628, the device authorization grant.
//!
//! The device shows a short code and asks every few seconds whether somebody has typed it at the portal. A code works once, for 15 minutes,
//! and a device that asks too often is told to slow down.

use std::fmt;
use std::time::Duration;

use shared::time::Timestamp;

use crate::PersonId;

/// How long a code can be typed.
pub const CODE_FOR: Duration = Duration::from_mins(15);

/// How long a device waits between two questions, at first.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// By how much longer it waits when it asked too soon (RFC 8628, 3.5).
pub const SLOWER_BY: Duration = Duration::from_secs(5);

/// How many codes of one source can wait to be typed: an office behind one address signs in in the morning.
const OPEN_OF_A_SOURCE: u64 = 50;

/// How many codes can wait to be typed in all.
const OPEN_IN_ALL: u64 = 100_000;

/// Whether another code can be made beside those that wait to be typed.
pub const fn can_open(of_the_source: u64, in_all: u64) -> bool {
    of_the_source < OPEN_OF_A_SOURCE && in_all < OPEN_IN_ALL
}

/// Consonants without Y. They spell no word, and no digit looks like one of them (RFC 8628, 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// A code that somebody types: eight consonants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UserCode([u8; 8]);

impl UserCode {
    /// One of 25,600,000,000, by a random number.
    pub fn of_random(random: u64) -> UserCode {
        let mut rest = random;
        UserCode([(); 8].map(|()| {
            let letter = LETTERS[(rest % 20) as usize];
            rest /= 20;
            letter
        }))
    }

    /// What somebody has typed, in any case, with or without dashes and spaces. None if it cannot be a code.
    pub fn read(typed: &str) -> Option<UserCode> {
        let typed = typed.chars().filter(|letter| letter.is_alphanumeric());
        let letters = typed.map(|letter| {
            let letter = u8::try_from(letter).ok()?.to_ascii_uppercase();
            LETTERS.contains(&letter).then_some(letter)
        });
        letters.take(9).collect::<Option<Vec<u8>>>()?.try_into().ok().map(UserCode)
    }

    /// Its letters.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

/// `BCDF-GHJK`.
impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(4);
        write!(f, "{}-{}", first.escape_ascii(), second.escape_ascii())
    }
}

/// Whoever reads a log lets nobody in.
impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(..)")
    }
}

/// What was decided about a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// Nothing yet.
    Nothing,
    /// This person has signed in and let the device in.
    Approved(PersonId),
    /// Somebody said no.
    Denied,
    /// The device has had its answer.
    Used,
}

/// A code that a device shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignInCode {
    /// When it was made.
    pub made_at: Timestamp,
    /// How long the device waits between two questions now.
    pub interval: Duration,
    /// When it asked last.
    pub asked_at: Option<Timestamp>,
    /// What was decided.
    pub decided: Decided,
}

/// The answer to a device. Each but the first is an error of RFC 8628 or RFC 6749.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// It is in, for this person. The code is used up.
    In(PersonId),
    /// Ask again.
    Pending,
    /// Ask again, and wait longer from now on.
    SlowDown,
    /// Somebody said no.
    Denied,
    /// Nobody typed the code in time.
    Expired,
    /// The code was used before.
    Used,
}

impl Polled {
    /// The error in the answer.
    pub const fn error(self) -> Option<&'static str> {
        match self {
            Polled::In(_) => None,
            Polled::Pending => Some("authorization_pending"),
            Polled::SlowDown => Some("slow_down"),
            Polled::Denied => Some("access_denied"),
            Polled::Expired => Some("expired_token"),
            Polled::Used => Some("invalid_grant"),
        }
    }
}

impl SignInCode {
    /// A new one.
    pub const fn new(made_at: Timestamp) -> SignInCode {
        SignInCode { made_at, interval: INTERVAL, asked_at: None, decided: Decided::Nothing }
    }

    /// Whether somebody can still say yes or no to it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.decided == Decided::Nothing && now < self.made_at + CODE_FOR
    }

    /// The device asks. Returns the answer, and the code as it is stored from now on.
    pub fn poll(self, now: Timestamp) -> (Polled, SignInCode) {
        let answer = match self.decided {
            Decided::Used => Polled::Used,
            Decided::Denied => Polled::Denied,
            _ if self.made_at + CODE_FOR <= now => Polled::Expired,
            // One second of tolerance for clocks and networks.
            _ if self
                .asked_at
                .is_some_and(|asked_at| now + Duration::from_secs(1) < asked_at + self.interval) =>
            {
                Polled::SlowDown
            }
            Decided::Approved(person) => Polled::In(person),
            Decided::Nothing => Polled::Pending,
        };
        let mut kept = SignInCode { asked_at: Some(now), ..self };
        match answer {
            Polled::In(_) => kept.decided = Decided::Used,
            Polled::SlowDown => kept.interval += SLOWER_BY,
            _ => {}
        }
        (answer, kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);
    const PERSON: PersonId = PersonId::from_bytes([1; 16]);

    fn at(seconds: u64) -> Timestamp {
        MADE + Duration::from_secs(seconds)
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = UserCode::of_random(u64::MAX);
        let shown = code.to_string();
        let with = |between| shown.replace('-', between);
        for typed in [shown.clone(), shown.to_lowercase(), with(" "), with(""), with("\u{2013}")] {
            assert_eq!(UserCode::read(&typed), Some(code), "{typed}");
        }
        for typed in ["", "BCDF-GHJ", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJ1", "BCDF-GHJ\u{24b7}"] {
            assert_eq!(UserCode::read(typed), None, "{typed}");
        }
        assert_eq!(UserCode::of_random(0).to_string(), "BBBB-BBBB");
        assert!(can_open(49, 99_999) && !can_open(50, 50) && !can_open(0, 100_000));
    }

    #[test]
    fn a_code_lets_one_device_in_once() {
        let (answer, code) = SignInCode::new(MADE).poll(at(5));
        assert_eq!(answer, Polled::Pending);
        let code = SignInCode { decided: Decided::Approved(PERSON), ..code };
        let (answer, code) = code.poll(at(10));
        assert_eq!(answer, Polled::In(PERSON));
        assert_eq!(code.poll(at(15)).0, Polled::Used);
    }

    #[test]
    fn a_device_that_asks_too_often_waits_longer_each_time() {
        let (_, code) = SignInCode::new(MADE).poll(at(0));
        let (answer, code) = code.poll(at(2));
        assert_eq!((answer, code.interval), (Polled::SlowDown, Duration::from_secs(10)));
        let (answer, code) = code.poll(at(8));
        assert_eq!((answer, code.interval), (Polled::SlowDown, Duration::from_secs(15)));
        assert_eq!(code.poll(at(23)).0, Polled::Pending);
        // An approval is no reason to ask at once.
        let approved = SignInCode { decided: Decided::Approved(PERSON), ..code };
        assert_eq!(approved.poll(at(9)).0, Polled::SlowDown);
    }

    #[test]
    fn a_code_expires_after_fifteen_minutes() {
        let code = SignInCode::new(MADE);
        assert!(code.is_open(at(899)) && !code.is_open(at(900)));
        assert_eq!(code.poll(at(900)).0, Polled::Expired);
        let late = SignInCode { decided: Decided::Approved(PERSON), ..code };
        assert_eq!(
            late.poll(at(900)).0,
            Polled::Expired,
            "a device that did not ask in time asks for a new one"
        );
        assert_eq!(SignInCode { decided: Decided::Denied, ..code }.poll(at(5)).0, Polled::Denied);
    }

    #[test]
    fn each_error_is_one_that_a_client_of_the_standard_knows() {
        let all = [Polled::Pending, Polled::SlowDown, Polled::Denied, Polled::Expired, Polled::Used];
        let errors = all.map(|answer| answer.error().unwrap());
        assert_eq!(
            errors,
            ["authorization_pending", "slow_down", "access_denied", "expired_token", "invalid_grant"]
        );
        assert_eq!(Polled::In(PERSON).error(), None);
    }
}
