//! What the turns of a run share: the machines, the way to the hosts, the tally.
//!
//! Only short locks and counters; `turn` and `play` use them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kms_client::{Clock, SystemClock};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use world::cores::on_every_core;

use super::chains::Chains;
use super::machine::Machine;
use super::result::{self, LoadResult, Spread, Standing};
use super::scenario::{Pace, Phase};
use super::seat::{Retry, Seat, Stands};
use super::tally::{COARSE_BITS, Tally};
use super::verify::{Keeper, Kept};
use super::wire::{Failure, Wire};

/// The whole of a run that is under way.
pub(crate) struct Ground {
    pub(crate) clock: SystemClock,
    pub(crate) wire: Wire,
    /// The priority of each host, where SRV records name it. Hosts of one priority are equals.
    pub(crate) priorities: Vec<Option<u16>>,
    pub(crate) chains: Chains,
    pub(crate) retry: Retry,
    /// Machines that ask again by themselves, and when.
    pub(crate) later: Later,
    /// The run is over; turns that are still under way end at once.
    pub(crate) over: CancellationToken,
    /// By number. One that will be a copy is not there before it is made.
    seats: Vec<tokio::sync::Mutex<Option<Seat>>>,
    /// Places for asks in flight. While a turn waits for its place its ask is not sent, and its time runs.
    places: Semaphore,
    places_max: usize,
    /// Turns that had to wait for their place.
    waited: AtomicUsize,
    under_way: AtomicUsize,
    /// What was said of the first failure of each code.
    failures: Mutex<BTreeMap<String, String>>,
    /// How long after they were due turns were set off, in microseconds.
    late: Mutex<Spread>,
    tally: Mutex<Tally>,
    keeper: Mutex<Keeper>,
}

/// A remark is made if this program itself sets off turns later than this.
const LATE: Duration = Duration::from_millis(10);

impl Ground {
    /// A run of these machines; `copies` more will be made of them.
    pub(crate) fn new(
        wire: Wire,
        priorities: Vec<Option<u16>>,
        retry: Retry,
        seats: Vec<Seat>,
        copies: usize,
        in_flight_max: usize,
        keeper: Keeper,
    ) -> Ground {
        let clock = SystemClock::new();
        let tally = Tally::new(clock.now(), clock.monotonic());
        let made = seats.into_iter().map(Some);
        Ground {
            clock,
            wire,
            priorities,
            chains: Chains::default(),
            retry,
            later: Later::default(),
            over: CancellationToken::new(),
            seats: made.chain((0..copies).map(|_| None)).map(tokio::sync::Mutex::new).collect(),
            places: Semaphore::new(in_flight_max),
            places_max: in_flight_max,
            waited: AtomicUsize::new(0),
            failures: Mutex::new(BTreeMap::new()),
            under_way: AtomicUsize::new(0),
            late: Mutex::default(),
            tally: Mutex::new(tally),
            keeper: Mutex::new(keeper),
        }
    }

    /// The machine with this number, once no other turn holds it.
    pub(crate) async fn seat(&self, number: usize) -> tokio::sync::MutexGuard<'_, Option<Seat>> {
        self.seats[number].lock().await
    }

    /// A place among the asks in flight.
    pub(crate) async fn place(&self) -> SemaphorePermit<'_> {
        if let Ok(place) = self.places.try_acquire() {
            return place;
        }
        self.waited.fetch_add(1, Ordering::Relaxed);
        self.places.acquire().await.expect("the places are never closed")
    }

    /// Counts a turn as under way until the value is dropped.
    pub(crate) fn enter(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(&self.under_way)
    }

    pub(crate) fn turns_under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// For each machine whether it has asked yet; nothing for a copy that is not made yet. A machine that has a turn just now counts
    /// as one that has asked.
    pub(crate) fn have_asked(&self) -> Vec<Option<bool>> {
        let asked = |seat: &tokio::sync::Mutex<Option<Seat>>| match seat.try_lock() {
            Ok(seat) => seat.as_ref().map(|seat| seat.stands != Stands::NeverAsked),
            Err(_) => Some(true),
        };
        self.seats.iter().map(asked).collect()
    }

    /// Makes the missing machines as copies of the others, each of them equally often.
    pub(crate) async fn make_copies(&self) {
        let mut images: Vec<Seat> = Vec::new();
        for (number, seat) in self.seats.iter().enumerate() {
            let mut seat = seat.lock().await;
            match seat.as_ref() {
                Some(image) => images.push(image.copy()),
                None => *seat = images.get(number % images.len().max(1)).map(Seat::copy),
            }
        }
    }

    /// Signs the next asks of these machines before the clock starts. Machines that have a turn just now are left out.
    pub(crate) fn sign_ahead(&self, numbers: &[usize]) {
        let now = self.clock.now();
        let mut seats: Vec<_> =
            numbers.iter().filter_map(|number| self.seats[*number].try_lock().ok()).collect();
        let machines = seats.iter_mut().filter_map(|seat| seat.as_mut()).map(|seat| &mut seat.machine);
        on_every_core(machines.collect(), |machine: &mut Machine| machine.sign_ahead(now));
    }

    /// A phase begins; says when, on the monotonic clock.
    pub(crate) fn begin_phase(&self, phase: &Phase, pace: Pace) -> Duration {
        let now = self.clock.monotonic();
        let (shown, open) = match pace {
            Pace::Closed(in_flight) => (format!("closed, {in_flight} in flight"), false),
            Pace::Open(per_s) => (format!("open, {per_s:.0}/s"), true),
            Pace::Silent => ("those who ask again".to_owned(), true),
        };
        let begun = result::Phase::begun(&phase.name, &shown, open, phase.measured);
        self.tally().begin_phase(begun, now);
        now
    }

    /// What counts the asks.
    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }

    /// A result with all that was counted, and nothing else. Nothing is counted from here on.
    pub(crate) fn take_counted(&self) -> LoadResult {
        let now = self.clock.monotonic();
        std::mem::replace(&mut *self.tally(), Tally::new(self.clock.now(), now)).finish(now)
    }

    /// A turn that was due a while ago is set off now.
    pub(crate) fn note_set_off(&self, after: Duration) {
        lock(&self.late).record(u64::try_from(after.as_micros()).unwrap_or(u64::MAX), COARSE_BITS);
    }

    /// What has kept this program from asking as it was planned, one sentence each.
    pub(crate) fn remarks(&self) -> Vec<String> {
        [self.lateness_remark(), self.places_remark()].into_iter().flatten().collect()
    }

    fn places_remark(&self) -> Option<String> {
        let (waited, places) = (self.waited.load(Ordering::Relaxed), self.places_max);
        (0 < waited).then(|| {
            format!(
                "{waited} asks waited for one of the {places} places in flight, and the response times include that; the host \
                 was asked less at once than the fleet would: --in-flight-max allows more"
            )
        })
    }

    fn lateness_remark(&self) -> Option<String> {
        let late = Duration::from_micros(lock(&self.late).quantile(0.99).unwrap_or(0));
        (LATE < late).then(|| {
            format!(
                "this program itself was late: one ask in a hundred was set off {} ms or more after it was due, which the \
                 response times include; use a lower rate, kept connections, several processes or a faster machine",
                late.as_millis()
            )
        })
    }

    /// What was said of a failure.
    pub(crate) fn note_failure(&self, failure: &Failure) {
        lock(&self.failures).entry(failure.code.clone()).or_insert_with(|| failure.text.clone());
    }

    /// What was said of the first failure of each code.
    pub(crate) fn failures(&self) -> BTreeMap<String, String> {
        lock(&self.failures).clone()
    }

    /// For `verify`, when the clock has stopped.
    pub(crate) fn keep(&self, kept: Kept) {
        lock(&self.keeper).offer(kept);
    }

    /// What was kept for `verify`; nothing is kept from here on.
    pub(crate) fn take_kept(&self) -> Keeper {
        std::mem::replace(&mut *lock(&self.keeper), Keeper::new(0))
    }

    /// Where the machines stand.
    pub(crate) async fn standing(&self) -> Standing {
        let mut standing = Standing::default();
        for seat in &self.seats {
            match seat.lock().await.as_ref().map(|seat| seat.stands) {
                Some(Stands::Licensed) => standing.licensed += 1,
                Some(Stands::Waiting) => standing.waiting += 1,
                Some(Stands::Refused) => standing.refused += 1,
                Some(Stands::NeverAsked) | None => standing.never_asked += 1,
            }
        }
        standing
    }
}

pub(crate) struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Machines that ask again by themselves, by number, the soonest first. Instants are those of the monotonic clock.
#[derive(Default)]
pub(crate) struct Later(Mutex<BinaryHeap<Reverse<(Duration, usize)>>>);

impl Later {
    pub(crate) fn push(&self, due: Duration, machine: usize) {
        lock(&self.0).push(Reverse((due, machine)));
    }

    /// The soonest and when it was due, if it is.
    pub(crate) fn pop_due(&self, now: Duration) -> Option<(Duration, usize)> {
        let mut waiting = lock(&self.0);
        let Reverse((due, _)) = waiting.peek()?;
        if now < *due {
            return None;
        }
        waiting.pop().map(|Reverse(soonest)| soonest)
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }
}

/// Every change under these locks is whole or not there, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
