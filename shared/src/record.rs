//! What a ledger keeps, in bytes: keys and values, the same for every store.
//!
//! Every value carries its version first and a checksum last, and the checksum covers the key, so a value that has
//! strayed to another key is damage too. The layout is drawn in `docs/protocol.md` 6 and held by golden vectors. What
//! the values mean is decided in `count`.

use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest, Sha256};

use crate::ids::{Fingerprint, ID_BYTES, LedgerId, MachineId, Nonce, ProductId};
use crate::time::Timestamp;

/// The version of every layout in this file.
pub const FORMAT_VERSION: u8 = 1;

const CHECKSUM_BYTES: usize = 8;

/// What a record says of its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// Seen, and counted while that is less than a window ago.
    Active,
    /// Has left by its own ask.
    Released,
    /// Another identity of the same installation has taken its seat.
    Replaced,
    /// Shut out by the administrator.
    Blocked,
}

impl RecordState {
    /// Its name, as lists show it.
    pub const fn name(self) -> &'static str {
        match self {
            RecordState::Active => "active",
            RecordState::Released => "released",
            RecordState::Replaced => "replaced",
            RecordState::Blocked => "blocked",
        }
    }

    /// Every state.
    pub const ALL: [RecordState; 4] =
        [RecordState::Active, RecordState::Released, RecordState::Replaced, RecordState::Blocked];

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<RecordState> {
        RecordState::ALL.into_iter().find(|state| state.name() == name)
    }

    const fn to_byte(self) -> u8 {
        match self {
            RecordState::Active => 1,
            RecordState::Released => 2,
            RecordState::Replaced => 3,
            RecordState::Blocked => 4,
        }
    }

    const fn from_byte(byte: u8) -> Option<RecordState> {
        Some(match byte {
            1 => RecordState::Active,
            2 => RecordState::Released,
            3 => RecordState::Replaced,
            4 => RecordState::Blocked,
            _ => return None,
        })
    }
}

/// What a ledger knows of one machine and one product.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// What it says of the machine.
    pub state: RecordState,
    /// The serial of the last answer.
    pub serial: u64,
    /// The nonce of the last accepted ask.
    pub nonce: Nonce,
    /// The machine's clock in that ask.
    pub asked_at: Timestamp,
    /// The ledger's time of the last sighting.
    pub seen_at: Timestamp,
    /// The ledger's time of the first.
    pub first_seen: Timestamp,
    /// When the last lease ends, if there was one.
    pub licensed_until: Option<Timestamp>,
    /// The fingerprint under the ledger's pepper.
    pub fingerprint: Fingerprint,
}

impl Record {
    /// version | state | serial | nonce | asked_at | seen_at | first_seen | licensed_until | fingerprint present |
    /// fingerprint | checksum; numbers big-endian; 83 bytes.
    pub fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.byte(self.state.to_byte());
        writer.u64(self.serial);
        writer.bytes(self.nonce.as_bytes());
        writer.time(self.asked_at);
        writer.time(self.seen_at);
        writer.time(self.first_seen);
        writer.time(self.licensed_until.unwrap_or_default());
        writer.byte(u8::from(!self.fingerprint.as_slice().is_empty()));
        let mut fingerprint = [0; ID_BYTES];
        fingerprint[..self.fingerprint.as_slice().len()].copy_from_slice(self.fingerprint.as_slice());
        writer.bytes(&fingerprint);
        writer.seal(key)
    }

    /// # Errors
    /// [`Damaged`]: wrong version, length or checksum.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<Record, Damaged> {
        let mut reader = Reader::open(key, value)?;
        let record = Record {
            state: RecordState::from_byte(reader.byte()?).ok_or(Damaged)?,
            serial: reader.u64()?,
            nonce: Nonce::from_bytes(reader.array()?),
            asked_at: reader.time()?,
            seen_at: reader.time()?,
            first_seen: reader.time()?,
            licensed_until: Some(reader.time()?).filter(|until| *until != Timestamp::default()),
            fingerprint: {
                let present = reader.byte()? != 0;
                let bytes: [u8; ID_BYTES] = reader.array()?;
                Fingerprint::from_slice(if present { &bytes } else { &[] }).ok_or(Damaged)?
            },
        };
        reader.end()?;
        Ok(record)
    }
}

/// The product row: the running count of one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The hour up to which the total has shed what left the window.
    pub hour: i64,
    /// The window, in hours, under which the total was summed; another window sums again.
    pub window_hours: u32,
    /// Machines in the window.
    pub total: u64,
    /// Machines with an active record, however old.
    pub active: u64,
    /// When this ledger last saw the threshold met.
    pub threshold_met_at: Option<Timestamp>,
}

impl Tally {
    /// version | hour | window_hours | total | active | threshold_met_at | checksum.
    pub fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.i64(self.hour);
        writer.bytes(&self.window_hours.to_be_bytes());
        writer.u64(self.total);
        writer.u64(self.active);
        writer.time(self.threshold_met_at.unwrap_or_default());
        writer.seal(key)
    }

    /// # Errors
    /// [`Damaged`]: wrong version, length or checksum.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<Tally, Damaged> {
        let mut reader = Reader::open(key, value)?;
        let tally = Tally {
            hour: reader.i64()?,
            window_hours: u32::from_be_bytes(reader.array()?),
            total: reader.u64()?,
            active: reader.u64()?,
            threshold_met_at: Some(reader.time()?).filter(|at| *at != Timestamp::default()),
        };
        reader.end()?;
        Ok(tally)
    }
}

/// What a ledger knows of itself.
#[derive(Clone, Copy)]
pub struct Meta {
    /// Its id, random, made with it.
    pub ledger: LedgerId,
    /// How long an hour of it is, in milliseconds: 3,600,000 but in tests.
    pub hour_width_ms: u64,
    /// The key under which fingerprints are kept, random, made with it.
    pub pepper: [u8; 32],
}

impl Meta {
    /// version | ledger id | hour_width_ms | pepper | checksum.
    pub fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.bytes(self.ledger.as_bytes());
        writer.u64(self.hour_width_ms);
        writer.bytes(&self.pepper);
        writer.seal(key)
    }

    /// # Errors
    /// [`Damaged`]: wrong version, length or checksum.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<Meta, Damaged> {
        let mut reader = Reader::open(key, value)?;
        let meta = Meta {
            ledger: LedgerId::from_bytes(reader.array()?),
            hour_width_ms: reader.u64()?,
            pepper: reader.array()?,
        };
        reader.end()?;
        if meta.hour_width_ms == 0 { Err(Damaged) } else { Ok(meta) }
    }
}

/// A number under a key of its own: a counter, or the last time. Version first, checksum last, like everything.
pub fn encode_number(key: &[u8], number: u64) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u64(number);
    writer.seal(key)
}

/// # Errors
/// [`Damaged`]: wrong version, length or checksum.
pub fn decode_number(key: &[u8], value: &[u8]) -> Result<u64, Damaged> {
    let mut reader = Reader::open(key, value)?;
    let number = reader.u64()?;
    reader.end()?;
    Ok(number)
}

/// The keys of a ledger. The first byte tells the kind, so one ordered store holds them all.
pub mod key {
    use super::{ID_BYTES, MachineId, ProductId, Vec};

    /// Before every record.
    pub const RECORDS: u8 = b'm';
    /// Before every product row.
    pub const TALLIES: u8 = b'p';
    /// Before every hour's counter.
    pub const HOURS: u8 = b'h';
    /// Before every day's number of asks from machines that keep no state.
    pub const UNKEPT: u8 = b'd';

    /// Of the ledger's own facts: `M` meta.
    pub const META: &[u8] = b"Mmeta";
    /// Of the ledger's last time.
    pub const LAST_TIME: &[u8] = b"Mlast-time";
    /// Of when a lease was first seen that is ahead of this ledger.
    pub const RESTORED_AT: &[u8] = b"Mrestored-at";
    /// Of how many machines have shown such a lease.
    pub const RESTORED_MACHINES: &[u8] = b"Mrestored-machines";

    /// `m` product machine.
    pub fn record(product: ProductId, machine: MachineId) -> Vec<u8> {
        [&[RECORDS], product.as_bytes().as_slice(), machine.as_bytes()].concat()
    }

    /// `p` product.
    pub fn tally(product: ProductId) -> Vec<u8> {
        [&[TALLIES], product.as_bytes().as_slice()].concat()
    }

    /// `h` product hour. The sign bit is flipped, so that the order of bytes is the order of hours.
    pub fn hour(product: ProductId, hour: i64) -> Vec<u8> {
        let hour = hour.cast_unsigned() ^ (1 << 63);
        [hours(product).as_slice(), &hour.to_be_bytes()].concat()
    }

    /// Before every hour of a product.
    pub fn hours(product: ProductId) -> Vec<u8> {
        [&[HOURS], product.as_bytes().as_slice()].concat()
    }

    /// `d` product day: asks from machines that keep no state.
    pub fn unkept(product: ProductId, day: i64) -> Vec<u8> {
        let day = day.cast_unsigned() ^ (1 << 63);
        [&[UNKEPT], product.as_bytes().as_slice(), &day.to_be_bytes()].concat()
    }

    /// Product and machine of a record's key.
    pub fn parse_record(key: &[u8]) -> Option<(ProductId, MachineId)> {
        let (product, machine) = key.strip_prefix(&[RECORDS])?.split_at_checked(ID_BYTES)?;
        Some((ProductId::from_slice(product)?, MachineId::from_slice(machine)?))
    }

    /// The product of a product row's key.
    pub fn parse_tally(key: &[u8]) -> Option<ProductId> {
        ProductId::from_slice(key.strip_prefix(&[TALLIES])?)
    }

    /// Product and day of a day's key.
    pub fn parse_unkept(key: &[u8]) -> Option<(ProductId, i64)> {
        let (product, day) = key.strip_prefix(&[UNKEPT])?.split_at_checked(ID_BYTES)?;
        let day = u64::from_be_bytes(day.try_into().ok()?) ^ (1 << 63);
        Some((ProductId::from_slice(product)?, day.cast_signed()))
    }

    /// The hour of an hour's key.
    pub fn parse_hour(key: &[u8]) -> Option<i64> {
        let hour: [u8; 8] = key.get(1 + ID_BYTES..)?.try_into().ok()?;
        Some((u64::from_be_bytes(hour) ^ (1 << 63)).cast_signed())
    }
}

/// A value that is not what was written: a fault of the disk, or of somebody who has edited it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stored value is damaged, or written by a newer release")
    }
}

impl core::error::Error for Damaged {}

struct Writer(Vec<u8>);

impl Writer {
    fn new() -> Writer {
        let mut bytes = Vec::with_capacity(96);
        bytes.push(FORMAT_VERSION);
        Writer(bytes)
    }

    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn u64(&mut self, number: u64) {
        self.bytes(&number.to_be_bytes());
    }

    fn i64(&mut self, number: i64) {
        self.bytes(&number.to_be_bytes());
    }

    fn time(&mut self, time: Timestamp) {
        self.i64(time.unix_ms());
    }

    fn seal(mut self, key: &[u8]) -> Vec<u8> {
        let checksum = checksum(key, &self.0);
        self.bytes(&checksum);
        self.0
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn open(key: &[u8], value: &'a [u8]) -> Result<Reader<'a>, Damaged> {
        let (body, found) = value.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Damaged)?;
        let (version, rest) = body.split_first().ok_or(Damaged)?;
        if *found != checksum(key, body) || *version != FORMAT_VERSION {
            return Err(Damaged);
        }
        Ok(Reader(rest))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*array)
    }

    fn byte(&mut self) -> Result<u8, Damaged> {
        self.array().map(|[byte]| byte)
    }

    fn u64(&mut self) -> Result<u64, Damaged> {
        self.array().map(u64::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, Damaged> {
        self.array().map(i64::from_be_bytes)
    }

    fn time(&mut self) -> Result<Timestamp, Damaged> {
        self.i64().map(Timestamp::from_unix_ms)
    }

    fn end(self) -> Result<(), Damaged> {
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
