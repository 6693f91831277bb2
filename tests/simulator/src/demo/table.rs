//! The table at the end of the demo: what was to be, what was read back, and from where.

/// Lines that each compare one thing that was read back with what it should be.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<[String; 5]>,
    fails: bool,
}

impl Table {
    /// A line that holds if both are the same.
    pub(crate) fn equal<T: PartialEq + ToString>(&mut self, what: &str, source: &str, wanted: T, found: T) {
        self.line(wanted == found, what, wanted.to_string(), found.to_string(), source);
    }

    /// A line that holds if `found` is at least `least`.
    pub(crate) fn at_least(&mut self, what: &str, source: &str, least: u64, found: u64) {
        self.line(least <= found, what, format!(">= {least}"), found.to_string(), source);
    }

    fn line(&mut self, holds: bool, what: &str, wanted: String, found: String, source: &str) {
        self.fails |= !holds;
        let mark = if holds { "ok" } else { "NO" };
        self.rows.push([mark.to_owned(), what.to_owned(), wanted, found, source.to_owned()]);
    }

    /// Whether every line holds.
    pub(crate) fn holds(&self) -> bool {
        !self.fails
    }

    /// The lines, for a terminal.
    pub(crate) fn printed(&self) -> String {
        let head = ["", "", "wanted", "found", "read back from"];
        report::Table::of(head, self.rows.iter().cloned()).printed(&[0, 1, 4])
    }
}
