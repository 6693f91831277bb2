//! What a product key gives: who gets a place or a certificate, and how many.
//!
//! Read next: `machines`, who gets a place of a multiple-activation key; `releases`, how a place is given back; `hosts`, what a host key
//! gives; `calls`, the days of a host by codes; `granted`, how much was granted.

pub mod calls;
pub mod granted;
pub mod hosts;
pub mod machines;
pub mod releases;

use std::time::Duration;

use shared::ids::Nonce;
use shared::reason::{Cause, Reason};
use shared::time::{Length, Timestamp};

/// How long a host certificate is valid, if neither its key nor the issuing certificate ends before.
pub const HOST_VALIDITY: Duration = Duration::from_hours(365 * 24);

/// Whether a key still licenses anybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// Whether the vendor has blocked it: it was stolen or refunded.
    pub blocked: bool,
    /// When the vendor has revoked it with all that it has activated, if so.
    pub revoked_at: Option<Timestamp>,
    /// The first instant at which it licenses nobody any more; none where it has no end.
    pub ends_at: Option<Timestamp>,
}

impl Validity {
    /// Whether the key may be used at this instant.
    ///
    /// # Errors
    /// [`KeyRefusal::Blocked`], [`KeyRefusal::Revoked`] or [`KeyRefusal::Ended`].
    pub fn check(&self, now: Timestamp) -> Result<(), KeyRefusal> {
        if self.blocked {
            return Err(KeyRefusal::Blocked);
        }
        if let Some(at) = self.revoked_at {
            return Err(KeyRefusal::Revoked { at });
        }
        match self.ends_at {
            Some(ends_at) if ends_at <= now => Err(KeyRefusal::Ended { ends_at }),
            _ => Ok(()),
        }
    }
}

/// Which ask of a host or a machine this is (protocol.md 11). The asker's clock was not ahead when the portal got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    nonce: Nonce,
    asked_at: Timestamp,
}

/// How far the asker's clock may be ahead of the portal's. What is kept of an ask refuses every one that is not later, so without a limit
/// a clock that was ahead once would lock its machine or host out for as long.
const AHEAD_MAX: Duration = Duration::from_hours(4);

impl Asked {
    /// An ask that the portal gets now. An ask by file may be weeks old, so a clock that is behind is no fault.
    ///
    /// # Errors
    /// [`KeyRefusal::ClockAhead`]: the asker's clock is ahead of the portal's.
    pub fn new(nonce: Nonce, asked_at: Timestamp, now: Timestamp) -> Result<Asked, KeyRefusal> {
        if asked_at <= now + AHEAD_MAX {
            return Ok(Asked { nonce, asked_at });
        }
        Err(KeyRefusal::ClockAhead { by: asked_at.since(now), now })
    }

    /// An ask of before, as it was stored.
    pub const fn kept(nonce: Nonce, asked_at: Timestamp) -> Asked {
        Asked { nonce, asked_at }
    }

    /// Its name. Who repeats an ask repeats it.
    pub fn nonce(self) -> Nonce {
        self.nonce
    }

    /// The asker's clock when it was made. It is compared with the asker's own earlier asks only.
    pub fn asked_at(self) -> Timestamp {
        self.asked_at
    }

    /// Whether this is a later ask than this last one of the same asker, or that one again.
    ///
    /// # Errors
    /// [`KeyRefusal::Replayed`]: somebody has recorded it.
    pub fn check_not_before(self, last: Asked) -> Result<(), KeyRefusal> {
        if self == last { Ok(()) } else { self.check_later(Some(last.asked_at)) }
    }

    /// Whether this is a later ask than the last one that was heard of the same asker.
    ///
    /// # Errors
    /// [`KeyRefusal::Replayed`]: somebody has recorded it.
    fn check_later(self, last_asked_at: Option<Timestamp>) -> Result<(), KeyRefusal> {
        match last_asked_at {
            Some(last) if self.asked_at <= last => Err(KeyRefusal::Replayed),
            _ => Ok(()),
        }
    }
}

/// Why a key did not give what it was asked for. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefusal {
    /// There is no such key, or it is for another product. Both look the same, so that nobody can search for keys.
    #[error("no such key is known for this product")]
    Unknown,
    /// The vendor has blocked it.
    #[error("the key is blocked")]
    Blocked,
    /// Its term is over.
    #[error("the key has ended at {ends_at}")]
    Ended {
        /// When it ended.
        ends_at: Timestamp,
    },
    /// Every place is taken by another machine.
    #[error("{used} of {granted} machines of the key are activated")]
    Exhausted {
        /// How many machines have a place.
        used: u64,
        /// How many may.
        granted: u64,
    },
    /// Every host that the key is for is another one.
    #[error("all {hosts} hosts of the key are activated")]
    HostsExhausted {
        /// How many hosts the key is for.
        hosts: u64,
    },
    /// This host was activated as often as the key allows.
    #[error("this host was activated {activations} times, as often as the key allows")]
    ActivationsExhausted {
        /// How often the key may activate a host.
        activations: u64,
    },
    /// Machines have given back as many places as they may in a year.
    #[error("{released} places of the key were given back within a year, as many as may be ({releases})")]
    ReleasesExhausted {
        /// How many were given back in the last year.
        released: u64,
        /// How many may be.
        releases: u64,
    },
    /// A later ask was heard from the same host or machine: somebody has recorded this one, or the asker's clock was set back.
    #[error("a later ask was heard before")]
    Replayed,
    /// The vendor has taken back the host, or the place of the machine.
    #[error("it was revoked at {at}")]
    Revoked {
        /// From when on it is not believed.
        at: Timestamp,
    },
    /// The asker's clock is ahead: whatever was signed for it would be out of time there.
    #[error("the asker's clock is {} ahead", Length(*by))]
    ClockAhead {
        /// By how much.
        by: Duration,
        /// The portal's clock.
        now: Timestamp,
    },
    /// A host that renews, or a machine that gives its place back, was never activated here.
    #[error("it was not activated here")]
    NotActivatedHere,
    /// The host's ledger counts in other hours than those of the clock, and the product is not for tests.
    #[error("the host counts in hours of another width, which only a product for tests allows")]
    HourWidth,
    /// The portal's issuing certificate may not sign this: it has ended, or is for other products.
    #[error("the portal's issuing certificate cannot sign this")]
    IssuerEnded,
}

impl KeyRefusal {
    /// The reason that the asker is told.
    pub fn cause(&self) -> Cause {
        match self {
            KeyRefusal::Unknown => Reason::KeyUnknown.into(),
            KeyRefusal::Blocked => Reason::KeyBlocked.into(),
            KeyRefusal::Ended { ends_at } => Reason::KeyEnded.with(&[("ended_at", ends_at)]),
            KeyRefusal::Exhausted { used, granted } => {
                Reason::KeyExhausted.with(&[("used", used), ("granted", granted)])
            }
            KeyRefusal::HostsExhausted { hosts } => Reason::HostsExhausted.with(&[("hosts", hosts)]),
            KeyRefusal::ActivationsExhausted { activations } => {
                Reason::ActivationsExhausted.with(&[("activations", activations)])
            }
            KeyRefusal::ReleasesExhausted { releases, .. } => {
                Reason::ReleasesExhausted.with(&[("releases", releases)])
            }
            KeyRefusal::Replayed => Reason::Replayed.into(),
            KeyRefusal::Revoked { at } => Reason::Revoked.with(&[("at", at)]),
            KeyRefusal::ClockAhead { by, now } => Reason::ClockAhead.with(&[
                ("by", &Length(*by)),
                ("tolerance", &Length(AHEAD_MAX)),
                ("portal_time", now),
            ]),
            KeyRefusal::NotActivatedHere => Reason::NotActivatedHere.into(),
            KeyRefusal::HourWidth => Reason::Malformed.with(&[("cause", self)]),
            KeyRefusal::IssuerEnded => Reason::IssuerEnded.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One ask with a clock that was months ahead took a place, and made every later ask a recorded one, for as long.
    #[test]
    fn an_ask_from_a_clock_that_is_ahead_is_refused_and_an_old_one_is_taken() {
        let (now, nonce) = (Timestamp::from_unix_ms(1_800_000_000_000), Nonce::from_bytes([7; 16]));
        let told = |asked_at| Asked::new(nonce, asked_at, now).map_err(|refused| refused.to_string());
        for asked_at in [now + AHEAD_MAX, now, now - Duration::from_hours(9000)] {
            assert_eq!(told(asked_at).unwrap().asked_at(), asked_at);
        }
        let ahead = now + AHEAD_MAX + Duration::from_millis(1);
        assert_eq!(told(ahead).unwrap_err(), "the asker's clock is 4 h ahead");
        assert_eq!(told(now + Duration::from_hours(4800)).unwrap_err(), "the asker's clock is 200 d ahead");
    }
}
