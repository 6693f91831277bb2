//! What a measurement gives: rates, latencies, processor time and sizes of one service, and statistics over several.

use std::time::Duration;

use anyhow::Context;
use hdrhistogram::Histogram;
use prost::Message;

use crate::asks::Asker;
use crate::cpu::Calls;
use crate::host::Keeper;
use crate::load::Run;

/// One in this many leases of the signed echo is verified. Of the hosts' leases every one is.
pub(crate) const SAMPLED: usize = 16;

/// What is measured, in the order of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    BareEcho,
    SignedEcho,
    Activation(Keeper),
    Renewal(Keeper),
}

impl Service {
    /// All of them, in the order of a round.
    pub(crate) fn all() -> Vec<Service> {
        let hosts = Keeper::ALL.into_iter().flat_map(|on| [Service::Activation(on), Service::Renewal(on)]);
        [Service::BareEcho, Service::SignedEcho].into_iter().chain(hosts).collect()
    }
}

/// One measurement of one service.
pub(crate) struct Sample {
    pub(crate) per_second: f64,
    /// In microseconds.
    pub(crate) latencies: Histogram<u64>,
    /// Processor time on the service's side, where it can be told.
    pub(crate) cpu: Option<Duration>,
    pub(crate) syncs: u64,
    /// What its threads asked of the kernel; nothing where they are not of this process.
    pub(crate) calls: Calls,
    pub(crate) ask_bytes: usize,
    pub(crate) answer_bytes: usize,
}

/// Every service once, in the order of [`Service::all`].
pub(crate) type Round = Vec<Sample>;

impl Sample {
    /// The sample of a run. `cpu` is the processor time that the service used, `syncs` how often it synced.
    ///
    /// # Errors
    /// Nothing was answered.
    pub(crate) fn of(
        run: &Run,
        askers: &[Asker],
        cpu: Option<Duration>,
        syncs: u64,
    ) -> anyhow::Result<Sample> {
        let first = run.replies.first().context("nothing was answered")?;
        let mut latencies = Histogram::new(3)?;
        for reply in &run.replies {
            latencies.record(u64::try_from(reply.latency.as_micros())?)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 answers")]
        let answered = run.replies.len() as f64;
        Ok(Sample {
            per_second: answered / run.took.as_secs_f64(),
            latencies,
            cpu: cpu.map(|cpu| cpu.div_f64(answered)),
            syncs,
            calls: Calls::default(),
            ask_bytes: askers[first.ask].request.encoded_len(),
            answer_bytes: first.answer.len(),
        })
    }
}

/// The latencies of several samples together.
pub(crate) fn latencies<'a>(samples: impl Iterator<Item = &'a Sample>) -> Histogram<u64> {
    let mut latencies = Histogram::new(3).expect("3 digits are allowed");
    samples.for_each(|sample| latencies += &sample.latencies);
    latencies
}

/// The median processor time of one answer, in microseconds, where it can be told.
pub(crate) fn cpu_us<'a>(samples: impl Iterator<Item = &'a Sample>) -> Option<f64> {
    let each = samples.map(|sample| Some(sample.cpu?.as_secs_f64() * 1e6)).collect::<Option<Vec<_>>>()?;
    Some(median(each.into_iter()))
}

/// The middle value; with an even number of them the mean of the middle two.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<_> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let (below, above) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    f64::midpoint(below, above)
}

#[expect(clippy::cast_precision_loss, reason = "a latency in microseconds")]
pub(crate) fn ms(us: u64) -> String {
    format!("{:.2}", us as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < 1e-9);
    }
}
