//! Plays a scenario: phase after phase, each paced as it says, until the last answer is there.
//!
//! In an open phase a thread of its own does nothing but wait for the next instant that was drawn and set off the turn
//! that is due: neither a slow host nor a busy runtime moves the plan, and what an ask waited counts from there. In a
//! closed phase so many tasks each take the next turn when the last has ended. Who asks is `turns`'s affair, what a turn
//! consists of `turn`'s.

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

/// How long the last answers are waited for, beyond the limit of each.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// Plays every phase, and waits for the last answer. Says what a reader of the result should know.
///
/// # Errors
/// The throwaway host could not be stopped or started as the scenario wants it.
pub(crate) async fn play(
    ground: &Arc<Ground>,
    scenario: &Scenario,
    mut site: Option<&mut Site>,
    sign_before: bool,
    seed: u64,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<String>> {
    let tracker = TaskTracker::new();
    for (number, phase) in (0..).zip(&scenario.phases) {
        if stop.is_cancelled() {
            break;
        }
        if phase.clone {
            ground.make_copies().await;
        }
        let turns = Turns::of(phase, ground, seed.wrapping_add(number)).await;
        if sign_before {
            ground.sign_ahead(turns.numbers()).await;
        }
        disturb(site.as_deref_mut(), phase.host).await.with_context(|| format!("phase {}", phase.name))?;
        let pace = phase.pace(turns.machines());
        let began = ground.begin_phase(phase, pace);
        let stage = Stage {
            ground: ground.clone(),
            turns: Arc::new(turns),
            began,
            until: began + Duration::from_secs_f64(phase.seconds),
            ends_early: phase.who == Who::New && matches!(pace, Pace::Closed(_)),
            tracker: tracker.clone(),
            stop: stop.clone(),
        };
        match pace {
            Pace::Closed(in_flight) => stage.closed(in_flight).await,
            Pace::Open(per_s) => {
                let drawn = Arrivals::new(per_s, &phase.shape, phase.seconds, seed.wrapping_add(number));
                stage.open(drawn.map(move |at| began + at)).await?;
            }
            Pace::Silent => stage.open(std::iter::empty()).await?,
        }
        ground.end_phase();
        restore(site.as_deref_mut(), phase).await.with_context(|| format!("phase {}", phase.name))?;
    }
    tracker.close();
    let drained = tokio::time::timeout(DRAIN_LIMIT, tracker.wait()).await.is_ok();
    let mut remarks = Vec::new();
    if !drained {
        remarks.push(format!(
            "{} asks were still under way at the end, and are not in the figures",
            tracker.len()
        ));
    }
    if stop.is_cancelled() {
        remarks.push("the run was ended before its time".to_owned());
    }
    Ok(remarks)
}

/// One phase that is being played.
struct Stage {
    ground: Arc<Ground>,
    turns: Arc<Turns>,
    began: Duration,
    /// When it ends, on the monotonic clock.
    until: Duration,
    /// Whether it ends before, once every machine has had its turn and nobody waits for another.
    ends_early: bool,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Stage {
    /// Sets off every turn when it is due, on a thread of its own.
    async fn open(self, arrivals: impl Iterator<Item = Duration> + Send + 'static) -> anyhow::Result<()> {
        let runtime = Handle::current();
        let (ended, end) = tokio::sync::oneshot::channel();
        let pacing = move || {
            self.set_off(arrivals, &runtime);
            // Nobody waits any more if the run was given up.
            let _ = ended.send(());
        };
        std::thread::Builder::new().name("pace".to_owned()).spawn(pacing).context("a thread for the pace")?;
        end.await.context("the thread that sets the pace has panicked")
    }

    fn set_off(&self, arrivals: impl Iterator<Item = Duration>, runtime: &Handle) {
        let mut arrivals = arrivals.peekable();
        loop {
            let now = self.ground.clock.monotonic();
            if self.until <= now || self.stop.is_cancelled() {
                return;
            }
            while let Some(again) = self.ground.later.pop_due(now) {
                // Between two phases the run stands still.
                self.spawn(runtime, again.machine, again.due.max(self.began));
            }
            while let Some(due) = arrivals.next_if(|due| *due <= now) {
                if let Some(machine) = self.turns.next() {
                    self.ground.note_set_off(self.ground.clock.monotonic().saturating_sub(due));
                    self.spawn(runtime, machine, due);
                }
            }
            let next = arrivals.peek().copied().unwrap_or(self.until).min(self.until);
            let wait = next.saturating_sub(self.ground.clock.monotonic()).min(SLICE);
            if !wait.is_zero() {
                std::thread::sleep(wait);
            }
        }
    }

    fn spawn(&self, runtime: &Handle, machine: usize, due: Duration) {
        self.ground.note_due(due);
        self.tracker.spawn_on(turn(self.ground.clone(), machine, Some(due)), runtime);
    }

    /// So many at a time, each the next when the last has ended. Answers that are still out when the phase ends are
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

    /// Whose turn is next: whoever asks again goes first.
    fn next(&self, now: Duration) -> Option<usize> {
        self.ground.later.pop_due(now).map(|again| again.machine).or_else(|| self.turns.next())
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
                ground.note_due(now);
                turn(ground.clone(), machine, None).await;
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
async fn restore(site: Option<&mut Site>, phase: &Phase) -> anyhow::Result<()> {
    let Some(site) = site else { return Ok(()) };
    match phase.host {
        HostIs::There => Ok(()),
        HostIs::Away => site.start_again().await,
        HostIs::Stalled => site.resume().await,
    }
}
