//! What a run gave: the JSON file that is kept, merged with others, and drawn.
//!
//! All of it adds up: latencies are kept as counts for each value and not as percentiles, and instants as wall-clock time,
//! so that several processes which ran beside each other give one result. Percentiles are taken at the end, by `Spread`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the file's format. Another one is refused by name.
pub(crate) const FORMAT: u32 = 1;

/// One run, or several merged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LoadResult {
    pub(crate) format: u32,
    pub(crate) scenario: String,
    /// What the scenario plays, in one sentence.
    pub(crate) about: String,
    /// Who was asked: `127.0.0.1:21688`, with how it was found.
    pub(crate) host: String,
    /// `fresh for every ask`, or `4 kept`.
    pub(crate) connections: String,
    /// How many addresses the asks came from; of several processes the most that one of them used.
    pub(crate) sources: u32,
    /// Whether asks were signed before the clock started.
    pub(crate) signed_before: bool,
    /// The seed that the arrivals were drawn from.
    pub(crate) seed: u64,
    /// How many processes this adds up.
    pub(crate) processes: u32,
    /// A name for the run of each, drawn at random, so that none is added twice.
    pub(crate) runs: Vec<String>,
    /// Simulated machines.
    pub(crate) machines: u64,
    /// When the first phase began, milliseconds since the Unix epoch.
    pub(crate) began_at_ms: i64,
    pub(crate) phases: Vec<Phase>,
    /// A bucket for each second that anything was asked or answered in, ascending.
    pub(crate) seconds: Vec<Second>,
    /// How many machines the host counted at the end; none if that is not known.
    #[serde(default)]
    pub(crate) counted: Option<HostCount>,
    /// Where the machines stood at the end.
    pub(crate) standing: Standing,
    /// The result of verifying the answers, once the clock had stopped.
    pub(crate) verified: Verified,
    /// What is wrong, one sentence each; empty if all is as the scenario expects.
    pub(crate) errors: Vec<String>,
    /// What a reader should know, and is no error.
    pub(crate) remarks: Vec<String>,
}

/// A part of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phase {
    pub(crate) name: String,
    /// Seconds since `began_at_ms`.
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    /// How it was paced, for people: `open, 200/s`, `closed, 64 in flight`. Of several processes: what each of them did.
    pub(crate) pace: String,
    /// Whether arrivals were planned ahead, so that `response` counts from the plan.
    pub(crate) open: bool,
    /// Whether it is what the run is about; the others prepare it.
    pub(crate) measured: bool,
    /// Asks sent.
    pub(crate) asked: u64,
    /// Answers that came while it lasted, also to asks of the phase before.
    pub(crate) answers: u64,
    /// Their outcomes: `LEASE`, `WAITING`, or the code of a reason.
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// From when an ask was due to its answer, microseconds. In a closed phase the same as `service`.
    pub(crate) response: Spread,
    /// From when it was sent to its answer, microseconds: what a tool that waits for answers would have shown.
    pub(crate) service: Spread,
}

/// What happened in one second of wall-clock time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Second {
    /// Whole seconds since the Unix epoch.
    pub(crate) at_unix_s: i64,
    /// Whether it belongs to the preparation. The second in which the preparation ends is there twice.
    #[serde(default)]
    pub(crate) prepares: bool,
    /// Asks that were due.
    pub(crate) due: u64,
    /// What was answered, or failed, in this second: `LEASE`, `WAITING`, or the code of a reason.
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// Of what was answered in this second, microseconds from when it was due.
    pub(crate) response: Spread,
    /// The last count and threshold that an answer named.
    pub(crate) count: Option<u64>,
    pub(crate) threshold: Option<u32>,
}

/// How many machines a host counted. Answers overtake each other, so the latest is the one with the latest time of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct HostCount {
    /// The host's clock, milliseconds since the Unix epoch.
    pub(crate) at_ms: i64,
    pub(crate) count: u64,
    pub(crate) threshold: u32,
    /// Whether the host itself was asked at the end; otherwise one of its answers says so.
    pub(crate) asked: bool,
}

/// Machines by the last answer that they had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) licensed: u64,
    pub(crate) waiting: u64,
    /// Their last ask was refused or failed, and they hold no lease.
    pub(crate) refused: u64,
    /// They never had their turn.
    pub(crate) never_asked: u64,
}

/// The result of verifying the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verified {
    /// Signed answers in all.
    pub(crate) answers: u64,
    /// How many of them were verified, down from the vendor's roots, as the client library does it.
    pub(crate) looked_at: u64,
    /// How many of those were leases.
    pub(crate) leases: u64,
    /// How many were wrong.
    pub(crate) wrong: u64,
}

/// How often each value came, in microseconds: a histogram whose counts add up.
///
/// Values are those of an HDR histogram's buckets, so they are near the true ones by its precision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Spread(pub(crate) BTreeMap<u64, u64>);

impl LoadResult {
    /// The phases that the run is about; the others prepare it.
    pub(crate) fn measured(&self) -> impl Iterator<Item = &Phase> {
        self.phases.iter().filter(|phase| phase.measured)
    }

    /// The measured phases as one.
    pub(crate) fn measured_together(&self) -> Option<Phase> {
        let mut phases = self.measured();
        let mut sum =
            Phase { name: "measured".to_owned(), pace: "together".to_owned(), ..phases.next()?.clone() };
        for phase in phases {
            sum.open &= phase.open;
            sum.to_s += phase.to_s - phase.from_s;
            sum.add_counts(phase);
        }
        Some(sum)
    }
}

impl Phase {
    /// A phase in which nothing has happened yet.
    pub(crate) fn begun(name: &str, pace: &str, open: bool, measured: bool) -> Phase {
        let (name, pace) = (name.to_owned(), pace.to_owned());
        Phase { name, pace, open, measured, ..Phase::default() }
    }

    /// Whether it makes a fleet as fast as it can be made, for what comes after it.
    pub(crate) fn prepares(&self) -> bool {
        !self.open && !self.measured
    }

    /// Adds what another has counted; what it is called, and when it was, stays.
    pub(crate) fn add_counts(&mut self, other: &Phase) {
        self.asked = self.asked.saturating_add(other.asked);
        self.answers = self.answers.saturating_add(other.answers);
        add_counts(&mut self.outcomes, &other.outcomes);
        self.response.add(&other.response);
        self.service.add(&other.service);
    }
}

/// Adds counts to those of the same names.
pub(crate) fn add_counts<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, counts: &BTreeMap<K, u64>) {
    for (name, count) in counts {
        let sum = sums.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*count);
    }
}

impl Standing {
    pub(crate) fn add(&self, other: &Standing) -> Standing {
        Standing {
            licensed: self.licensed.saturating_add(other.licensed),
            waiting: self.waiting.saturating_add(other.waiting),
            refused: self.refused.saturating_add(other.refused),
            never_asked: self.never_asked.saturating_add(other.never_asked),
        }
    }
}

impl Verified {
    pub(crate) fn add(&self, other: &Verified) -> Verified {
        Verified {
            answers: self.answers.saturating_add(other.answers),
            looked_at: self.looked_at.saturating_add(other.looked_at),
            leases: self.leases.saturating_add(other.leases),
            wrong: self.wrong.saturating_add(other.wrong),
        }
    }
}

impl Spread {
    /// Counts a value as the largest one with the same first `bits` bits, as an HDR histogram does: 11 keep three digits, 8 keep
    /// two.
    pub(crate) fn record(&mut self, value: u64, bits: u32) {
        let dropped = (u64::BITS - value.leading_zeros()).saturating_sub(bits);
        *self.0.entry(value | ((1 << dropped) - 1)).or_default() += 1;
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.values().fold(0, |sum: u64, count| sum.saturating_add(*count))
    }

    /// The value that this share of all values does not exceed; none if there are none.
    pub(crate) fn quantile(&self, share: f64) -> Option<u64> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of far fewer than 2^52 values"
        )]
        let rank = ((self.len() as f64 * share).ceil() as u64).max(1);
        let mut below = 0_u64;
        self.0.iter().find_map(|(value, count)| {
            below = below.saturating_add(*count);
            (rank <= below).then_some(*value)
        })
    }

    pub(crate) fn max(&self) -> Option<u64> {
        self.0.keys().next_back().copied()
    }

    /// Adds what another has counted.
    pub(crate) fn add(&mut self, other: &Spread) {
        add_counts(&mut self.0, &other.0);
    }
}
