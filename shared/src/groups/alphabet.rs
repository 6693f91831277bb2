//! The symbols: ten digits for the voice, 32 letters and digits for the keyboard; and the check symbol of a group.
//!
//! Letters are numbers of GF(32), so their checks miss no single error and no swap of any two symbols of a group. There is no
//! field of ten elements; digits have the check of Damm, which misses no single error and no swap of neighbours.

use super::Meaning;
use crate::print;

/// Digits and capital letters without I, L, O and U: nobody takes one for another, and chance writes no words.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// x^5 + x^2 + 1, by which numbers of GF(32) are reduced.
const REDUCTION: u8 = 0b10_0101;

/// The quasigroup of order ten in H. M. Damm's thesis (2004): from the state of a row, a digit leads to the state in its column.
const DAMM: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

/// What the symbols of a text are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Alphabet {
    /// 0 to 9: to be said aloud in every language, and typed at a telephone.
    Digits,
    /// 0 to 9 and A to Z without I, L, O and U: to be typed from paper or from another screen.
    Letters,
}

impl Alphabet {
    /// How many symbols there are.
    pub const fn size(self) -> u8 {
        match self {
            Alphabet::Digits => 10,
            Alphabet::Letters => 32,
        }
    }

    /// The symbol as it is written, in either alphabet.
    pub(crate) fn write(symbol: u8) -> char {
        LETTERS[usize::from(symbol)].into()
    }

    /// What a character of a text stands for, in either case and however wide. I and L are read as 1, and O as 0.
    pub(crate) fn read(self, typed: char) -> Meaning {
        // U+FF01 to U+FF5E are ASCII as wide as an ideograph; input methods of East Asia write it.
        let narrow = match typed {
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(typed) - 0xFEE0).unwrap_or(typed),
            _ => typed,
        };
        let symbol = match narrow.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            other => other,
        };
        let known =
            LETTERS[..self.size().into()].iter().zip(0..).find(|(letter, _)| char::from(**letter) == symbol);
        match known {
            Some((_, number)) => Meaning::Symbol(number),
            None if is_dash(narrow) || narrow.is_whitespace() || print::deceives(narrow) => Meaning::Break,
            None => Meaning::Other(typed),
        }
    }

    /// The check symbol of a group with this number, the first being 1.
    pub(super) fn check(self, payload: &[u8], number: u8) -> u8 {
        match self {
            // The diagonal of the table is 0, so the state itself is the digit that leads to 0.
            Alphabet::Digits => damm(payload, number),
            // The sum below, solved for its last symbol.
            Alphabet::Letters => payload.iter().fold(0, |sum, symbol| halve(sum ^ symbol)) ^ double(number),
        }
    }

    /// Whether the check symbol of this group is right.
    pub(super) fn holds(self, group: &[u8], number: u8) -> bool {
        match self {
            Alphabet::Digits => damm(group, number) == 0,
            // The sum of a^i * x_i over the n symbols, and of a^n * number, where a is 2.
            Alphabet::Letters => group.iter().rev().fold(number, |sum, symbol| double(sum) ^ symbol) == 0,
        }
    }
}

/// The state after these digits. It starts with the number of the group, so that two groups cannot change places.
fn damm(digits: &[u8], number: u8) -> u8 {
    digits.iter().fold(number % 10, |state, digit| DAMM[usize::from(state)][usize::from(*digit)])
}

/// Times 2 in GF(32).
const fn double(number: u8) -> u8 {
    let doubled = number << 1;
    if doubled < 32 { doubled } else { doubled ^ REDUCTION }
}

/// Divided by 2 in GF(32).
const fn halve(number: u8) -> u8 {
    if number.is_multiple_of(2) { number >> 1 } else { (number ^ REDUCTION) >> 1 }
}

/// Every dash that Unicode has (category Pd), minus signs, and the long vowel mark that Japanese keyboards have in its place.
fn is_dash(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{58A}'
            | '\u{5BE}'
            | '\u{1400}'
            | '\u{1806}'
            | '\u{2010}'..='\u{2015}'
            | '\u{2043}'
            | '\u{207B}'
            | '\u{208B}'
            | '\u{2212}'
            | '\u{2E17}'
            | '\u{2E1A}'
            | '\u{2E3A}'..='\u{2E3B}'
            | '\u{2E40}'
            | '\u{2E5D}'
            | '\u{301C}'
            | '\u{3030}'
            | '\u{30A0}'
            | '\u{30FC}'
            | '\u{FE31}'..='\u{FE32}'
            | '\u{FE58}'
            | '\u{FE63}'
            | '\u{FF70}'
            | '\u{10EAD}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_generates_every_number_of_the_field_but_0() {
        let powers = core::iter::successors(Some(1), |power| Some(double(*power))).take(31);
        let seen = powers.fold(0_u32, |seen, power| seen | 1 << power);
        assert_eq!(seen, u32::MAX - 1);
        assert!((0..32).all(|number| halve(double(number)) == number));
    }

    /// What Damm's check promises: a digit leads from two states to two, and no two neighbours can be swapped.
    #[test]
    fn the_table_of_damm_is_totally_anti_symmetric() {
        for (state, row) in DAMM.iter().enumerate() {
            assert_eq!(row[state], 0);
            for (x, y) in (0..10).flat_map(|x| (0..x).map(move |y| (x, y))) {
                let next = |state: usize, digit: usize| usize::from(DAMM[state][digit]);
                assert_ne!(next(x, state), next(y, state), "two states, one digit");
                assert_ne!(next(state, x), next(state, y), "one state, two digits");
                assert_ne!(next(next(state, x), y), next(next(state, y), x), "{state} {x} {y}");
            }
        }
        assert_eq!(damm(&[5, 7, 2], 0), 4, "the example of the thesis");
    }
}
