//! How the portal knows a product key again without keeping it: by its HMAC under a pepper that is kept outside the database.
//!
//! A key has 80 random bits. A plain hash of so few could be searched by whoever has stolen the database; without the pepper it cannot.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use kms_portal_rules::offers::OfferName;
use sha2::{Digest as _, Sha256};
use shared::ids::ProductId;
use shared::product_key::{ProductKey, ProductTag};
use zeroize::Zeroizing;

/// Longer than a key, so no key has the same HMAC.
const MARKED: &[u8] = b"kms v1 pepper mark";

/// The secret under which keys are looked up. Whoever loses it loses every key.
#[derive(Clone)]
pub struct Pepper(Zeroizing<[u8; Pepper::BYTES]>);

impl Pepper {
    /// How long it is, in bytes.
    pub const BYTES: usize = 32;

    /// These random bytes.
    pub fn new(bytes: Zeroizing<[u8; Pepper::BYTES]>) -> Pepper {
        Pepper(bytes)
    }

    /// What the database knows of this key.
    pub fn mac(&self, key: &ProductKey) -> KeyMac {
        self.mac_of(key.as_bytes())
    }

    /// What the database knows of the pepper itself, so that it is noticed when another one takes its place.
    pub fn mark(&self) -> KeyMac {
        self.mac_of(MARKED)
    }

    fn mac_of(&self, bytes: &[u8]) -> KeyMac {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0[..]).expect("HMAC takes a key of any length");
        mac.update(bytes);
        KeyMac(mac.finalize().into_bytes().into())
    }
}

/// Never the bytes.
impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(..)")
    }
}

/// By what a key of an offer's subscriptions names it: the tag of the id that its name stands for.
pub(crate) fn offer_tag(offer: &OfferName) -> ProductTag {
    let digest = Sha256::new().chain_update(b"kms v1 offer").chain_update(offer.as_str()).finalize();
    ProductTag::of(ProductId::from_slice(&digest[..16]).expect("an id has 16 bytes"))
}

/// HMAC-SHA-256 of a product key under the portal's pepper. Only the database compares it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyMac([u8; 32]);

impl KeyMac {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Never the bytes: they belong into the database, and not into a log.
impl fmt::Debug for KeyMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMac(..)")
    }
}
