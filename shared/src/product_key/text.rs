//! Keys and their numbers as people write them.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use zeroize::Zeroizing;

use super::{KeyError, KeyNumber, ProductKey};
use crate::groups::{Alphabet, GroupState, Layout, Meaning, Typed};

/// Five groups of four symbols and one that checks.
const LAYOUT: Layout = Layout { alphabet: Alphabet::Letters, groups: 5, length: 5 };

/// What is wrong with bytes that are no key.
pub(super) const ALL_GROUPS: &str = "1, 2, 3, 4, 5";

/// The bits of a letter.
const LETTER_BITS: u32 = 5;

/// A key as somebody has typed it, perhaps not to its end: for a form that says at once which group is wrong.
///
/// ```
/// use kms_shared::groups::GroupState;
/// use kms_shared::product_key::KeyText;
///
/// let states = KeyText::new("04gsk a1b").groups();
/// assert!(matches!(states[1], GroupState::Partial) && states[2] == GroupState::Empty);
/// ```
pub struct KeyText(Typed);

impl KeyText {
    /// This text. Any case, dashes and spaces anywhere, I or L for 1 and O for 0.
    pub fn new(text: &str) -> KeyText {
        KeyText(Typed::new(LAYOUT, text))
    }

    /// Its five groups as they are now.
    pub fn groups(&self) -> Vec<GroupState> {
        self.0.groups()
    }

    /// The key.
    ///
    /// # Errors
    /// [`KeyError::Mistyped`] with the groups that are wrong or missing, or [`KeyError::Newer`].
    pub fn key(&self) -> Result<ProductKey, KeyError> {
        let payload = self.0.payload().map_err(KeyError::Mistyped)?;
        let bits = payload.iter().fold(0, |bits, symbol| bits << LETTER_BITS | u128::from(*symbol));
        ProductKey::from_slice(ProductKey::of_bits(bits).as_bytes())
    }
}

impl ProductKey {
    /// Its last group, for its owner: which of several keys it is.
    pub fn last_group(&self) -> String {
        self.text()[LAYOUT.symbols() - 1..].into()
    }

    /// The key as its owner reads it; wiped when it is dropped.
    pub fn text(&self) -> Zeroizing<String> {
        let bits = self.bits();
        let symbol = |at: usize| (bits >> (LETTER_BITS * u32::try_from(at).unwrap_or(0)) & 31) as u8;
        let payload: Zeroizing<Vec<_>> = Zeroizing::new((0..LAYOUT.payload()).rev().map(symbol).collect());
        Zeroizing::new(LAYOUT.write(&payload))
    }
}

/// The whole key, in groups with dashes between them. It is a secret: this is for its owner's eyes.
impl fmt::Display for ProductKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// How many symbols a key number has, half of them before its dash.
const NUMBER_SYMBOLS: usize = 8;

/// `XXXX-XXXX`, in the symbols of keys.
impl fmt::Display for KeyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.as_bytes().iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        (0..NUMBER_SYMBOLS).try_for_each(|at| {
            let dash = if at == NUMBER_SYMBOLS / 2 { "-" } else { "" };
            let symbol = bits >> (LETTER_BITS as usize * (NUMBER_SYMBOLS - 1 - at)) & 31;
            write!(f, "{dash}{}", Alphabet::write(symbol as u8))
        })
    }
}

impl fmt::Debug for KeyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyNumber({self})")
    }
}

impl FromStr for KeyNumber {
    type Err = NotAKeyNumber;

    /// A number in any case, with dashes and spaces anywhere.
    fn from_str(text: &str) -> Result<KeyNumber, NotAKeyNumber> {
        let (mut bits, mut symbols) = (0_u64, 0);
        for typed in text.chars() {
            match Alphabet::Letters.read(typed) {
                Meaning::Symbol(symbol) if symbols < NUMBER_SYMBOLS => {
                    bits = bits << LETTER_BITS | u64::from(symbol);
                    symbols += 1;
                }
                Meaning::Break => {}
                Meaning::Symbol(_) | Meaning::Other(_) => return Err(NotAKeyNumber),
            }
        }
        let [_, _, _, number @ ..] = bits.to_be_bytes();
        (symbols == NUMBER_SYMBOLS).then_some(KeyNumber::from_bytes(number)).ok_or(NotAKeyNumber)
    }
}

/// The text is not the number of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key number has 8 characters, such as 7K2M-Q4TX, and none of I, L, O and U")]
pub struct NotAKeyNumber;
