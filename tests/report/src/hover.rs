//! The values that a browser shows when the reader points at a place of a chart. It needs no script.
//!
//! The plot is covered by upright strips that cannot be seen; the title of each tells the values in it, all of them and
//! not only those that were drawn.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::axis::Ruler;
use super::draw::Drawing;
use super::plot::Frame;
use super::{Axis, Chart, Scale, Span};
use crate::figures::{figure, percent};

/// More strips would be too narrow to point at.
const STRIPS: f64 = 120.0;

/// The lowest and the highest of some values.
#[derive(Clone, Copy, Debug)]
struct Reach {
    low: f64,
    high: f64,
}

/// What lies in a strip: where, and the values of each series by its number.
#[derive(Debug)]
struct Strip {
    /// Of the values on the axis.
    place: Reach,
    /// Of the drawing, in shares.
    share: Reach,
    values: BTreeMap<usize, Reach>,
}

/// Covers the plot.
pub(super) fn draw(drawing: &mut Drawing, chart: &Chart, ruler: &Ruler, frame: &Frame) {
    let strips: Vec<Strip> = strips(chart, ruler).into_values().collect();
    let middle = |at: usize| f64::midpoint(strips[at].share.high, strips[at + 1].share.low);
    for (at, strip) in strips.iter().enumerate() {
        let from = if at == 0 { 0.0 } else { middle(at - 1) };
        let to = if at + 1 == strips.len() { 1.0 } else { middle(at) };
        let size = ((to - from) * frame.width, frame.height);
        drawing.rect("strip", (frame.x(from), frame.top), size, &title(strip, chart));
    }
}

fn strips(chart: &Chart, ruler: &Ruler) -> BTreeMap<u32, Strip> {
    let mut strips: BTreeMap<u32, Strip> = BTreeMap::new();
    for (nth, series) in chart.series.iter().enumerate() {
        for (x, y) in series.points.iter().filter(|(_, y)| y.is_finite()) {
            let Some(share) = ruler.share(*x) else { continue };
            let strip = strips.entry(number(share)).or_insert_with(|| Strip {
                place: Reach::of(*x),
                share: Reach::of(share),
                values: BTreeMap::new(),
            });
            strip.place.take_in(*x);
            strip.share.take_in(share);
            strip.values.entry(nth).or_insert(Reach::of(*y)).take_in(*y);
        }
    }
    strips
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
fn number(share: f64) -> u32 {
    (share * STRIPS) as u32
}

impl Reach {
    fn of(value: f64) -> Reach {
        Reach { low: value, high: value }
    }

    fn take_in(&mut self, value: f64) {
        (self.low, self.high) = (self.low.min(value), self.high.max(value));
    }

    fn written(self, scale: Scale) -> String {
        let [low, high] = [self.low, self.high].map(|value| match scale {
            Scale::Linear | Scale::Log => figure(value),
            Scale::Nines => percent(value),
        });
        if low == high { low } else { format!("{low} to {high}") }
    }
}

/// The place, the bands it lies in, and a line for each series, uppermost first.
fn title(strip: &Strip, chart: &Chart) -> String {
    let Axis { label, scale } = &chart.x;
    let mut title = format!("{label}: {}", strip.place.written(*scale));
    let inside = |span: &&Span| span.from <= strip.place.high && strip.place.low < span.to;
    for span in chart.spans.iter().filter(inside) {
        write!(title, "\n{}", span.name).expect("a string takes all that is written");
    }
    for (nth, reach) in strip.values.iter().rev() {
        let written = reach.written(chart.y.scale);
        write!(title, "\n{}: {written}", chart.series[*nth].name)
            .expect("a string takes all that is written");
    }
    title
}

#[cfg(test)]
mod tests {
    use super::super::{Form, Mood, Series};
    use super::*;

    #[test]
    fn a_strip_tells_the_values_in_it_from_the_lowest_to_the_highest() {
        let axis = |label: &str| Axis { label: label.into(), scale: Scale::Linear };
        let points = vec![(0.0, 4.0), (0.1, 1250.0), (50.0, f64::NAN), (100.0, 7.5)];
        let spans = vec![Span { from: 0.0, to: 30.0, name: "ramp".into() }];
        let series = Series { name: "asks".into(), mood: Mood::Good, points };
        let chart =
            Chart { form: Form::Lines, x: axis("time, s"), y: axis("asks"), series: vec![series], spans };
        let ruler = Ruler::exact(Scale::Linear, [0.0, 100.0].into_iter()).unwrap();
        let titles: Vec<String> = strips(&chart, &ruler).values().map(|strip| title(strip, &chart)).collect();
        assert_eq!(titles, ["time, s: 0 to 0.1\nramp\nasks: 4 to 1,250", "time, s: 100\nasks: 7.5"]);
    }
}
