//! Draws the traces of a chart: lines, steps and areas, with the names of them at their ends.

use super::draw::{Drawing, breadth, fitted};
use super::trace::{Point, Trace};
use super::{Form, Mood};

/// From one name to the next below it.
const LINE_HEIGHT: f64 = 16.0;

/// The widest a name at the end of a line may be.
const NAME_ROOM: f64 = 190.0;

/// From the plot to the names: the way of the leader, and the swatch.
const NAME_INDENT: f64 = 30.0;

/// The part of a drawing between its axes, in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Frame {
    pub(super) fn x(&self, share: f64) -> f64 {
        self.left + share * self.width
    }

    /// Upwards, unlike SVG.
    pub(super) fn y(&self, share: f64) -> f64 {
        self.bottom() - share * self.height
    }

    pub(super) fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// The class that gives a series its colour, and a pattern if the colour has been used before it in the same chart.
pub(super) fn class(traces: &[Mood], nth: usize) -> String {
    let before = traces[..nth].iter().filter(|mood| colour(**mood) == colour(traces[nth])).count();
    match before {
        0 => colour(traces[nth]).to_owned(),
        again => format!("{} again{}", colour(traces[nth]), again.min(3)),
    }
}

pub(super) fn colour(mood: Mood) -> &'static str {
    match mood {
        Mood::Good => "good",
        Mood::Warning => "warning",
        Mood::Bad => "bad",
        Mood::Plain(number) => ["p0", "p1", "p2", "p3", "p4"][usize::from(number) % 5],
    }
}

/// Draws them all; what is first lies lowest.
pub(super) fn draw(drawing: &mut Drawing, form: Form, traces: &[Trace<'_>], frame: &Frame) {
    let moods: Vec<Mood> = traces.iter().map(|trace| trace.series.mood).collect();
    for (nth, trace) in traces.iter().enumerate() {
        let class = class(&moods, nth);
        match form {
            Form::Lines => lines(drawing, &class, &trace.points, frame),
            Form::Steps => steps(drawing, &class, &trace.points, frame),
            Form::Stacked => areas(drawing, &class, &trace.points, frame),
        }
    }
}

fn lines(drawing: &mut Drawing, class: &str, points: &[Point], frame: &Frame) {
    for run in points.split(|point| point.top.is_nan()) {
        let corner = |point: &Point| (frame.x(point.x), frame.y(point.top));
        match run {
            [] => {}
            // A line needs two ends; a point that stands alone is to be seen all the same.
            [only] => drawing.dot(&format!("dot {class}"), corner(only)),
            run => drawing.path(&format!("line {class}"), run.iter().map(corner)),
        }
    }
}

/// The last value holds until the gap, or until the end of the axis.
fn steps(drawing: &mut Drawing, class: &str, points: &[Point], frame: &Frame) {
    let mut from = 0;
    for run in points.split(|point| point.top.is_nan()) {
        let end = points.get(from + run.len()).map_or(1.0, |gap| gap.x);
        from += run.len() + 1;
        let Some(last) = run.last() else { continue };
        if run.len() == 1 && end - last.x < 1e-9 {
            drawing.dot(&format!("dot {class}"), (frame.x(last.x), frame.y(last.top)));
            continue;
        }
        let next = run.iter().skip(1).map(|point| point.x).chain([end]);
        let corners = run.iter().zip(next).flat_map(|(point, next)| {
            [(frame.x(point.x), frame.y(point.top)), (frame.x(next), frame.y(point.top))]
        });
        drawing.path(&format!("line {class}"), corners);
    }
}

/// Only where there is something: a layer of no height would still be seen by its edge.
fn areas(drawing: &mut Drawing, class: &str, points: &[Point], frame: &Frame) {
    let some = |at: usize| points.get(at).is_some_and(|point| point.top > point.base);
    let shown: Vec<Option<Point>> = points
        .iter()
        .enumerate()
        .map(|(at, point)| {
            let near = some(at) || some(at + 1) || at.checked_sub(1).is_some_and(some);
            (near && !point.top.is_nan()).then_some(*point)
        })
        .collect();
    for run in shown.split(Option::is_none).filter(|run| !run.is_empty()) {
        let run = || run.iter().flatten();
        let up = run().map(|point| (frame.x(point.x), frame.y(point.top)));
        let back = run().rev().map(|point| (frame.x(point.x), frame.y(point.base)));
        let lone = if run().count() == 1 { " lone" } else { "" };
        drawing.path(&format!("area {class}{lone}"), up.chain(back));
    }
}

/// The room that the names need at the right of the plot; `None` if they would not fit over each other.
pub(super) fn room_for_names(names: &[&str], height: f64) -> Option<f64> {
    let lines = f64::from(u32::try_from(names.len()).unwrap_or(u32::MAX));
    let widest = names.iter().map(|name| breadth(name)).fold(0.0, f64::max);
    (lines * LINE_HEIGHT <= height).then_some(NAME_INDENT + widest.min(NAME_ROOM))
}

/// Writes the name of each trace at its end, apart from the others, and leads to it from where it ends.
pub(super) fn names(drawing: &mut Drawing, form: Form, traces: &[Trace<'_>], frame: &Frame) {
    let moods: Vec<Mood> = traces.iter().map(|trace| trace.series.mood).collect();
    let mut ends: Vec<(f64, usize)> =
        traces.iter().enumerate().map(|(nth, trace)| (frame.y(height_at_end(form, trace)), nth)).collect();
    // Of two that end at the same height the later one lies on top, so its name does, too.
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    let wanted: Vec<f64> = ends.iter().map(|(y, _)| *y).collect();
    let (x, half) = (frame.right(), LINE_HEIGHT / 2.0);
    for ((end, nth), y) in ends.iter().zip(spread(&wanted, frame.top + half, frame.bottom() - half)) {
        drawing.line("leader", (x + 2.0, *end), (x + 12.0, y));
        drawing.rect(&format!("swatch {}", class(&moods, *nth)), (x + 14.0, y - 5.0), (10.0, 10.0), "");
        let name = fitted(&traces[*nth].series.name, NAME_ROOM);
        drawing.text("name", "start", (x + NAME_INDENT, y + 4.0), &name);
    }
}

/// The middle of the band, or the line itself, where it ends; at the bottom if it has no points.
fn height_at_end(form: Form, trace: &Trace<'_>) -> f64 {
    let last = trace.points.iter().rev().find(|point| !point.top.is_nan());
    last.map_or(0.0, |point| match form {
        Form::Lines | Form::Steps => point.top,
        Form::Stacked => f64::midpoint(point.base, point.top),
    })
}

/// Moves the heights, ascending, as little as it takes to keep them a line apart and between the two edges.
fn spread(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut least = top;
    let mut heights: Vec<f64> = Vec::with_capacity(wanted.len());
    for height in wanted {
        heights.push(height.max(least));
        least = height.max(least) + LINE_HEIGHT;
    }
    let mut most = bottom;
    for height in heights.iter_mut().rev() {
        *height = height.min(most);
        most = *height - LINE_HEIGHT;
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_apart_and_inside() {
        assert_eq!(spread(&[10.0, 50.0, 90.0], 0.0, 100.0), [10.0, 50.0, 90.0]);
        assert_eq!(spread(&[50.0, 50.0, 51.0], 0.0, 100.0), [50.0, 66.0, 82.0]);
        assert_eq!(spread(&[100.0, 100.0], 0.0, 100.0), [84.0, 100.0]);
    }

    #[test]
    fn a_colour_used_again_gets_a_pattern() {
        let moods = [Mood::Bad, Mood::Plain(1), Mood::Bad, Mood::Plain(6)];
        let classes = (0..4).map(|nth| class(&moods, nth)).collect::<Vec<_>>();
        assert_eq!(classes, ["bad", "p1", "bad again1", "p1 again1"]);
    }
}
