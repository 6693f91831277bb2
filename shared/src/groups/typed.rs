//! Reads what somebody has typed, whole or not yet, and names the groups that are wrong.
//!
//! Dashes, spaces and characters that nobody sees may be anywhere. They matter only if the text is wrong: then they show which group
//! has lost a symbol or got one too many.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Display};
use core::ops::Range;

use zeroize::Zeroizing;

use super::Layout;

/// What a character of a text stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A symbol of the alphabet.
    Symbol(u8),
    /// Nothing: it only separates.
    Break,
    /// Something that no such text holds.
    Other(char),
}

/// In place of a symbol where there is another character.
const NO_SYMBOL: u8 = u8::MAX;

/// The most groups in a run whose numbers are all written out: as many as a product key has.
const LONG_RUN: usize = 5;

/// Text as somebody has typed it, perhaps not to its end. It may be a key, so it is wiped when it is dropped.
pub struct Typed {
    layout: Layout,
    symbols: Zeroizing<Vec<u8>>,
    /// Where characters stand that are no symbols.
    others: Vec<(usize, char)>,
    /// Where symbols begin that follow a break.
    breaks: Vec<usize>,
    /// How many symbols were typed, with those that are too many to be kept.
    length: usize,
}

impl Typed {
    /// This text, read as groups of this layout. Nothing is judged yet.
    pub fn new(layout: Layout, text: &str) -> Typed {
        // What is longer than by one group is wrong anyway.
        let most = layout.symbols() + layout.length;
        // The space is taken at once, because a vector that grows leaves a copy behind that nobody wipes.
        let mut symbols = Zeroizing::new(Vec::with_capacity(most));
        let (mut others, mut breaks, mut after_break, mut length) = (Vec::new(), Vec::new(), false, 0);
        for typed in text.chars() {
            let meaning = layout.alphabet.read(typed);
            if meaning == Meaning::Break {
                after_break = !symbols.is_empty();
                continue;
            }
            length += 1;
            if most < length {
                continue;
            }
            if core::mem::take(&mut after_break) {
                breaks.push(symbols.len());
            }
            match meaning {
                Meaning::Symbol(symbol) => symbols.push(symbol),
                Meaning::Other(sign) => {
                    others.push((symbols.len(), sign));
                    symbols.push(NO_SYMBOL);
                }
                Meaning::Break => {}
            }
        }
        Typed { layout, symbols, others, breaks, length }
    }

    /// Each group as it is now, from the first to the last, for whoever still types.
    pub fn groups(&self) -> Vec<GroupState> {
        let state = |(range, number): (&Range<usize>, u8)| match self.mistake(range, number) {
            None => GroupState::Right,
            Some(Mistake::Length { has: 0 }) => GroupState::Empty,
            Some(Mistake::Length { has }) if has < self.layout.length => GroupState::Partial,
            Some(mistake) => GroupState::Wrong(mistake),
        };
        self.ranges().iter().zip(1..).map(state).collect()
    }

    /// By how many symbols it is too short or too long.
    pub fn symbols_off(&self) -> usize {
        self.length.abs_diff(self.layout.symbols())
    }

    /// The symbols without those that check.
    ///
    /// # Errors
    /// A group is wrong, or several.
    pub(crate) fn payload(&self) -> Result<Zeroizing<Vec<u8>>, Mistyped> {
        let ranges = self.ranges();
        let mistakes = self.mistakes(&ranges);
        if !mistakes.is_empty() {
            let odd = if self.is_divided() { Vec::new() } else { self.odd_groups() };
            return Err(Mistyped { mistakes: if odd.is_empty() { mistakes } else { odd } });
        }
        let mut payload = Zeroizing::new(Vec::with_capacity(self.layout.payload()));
        for range in ranges {
            payload.extend_from_slice(&self.symbols[range.start..range.end - 1]);
        }
        Ok(payload)
    }

    /// The groups that are wrong in this reading.
    fn mistakes(&self, ranges: &[Range<usize>]) -> Vec<(u8, Mistake)> {
        let numbered = ranges.iter().zip(1..);
        numbered.filter_map(|(range, number)| Some((number, self.mistake(range, number)?))).collect()
    }

    /// What is wrong with the group in this range.
    fn mistake(&self, range: &Range<usize>, number: u8) -> Option<Mistake> {
        if let Some((at, sign)) = self.others.iter().find(|(at, _)| range.contains(at)) {
            return Some(Mistake::Sign { position: at - range.start + 1, sign: *sign });
        }
        if range.len() != self.layout.length {
            return Some(Mistake::Length { has: range.len() });
        }
        (!self.layout.alphabet.holds(&self.symbols[range.clone()], number)).then_some(Mistake::Check)
    }

    /// Where each group stands: by length alone if all groups are then right, else as the text is divided.
    fn ranges(&self) -> Vec<Range<usize>> {
        let Layout { groups, length, .. } = self.layout;
        let total = self.symbols.len();
        let by_length =
            ranges(groups, |group| if group < groups { total.min(group * length) } else { total });
        if !self.is_divided() || self.mistakes(&by_length).is_empty() {
            return by_length;
        }
        ranges(
            groups,
            |group| if group == 0 { 0 } else { self.breaks.get(group - 1).copied().unwrap_or(total) },
        )
    }

    /// Whether the text has as many parts as there are groups.
    fn is_divided(&self) -> bool {
        self.breaks.len() + 1 == self.layout.groups
    }

    /// Each group that may have lost symbols, or got too many, so that all others are right. Most often there is one.
    fn odd_groups(&self) -> Vec<(u8, Mistake)> {
        let Layout { groups, length, .. } = self.layout;
        let Some(has) = self.symbols.len().checked_sub((groups - 1) * length) else { return Vec::new() };
        let end = |odd| move |group| if group <= odd { group * length } else { (group - 1) * length + has };
        let alone = |odd: usize| {
            let mistakes = self.mistakes(&ranges(groups, end(odd)));
            let [(number, mistake)] = mistakes[..] else { return None };
            (has != length && usize::from(number) == odd + 1).then_some((number, mistake))
        };
        (0..groups).filter_map(alone).collect()
    }
}

/// The ranges between these ends, of which the first is 0.
fn ranges(groups: usize, end: impl Fn(usize) -> usize) -> Vec<Range<usize>> {
    (0..groups).map(|group| end(group)..end(group + 1)).collect()
}

/// A group while somebody types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupState {
    /// Nothing is there yet.
    Empty,
    /// It has begun, and symbols are missing.
    Partial,
    /// It is whole, and its check symbol is right.
    Right,
    /// It has to be typed again.
    Wrong(Mistake),
}

/// What is wrong with one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mistake {
    /// It holds a character that is not in the alphabet.
    Sign {
        /// Its place in the group, the first being 1.
        position: usize,
        /// The character as it was typed.
        sign: char,
    },
    /// It has too few symbols, or too many.
    Length {
        /// How many it has; 0 if it is missing.
        has: usize,
    },
    /// Its check symbol does not fit: a symbol is wrong, two have changed places, or the whole group has.
    Check,
}

/// Text in groups that cannot be right. It names the groups, and holds nothing of the text but a character that no text has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistyped {
    mistakes: Vec<(u8, Mistake)>,
}

impl Mistyped {
    /// What is wrong, by the number of the group, the first being 1. There is at least one.
    pub fn mistakes(&self) -> &[(u8, Mistake)] {
        &self.mistakes
    }

    /// The numbers of the wrong groups in any language: `2, 4`, and `2-21` for a long run of them.
    pub fn groups(&self) -> String {
        numbers(self.mistakes.iter().map(|(group, _)| *group)).join(", ")
    }
}

/// `groups 2 and 4 are mistyped; group 5 has 4 characters`
impl Display for Mistyped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with =
            |mistake| self.mistakes.iter().filter(move |(_, made)| *made == mistake).map(|(group, _)| *group);
        let mistyped = together(with(Mistake::Check), "mistyped");
        let missing = together(with(Mistake::Length { has: 0 }), "missing");
        let alone = self.mistakes.iter().filter_map(|(group, mistake)| match mistake {
            Mistake::Check | Mistake::Length { has: 0 } => None,
            Mistake::Length { has: 1 } => Some(format!("group {group} has 1 character")),
            Mistake::Length { has } => Some(format!("group {group} has {has} characters")),
            Mistake::Sign { position, sign } if sign.is_ascii() => {
                Some(format!("character {position} of group {group} cannot be `{sign}`"))
            }
            // Some look like one of ours.
            Mistake::Sign { position, sign } => {
                let number = u32::from(*sign);
                Some(format!("character {position} of group {group} cannot be `{sign}` (U+{number:04X})"))
            }
        });
        let all: Vec<_> = mistyped.into_iter().chain(missing).chain(alone).collect();
        f.write_str(&all.join("; "))
    }
}

impl core::error::Error for Mistyped {}

/// `groups 1, 2 and 4 are missing`, if there are any.
fn together(groups: impl Iterator<Item = u8>, what: &str) -> Option<String> {
    let mut groups = numbers(groups);
    let last = groups.pop()?;
    Some(match groups.as_slice() {
        [] if last.contains('-') => format!("groups {last} are {what}"),
        [] => format!("group {last} is {what}"),
        before => format!("groups {} and {last} are {what}", before.join(", ")),
    })
}

/// These numbers of groups as they are written, a long run as `2-21`.
fn numbers(groups: impl Iterator<Item = u8>) -> Vec<String> {
    let groups: Vec<_> = groups.collect();
    let runs = groups.chunk_by(|one, other| one + 1 == *other);
    let written = runs.flat_map(|run| match run {
        [first, .., last] if LONG_RUN < run.len() => vec![format!("{first}-{last}")],
        _ => run.iter().map(u8::to_string).collect(),
    });
    written.collect()
}
