//! Tables on standard output: as wide as the terminal. If standard output is no terminal, each row is one line.

use std::io::{self, IsTerminal as _};

use comfy_table::{ContentArrangement, Table, presets};
use shared::print::one_line;

/// The number of columns of the terminal, or none if standard output is not a terminal.
pub fn columns() -> Option<u16> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(&stdout).ok().map(|size| size.ws_col).filter(|columns| 0 < *columns)
}

/// A table that fits the terminal. If standard output is no terminal, each row is one line, for `grep`. No line ends with blanks.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    table_in(columns(), head, rows)
}

fn table_in(columns: Option<u16>, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(columns) = columns {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns);
    }
    table.set_header(head.to_vec());
    for row in rows {
        table.add_row(row.iter().map(one_line));
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_unless_it_would_be_wider_than_the_terminal() {
        let row = || [vec!["3F8K-9QWX".to_owned(), "a note of many words ".repeat(6)]];
        assert_eq!(table_in(None, &["number", "note"], row()).lines().count(), 2);
        let narrow = table_in(Some(80), &["number", "note"], row());
        assert!(
            2 < narrow.lines().count() && narrow.lines().all(|line| line.chars().count() <= 80),
            "{narrow}"
        );
    }
}
