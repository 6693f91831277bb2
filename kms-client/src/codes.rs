//! Codes for a product's screen: the installation id, and a confirmation id while it is typed.

use std::fmt;

use shared::codes::{CodeForm, CodeKind, CodeText, InstallationId};
use shared::groups::GroupState;
use shared::product_key::KeyNumber;

/// The installation id, which this machine's user reads or types to the vendor. It contains neither the product key nor a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstallationCode(pub(crate) InstallationId);

impl InstallationCode {
    /// In digits, for the telephone: nine groups of six, with dashes between them.
    pub fn digits(&self) -> String {
        self.0.text(CodeForm::Digits)
    }

    /// In letters and digits, for a keyboard or a QR code: six groups of six, with dashes between them.
    pub fn letters(&self) -> String {
        self.0.text(CodeForm::Letters)
    }

    /// Its groups, in this form.
    pub fn groups(&self, form: CodeForm) -> Vec<String> {
        self.0.text(form).split('-').map(str::to_owned).collect()
    }

    /// The public number of the product key that it is for.
    pub fn key(&self) -> KeyNumber {
        self.0.key
    }
}

/// In letters.
impl fmt::Display for InstallationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.letters())
    }
}

/// Each group of a confirmation id as it is now, while somebody types it: 32 groups in digits, or 21 as soon as there is a letter.
///
/// ```
/// use kms_client::{GroupState, confirmation_groups};
///
/// let groups = confirmation_groups("123");
/// assert_eq!((groups.len(), &groups[..2]), (32, &[GroupState::Partial, GroupState::Empty][..]));
/// assert_eq!(confirmation_groups("12k").len(), 21);
/// ```
pub fn confirmation_groups(text: &str) -> Vec<GroupState> {
    CodeText::in_either_form(CodeKind::Confirmation, text).groups()
}
