//! The table at the end of the demo: what was to be, what was read back, and from where.

/// Lines that each compare one thing that was read back with what it should be.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Line>);

#[derive(Debug)]
struct Line {
    what: &'static str,
    wanted: String,
    found: String,
    source: &'static str,
    holds: bool,
}

impl Table {
    /// A line that holds if both are the same.
    pub(crate) fn equal<T: PartialEq + ToString>(
        &mut self,
        what: &'static str,
        source: &'static str,
        wanted: T,
        found: T,
    ) {
        let holds = wanted == found;
        self.0.push(Line { what, wanted: wanted.to_string(), found: found.to_string(), source, holds });
    }

    /// A line that holds if `found` is at least `least`.
    pub(crate) fn at_least(&mut self, what: &'static str, source: &'static str, least: u64, found: u64) {
        let wanted = format!(">= {least}");
        self.0.push(Line { what, wanted, found: found.to_string(), source, holds: least <= found });
    }

    /// Whether every line holds.
    pub(crate) fn holds(&self) -> bool {
        self.0.iter().all(|line| line.holds)
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let widest = |text: fn(&Line) -> &str| self.0.iter().map(|line| text(line).len()).max().unwrap_or(0);
        let (what, wanted) = (widest(|line| line.what), widest(|line| &line.wanted).max(6));
        let found = widest(|line| &line.found).max(5);
        writeln!(f, "     {:what$}  {:>wanted$}  {:>found$}  read back from", "", "wanted", "found")?;
        for line in &self.0 {
            let mark = if line.holds { "ok " } else { "NO " };
            let Line { what: name, wanted: want, found: is, source, .. } = line;
            writeln!(f, "{mark}  {name:what$}  {want:>wanted$}  {is:>found$}  {source}")?;
        }
        Ok(())
    }
}
