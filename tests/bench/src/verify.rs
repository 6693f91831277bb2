//! The answers, looked at once the clock has stopped: a figure from wrong answers is no figure.
//!
//! A lease is judged as a machine would judge it, by the client's own rules. The chain that came with it is compared with
//! the one that was verified at the start, byte for byte, and not verified again a hundred thousand times.

use anyhow::{Context, anyhow, bail, ensure};
use bytes::Bytes;
use prost::Message;
use proto::v1::{ActivateResponse, Answer};
use shared::answer::{Lease, Received, Verdict};
use shared::certificate::{Chain, Roots};
use shared::time::Timestamp;
use world::cores::on_every_core;

use crate::asks::Asker;
use crate::load::{Reply, Run};

/// What leases are judged against.
pub(crate) struct Judge<'a> {
    /// The chain of the host.
    pub(crate) chain: &'a Chain,
    /// What the machines trust.
    pub(crate) roots: &'a Roots,
    /// When they look.
    pub(crate) now: Timestamp,
}

/// Checks that every answer of the bare echo is the lease that it was given.
///
/// # Errors
/// One is not, or there is none.
pub(crate) fn same(run: &Run, lease: &ActivateResponse) -> anyhow::Result<()> {
    ensure!(!run.replies.is_empty(), "nothing was answered");
    let wanted = lease.encode_to_vec();
    ensure!(run.replies.iter().all(|reply| reply.answer == wanted), "an echo is not what was to come back");
    Ok(())
}

/// Checks that one answer in `one_in` is a good lease for the machine that asked.
///
/// # Errors
/// One is not, or there is none.
pub(crate) fn sample(run: &Run, one_in: usize, askers: &[Asker], judge: &Judge) -> anyhow::Result<()> {
    ensure!(!run.replies.is_empty(), "nothing was answered");
    let sampled = run.replies.iter().step_by(one_in).collect();
    let judged = on_every_core(sampled, |reply: &Reply| judge.lease(reply, &askers[reply.ask]));
    judged.into_iter().try_for_each(|lease| lease.map(drop))
}

/// Checks that every answer is a good lease for the machine that asked. Returns the machines, each with its lease.
///
/// # Errors
/// One is not, or there is none.
pub(crate) fn all(run: &Run, askers: Vec<Asker>, judge: &Judge) -> anyhow::Result<Vec<(Asker, Box<Lease>)>> {
    ensure!(!run.replies.is_empty(), "nothing was answered");
    let mut askers: Vec<_> = askers.into_iter().map(Some).collect();
    let mut pairs = Vec::with_capacity(run.replies.len());
    for reply in &run.replies {
        pairs.push((reply, askers[reply.ask].take().context("a machine was answered twice")?));
    }
    let judged = on_every_core(pairs, |(reply, asker)| {
        let lease = judge.lease(reply, &asker)?;
        ensure!(
            lease.header().serial == asker.expected.serial + 1,
            "a lease has the serial {} for an ask with {}",
            lease.header().serial,
            asker.expected.serial
        );
        Ok((asker, lease))
    });
    judged.into_iter().collect()
}

impl Judge<'_> {
    fn lease(&self, reply: &Reply, asker: &Asker) -> anyhow::Result<Box<Lease>> {
        let response = ActivateResponse::decode(reply.answer.as_slice())?;
        self.answer(response.answer.context("an answer is empty")?, asker)
    }

    /// The lease in an answer.
    ///
    /// # Errors
    /// It has none, or not one for this machine's ask.
    pub(crate) fn answer(&self, mut answer: Answer, asker: &Asker) -> anyhow::Result<Box<Lease>> {
        if !answer.chain.is_empty() {
            ensure!(answer.chain == self.chain.encoded(), "an answer brings another chain");
            answer.chain = Bytes::new();
        }
        let received = Received::open(&answer, Some(self.chain), self.roots);
        let verdict = received.and_then(|received| received.judge(&asker.expected, self.now));
        match verdict.map_err(|error| anyhow!("an answer is wrong: {error}"))? {
            Verdict::Leased(lease) => Ok(lease),
            Verdict::Refused(refused) => bail!("a machine was refused: {}", refused.cause),
            Verdict::Waiting(_) => bail!("a machine was told to wait, and the threshold is 1"),
            Verdict::Released(_) => bail!("a machine was released, and asked for a lease"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::asks;
    use crate::echo::Signed;
    use crate::host::{self, Keeper, Site};
    use kms_host::clock::SystemClock;
    use ledger::Engine;
    use shared::ask::Ask;
    use shared::time::Clock;

    /// Two machines, and what the first of them is answered with. Says how the answer is judged.
    fn check(tamper: impl FnOnce(&mut ActivateResponse), asked_by: usize, wanted: &str) {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock::new());
        let shop = host::open_shop(folder.path()).unwrap();
        let site = Site::make(&shop, "host", Keeper::On(Engine::Sled), clock.now()).unwrap();
        let (product, now) = (site.installed.chain.host().product, clock.now());
        let askers = asks::first(2, product, now);
        let echo = Signed { key: site.signing_key().unwrap(), installed: site.installed.clone(), clock };
        let ask = Ask::open(askers[0].request.ask.as_ref().unwrap(), None).unwrap();
        let mut response = echo.lease(&ask);
        tamper(&mut response);
        let reply = Reply { ask: asked_by, latency: Duration::ZERO, answer: response.encode_to_vec() };
        let run = Run { took: Duration::ZERO, replies: vec![reply] };

        let judge = Judge { chain: &site.installed.chain, roots: &site.roots, now };
        let judged = all(&run, askers, &judge).map(|licensed| licensed.len());

        let told = judged.map_or_else(|error| error.to_string(), |licensed| format!("{licensed} licensed"));
        assert_eq!(told, wanted);
    }

    #[test]
    fn only_the_lease_of_whoever_asked_counts() {
        check(|_| {}, 0, "1 licensed");
        check(|_| {}, 1, "an answer is wrong: its machine is not the one that was asked for");
        check(|response| response.answer = None, 0, "an answer is empty");
        let flip = |response: &mut ActivateResponse| {
            let signed = response.answer.as_mut().unwrap().signed.as_mut().unwrap();
            let mut payload = signed.payload.to_vec();
            payload[40] ^= 1;
            signed.payload = payload.into();
        };
        check(flip, 0, "an answer is wrong: the signature does not hold");
        let cut = |response: &mut ActivateResponse| response.answer.as_mut().unwrap().chain.truncate(9);
        check(cut, 0, "an answer brings another chain");
    }
}
