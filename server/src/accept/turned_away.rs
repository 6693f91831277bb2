//! Logs connections that were turned away or closed, for whatever reason: one line a second at most for each.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::limits::Limits;
use crate::source::Source;

/// The shortest time between two lines. A line has all of one reason.
const TELL_INTERVAL: Duration = Duration::from_secs(1);

/// The number of sources to tell apart between two lines. An attacker with many networks must not fill the memory.
const SOURCES_TOLD_APART: usize = 1024;

/// The alarm ends when there have been enough places for this long.
const CROWDING_LASTS: Duration = Duration::from_mins(10);

/// Places for connections have run out.
#[derive(Clone, Copy, Debug)]
pub struct Crowding {
    /// The source that holds most. Its connections are closed to make room.
    pub source: Source,
    /// The number of connections.
    pub connections: usize,
    /// The limit.
    pub of: usize,
}

/// Learns of connections that are turned away, for reports and alarms.
pub trait ConnectionObserver: fmt::Debug + Send + Sync {
    /// A connection of this source was refused, or closed for its behaviour.
    fn note_turned_away(&self, source: Source);

    /// Places for connections have run out, or there were enough for a while.
    fn note_crowding(&self, crowding: Option<Crowding>);
}

/// For a program that has only the log.
impl ConnectionObserver for () {
    fn note_turned_away(&self, _: Source) {}

    fn note_crowding(&self, _: Option<Crowding>) {}
}

/// Why a connection was turned away or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// All places are taken, or all that one address may hold.
    NoPlace,
    /// All places were taken, and its source held most.
    GaveWay,
    /// It sent more frames than its calls need.
    TooManyFrames,
    /// Its address is in no network that may connect.
    NotAllowed,
    /// It spoke in the clear, but TLS is required.
    NoTls,
    /// It spoke TLS, but TLS is off.
    TlsIsOff,
    TlsFailed,
}

/// The refusals since the last line in the log.
#[derive(Debug)]
pub(super) struct TurnedAway {
    settings_file: &'static str,
    observer: Arc<dyn ConnectionObserver>,
    since: Mutex<BTreeMap<Why, Number>>,
    there_are_some: Notify,
}

#[derive(Debug, Default)]
struct Number {
    in_all: u64,
    by_source: HashMap<Source, u64>,
    /// The cause of the latest refusal, if causes differ within a reason.
    cause: Option<String>,
}

impl TurnedAway {
    /// The log names this file of settings.
    pub(super) fn new(settings_file: &'static str, observer: Arc<dyn ConnectionObserver>) -> TurnedAway {
        TurnedAway { settings_file, observer, since: Mutex::default(), there_are_some: Notify::new() }
    }

    pub(super) fn note(&self, source: Source, why: Why, cause: Option<String>) {
        self.since().entry(why).or_default().count(source, cause);
        self.observer.note_turned_away(source);
        self.there_are_some.notify_one();
    }

    /// Writes the log lines, and the alarm while places run out. `now` has the limits and the number of connections.
    pub(super) async fn tell_on(&self, now: impl Fn() -> (Limits, usize)) {
        let mut crowding = false;
        loop {
            tokio::select! {
                () = self.there_are_some.notified() => {}
                () = tokio::time::sleep(CROWDING_LASTS), if crowding => {
                    crowding = false;
                    self.observer.note_crowding(None);
                    continue;
                }
            }
            let told = std::mem::take(&mut *self.since());
            if let Some((source, _)) = told.get(&Why::GaveWay).and_then(Number::most) {
                crowding = true;
                let (limits, connections) = now();
                self.observer.note_crowding(Some(Crowding { source, connections, of: limits.in_all }));
            }
            let (limits, held) = now();
            for (why, number) in told {
                number.tell(why, self.settings_file, limits, held);
            }
            tokio::time::sleep(TELL_INTERVAL).await;
        }
    }

    fn since(&self) -> MutexGuard<'_, BTreeMap<Why, Number>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Number {
    fn count(&mut self, source: Source, cause: Option<String>) {
        self.in_all += 1;
        self.cause = cause;
        if self.by_source.len() < SOURCES_TOLD_APART || self.by_source.contains_key(&source) {
            *self.by_source.entry(source).or_default() += 1;
        }
    }

    fn tell(&self, why: Why, settings_file: &str, limits: Limits, held: usize) {
        let Some((most_from, from_it)) = self.most() else { return };
        let text: &str = match why {
            Why::NoPlace => &format!(
                "turned away: all places are taken, or all that one address may hold; `connections` and \
                 `connections_per_address` in {settings_file} say how many"
            ),
            Why::GaveWay => {
                "closed for newcomers: all places are taken, and this address holds most of them; look who is there"
            }
            Why::TooManyFrames => {
                "closed: they sent more HTTP/2 frames than their asks need; look who is at that address"
            }
            Why::NotAllowed => {
                &format!("turned away: not in the networks that `allow` in {settings_file} names")
            }
            Why::NoTls => &format!(
                "turned away: machines that spoke in the clear, and `tls` in {settings_file} requires TLS"
            ),
            Why::TlsIsOff => {
                &format!("turned away: machines that spoke TLS, and `tls` in {settings_file} is off")
            }
            Why::TlsFailed => {
                "turned away: TLS handshakes that failed; the machine has the cause from its side in its attempts"
            }
        };
        let places = matches!(why, Why::NoPlace | Why::GaveWay);
        tracing::warn!(
            connections = self.in_all,
            %most_from,
            from_it,
            held = places.then_some(held),
            of = places.then_some(limits.in_all),
            per_address = (why == Why::NoPlace).then_some(limits.per_address),
            latest_cause = self.cause,
            "{text}"
        );
    }

    fn most(&self) -> Option<(Source, u64)> {
        self.by_source.iter().map(|(source, times)| (*source, *times)).max_by_key(|(_, times)| *times)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use super::*;

    /// What an observer has learned.
    #[derive(Debug, Default)]
    struct Learned {
        turned_away: Mutex<Vec<Source>>,
        crowding: Mutex<Option<Crowding>>,
    }

    impl ConnectionObserver for Learned {
        fn note_turned_away(&self, source: Source) {
            self.turned_away.lock().unwrap().push(source);
        }

        fn note_crowding(&self, crowding: Option<Crowding>) {
            *self.crowding.lock().unwrap() = crowding;
        }
    }

    fn turned_away(all: impl IntoIterator<Item = IpAddr>) -> (TurnedAway, Arc<Learned>) {
        let learned = Arc::new(Learned::default());
        let turned_away = TurnedAway::new("kms-host.toml", learned.clone());
        for from in all {
            turned_away.note(Source::of(from), Why::NoPlace, None);
        }
        (turned_away, learned)
    }

    #[test]
    fn the_address_that_is_turned_away_most_is_named() {
        let all = ["192.0.2.1", "2001:db8::1", "2001:db8::2"].map(|address| address.parse().unwrap());
        let (turned_away, learned) = turned_away(all);
        let number = turned_away.since().remove(&Why::NoPlace).unwrap();
        assert_eq!(number.in_all, 3);
        let (source, times) = number.most().unwrap();
        assert_eq!((source.to_string().as_str(), times), ("2001:db8::/64", 2));
        assert_eq!(*learned.turned_away.lock().unwrap(), all.map(Source::of));
    }

    #[test]
    fn whoever_owns_many_networks_does_not_fill_the_memory() {
        let (turned_away, _) =
            turned_away((0..5000).map(|network| IpAddr::V6(Ipv6Addr::from_bits(network << 64))));
        let since = turned_away.since();
        assert_eq!(since[&Why::NoPlace].in_all, 5000);
        assert_eq!(since[&Why::NoPlace].by_source.len(), SOURCES_TOLD_APART);
    }

    /// Two addresses could hold every place for five minutes, and no alarm said so.
    #[tokio::test(start_paused = true)]
    async fn the_alarm_stands_while_places_run_out_and_ends_when_they_have_sufficed_for_a_while() {
        let (turned_away, learned) = turned_away([]);
        let turned_away = Arc::new(turned_away);
        let crowding = || *learned.crowding.lock().unwrap();
        let telling = turned_away.clone();
        let limits = Limits { in_all: 8, per_address: 6 };
        tokio::spawn(async move { telling.tell_on(|| (limits, 8)).await });
        let source = Source::of("192.0.2.1".parse().unwrap());
        turned_away.note(source, Why::NoPlace, None);
        tokio::time::sleep(TELL_INTERVAL * 2).await;
        assert!(crowding().is_none(), "an address past its share crowds out nobody else");
        turned_away.note(source, Why::GaveWay, None);
        tokio::time::sleep(CROWDING_LASTS).await;
        assert_eq!(crowding().unwrap().source, source);
        tokio::time::sleep(TELL_INTERVAL * 3).await;
        assert!(crowding().is_none());
    }
}
