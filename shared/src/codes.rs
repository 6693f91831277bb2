//! Codes that people read aloud or type, where there is no network: an *installation id* goes to the vendor, and a *confirmation id* comes
//! back.
//!
//! A confirmation id is a full signature over what the machine or host makes anew from its own installation id, so no secret is in
//! the client, and no code fits another machine. It never contains the key. `docs/codes.md` says why the codes are as long as they are,
//! `docs/protocol.md` 12 has the bits.
//!
//! Read `installation` next, then `confirmation`; `host` has what is different for hosts.

mod bits;
mod confirmation;
mod host;
mod installation;
mod key;

use alloc::string::String;
use alloc::vec::Vec;

use bits::Bits;

use crate::certificate::ChainError;
use crate::groups::{Alphabet, GroupState, Layout, Meaning, Mistake, Mistyped, Typed};
use crate::reason::{Cause, Reason};

pub use confirmation::{ConfirmationId, Confirmed, MachineOptions};
pub use host::{HostTerms, beginning_of_day};
pub use installation::{CodeSubject, InstallationId, MachineDigest};
pub use key::{CodeCertificate, CodeKey};

/// How a code is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeForm {
    /// Groups of six digits, for the telephone.
    Digits,
    /// Groups of six letters and digits, for a keyboard and for QR codes.
    Letters,
}

impl CodeForm {
    /// How many groups a number of so many bits needs.
    const fn layout(self, bits: usize) -> Layout {
        match self {
            // Each digit has log2(10) bits, of which 3.3219 is a little less.
            CodeForm::Digits => {
                let digits = (bits * 10_000).div_ceil(33_219);
                Layout { alphabet: Alphabet::Digits, groups: digits.div_ceil(GROUP - 1), length: GROUP }
            }
            CodeForm::Letters => {
                let letters = bits.div_ceil(5);
                Layout { alphabet: Alphabet::Letters, groups: letters.div_ceil(GROUP - 1), length: GROUP }
            }
        }
    }
}

/// The symbols of a group, with the one that checks.
const GROUP: usize = 6;

/// What a code is of: this decides how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeKind {
    /// The installation id of a machine.
    Machine,
    /// The installation id of a host.
    Host,
    /// A confirmation id, of a machine or a host.
    Confirmation,
}

impl CodeKind {
    const fn bits(self) -> usize {
        match self {
            CodeKind::Machine => 149,
            CodeKind::Host => 325,
            CodeKind::Confirmation => 525,
        }
    }

    /// How many groups there are.
    pub const fn groups(self, form: CodeForm) -> usize {
        form.layout(self.bits()).groups
    }
}

/// A code as somebody has typed it, perhaps not to its end: says at once which group is wrong, while the caller is still on the line.
pub struct CodeText {
    kind: CodeKind,
    form: CodeForm,
    typed: Typed,
}

impl CodeText {
    /// This text as a code of this kind and form.
    pub fn new(kind: CodeKind, form: CodeForm, text: &str) -> CodeText {
        CodeText { kind, form, typed: Typed::new(form.layout(kind.bits()), &without_row_letters(text)) }
    }

    /// This text as a code of this kind, while somebody types: in digits until there is a letter.
    pub fn in_either_form(kind: CodeKind, text: &str) -> CodeText {
        let digits = CodeText::new(kind, CodeForm::Digits, text);
        if digits.has_letters() { CodeText::new(kind, CodeForm::Letters, text) } else { digits }
    }

    /// Whether a group holds a letter, which is wrong in digits.
    fn has_letters(&self) -> bool {
        let is_letter = |state: &GroupState| matches!(state, GroupState::Wrong(Mistake::Sign { sign, .. }) if sign.is_alphabetic());
        self.groups().iter().any(is_letter)
    }

    /// Each group as it is now.
    pub fn groups(&self) -> Vec<GroupState> {
        self.typed.groups()
    }

    /// The number that the code is.
    fn bits(&self) -> Result<Bits, CodeError> {
        let payload = self.typed.payload().map_err(CodeError::Mistyped)?;
        let layout = self.form.layout(self.kind.bits());
        Bits::from_symbols(&payload, &layout, self.kind.bits()).ok_or(CodeError::Malformed)
    }
}

/// This text without the letters of rows (`A   000169   539723`), which somebody may copy from a screen: single letters between groups of
/// six. A code in letters would take them for symbols.
pub fn without_row_letters(text: &str) -> String {
    let parts = text.split(|c| Alphabet::Letters.read(c) == Meaning::Break).filter(|part| !part.is_empty());
    let parts: Vec<&str> = parts.collect();
    let is_group = |part: &&str| part.chars().count() == GROUP;
    let is_letter = |part: &str| part.chars().count() == 1 && part.chars().all(char::is_alphabetic);
    let is_row_letter = |(at, part): (usize, &str)| {
        is_letter(part)
            && parts.get(at + 1).is_some_and(is_group)
            && (at == 0 || parts.get(at - 1).is_some_and(is_group))
    };
    let kept = parts.iter().enumerate().filter(|(at, part)| !is_row_letter((*at, part)));
    kept.map(|(_, part)| *part).collect::<Vec<_>>().join(" ")
}

/// Reads a whole code of one of these kinds, in either form. If it is none of them, the error is of the one that is most nearly as
/// long; without a letter, of those in digits.
fn read<T>(
    text: &str,
    kinds: &[CodeKind],
    open: impl Fn(CodeKind, &Bits) -> Result<T, CodeError>,
) -> Result<T, CodeError> {
    let codes = |form| kinds.iter().map(move |kind| CodeText::new(*kind, form, text));
    let digits: Vec<_> = codes(CodeForm::Digits).collect();
    let has_letters = digits.iter().any(CodeText::has_letters);
    let letters = codes(CodeForm::Letters).filter(|code| has_letters || code.typed.payload().is_ok());
    let nearest = digits.into_iter().chain(letters).min_by_key(|code| code.typed.symbols_off());
    let nearest = nearest.ok_or(CodeError::Malformed)?;
    open(nearest.kind, &nearest.bits()?)
}

/// What somebody has typed is no code, or not the one that is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// Groups are wrong; it says which.
    #[error("{0}")]
    Mistyped(Mistyped),
    /// Every group is right, and together they are no code.
    #[error("every group is right, and together they are no code: groups may have changed places")]
    Malformed,
    /// It is of a version that this release does not know.
    #[error("a code of a version that this release does not know")]
    Newer,
    /// Its groups are right, but it was made for another installation id or other terms, or by another vendor. Or two groups that are ten
    /// apart have changed places.
    #[error("this confirmation is not for this installation id")]
    OtherInstallation,
    /// What was sold with the host key makes no certificate that holds.
    #[error("the terms of the host key: {0}")]
    Terms(ChainError),
    /// It names features that this release of the product does not know.
    #[error("the confirmation names features that this release of the product does not know")]
    UnknownFeatures,
}

impl From<CodeError> for Cause {
    fn from(error: CodeError) -> Cause {
        match error {
            CodeError::Mistyped(mistyped) => Reason::CodeMalformed.with(&[("groups", &mistyped.groups())]),
            CodeError::Malformed | CodeError::OtherInstallation => Reason::CodeOtherInstallation.into(),
            CodeError::Newer | CodeError::UnknownFeatures => Reason::CodeNewer.into(),
            CodeError::Terms(error) => Reason::CodeKeyOutOfTime.with(&[("cause", &error)]),
        }
    }
}
