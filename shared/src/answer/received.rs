//! What a machine makes of an answer: it verifies the answer, and then judges it.
//!
//! An answer is *accepted* (it saves the serial and ends the nonce), only *believed* (it changes the cause that is shown and when to
//! ask next), or an error (as if nobody had answered, with a name). `docs/protocol.md` 2.

use alloc::boxed::Box;
use core::time::Duration;

use proto::v1;

use super::{AnswerError, Header, Lease};
use crate::ask::{Ask, AskKind, SERIAL_MAX};
use crate::certificate::{Chain, Roots};
use crate::envelope::{self, Kind};
use crate::ids::{Fingerprint, MachineId, Nonce, OrganisationId, ProductId};
use crate::reason::{self, Cause, Reason};
use crate::serial::SERIAL_STEP_MAX;
use crate::time::{Timestamp, from_ms};

/// What an answer has to match: what the machine has asked.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The machine that asked.
    pub machine: MachineId,
    /// The product.
    pub product: ProductId,
    /// The nonce of the ask.
    pub nonce: Nonce,
    /// The serial that was presented.
    pub serial: u64,
    /// The fingerprint that was presented.
    pub fingerprint: Fingerprint,
    /// The organisation that the configuration or the first lease has named.
    pub organisation: Option<OrganisationId>,
    /// What was asked for.
    pub kind: AskKind,
}

impl Expected {
    /// What has to answer this ask; `organisation` is the only one whose host this machine takes, if there is one.
    pub fn of(ask: &Ask, organisation: Option<OrganisationId>) -> Expected {
        let Ask { product, nonce, serial, fingerprint, kind, .. } = *ask;
        Expected { machine: ask.machine(), product, nonce, serial, fingerprint, organisation, kind }
    }
}

/// An answer whose chain ends in a pinned root and whose signature holds; whether it is ours to use is not known yet.
#[derive(Debug)]
pub struct Received {
    chain: Chain,
    header: Header,
    message: Message,
}

#[derive(Debug)]
enum Message {
    Lease(Box<Lease>),
    Waiting { count: u64, threshold: u32, ask_again: Duration },
    Refusal { cause: Cause, ask_again: Duration },
    Released,
}

impl Received {
    /// Verifies an answer. `known` is the chain whose digest the ask has named; the host then leaves it out.
    ///
    /// # Errors
    /// The answer is not from a host of this vendor, or is not of this protocol.
    pub fn open(answer: &v1::Answer, known: Option<&Chain>, roots: &Roots) -> Result<Received, AnswerError> {
        let chain = match known {
            Some(known) if answer.chain.is_empty() => known.clone(),
            _ => Chain::verify(&answer.chain, roots).map_err(AnswerError::Untrusted)?,
        };
        let signed = answer.signed.as_ref().ok_or(AnswerError::Malformed)?;
        let kind = Kind::from_name(&signed.payload_type).ok_or(AnswerError::Malformed)?;
        let open = || envelope::open(signed, kind, &chain.host().signing_key);
        let ask_again = |ms| from_ms(ms).ok_or(AnswerError::Malformed);
        let (header, message) = match kind {
            Kind::Lease => {
                let lease = Lease::open(signed, &chain)?;
                (*lease.header(), Message::Lease(Box::new(lease)))
            }
            Kind::Waiting => {
                let v1::Waiting { header, count, threshold, ask_again_ms } = open()?.decode()?;
                let ask_again = ask_again(ask_again_ms)?;
                (Header::decode(header)?, Message::Waiting { count, threshold, ask_again })
            }
            Kind::Refusal => {
                let v1::Refusal { header, code, ask_again_ms, parameters } = open()?.decode()?;
                let (ask_again, cause) = (ask_again(ask_again_ms)?, reason::decode(&code, &parameters));
                (Header::decode(header)?, Message::Refusal { cause, ask_again })
            }
            Kind::Released => {
                let v1::Released { header } = open()?.decode()?;
                (Header::decode(header)?, Message::Released)
            }
            _ => return Err(AnswerError::Malformed),
        };
        Ok(Received { chain, header, message })
    }

    /// The chain of the host that answered.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Decides what this answer is to a machine that has asked `expected` and whose wall clock says `now`.
    ///
    /// # Errors
    /// It is not an answer to this ask, or does not hold: the round goes on as if nobody had answered, and says why.
    pub fn judge(self, expected: &Expected, now: Timestamp) -> Result<Verdict, AnswerError> {
        let Received { chain, header, message } = self;
        check_signer(&header, &chain)?;
        matches(header.machine == expected.machine, "machine")?;
        matches(header.product == expected.product, "product")?;
        matches(header.nonce == expected.nonce, "nonce")?;
        let certificate = chain.host();
        if expected.organisation.is_some_and(|ours| ours != certificate.organisation) {
            return Err(AnswerError::OtherOrganisation(certificate.organisation_name.clone()));
        }
        let answers = |kind| matches(expected.kind == kind, "kind");
        let is_valid = chain.check_valid_at(now).map_err(AnswerError::NotValid);
        let in_time = is_valid.and_then(|()| check_tolerance(&header, &chain, now));
        let host_time = header.host_time;
        match message {
            Message::Lease(lease) => {
                answers(AskKind::Activate)?;
                check_tolerance(&header, &chain, now)?;
                check_serial(&header, expected)?;
                lease.check_fingerprint(expected.fingerprint)?;
                Ok(Verdict::Leased(lease))
            }
            Message::Waiting { count, threshold, ask_again } => {
                answers(AskKind::Activate)?;
                if in_time.is_ok() {
                    check_serial(&header, expected)?;
                    return Ok(Verdict::Waiting(Waiting { header, count, threshold, ask_again, chain }));
                }
                let cause = Reason::CountBelowThreshold.with(&[("count", &count), ("threshold", &threshold)]);
                Ok(Verdict::Refused(Refused { cause, ask_again, host_time, obey_copied: false }))
            }
            Message::Released => {
                answers(AskKind::Release)?;
                in_time?;
                check_serial(&header, expected)?;
                Ok(Verdict::Released(header))
            }
            Message::Refusal { cause, ask_again } => {
                let obey_copied = cause.reason() == Some(Reason::Copied) && chain.check_valid_at(now).is_ok();
                Ok(Verdict::Refused(Refused { cause, ask_again, host_time, obey_copied }))
            }
        }
    }
}

/// What an answer is to the machine that asked; `L` is a lease.
#[derive(Debug)]
pub enum Verdict<L = Box<Lease>> {
    /// Accepted: a license for a time.
    Leased(L),
    /// Accepted: counted, and too few so far.
    Waiting(Waiting),
    /// Accepted: out of the count.
    Released(Header),
    /// Believed: it changes the cause that is shown and when to ask next, and nothing else.
    Refused(Refused),
}

/// An accepted waiting.
#[derive(Debug)]
pub struct Waiting {
    /// Its header.
    pub header: Header,
    /// Machines counted.
    pub count: u64,
    /// Machines needed.
    pub threshold: u32,
    /// When to ask again, from now.
    pub ask_again: Duration,
    /// The chain of the host that answered.
    pub chain: Chain,
}

/// A refusal that is believed, or a waiting that does not hold at this machine's time.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub cause: Cause,
    /// When to ask again, from now.
    pub ask_again: Duration,
    /// The host's wall clock.
    pub host_time: Timestamp,
    /// Whether this names a copy, under a certificate that is valid now and of our own organisation.
    pub obey_copied: bool,
}

/// Whether an answer is about what it should be about.
pub(super) fn matches(holds: bool, what: &'static str) -> Result<(), AnswerError> {
    if holds { Ok(()) } else { Err(AnswerError::Mismatch(what)) }
}

pub(super) fn check_signer(header: &Header, chain: &Chain) -> Result<(), AnswerError> {
    matches(header.host == chain.host().host(), "host")?;
    matches(header.product == chain.host().product, "product of the certificate")
}

/// An accepted serial grows by steps, and never so far that the next ask could not present it. Otherwise one answer could use up
/// every serial that an identity has.
fn check_serial(header: &Header, expected: &Expected) -> Result<(), AnswerError> {
    let highest = expected.serial.saturating_add(SERIAL_STEP_MAX).min(SERIAL_MAX);
    matches(expected.serial < header.serial && header.serial <= highest, "serial")
}

fn check_tolerance(header: &Header, chain: &Chain, now: Timestamp) -> Result<(), AnswerError> {
    let by = header.host_time.apart(now);
    if chain.host().policy.clock_tolerance < by {
        return Err(AnswerError::ClocksApart { by });
    }
    Ok(())
}
