//! Places: which source holds how many connections and calls, and which one gives way when there are no more.
//!
//! A connection takes a place before its first byte. Its cost in memory is counted in *units*: one for the connection with its first
//! call, and one for each further call. Dropping it gives everything back. When all are taken, the source that holds most gives way: its
//! oldest idle connection is closed. `turned_away` logs it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::limits::Limits;
use super::turned_away::{ConnectionObserver, TurnedAway, Why};
use crate::source::Source;

/// Units in all. One is at most some 40 KB: a connection's buffers, and the largest ask.
const UNITS: usize = 4096;

/// The places of all listeners.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) turned_away: TurnedAway,
    state: Mutex<State>,
    unit_is_free: tokio::sync::Notify,
}

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    /// The source of its holder.
    pub(super) source: Source,
    number: u64,
    gives_way: CancellationToken,
}

/// One call on a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Call(Arc<Place>);

#[derive(Debug, Default)]
struct State {
    limits: Limits,
    connections: usize,
    units: usize,
    /// The number of the next connection: an older one has a smaller number.
    next: u64,
    sources: HashMap<Source, Held>,
}

#[derive(Debug, Default)]
struct Held {
    units: usize,
    connections: BTreeMap<u64, Holder>,
}

#[derive(Debug, Default)]
struct Holder {
    speaks: bool,
    calls: usize,
    gives_way: CancellationToken,
}

impl Holder {
    fn units(&self) -> usize {
        if self.speaks { self.calls.max(1) } else { 0 }
    }
}

#[derive(Clone, Copy)]
enum Scarce {
    Connections,
    Units,
}

impl Scarce {
    fn of(self, held: &Held) -> usize {
        match self {
            Scarce::Connections => held.connections.len(),
            Scarce::Units => held.units,
        }
    }

    fn is_held_by(self, holder: &Holder) -> bool {
        match self {
            Scarce::Connections => true,
            Scarce::Units => holder.speaks,
        }
    }
}

impl Places {
    /// `observer` learns of refused connections. The log names this file of settings.
    pub(super) fn new(
        limits: Limits,
        settings_file: &'static str,
        observer: Arc<dyn ConnectionObserver>,
    ) -> Places {
        let state = Mutex::new(State { limits, ..State::default() });
        let turned_away = TurnedAway::new(settings_file, observer);
        Places { turned_away, state, unit_is_free: tokio::sync::Notify::new() }
    }

    /// Sets the limits for new connections. Open connections stay, even if there are fewer places now.
    pub(super) fn set_limits(&self, limits: Limits) {
        self.state().limits = limits;
    }

    /// A place for a new connection. `None` if its address holds its share, or if all are taken and no source holds far more.
    pub(super) fn take(self: &Arc<Places>, from: IpAddr) -> Option<Place> {
        let source = Source::of(from);
        let mut state = self.state();
        let has = state.held(source, Scarce::Connections);
        let mut gave_way = None;
        if has < state.limits.per_address && state.connections == state.limits.in_all {
            gave_way = state.give_way(source, Scarce::Connections);
        }
        let taken = (has < state.limits.per_address && state.connections < state.limits.in_all)
            .then(|| state.enter(source));
        drop(state);
        self.note(gave_way);
        let Some((number, gives_way)) = taken else {
            self.turned_away.note(source, Why::NoPlace, None);
            return None;
        };
        Some(Place { places: self.clone(), source, number, gives_way })
    }

    /// Logs refused connections, until it is dropped.
    pub(super) async fn tell_who_is_turned_away(&self) {
        let now = || {
            let state = self.state();
            (state.limits, state.connections)
        };
        self.turned_away.tell_on(now).await;
    }

    fn note(&self, gave_way: Option<Source>) {
        if let Some(source) = gave_way {
            self.turned_away.note(source, Why::GaveWay, None);
        }
    }

    /// Nothing panics while it holds the lock. Even after a panic, these numbers would be the best there are.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Completes when its holder has to go, to make room.
    pub(super) async fn is_needed(&self) {
        self.gives_way.cancelled().await;
    }

    /// Waits for a unit for its holder. Sources that hold less than others do not wait.
    pub(super) async fn may_speak(&self) {
        loop {
            let mut is_free = pin!(self.places.unit_is_free.notified());
            is_free.as_mut().enable();
            if self.change(|holder| holder.speaks = true) {
                return;
            }
            is_free.await;
        }
    }

    /// One more call, unless there is no unit for it.
    pub(super) fn call(self: &Arc<Place>) -> Option<Call> {
        self.change(|holder| holder.calls += 1).then(|| Call(self.clone()))
    }

    /// Notes that its holder is refused.
    pub(super) fn turn_away(&self, why: Why) {
        self.places.turned_away.note(self.source, why, None);
    }

    /// Notes that its holder is refused, with a cause of its own.
    pub(super) fn turn_away_for(&self, why: Why, cause: &dyn fmt::Display) {
        self.places.turned_away.note(self.source, why, Some(cause.to_string()));
    }

    /// Changes the units of its holder, if there are enough; another source may have to give way.
    fn change(&self, change: impl Fn(&mut Holder)) -> bool {
        let mut state = self.places.state();
        let mut gave_way = None;
        let mut is_done = state.try_change(self, &change);
        if !is_done {
            gave_way = state.give_way(self.source, Scarce::Units);
            is_done = gave_way.is_some() && state.try_change(self, &change);
        }
        drop(state);
        self.places.note(gave_way);
        is_done
    }
}

impl State {
    fn held(&self, source: Source, scarce: Scarce) -> usize {
        self.sources.get(&source).map_or(0, |held| scarce.of(held))
    }

    fn enter(&mut self, source: Source) -> (u64, CancellationToken) {
        let (number, holder) = (self.next, Holder::default());
        let gives_way = holder.gives_way.clone();
        self.next += 1;
        self.connections += 1;
        self.sources.entry(source).or_default().connections.insert(number, holder);
        (number, gives_way)
    }

    /// Takes units, and returns whether there were enough. A holder that has given way gets no more.
    fn try_change(&mut self, place: &Place, change: impl Fn(&mut Holder)) -> bool {
        let Some(held) = self.sources.get_mut(&place.source) else { return false };
        let Some(holder) = held.connections.get_mut(&place.number) else { return false };
        let before = holder.units();
        let (speaks, calls) = (holder.speaks, holder.calls);
        change(holder);
        let after = holder.units();
        if before < after && UNITS < self.units + after - before {
            (holder.speaks, holder.calls) = (speaks, calls);
            return false;
        }
        held.units = held.units + after - before;
        self.units = self.units + after - before;
        true
    }

    /// Closes the oldest idle connection of the source that holds most, or its oldest if none is idle. No source gives way to one that
    /// holds half as much; otherwise two greedy sources would close each other's connections without end.
    fn give_way(&mut self, to: Source, scarce: Scarce) -> Option<Source> {
        let has = self.held(to, scarce);
        let (&source, held) = self.sources.iter().max_by_key(|(source, held)| (scarce.of(held), **source))?;
        if scarce.of(held) <= 2 * has + 1 {
            return None;
        }
        let mut holders = held.connections.iter().filter(|(_, holder)| scarce.is_held_by(holder));
        let oldest = holders.clone().next();
        let (&number, _) = holders.find(|(_, holder)| holder.calls == 0).or(oldest)?;
        if let Some(holder) = self.remove(source, number) {
            holder.gives_way.cancel();
        }
        Some(source)
    }

    fn remove(&mut self, source: Source, number: u64) -> Option<Holder> {
        let held = self.sources.get_mut(&source)?;
        let holder = held.connections.remove(&number)?;
        held.units -= holder.units();
        self.units -= holder.units();
        self.connections -= 1;
        if held.connections.is_empty() {
            self.sources.remove(&source);
        }
        Some(holder)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A holder that gave way has nothing left here.
        let removed = self.places.state().remove(self.source, self.number);
        if removed.is_some_and(|holder| holder.speaks) {
            self.places.unit_is_free.notify_one();
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.places.state().try_change(&self.0, |holder| holder.calls -= 1);
        self.0.places.unit_is_free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn places(in_all: usize, per_address: usize) -> Arc<Places> {
        Arc::new(Places::new(Limits { in_all, per_address }, "", Arc::new(())))
    }

    /// Which of these get a place, when all keep theirs.
    #[track_caller]
    fn check<const N: usize>(places: &Arc<Places>, newcomers: [&str; N], expected: [bool; N]) -> Vec<Place> {
        let taken = newcomers.map(|address| places.take(address.parse().unwrap()));
        assert_eq!(taken.each_ref().map(Option::is_some), expected);
        taken.into_iter().flatten().collect()
    }

    /// Which of these had to go.
    fn gone(held: &[Place]) -> Vec<usize> {
        let gone = held.iter().enumerate().filter(|(_, place)| place.gives_way.is_cancelled());
        gone.map(|(nth, _)| nth).collect()
    }

    async fn speaks(place: &Place) -> bool {
        timeout(Duration::from_millis(1), place.may_speak()).await.is_ok()
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
    fn when_all_places_are_taken_the_source_that_holds_most_gives_way_with_its_oldest() {
        let places = places(4, 3);
        let mut held = check(&places, ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"], [true; 4]);
        held.extend(check(&places, ["192.0.2.3"], [true]));
        assert_eq!(gone(&held), [0]);
        // Two are not more than twice the one that this has already.
        check(&places, ["192.0.2.2"], [false]);
        held.extend(check(&places, ["192.0.2.4"], [true]));
        assert_eq!(gone(&held), [0, 1]);
        check(&places, ["192.0.2.5"], [false]);
        drop(held);
        let state = places.state();
        assert_eq!(
            (state.connections, state.units, state.sources.len()),
            (0, 0, 0),
            "nothing is kept of those who left"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_an_answer_gives_way_after_those_that_are_idle() {
        let places = places(3, 3);
        let held = check(&places, ["192.0.2.1", "192.0.2.1", "192.0.2.1"], [true; 3]);
        let held: Vec<_> = held.into_iter().map(Arc::new).collect();
        held[0].may_speak().await;
        let call = held[0].call().unwrap();
        let other = check(&places, ["192.0.2.2"], [true]);
        assert!(held[1].gives_way.is_cancelled() && !held[0].gives_way.is_cancelled());
        drop((call, other));
    }

    #[tokio::test(start_paused = true)]
    async fn units_that_one_source_holds_are_there_for_another_and_not_for_itself() {
        let places = places(2 * UNITS, 2 * UNITS);
        let first = Arc::new(places.take(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap());
        first.may_speak().await;
        let calls: Vec<_> = (0..UNITS).map(|_| first.call().unwrap()).collect();
        assert!(first.call().is_none(), "all of them are its own");
        let second = places.take(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        assert!(!speaks(&second).await, "it waits for one of its own source");

        let other = Arc::new(places.take("192.0.2.1".parse().unwrap()).unwrap());
        assert!(speaks(&other).await && first.gives_way.is_cancelled());
        assert!(other.call().is_some() && first.call().is_none());
        assert!(speaks(&second).await, "there is room again");
        drop((calls, first, second, other));
        assert_eq!(places.state().units, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_unit_gets_the_one_that_comes_free() {
        let places = places(2 * UNITS, 2 * UNITS);
        let mut held = Vec::new();
        for _ in 0..UNITS {
            let place = places.take(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
            place.may_speak().await;
            held.push(place);
        }
        let next = places.take(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        let waiting = tokio::spawn(async move { speaks(&next).await });
        tokio::task::yield_now().await;
        held.pop();
        assert!(waiting.await.unwrap());
    }

    #[test]
    fn lower_limits_take_no_place_away_and_hold_for_whoever_comes_next() {
        let places = places(3, 3);
        let mut held = check(&places, ["192.0.2.1", "192.0.2.1", "192.0.2.2"], [true; 3]);
        places.set_limits(Limits { in_all: 2, per_address: 1 });
        check(&places, ["192.0.2.3"], [false]);
        assert!(gone(&held).is_empty());
        held.remove(0);
        check(&places, ["192.0.2.3"], [false]);
        held.remove(0);
        check(&places, ["192.0.2.2", "192.0.2.3"], [false, true]);
    }
}
