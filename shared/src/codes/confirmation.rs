//! The confirmation id: a signature over an installation id, and the little that cannot be known without it.

use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use super::bits::Bits;
use super::{CodeError, CodeForm, CodeKey, CodeKind, InstallationId, read};
use crate::envelope::{Kind, SecretKey};
use crate::features::Features;
use crate::time::Timestamp;

const OPTION_BITS: usize = 16;
const OPTION_BYTES: usize = OPTION_BITS / 8;
const MONTH_BITS: u32 = 10;
const FEATURE_BITS: u32 = 6;
/// S of an Ed25519 signature is below 2^253.
const S_BITS: usize = 253;

/// Months are counted from here, so ten bits last until 2111.
const FIRST_YEAR: i64 = 2026;

/// What the vendor tells a machine or a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmationId {
    pub(super) options: u16,
    pub(super) signature: [u8; 64],
}

/// What the vendor has confirmed: only a signature that holds makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The first instant at which the confirmation holds no more. Most have no end.
    pub ends_at: Option<Timestamp>,
    /// The features that it grants.
    pub features: Features,
}

/// What a machine's confirmation says besides whom it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineOptions {
    /// The month at whose end it ends: 1 is January 2026, 0 is never.
    month: u16,
    /// Which of the code key's feature sets it grants: 1 is the first, 0 is none.
    feature_set: u8,
}

impl MachineOptions {
    /// Ends at the end of the month in which `not_after` is, or never; with this feature set, or none for 0. `None` if a code has no
    /// room for them: an end before 2026 or after March 2111, or a set above 63.
    pub fn new(not_after: Option<Timestamp>, feature_set: u8) -> Option<MachineOptions> {
        let month = match not_after {
            None => 0,
            Some(not_after) => {
                // What ends with the first instant of a month ends with the month before.
                let (year, month, _) = Timestamp::from_unix_ms(not_after.unix_ms().saturating_sub(1)).date();
                let months = (year - FIRST_YEAR) * 12 + month;
                u16::try_from(months).ok().filter(|month| (1..1 << MONTH_BITS).contains(month))?
            }
        };
        (feature_set < 1 << FEATURE_BITS).then_some(MachineOptions { month, feature_set })
    }

    /// The first instant after its last month.
    pub fn ends_at(self) -> Option<Timestamp> {
        let month = i64::from(self.month);
        (month != 0).then(|| Timestamp::of_month(FIRST_YEAR + month / 12, month % 12 + 1))
    }

    const fn to_bits(self) -> u16 {
        self.month << FEATURE_BITS | self.feature_set as u16
    }

    fn of_bits(bits: u16) -> MachineOptions {
        let feature_set = bits.to_le_bytes()[0] & ((1 << FEATURE_BITS) - 1);
        MachineOptions { month: bits >> FEATURE_BITS, feature_set }
    }
}

impl ConfirmationId {
    /// How long it is, in bytes.
    pub const BYTES: usize = OPTION_BYTES + 64;

    /// Confirms a machine with the vendor's code key.
    pub fn of_machine(id: &InstallationId, options: MachineOptions, code_key: &SecretKey) -> ConfirmationId {
        let options = options.to_bits();
        let signature = code_key.sign_beside(Kind::ConfirmationId, &payload(id, options)).signature;
        let signature = signature[..].try_into().expect("a signature has 64 bytes");
        ConfirmationId { options, signature }
    }

    /// What it confirms of the machine with this installation id, if one of these keys has signed it. They are those that the product
    /// carries; whether one has ended is checked where the code is entered, and not again later.
    ///
    /// # Errors
    /// [`CodeError::OtherInstallation`] if none has; [`CodeError::UnknownFeatures`] if the key has no such feature set.
    pub fn confirm(&self, id: &InstallationId, keys: &[CodeKey]) -> Result<Confirmed, CodeError> {
        let payload = payload(id, self.options);
        let signed = |key: &&CodeKey| {
            let public_key = key.public_key();
            let key_id = public_key.key_id();
            public_key.verify(Kind::ConfirmationId, &payload, key_id.as_bytes(), &self.signature).is_ok()
        };
        let key = keys.iter().find(signed).ok_or(CodeError::OtherInstallation)?;
        let options = MachineOptions::of_bits(self.options);
        let features = key.features(options.feature_set).ok_or(CodeError::UnknownFeatures)?;
        Ok(Confirmed { ends_at: options.ends_at(), features })
    }

    /// The code in 66 bytes, as a machine keeps it.
    pub fn to_bytes(&self) -> [u8; ConfirmationId::BYTES] {
        let mut bytes = [0; ConfirmationId::BYTES];
        bytes[..OPTION_BYTES].copy_from_slice(&self.options.to_be_bytes());
        bytes[OPTION_BYTES..].copy_from_slice(&self.signature);
        bytes
    }

    /// The code in these bytes, if they are 66.
    pub fn from_slice(bytes: &[u8]) -> Option<ConfirmationId> {
        let (options, signature) = bytes.split_first_chunk::<OPTION_BYTES>()?;
        Some(ConfirmationId { options: u16::from_be_bytes(*options), signature: signature.try_into().ok()? })
    }

    /// The code as it is read aloud or typed. [`FromStr`] takes either form.
    pub fn text(&self, form: CodeForm) -> String {
        let mut bits = Bits::default();
        bits.push(self.options.into(), OPTION_BITS);
        let [r, s] = [&self.signature[..32], &self.signature[32..]];
        bits.push_bytes(r);
        // S is little-endian in a signature; as a number it has its zeros in front.
        let s: Vec<_> = s.iter().rev().copied().collect();
        bits.push(s[0].into(), S_BITS % 8);
        bits.push_bytes(&s[1..]);
        let layout = form.layout(CodeKind::Confirmation.bits());
        layout.write(&bits.to_symbols(&layout))
    }

    fn of_bits(bits: &Bits) -> ConfirmationId {
        let mut fields = bits.fields();
        let options = fields.take(OPTION_BITS);
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&fields.take_bytes::<32>());
        signature[63] = fields.take(S_BITS % 8).to_le_bytes()[0];
        let rest: [u8; 31] = fields.take_bytes();
        for (byte, of_s) in signature[32..63].iter_mut().rev().zip(rest) {
            *byte = of_s;
        }
        ConfirmationId { options: u16::try_from(options).expect("16 bits were taken"), signature }
    }
}

impl FromStr for ConfirmationId {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<ConfirmationId, CodeError> {
        read(text, &[CodeKind::Confirmation], |_, bits| Ok(ConfirmationId::of_bits(bits)))
    }
}

/// What the code key signs: the installation id, and what the confirmation adds.
fn payload(id: &InstallationId, options: u16) -> Vec<u8> {
    let mut payload = id.to_bytes();
    payload.extend_from_slice(&options.to_be_bytes());
    payload
}
