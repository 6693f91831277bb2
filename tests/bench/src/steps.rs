//! Where the time of one answer goes: each step by itself, on one core, one ask after the other.
//!
//! What gRPC, the kernel and waiting for each other take on top is the difference to the tables. The steps call what the
//! host calls; the ledgers here are new ones, filled in batches as large as they are in the tables or larger.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kms_host::certificates;
use ledger::testing::MemoryLedger;
use ledger::{Write, Writer};
use prost::Message;
use proto::v1::{ActivateRequest, ActivateResponse, Answer};
use shared::ask::Ask;
use shared::count::Sighting;
use shared::envelope::Kind;
use shared::time::Clock;
use tokio::runtime::Runtime;

use crate::asks;
use crate::echo::Signed;
use crate::host::{Keeper, Site, meta};

/// Asks for one step: enough that a step of a microsecond is seen by a clock of one.
const ASKS: usize = 4_000;

/// Sightings in one batch of the ledger: what a batch has with 64 asks in flight here, and what a crowd would make.
const BATCHES: [usize; 2] = [10, 128];

/// A step and what it takes for one answer.
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) each: Duration,
}

/// Measures every step, in the host's order.
///
/// # Errors
/// A step did not do what it is for, or the disk refuses.
pub(crate) fn measure(
    site: &Site,
    runtime: &Runtime,
    clock: &Arc<dyn Clock>,
    folder: &Path,
) -> anyhow::Result<Vec<Step>> {
    let now = clock.now();
    let signer = Signed { key: site.signing_key()?, installed: site.installed.clone(), clock: clock.clone() };
    let product = site.installed.chain.host().product;
    let encoded: Vec<_> =
        asks::first(ASKS, product, now).iter().map(|asker| asker.request.encode_to_vec()).collect();
    let mut steps = Steps { clock: &**clock, steps: Vec::new() };

    let requests =
        steps.each("decode the request", &encoded, |bytes| ActivateRequest::decode(bytes.as_slice()));
    let requests = requests.into_iter().collect::<Result<Vec<_>, _>>()?;
    let asks = steps.each("verify the ask", &requests, |request| {
        Ask::open(request.ask.as_ref().expect("each was made with one"), None)
    });
    let asks = asks.into_iter().collect::<Result<Vec<_>, _>>()?;
    let terms = certificates::terms(&site.installed.chain);
    let sightings: Vec<_> = asks.iter().map(|ask| Sighting::of(ask, &meta().pepper, terms, now)).collect();
    for batch in BATCHES {
        let memory = MemoryLedger::new(meta());
        steps.ledger(
            &format!("decide, in memory, in batches of {batch}"),
            &memory,
            &sightings,
            batch,
            runtime,
        )?;
    }
    for keeper in Keeper::ALL {
        for batch in BATCHES {
            let disk = keeper.create(&folder.join(format!("steps-{}-{batch}", keeper.name())))?;
            let name = format!("decide, write and sync on {}, in batches of {batch}", keeper.name());
            steps.ledger(&name, &*disk, &sightings, batch, runtime)?;
        }
    }
    let payloads = steps.each("compose the lease", &asks, |ask| signer.compose(ask));
    let signed = steps
        .each("sign it", &payloads, |payload| signer.key.sign_bytes(Kind::Lease, payload.clone().into()));
    steps.each("encode the response", &signed, |signed| {
        let answer = Answer {
            signed: Some(signed.clone()),
            chain: site.installed.chain.encoded().clone(),
            ..Answer::default()
        };
        ActivateResponse { answer: Some(answer) }.encode_to_vec()
    });
    Ok(steps.steps)
}

struct Steps<'a> {
    clock: &'a dyn Clock,
    steps: Vec<Step>,
}

impl Steps<'_> {
    fn each<T, R>(&mut self, name: &str, items: &[T], step: impl Fn(&T) -> R) -> Vec<R> {
        let began = self.clock.monotonic();
        let done = items.iter().map(|item| black_box(step(black_box(item)))).collect();
        self.took(name, self.clock.monotonic().saturating_sub(began), items.len());
        done
    }

    fn ledger(
        &mut self,
        name: &str,
        ledger: &dyn Writer,
        sightings: &[Sighting],
        batch: usize,
        runtime: &Runtime,
    ) -> anyhow::Result<()> {
        let writes = |batch: &[Sighting]| batch.iter().cloned().map(Write::Sight).collect();
        let batches: Vec<Vec<_>> = sightings.chunks(batch).map(writes).collect();
        let began = self.clock.monotonic();
        for batch in batches {
            runtime.block_on(ledger.apply(batch)).context("a ledger")?;
        }
        self.took(name, self.clock.monotonic().saturating_sub(began), sightings.len());
        Ok(())
    }

    fn took(&mut self, name: &str, whole: Duration, items: usize) {
        let each = whole / u32::try_from(items.max(1)).unwrap_or(u32::MAX);
        self.steps.push(Step { name: name.to_owned(), each });
    }
}
