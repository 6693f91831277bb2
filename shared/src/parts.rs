//! Hardware parts: tell the portal that a machine with a new identity is the same hardware, imaged anew.
//!
//! A part is a keyed hash of a serial number. It goes to the portal only, and comes back in the confirmation, so that the machine can
//! see that its hardware has changed. A shell reads the serial numbers. `docs/protocol.md` 11.

use alloc::string::String;
use core::fmt;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use proto::vendor::v1;
use sha2::Sha256;

use crate::ids::{ID_BYTES, ProductId};

/// A serial number with fewer letters and digits tells no hardware apart.
const SYMBOLS_MIN: usize = 4;

/// What makers, boards and hypervisors write where there is no serial number, as [`normalise`] leaves it.
const PLACEHOLDERS: [&str; 21] = [
    "TOBEFILLEDBYOEM",
    "TOBEFILLEDBYOEMS",
    "DEFAULTSTRING",
    "SYSTEMSERIALNUMBER",
    "BASEBOARDSERIALNUMBER",
    "CHASSISSERIALNUMBER",
    "SERIALNUMBER",
    "NOTSPECIFIED",
    "NOTAPPLICABLE",
    "NOTAVAILABLE",
    "NOTPRESENT",
    "NONE",
    "NULL",
    "UNKNOWN",
    "INVALID",
    "EMPTY",
    "OEMDEFAULT000",
    // QEMU's first disk.
    "QM00001",
    // Firmware of AMI, of Insyde, and of boards with neither.
    "03000200040005000006000700080009",
    "12345678123456789ABCCDDEEFAABBCC",
    "123456781234567890ABCDDEEFAABBCC",
];

/// Hashed serial numbers of a machine's hardware. A part that tells nothing apart is missing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct HardwareParts {
    board: Option<[u8; ID_BYTES]>,
    disk: Option<[u8; ID_BYTES]>,
    firmware: Option<[u8; ID_BYTES]>,
}

/// What two sets of parts say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hardware {
    /// The same hardware, perhaps with one part replaced.
    Same,
    /// Other hardware.
    Different,
    /// Nothing: they have no part in common. The machine's key alone decides.
    Unknown,
}

impl HardwareParts {
    /// The parts of a machine about whose hardware nothing is known.
    pub const NONE: HardwareParts = HardwareParts { board: None, disk: None, firmware: None };

    /// The parts of a machine whose hardware says this of itself: the serial numbers of its mainboard and of the disk with its system,
    /// and the UUID that its firmware gives it. Text that is no serial number counts as none.
    ///
    /// The product is the key of the hash, so that two vendors cannot tell that they serve the same machine.
    pub fn of_machine(product: ProductId, board: &str, disk: &str, firmware: &str) -> HardwareParts {
        let part = |kind: &str, text: &str| {
            let text = normalise(text)?;
            let mac = Hmac::<Sha256>::new_from_slice(product.as_bytes());
            let mut mac = mac.expect("HMAC takes a key of any length");
            mac.update(b"kms v1 part ");
            mac.update(kind.as_bytes());
            mac.update(&[0]);
            mac.update(text.as_bytes());
            mac.finalize().into_bytes()[..ID_BYTES].try_into().ok()
        };
        HardwareParts {
            board: part("board", board),
            disk: part("disk", disk),
            firmware: part("firmware", firmware),
        }
    }

    /// Whether these are the parts of the same hardware as those: of the parts that both have, two are equal, or all if there are
    /// fewer than two.
    pub fn compare(&self, those: &HardwareParts) -> Hardware {
        let pairs = [(self.board, those.board), (self.disk, those.disk), (self.firmware, those.firmware)];
        let both = pairs.iter().filter_map(|(this, that)| Some((*this)? == (*that)?));
        let (common, equal) =
            both.fold((0, 0), |(common, equal), is_equal| (common + 1, equal + usize::from(is_equal)));
        match (common, equal) {
            (0, _) => Hardware::Unknown,
            (common, equal) if common.min(2) <= equal => Hardware::Same,
            _ => Hardware::Different,
        }
    }

    /// Whether there is no part.
    pub fn is_empty(&self) -> bool {
        *self == HardwareParts::NONE
    }

    /// From the wire; absent is none. `None` for a part that has another length than 16 bytes.
    pub fn decode(wire: Option<&v1::Parts>) -> Option<HardwareParts> {
        let Some(wire) = wire else { return Some(HardwareParts::NONE) };
        let part = |bytes: &Bytes| match bytes.as_ref() {
            [] => Some(None),
            bytes => bytes.try_into().ok().map(Some),
        };
        Some(HardwareParts {
            board: part(&wire.board)?,
            disk: part(&wire.disk)?,
            firmware: part(&wire.firmware)?,
        })
    }

    /// As the wire carries them.
    pub fn encode(&self) -> Option<v1::Parts> {
        let part =
            |part: Option<[u8; ID_BYTES]>| part.map_or(Bytes::new(), |bytes| Bytes::copy_from_slice(&bytes));
        let wire =
            v1::Parts { board: part(self.board), disk: part(self.disk), firmware: part(self.firmware) };
        (!self.is_empty()).then_some(wire)
    }
}

/// Never the values: parts do not belong into a log.
impl fmt::Debug for HardwareParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present = [self.board, self.disk, self.firmware].iter().flatten().count();
        write!(f, "HardwareParts({present} of 3)")
    }
}

/// The letters and digits of ASCII in capitals, for systems differ in spaces, dashes and case; `None` if they tell nothing apart.
fn normalise(text: &str) -> Option<String> {
    let text: String =
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    let follows = |pair: &[u8], next: fn(u8) -> u8| pair[1] == next(pair[0]);
    let is_pattern = |next| text.as_bytes().windows(2).all(|pair| follows(pair, next));
    let counts_up = is_pattern(|symbol| match symbol {
        b'9' => b'0',
        b'0'..=b'8' => symbol + 1,
        _ => 0,
    });
    let is_placeholder = counts_up || is_pattern(|symbol| symbol) || PLACEHOLDERS.contains(&text.as_str());
    (SYMBOLS_MIN <= text.len() && !is_placeholder).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCT: ProductId = ProductId::from_bytes([7; 16]);

    fn parts(board: &str, disk: &str, firmware: &str) -> HardwareParts {
        HardwareParts::of_machine(PRODUCT, board, disk, firmware)
    }

    /// The example of protocol.md 11.
    #[test]
    fn a_part_is_the_keyed_hash_of_its_kind_and_its_letters_and_digits() {
        let product = ProductId::from_bytes(core::array::from_fn(|i| i.try_into().unwrap()));
        let parts = HardwareParts::of_machine(product, " pf-1a2b3c ", "", "");
        let digits = u128::from_be_bytes(parts.board.unwrap());
        assert_eq!(digits, 0xe25b_cbf0_2b51_d230_8547_d322_86ae_d314);
        assert_eq!((parts.disk, parts.firmware), (None, None));
    }

    #[test]
    fn systems_that_write_a_serial_number_differently_mean_the_same() {
        let one = parts("PF-1A2B3C", "WD-WCC4N5XYZ", "4c4c4544-0042-3510-8051-b2c04f4d4e32");
        let same = parts("pf1a2b3c  ", " WD WCC4N5XYZ\0", "{4C4C4544-0042-3510-8051-B2C04F4D4E32}");
        assert_eq!(one, same);
        let other_product = HardwareParts::of_machine(ProductId::from_bytes([8; 16]), "PF-1A2B3C", "", "");
        assert_ne!(one.board, other_product.board, "two vendors see two machines");
        assert_ne!(parts("PF1A2B3C", "", "").board, parts("", "PF1A2B3C", "").disk, "the kind counts");
    }

    #[test]
    fn what_is_no_serial_number_is_no_part() {
        for none in [
            "",
            "   ",
            "0",
            "N/A",
            "OEM",
            "None",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff",
            "XXXXXXXX",
            "To be filled by O.E.M.",
            "Default string",
            "System Serial Number",
            "Not Specified",
            "123456789",
            "0123456789",
            "1234567890123",
            "03000200-0400-0500-0006-000700080009",
            "QM00001",
            "株式会社",
            "....",
        ] {
            assert!(parts(none, none, none).is_empty(), "{none:?}");
        }
        assert!(!parts("1234567890A", "", "").is_empty());
    }

    #[test]
    fn hardware_is_the_same_while_two_parts_are_or_all_of_fewer() {
        use Hardware::{Different, Same, Unknown};
        let machine = parts("BOARD1", "DISK11", "FIRM11");
        for (board, disk, firmware, wanted) in [
            ("BOARD1", "DISK11", "FIRM11", Same),
            ("BOARD1", "DISK11", "FIRM22", Same),
            ("BOARD1", "DISK22", "FIRM11", Same),
            ("BOARD2", "DISK11", "FIRM11", Same),
            ("BOARD1", "DISK22", "FIRM22", Different),
            ("BOARD2", "DISK22", "FIRM22", Different),
            ("BOARD1", "DISK11", "", Same),
            ("BOARD1", "DISK22", "", Different),
            ("", "DISK22", "FIRM22", Different),
            ("", "", "FIRM11", Same),
            ("", "", "FIRM22", Different),
            ("", "", "", Unknown),
        ] {
            let other = parts(board, disk, firmware);
            assert_eq!(machine.compare(&other), wanted, "{board:?} {disk:?} {firmware:?}");
            assert_eq!(other.compare(&machine), wanted, "and the other way round");
        }
        assert_eq!(parts("BOARD1", "", "").compare(&parts("", "DISK11", "")), Unknown, "none in common");
    }

    #[test]
    fn parts_survive_the_wire_and_a_part_of_another_length_is_none() {
        let one = parts("BOARD1", "", "FIRM11");
        assert_eq!(HardwareParts::decode(one.encode().as_ref()), Some(one));
        assert_eq!(HardwareParts::NONE.encode(), None);
        assert_eq!(HardwareParts::decode(None), Some(HardwareParts::NONE));
        let short = v1::Parts { board: Bytes::from_static(&[1; 15]), ..v1::Parts::default() };
        assert_eq!(HardwareParts::decode(Some(&short)), None);
    }
}
