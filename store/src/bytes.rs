//! Reads numbers from the front of a slice, for the formats of engines' files.

/// The next `N` bytes.
pub(crate) fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    bytes.split_off(..N)?.try_into().ok()
}

pub(crate) fn byte(bytes: &mut &[u8]) -> Option<u8> {
    bytes.split_off_first().copied()
}

/// Little-endian, as all numbers in these files.
pub(crate) fn u32(bytes: &mut &[u8]) -> Option<u32> {
    array(bytes).map(u32::from_le_bytes)
}

pub(crate) fn u64(bytes: &mut &[u8]) -> Option<u64> {
    array(bytes).map(u64::from_le_bytes)
}

pub(crate) fn u128(bytes: &mut &[u8]) -> Option<u128> {
    array(bytes).map(u128::from_le_bytes)
}
