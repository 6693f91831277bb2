//! Colour on the terminal, for the words that matter.
//!
//! Commands produce plain text. Colour is added last, by the first word of a line, so commands need not care about it and foreign text
//! cannot bring its own.

use std::borrow::Cow;
use std::io;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// The text in colour, if standard output is a terminal and neither `NO_COLOR` nor `TERM` forbids it.
pub(super) fn paint(text: &str) -> Cow<'_, str> {
    match AutoStream::choice(&io::stdout()) {
        ColorChoice::Never => Cow::Borrowed(text),
        _ => Cow::Owned(painted(text)),
    }
}

fn painted(text: &str) -> String {
    let line = |line: &str| match line.split([' ', '\n']).next().and_then(|word| Some((word, style(word)?))) {
        Some((word, style)) => format!("{style}{word}{style:#}{}", &line[word.len()..]),
        None => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

fn style(word: &str) -> Option<Style> {
    let colour = match word {
        "ALARM" | "FAIL" => AnsiColor::Red,
        "warn" => AnsiColor::Yellow,
        "ok" => AnsiColor::Green,
        _ => return None,
    };
    Some(colour.on_default().bold())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_word_of_a_line_is_painted_and_only_if_it_matters() {
        let text = "ok       port  ALARM\nFAIL     dns\n  ALARM\nokay\n\nALARM\n";
        let painted = painted(text);
        let plain: Vec<_> = painted.lines().filter(|line| !line.contains('\u{1b}')).collect();
        assert_eq!(plain, ["  ALARM", "okay", ""]);
        let tail = format!("{:#}       port  ALARM\n", Style::new().bold());
        assert!(painted.contains(&tail), "the rest of the line is plain: {painted:?}");
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), text, "and nothing else is changed");
    }
}
