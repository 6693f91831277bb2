//! Who has sent so many wrong keys, or wrong tokens, that no more of theirs are looked up for a while.
//!
//! Right keys are refused there as well: otherwise the limit would not hold back anyone who guesses. When all addresses together have
//! used up what they may, each of them still has a small share, so that nobody can keep all others out. In memory only, because
//! addresses are personal data in many places.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use server::Source;
use shared::fair::{Bucket, Rate, guaranteed};

/// How many sources are remembered, at 32 bytes each. Whoever comes beyond that shares what all have.
const SOURCES_MAX: usize = 65_536;

/// Wrong keys of each source, and of all.
#[derive(Debug)]
pub struct WrongKeys {
    per_source: Rate,
    in_all: Rate,
    guaranteed: Rate,
    sent: Mutex<Sent>,
}

#[derive(Debug, Default)]
struct Sent {
    in_all: Bucket,
    sources: HashMap<Source, OfSource>,
}

/// What one source has sent.
#[derive(Clone, Copy, Debug, Default)]
struct OfSource {
    in_all: Bucket,
    guaranteed: Bucket,
}

impl WrongKeys {
    /// So many of each source, and so many of all sources together.
    pub fn new([per_source, in_all]: [Rate; 2]) -> WrongKeys {
        let guaranteed = guaranteed(&in_all);
        WrongKeys { per_source, in_all, guaranteed, sent: Mutex::default() }
    }

    /// Whether a key of this source may be looked up.
    ///
    /// # Errors
    /// How long it has to wait.
    pub fn look(&self, source: Source, now: Duration) -> Result<(), Duration> {
        let sent = self.sent();
        let own = sent.sources.get(&source).copied().unwrap_or_default();
        own.in_all.look(&self.per_source, now)?;
        let of_all = sent.in_all.look(&self.in_all, now);
        of_all.or_else(|wait| own.guaranteed.look(&self.guaranteed, now).map_err(|own| own.min(wait)))
    }

    /// Notes a wrong key of this source.
    pub fn note(&self, source: Source, now: Duration) {
        let mut sent = self.sent();
        // What cannot be taken any more was looked up at the same moment as the last.
        let _ = sent.in_all.take(&self.in_all, now);
        if sent.sources.len() == SOURCES_MAX && !sent.sources.contains_key(&source) {
            sent.sources.retain(|_, own| !own.in_all.is_full(now) || !own.guaranteed.is_full(now));
        }
        if sent.sources.len() < SOURCES_MAX || sent.sources.contains_key(&source) {
            let own = sent.sources.entry(source).or_default();
            let _ = own.in_all.take(&self.per_source, now);
            let _ = own.guaranteed.take(&self.guaranteed, now);
        }
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const NOON: Duration = Duration::from_hours(12);

    fn source(number: u32) -> Source {
        Source::of(IpAddr::V4(Ipv4Addr::from_bits(number)))
    }

    #[test]
    fn a_source_waits_once_it_has_sent_as_many_as_it_may_and_others_do_not() {
        let wrong = WrongKeys::new([Rate::a_day(3), Rate::a_day(0)]);
        for _ in 0..3 {
            assert_eq!(wrong.look(source(1), NOON), Ok(()));
            wrong.note(source(1), NOON);
        }
        let wait = Duration::from_hours(8);
        assert_eq!(wrong.look(source(1), NOON), Err(wait));
        assert_eq!(wrong.look(source(2), NOON), Ok(()));
        assert_eq!(wrong.look(source(1), NOON + Duration::from_hours(7)), Err(Duration::from_hours(1)));
        assert_eq!(wrong.look(source(1), NOON + wait), Ok(()));
    }

    #[test]
    fn when_all_have_used_up_what_they_may_each_still_has_a_share() {
        let wrong = WrongKeys::new([Rate::a_day(0), Rate::a_day(8000)]);
        for number in 0..8000 {
            wrong.note(source(number), NOON);
        }
        assert_eq!(wrong.look(source(9000), NOON), Ok(()), "it has sent none");
        assert_eq!(wrong.look(source(1), NOON), Ok(()), "it has sent one of the two that it may");
        wrong.note(source(1), NOON);
        assert!(wrong.look(source(1), NOON).is_err());
        assert_eq!(wrong.look(source(1), NOON + Duration::from_hours(24)), Ok(()));
    }

    #[test]
    fn sources_take_no_more_memory_however_many_there_are() {
        let wrong = WrongKeys::new([Rate::a_day(3), Rate::a_day(0)]);
        for number in 0..70_000 {
            wrong.note(source(number), NOON);
        }
        assert_eq!(wrong.sent().sources.len(), SOURCES_MAX);
        wrong.note(source(70_001), NOON + Duration::from_hours(24));
        assert_eq!(wrong.sent().sources.len(), 1);
    }
}
