//! How a file of this crate is wrapped: magic (4) | version (1) | body | the first 8 bytes of SHA-256 of all before.
//!
//! The checksum finds damage, and protects against no attacker. `identity` and `saved` define the body.

use std::fmt;

const HEAD_BYTES: usize = 5;
const CHECKSUM_BYTES: usize = 8;

/// Wraps a body.
pub(crate) fn seal(magic: [u8; 4], version: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len() + CHECKSUM_BYTES);
    bytes.extend_from_slice(&magic);
    bytes.push(version);
    bytes.extend_from_slice(body);
    let checksum = checksum(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

/// The body, if the file is whole.
pub(crate) fn open(magic: [u8; 4], version: u8, bytes: &[u8]) -> Result<&[u8], Damage> {
    let (content, found) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Damage::Length)?;
    if checksum(content) != *found {
        return Err(Damage::Checksum);
    }
    let (head, body) = content.split_first_chunk::<HEAD_BYTES>().ok_or(Damage::Length)?;
    if head[..4] != magic {
        return Err(Damage::OtherFile);
    }
    // A whole file of a later version was written by a newer release: this release cannot read it, and it is not damaged.
    match head[4] {
        found if found == version => Ok(body),
        found if version < found => Err(Damage::Newer(found)),
        _ => Err(Damage::OtherFile),
    }
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = shared::envelope::digest(content);
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&digest[..CHECKSUM_BYTES]);
    checksum
}

/// Why a file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Too short or too long.
    Length,
    /// The checksum does not hold.
    Checksum,
    /// Another kind of file.
    OtherFile,
    /// No damage: a newer release has written the file, in this version.
    Newer(u8),
    /// The body cannot be decoded.
    Content,
    /// It belongs to another machine than the identity beside it.
    OtherMachine,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Length => f.write_str("it is cut off"),
            Damage::Checksum => f.write_str("its checksum does not hold"),
            Damage::OtherFile => f.write_str("it is another kind of file"),
            Damage::Newer(version) => {
                write!(f, "it has format version {version}, which this release does not know")
            }
            Damage::Content => f.write_str("its content cannot be read"),
            Damage::OtherMachine => f.write_str("it belongs to another identity than the one beside it"),
        }
    }
}
