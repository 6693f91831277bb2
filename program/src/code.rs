//! Codes on a terminal: in rows that are read aloud, as a QR code, and as they are typed.

use std::fmt::Write as _;
#[cfg(feature = "codes")]
use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use fast_qr::{ECL, QRBuilder};
#[cfg(feature = "codes")]
use shared::{
    codes::{CodeForm, CodeKind, CodeText},
    groups::GroupState,
};

#[cfg(feature = "codes")]
use crate::typed::prompt;

/// How many groups a row has, so that nobody loses the place.
const ROW_GROUPS: usize = 4;

/// The groups of a code in rows of four, each with a letter for whoever has to say where they are.
pub fn rows(code: &str) -> String {
    let groups: Vec<_> = code.split('-').collect();
    let mut text = String::new();
    for (row, letter) in groups.chunks(ROW_GROUPS).zip('A'..) {
        let _ = writeln!(text, "  {letter}   {}", row.join("   "));
    }
    text
}

/// The code as a QR code in block characters, and how many columns it takes; none if it is too long for one. Light dots are drawn and
/// dark ones left out, as is right on a dark terminal.
pub fn qr(code: &str) -> Option<(String, usize)> {
    // A screen has no scratches, so the least redundancy will do.
    let code = QRBuilder::new(code).ecl(ECL::L).build().ok()?;
    Some((code.to_str() + "\n", code.size + 2))
}

/// A confirmation id from standard input, of so many bytes at most: from one line of a scanner, or from several that somebody types after
/// a prompt. On a terminal, a line with a wrong group has to be typed again, and those before it have not.
///
/// # Errors
/// Standard input cannot be read.
#[cfg(feature = "codes")]
pub fn typed_confirmation(max_bytes: u64) -> io::Result<String> {
    let is_typed = io::stdin().is_terminal();
    prompt("Confirmation id, a group or a row at a time:\n");
    let mut text = String::new();
    let mut input = io::stdin().lock().take(max_bytes);
    loop {
        let before = text.len();
        let read = input.read_line(&mut text)?;
        if is_typed && let Some(groups) = wrong_groups(&text) {
            text.truncate(before);
            prompt(&format!("Wrong: {groups}. Type this line again.\n"));
        }
        // Nobody who has typed the last group has to end the input as well.
        let groups = CodeText::in_either_form(CodeKind::Confirmation, &text).groups();
        let is_missing = |group: &GroupState| matches!(group, GroupState::Empty | GroupState::Partial);
        if read == 0 || !groups.last().is_some_and(is_missing) {
            return Ok(text);
        }
    }
}

/// Which groups of a confirmation id are wrong so far, if it is wrong in digits and in letters: a group in letters may have digits alone.
#[cfg(feature = "codes")]
fn wrong_groups(text: &str) -> Option<String> {
    let wrong = |form| {
        let groups = CodeText::new(CodeKind::Confirmation, form, text).groups();
        let wrong = groups.iter().zip(1..).filter(|(group, _)| matches!(group, GroupState::Wrong(_)));
        wrong.map(|(_, number): (_, u8)| format!("group {number}")).collect::<Vec<_>>()
    };
    let forms = [CodeForm::Digits, CodeForm::Letters].map(wrong);
    let fewest = forms.into_iter().min_by_key(Vec::len)?;
    (!fewest.is_empty()).then(|| fewest.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTERS: &str = "0645GF-J6HB7Y-H6KGDH-QSMAQH-SW59D7-4ECR02";

    #[test]
    fn a_code_is_shown_in_rows_of_four_groups() {
        assert_eq!(rows(LETTERS), "  A   0645GF   J6HB7Y   H6KGDH   QSMAQH\n  B   SW59D7   4ECR02\n");
    }

    /// A picture of it, as a camera has it: each half of a line is a row of dots, and blocks are light.
    #[test]
    fn a_camera_reads_the_code() {
        const SCALE: usize = 4;
        for code in [LETTERS, &LETTERS.replace('-', "-77777-")] {
            let (text, columns) = qr(code).unwrap();
            let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
            assert!(lines.iter().all(|line| line.len() == columns));
            let is_light = |x: usize, y: usize| {
                let dot = lines.get(y / 2).and_then(|line| line.get(x)).copied().unwrap_or(' ');
                dot == '█' || dot == if y.is_multiple_of(2) { '▀' } else { '▄' }
            };
            let (width, height) = ((columns + 4) * SCALE, (2 * lines.len() + 4) * SCALE);
            // Around it is the margin that a terminal of the same colour would give.
            let grey = |x: usize, y: usize| {
                let (x, y) = ((x / SCALE).wrapping_sub(2), (y / SCALE).wrapping_sub(2));
                let is_inside = x < columns && y < 2 * lines.len();
                if !is_inside || is_light(x, y) { 255 } else { 0 }
            };
            let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
            let found = picture.detect_grids();
            assert_eq!(found[0].decode().unwrap().1, code);
        }
    }
}
