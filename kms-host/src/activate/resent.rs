//! Refuses asks that are sent again, if their answer has left no mark in a record.
//!
//! A record tells a recorded ask from a new one, but not every answer changes a record: a machine without state has none, the release
//! of an unknown machine makes none, a copy changes none. Such asks are remembered here, in memory and bounded. To push one out, an
//! attacker needs as many others, each signed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use shared::ask::{Ask, AskKind};
use shared::ids::{MachineId, Nonce};
use shared::reason::Reason;
use shared::serial::Mark;
use shared::time::Timestamp;

use super::compose::Logged;

/// The number of asks to remember, in 2 MB.
const REMEMBERED: usize = 16_384;

type Name = (MachineId, Nonce);

#[derive(Debug, Default)]
pub(super) struct Resent(Mutex<Asks>);

#[derive(Debug, Default)]
struct Asks {
    asked_at: HashMap<Name, Timestamp>,
    oldest_first: VecDeque<Name>,
}

impl Resent {
    /// Whether this very ask was answered here before. A machine that asks again under the same nonce signs a later time.
    pub(super) fn knows(&self, machine: MachineId, presented: &Mark) -> bool {
        let asks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asks.asked_at.get(&(machine, presented.nonce)).is_some_and(|last| presented.asked_at <= *last)
    }

    /// Notes the answer to an ask, if no record shows it. No refusal changes a record, but only a copy's is neither a bad ask nor the
    /// host's own trouble.
    pub(super) fn note(&self, ask: &Ask, said: &Logged) {
        let leaves_no_mark = match said {
            Logged::Answered { .. } => !ask.kept || ask.kind == AskKind::Release,
            Logged::Refused(cause) => cause.reason() == Some(Reason::Copied),
        };
        if leaves_no_mark {
            let mut asks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            asks.remember((ask.machine(), ask.nonce), ask.asked_at);
        }
    }
}

impl Asks {
    fn remember(&mut self, name: Name, asked_at: Timestamp) {
        if self.asked_at.insert(name, asked_at).is_some() {
            return;
        }
        self.oldest_first.push_back(name);
        if REMEMBERED < self.oldest_first.len()
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.asked_at.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes() {
        let mut asks = Asks::default();
        let machine = MachineId::from_bytes([1; 16]);
        let name = |number: usize| {
            let mut nonce = [0; 16];
            nonce[..8].copy_from_slice(&number.to_be_bytes());
            (machine, Nonce::from_bytes(nonce))
        };
        for number in 0..=REMEMBERED {
            asks.remember(name(number), Timestamp::from_unix_ms(1));
            asks.remember(name(number), Timestamp::from_unix_ms(2));
        }
        assert_eq!((asks.asked_at.len(), asks.oldest_first.len()), (REMEMBERED, REMEMBERED));
        assert!(!asks.asked_at.contains_key(&name(0)));
        assert_eq!(asks.asked_at[&name(1)], Timestamp::from_unix_ms(2));
    }
}
