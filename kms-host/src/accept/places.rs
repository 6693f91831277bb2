//! Who holds how many connections, and the word in the log about those who were turned away, for whatever reason.
//!
//! A place is taken before a newcomer has said anything, and is given back by dropping it: there is no way to forget one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Limits;
use crate::fairness::{Fairness, Source};

/// Whoever is turned away is told of in the log this often at most, all of them in one line.
const TELL_INTERVAL: Duration = Duration::from_secs(1);

/// So many addresses are told apart between two lines. Who owns many networks must not fill the memory with them.
const SOURCES_TOLD_APART: usize = 1024;

/// The places of all listeners of a host.
#[derive(Debug)]
pub(super) struct Places {
    fairness: Arc<Fairness>,
    state: Mutex<State>,
    somebody_was_turned_away: Notify,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    source: Source,
}

/// Why a newcomer was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// All places are taken, or all that one address may hold.
    NoPlace,
    /// Its address is in none of the networks that may connect.
    NotAllowed,
    /// It spoke in the clear, and TLS is required.
    NoTls,
    /// It spoke TLS, and TLS is off.
    TlsIsOff,
    /// Its TLS handshake failed.
    TlsFailed,
}

#[derive(Debug, Default)]
struct State {
    limits: Limits,
    taken: usize,
    /// Nobody is in it with none.
    taken_by: HashMap<Source, usize>,
    turned_away: BTreeMap<Why, TurnedAway>,
}

/// Since the last line in the log.
#[derive(Debug, Default)]
struct TurnedAway {
    in_all: u64,
    by_source: HashMap<Source, u64>,
    /// What the latest was told, where that differs from one to the next.
    cause: Option<String>,
}

impl Places {
    /// `fairness` counts who is turned away, for people who ask later.
    pub(super) fn new(limits: Limits, fairness: Arc<Fairness>) -> Places {
        let state = Mutex::new(State { limits, ..State::default() });
        Places { fairness, state, somebody_was_turned_away: Notify::new() }
    }

    /// Other limits hold from the next newcomer on. Whoever is here stays, were it more than there are places now.
    pub(super) fn set_limits(&self, limits: Limits) {
        self.state().limits = limits;
    }

    /// A place for a newcomer, unless all are taken or its address has its share.
    pub(super) fn take(self: &Arc<Places>, from: IpAddr) -> Option<Place> {
        let source = Source::of(from);
        let mut state = self.state();
        let has = state.taken_by.get(&source).copied().unwrap_or_default();
        if state.limits.in_all <= state.taken || state.limits.per_address <= has {
            drop(state);
            self.turn_away(source, Why::NoPlace, None);
            return None;
        }
        state.taken += 1;
        state.taken_by.insert(source, has + 1);
        Some(Place { places: self.clone(), source })
    }

    /// Notes somebody who may not connect.
    pub(super) fn keep_out(&self, from: IpAddr) {
        self.turn_away(Source::of(from), Why::NotAllowed, None);
    }

    fn turn_away(&self, source: Source, why: Why, cause: Option<String>) {
        self.state().turned_away.entry(why).or_default().count(source, cause);
        self.fairness.note_turned_away(source);
        self.somebody_was_turned_away.notify_one();
    }

    /// Goes on until it is dropped.
    pub(super) async fn tell_who_is_turned_away(&self) {
        loop {
            self.somebody_was_turned_away.notified().await;
            self.tell();
            tokio::time::sleep(TELL_INTERVAL).await;
        }
    }

    fn tell(&self) {
        let (limits, taken, turned_away) = {
            let mut state = self.state();
            (state.limits, state.taken, std::mem::take(&mut state.turned_away))
        };
        for (why, turned_away) in turned_away {
            turned_away.tell(why, limits, taken);
        }
    }

    /// Nothing in here panics with the lock held, and were it to, the numbers would still be the best there are.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Notes that its holder is turned away.
    pub(super) fn turn_away(&self, why: Why) {
        self.places.turn_away(self.source, why, None);
    }

    /// The same, with a cause that differs from one to the next.
    pub(super) fn turn_away_for(&self, why: Why, cause: &dyn fmt::Display) {
        self.places.turn_away(self.source, why, Some(cause.to_string()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.state();
        state.taken -= 1;
        match state.taken_by.get_mut(&self.source) {
            Some(has) if 1 < *has => *has -= 1,
            _ => {
                state.taken_by.remove(&self.source);
            }
        }
    }
}

impl TurnedAway {
    fn count(&mut self, source: Source, cause: Option<String>) {
        self.in_all += 1;
        self.cause = cause;
        if self.by_source.len() < SOURCES_TOLD_APART || self.by_source.contains_key(&source) {
            *self.by_source.entry(source).or_default() += 1;
        }
    }

    fn tell(&self, why: Why, limits: Limits, held: usize) {
        let Some((most_from, from_it)) = self.most() else { return };
        let (connections, Limits { in_all: of, per_address }) = (self.in_all, limits);
        match why {
            Why::NoPlace => tracing::warn!(
                connections,
                %most_from,
                from_it,
                held,
                of,
                per_address,
                "turned away: all places are taken, or all that one address may hold; `connections` and \
                 `connections_per_address` in kms-host.toml say how many"
            ),
            Why::NotAllowed => tracing::warn!(
                connections,
                %most_from,
                from_it,
                "turned away: not in the networks that `allow` in kms-host.toml names"
            ),
            Why::NoTls => tracing::warn!(
                connections,
                %most_from,
                from_it,
                "turned away: machines that spoke in the clear, and `tls` in kms-host.toml requires TLS"
            ),
            Why::TlsIsOff => tracing::warn!(
                connections,
                %most_from,
                from_it,
                "turned away: machines that spoke TLS, and `tls` in kms-host.toml is off"
            ),
            Why::TlsFailed => tracing::warn!(
                connections,
                %most_from,
                from_it,
                latest_cause = self.cause,
                "turned away: TLS handshakes that failed; the machine has the cause from its side in its attempts"
            ),
        }
    }

    fn most(&self) -> Option<(Source, u64)> {
        self.by_source.iter().map(|(source, times)| (*source, *times)).max_by_key(|(_, times)| *times)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn places(in_all: usize, per_address: usize) -> Arc<Places> {
        Arc::new(Places::new(Limits { in_all, per_address }, Arc::default()))
    }

    /// Which of these get a place, when all keep theirs.
    #[track_caller]
    fn check<const N: usize>(places: &Arc<Places>, newcomers: [&str; N], expected: [bool; N]) -> Vec<Place> {
        let taken = newcomers.map(|address| places.take(address.parse().unwrap()));
        assert_eq!(taken.each_ref().map(Option::is_some), expected);
        taken.into_iter().flatten().collect()
    }

    #[test]
    fn one_address_holds_its_share_and_no_more() {
        let places = places(10, 2);
        let held =
            check(&places, ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"], [true, true, false, true]);
        drop(held);
        check(&places, ["192.0.2.1", "192.0.2.1"], [true, true]);
    }

    #[test]
    fn a_network_of_64_bits_is_one_address_and_ipv4_in_ipv6_is_ipv4() {
        let places = places(10, 1);
        let newcomers = [
            "2001:db8::1",
            "2001:db8::2:0:0:1",
            "2001:db8:0:1::1",
            "::ffff:192.0.2.1",
            "::ffff:192.0.2.2",
            "192.0.2.2",
        ];
        check(&places, newcomers, [true, false, true, true, true, false]);
    }

    #[test]
    fn when_all_places_are_taken_the_next_who_leaves_makes_one() {
        let places = places(2, 2);
        let mut held = check(&places, ["192.0.2.1", "192.0.2.2", "192.0.2.3"], [true, true, false]);
        held.pop();
        held.extend(check(&places, ["192.0.2.3", "192.0.2.2"], [true, false]));
        drop(held);
        let state = places.state();
        assert_eq!((state.taken, state.taken_by.len()), (0, 0), "nothing is kept of those who left");
    }

    #[test]
    fn lower_limits_take_no_place_away_and_hold_for_whoever_comes_next() {
        let places = places(3, 3);
        let mut held = check(&places, ["192.0.2.1", "192.0.2.1", "192.0.2.2"], [true; 3]);
        places.set_limits(Limits { in_all: 2, per_address: 1 });
        check(&places, ["192.0.2.3"], [false]);
        held.remove(0);
        check(&places, ["192.0.2.3"], [false]);
        held.remove(0);
        check(&places, ["192.0.2.2", "192.0.2.3"], [false, true]);
    }

    #[test]
    fn the_address_that_is_turned_away_most_is_named() {
        let places = places(10, 0);
        check(&places, ["192.0.2.1", "2001:db8::1", "2001:db8::2"], [false; 3]);
        let turned_away = places.state().turned_away.remove(&Why::NoPlace).unwrap();
        assert_eq!(turned_away.in_all, 3);
        let (source, times) = turned_away.most().unwrap();
        assert_eq!((source.to_string().as_str(), times), ("2001:db8::/64", 2));
        let told = places.fairness.report(1, Duration::ZERO);
        assert_eq!((told.rows[0].source, told.rows[0].turned_away, told.sources), (Some(source), 2, 2));
    }

    #[test]
    fn whoever_owns_many_networks_does_not_fill_the_memory() {
        let places = places(1, 0);
        for network in 0..5000 {
            assert!(places.take(Ipv6Addr::from_bits(network << 64).into()).is_none());
        }
        let state = places.state();
        assert_eq!(state.turned_away[&Why::NoPlace].in_all, 5000);
        assert_eq!(state.turned_away[&Why::NoPlace].by_source.len(), SOURCES_TOLD_APART);
    }
}
