//! The installation id: which machine or host wants to be confirmed, and with which key.
//!
//! Digits are overheard and written down, so it holds the key's public number and never the key, and no name of a person or a
//! machine. The same machine with the same key always has the same id, so asking again costs nothing.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use sha2::{Digest, Sha256};

use super::bits::Bits;
use super::{CodeError, CodeForm, CodeKind, read};
use crate::envelope::PublicKey;
use crate::ids::ProductId;
use crate::parts::HardwareParts;
use crate::product_key::{KeyNumber, ProductTag};

const VERSION: u64 = 0;
const VERSION_BITS: usize = 4;
const KIND_BITS: usize = 2;
const TAG_BITS: usize = 15;
/// For later versions.
const SPARE_BITS: usize = 8;
const DIGEST_BYTES: usize = 10;

/// What an installation id says of a machine: a digest of its public key, its product and its hardware parts.
pub type MachineDigest = [u8; DIGEST_BYTES];

/// What a machine or a host tells its vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstallationId {
    /// The product's tag.
    pub tag: ProductTag,
    /// The public number of the key that was entered.
    pub key: KeyNumber,
    /// Who wants to be confirmed.
    pub installed: CodeSubject,
}

/// Who wants to be confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodeSubject {
    /// A machine.
    Machine(MachineDigest),
    /// A host: its public key, whole, because its certificate names it.
    Host(PublicKey),
}

impl InstallationId {
    /// The id of a machine: of its public key, the product, the number of its key, and its hardware.
    pub fn of_machine(
        machine_key: &PublicKey,
        product: ProductId,
        key: KeyNumber,
        parts: &HardwareParts,
    ) -> InstallationId {
        let digest = InstallationId::digest(machine_key, product, parts);
        InstallationId { tag: ProductTag::of(product), key, installed: CodeSubject::Machine(digest) }
    }

    /// What the id of a machine says of it. Whoever knows the machine itself finds it again by this.
    pub fn digest(machine_key: &PublicKey, product: ProductId, parts: &HardwareParts) -> MachineDigest {
        let digest = Sha256::new()
            .chain_update(b"kms v1 installation")
            .chain_update(machine_key.as_bytes())
            .chain_update(product.as_bytes());
        let parts = parts.encode().unwrap_or_default();
        let digest = [parts.board, parts.disk, parts.firmware].iter().fold(digest, |digest, part| {
            // A part that is missing is not the one behind it.
            digest.chain_update([u8::from(!part.is_empty())]).chain_update(part)
        });
        digest.finalize()[..DIGEST_BYTES].try_into().expect("a digest has 32 bytes")
    }

    /// The id of a host with this public key.
    pub fn of_host(signing_key: PublicKey, product: ProductId, key: KeyNumber) -> InstallationId {
        InstallationId { tag: ProductTag::of(product), key, installed: CodeSubject::Host(signing_key) }
    }

    /// The id as it is read aloud or typed. [`FromStr`] takes either form.
    pub fn text(&self, form: CodeForm) -> String {
        let layout = form.layout(self.kind().bits());
        layout.write(&self.bits().to_symbols(&layout))
    }

    /// Whose id it is.
    pub const fn kind(&self) -> CodeKind {
        match self.installed {
            CodeSubject::Machine(_) => CodeKind::Machine,
            CodeSubject::Host(_) => CodeKind::Host,
        }
    }

    /// The whole id as bytes: what a confirmation signs.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        self.bits().to_bytes()
    }

    fn bits(&self) -> Bits {
        let mut bits = Bits::default();
        bits.push(VERSION, VERSION_BITS);
        bits.push(u64::from(self.kind() == CodeKind::Host), KIND_BITS);
        bits.push(self.tag.value().into(), TAG_BITS);
        bits.push_bytes(self.key.as_bytes());
        match &self.installed {
            CodeSubject::Machine(digest) => bits.push_bytes(digest),
            CodeSubject::Host(key) => bits.push_bytes(key.as_bytes()),
        }
        bits.push(0, SPARE_BITS);
        bits
    }

    fn of_bits(kind: CodeKind, bits: &Bits) -> Result<InstallationId, CodeError> {
        let mut fields = bits.fields();
        if fields.take(VERSION_BITS) != VERSION || fields.take(KIND_BITS) != u64::from(kind == CodeKind::Host)
        {
            return Err(CodeError::Newer);
        }
        let tag = u16::try_from(fields.take(TAG_BITS)).ok().and_then(ProductTag::from_value);
        let tag = tag.ok_or(CodeError::Malformed)?;
        let key = KeyNumber::from_bytes(fields.take_bytes());
        let installed = if kind == CodeKind::Host {
            let key = fields.take_bytes::<32>();
            CodeSubject::Host(PublicKey::from_slice(&key).map_err(|_| CodeError::Malformed)?)
        } else {
            CodeSubject::Machine(fields.take_bytes())
        };
        if fields.take(SPARE_BITS) != 0 {
            return Err(CodeError::Newer);
        }
        Ok(InstallationId { tag, key, installed })
    }
}

impl FromStr for InstallationId {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<InstallationId, CodeError> {
        read(text, &[CodeKind::Machine, CodeKind::Host], InstallationId::of_bits)
    }
}

/// In letters, for logs and lists: it is no secret.
impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(CodeForm::Letters))
    }
}
