//! The answers, looked at once the clock has stopped: a figure from wrong answers is no figure.
//!
//! An answer is judged as the client library judges it, by the rules of `shared` and with the time at which it came. All
//! are judged, or a fair sample where there are too many to keep; [`Keeper`] says which.

use std::collections::HashMap;
use std::sync::Arc;

use prost::Message;
use proto::v1;
use rand::RngExt;
use shared::answer::{Expected, Received, Verdict};
use shared::certificate::{Chain, ChainError, Roots};
use shared::time::Timestamp;
use world::cores::on_every_core;

use super::chains::{Chains, SeenChain};
use super::result::Verified;

/// Errors that are reported in full; the others are only counted.
const TOLD_MAX: usize = 5;

/// An answer that is to be looked at, in a few hundred bytes.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    expected: Expected,
    at: Timestamp,
    /// The encoded `Signed`, copied: what came is a slice of a connection's buffer, and would keep all of that alive.
    signed: Option<Box<[u8]>>,
    /// The chain that it came with, or else the one that the ask has named.
    chain: Option<Arc<SeenChain>>,
}

impl Kept {
    /// The answer to an ask that expected this and named the chain `known`, and the wall clock when it came.
    pub(crate) fn of(
        expected: Expected,
        known: Option<Arc<SeenChain>>,
        at: Timestamp,
        answer: &v1::Answer,
        chains: &Chains,
    ) -> Kept {
        let chain = chains.of(answer, known);
        let signed = answer.signed.as_ref().map(|signed| signed.encode_to_vec().into_boxed_slice());
        Kept { expected, at, signed, chain }
    }
}

/// Keeps answers up to a limit: all of them, or from then on a sample in which each has the same chance.
#[derive(Debug)]
pub(crate) struct Keeper {
    limit: usize,
    offered: usize,
    kept: Vec<Kept>,
}

impl Keeper {
    /// Keeps at most `limit` answers.
    pub(crate) fn new(limit: usize) -> Keeper {
        Keeper { limit, offered: 0, kept: Vec::new() }
    }

    /// Takes an answer, or not. Reservoir sampling: the n-th takes the place of a random one with a chance of limit/n.
    pub(crate) fn offer(&mut self, kept: Kept) {
        self.offered += 1;
        if self.kept.len() < self.limit {
            self.kept.push(kept);
            return;
        }
        if let Some(place) = self.kept.get_mut(rand::rng().random_range(0..self.offered)) {
            *place = kept;
        }
    }
}

/// Judges answers on every core. Each chain is verified once.
/// The second is what is wrong with the first few of them, one line each.
pub(crate) fn judge(keeper: Keeper, roots: &Roots) -> (Verified, Vec<String>) {
    let Keeper { offered, kept, .. } = keeper;
    let chains = verify_chains(&kept, roots);
    let answers = u64::try_from(offered).unwrap_or(u64::MAX);
    let (mut verified, mut told) = (Verified { answers, ..Verified::default() }, Vec::new());
    for verdict in on_every_core(kept, |kept| judge_one(&kept, &chains, roots)) {
        verified.looked_at += 1;
        match verdict {
            Ok(is_lease) => verified.leases += u64::from(is_lease),
            Err(wrong) => {
                verified.wrong += 1;
                told.push(wrong);
            }
        }
    }
    told.truncate(TOLD_MAX);
    (verified, told)
}

type Chained = HashMap<[u8; 32], Result<Chain, ChainError>>;

fn verify_chains(kept: &[Kept], roots: &Roots) -> Chained {
    let mut verified = Chained::new();
    for chain in kept.iter().filter_map(|kept| kept.chain.as_ref()) {
        verified.entry(chain.digest).or_insert_with(|| Chain::verify(&chain.encoded, roots));
    }
    verified
}

/// Whether it is a lease; else it is another answer that holds.
fn judge_one(kept: &Kept, chains: &Chained, roots: &Roots) -> Result<bool, String> {
    let of_machine = |error: &dyn std::fmt::Display| format!("machine {}: {error}", kept.expected.machine);
    let known = match kept.chain.as_ref().and_then(|chain| chains.get(&chain.digest)) {
        Some(Err(error)) => return Err(of_machine(error)),
        Some(Ok(chain)) => Some(chain),
        None => None,
    };
    let signed = kept.signed.as_deref().and_then(|signed| v1::Signed::decode(signed).ok());
    let answer = v1::Answer { signed, ..v1::Answer::default() };
    let received = Received::open(&answer, known, roots);
    match received.and_then(|received| received.judge(&kept.expected, kept.at)) {
        Ok(Verdict::Leased(_)) => Ok(true),
        Ok(Verdict::Waiting(_) | Verdict::Refused(_) | Verdict::Released(_)) => Ok(false),
        Err(error) => Err(of_machine(&error)),
    }
}

#[cfg(test)]
mod tests;
