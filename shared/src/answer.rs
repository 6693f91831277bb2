//! What a host answers, on both sides: the host composes it from what was decided, the machine judges it.
//!
//! A check leaves a type behind: only [`Received::judge`] and [`Lease::keep`] make a [`Lease`], so whoever holds one
//! knows that it ends in a pinned root and is this machine's. An answer is either *accepted* (it then saves the serial
//! and ends the nonce) or only *believed* (it changes the cause that is shown and when to ask next) or an error (as if
//! nobody had answered, with a name). What acceptance does to a license is told in `license`. `docs/protocol.md` 1, 2.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use proto::v1;

use crate::ask::{Ask, AskKind, SERIAL_MAX};
use crate::certificate::{Chain, ChainError, HostCertificate, Roots, is_understood};
use crate::envelope::{self, EnvelopeError, Kind};
use crate::ids::{Fingerprint, HostId, LedgerId, MachineId, Nonce, OrganisationId, ProductId};
use crate::policy::Policy;
use crate::reason::{self, Cause, Reason};
use crate::serial::SERIAL_STEP_MAX;
use crate::time::{Length, Timestamp, from_ms, to_ms};

/// What every answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The machine that is answered.
    pub machine: MachineId,
    /// The product.
    pub product: ProductId,
    /// The nonce of the ask.
    pub nonce: Nonce,
    /// The serial to present next time; in a refusal the one that was presented.
    pub serial: u64,
    /// The host's wall clock.
    pub host_time: Timestamp,
    /// The host.
    pub host: HostId,
    /// The ledger that counted.
    pub ledger: LedgerId,
}

impl Header {
    /// That of an answer to this ask, given by this host at its time.
    pub fn answering(ask: &Ask, serial: u64, host_time: Timestamp, host: HostId, ledger: LedgerId) -> Header {
        Header {
            machine: ask.machine(),
            product: ask.product,
            nonce: ask.nonce,
            serial,
            host_time,
            host,
            ledger,
        }
    }

    fn encode(&self) -> v1::Header {
        v1::Header {
            machine: Bytes::copy_from_slice(self.machine.as_bytes()),
            product: Bytes::copy_from_slice(self.product.as_bytes()),
            nonce: Bytes::copy_from_slice(self.nonce.as_bytes()),
            serial: self.serial,
            host_time: self.host_time.unix_ms(),
            host: Bytes::copy_from_slice(self.host.as_bytes()),
            ledger: Bytes::copy_from_slice(self.ledger.as_bytes()),
            must_understand: 0,
        }
    }

    fn decode(wire: Option<v1::Header>) -> Result<Header, AnswerError> {
        let wire = wire.ok_or(AnswerError::Malformed)?;
        if !is_understood(wire.must_understand) {
            return Err(AnswerError::NotUnderstood);
        }
        Ok(Header {
            machine: MachineId::from_slice(&wire.machine).ok_or(AnswerError::Malformed)?,
            product: ProductId::from_slice(&wire.product).ok_or(AnswerError::Malformed)?,
            nonce: Nonce::from_slice(&wire.nonce).ok_or(AnswerError::Malformed)?,
            serial: wire.serial,
            host_time: Timestamp::from_unix_ms(wire.host_time),
            host: HostId::from_slice(&wire.host).ok_or(AnswerError::Malformed)?,
            ledger: LedgerId::from_slice(&wire.ledger).ok_or(AnswerError::Malformed)?,
        })
    }
}

// What the host composes, ready to be signed.

/// A lease for a full life from the host's time on.
pub fn compose_lease(header: &Header, policy: &Policy, grant: &Grant, fingerprint: Fingerprint) -> v1::Lease {
    v1::Lease {
        header: Some(header.encode()),
        expires_at: (header.host_time + policy.validity).unix_ms(),
        renew_after: (header.host_time + policy.renew_interval).unix_ms(),
        threshold_met_at: grant.threshold_met_at.unix_ms(),
        count: grant.count,
        threshold: policy.threshold,
        fingerprint: Bytes::copy_from_slice(fingerprint.as_slice()),
    }
}

/// Counted, and too few so far.
pub fn compose_waiting(header: &Header, policy: &Policy, count: u64) -> v1::Waiting {
    v1::Waiting {
        header: Some(header.encode()),
        count,
        threshold: policy.threshold,
        ask_again_ms: to_ms(policy.retry_interval),
    }
}

/// Neither counted nor licensed.
pub fn compose_refusal(header: &Header, cause: &Cause, ask_again: Duration) -> v1::Refusal {
    v1::Refusal {
        header: Some(header.encode()),
        code: cause.code.clone(),
        ask_again_ms: to_ms(ask_again),
        parameters: reason::encode_parameters(cause),
    }
}

/// Out of the count.
pub fn compose_released(header: &Header) -> v1::Released {
    v1::Released { header: Some(header.encode()) }
}

/// Why a lease may be issued: what `count` decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Machines counted.
    pub count: u64,
    /// When a host last saw the threshold met in its own ledger.
    pub threshold_met_at: Timestamp,
}

// What the machine makes of it.

/// A lease that this machine may use: verified down from a pinned root, and its own.
#[derive(Clone, Debug)]
pub struct Lease {
    header: Header,
    expires_at: Timestamp,
    renew_after: Timestamp,
    count: u64,
    fingerprint: Fingerprint,
    threshold_met_at: Timestamp,
    signed: v1::Signed,
    chain: Chain,
}

impl Lease {
    /// A lease that was accepted before and comes from the disk: it may be used to its own end, even after its
    /// certificate has ended.
    ///
    /// # Errors
    /// It does not verify, or is another product's, another machine's or another installation's.
    pub fn keep(
        signed: &v1::Signed,
        chain: &Bytes,
        roots: &Roots,
        product: ProductId,
        machine: MachineId,
        fingerprint: Fingerprint,
    ) -> Result<Lease, AnswerError> {
        let chain = Chain::verify(chain, roots).map_err(AnswerError::Untrusted)?;
        let lease = Lease::open(signed, &chain)?;
        if lease.header.product != product {
            return Err(AnswerError::Mismatch("product"));
        }
        if lease.header.machine != machine || lease.fingerprint.differs_from(&fingerprint) {
            return Err(AnswerError::Mismatch("machine"));
        }
        Ok(lease)
    }

    /// When it ends: the first instant at which it is no license any more.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// When to renew it.
    pub fn renew_after(&self) -> Timestamp {
        self.renew_after
    }

    /// When it was issued, by the host's clock.
    pub fn issued_at(&self) -> Timestamp {
        self.header.host_time
    }

    /// How many machines were counted when it was issued.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// When a host last saw the threshold met: less than a window ago where the count is below the threshold.
    pub fn threshold_met_at(&self) -> Timestamp {
        self.threshold_met_at
    }

    /// Its header: serial, host, ledger.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The numbers that it was issued under.
    pub fn policy(&self) -> &Policy {
        &self.chain.host().policy
    }

    /// The chain that it was issued under.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The exact bytes, to be kept and shown again.
    pub fn signed(&self) -> &v1::Signed {
        &self.signed
    }

    /// Verifies and reads a lease, and holds it to its certificate. Whose it is, and what time it is now, is not looked at yet.
    fn open(signed: &v1::Signed, chain: &Chain) -> Result<Lease, AnswerError> {
        let verified =
            envelope::open(signed, Kind::Lease, &chain.host().signing_key).map_err(AnswerError::Envelope)?;
        let wire: v1::Lease = verified.decode().map_err(AnswerError::Envelope)?;
        let header = Header::decode(wire.header)?;
        check_signer(&header, chain)?;
        chain.check_valid_at(header.host_time).map_err(AnswerError::NotValid)?;
        if wire.threshold != chain.host().policy.threshold {
            return Err(AnswerError::BeyondLimits("threshold"));
        }
        let lease = Lease {
            header,
            expires_at: Timestamp::from_unix_ms(wire.expires_at),
            renew_after: Timestamp::from_unix_ms(wire.renew_after),
            count: wire.count,
            fingerprint: Fingerprint::from_slice(&wire.fingerprint).ok_or(AnswerError::Malformed)?,
            threshold_met_at: Timestamp::from_unix_ms(wire.threshold_met_at),
            signed: signed.clone(),
            chain: chain.clone(),
        };
        lease.check_limits()?;
        Ok(lease)
    }

    /// The limits of the certificate. Everyone who reads a lease enforces them, so that a stolen host key gives no more than they
    /// allow: not to the machine that accepts a lease or keeps one, and not to the host that is shown one as evidence.
    fn check_limits(&self) -> Result<(), AnswerError> {
        let (issued_at, policy) = (self.header.host_time, self.policy());
        if self.expires_at <= issued_at || policy.validity < self.expires_at.since(issued_at) {
            return Err(AnswerError::BeyondLimits("validity"));
        }
        if self.renew_after < issued_at || self.expires_at < self.renew_after {
            return Err(AnswerError::BeyondLimits("renew_after"));
        }
        let has_come = self.threshold_met_at <= issued_at + policy.clock_tolerance;
        if !has_come || policy.count_window <= issued_at.since(self.threshold_met_at) {
            return Err(AnswerError::BeyondLimits("threshold_met_at"));
        }
        Ok(())
    }
}

/// What a lease shown to a host proves, once it is verified: that its machine was licensed, by whom and on what evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownLease {
    /// The machine that it names.
    pub machine: MachineId,
    /// The ledger that had counted.
    pub ledger: LedgerId,
    /// The serial that it brought.
    pub serial: u64,
    /// When a host last saw the threshold met.
    pub threshold_met_at: Timestamp,
    /// When it was issued, by the host's clock.
    pub issued_at: Timestamp,
}

impl ShownLease {
    /// Verifies a lease that a machine shows, expired or not, to the host of the certificate `ours`.
    ///
    /// # Errors
    /// It is not signed by this chain's host, is beyond the chain's limits, or is of another product or organisation. A test
    /// certificate proves nothing to a host whose own is none, and the other way round.
    pub fn open(
        signed: &v1::Signed,
        chain: &Chain,
        ours: &HostCertificate,
    ) -> Result<ShownLease, AnswerError> {
        let theirs = chain.host();
        if theirs.product != ours.product {
            return Err(AnswerError::Mismatch("product"));
        }
        if theirs.organisation != ours.organisation {
            return Err(AnswerError::OtherOrganisation(theirs.organisation_name.clone()));
        }
        if theirs.test != ours.test {
            return Err(AnswerError::Mismatch("test mark"));
        }
        let Lease { header, threshold_met_at, .. } = Lease::open(signed, chain)?;
        Ok(ShownLease::of(&header, threshold_met_at))
    }

    /// What a lease says of itself, unverified: worth no more than to ask whether verifying it could matter.
    pub fn claim(signed: &v1::Signed) -> Option<ShownLease> {
        let wire: v1::Lease = prost::Message::decode(signed.payload.clone()).ok()?;
        let threshold_met_at = Timestamp::from_unix_ms(wire.threshold_met_at);
        Some(ShownLease::of(&Header::decode(wire.header).ok()?, threshold_met_at))
    }

    fn of(header: &Header, threshold_met_at: Timestamp) -> ShownLease {
        let Header { machine, ledger, serial, host_time: issued_at, .. } = *header;
        ShownLease { machine, ledger, serial, threshold_met_at, issued_at }
    }
}

/// What the machine has asked, and so what an answer has to match.
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
    message: Message,
}

#[derive(Debug)]
enum Message {
    Lease(Box<Lease>),
    Waiting { header: Header, count: u64, threshold: u32, ask_again: Duration },
    Refusal { header: Header, cause: Cause, ask_again: Duration },
    Released { header: Header },
}

impl Received {
    /// Verifies an answer. `known` is the chain whose digest the ask has named; the host then leaves it out.
    ///
    /// # Errors
    /// Whoever answered is not a host of this vendor, or does not speak this protocol.
    pub fn open(answer: &v1::Answer, known: Option<&Chain>, roots: &Roots) -> Result<Received, AnswerError> {
        let chain = match known {
            Some(known) if answer.chain.is_empty() => known.clone(),
            _ => Chain::verify(&answer.chain, roots).map_err(AnswerError::Untrusted)?,
        };
        let signed = answer.signed.as_ref().ok_or(AnswerError::Malformed)?;
        let kind = Kind::of(signed).ok_or(AnswerError::Malformed)?;
        let open = || envelope::open(signed, kind, &chain.host().signing_key).map_err(AnswerError::Envelope);
        let message = match kind {
            Kind::Lease => Message::Lease(Box::new(Lease::open(signed, &chain)?)),
            Kind::Waiting => {
                let wire: v1::Waiting = open()?.decode().map_err(AnswerError::Envelope)?;
                let ask_again = from_ms(wire.ask_again_ms).ok_or(AnswerError::Malformed)?;
                let header = Header::decode(wire.header)?;
                Message::Waiting { header, count: wire.count, threshold: wire.threshold, ask_again }
            }
            Kind::Refusal => {
                let wire: v1::Refusal = open()?.decode().map_err(AnswerError::Envelope)?;
                let ask_again = from_ms(wire.ask_again_ms).ok_or(AnswerError::Malformed)?;
                let cause = reason::decode(&wire.code, &wire.parameters);
                Message::Refusal { header: Header::decode(wire.header)?, cause, ask_again }
            }
            Kind::Released => {
                let wire: v1::Released = open()?.decode().map_err(AnswerError::Envelope)?;
                Message::Released { header: Header::decode(wire.header)? }
            }
            Kind::Ask
            | Kind::HostCertificate
            | Kind::IssuingCertificate
            | Kind::RevocationList
            | Kind::HostRequest => {
                return Err(AnswerError::Malformed);
            }
        };
        Ok(Received { chain, message })
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
        let Received { chain, message } = self;
        let header = message.header();
        check_signer(&header, &chain)?;
        check_ours(&header, expected)?;
        let certificate = chain.host();
        if expected.organisation.is_some_and(|ours| ours != certificate.organisation) {
            return Err(AnswerError::OtherOrganisation(certificate.organisation_name.clone()));
        }
        let in_time = check_in_time(&header, &chain, now);
        match message {
            Message::Lease(lease) => {
                check_kind(expected, AskKind::Activate)?;
                check_tolerance(&header, &chain, now)?;
                check_serial(&header, expected)?;
                if lease.fingerprint.as_slice() != expected.fingerprint.as_slice() {
                    return Err(AnswerError::Mismatch("fingerprint"));
                }
                Ok(Verdict::Leased(lease))
            }
            Message::Waiting { header, count, threshold, ask_again } => {
                check_kind(expected, AskKind::Activate)?;
                if in_time.is_ok() {
                    check_serial(&header, expected)?;
                    return Ok(Verdict::Waiting(Waiting { header, count, threshold, ask_again, chain }));
                }
                let cause = Reason::CountBelowThreshold.with(&[("count", &count), ("threshold", &threshold)]);
                Ok(Verdict::Refused(Refused {
                    cause,
                    ask_again,
                    host_time: header.host_time,
                    obey_copied: false,
                }))
            }
            Message::Released { header } => {
                check_kind(expected, AskKind::Release)?;
                in_time?;
                check_serial(&header, expected)?;
                Ok(Verdict::Released(header))
            }
            Message::Refusal { header, cause, ask_again } => {
                let obey_copied = cause.reason() == Some(Reason::Copied) && chain.check_valid_at(now).is_ok();
                Ok(Verdict::Refused(Refused { cause, ask_again, host_time: header.host_time, obey_copied }))
            }
        }
    }
}

impl Message {
    fn header(&self) -> Header {
        match self {
            Message::Lease(lease) => lease.header,
            Message::Waiting { header, .. }
            | Message::Refusal { header, .. }
            | Message::Released { header } => *header,
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

fn check_signer(header: &Header, chain: &Chain) -> Result<(), AnswerError> {
    if header.host != chain.host().host() {
        return Err(AnswerError::Mismatch("host"));
    }
    if header.product != chain.host().product {
        return Err(AnswerError::Mismatch("product of the certificate"));
    }
    Ok(())
}

fn check_ours(header: &Header, expected: &Expected) -> Result<(), AnswerError> {
    if header.machine != expected.machine {
        return Err(AnswerError::Mismatch("machine"));
    }
    if header.product != expected.product {
        return Err(AnswerError::Mismatch("product"));
    }
    if header.nonce != expected.nonce {
        return Err(AnswerError::Mismatch("nonce"));
    }
    Ok(())
}

fn check_kind(expected: &Expected, answers: AskKind) -> Result<(), AnswerError> {
    if expected.kind != answers {
        return Err(AnswerError::Mismatch("kind"));
    }
    Ok(())
}

/// An accepted serial grows by steps, and never so far that the next ask could not present it: one answer could else use up
/// every serial that an identity has.
fn check_serial(header: &Header, expected: &Expected) -> Result<(), AnswerError> {
    let highest = expected.serial.saturating_add(SERIAL_STEP_MAX).min(SERIAL_MAX);
    if expected.serial < header.serial && header.serial <= highest {
        return Ok(());
    }
    Err(AnswerError::Mismatch("serial"))
}

fn check_tolerance(header: &Header, chain: &Chain, now: Timestamp) -> Result<(), AnswerError> {
    let by = header.host_time.apart(now);
    if chain.host().policy.clock_tolerance < by {
        return Err(AnswerError::ClocksApart { by });
    }
    Ok(())
}

/// What holds of a waiting and a released to be accepted: the certificate is valid now, and the clocks agree.
fn check_in_time(header: &Header, chain: &Chain, now: Timestamp) -> Result<(), AnswerError> {
    chain.check_valid_at(now).map_err(AnswerError::NotValid)?;
    check_tolerance(header, chain, now)
}

/// An answer is not one, or not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// Bytes or fields that do not fit.
    Malformed,
    /// The chain does not end in a pinned root.
    Untrusted(ChainError),
    /// The chain's host has not signed this.
    Envelope(EnvelopeError),
    /// It has a `must_understand` bit that this release does not know.
    NotUnderstood,
    /// It names something else than was asked.
    Mismatch(&'static str),
    /// The host serves another organisation, of this name.
    OtherOrganisation(String),
    /// The chain is not valid at the time that counts.
    NotValid(ChainError),
    /// The host's clock and this machine's are further apart than is tolerated.
    ClocksApart {
        /// How far.
        by: Duration,
    },
    /// It gives more than the certificate allows; which number.
    BeyondLimits(&'static str),
}

impl AnswerError {
    /// The reason under which this is shown; `address` is who answered.
    pub fn cause(&self, address: &dyn fmt::Display) -> Cause {
        let reason = match self {
            AnswerError::Malformed | AnswerError::Mismatch(_) => Reason::AnswerMismatch,
            AnswerError::NotUnderstood | AnswerError::Untrusted(ChainError::NotUnderstood) => {
                Reason::NewerProtocol
            }
            AnswerError::Envelope(error) if error.is_of_form() => Reason::AnswerMismatch,
            AnswerError::Untrusted(_) | AnswerError::Envelope(_) => Reason::Untrusted,
            AnswerError::OtherOrganisation(name) => {
                return Reason::OtherOrganisation.with(&[("address", address), ("organisation", name)]);
            }
            AnswerError::NotValid(_) | AnswerError::ClocksApart { .. } => Reason::AnswerOutOfTime,
            AnswerError::BeyondLimits(_) => Reason::BeyondLimits,
        };
        reason.with(&[("address", address), ("cause", self)])
    }
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerError::Malformed => f.write_str("the answer is malformed"),
            AnswerError::Untrusted(error) | AnswerError::NotValid(error) => write!(f, "{error}"),
            AnswerError::Envelope(error) => write!(f, "{error}"),
            AnswerError::NotUnderstood => f.write_str("the answer needs a newer release on this side"),
            AnswerError::Mismatch(what) => write!(f, "its {what} is not the one that was asked for"),
            AnswerError::OtherOrganisation(name) => write!(f, "the host serves {name}"),
            AnswerError::ClocksApart { by } => {
                write!(f, "the host's clock is {} away from this machine's", Length(*by))
            }
            AnswerError::BeyondLimits(number) => write!(f, "its {number} is beyond the certificate"),
        }
    }
}

impl core::error::Error for AnswerError {}
