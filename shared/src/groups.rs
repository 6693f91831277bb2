//! Text that people read, say and type: groups of symbols, each with a check symbol that depends on the group's place.
//!
//! So every wrong symbol, every swap of neighbours and nearly every swap of groups is found before anything is sent, and the
//! wrong groups are named. `alphabet` has the symbols and their checks, `typed` reads what somebody has typed. Here is the
//! text in the other direction. `product_key` and `codes` say what the symbols mean. `docs/protocol.md` 10.

mod alphabet;
mod typed;

use alloc::string::String;

pub use alphabet::Alphabet;
pub(crate) use typed::Meaning;
pub use typed::{GroupState, Mistake, Mistyped, Typed};

/// How many groups of how many symbols a text has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What the symbols are.
    pub alphabet: Alphabet,
    /// How many groups there are: at most 31, so that no two letter groups have the same number in the check.
    pub groups: usize,
    /// How many symbols a group has, with its check symbol.
    pub length: usize,
}

impl Layout {
    /// How many symbols there are in all, without those that check.
    pub const fn payload(&self) -> usize {
        self.groups * (self.length - 1)
    }

    /// How many symbols there are in all.
    pub const fn symbols(&self) -> usize {
        self.groups * self.length
    }

    /// These payload symbols in groups, with a dash between each two.
    pub(crate) fn write(&self, payload: &[u8]) -> String {
        debug_assert_eq!(payload.len(), self.payload());
        // The space is taken at once, because a text that grows leaves a copy behind that nobody wipes.
        let mut text = String::with_capacity(self.symbols() + self.groups);
        for (group, number) in payload.chunks(self.length - 1).zip(1..) {
            if 1 < number {
                text.push('-');
            }
            let check = self.alphabet.check(group, number);
            text.extend(group.iter().chain([&check]).map(|symbol| Alphabet::write(*symbol)));
        }
        text
    }
}
