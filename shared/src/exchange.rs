//! A machine's round: what it asks, what an answer makes it do, and which of the answers counts.
//!
//! A state machine that does no work itself. The shell draws random numbers, reads the clock, carries the bytes and keeps
//! [`Exchange`] on disk; it says what came, and is told what to do. The shell has to keep one order, which tells copies from lost
//! answers: what [`Exchange::name`] and [`Exchange::obey`] change is durable before the next ask is sent.
//!
//! ```text
//! for each host:  Visit::new, and while it `asks`:
//!                 name, save, compose, sign ──> send ──> judge, obey, save, do what `Then` says
//! at the end:     Best::event tells the license what the round came to
//! ```
//!
//! `answer` decides what an answer is worth, `license` what it does to a license. `docs/protocol.md` 1 and 3.

mod best;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use proto::v1;

use crate::answer::{AnswerError, Expected, Lease, Received, Refused, Verdict, Waiting};
use crate::ask::{Ask, AskKind, Rejected};
use crate::certificate::{Chain, Roots};
use crate::envelope::{Kind, SecretKey};
use crate::ids::{Fingerprint, HostId, Nonce, ProductId};
use crate::reason::Reason;
use crate::revocation::Revocations;
use crate::serial::{self, REKEYS_A_DAY};
use crate::time::Timestamp;

pub use best::Best;

/// The ask, the same with the chain of its lease, and both again under a new identity.
const ASKS_A_HOST: u8 = 4;

/// The parts of an ask that no answer changes: who asks, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The key that asks.
    pub key: &'a SecretKey,
    /// The key of the identity that it is to replace, which signs too.
    pub replaces: Option<&'a SecretKey>,
    /// The product.
    pub product: ProductId,
    /// What tells installations apart.
    pub fingerprint: Fingerprint,
    /// What is asked for.
    pub kind: AskKind,
    /// Whether this machine can keep state.
    pub kept: bool,
    /// The product's edition.
    pub edition: &'a str,
    /// The version of the software that asks.
    pub library_version: &'a str,
}

impl Asker<'_> {
    /// Signs an activation. `chain` belongs to the lease that the ask shows, and comes along where the host may lack it.
    pub fn activate(&self, ask: &Ask, chain: Option<&Bytes>) -> v1::ActivateRequest {
        let signed = ask.sign(self.key);
        let replaced = self.replaces.filter(|_| ask.replaces.is_some());
        let chain = chain.filter(|_| ask.held_lease.is_some());
        v1::ActivateRequest {
            replaced_signature: replaced.map(|old| old.sign_beside(Kind::Ask, &signed.payload)),
            held_chain: chain.cloned().unwrap_or_default(),
            ask: Some(signed),
            revocations: None,
        }
    }

    /// Signs a release.
    pub fn release(&self, ask: &Ask) -> v1::ReleaseRequest {
        v1::ReleaseRequest { ask: Some(ask.sign(self.key)) }
    }
}

/// A chain, and the digest that names it in an ask.
pub trait Digest {
    /// SHA-256 over its exact bytes.
    fn digest(&self) -> [u8; 32];
}

impl Digest for Chain {
    fn digest(&self) -> [u8; 32] {
        Chain::digest(self)
    }
}

impl<C: Digest> Digest for Arc<C> {
    fn digest(&self) -> [u8; 32] {
        C::digest(self)
    }
}

/// What the walk reads of a lease.
pub trait Numbered {
    /// The serial that it brings.
    fn serial(&self) -> u64;
    /// The host that has issued it.
    fn host(&self) -> HostId;
}

impl Numbered for Box<Lease> {
    fn serial(&self) -> u64 {
        self.header().serial
    }

    fn host(&self) -> HostId {
        self.header().host
    }
}

/// What a machine remembers from one ask to the next, beside its keys and its license.
#[derive(Clone, Debug)]
pub struct Exchange<C = Chain> {
    /// The serial of the last accepted answer.
    pub serial: u64,
    /// The name of the ask that is under way. It is kept until an answer is accepted.
    pub nonce: Option<Nonce>,
    /// The chain of the last accepted answer.
    pub chain: Option<C>,
    /// The last answer that was not accepted. Boxed, as few machines have one, and the simulator keeps a million of them.
    pub rejected: Option<Box<Rejected>>,
    /// When new identities were made because a host named a copy.
    pub rekeyed_at: Vec<Timestamp>,
}

impl<C> Default for Exchange<C> {
    /// The exchange of a machine that has never asked.
    fn default() -> Exchange<C> {
        Exchange { serial: 0, nonce: None, chain: None, rejected: None, rekeyed_at: Vec::new() }
    }
}

impl<C> Exchange<C> {
    /// The name of the next ask: the name of the ask that is under way, or else `fresh`.
    pub fn name(&mut self, fresh: Nonce) -> Nonce {
        *self.nonce.get_or_insert(fresh)
    }

    /// Takes up what every accepted answer has: its serial is presented next, the ask has ended, and this host's answers are
    /// accepted again.
    pub fn accept(&mut self, serial: u64, host: HostId, chain: C) {
        (self.serial, self.nonce, self.chain) = (serial, None, Some(chain));
        self.rejected.take_if(|rejected| rejected.host.is_none_or(|rejected| rejected == host));
    }

    /// A host has named a copy. Another identity asks from here on, so it is another ask.
    ///
    /// # Errors
    /// This machine has made as many new identities as it may in a day. The error says when it may make another.
    pub fn replace(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        serial::may_rekey(&self.rekeyed_at, now)?;
        self.rekeyed_at.push(now);
        let excess = self.rekeyed_at.len().saturating_sub(REKEYS_A_DAY);
        self.rekeyed_at.drain(..excess);
        self.nonce = None;
        Ok(())
    }

    /// Changes what is remembered as an answer demands. Of the refusals only one changes anything: a machine that is named a copy
    /// makes a new identity. If it may not, the refusal that is returned says until when.
    pub fn obey<L: Numbered>(
        &mut self,
        visit: &mut Visit,
        (chain, verdict): (C, Verdict<L>),
        now: Timestamp,
    ) -> (Then, Verdict<L>) {
        let (serial, host) = match &verdict {
            Verdict::Leased(lease) => (lease.serial(), lease.host()),
            Verdict::Waiting(Waiting { header, .. }) | Verdict::Released(header) => {
                (header.serial, header.host)
            }
            Verdict::Refused(refused) => {
                let reason = refused.cause.reason();
                let is_obeyed = reason != Some(Reason::Copied) || refused.obey_copied;
                let then = visit.refused(reason.filter(|_| is_obeyed));
                if then == Then::Replace
                    && let Err(until) = self.replace(now)
                {
                    let cause = Reason::RekeyLimit.with(&[("until", &until)]);
                    let (ask_again, host_time) = (refused.ask_again, refused.host_time);
                    let refused = Refused { cause, ask_again, host_time, obey_copied: false };
                    return (Then::Next, Verdict::Refused(refused));
                }
                return (then, verdict);
            }
        };
        self.accept(serial, host, chain);
        (Then::Next, verdict)
    }
}

impl<C: Digest> Exchange<C> {
    /// The ask of this name. `held` is the lease that the machine holds, expired or not.
    pub fn compose(&self, asker: &Asker<'_>, nonce: Nonce, held: Option<&v1::Signed>, now: Timestamp) -> Ask {
        // A release shows no lease and replaces no identity.
        let activates = asker.kind == AskKind::Activate;
        Ask {
            machine_key: asker.key.public(),
            product: asker.product,
            nonce,
            asked_at: now,
            serial: self.serial,
            fingerprint: asker.fingerprint,
            held_lease: held.filter(|_| activates).cloned(),
            chain_digest: self.chain.as_ref().map(Digest::digest),
            replaces: asker.replaces.filter(|_| activates).map(SecretKey::public),
            kept: asker.kept,
            kind: asker.kind,
            edition: asker.edition.to_owned(),
            library_version: asker.library_version.to_owned(),
            rejected: self.rejected.as_deref().cloned(),
        }
    }
}

impl Exchange {
    /// Takes up the revocation lists that come along, whoever brings them. Then verifies an answer, and decides what it means for the
    /// machine. The answer has to fit `expected`. The chain is the host's.
    ///
    /// # Errors
    /// It is not an answer to this ask, it does not verify, or its host was revoked and would count or license this machine.
    pub fn judge(
        &self,
        answer: &v1::Answer,
        roots: &Roots,
        expected: &Expected,
        revocations: &mut Revocations,
        now: Timestamp,
    ) -> Result<(Chain, Verdict), AnswerError> {
        revocations.take_all(&answer.revocations, roots);
        let received = Received::open(answer, self.chain.as_ref(), roots)?;
        let chain = received.chain().clone();
        let verdict = received.judge(expected, now)?;
        let revoked = revocations.of_chain(&chain, now);
        match (&verdict, revoked) {
            (Verdict::Leased(_) | Verdict::Waiting(_), Some(revoked)) => {
                Err(AnswerError::Revoked(Box::new(revoked.clone())))
            }
            // Leaving harms nobody, and a refusal licenses nobody.
            (Verdict::Released(_) | Verdict::Refused(_), _) | (_, None) => Ok((chain, verdict)),
        }
    }
}

/// The asks of one machine to one host in one round.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    kind: AskKind,
    asks: u8,
    brings_chain: bool,
}

/// What to do after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// This host is done.
    Next,
    /// Ask it again at once, and bring the chain of the lease.
    BringChain,
    /// Make a new key that is to replace this identity, and ask again at once.
    Replace,
}

impl Visit {
    /// A visit that has not begun. `brings_chain` is whether the host may lack the chain of the lease that it is shown.
    pub fn new(kind: AskKind, brings_chain: bool) -> Visit {
        Visit { kind, asks: 0, brings_chain }
    }

    /// Whether the host is asked, or asked again. There is a limit for one visit.
    pub fn asks(&mut self) -> bool {
        self.asks = self.asks.saturating_add(1);
        self.asks <= ASKS_A_HOST
    }

    /// Whether the next ask brings the chain of the lease that it shows.
    pub fn brings_chain(&self) -> bool {
        self.brings_chain
    }

    /// What a refusal for this reason makes a machine do.
    pub fn refused(&mut self, reason: Option<Reason>) -> Then {
        match reason {
            Some(Reason::ChainNeeded) if !self.brings_chain => {
                self.brings_chain = true;
                Then::BringChain
            }
            Some(Reason::Copied) if self.kind == AskKind::Activate => Then::Replace,
            _ => Then::Next,
        }
    }
}
