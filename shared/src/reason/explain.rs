//! What `explain` prints at a machine and at a host: one reason or all of them, and the way to one from what somebody typed.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Reason;

/// No reason has this code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownReason {
    typed: String,
    near: Vec<&'static str>,
}

impl Reason {
    /// The reason whose code was copied from a log, with its colon, or typed by hand.
    ///
    /// # Errors
    /// There is none; the error names those that may have been meant.
    pub fn typed(text: &str) -> Result<Reason, UnknownReason> {
        let code = as_code(text);
        Reason::from_code(&code).ok_or_else(|| UnknownReason { typed: text.to_owned(), near: near(&code) })
    }

    /// What happened, with the name of each parameter in its place: `no connection to <address>: <cause>`.
    pub fn outline(self) -> String {
        self.summary().replace('{', "<").replace('}', ">")
    }
}

/// One reason in four lines: code, what happened, whose fault, what to do.
pub struct Explained(pub Reason);

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.0;
        writeln!(f, "reason        {}", reason.code())?;
        writeln!(f, "what          {}", reason.outline())?;
        writeln!(f, "whose fault   {}", reason.fault())?;
        writeln!(f, "remedy        {}", reason.remedy())
    }
}

/// Every reason, one a line, in the order in which an ask meets them.
pub struct Index;

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = Reason::ALL.iter().map(|reason| reason.code().len()).max().unwrap_or(0);
        Reason::ALL
            .iter()
            .try_for_each(|reason| writeln!(f, "{:width$}  {}", reason.code(), reason.outline()))
    }
}

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no reason has the code {:?}", self.typed)?;
        if self.near.is_empty() { Ok(()) } else { write!(f, "; near it: {}", self.near.join(", ")) }
    }
}

impl core::error::Error for UnknownReason {}

fn as_code(text: &str) -> String {
    text.trim().trim_end_matches(':').to_uppercase().replace(['-', ' '], "_")
}

/// The codes that may have been meant: those that share a word with it or differ in a few letters, nearest first.
fn near(text: &str) -> Vec<&'static str> {
    const FEW_LETTERS: usize = 3;
    const SHOWN: usize = 4;
    let shares_a_word = |code: &str| code.split('_').any(|word| text.split('_').any(|typed| typed == word));
    let known = Reason::ALL.iter().map(|reason| (distance(text, reason.code()), reason.code()));
    // A code that differs in half of what was typed was not meant.
    let is_near = |distance| distance <= FEW_LETTERS && 2 * distance < text.chars().count();
    let mut near: Vec<_> =
        known.filter(|(distance, code)| is_near(*distance) || shares_a_word(code)).collect();
    near.sort_unstable();
    near.into_iter().map(|(_, code)| code).take(SHOWN).collect()
}

/// How many letters have to be put in, taken out or changed (Levenshtein), one row of the table at a time.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = core::mem::replace(&mut row[0], index + 1);
        for (column, against) in other.chars().enumerate() {
            let changed = diagonal + usize::from(letter != against);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match Reason::typed(text) {
            Ok(reason) => Explained(reason).to_string(),
            Err(unknown) => unknown.to_string(),
        });
    }

    #[test]
    fn a_code_is_known_as_it_stands_in_a_log_and_as_it_is_typed() {
        for text in ["HOST_UNREACHABLE:", "host-unreachable", "Host Unreachable"] {
            check(
                text,
                expect![[r"
                    reason        HOST_UNREACHABLE
                    what          no connection to <address>: <cause>
                    whose fault   the network's
                    remedy        check that the host runs, and that neither a firewall nor its `allow` stands between; a stale SRV record names hosts that are gone
                "]],
            );
        }
    }

    #[test]
    fn a_code_that_is_not_known_names_near_ones() {
        check(
            "CLOCK_SKEV",
            expect![[r#"no reason has the code "CLOCK_SKEV"; near it: CLOCK_SKEW, HOST_CLOCK"#]],
        );
        check(
            "DNS",
            expect![[
                r#"no reason has the code "DNS"; near it: DNS_FAILED, DNS_NO_RECORD, DNS_PORT_ZERO, DNS_NOT_OFFERED"#
            ]],
        );
        check("XYZZY", expect![[r#"no reason has the code "XYZZY""#]]);
        check("ß\u{7}", expect![[r#"no reason has the code "ß\u{7}""#]]);
    }

    #[test]
    fn every_reason_has_a_line_and_no_braces() {
        let index = Index.to_string();
        assert_eq!(index.lines().count(), Reason::ALL.len());
        assert!(!index.contains(['{', '}']), "{index}");
    }

    #[test]
    fn letters_are_counted() {
        for (one, other, letters) in [("", "abc", 3), ("abc", "abc", 0), ("abc", "axc", 1), ("bc", "abcd", 2)]
        {
            assert_eq!(distance(one, other), letters, "{one} {other}");
            assert_eq!(distance(other, one), letters, "{other} {one}");
        }
    }
}
