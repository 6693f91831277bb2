//! A product key: the 25 characters that a customer gets from the vendor's seller.
//!
//! It says its kind and its product without a database, so that a key that belongs elsewhere is told offline. The rest of it is
//! random: whoever has the key may use it, so it is wiped from memory and never printed by accident. The [`KeyNumber`] is its public
//! name. `docs/protocol.md` 10.

mod text;

use core::fmt;
use core::str::FromStr;

use sha2::{Digest, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::groups::Mistyped;
use crate::ids::ProductId;
use crate::named::named;
use crate::reason::{Cause, Reason};

pub use text::{KeyText, NotAKeyNumber};

named! {
    /// What a key is for.
    KeyKind {
        /// It activates hosts of an organisation.
        Host = 0, "host";
        /// It activates a number of machines, each at the vendor.
        MultipleActivation = 1, "multiple-activation";
        /// It stands for a subscription of an organisation.
        Subscription = 2, "subscription";
    }
}

/// Which product a key is for: 15 bits that follow from the product's id. A vendor gives no two products the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductTag(u16);

impl ProductTag {
    /// How many bits it has.
    pub(crate) const BITS: u32 = 15;

    /// The tag of a product: the first bits of SHA-256(`kms v1 product tag` || id).
    pub fn of(product: ProductId) -> ProductTag {
        let digest =
            Sha256::new().chain_update(b"kms v1 product tag").chain_update(product.as_bytes()).finalize();
        ProductTag(u16::from_be_bytes([digest[0], digest[1]]) >> 1)
    }

    /// Its value, below 2^15.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// The tag of this value, if it is below 2^15.
    pub const fn from_value(value: u16) -> Option<ProductTag> {
        if value >> ProductTag::BITS == 0 { Some(ProductTag(value)) } else { None }
    }
}

/// The public name of a key, for mails, lists and logs: 40 bits that follow from the key, written `XXXX-XXXX`. Nobody finds the key by
/// it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyNumber([u8; KeyNumber::BYTES]);

impl KeyNumber {
    /// How long it is, in bytes.
    pub const BYTES: usize = 5;

    /// The number in these bytes.
    pub const fn from_bytes(bytes: [u8; KeyNumber::BYTES]) -> KeyNumber {
        KeyNumber(bytes)
    }

    /// The number in these bytes, if they are 5.
    pub fn from_slice(bytes: &[u8]) -> Option<KeyNumber> {
        bytes.try_into().ok().map(KeyNumber)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; KeyNumber::BYTES] {
        &self.0
    }
}

/// A product key of a kind that this release knows. It is a secret: show it to its owner, and store and log its
/// [`number`](ProductKey::number).
#[derive(Clone, PartialEq, Eq)]
pub struct ProductKey([u8; ProductKey::BYTES]);

impl ProductKey {
    /// How long it is, in bytes.
    pub const BYTES: usize = 13;

    /// Where the kind begins, in the number that the 100 bits of a key are: below the version, which is 0.
    const KIND_AT: u32 = 95;
    const TAG_AT: u32 = ProductKey::KIND_AT - ProductTag::BITS;
    /// The bits stand on the left of the bytes.
    const UNUSED_BITS: u32 = 4;

    /// A new key. The caller draws the random bytes, and wipes them.
    pub fn new(kind: KeyKind, tag: ProductTag, random: &[u8; 10]) -> ProductKey {
        let mut bytes = Zeroizing::new([0; 16]);
        bytes[6..].copy_from_slice(random);
        let head = u128::from(kind as u8) << ProductKey::KIND_AT | u128::from(tag.0) << ProductKey::TAG_AT;
        ProductKey::of_bits(head | u128::from_be_bytes(*bytes))
    }

    /// The key in these bytes.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if they are not 13 or the last four bits are not 0; [`KeyError::Newer`] for a version or kind that this
    /// release does not know.
    pub fn from_slice(bytes: &[u8]) -> Result<ProductKey, KeyError> {
        let key = ProductKey(bytes.try_into().map_err(|_| KeyError::Malformed)?);
        if key.bits() << ProductKey::UNUSED_BITS != key.padded() {
            return Err(KeyError::Malformed);
        }
        if key.known_kind().is_none() {
            return Err(KeyError::Newer);
        }
        Ok(key)
    }

    /// Its bytes: what travels to the vendor, signed and encrypted.
    pub const fn as_bytes(&self) -> &[u8; ProductKey::BYTES] {
        &self.0
    }

    /// What it is for.
    pub fn kind(&self) -> KeyKind {
        self.known_kind().expect("no key of another kind is made")
    }

    /// Which product it is for.
    pub fn tag(&self) -> ProductTag {
        let tag = (self.bits() >> ProductKey::TAG_AT) & ((1 << ProductTag::BITS) - 1);
        ProductTag(tag.try_into().expect("a tag has 15 bits"))
    }

    /// Its public name: the first 40 bits of SHA-256(`kms v1 key number` || bytes).
    pub fn number(&self) -> KeyNumber {
        let digest = Sha256::new().chain_update(b"kms v1 key number").chain_update(self.0).finalize();
        KeyNumber(digest[..KeyNumber::BYTES].try_into().expect("a digest has 32 bytes"))
    }

    /// Whether it is of this kind and for this product.
    ///
    /// # Errors
    /// [`KeyError::OtherProduct`] or [`KeyError::OtherKind`]. If it is both, the product counts.
    pub fn check(&self, kind: KeyKind, product: ProductId) -> Result<(), KeyError> {
        if self.tag() != ProductTag::of(product) {
            return Err(KeyError::OtherProduct);
        }
        self.check_kind(kind)
    }

    /// Whether it is of this kind, where the product is not known yet.
    ///
    /// # Errors
    /// [`KeyError::OtherKind`].
    pub fn check_kind(&self, kind: KeyKind) -> Result<(), KeyError> {
        if self.kind() == kind {
            Ok(())
        } else {
            Err(KeyError::OtherKind { kind: self.kind(), wanted: kind })
        }
    }

    fn of_bits(bits: u128) -> ProductKey {
        let mut key = ProductKey([0; ProductKey::BYTES]);
        key.0.copy_from_slice(&(bits << ProductKey::UNUSED_BITS).to_be_bytes()[3..]);
        key
    }

    /// The bytes as a number.
    fn padded(&self) -> u128 {
        self.0.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
    }

    /// The 100 bits as a number.
    fn bits(&self) -> u128 {
        self.padded() >> ProductKey::UNUSED_BITS
    }

    fn known_kind(&self) -> Option<KeyKind> {
        // The version stands above the kind; a key of another version has no kind that is known.
        let kind = self.bits() >> ProductKey::KIND_AT;
        KeyKind::ALL.iter().copied().find(|known| u128::from(*known as u8) == kind)
    }
}

impl Drop for ProductKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Never the key: its number.
impl fmt::Debug for ProductKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProductKey({})", self.number())
    }
}

impl FromStr for ProductKey {
    type Err = KeyError;

    /// A whole key, however it is typed. [`KeyText`] reads one that is not whole yet.
    fn from_str(text: &str) -> Result<ProductKey, KeyError> {
        KeyText::new(text).key()
    }
}

/// What somebody has entered is not the key that is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Groups are wrong; it says which.
    #[error("{0}")]
    Mistyped(Mistyped),
    /// The bytes are no key's.
    #[error("these bytes are no product key")]
    Malformed,
    /// Every group is right, and the key is of a version or kind that this release does not know.
    #[error("a product key of a kind that this release does not know")]
    Newer,
    /// It is for something else.
    #[error("a {} key, and a {} key is needed here", kind.name(), wanted.name())]
    OtherKind {
        /// What it is for.
        kind: KeyKind,
        /// What is needed.
        wanted: KeyKind,
    },
    /// It is for another product.
    #[error("a key for another product")]
    OtherProduct,
}

impl From<KeyError> for Cause {
    fn from(error: KeyError) -> Cause {
        match error {
            KeyError::Mistyped(mistyped) => Reason::KeyMalformed.with(&[("groups", &mistyped.groups())]),
            KeyError::Malformed => Reason::KeyMalformed.with(&[("groups", &text::ALL_GROUPS)]),
            KeyError::Newer => Reason::KeyNewer.into(),
            KeyError::OtherKind { kind, wanted } => {
                Reason::KeyOtherKind.with(&[("kind", &kind.name()), ("wanted", &wanted.name())])
            }
            KeyError::OtherProduct => Reason::KeyOtherProduct.into(),
        }
    }
}
