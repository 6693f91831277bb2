//! A report: what a run has found, on one page that needs nothing but a browser.
//!
//! [`Page`] says what is on it, in words and numbers; `html` and `chart` draw it. The simulator's `load` and `fleet` each
//! make a page of their results, and know nothing of SVG. Nothing that ships depends on it.

pub mod figures;
pub mod html;

mod chart;

mod axis;
mod bands;
mod hover;
mod plot;
mod thin;
mod ticks;
mod trace;

mod draw;

#[cfg(test)]
mod testing;

use comfy_table::{CellAlignment, presets};

/// One report.
#[derive(Clone, Debug)]
pub struct Page {
    /// The heading, and the title of the browser's tab.
    pub title: String,
    /// One or two sentences: what was measured, and where.
    pub lead: String,
    /// The result in a sentence.
    pub verdict: Verdict,
    /// The few figures that matter most, in large type.
    pub tiles: Vec<Tile>,
    /// All else, in order.
    pub sections: Vec<Section>,
    /// Settings, seed, versions: name and value.
    pub facts: Vec<(&'static str, String)>,
}

/// Whether all is well, and what is wrong.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Good or bad.
    pub mood: Mood,
    /// In one sentence.
    pub headline: String,
    /// The errors or remarks, one sentence each.
    pub remarks: Vec<String>,
}

/// Good or bad news. It chooses the colour, which is never the only sign of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// All is well.
    Good,
    /// Worth a look.
    Warning,
    /// Something is wrong.
    Bad,
    /// Neither good nor bad; the number chooses one of several colours.
    Plain(u8),
}

/// A figure in large type.
#[derive(Clone, Debug)]
pub struct Tile {
    /// What it is.
    pub label: String,
    /// With its unit: `12.4 ms`.
    pub value: String,
    /// What it is measured against, or nothing.
    pub note: String,
}

impl Tile {
    /// A figure with its label and a note.
    pub fn new(label: impl Into<String>, value: impl Into<String>, note: impl Into<String>) -> Tile {
        Tile { label: label.into(), value: value.into(), note: note.into() }
    }
}

/// A heading, some words, a drawing or a table.
#[derive(Clone, Debug)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// What the reader sees in it, in one or two sentences. May be empty.
    pub text: String,
    /// The drawing or the table.
    pub body: Body,
}

/// What a section shows.
#[derive(Clone, Debug)]
pub enum Body {
    /// A drawing.
    Chart(Chart),
    /// A table.
    Table(Table),
}

/// Columns with their heads; every row has as many cells. On a page the first column is text, the others are aligned right.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The heads of the columns.
    pub head: Vec<String>,
    /// The cells.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this head and these rows.
    pub fn of<'a>(
        head: impl IntoIterator<Item = &'a str>,
        rows: impl IntoIterator<Item: IntoIterator<Item = String>>,
    ) -> Table {
        Table {
            head: head.into_iter().map(str::to_owned).collect(),
            rows: rows.into_iter().map(|row| row.into_iter().collect()).collect(),
        }
    }

    /// The table for a terminal, without the last line's end. These columns are text, the others are aligned right.
    pub fn printed(&self, texts: &[usize]) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_header(&self.head).add_rows(&self.rows);
        for (nth, column) in table.column_iter_mut().enumerate() {
            if nth == 0 {
                column.set_padding((0, 1));
            }
            if !texts.contains(&nth) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n")
    }
}

/// Series over one horizontal axis.
#[derive(Clone, Debug)]
pub struct Chart {
    /// How the series are drawn.
    pub form: Form,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
    /// Stretches of the horizontal axis that have a name: a phase, an outage.
    pub spans: Vec<Span>,
}

/// How the series of a chart are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A line for each series.
    Lines,
    /// A filled band for each series, the first lowest; all have the same x values, or a missing one counts as none.
    Stacked,
    /// A step for each value that holds until the next, and the last to the end: a threshold is a single point.
    Steps,
}

/// One axis of a chart.
#[derive(Clone, Debug)]
pub struct Axis {
    /// With its unit: `time, s`.
    pub label: String,
    /// How its values are spread.
    pub scale: Scale,
}

/// How the values of an axis are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// From zero.
    Linear,
    /// In powers of ten; values that are not above zero are left out.
    Log,
    /// Shares, spread so that 0.9, 0.99, 0.999 are equally far apart, and one at the end: for the distribution of latencies.
    Nines,
}

/// Points that belong together.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name, drawn beside it.
    pub name: String,
    /// Its colour.
    pub mood: Mood,
    /// (x, y), x ascending. A y that is endless or not a number is a gap. As many as you like: what is too much is thinned.
    pub points: Vec<(f64, f64)>,
}

/// From one x to another; what lies beyond the points is cut off.
#[derive(Clone, Debug)]
pub struct Span {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Its name.
    pub name: String,
}
