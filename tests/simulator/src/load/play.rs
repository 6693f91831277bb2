//! Plays a scenario: phase after phase, each paced as it says, until the last answer is there.
//!
//! In an open phase a thread of its own does nothing but wait for the next instant that was drawn and set off the turn
//! that is due: neither a slow host nor a busy runtime moves the plan, and what an ask waited counts from there. In a
//! closed phase a fixed number of tasks each take the next turn when their last has ended. `turns` says whose turn it is, `turn`
//! plays it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kms_client::Clock;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ground::Ground;
use super::pace::Arrivals;
use super::scenario::{HostIs, Pace, Phase, Scenario, Who};
use super::site::Site;
use super::turn::turn;
use super::turns::Turns;

/// The pacing thread never sleeps longer: a machine that asks again may be due before the next arrival.
const SLICE: Duration = Duration::from_millis(2);

/// How long to wait for the last answers: longer than any host may take for one. An ask that still waits for its place then counts
/// as not answered.
const DRAIN_LIMIT: Duration = Duration::from_secs(15);

/// The same for a run that somebody has ended.
const DRAIN_LIMIT_ENDED: Duration = Duration::from_secs(2);

/// Plays every phase, and waits for the last answers. Nothing asks any more when this returns.
///
/// # Errors
/// The throwaway host could not be stopped or started as the scenario wants it: the phases until then were played.
pub(crate) async fn play(
    ground: &Arc<Ground>,
    scenario: &Scenario,
    mut site: Option<&mut Site>,
    sign_before: bool,
    seed: u64,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let tracker = TaskTracker::new();
    let played = async {
        for (number, phase) in (0..).zip(&scenario.phases) {
            if stop.is_cancelled() {
                break;
            }
            if phase.clone {
                ground.make_copies().await;
            }
            let seed = seed.wrapping_add(number);
            let turns = Turns::of(phase, ground, seed);
            if sign_before {
                ground.sign_ahead(turns.numbers());
            }
            let named = || format!("phase {}", phase.name);
            disturb(site.as_deref_mut(), phase.host).await.with_context(named)?;
            let stage = Stage::begin(ground, phase, turns, tracker.clone(), stop.clone());
            stage.play(phase, seed).await?;
            ground.tally().end_phase(ground.clock.monotonic());
            restore(site.as_deref_mut(), phase.host).await.with_context(named)?;
        }
        Ok(())
    };
    let played = played.await;
    tracker.close();
    let limit = if stop.is_cancelled() { DRAIN_LIMIT_ENDED } else { DRAIN_LIMIT };
    // Asks that are still open note themselves as not answered.
    let _ = tokio::time::timeout(limit, tracker.wait()).await;
    ground.over.cancel();
    tracker.wait().await;
    played
}

/// One phase that is being played.
struct Stage {
    ground: Arc<Ground>,
    turns: Arc<Turns>,
    pace: Pace,
    /// On the monotonic clock, as its end is.
    began: Duration,
    /// When it ends.
    until: Duration,
    /// Whether it ends before, once every machine has had its turn and nobody waits for another.
    ends_early: bool,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Stage {
    /// From here on the phase's clock runs.
    fn begin(
        ground: &Arc<Ground>,
        phase: &Phase,
        turns: Turns,
        tracker: TaskTracker,
        stop: CancellationToken,
    ) -> Stage {
        let pace = phase.pace(turns.machines());
        let began = ground.begin_phase(phase, pace);
        Stage {
            ground: ground.clone(),
            turns: Arc::new(turns),
            pace,
            began,
            until: began + Duration::from_secs_f64(phase.seconds),
            ends_early: phase.who == Who::New && matches!(pace, Pace::Closed(_)),
            tracker,
            stop,
        }
    }

    /// Until it ends; the last answers may still be out.
    async fn play(self, phase: &Phase, seed: u64) -> anyhow::Result<()> {
        let began = self.began;
        match self.pace {
            Pace::Closed(in_flight) => self.closed(in_flight).await,
            Pace::Open(per_s) => {
                let drawn = Arrivals::new(per_s, &phase.shape, phase.seconds, seed);
                self.open(drawn.map(move |at| began + at)).await?;
            }
            Pace::Silent => self.open(std::iter::empty()).await?,
        }
        Ok(())
    }

    /// Sets off every turn when it is due, on a thread of its own.
    async fn open(self, arrivals: impl Iterator<Item = Duration> + Send + 'static) -> anyhow::Result<()> {
        let runtime = Handle::current();
        let (ended, end) = tokio::sync::oneshot::channel();
        let pacing = move || {
            self.set_off(arrivals, &runtime);
            // If the run was given up, the receiver is gone.
            let _ = ended.send(());
        };
        std::thread::Builder::new().name("pace".to_owned()).spawn(pacing).context("a thread for the pace")?;
        end.await.context("the thread that sets the pace has panicked")
    }

    fn set_off(&self, arrivals: impl Iterator<Item = Duration>, runtime: &Handle) {
        let mut arrivals = arrivals.peekable();
        loop {
            let now = self.ground.clock.monotonic();
            // What was due before the phase ended is set off, however late this thread is.
            let horizon = now.min(self.until);
            while let Some((due, machine)) = self.ground.later.pop_due(horizon) {
                // Between two phases the run stands still.
                self.spawn(runtime, machine, due.max(self.began));
            }
            while !self.stop.is_cancelled()
                && let Some(due) = arrivals.next_if(|due| *due <= horizon)
            {
                if let Some(machine) = self.turns.next() {
                    self.ground.note_set_off(self.ground.clock.monotonic().saturating_sub(due));
                    self.spawn(runtime, machine, due);
                }
            }
            if self.until <= now || self.stop.is_cancelled() {
                return;
            }
            let next = arrivals.peek().copied().unwrap_or(self.until).min(self.until);
            let wait = next.saturating_sub(self.ground.clock.monotonic()).min(SLICE);
            if !wait.is_zero() {
                std::thread::sleep(wait);
            }
        }
    }

    fn spawn(&self, runtime: &Handle, machine: usize, due: Duration) {
        self.ground.tally().due(due);
        self.tracker.spawn_on(turn(self.ground.clone(), machine, Some(due)), runtime);
    }

    /// Keeps this many turns going; each task takes the next when its last has ended. Answers that are still out when the phase ends are
    /// waited for at the end of the run: a host that is held still in this phase answers in the next one.
    async fn closed(self, in_flight: u16) {
        let stage = Arc::new(self);
        let taking = TaskTracker::new();
        for _ in 0..in_flight {
            stage.tracker.spawn(taking.track_future(take_turns(stage.clone())));
        }
        taking.close();
        let left = stage.until.saturating_sub(stage.ground.clock.monotonic());
        // Either way the phase has ended.
        let _ = tokio::time::timeout(left, taking.wait()).await;
    }

    /// The next machine: those that ask again go first.
    fn next(&self, now: Duration) -> Option<usize> {
        self.ground.later.pop_due(now).map(|(_, machine)| machine).or_else(|| self.turns.next())
    }
}

async fn take_turns(stage: Arc<Stage>) {
    let ground = &stage.ground;
    loop {
        let now = ground.clock.monotonic();
        if stage.until <= now || stage.stop.is_cancelled() {
            return;
        }
        match stage.next(now) {
            Some(machine) => {
                ground.tally().due(now);
                Box::pin(turn(ground.clone(), machine, None)).await;
            }
            None if stage.ends_early && ground.later.is_empty() && ground.turns_under_way() == 0 => return,
            None => tokio::time::sleep(SLICE).await,
        }
    }
}

/// What a phase does to the throwaway host before it begins.
async fn disturb(site: Option<&mut Site>, host: HostIs) -> anyhow::Result<()> {
    let Some(site) = site else { return Ok(()) };
    match host {
        HostIs::There => Ok(()),
        HostIs::Away => site.kill().await,
        HostIs::Stalled => site.pause().await,
    }
}

/// And what ends it.
async fn restore(site: Option<&mut Site>, host: HostIs) -> anyhow::Result<()> {
    let Some(site) = site else { return Ok(()) };
    match host {
        HostIs::There => Ok(()),
        HostIs::Away => site.start_again().await,
        HostIs::Stalled => site.resume().await,
    }
}
