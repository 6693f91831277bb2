//! Codes on a terminal: in rows that are read aloud, and as a QR code.

use std::fmt::Write as _;

use fast_qr::{ECL, QRBuilder};

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
