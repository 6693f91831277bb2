//! Tokens: what a person or a program of the vendor shows to the portal over the network.
//!
//! A token has 256 random bits, so a plain digest of it can be kept: nobody finds the token by searching.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What every token begins with, so that whoever finds one, or a scanner for secrets, knows what it is.
const PREFIX: &str = "kmsp_";

/// A token. It is shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct StaffToken(Zeroizing<[u8; StaffToken::BYTES]>);

impl StaffToken {
    /// How many random bytes it has.
    pub const BYTES: usize = 32;

    /// The token of these random bytes.
    pub fn new(random: Zeroizing<[u8; StaffToken::BYTES]>) -> StaffToken {
        StaffToken(random)
    }

    /// Reads a token that somebody has typed or sent. `None` if the text is not a token.
    pub fn parse(text: &str) -> Option<StaffToken> {
        let hex = text.trim().strip_prefix(PREFIX)?;
        let bytes = Zeroizing::new(HEXLOWER.decode(hex.as_bytes()).ok()?);
        let bytes: [u8; StaffToken::BYTES] = bytes.as_slice().try_into().ok()?;
        Some(StaffToken(Zeroizing::new(bytes)))
    }

    /// As it is shown and sent.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", HEXLOWER.encode(&self.0[..])))
    }

    /// What the database knows of it.
    pub fn digest(&self) -> TokenDigest {
        let mut hash = Sha256::new();
        hash.update(b"kms v1 staff token");
        hash.update(&self.0[..]);
        TokenDigest(hash.finalize().into())
    }
}

/// Never the token.
impl fmt::Debug for StaffToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaffToken(..)")
    }
}

/// SHA-256 of a token. Only the database compares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
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
}
