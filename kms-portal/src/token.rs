//! Tokens: what a person or a program shows to the portal over the network.
//!
//! A token has 256 random bits, so a plain digest of it can be kept: nobody finds the token by searching.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// How many random bytes a token has.
const BYTES: usize = 32;

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident, $prefix:literal, $context:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Zeroizing<[u8; BYTES]>);

        impl $name {
            /// What every one begins with, so that whoever finds one, or a scanner for secrets, knows what it is.
            const PREFIX: &str = $prefix;

            /// The token of these random bytes.
            pub fn new(random: Zeroizing<[u8; BYTES]>) -> $name {
                $name(random)
            }

            /// A new one.
            pub fn draw() -> $name {
                $name(Zeroizing::new(rand::random()))
            }

            /// Reads a token that somebody has typed or sent. `None` if the text is not a token.
            pub fn parse(text: &str) -> Option<$name> {
                let hex = text.trim().strip_prefix($name::PREFIX)?;
                let bytes = Zeroizing::new(HEXLOWER.decode(hex.as_bytes()).ok()?);
                Some($name(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
            }

            /// As it is shown and sent.
            pub fn text(&self) -> Zeroizing<String> {
                Zeroizing::new(format!("{}{}", $name::PREFIX, HEXLOWER.encode(&self.0[..])))
            }

            /// What the database knows of it.
            pub fn digest(&self) -> TokenDigest {
                let mut hash = Sha256::new();
                hash.update($context);
                hash.update(&self.0[..]);
                TokenDigest(hash.finalize().into())
            }
        }

        /// Never the token.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

tokens! {
    /// A token of the vendor's staff. It is shown once.
    StaffToken, "kmsp_", b"kms v1 staff token";
    /// A token of a program that acts for an organisation. It is shown once.
    ApiToken, "kmso_", b"kms v1 organisation token";
    /// The cookie of somebody who is signed in.
    SessionToken, "kmss_", b"kms v1 session";
    /// The cookie of a browser that was asked for a passkey.
    CeremonyToken, "kmsw_", b"kms v1 passkey ceremony";
    /// What stands in a link that was mailed.
    LinkToken, "kmsl_", b"kms v1 link";
}

/// SHA-256 of a token. Only the database compares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest that a row has.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<TokenDigest> {
        bytes.try_into().ok().map(TokenDigest)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_shown_and_nothing_else_is_one() {
        let token = StaffToken::new(Zeroizing::new([0xab; 32]));
        let text = token.text();
        assert_eq!(*text, format!("kmsp_{}", "ab".repeat(32)));
        assert_eq!(StaffToken::parse(&format!(" {}\n", *text)), Some(token.clone()));
        for other in
            ["", "kmsp_", &text[1..], &text[..68], &format!("{}0", *text), &text.to_uppercase(), "kmsp_é"]
        {
            assert_eq!(StaffToken::parse(other), None, "{other:?}");
        }
        assert!(!format!("{token:?}").contains("ab"));
    }

    #[test]
    fn a_token_of_an_organisation_is_none_of_staff() {
        let random = Zeroizing::new([0xab; 32]);
        let (own, staff) = (ApiToken::new(random.clone()), StaffToken::new(random));
        assert_eq!(StaffToken::parse(&own.text()), None);
        assert_eq!(ApiToken::parse(&own.text()), Some(own.clone()));
        assert_ne!(own.digest(), staff.digest());
    }
}
