//! What a host answers. The host composes it here from what was decided. The machine judges it in `answer/received.rs`, and the
//! most important answer is in `answer/lease.rs`. `license` says what an accepted answer changes. `docs/protocol.md` 1, 2.

mod lease;
mod received;

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use proto::v1;

use crate::ask::Ask;
use crate::certificate::{ChainError, is_understood};
use crate::envelope::EnvelopeError;
use crate::ids::{Fingerprint, HostId, LedgerId, MachineId, Nonce, ProductId};
use crate::policy::Policy;
use crate::reason::{self, Cause, Reason};
use crate::revocation::Revoked;
use crate::time::{Length, Timestamp, to_ms};

pub use self::lease::{Lease, ShownLease, Term};
pub use self::received::{Expected, Received, Refused, Verdict, Waiting};

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
    /// The header of an answer that this host gives to this ask at this time.
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

/// Why an answer is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Bytes or fields that do not fit.
    #[error("the answer is malformed")]
    Malformed,
    /// The chain does not end in a pinned root.
    #[error("{0}")]
    Untrusted(ChainError),
    /// The chain's host has not signed this.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It has a `must_understand` bit that this release does not know.
    #[error("the answer needs a newer release on this side")]
    NotUnderstood,
    /// It names something else than was asked.
    #[error("its {0} is not the one that was asked for")]
    Mismatch(&'static str),
    /// The host serves another organisation, of this name.
    #[error("the host serves {0}")]
    OtherOrganisation(String),
    /// The chain is not valid at the time that counts.
    #[error("{0}")]
    NotValid(ChainError),
    /// The host's clock and this machine's are further apart than is tolerated.
    #[error("the host's clock is {} away from this machine's", Length(*.by))]
    ClocksApart {
        /// How far.
        by: Duration,
    },
    /// It gives more than the certificate allows; which number.
    #[error("its {0} is beyond the certificate")]
    BeyondLimits(&'static str),
    /// The vendor has revoked the host's certificate, or what has issued it.
    #[error("{0}")]
    Revoked(Box<Revoked>),
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
            AnswerError::Revoked(_) => Reason::HostRevoked,
        };
        reason.with(&[("address", address), ("cause", self)])
    }
}
