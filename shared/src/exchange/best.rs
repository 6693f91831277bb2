//! What a round has come to: the best that any host gave, told to the license once.
//!
//! A lease goes before everything, an accepted answer before one that is only believed, a signed one before a hint. `license` says
//! what the license makes of it.

use alloc::boxed::Box;
use core::time::Duration;

use crate::answer::{Lease, Verdict};
use crate::license::Event;
use crate::reason::{Cause, Reason};

/// The best that any host has given so far.
#[derive(Debug)]
pub enum Best<L = Box<Lease>> {
    /// No host has given a usable answer.
    Nothing,
    /// Nobody has signed this.
    Hint {
        /// Why there was no answer.
        cause: Cause,
        /// When a host asked to be asked again.
        ask_again: Duration,
    },
    /// A host has signed this.
    Signed(Verdict<L>),
}

impl<L> Best<L> {
    /// The first of the best counts.
    pub fn take(&mut self, other: Best<L>) {
        if self.rank() < other.rank() {
            *self = other;
        }
    }

    /// Whether it is a lease: then nobody else is asked.
    pub fn is_lease(&self) -> bool {
        matches!(self, Best::Signed(Verdict::Leased(_)))
    }

    /// The one event of a round; `failed` is the code of the reason where there is nothing better. None for a lease: the license
    /// was told when it was saved.
    pub fn event<'a, T>(&'a self, failed: &'a str) -> Option<Event<'a, T>> {
        Some(match self {
            Best::Nothing => Event::Failed { code: failed, ask_again: None },
            Best::Hint { cause, ask_again } => {
                Event::Failed { code: &cause.code, ask_again: Some(*ask_again) }
            }
            Best::Signed(Verdict::Refused(refused)) => Event::Refused(refused),
            Best::Signed(Verdict::Waiting(waiting)) => Event::Waited(waiting),
            Best::Signed(Verdict::Released(header)) => Event::Released(header.host_time),
            Best::Signed(Verdict::Leased(_)) => return None,
        })
    }

    /// A wrong clock goes before other refusals: it is this machine's to mend.
    fn rank(&self) -> u8 {
        match self {
            Best::Nothing => 0,
            Best::Hint { .. } => 1,
            Best::Signed(Verdict::Refused(refused)) => {
                2 + u8::from(refused.cause.reason() == Some(Reason::ClockSkew))
            }
            Best::Signed(Verdict::Waiting(_)) => 4,
            Best::Signed(Verdict::Released(_)) => 5,
            Best::Signed(Verdict::Leased(_)) => 6,
        }
    }
}
