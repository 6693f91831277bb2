//! What a ledger keeps, in bytes: keys and values, the same for every store.
//!
//! Every value carries its version first and a checksum last, and the checksum covers the key, so a value that has
//! strayed to another key is damage too. The layout is drawn in `docs/protocol.md` 6 and held by golden vectors. What
//! the values mean is decided in `count`.

pub mod key;

mod bytes;
mod event;

use alloc::vec::Vec;

use crate::ids::{Fingerprint, ID_BYTES, LedgerId, Nonce};
use crate::named::named;
use crate::serial::Mark;
use crate::time::Timestamp;

use self::bytes::{FieldReader, FieldWriter};

pub use self::bytes::Damaged;
pub use self::event::{EVENTS_A_MACHINE, Event, EventKind};

/// The format of a ledger: the version of its meta. The second keeps the numbers of records that are not active, and events;
/// a ledger of the first is given those when it is opened.
pub const FORMAT_VERSION: u8 = 2;

named! {
    /// What a record says of its machine.
    RecordState {
        /// Seen, and counted while that is less than a window ago.
        Active = 1, "active";
        /// Has left by its own ask.
        Released = 2, "released";
        /// Another identity of the same installation has taken its seat.
        Replaced = 3, "replaced";
        /// Shut out by the administrator.
        Blocked = 4, "blocked";
    }
}

impl RecordState {
    /// Whether an identity in this state speaks for one that replaces it. Copies of one disk replace the same identity, one after the
    /// other, so an identity that was replaced once still speaks for the next new one.
    pub fn may_be_replaced(self) -> bool {
        match self {
            RecordState::Active | RecordState::Replaced => true,
            RecordState::Released | RecordState::Blocked => false,
        }
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
    /// The last ask, as far as it is remembered.
    pub fn mark(&self) -> Mark {
        Mark { serial: self.serial, nonce: self.nonce, asked_at: self.asked_at }
    }

    /// version | state | serial | nonce | asked_at | seen_at | first_seen | licensed_until | fingerprint present |
    /// fingerprint | checksum; numbers big-endian; 83 bytes.
    pub fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut writer = FieldWriter::new();
        writer.byte(self.state as u8);
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
        FieldReader::read(key, value, |reader| {
            Ok(Record {
                state: reader.kind(RecordState::ALL, |state| state as u8)?,
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
            })
        })
    }
}

/// The product row: the running count of one product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
        let mut writer = FieldWriter::new();
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
        FieldReader::read(key, value, |reader| {
            Ok(Tally {
                hour: reader.i64()?,
                window_hours: u32::from_be_bytes(reader.array()?),
                total: reader.u64()?,
                active: reader.u64()?,
                threshold_met_at: Some(reader.time()?).filter(|at| *at != Timestamp::default()),
            })
        })
    }
}

/// How many records of a product are not active, by state. The active ones are in the [`Tally`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inactive {
    /// Have left by their own ask, or are no longer blocked and have not asked since.
    pub released: u64,
    /// Their seats were taken.
    pub replaced: u64,
    /// Shut out.
    pub blocked: u64,
}

impl Inactive {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.released + self.replaced + self.blocked
    }

    /// Counts one more record in this state. Active records are not counted here.
    pub fn add(&mut self, state: RecordState) {
        if let Some(records) = self.of(state) {
            *records += 1;
        }
    }

    /// Counts one record less in this state.
    pub fn take(&mut self, state: RecordState) {
        if let Some(records) = self.of(state) {
            *records = records.saturating_sub(1);
        }
    }

    /// version | released | replaced | blocked | checksum.
    pub fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut writer = FieldWriter::new();
        writer.u64(self.released);
        writer.u64(self.replaced);
        writer.u64(self.blocked);
        writer.seal(key)
    }

    /// # Errors
    /// [`Damaged`]: wrong version, length or checksum.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<Inactive, Damaged> {
        FieldReader::read(key, value, |reader| {
            Ok(Inactive { released: reader.u64()?, replaced: reader.u64()?, blocked: reader.u64()? })
        })
    }

    fn of(&mut self, state: RecordState) -> Option<&mut u64> {
        match state {
            RecordState::Active => None,
            RecordState::Released => Some(&mut self.released),
            RecordState::Replaced => Some(&mut self.replaced),
            RecordState::Blocked => Some(&mut self.blocked),
        }
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
    /// format | ledger id | hour_width_ms | pepper | checksum.
    pub fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut writer = FieldWriter::of_version(FORMAT_VERSION);
        writer.bytes(self.ledger.as_bytes());
        writer.u64(self.hour_width_ms);
        writer.bytes(&self.pepper);
        writer.seal(key)
    }

    /// The format of the ledger, and what it knows of itself.
    ///
    /// # Errors
    /// [`Damaged`]: unknown format, wrong length or checksum.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<(u8, Meta), Damaged> {
        let (format, mut reader) = FieldReader::open_any(key, value)?;
        if !(1..=FORMAT_VERSION).contains(&format) {
            return Err(Damaged);
        }
        let meta = Meta {
            ledger: LedgerId::from_bytes(reader.array()?),
            hour_width_ms: reader.u64()?,
            pepper: reader.array()?,
        };
        reader.end()?;
        if meta.hour_width_ms == 0 { Err(Damaged) } else { Ok((format, meta)) }
    }
}

/// A number under a key of its own: a counter, or the last time. Version first, checksum last, like everything.
pub fn encode_number(key: &[u8], number: u64) -> Vec<u8> {
    let mut writer = FieldWriter::new();
    writer.u64(number);
    writer.seal(key)
}

/// # Errors
/// [`Damaged`]: wrong version, length or checksum.
pub fn decode_number(key: &[u8], value: &[u8]) -> Result<u64, Damaged> {
    FieldReader::read(key, value, FieldReader::u64)
}
