//! `explain`: what a reason means, whose fault it is, what to do. Works without a product.

use std::fmt::Write as _;

use kms_client::Reason;
use serde_json::{Value, json};

use crate::answer::{Answer, EX_USAGE, Failure};
use crate::show;

/// One reason, or all of them in the order in which an ask meets them.
pub(crate) fn explain(code: Option<&str>) -> Result<Answer, Failure> {
    let Some(text) = code else {
        return Ok(all());
    };
    let reason = Reason::from_code(&as_code(text)).ok_or_else(|| unknown(text))?;
    let text = show::rows(&[
        ("reason", reason.code().to_owned()),
        ("what", show::summary(reason)),
        ("whose fault", reason.fault().to_string()),
        ("remedy", reason.remedy().to_owned()),
    ]);
    Ok(Answer::done(text, reason_json(reason)))
}

fn all() -> Answer {
    let width = Reason::ALL.iter().map(|reason| reason.code().len()).max().unwrap_or(0);
    let mut text = String::new();
    for reason in Reason::ALL {
        let _ = writeln!(text, "{:width$}  {}", reason.code(), show::summary(*reason));
    }
    text += "\n`kms-client explain CODE` says whose fault it is and what to do.\n";
    let reasons: Vec<_> = Reason::ALL.iter().map(|reason| reason_json(*reason)).collect();
    Answer::done(text, json!({ "reasons": reasons }))
}

fn reason_json(reason: Reason) -> Value {
    json!({
        "code": reason.code(),
        "what": show::summary(reason),
        "fault": reason.fault().to_string(),
        "remedy": reason.remedy(),
    })
}

/// As it is copied from a log, with its colon, or typed by hand.
fn as_code(text: &str) -> String {
    text.trim().trim_end_matches(':').to_uppercase().replace(['-', ' '], "_")
}

fn unknown(text: &str) -> Failure {
    let remedy = match near(&as_code(text)).as_slice() {
        [] => "`kms-client explain` lists all".to_owned(),
        near => format!("near it: {}; `kms-client explain` lists all", near.join(", ")),
    };
    Failure::new(EX_USAGE, format!("no reason has the code {text:?}; {remedy}"))
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
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
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
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match explain(Some(text)) {
            Ok(answer) => answer.text,
            Err(failure) => failure.line,
        });
    }

    #[test]
    fn a_code_is_known_as_it_stands_in_a_log_and_as_it_is_typed() {
        let answers =
            ["HOST_UNREACHABLE:", "host-unreachable", "Host Unreachable"].map(|text| explain(Some(text)));
        let [one, two, three] = answers.map(|answer| answer.unwrap().text);
        assert!(one == two && two == three);
        expect![[r"
            reason        HOST_UNREACHABLE
            what          no connection to <address>: <cause>
            whose fault   the network's
            remedy        check that the host runs, and that neither a firewall nor its `allow` stands between; a stale SRV record names hosts that are gone
        "]].assert_eq(&one);
    }

    #[test]
    fn a_code_that_is_not_known_names_near_ones() {
        check(
            "CLOCK_SKEV",
            expect![[
                r#"no reason has the code "CLOCK_SKEV"; near it: CLOCK_SKEW, HOST_CLOCK; `kms-client explain` lists all"#
            ]],
        );
        check(
            "DNS",
            expect![[
                r#"no reason has the code "DNS"; near it: DNS_FAILED, DNS_NO_RECORD; `kms-client explain` lists all"#
            ]],
        );
        check("XYZZY", expect![[r#"no reason has the code "XYZZY"; `kms-client explain` lists all"#]]);
        check("ß\u{7}", expect![[r#"no reason has the code "ß\u{7}"; `kms-client explain` lists all"#]]);
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
