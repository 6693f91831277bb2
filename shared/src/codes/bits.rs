//! The fields of a code, one after the other as one number, and its digits in base 10 or 32.
//!
//! The whole code is one number, and not a number for each group: so no group wastes a part of a digit.

use alloc::vec;
use alloc::vec::Vec;

use crate::groups::Layout;

/// The bits of a number, the most significant first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits(Vec<bool>);

impl Bits {
    /// A further field: the lowest `count` bits of `value`.
    pub(super) fn push(&mut self, value: u64, count: usize) {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    }

    /// A further field: these bytes.
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push((*byte).into(), 8);
        }
    }

    /// As bytes: the bits on the left, and zeros behind them.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let byte =
            |bits: &[bool]| bits.iter().zip(0..).fold(0, |byte, (bit, at)| byte | u8::from(*bit) << (7 - at));
        self.0.chunks(8).map(byte).collect()
    }

    /// The payload symbols of this number.
    pub(super) fn to_symbols(&self, layout: &Layout) -> Vec<u8> {
        let size = layout.alphabet.size();
        let mut symbols = vec![0; layout.payload()];
        for bit in &self.0 {
            symbols.iter_mut().rfold(u8::from(*bit), |carry, symbol| {
                let value = 2 * *symbol + carry;
                *symbol = value % size;
                value / size
            });
        }
        symbols
    }

    /// The number of so many bits in these payload symbols; `None` if it is larger.
    pub(super) fn from_symbols(symbols: &[u8], layout: &Layout, count: usize) -> Option<Bits> {
        let size = layout.alphabet.size();
        let mut symbols = symbols.to_vec();
        let mut halve = || {
            symbols.iter_mut().fold(0, |rest, symbol| {
                let value = rest * size + *symbol;
                *symbol = value / 2;
                value % 2
            }) == 1
        };
        let mut bits: Vec<_> = (0..count).map(|_| halve()).collect();
        bits.reverse();
        symbols.iter().all(|symbol| *symbol == 0).then_some(Bits(bits))
    }

    /// Takes the fields out again, in their order.
    pub(super) fn fields(&self) -> Fields<'_> {
        Fields(&self.0)
    }
}

/// The fields that have not been taken yet.
pub(super) struct Fields<'a>(&'a [bool]);

impl Fields<'_> {
    /// The next field, of `count` bits. There are that many: a code has a fixed length.
    pub(super) fn take(&mut self, count: usize) -> u64 {
        let (field, rest) = self.0.split_at(count);
        self.0 = rest;
        field.iter().fold(0, |value, bit| value << 1 | u64::from(*bit))
    }

    /// The next field, of `N` bytes.
    pub(super) fn take_bytes<const N: usize>(&mut self) -> [u8; N] {
        [(); N].map(|()| self.take(8).to_le_bytes()[0])
    }
}
