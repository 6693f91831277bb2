//! A report: what a run has found, on one page that needs nothing but a browser.
//!
//! [`Page`] says what stands on it, in words and numbers; how it is drawn is the affair of `html` and `chart`. `load` and
//! `fleet` each make a page of their results, and know nothing of SVG.

pub(crate) mod html;

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
mod samples;

/// One report.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The heading, and the title of the browser's tab.
    pub(crate) title: String,
    /// One or two sentences: what was done, and to whom.
    pub(crate) lead: String,
    /// What a reader in a hurry takes home.
    pub(crate) verdict: Verdict,
    /// The few figures that matter most, in large type.
    pub(crate) tiles: Vec<Tile>,
    /// All else, in order.
    pub(crate) sections: Vec<Section>,
    /// How it came about: settings, seed, versions. Name and value.
    pub(crate) facts: Vec<(String, String)>,
}

/// Whether all is well, and what is not.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) mood: Mood,
    /// In one sentence.
    pub(crate) headline: String,
    /// The errors or remarks, one sentence each.
    pub(crate) remarks: Vec<String>,
}

/// How something is to be taken: it chooses the colour, never the only sign of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    /// Worth a look.
    Warning,
    Bad,
    /// Neither good nor bad; the number chooses among colours that are told apart.
    Plain(u8),
}

/// A figure in large type.
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    pub(crate) label: String,
    /// With its unit: `12.4 ms`.
    pub(crate) value: String,
    /// What it is measured against, or nothing.
    pub(crate) note: String,
}

/// A heading, some words, a drawing or a table.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) heading: String,
    /// What the reader sees in it, in one or two sentences. May be empty.
    pub(crate) text: String,
    pub(crate) body: Body,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Chart(Chart),
    Table(Table),
}

/// Columns with their heads; every row has as many cells. The first column is text, the others are aligned right.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Series over one horizontal axis.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) form: Form,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    /// Stretches of the horizontal axis that have a name: a phase, an outage.
    pub(crate) spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A line for each series.
    Lines,
    /// A filled band for each series, the first lowest; all have the same x values, or a missing one counts as none.
    Stacked,
    /// A step for each value that holds until the next, and the last to the end: a threshold is a single point.
    Steps,
}

#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// With its unit: `time, s`.
    pub(crate) label: String,
    pub(crate) scale: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From zero.
    Linear,
    /// In powers of ten; values that are not above zero are left out.
    Log,
    /// Shares, spread so that 0.9, 0.99, 0.999 are equally far apart, and one at the end: for the distribution of latencies.
    Nines,
}

#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) mood: Mood,
    /// (x, y), x ascending. A y that is endless or not a number is a gap. As many as you like: what is too much is thinned.
    pub(crate) points: Vec<(f64, f64)>,
}

/// From one x to another; what lies beyond the points is cut off.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) name: String,
}
