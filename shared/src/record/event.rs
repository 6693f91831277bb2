//! An event: what rarely happens to a machine, in bytes. When one is written is decided in `history`.

use alloc::vec::Vec;

use super::bytes::{Damaged, FieldReader, FieldWriter};
use crate::ids::{ID_BYTES, MachineId};
use crate::named::named;
use crate::time::Timestamp;

/// How many events are kept of a machine; a further one takes the place of the oldest. Whatever happens to a machine, its
/// rows stay few.
pub const EVENTS_A_MACHINE: u8 = 32;

named! {
    /// What happened.
    EventKind {
        /// Somebody asked under its identity with an old serial: it was copied, or its disk set back.
        Copied = 1, "copied";
        /// Another identity has taken its seat.
        Replaced = 2, "replaced";
        /// It came as the new identity of another.
        Replaces = 3, "replaces";
        /// It left by its own ask.
        Released = 4, "released";
        /// It asked again after it had been released or replaced.
        Returned = 5, "returned";
        /// The administrator has shut it out.
        Blocked = 6, "blocked";
        /// The administrator lets it in again.
        Unblocked = 7, "unblocked";
        /// It showed a lease of this ledger that the ledger did not remember.
        Relearned = 8, "relearned";
    }
}

/// One event of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Counts the events of a machine, from 1.
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
        let mut writer = FieldWriter::new();
        writer.u64(self.number);
        writer.time(self.at);
        writer.byte(self.kind as u8);
        writer.byte(u8::from(self.other.is_some()));
        writer.bytes(self.other.map_or([0; ID_BYTES], |other| *other.as_bytes()).as_slice());
        writer.seal(key)
    }

    /// # Errors
    /// [`Damaged`]: wrong version, length or checksum, or a kind that is not known.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<Event, Damaged> {
        FieldReader::read(key, value, |reader| {
            Ok(Event {
                number: reader.u64()?,
                at: reader.time()?,
                kind: reader.kind(EventKind::ALL, |kind| kind as u8)?,
                other: {
                    let present = reader.byte()? != 0;
                    let machine = MachineId::from_bytes(reader.array()?);
                    present.then_some(machine)
                },
            })
        })
    }
}
