//! An event: what rarely happens to a machine, in bytes. When one is written is decided in `history`.

use alloc::vec::Vec;

use super::bytes::{Damaged, Reader, Writer};
use crate::ids::{ID_BYTES, MachineId};
use crate::time::Timestamp;

/// How many events are kept of a machine; a further one takes the place of the oldest. Whatever happens to a machine, its
/// rows stay few.
pub const EVENTS_A_MACHINE: u8 = 32;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Somebody asked under its identity with an old serial: it was copied, or its disk set back.
    Copied,
    /// Another identity has taken its seat.
    Replaced,
    /// It came as the new identity of another.
    Replaces,
    /// It left by its own ask.
    Released,
    /// It asked again after it had been released or replaced.
    Returned,
    /// The administrator has shut it out.
    Blocked,
    /// The administrator lets it in again.
    Unblocked,
    /// It showed a lease of this ledger that the ledger did not remember.
    Relearned,
}

impl EventKind {
    /// Every kind, in the order of their bytes.
    pub const ALL: [EventKind; 8] = [
        EventKind::Copied,
        EventKind::Replaced,
        EventKind::Replaces,
        EventKind::Released,
        EventKind::Returned,
        EventKind::Blocked,
        EventKind::Unblocked,
        EventKind::Relearned,
    ];

    /// Its name, as lists show it.
    pub const fn name(self) -> &'static str {
        match self {
            EventKind::Copied => "copied",
            EventKind::Replaced => "replaced",
            EventKind::Replaces => "replaces",
            EventKind::Released => "released",
            EventKind::Returned => "returned",
            EventKind::Blocked => "blocked",
            EventKind::Unblocked => "unblocked",
            EventKind::Relearned => "relearned",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    const fn to_byte(self) -> u8 {
        match self {
            EventKind::Copied => 1,
            EventKind::Replaced => 2,
            EventKind::Replaces => 3,
            EventKind::Released => 4,
            EventKind::Returned => 5,
            EventKind::Blocked => 6,
            EventKind::Unblocked => 7,
            EventKind::Relearned => 8,
        }
    }

    fn from_byte(byte: u8) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.to_byte() == byte)
    }
}

/// One event of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The first of a machine is 1, and each further one is one more.
    pub number: u64,
    /// Ledger time.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The other identity, of a seat that was taken.
    pub other: Option<MachineId>,
}

impl Event {
    /// Where among the machine's rows it stands.
    pub fn slot(&self) -> u8 {
        u8::try_from(self.number % u64::from(EVENTS_A_MACHINE)).expect("it is below a number that is a byte")
    }

    /// version | number | at | kind | other present | other | checksum; 43 bytes.
    pub fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u64(self.number);
        writer.time(self.at);
        writer.byte(self.kind.to_byte());
        writer.byte(u8::from(self.other.is_some()));
        writer.bytes(self.other.map_or([0; ID_BYTES], |other| *other.as_bytes()).as_slice());
        writer.seal(key)
    }

    /// # Errors
    /// [`Damaged`]: wrong version, length or checksum, or a kind that is not known.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<Event, Damaged> {
        let mut reader = Reader::open(key, value)?;
        let event = Event {
            number: reader.u64()?,
            at: reader.time()?,
            kind: EventKind::from_byte(reader.byte()?).ok_or(Damaged)?,
            other: {
                let present = reader.byte()? != 0;
                let machine = MachineId::from_bytes(reader.array()?);
                present.then_some(machine)
            },
        };
        reader.end()?;
        Ok(event)
    }
}
