//! CSV for spreadsheets: RFC 4180, without a cell that a spreadsheet would run as a formula.

use shared::print::one_line;

/// A line with these cells.
pub fn row(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let cells: Vec<_> = cells.into_iter().map(|text| cell(text.as_ref())).collect();
    cells.join(",") + "\n"
}

/// A text in a cell. It is one line, and a spreadsheet shows it as it is: whatever begins like a formula gets an apostrophe before it.
fn cell(text: &str) -> String {
    let text = one_line(text);
    let is_formula =
        text.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let apostrophe = if is_formula { "'" } else { "" };
    // RFC 4180: "Fields containing line breaks (CRLF), double quotes, and commas should be enclosed in double-quotes."
    // Some spreadsheets take semicolons for commas.
    if text.contains([',', '"', ';']) {
        format!("\"{apostrophe}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{apostrophe}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_line_in_quotes_where_it_needs_them_and_never_a_formula() {
        let shown = |text: &str| row([text]);
        assert_eq!(row(["a", "", "b c"]), "a,,b c\n");
        assert_eq!(shown("a, b"), "\"a, b\"\n");
        assert_eq!(shown("say \"x\"; go"), "\"say \"\"x\"\"; go\"\n");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\u{ff1d}1"] {
            assert!(shown(formula).starts_with('\''), "{formula:?}: {}", shown(formula));
        }
        assert_eq!(shown("=HYPERLINK(\"http://x\",\"y\")"), "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"\n");
        assert_eq!(shown("a\r\nb").lines().count(), 1);
        assert!(shown("\t=1").lines().count() == 1 && !shown("\t=1").starts_with('='));
    }
}
