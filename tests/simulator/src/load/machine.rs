//! A simulated machine: nothing but its asks, in a few hundred bytes, since a run may have a hundred thousand.
//!
//! It asks and obeys by `shared::exchange`, as the client library does. It believes every answer: what the answers are worth is
//! found out by `verify` once the clock has stopped. `wire` carries its asks, `turn` decides when it makes them.

use std::sync::Arc;

use prost::Message;
use proto::v1;
use rand::{Rng, RngExt};
use shared::answer::Expected;
use shared::ask::{Ask, AskKind};
use shared::envelope::{Kind, SecretKey};
use shared::exchange::{Asker, Exchange, Then, Visit};
use shared::ids::{Fingerprint, HostId, Nonce, ProductId};
use shared::reason::{Reason, is_code};
use shared::time::Timestamp;

use super::chains::{Chains, SeenChain};
use super::outcome::{LEASE, WAITING};
use super::result::HostCount;

/// What a host's log shows as the edition, so that an administrator can tell these machines from real ones.
const EDITION: &str = "simulated";

#[derive(Debug)]
pub(crate) struct Machine {
    key: SecretKey,
    product: ProductId,
    fingerprint: Fingerprint,
    exchange: Exchange<Arc<SeenChain>>,
    lease: Option<Held>,
    /// The key of the identity that is to replace this one, once it holds a lease.
    pending: Option<Box<SecretKey>>,
    /// The host that it is asking.
    pub(crate) visit: Visit,
    /// What the last answer makes it do.
    then: Then,
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
    pub(crate) request: v1::ActivateRequest,
    /// What the answer has to match.
    pub(crate) expected: Expected,
    /// The chain that the ask names, which the host then leaves out of its answer.
    pub(crate) known: Option<Arc<SeenChain>>,
}

/// An answer, read without verifying it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A license for a time.
    Lease(HostCount),
    /// Counted, and too few so far.
    Waiting(HostCount),
    /// Neither counted nor licensed, with the code of the reason: `COPIED`.
    Refused(String),
    /// It is no answer, or one to another ask.
    Nonsense,
}

impl Reply {
    /// The name under which it is counted.
    pub(crate) fn outcome(&self) -> &str {
        match self {
            Reply::Lease(_) => LEASE,
            Reply::Waiting(_) => WAITING,
            Reply::Refused(code) => code,
            Reply::Nonsense => Reason::AnswerMismatch.code(),
        }
    }

    /// What the host counts, if it says so.
    pub(crate) fn count(&self) -> Option<HostCount> {
        match self {
            Reply::Lease(told) | Reply::Waiting(told) => Some(*told),
            Reply::Refused(_) | Reply::Nonsense => None,
        }
    }
}

impl Machine {
    /// A new machine: a key and a fingerprint of its own, and nothing else.
    pub(crate) fn new(product: ProductId, random: &mut impl Rng) -> Machine {
        let operating_system_id: [u8; 16] = random.random();
        Machine {
            key: SecretKey::from_seed(&random.random()),
            product,
            fingerprint: Fingerprint::of_machine(product, &operating_system_id),
            exchange: Exchange::default(),
            lease: None,
            pending: None,
            visit: Visit::new(AskKind::Activate, false),
            then: Then::Next,
            asked_at: Timestamp::default(),
            ahead: None,
        }
    }

    /// What an image of its disk becomes on another computer: the same identity with the same serial, lease and
    /// fingerprint. An ask that was signed ahead is not made yet, so the image does not have its nonce.
    pub(crate) fn copy(&self) -> Machine {
        let nonce = self.exchange.nonce.filter(|_| self.ahead.is_none());
        Machine {
            key: self.key.clone(),
            exchange: Exchange { nonce, ..self.exchange.clone() },
            lease: self.lease.clone(),
            pending: self.pending.clone(),
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
        Outgoing { request, expected: Expected::of(&ask, None), known: self.exchange.chain.clone() }
    }

    /// Reads an answer and believes it: nothing is verified. What is no answer to the ask under way changes nothing.
    pub(crate) fn take(&mut self, answer: &v1::Answer, chains: &Chains) -> Reply {
        self.then = Then::Next;
        let Some((header, reply)) = read(answer) else { return Reply::Nonsense };
        let (Some(nonce), Some(host)) = (Nonce::from_slice(&header.nonce), HostId::from_slice(&header.host))
        else {
            return Reply::Nonsense;
        };
        let chain = chains.of(answer, self.exchange.chain.clone());
        let Some(chain) = chain.filter(|_| self.exchange.nonce == Some(nonce)) else {
            return Reply::Nonsense;
        };
        self.ahead = None;
        if let Reply::Refused(code) = &reply {
            self.take_refusal(code);
            return reply;
        }
        self.exchange.accept(header.serial, host, Arc::clone(&chain));
        match &reply {
            Reply::Lease(_) => {
                let signed = answer.signed.as_ref().map(Message::encode_to_vec).unwrap_or_default();
                self.lease = Some(Held { signed: signed.into_boxed_slice(), chain });
                self.key = self.pending.take().map_or_else(|| self.key.clone(), |pending| *pending);
            }
            Reply::Waiting(_) | Reply::Refused(_) | Reply::Nonsense => {}
        }
        reply
    }

    /// Whether it asks the same host again at once: to bring a chain, or under a new identity.
    pub(crate) fn asks_again_at_once(&self) -> bool {
        self.then != Then::Next
    }

    fn take_refusal(&mut self, code: &str) {
        self.then = self.visit.refused(Reason::from_code(code));
        if self.then == Then::Replace {
            match self.exchange.replace(self.asked_at) {
                Ok(()) => self.pending = Some(Box::new(SecretKey::from_seed(&rand::rng().random()))),
                Err(_) => self.then = Then::Next,
            }
        }
    }

    fn sign(&mut self, now: Timestamp) -> (Ask, v1::ActivateRequest) {
        let ask = self.compose(now);
        let held = self.lease.as_ref().filter(|_| self.visit.brings_chain());
        let request = self.asker().activate(&ask, held.map(|held| &held.chain.encoded));
        (ask, request)
    }

    fn compose(&mut self, now: Timestamp) -> Ask {
        self.asked_at = now;
        let nonce = self.exchange.name(Nonce::from_bytes(rand::rng().random()));
        let held = self.lease.as_ref().and_then(|held| v1::Signed::decode(&*held.signed).ok());
        self.exchange.compose(&self.asker(), nonce, held.as_ref(), now)
    }

    /// Who asks: the new identity, if there is to be one.
    fn asker(&self) -> Asker<'_> {
        Asker {
            key: self.pending.as_deref().unwrap_or(&self.key),
            replaces: self.pending.as_ref().map(|_| &self.key),
            product: self.product,
            fingerprint: self.fingerprint,
            kind: AskKind::Activate,
            kept: true,
            edition: EDITION,
            library_version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// The contents of an answer, unverified.
fn read(answer: &v1::Answer) -> Option<(v1::Header, Reply)> {
    let signed = answer.signed.as_ref()?;
    let payload = signed.payload.clone();
    let counted = |header: &v1::Header, count, threshold| HostCount {
        at_ms: header.host_time,
        count,
        threshold,
        asked: false,
    };
    match Kind::from_name(&signed.payload_type)? {
        Kind::Lease => {
            let v1::Lease { header, count, threshold, .. } = v1::Lease::decode(payload).ok()?;
            let header = header?;
            let count = counted(&header, count, threshold);
            Some((header, Reply::Lease(count)))
        }
        Kind::Waiting => {
            let v1::Waiting { header, count, threshold, .. } = v1::Waiting::decode(payload).ok()?;
            let header = header?;
            let count = counted(&header, count, threshold);
            Some((header, Reply::Waiting(count)))
        }
        Kind::Refusal => {
            let refusal = v1::Refusal::decode(payload).ok().filter(|refusal| is_code(&refusal.code))?;
            Some((refusal.header?, Reply::Refused(refusal.code)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
