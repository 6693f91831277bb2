//! A simulated machine: nothing but its asks, in a few hundred bytes, since a run may have a hundred thousand.
//!
//! It asks as the client library does (`kms-client/src/round.rs`): the serial, the nonce of an ask that is under way, the
//! lease that it shows, the digest of the chain that it has, a new key when a host has named it a copy. It believes every
//! answer: what the answers are worth is found out by `verify` once the clock has stopped. How an ask travels is told in
//! `wire`, when it is made is decided above. `docs/protocol.md` 1 and 3.

use std::sync::Arc;

use prost::Message;
use proto::v1;
use rand::{Rng, RngExt};
use shared::answer::Expected;
use shared::ask::{Ask, AskKind};
use shared::envelope::{Kind, SecretKey};
use shared::ids::{Fingerprint, Nonce, ProductId};
use shared::reason::Reason;
use shared::serial::{self, REKEYS_A_DAY};
use shared::time::Timestamp;

use super::chains::{Chains, SeenChain};
use super::outcome::Counting;

/// What a host's log shows as the edition, so that an administrator can tell these machines from real ones.
const EDITION: &str = "simulated";

/// One machine.
#[derive(Debug)]
pub(crate) struct Machine {
    key: SecretKey,
    product: ProductId,
    fingerprint: Fingerprint,
    /// Of the last answer that it took.
    serial: u64,
    /// Of the ask that is under way.
    nonce: Option<Nonce>,
    lease: Option<Held>,
    /// Of the last answer that it took: the host need not send it again.
    chain: Option<Arc<SeenChain>>,
    /// The key of the identity that is to replace this one, once it holds a lease.
    pending: Option<Box<SecretKey>>,
    rekeyed_at: Vec<Timestamp>,
    /// Whether a host wants to see the chain of the lease that it is shown.
    brings_chain: bool,
    asked_at: Timestamp,
    /// The next ask, signed and encoded before it is needed.
    ahead: Option<Box<[u8]>>,
}

/// A lease as it came, and the chain that it came under.
#[derive(Clone, Debug)]
struct Held {
    /// The encoded `Signed`: a third of what it takes when it is decoded.
    signed: Box<[u8]>,
    chain: Arc<SeenChain>,
}

/// An ask on its way.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// What is sent.
    pub(crate) request: v1::ActivateRequest,
    /// What the answer has to match.
    pub(crate) expected: Expected,
    /// The chain that the ask names, which the host then leaves out of its answer.
    pub(crate) known: Option<Arc<SeenChain>>,
}

/// What a host has said, as far as it can be told without verifying it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A license for a time.
    Lease(Counting),
    /// Counted, and too few so far.
    Waiting(Counting),
    /// Out of the count.
    Released,
    /// Neither counted nor licensed.
    Refused {
        /// The code of the reason: `COPIED`.
        code: String,
    },
    /// It is no answer, or one to another ask.
    Nonsense,
}

impl Machine {
    /// A new machine: a key and a fingerprint of its own, and nothing else.
    pub(crate) fn new(product: ProductId, random: &mut impl Rng) -> Machine {
        let operating_system_id: [u8; 16] = random.random();
        Machine {
            key: SecretKey::from_seed(&random.random()),
            product,
            fingerprint: Fingerprint::of_machine(product, &operating_system_id),
            serial: 0,
            nonce: None,
            lease: None,
            chain: None,
            pending: None,
            rekeyed_at: Vec::new(),
            brings_chain: false,
            asked_at: Timestamp::default(),
            ahead: None,
        }
    }

    /// What an image of its disk becomes on another computer: the same identity with the same serial, lease and
    /// fingerprint. An ask that was signed ahead is not made yet, so the image does not have its nonce.
    pub(crate) fn copy(&self) -> Machine {
        Machine {
            nonce: self.nonce.filter(|_| self.ahead.is_none()),
            key: self.key.clone(),
            lease: self.lease.clone(),
            chain: self.chain.clone(),
            pending: self.pending.clone(),
            rekeyed_at: self.rekeyed_at.clone(),
            ahead: None,
            ..*self
        }
    }

    /// Signs the next ask before it is needed. Whatever is heard before it is sent makes it worthless, and then the
    /// next ask is signed when it is made.
    pub(crate) fn sign_ahead(&mut self, now: Timestamp) {
        let (_, request) = self.sign(now);
        self.ahead = Some(request.encode_to_vec().into_boxed_slice());
    }

    /// The ask that it makes now. One that was not answered is made again under the same nonce.
    pub(crate) fn ask(&mut self, now: Timestamp) -> Outgoing {
        let ahead = self.ahead.take().and_then(|encoded| v1::ActivateRequest::decode(&*encoded).ok());
        let (ask, request) = match ahead {
            Some(request) => (self.compose(self.asked_at), request),
            None => self.sign(now),
        };
        Outgoing { request, expected: Expected::of(&ask, None), known: self.chain.clone() }
    }

    /// Reads an answer and believes it: nothing is verified. What is no answer to the ask under way changes nothing.
    pub(crate) fn take(&mut self, answer: &v1::Answer, chains: &Chains) -> Said {
        let Some(read) = read(answer) else { return Said::Nonsense };
        let chain = match answer.chain.as_ref() {
            [] => self.chain.clone(),
            encoded => Some(chains.keep(encoded)),
        };
        let Some(chain) = chain.filter(|_| self.nonce == Some(read.nonce)) else {
            return Said::Nonsense;
        };
        self.ahead = None;
        match &read.said {
            Said::Lease(_) => self.take_lease(&read, answer, chain),
            Said::Waiting(_) => self.accept(read.serial, chain),
            Said::Released => {
                self.accept(read.serial, chain);
                self.lease = None;
            }
            Said::Refused { code } => self.take_refusal(code),
            Said::Nonsense => {}
        }
        read.said
    }

    /// Whether it asks the same host again at once: to bring a chain, or under a new identity.
    pub(crate) fn asks_again_at_once(&self, said: &Said) -> bool {
        match said {
            Said::Refused { code } if is(code, Reason::ChainNeeded) => self.brings_chain,
            Said::Refused { code } if is(code, Reason::Copied) => {
                self.pending.is_some() && self.nonce.is_none()
            }
            Said::Refused { .. } | Said::Lease(_) | Said::Waiting(_) | Said::Released | Said::Nonsense => {
                false
            }
        }
    }

    fn sign(&mut self, now: Timestamp) -> (Ask, v1::ActivateRequest) {
        let ask = self.compose(now);
        let signed = ask.sign(self.asker());
        let replaced = self.pending.as_ref().map(|_| self.key.sign_beside(Kind::Ask, &signed.payload));
        let held_chain =
            self.lease.as_ref().filter(|_| self.brings_chain).map(|held| held.chain.encoded.clone());
        let request = v1::ActivateRequest {
            ask: Some(signed),
            replaced_signature: replaced,
            held_chain: held_chain.unwrap_or_default(),
        };
        (ask, request)
    }

    fn compose(&mut self, now: Timestamp) -> Ask {
        self.asked_at = now;
        let nonce = *self.nonce.get_or_insert_with(|| Nonce::from_bytes(rand::rng().random()));
        Ask {
            machine_key: self.asker().public(),
            product: self.product,
            nonce,
            asked_at: now,
            serial: self.serial,
            fingerprint: self.fingerprint,
            held_lease: self.lease.as_ref().and_then(|held| v1::Signed::decode(&*held.signed).ok()),
            chain_digest: self.chain.as_ref().map(|chain| chain.digest),
            replaces: self.pending.as_ref().map(|_| self.key.public()),
            kept: true,
            kind: AskKind::Activate,
            edition: EDITION.to_owned(),
            library_version: env!("CARGO_PKG_VERSION").to_owned(),
            rejected: None,
        }
    }

    /// The key that asks: that of the new identity, if there is to be one.
    fn asker(&self) -> &SecretKey {
        self.pending.as_deref().unwrap_or(&self.key)
    }

    /// What every accepted answer does: its serial is presented next, and the ask has ended.
    fn accept(&mut self, serial: u64, chain: Arc<SeenChain>) {
        (self.serial, self.nonce, self.chain) = (serial, None, Some(chain));
        self.brings_chain = false;
    }

    fn take_lease(&mut self, read: &Read, answer: &v1::Answer, chain: Arc<SeenChain>) {
        self.accept(read.serial, Arc::clone(&chain));
        let signed = answer.signed.as_ref().map(Message::encode_to_vec).unwrap_or_default();
        self.lease = Some(Held { signed: signed.into_boxed_slice(), chain });
        if let Some(pending) = self.pending.take() {
            self.key = *pending;
        }
    }

    /// A refusal changes nothing, but for two: who is told to be a copy makes a new key, and who is asked for a chain
    /// brings it.
    fn take_refusal(&mut self, code: &str) {
        if is(code, Reason::ChainNeeded) {
            self.brings_chain = !self.brings_chain && self.lease.is_some();
        }
        if is(code, Reason::Copied) && serial::may_rekey(&self.rekeyed_at, self.asked_at).is_ok() {
            self.rekeyed_at.push(self.asked_at);
            let excess = self.rekeyed_at.len().saturating_sub(REKEYS_A_DAY);
            self.rekeyed_at.drain(..excess);
            // Another machine asks from here on, so it is another ask.
            self.nonce = None;
            self.pending = Some(Box::new(SecretKey::from_seed(&rand::rng().random())));
        }
    }
}

/// What stands in an answer, unverified.
struct Read {
    nonce: Nonce,
    serial: u64,
    said: Said,
}

fn read(answer: &v1::Answer) -> Option<Read> {
    let signed = answer.signed.as_ref()?;
    let payload = signed.payload.clone();
    let counting = |header: &v1::Header, count, threshold| {
        let host_time = Timestamp::from_unix_ms(header.host_time);
        Counting { host_time, count, threshold }
    };
    let (header, said) = match Kind::of(signed)? {
        Kind::Lease => {
            let v1::Lease { header, count, threshold, .. } = v1::Lease::decode(payload).ok()?;
            let header = header?;
            let counting = counting(&header, count, threshold);
            (header, Said::Lease(counting))
        }
        Kind::Waiting => {
            let v1::Waiting { header, count, threshold, .. } = v1::Waiting::decode(payload).ok()?;
            let header = header?;
            let counting = counting(&header, count, threshold);
            (header, Said::Waiting(counting))
        }
        Kind::Refusal => {
            let refusal = v1::Refusal::decode(payload).ok().filter(|refusal| is_code(&refusal.code))?;
            (refusal.header?, Said::Refused { code: refusal.code })
        }
        Kind::Released => (v1::Released::decode(payload).ok()?.header?, Said::Released),
        Kind::Ask
        | Kind::HostCertificate
        | Kind::IssuingCertificate
        | Kind::RevocationList
        | Kind::HostRequest => return None,
    };
    Some(Read { nonce: Nonce::from_slice(&header.nonce)?, serial: header.serial, said })
}

/// Whether this is a code as ours are written. Whoever wrote it, it ends up on a terminal and in a report.
pub(crate) fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len()) && code.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

fn is(code: &str, reason: Reason) -> bool {
    code == reason.code()
}

#[cfg(test)]
mod tests;
