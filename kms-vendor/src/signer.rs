//! What every certificate of a vendor has: a key that signs it, and an end.

use shared::time::Timestamp;
use std::time::Duration;

use crate::error::VendorError;
use crate::text::instant_text;

/// The key that signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// `root-1.key`.
    Root1,
    /// `root-2.key`.
    Root2,
    /// The issuing key, whose certificate then travels in the chain.
    Issuer,
}

impl Signer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Signer::Root1 => "root-1",
            Signer::Root2 => "root-2",
            Signer::Issuer => "issuer",
        }
    }
}

/// The first instant at which a certificate is no longer valid.
pub(crate) fn end(
    not_before: Timestamp,
    valid_for: Duration,
    now: Timestamp,
) -> Result<Timestamp, VendorError> {
    let not_after = not_before + valid_for;
    if not_after <= not_before || not_after <= now {
        return Err(VendorError::EndedAlready { not_after });
    }
    // Then every program that shows it can print it.
    instant_text(not_before).and(instant_text(not_after)).ok_or(VendorError::TooLate)?;
    Ok(not_after)
}
