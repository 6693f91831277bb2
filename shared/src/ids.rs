//! Names: 16 bytes each, one type a kind, so that a host is never taken for a machine.
//!
//! Machine and host are derived from a public key, so nobody can take another's name; the others are random. A nonce
//! names one ask, a fingerprint tells installations apart. `docs/protocol.md` 1.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// How long every id is, in bytes.
pub const ID_BYTES: usize = 16;

/// Declares kinds of names: `ids! { /// What it names. PersonId; }`.
#[macro_export]
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $crate::ids::ID_BYTES]);

        impl $name {
            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; $crate::ids::ID_BYTES]) -> $name {
                $name(bytes)
            }

            /// The id in these bytes, if they are 16.
            pub fn from_slice(bytes: &[u8]) -> Option<$name> {
                bytes.try_into().ok().map($name)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $crate::ids::ID_BYTES] {
                &self.0
            }
        }

        /// 32 hexadecimal digits.
        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = $crate::ids::NotAnId;

            fn from_str(text: &str) -> Result<$name, $crate::ids::NotAnId> {
                $crate::ids::from_hex(text).map($name)
            }
        }
    )*};
}

ids! {
    /// A machine's identity: derived from its own public key.
    MachineId;
    /// A host: derived from its signing key's public half.
    HostId;
    /// A product of the vendor: random. Editions that count together are one product.
    ProductId;
    /// A customer of the vendor: random.
    OrganisationId;
    /// A ledger: random, made with it.
    LedgerId;
    /// A certificate: random.
    CertificateId;
    /// One ask: random, saved by the machine before it is sent.
    Nonce;
    /// The key that has signed. The algorithm is part of the name, so a new one is a new name and nothing is negotiated.
    KeyId;
}

impl MachineId {
    /// The id of the machine with this public key.
    pub fn of_key(public_key: &[u8; 32]) -> MachineId {
        MachineId(derive(b"kms v1 machine", public_key))
    }
}

impl HostId {
    /// The id of the host with this public key.
    pub fn of_key(public_key: &[u8; 32]) -> HostId {
        HostId(derive(b"kms v1 host", public_key))
    }
}

impl CertificateId {
    /// What stands in a revocation list for every confirmation of the key with this public number.
    pub fn of_confirmations(key_number: &[u8; 5]) -> CertificateId {
        CertificateId(derive(b"kms v1 revoked key", key_number))
    }
}

impl KeyId {
    /// 0x01 (Ed25519), then the first 15 bytes of SHA-256 of the public key.
    pub fn of_key(public_key: &[u8; 32]) -> KeyId {
        let mut id = [0x01; ID_BYTES];
        id[1..].copy_from_slice(&Sha256::digest(public_key)[..ID_BYTES - 1]);
        KeyId(id)
    }
}

/// SHA-256(`kms v1 <kind>` || public key or key number), the first 16 bytes.
fn derive(kind: &[u8], of: &[u8]) -> [u8; ID_BYTES] {
    first_16(&Sha256::new().chain_update(kind).chain_update(of).finalize())
}

/// Tells installations apart: a keyed hash of the operating system's machine id, or nothing where it has none.
///
/// It names no person. An empty one equals no other, not even another empty one: compare with
/// [`same_as`](Fingerprint::same_as). `docs/protocol.md` 3 and 7.
#[derive(Clone, Copy, Hash)]
pub struct Fingerprint(Option<[u8; ID_BYTES]>);

impl Fingerprint {
    /// The fingerprint of a machine that has none.
    pub const NONE: Fingerprint = Fingerprint(None);

    /// HMAC-SHA-256(product, the operating system's machine id), the first 16 bytes.
    ///
    /// The product is the key, so that two vendors cannot tell that they serve the same machine.
    pub fn of_machine(product: ProductId, os_machine_id: &[u8]) -> Fingerprint {
        Fingerprint(Some(keyed_hash(product.as_bytes(), os_machine_id)))
    }

    /// From the wire or the disk: 16 bytes, or none for no bytes. Any other length is `None`.
    pub fn from_slice(bytes: &[u8]) -> Option<Fingerprint> {
        if bytes.is_empty() {
            return Some(Fingerprint::NONE);
        }
        bytes.try_into().ok().map(|bytes| Fingerprint(Some(bytes)))
    }

    /// As the wire carries it: 16 bytes, or none.
    pub fn as_slice(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |bytes| bytes.as_slice())
    }

    /// As a ledger keeps it: under the ledger's own pepper, so that a stolen store alone cannot be searched.
    pub fn peppered(&self, pepper: &[u8; 32]) -> Fingerprint {
        Fingerprint(self.0.map(|bytes| keyed_hash(pepper, &bytes)))
    }

    /// Whether both are present and equal.
    pub fn same_as(&self, other: &Fingerprint) -> bool {
        self.0.is_some() && self.0 == other.0
    }

    /// Whether both are present and different: the only case that marks a copy.
    pub fn differs_from(&self, other: &Fingerprint) -> bool {
        self.0.is_some() && other.0.is_some() && self.0 != other.0
    }
}

/// Never the value: a fingerprint does not belong into a log.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Fingerprint(..)" } else { "Fingerprint(none)" })
    }
}

fn keyed_hash(key: &[u8], message: &[u8]) -> [u8; ID_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    first_16(&mac.finalize().into_bytes())
}

fn first_16(digest: &[u8]) -> [u8; ID_BYTES] {
    let mut id = [0; ID_BYTES];
    id.copy_from_slice(&digest[..ID_BYTES]);
    id
}

/// The text is not 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 hexadecimal digits")]
pub struct NotAnId;

/// The bytes of an id in hexadecimal digits.
///
/// # Errors
/// [`NotAnId`].
pub fn from_hex(text: &str) -> Result<[u8; ID_BYTES], NotAnId> {
    let is_hex = text.len() == 2 * ID_BYTES && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let id = u128::from_str_radix(text, 16).ok().filter(|_| is_hex);
    id.map(u128::to_be_bytes).ok_or(NotAnId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_id_survives_its_text() {
        let id = ProductId::from_bytes(*b"\x00\x01\xfe\xffabcdefghijkl");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("00".parse::<ProductId>(), Err(NotAnId));
        assert_eq!("0g".repeat(16).parse::<ProductId>(), Err(NotAnId));
        assert_eq!(alloc::format!("+{}", "0".repeat(31)).parse::<ProductId>(), Err(NotAnId));
        assert_eq!("é".repeat(16).parse::<ProductId>(), Err(NotAnId));
    }

    #[test]
    fn machine_and_host_of_one_key_have_different_names() {
        assert_ne!(MachineId::of_key(&[7; 32]).as_bytes(), HostId::of_key(&[7; 32]).as_bytes());
    }

    /// The example of protocol.md 7.
    #[test]
    fn a_fingerprint_is_the_keyed_hash_of_the_digits_of_the_machine_id() {
        let product = ProductId::from_bytes(core::array::from_fn(|i| i.try_into().unwrap()));
        let fingerprint = Fingerprint::of_machine(product, b"8f3b1c7e5a2d4f60918273645546372a");
        let digits = u128::from_be_bytes(fingerprint.as_slice().try_into().unwrap());
        assert_eq!(digits, 0xb569_a5e1_2c24_2ea0_c08c_ee36_d61a_a086);
    }

    #[test]
    fn no_fingerprint_equals_none() {
        let product = ProductId::from_bytes([1; 16]);
        let one = Fingerprint::of_machine(product, b"one");
        let two = Fingerprint::of_machine(product, b"two");
        assert!(one.same_as(&one) && one.differs_from(&two));
        assert!(!Fingerprint::NONE.same_as(&Fingerprint::NONE) && !Fingerprint::NONE.differs_from(&one));
        assert!(!one.peppered(&[3; 32]).same_as(&one));
        assert_eq!(Fingerprint::from_slice(&[1; 15]).map(|f| f.as_slice().len()), None);
    }
}
