//! A ledger of a million machines in seconds: what the host itself would have written in a month, without the network.
//!
//! Every machine goes through the ledger's own rule, in order, an equal number in each moment of the last thirty days, so the
//! count, the hours and the records are right by construction. Most machines are random names. An even sample of them has
//! keys and leases, so that they can renew: their records lie as far apart as anybody's.

use anyhow::{Context, bail};
use kms_host::certificates;
use ledger::{Ledger, testing};
use proto::v1::Answer;
use rand::RngExt;
use shared::answer::{self, Header, Lease};
use shared::ask::{Ask, AskKind};
use shared::count::{Decision, Entrants, Outcome, Shown, Sighting};
use shared::envelope::{Kind, SecretKey};
use shared::ids::{Fingerprint, MachineId, Nonce};
use shared::serial::Mark;
use shared::time::Timestamp;
use tokio::runtime::Runtime;

use crate::asks::{self, Asker};
use crate::host::Site;
use crate::verify::Judge;
use world::cores::on_every_core;

/// Sightings that share a sync.
const CHUNK: usize = 4096;

/// What the sightings are spread over.
const SPREAD: std::time::Duration = std::time::Duration::from_hours(29 * 24);

/// Machines that can renew.
pub(crate) type Sample = Vec<(Asker, Box<Lease>)>;

/// Fills the ledger of a host that does not run with machines; `sampled` of them can renew.
///
/// # Errors
/// The ledger refuses, or the disk.
pub(crate) fn fill(
    site: &Site,
    runtime: &Runtime,
    machines: usize,
    sampled: usize,
    now: Timestamp,
) -> anyhow::Result<Sample> {
    let ledger = site.ledger()?;
    let filling = Filling { site, ledger: &*ledger, key: site.signing_key()? };
    let chunks = machines.div_ceil(CHUNK);
    let mut sample = Vec::with_capacity(sampled);
    for chunk in 0..chunks {
        let part = |whole: usize| whole * (chunk + 1) / chunks - whole * chunk / chunks;
        let left = u32::try_from(chunks - chunk)?;
        let at = now - SPREAD / u32::try_from(chunks)? * left;
        sample.extend(filling.chunk(runtime, part(machines), part(sampled.min(machines)), at)?);
    }
    Ok(sample)
}

/// A ledger that is being filled.
struct Filling<'a> {
    site: &'a Site,
    ledger: &'a dyn Ledger,
    key: SecretKey,
}

impl Filling<'_> {
    /// Enters `machines` at one moment; the first `sampled` of them are real.
    fn chunk(
        &self,
        runtime: &Runtime,
        machines: usize,
        sampled: usize,
        at: Timestamp,
    ) -> anyhow::Result<Sample> {
        let product = self.site.installed.chain.host().product;
        let askers = asks::first(sampled, product, at);
        let asked = on_every_core(askers, |asker| {
            let ask = asker.request.ask.as_ref().context("every request has one")?;
            Ok((Ask::open(ask, None)?, asker))
        });
        let asked = asked.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let (meta, terms) = (self.ledger.meta(), certificates::terms(&self.site.installed.chain));
        let real = asked.iter().map(|(ask, _)| Sighting::of(ask, &meta.pepper, terms, at));
        let mut random = rand::rng();
        let names = (sampled..machines).map(|_| Sighting {
            product,
            machine: MachineId::from_bytes(random.random()),
            presented: Mark { serial: 0, nonce: Nonce::from_bytes(random.random()), asked_at: at },
            fingerprint: Fingerprint::of_machine(product, &random.random::<[u8; 16]>()),
            kind: AskKind::Activate,
            kept: true,
            replaces: None,
            shown: Shown::Nothing,
            entrants: Entrants::Anybody,
            at,
            terms,
        });
        let sightings: Vec<_> = real.chain(names).collect();
        let outcomes = runtime.block_on(testing::sight(self.ledger, sightings))?;
        let licensed = asked.into_iter().zip(outcomes).collect();
        on_every_core(licensed, |((ask, asker), outcome)| self.license(&ask, asker, &outcome, at))
            .into_iter()
            .collect()
    }

    /// The lease that the host would have signed for this outcome.
    fn license(
        &self,
        ask: &Ask,
        asker: Asker,
        outcome: &Outcome,
        at: Timestamp,
    ) -> anyhow::Result<(Asker, Box<Lease>)> {
        let Decision::Lease { serial, grant } = outcome.decision else {
            bail!("a new machine was told {:?}", outcome.decision);
        };
        let chain = &self.site.installed.chain;
        let header = Header::answering(ask, serial, at, chain.host().host(), self.ledger.meta().ledger);
        let lease = answer::compose_lease(&header, &chain.host().policy, &grant, ask.fingerprint);
        let answer = Answer {
            signed: Some(self.key.sign(Kind::Lease, &lease)),
            chain: chain.encoded().clone(),
            ..Answer::default()
        };
        let judge = Judge { chain, roots: &self.site.roots, now: at };
        let lease = judge.answer(answer, &asker)?;
        Ok((asker, lease))
    }
}
