//! One phase of a scenario: who asks, at what pace, and what becomes of the host meanwhile.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};
use serde::Deserialize;

use super::SECONDS_MAX;
use crate::load::outcome::is_known;
use crate::load::pace::mean;

/// The shortest phase, in seconds.
const SECONDS_MIN: f64 = 0.01;

/// The highest rate, in asks a second, and so many asks of each machine: nothing comes near it.
const RATE_MAX: f64 = 1_000_000.0;

/// The highest height of a shape.
const HEIGHT_MAX: f64 = 1_000_000.0;

/// A stretch of time in which machines ask in one way.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phase {
    pub(crate) name: String,
    /// Which machines have their turn.
    pub(crate) who: Who,
    /// Of them only this share, always the same machines; 1 without it.
    #[serde(default = "whole")]
    pub(crate) share: f64,
    /// How long. A closed phase of new machines ends before when all have asked.
    pub(crate) seconds: f64,
    /// Closed: so many asks in flight, the next one when one is answered.
    pub(crate) in_flight: Option<u16>,
    /// Open: so many asks a second in the mean, whatever the host does.
    pub(crate) rate: Option<f64>,
    /// Open: as many asks a second as make so many for each machine in this phase.
    pub(crate) asks_each: Option<f64>,
    /// How the rate runs over the phase: heights at equal distances, joined by straight lines. Even without it.
    #[serde(default = "even")]
    pub(crate) shape: Vec<f64>,
    /// What becomes of the throwaway host meanwhile.
    #[serde(default)]
    pub(crate) host: HostIs,
    /// Makes the copies before the phase begins.
    #[serde(default)]
    pub(crate) clone: bool,
    /// What may come of an ask: `LEASE`, `WAITING`, or the codes of reasons. Anything else is an error of the run.
    #[serde(default = "lease_or_waiting")]
    pub(crate) outcomes: BTreeSet<String>,
    /// Whether this phase is what the run is about: `--rate`, `--seconds` and `--closed` change these.
    #[serde(default)]
    pub(crate) measured: bool,
}

/// Which machines have their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    /// Those that have not asked yet, each once.
    New,
    /// Those that have, over and over in an order that is drawn.
    Known,
    /// Nobody, but for those whose time it is to ask again.
    Nobody,
}

/// What becomes of the throwaway host during a phase. A host that is named is left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HostIs {
    #[default]
    There,
    /// Killed when the phase begins, and started again when it ends.
    Away,
    /// Stopped in the middle of whatever it does (SIGSTOP), and let go on when the phase ends.
    Stalled,
}

/// How a phase is paced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// So many asks in flight.
    Closed(u16),
    /// So many asks a second in the mean.
    Open(f64),
    /// Only those that ask again.
    Silent,
}

impl Phase {
    /// How it is paced, where so many machines have their turn.
    pub(crate) fn pace(&self, machines: u32) -> Pace {
        match (self.in_flight, self.rate, self.asks_each) {
            (Some(in_flight), _, _) => Pace::Closed(in_flight),
            (None, Some(rate), _) => Pace::Open(rate),
            (None, None, Some(each)) => Pace::Open(each * f64::from(machines) / self.seconds),
            (None, None, None) => Pace::Silent,
        }
    }

    /// How many machines of a fleet of so many may have their turn.
    pub(crate) fn of(&self, machines: u32) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a u32 is one"
        )]
        let some = (f64::from(machines) * self.share).ceil() as u32;
        some.min(machines)
    }

    /// How far the highest point of its shape is above the mean.
    pub(super) fn peak(&self) -> f64 {
        let highest = self.shape.iter().copied().fold(0.0, f64::max);
        highest / mean(&self.shape)
    }

    /// Changes the rate of an open phase by this factor, where the fleet has so many machines.
    pub(super) fn scale_rate(&mut self, factor: f64, machines: u32) {
        if let Pace::Open(per_s) = self.pace(self.of(machines)) {
            (self.rate, self.asks_each) = (Some(per_s * factor), None);
        }
    }

    /// What it says can be played.
    ///
    /// # Errors
    /// The key that cannot, and why.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (SECONDS_MIN..=SECONDS_MAX).contains(&self.seconds),
            "`seconds` has to be from {SECONDS_MIN} to {SECONDS_MAX}"
        );
        ensure!(0.0 < self.share && self.share <= 1.0, "`share` has to be above 0, and at most 1");
        self.check_pace()?;
        self.check_shape()?;
        self.check_outcomes()
    }

    fn check_pace(&self) -> anyhow::Result<()> {
        let paces = [self.in_flight.is_some(), self.rate.is_some(), self.asks_each.is_some()];
        let given = paces.into_iter().filter(|given| *given).count();
        match self.who {
            Who::Nobody => ensure!(given == 0, "nobody has a turn, so there is nothing to pace"),
            Who::New | Who::Known => {
                ensure!(
                    given == 1,
                    "exactly one of `in_flight`, `rate` and `asks_each` says how it is paced"
                );
            }
        }
        ensure!(self.in_flight != Some(0), "`in_flight` has to be at least 1");
        for (key, value) in [("rate", self.rate), ("asks_each", self.asks_each)] {
            let fits = value.is_none_or(|value| 0.0 < value && value <= RATE_MAX);
            ensure!(fits, "`{key}` has to be above 0, and at most {RATE_MAX}");
        }
        Ok(())
    }

    fn check_outcomes(&self) -> anyhow::Result<()> {
        ensure!(
            !self.outcomes.is_empty(),
            "`outcomes` is empty: name what may come of an ask, such as LEASE"
        );
        match self.outcomes.iter().find(|name| !is_known(name)) {
            Some(name) => {
                bail!("no ask comes to {name}: `outcomes` takes LEASE, WAITING and the codes of reasons")
            }
            None => Ok(()),
        }
    }

    fn check_shape(&self) -> anyhow::Result<()> {
        let heights_fit = self.shape.iter().all(|height| (0.0..=HEIGHT_MAX).contains(height));
        if self.shape.is_empty() || !heights_fit || self.shape.iter().all(|height| *height == 0.0) {
            bail!("`shape` has to be heights from 0 upwards, of which one is above 0");
        }
        Ok(())
    }
}

fn whole() -> f64 {
    1.0
}

fn even() -> Vec<f64> {
    vec![1.0]
}

fn lease_or_waiting() -> BTreeSet<String> {
    ["LEASE", "WAITING"].map(str::to_owned).into()
}
