//! The asks that portals get, the machines that make them, and the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use proto::v1::Signed;
use proto::vendor::v1::ActivateMachineResponse;
use shared::activation::MachineActivation;
use shared::certificate::Roots;
use shared::confirmation::Confirmation;
use shared::envelope::SecretKey;
use shared::ids::{Fingerprint, Nonce, ProductId};
use shared::parts::HardwareParts;
use shared::product_key::ProductKey;
use shared::time::{Clock, Timestamp};
use wire::portal::Portal;
use world::cores::on_every_core;

/// A machine, and the ask that it is about to make.
#[derive(Clone)]
pub(crate) struct Asker {
    identity: SecretKey,
    product: ProductId,
    nonce: Nonce,
    ask: Signed,
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) asker: usize,
    latency: Duration,
    answer: ActivateMachineResponse,
}

/// What one measurement gave.
pub(crate) struct Run {
    took: Duration,
    pub(crate) replies: Vec<Reply>,
}

/// What is shown of it.
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    /// In microseconds.
    pub(crate) latencies: Vec<u64>,
    /// Of one answer.
    pub(crate) cpu_us: Option<f64>,
}

/// New machines with hardware of their own, and their first asks.
pub(crate) fn first(count: usize, key: &ProductKey, product: ProductId, now: Timestamp) -> Vec<Asker> {
    on_every_core(vec![(); count], |()| sign(SecretKey::from_seed(&rand::random()), key, product, now))
}

/// The next asks of machines that were confirmed.
pub(crate) fn renewed(confirmed: Vec<Asker>, key: &ProductKey, now: Timestamp) -> Vec<Asker> {
    on_every_core(confirmed, |asker| sign(asker.identity, key, asker.product, now))
}

fn sign(identity: SecretKey, key: &ProductKey, product: ProductId, now: Timestamp) -> Asker {
    let hardware = identity.public().machine().to_string();
    let nonce = Nonce::from_bytes(rand::random());
    let machine_key = identity.public();
    let ask = MachineActivation {
        machine_key,
        product,
        product_key: key.clone(),
        nonce,
        asked_at: now,
        fingerprint: Fingerprint::of_machine(product, hardware.as_bytes()),
        parts: HardwareParts::of_machine(product, &hardware, &hardware, &hardware),
    };
    let ask = ask.sign(&identity);
    Asker { identity, product, nonce, ask }
}

/// Keeps so many asks in flight until the time or the asks are used up.
///
/// # Errors
/// A request failed: then there is no figure.
pub(crate) async fn ask_all(
    connections: &[Arc<Portal>],
    askers: &Arc<Vec<Asker>>,
    in_flight: u16,
    length: Duration,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Run> {
    let next = Arc::new(AtomicUsize::new(0));
    let began = clock.monotonic();
    let tasks: Vec<_> = connections
        .iter()
        .cycle()
        .take(in_flight.into())
        .map(|portal| {
            let (portal, askers, next, clock) = (portal.clone(), askers.clone(), next.clone(), clock.clone());
            tokio::spawn(async move {
                let mut replies = Vec::new();
                loop {
                    let asker = next.fetch_add(1, Ordering::Relaxed);
                    let sent = clock.monotonic();
                    let Some(one) = askers.get(asker).filter(|_| sent < began + length) else {
                        return Ok::<_, anyhow::Error>(replies);
                    };
                    let answer = portal.activate_machine(one.ask.clone()).await;
                    let answer = answer.map_err(|failure| anyhow!("{}", failure.cause))?;
                    let latency = clock.monotonic().saturating_sub(sent);
                    replies.push(Reply { asker, latency, answer });
                }
            })
        })
        .collect();
    let mut replies = Vec::new();
    for task in tasks {
        replies.extend(task.await??);
    }
    Ok(Run { took: clock.monotonic().saturating_sub(began), replies })
}

/// Checks that one answer in `one_in` is a confirmation for the machine that asked.
///
/// # Errors
/// One is not, or there is none.
pub(crate) fn verify(run: &Run, one_in: usize, askers: &[Asker], roots: &Roots) -> anyhow::Result<()> {
    ensure!(!run.replies.is_empty(), "nothing was answered");
    let checked = on_every_core(run.replies.iter().step_by(one_in).collect(), |reply: &Reply| {
        let signed = reply.answer.confirmation.as_ref().context("an answer has no confirmation")?;
        let confirmation = Confirmation::open(signed, roots)?;
        let asker = &askers[reply.asker];
        let is_its_own = confirmation.machine == asker.identity.public().machine();
        ensure!(is_its_own && confirmation.nonce == asker.nonce, "a confirmation is for somebody else");
        Ok(())
    });
    checked.into_iter().collect()
}

impl Figures {
    pub(crate) fn of(run: Run, cpu: Option<Duration>) -> Figures {
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 answers")]
        let answered = run.replies.len() as f64;
        Figures {
            per_second: answered / run.took.as_secs_f64(),
            latencies: run.replies.iter().map(|reply| micros(reply.latency)).collect(),
            cpu_us: cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / answered),
        }
    }
}

fn micros(latency: Duration) -> u64 {
    u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)
}
