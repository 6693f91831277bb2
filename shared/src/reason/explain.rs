//! What `explain` prints at a machine and at a host: one reason or all of them, and the way to one from what somebody typed.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::words::{ELSEWHERE, WORDS, Word};
use super::{Fault, Reason};
use crate::spelling::distance;

/// No reason has this code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no reason has the code {typed:?}{near}")]
pub struct UnknownReason {
    typed: String,
    near: String,
}

/// A code that was found: a reason, another word that commands show, or a code from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explained {
    /// Why somebody was refused.
    Reason(Reason),
    /// Something else.
    Word(&'static Word),
}

impl From<Reason> for Explained {
    fn from(reason: Reason) -> Explained {
        Explained::Reason(reason)
    }
}

impl From<&'static Word> for Explained {
    fn from(word: &'static Word) -> Explained {
        Explained::Word(word)
    }
}

impl Explained {
    /// What a code means that was copied from a log, with its colon, or typed by hand.
    ///
    /// # Errors
    /// Nobody shows it; the error names those that may have been meant.
    pub fn typed(text: &str) -> Result<Explained, UnknownReason> {
        // Some logs show the number with its sign.
        let number = text.trim().parse::<i32>().ok().filter(|number| *number < 0);
        let code = number.map_or_else(|| as_code(text), |number| format!("0X{:X}", number.cast_unsigned()));
        let bare = |code: &str| code.trim_start_matches("0X").to_owned();
        let is_it = |word: &&Word| bare(&word.code.to_uppercase()) == bare(&code);
        match WORDS.iter().chain(ELSEWHERE).copied().find(is_it) {
            Some(word) => Ok(Explained::Word(word)),
            None => Reason::from_code(&code)
                .map(Explained::Reason)
                .ok_or_else(|| UnknownReason { typed: text.to_owned(), near: near(&code) }),
        }
    }

    /// The code.
    pub const fn code(self) -> &'static str {
        match self {
            Explained::Reason(reason) => reason.code(),
            Explained::Word(word) => word.code,
        }
    }

    /// What happened.
    pub fn what(self) -> String {
        match self {
            // `no connection to <address>: <cause>`
            Explained::Reason(reason) => reason.summary().replace('{', "<").replace('}', ">"),
            Explained::Word(word) => word.what.to_owned(),
        }
    }

    /// Who can mend it, where that is said.
    pub const fn fault(self) -> Option<Fault> {
        match self {
            Explained::Reason(reason) => Some(reason.fault()),
            Explained::Word(_) => None,
        }
    }

    /// What to do.
    pub const fn remedy(self) -> &'static str {
        match self {
            Explained::Reason(reason) => reason.remedy(),
            Explained::Word(word) => word.remedy,
        }
    }
}

/// A line each: code, what happened, whose fault, what to do.
impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if matches!(self, Explained::Reason(_)) { "reason" } else { "code" };
        writeln!(f, "{name:14}{}", self.code())?;
        writeln!(f, "what          {}", self.what())?;
        if let Some(fault) = self.fault() {
            writeln!(f, "whose fault   {fault}")?;
        }
        writeln!(f, "remedy        {}", self.remedy())
    }
}

/// Every reason, one a line, in the order in which an ask meets them; then the other words that commands show.
pub struct Index;

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = Reason::ALL.iter().copied().map(Explained::Reason);
        let all = reasons.chain(WORDS.iter().copied().map(Explained::Word));
        let width = all.clone().map(|known| known.code().len()).max().unwrap_or(0);
        all.into_iter().try_for_each(|known| writeln!(f, "{:width$}  {}", known.code(), known.what()))
    }
}

fn as_code(text: &str) -> String {
    text.trim().trim_end_matches(':').to_uppercase().replace(['-', ' '], "_")
}

/// The codes that may have been meant, for the end of a sentence: those that share a word with it or differ in a few letters,
/// nearest first.
fn near(text: &str) -> String {
    const FEW_LETTERS: usize = 3;
    const SHOWN: usize = 4;
    let shares_a_word = |code: &str| code.split('_').any(|word| text.split('_').any(|typed| typed == word));
    let known = Reason::ALL.iter().map(|reason| (distance(text, reason.code()), reason.code()));
    // A code that differs in half of what was typed was not meant.
    let is_near = |distance| distance <= FEW_LETTERS && 2 * distance < text.chars().count();
    let mut near: Vec<_> =
        known.filter(|(distance, code)| is_near(*distance) || shares_a_word(code)).collect();
    near.sort_unstable();
    let near: Vec<_> = near.into_iter().map(|(_, code)| code).take(SHOWN).collect();
    if near.is_empty() { String::new() } else { format!("; near it: {}", near.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match Explained::typed(text) {
            Ok(known) => known.to_string(),
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
            expect![[r#"no reason has the code "CLOCK_SKEV"; near it: CLOCK_SKEW, CLOCK_AHEAD, HOST_CLOCK"#]],
        );
        check(
            "DNS",
            expect![[
                r#"no reason has the code "DNS"; near it: DNS_FAILED, DNS_NO_RECORD, DNS_PORT_ZERO, DNS_TARGET_BAD"#
            ]],
        );
        check("XYZZY", expect![[r#"no reason has the code "XYZZY""#]]);
        check("ß\u{7}", expect![[r#"no reason has the code "ß\u{7}""#]]);
    }

    #[test]
    fn every_reason_has_a_line_and_no_braces() {
        let index = Index.to_string();
        assert_eq!(index.lines().count(), Reason::ALL.len() + WORDS.len());
        assert!(!index.contains(['{', '}']), "{index}");
    }

    #[test]
    fn words_that_are_no_reason_and_codes_from_elsewhere_are_answered() {
        for text in ["0xC004F038", "c004f038", "0XC004F038:", "-1073418184"] {
            check(
                text,
                expect![[r"
                    code          0xC004F038
                    what          elsewhere: too few machines are counted
                    remedy        here it is no error but WAITING: the machine is licensed by itself once enough have asked; `kms-host status` has the count
                "]],
            );
        }
        for word in WORDS.iter().chain(ELSEWHERE) {
            assert_eq!(Explained::typed(word.code), Ok(Explained::Word(word)));
            assert_eq!(Reason::from_code(word.code), None, "{}", word.code);
        }
    }

    /// Each code that a text of `ELSEWHERE` sends somebody to is one that is known here.
    #[test]
    fn what_a_code_from_elsewhere_leads_to_exists() {
        for word in ELSEWHERE {
            let shouted = word.remedy.split(|c: char| !c.is_ascii_uppercase() && c != '_');
            for code in shouted.filter(|code| code.contains('_')) {
                assert!(Reason::from_code(code).is_some(), "{}: {code}", word.code);
            }
        }
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
