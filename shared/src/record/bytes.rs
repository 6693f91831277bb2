//! How a value is written and read: version first, checksum last, numbers big-endian.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::time::Timestamp;

/// The version of every layout but meta's, whose version is the format of the whole ledger.
const LAYOUT_VERSION: u8 = 1;

const CHECKSUM_BYTES: usize = 8;

/// A value that is not what was written: a fault of the disk, or of somebody who has edited it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored value is damaged, or written by a newer release")]
pub struct Damaged;

pub(super) struct FieldWriter(Vec<u8>);

impl FieldWriter {
    pub(super) fn new() -> FieldWriter {
        FieldWriter::of_version(LAYOUT_VERSION)
    }

    pub(super) fn of_version(version: u8) -> FieldWriter {
        let mut bytes = Vec::with_capacity(96);
        bytes.push(version);
        FieldWriter(bytes)
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.bytes(&number.to_be_bytes());
    }

    pub(super) fn i64(&mut self, number: i64) {
        self.bytes(&number.to_be_bytes());
    }

    pub(super) fn time(&mut self, time: Timestamp) {
        self.i64(time.unix_ms());
    }

    pub(super) fn seal(mut self, key: &[u8]) -> Vec<u8> {
        let checksum = checksum(key, &self.0);
        self.bytes(&checksum);
        self.0
    }
}

pub(super) struct FieldReader<'a>(&'a [u8]);

impl<'a> FieldReader<'a> {
    /// What `fields` makes of a value of this layout, all of it.
    pub(super) fn read<T>(
        key: &[u8],
        value: &'a [u8],
        fields: impl FnOnce(&mut FieldReader<'a>) -> Result<T, Damaged>,
    ) -> Result<T, Damaged> {
        match FieldReader::open_any(key, value)? {
            (LAYOUT_VERSION, mut reader) => {
                let read = fields(&mut reader)?;
                reader.end().map(|()| read)
            }
            _ => Err(Damaged),
        }
    }

    /// The version, and what follows it.
    pub(super) fn open_any(key: &[u8], value: &'a [u8]) -> Result<(u8, FieldReader<'a>), Damaged> {
        let (body, found) = value.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Damaged)?;
        let (version, rest) = body.split_first().ok_or(Damaged)?;
        if *found != checksum(key, body) {
            return Err(Damaged);
        }
        Ok((*version, FieldReader(rest)))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Damaged> {
        self.array().map(|[byte]| byte)
    }

    /// The one of these kinds that is kept under the next byte.
    pub(super) fn kind<K: Copy>(&mut self, all: &[K], byte_of: fn(K) -> u8) -> Result<K, Damaged> {
        let byte = self.byte()?;
        all.iter().copied().find(|kind| byte_of(*kind) == byte).ok_or(Damaged)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Damaged> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Damaged> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, Damaged> {
        self.i64().map(Timestamp::from_unix_ms)
    }

    pub(super) fn end(self) -> Result<(), Damaged> {
        if self.0.is_empty() { Ok(()) } else { Err(Damaged) }
    }
}

/// SHA-256(key || body), the first 8 bytes.
fn checksum(key: &[u8], body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::new().chain_update(key).chain_update(body).finalize();
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&digest[..CHECKSUM_BYTES]);
    checksum
}
