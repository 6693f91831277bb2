//! The one printer for text from outside: names in certificates, parameters of a reason, what a host sends, file names.
//!
//! Such text may hold escape sequences that drive a terminal, line breaks that forge a line of a log, and characters that
//! reverse or hide what stands beside them. Code that shows such text wraps it in [`OneLine`]. A program passes every text that it
//! prints through [`Lines`], in case a wrapper was forgotten.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Display, Write};

/// Text from outside, on one line: line breaks and tabs become a space, and a character that drives or deceives a terminal
/// becomes its number, such as `\u{1b}`.
///
/// ```
/// use kms_shared::print::OneLine;
///
/// assert_eq!(OneLine("Editor\u{1b}[2J\nPro").to_string(), r"Editor\u{1b}[2J Pro");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OneLine<T>(pub T);

/// A whole text that is about to be printed: its line breaks and tabs stay, the rest is as in [`OneLine`].
#[derive(Clone, Copy, Debug)]
pub struct Lines<T>(pub T);

/// JSON that is about to be printed. What [`Lines`] would replace is written as JSON's own escape, so a parser gets the text as it
/// was.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: Display> Display for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(JsonFilter(f), "{}", self.0)
    }
}

struct JsonFilter<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for JsonFilter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| {
            // Outside of its strings JSON has no other control characters than these.
            if matches!(c, '\n' | '\t' | '\r') || !(is_break(c) || deceives(c)) {
                return self.0.write_char(c);
            }
            c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(self.0, "\\u{unit:04x}"))
        })
    }
}

/// The text, or its first `most` bytes and how many it has.
pub fn shorten(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}… ({} bytes)", &text[..text.floor_char_boundary(most)], text.len())
}

/// [`OneLine`] as a string, for a column of a table or a field of JSON.
pub fn one_line(text: impl Display) -> String {
    OneLine(text).to_string()
}

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Filter { to: f, in_lines: false }, "{}", self.0)
    }
}

impl<T: Display> Display for Lines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Filter { to: f, in_lines: true }, "{}", self.0)
    }
}

/// Passes text on, character by character.
struct Filter<'a, 'b> {
    to: &'a mut fmt::Formatter<'b>,
    in_lines: bool,
}

impl Write for Filter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '\n' | '\t' if self.in_lines => self.to.write_char(c),
            _ if is_break(c) => self.to.write_char(' '),
            _ if deceives(c) => write!(self.to, "{}", c.escape_unicode()),
            _ => self.to.write_char(c),
        })
    }
}

/// What ends a line, or moves to a column: ASCII's own, NEL, and Unicode's line and paragraph separators.
fn is_break(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Control characters (C0, DEL, C1), and those that change the direction of text or are not seen. The joiners U+200C and
/// U+200D stay, because Persian and Hindi are written with them.
pub(crate) fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[expect(clippy::needless_pass_by_value, reason = "an expectation is written where it is used")]
    fn check(text: &str, on_one_line: Expect, in_lines: Expect) {
        on_one_line.assert_eq(&one_line(text));
        in_lines.assert_eq(&Lines(text).to_string());
    }

    #[test]
    fn what_drives_or_deceives_a_terminal_is_shown_as_its_number() {
        check("\u{1b}]0;title\u{7}", expect![[r"\u{1b}]0;title\u{7}"]], expect![[r"\u{1b}]0;title\u{7}"]]);
        check("\u{9b}31m \u{7f}", expect![[r"\u{9b}31m \u{7f}"]], expect![[r"\u{9b}31m \u{7f}"]]);
        check(
            "abc\u{202e}def\u{2066}",
            expect![[r"abc\u{202e}def\u{2066}"]],
            expect![[r"abc\u{202e}def\u{2066}"]],
        );
        check(
            "a\u{200b}b\u{feff}\u{e0041}",
            expect![[r"a\u{200b}b\u{feff}\u{e0041}"]],
            expect![[r"a\u{200b}b\u{feff}\u{e0041}"]],
        );
    }

    #[test]
    fn a_line_from_outside_stays_one_and_a_text_of_ours_keeps_its_lines() {
        check(
            "one\ntwo\tthree",
            expect!["one two three"],
            expect![[r"
            one
            two	three"]],
        );
        check(
            "a\r\nb\u{85}c\u{2028}d\u{2029}e\u{b}f\u{c}g",
            expect!["a  b c d e f g"],
            expect![[r"
            a 
            b c d e f g"]],
        );
    }

    #[test]
    fn json_keeps_the_text_and_shows_nothing_that_deceives() {
        expect![[r#"{"name": "a\u202eb\udb40\udc41\u007f\u2028"}"#]]
            .assert_eq(&Json("{\"name\": \"a\u{202e}b\u{e0041}\u{7f}\u{2028}\"}").to_string());
    }

    #[test]
    fn names_in_any_language_are_shown_as_they_are() {
        for name in
            ["Müller & Söhne", "株式会社", "می\u{200c}خواهم", "חברה בע״מ", "👩\u{200d}🔬", r"C:\Users"]
        {
            assert_eq!(one_line(name), name);
            assert_eq!(Lines(name).to_string(), name);
        }
    }
}
