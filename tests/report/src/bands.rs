//! Stretches of the horizontal axis that have a name, as shaded bands; the names stand above the plot.
//!
//! A name keeps clear of the others and of the edges: it moves up a row, or it is cut, or it is left out. Pointing at the bar at
//! the head of the band always shows it.

use super::Span;
use super::axis::Ruler;
use super::draw::{Drawing, breadth, fitted};
use super::plot::Frame;

/// Of a row of names.
pub(super) const ROW_HEIGHT: f64 = 17.0;

/// More rows would take the room from the drawing.
const ROWS: usize = 3;

/// Of the bar at the head of a band, which is seen even if areas cover the rest.
pub(super) const BAR_HEIGHT: f64 = 4.0;

/// From one name to the next in the same row.
const SPACE: f64 = 10.0;

/// A band as it is drawn, in pixels.
#[derive(Debug)]
pub(super) struct Band<'a> {
    span: &'a Span,
    from: f64,
    to: f64,
    /// Whether it is shaded lighter, as it begins where one that is not ends.
    light: bool,
    name: Option<Name>,
}

#[derive(Debug)]
struct Name {
    text: String,
    /// The middle of it.
    x: f64,
    row: usize,
}

/// The bands of a plot that is as wide as given, and how many rows of names there are.
pub(super) fn laid_out<'a>(
    spans: &'a [Span],
    ruler: &Ruler,
    left: f64,
    width: f64,
) -> (Vec<Band<'a>>, usize) {
    let edge = |value: f64| ruler.share(value.clamp(-1e300, 1e300)).map(|share| left + share * width);
    let mut taken: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut bands = Vec::new();
    for span in spans {
        let Some((from, to)) = edge(span.from).zip(edge(span.to)) else { continue };
        let outside = to <= from && span.from < span.to;
        if to < from || outside {
            continue;
        }
        let name = named(&span.name, (from, to), (left, left + width), &mut taken);
        let light =
            bands.last().is_some_and(|before: &Band<'_>| !before.light && (from - before.to).abs() < 1.0);
        bands.push(Band { span, from, to, light, name });
    }
    (bands, taken.len())
}

/// Finds a place for a name, lowest row first, and takes it.
fn named(text: &str, band: (f64, f64), plot: (f64, f64), taken: &mut Vec<Vec<(f64, f64)>>) -> Option<Name> {
    let text = fitted(text, (plot.1 - plot.0) / 2.0);
    let half = breadth(&text) / 2.0;
    let middle = f64::midpoint(band.0, band.1).min(plot.1 - half).max(plot.0 + half);
    let found =
        taken.iter().enumerate().find_map(|(row, names)| Some((row, free_place(names, middle, half, band)?)));
    let (row, x) = found.unwrap_or((taken.len(), middle));
    if text.is_empty() || row >= ROWS {
        return None;
    }
    if row == taken.len() {
        taken.push(Vec::new());
    }
    taken[row].push((x - half, x + half));
    Some(Name { text, x, row })
}

/// In the middle of the band if a row of names has room for it there, or else elsewhere in the band.
fn free_place(names: &[(f64, f64)], middle: f64, half: f64, band: (f64, f64)) -> Option<f64> {
    let free = |x: f64| {
        names.iter().all(|(from, to)| x + half + SPACE <= *from + 1e-9 || *to + SPACE <= x - half + 1e-9)
    };
    let further =
        names.iter().map(|(_, to)| to + SPACE + half).filter(|x| band.0 <= x - half && x + half <= band.1);
    [middle].into_iter().chain(further).find(|x| free(*x))
}

/// Draws where they begin and end; over the series, which would hide it.
pub(super) fn draw_edges(drawing: &mut Drawing, bands: &[Band<'_>], frame: &Frame) {
    for x in bands.iter().flat_map(|band| [band.from, band.to]) {
        drawing.line("edge", (x, frame.top), (x, frame.bottom()));
    }
}

/// Draws the bands: neighbours in two shades, each with a bar at its head that shows its name.
pub(super) fn draw(drawing: &mut Drawing, bands: &[Band<'_>], frame: &Frame) {
    for band in bands {
        let shade = if band.light { " light" } else { "" };
        let width = (band.to - band.from).max(1.0);
        drawing.rect(&format!("band{shade}"), (band.from, frame.top), (width, frame.height), "");
        let bar = (band.from, frame.top - BAR_HEIGHT - 1.0);
        drawing.rect(&format!("bar{shade}"), bar, (width, BAR_HEIGHT), &band.span.name);
        let Some(name) = &band.name else { continue };
        let row = f64::from(u32::try_from(name.row).unwrap_or(0));
        drawing.text("band-name", "middle", (name.x, frame.top - 10.0 - row * ROW_HEIGHT), &name.text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scale;
    use super::*;

    fn laid_out_over_a_hundred(spans: &[(f64, f64, &str)]) -> String {
        let span = |(from, to, name): &(f64, f64, &str)| Span { from: *from, to: *to, name: (*name).into() };
        let spans: Vec<Span> = spans.iter().map(span).collect();
        let ruler = Ruler::exact(Scale::Linear, [0.0, 100.0].into_iter()).unwrap();
        let (bands, rows) = laid_out(&spans, &ruler, 0.0, 300.0);
        let line = |band: &Band<'_>| match &band.name {
            Some(name) => format!("{:.0}-{:.0} {} in row {}\n", band.from, band.to, name.text, name.row),
            None => format!("{:.0}-{:.0} without a name\n", band.from, band.to),
        };
        format!("{}{rows} rows", bands.iter().map(line).collect::<String>())
    }

    #[test]
    fn names_that_would_touch_go_up_a_row_until_there_is_none() {
        let crowd = [(10.0, 12.0, "outage 1"), (12.0, 14.0, "outage 2"), (14.0, 16.0, "outage 3")];
        assert_eq!(
            laid_out_over_a_hundred(&[&crowd[..], &[(16.0, 18.0, "outage 4"), (80.0, 90.0, "end")]].concat()),
            "30-36 outage 1 in row 0\n36-42 outage 2 in row 1\n42-48 outage 3 in row 2\n\
             48-54 without a name\n240-270 end in row 0\n3 rows"
        );
    }

    #[test]
    fn a_name_moves_within_its_band_before_it_goes_up_a_row() {
        let ruler = Ruler::exact(Scale::Linear, [0.0, 100.0].into_iter()).unwrap();
        let span = |from, to, name: &str| Span { from, to, name: name.into() };
        let spans =
            [span(0.0, 30.0, "ramp"), span(50.0, 52.0, "host stalled"), span(52.0, 100.0, "afterwards")];
        let (bands, rows) = laid_out(&spans, &ruler, 0.0, 300.0);
        let [first, second] = [1, 2].map(|at| bands[at].name.as_ref().unwrap());
        assert_eq!(rows, 1);
        assert_eq!(
            [0, 1, 2].map(|at| bands[at].light),
            [false, false, true],
            "only what touches is told apart"
        );
        assert!(
            first.x + breadth(&first.text) / 2.0 + SPACE <= second.x - breadth(&second.text) / 2.0 + 1e-9
        );
    }

    #[test]
    fn a_band_beyond_the_axis_ends_with_it_and_an_impossible_one_is_left_out() {
        assert_eq!(
            laid_out_over_a_hundred(&[
                (50.0, f64::INFINITY, "away"),
                (f64::NAN, 9.0, "never"),
                (101.0, 110.0, "later"),
                (9.0, 3.0, "backwards")
            ]),
            "150-300 away in row 0\n1 rows"
        );
    }

    #[test]
    fn a_name_stays_inside_the_plot() {
        let spans = [Span { from: 0.0, to: 1.0, name: "a rather long name".into() }];
        let ruler = Ruler::exact(Scale::Linear, [0.0, 100.0].into_iter()).unwrap();
        let (bands, _) = laid_out(&spans, &ruler, 40.0, 300.0);
        let name = bands[0].name.as_ref().unwrap();
        assert!(name.x - breadth(&name.text) / 2.0 >= 40.0);
    }
}
