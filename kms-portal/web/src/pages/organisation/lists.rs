//! Lists of addresses that come in, as text or CSV, and tables that go out as CSV.
//!
//! A spreadsheet runs what begins with `= + - @`, so no such cell goes out as it came in.

use kms_portal::rules::addresses::Address;

/// How many people one form may name.
pub(super) const PEOPLE_MAX: usize = 100_000;

/// A line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedAddress {
    /// As it was typed; shortened if it is none.
    pub(super) typed: String,
    /// The address, if it is one.
    pub(super) address: Option<Address>,
}

impl ListedAddress {
    fn new(typed: &str) -> ListedAddress {
        let address = Address::new(typed);
        let typed = typed.trim().chars().take(if address.is_some() { usize::MAX } else { 80 }).collect();
        ListedAddress { typed, address }
    }
}

/// The addresses of a text: each between blanks, commas or semicolons.
pub(super) fn of_text(text: &str) -> Vec<ListedAddress> {
    let between = |sign: char| sign.is_whitespace() || matches!(sign, ',' | ';' | '\u{feff}');
    once_each(text.split(between).filter(|part| !part.is_empty()).map(ListedAddress::new))
}

/// The addresses of a CSV file: the first one of each row, whatever its column. Commas, semicolons or tabs separate cells. A first row
/// without an address is the heading.
pub(super) fn of_csv(text: &str) -> Vec<ListedAddress> {
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let separator =
        [b';', b'\t', b','].into_iter().max_by_key(|sign| head.bytes().filter(|byte| byte == sign).count());
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).delimiter(separator.unwrap_or(b','));
    let mut listed = Vec::new();
    for (row, record) in reader.from_reader(text.as_bytes()).into_byte_records().enumerate() {
        let Ok(record) = record else { continue };
        let cells: Vec<_> = record.iter().map(String::from_utf8_lossy).collect();
        let found = cells.iter().find(|cell| Address::new(cell).is_some());
        let filled = cells.iter().find(|cell| !cell.trim().is_empty());
        match (found, filled) {
            (Some(address), _) => listed.push(ListedAddress::new(address)),
            (None, Some(cell)) if row != 0 => listed.push(ListedAddress::new(cell)),
            _ => {}
        }
    }
    once_each(listed)
}

/// Each address once, where it came first.
fn once_each(listed: impl IntoIterator<Item = ListedAddress>) -> Vec<ListedAddress> {
    let mut known = std::collections::BTreeSet::new();
    let is_new = |one: &ListedAddress| {
        known.insert(one.address.as_ref().map_or_else(|| one.typed.clone(), ToString::to_string))
    };
    listed.into_iter().filter(is_new).take(PEOPLE_MAX + 1).collect()
}

/// A table as CSV, with a mark by which spreadsheets know its encoding.
pub(super) fn csv<'a>(rows: impl IntoIterator<Item = Vec<&'a str>>) -> String {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.into_iter().map(harmless)).expect("a vector takes every row");
    }
    let bytes = writer.into_inner().expect("a vector takes every row");
    format!("\u{feff}{}", String::from_utf8_lossy(&bytes))
}

/// A cell that no spreadsheet runs.
fn harmless(cell: &str) -> String {
    let runs = cell.trim_start().starts_with(['=', '+', '-', '@']) || cell.starts_with(['\t', '\r', '\n']);
    if runs { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(listed: &[ListedAddress]) -> Vec<&str> {
        listed.iter().map(|one| one.typed.as_str()).collect()
    }

    #[test]
    fn a_file_of_a_spreadsheet_is_read_with_its_mark_and_its_separator() {
        let german = "\u{feff}Name;Adresse\r\n\"Vries; Ann\";Ann@example.com\r\n;\r\nBob;bob@example.com\r\n";
        assert_eq!(typed(&of_csv(german)), ["Ann@example.com", "bob@example.com"]);
        assert_eq!(
            typed(&of_csv("ann@example.com,=cmd()\nbob@example.com,2\n")),
            ["ann@example.com", "bob@example.com"]
        );
        assert_eq!(typed(&of_csv("ann@example.com")), ["ann@example.com"], "without a heading");
    }

    #[test]
    fn a_row_without_an_address_is_told_and_an_address_is_taken_once() {
        let listed = of_csv("address\nann@example.com\n=cmd()\nANN@example.com\n");
        assert_eq!(typed(&listed), ["ann@example.com", "=cmd()"]);
        assert_eq!(listed[1].address, None);
        assert_eq!(
            typed(&of_text("ann@example.com, bob@example.com;\n\tann@example.com eve")),
            ["ann@example.com", "bob@example.com", "eve"]
        );
    }

    #[test]
    fn no_cell_goes_out_as_a_formula() {
        let out = csv([vec!["=cmd()", "+1", "-1", "@x", " =1", "a=b", "Vries, Ann"]]);
        assert_eq!(out, "\u{feff}'=cmd(),'+1,'-1,'@x,' =1,a=b,\"Vries, Ann\"\n");
    }
}
