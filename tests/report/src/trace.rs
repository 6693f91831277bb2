//! From series to what is drawn of them: stacked if need be, placed by the rulers, and thinned.
//!
//! A [`Trace`] is in shares of the axes, from 0 to 1; `plot` turns it into lines and areas.

use super::axis::Ruler;
use super::{Chart, Form, Series, thin};

/// A point of a series as it is drawn: its own value, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    /// Where its band begins, in a stack.
    pub(super) base: f64,
    /// Its value, with all below it in a stack. Not a number at a gap.
    pub(super) top: f64,
}

/// The points of a series, in shares of the axes.
#[derive(Debug)]
pub(super) struct Trace<'a> {
    pub(super) series: &'a Series,
    pub(super) points: Vec<Point>,
}

/// The points of every series, in their own numbers, one series on the other where the chart wants it.
pub(super) fn values(chart: &Chart) -> Vec<Vec<Point>> {
    match chart.form {
        Form::Lines | Form::Steps => {
            let point = |(x, y): &(f64, f64)| Point { x: *x, base: 0.0, top: *y };
            chart.series.iter().map(|series| series.points.iter().map(point).collect()).collect()
        }
        Form::Stacked => stacked(&chart.series),
    }
}

/// The traces of a chart, none with more points than a drawing can show.
pub(super) fn traces<'a>(chart: &'a Chart, values: &[Vec<Point>], x: &Ruler, y: &Ruler) -> Vec<Trace<'a>> {
    let mut all: Vec<Vec<Point>> = values.iter().map(|points| placed(points, x, y)).collect();
    match chart.form {
        Form::Lines | Form::Steps => {
            for points in &mut all {
                let tops: Vec<f64> = points.iter().map(|point| point.top).collect();
                *points = picked(points, &thin::kept(&places(points), &[&tops]));
            }
        }
        Form::Stacked => thin_stack(&mut all),
    }
    chart.series.iter().zip(all).map(|(series, points)| Trace { series, points }).collect()
}

/// All layers lose the same points, or they would no longer lie on each other.
fn thin_stack(layers: &mut [Vec<Point>]) {
    let Some(last) = layers.last() else { return };
    let total: Vec<f64> = last.iter().map(|point| point.top).collect();
    let own = layers.iter().map(|points| points.iter().map(|point| point.top - point.base).collect());
    let lines: Vec<Vec<f64>> = own.chain([total]).collect();
    let lines: Vec<&[f64]> = lines.iter().map(Vec::as_slice).collect();
    let kept = thin::kept(&places(last), &lines);
    for points in layers {
        *points = picked(points, &kept);
    }
}

fn places(points: &[Point]) -> Vec<f64> {
    points.iter().map(|point| point.x).collect()
}

fn picked(points: &[Point], kept: &[usize]) -> Vec<Point> {
    kept.iter().map(|at| points[*at]).collect()
}

/// In shares of the axes. A point without a place in time is left out, one without a height is a gap.
fn placed(points: &[Point], x: &Ruler, y: &Ruler) -> Vec<Point> {
    let place = |point: &Point| {
        let top = y.share(point.top).unwrap_or(f64::NAN);
        Some(Point { x: x.share(point.x)?, base: y.share(point.base).unwrap_or(0.0), top })
    };
    points.iter().filter_map(place).collect()
}

/// One layer on the other, over all x values that any series has. A value that is missing or below zero counts as none; where
/// all are missing is a gap.
fn stacked(series: &[Series]) -> Vec<Vec<Point>> {
    let mut grid: Vec<f64> = series.iter().flat_map(|series| &series.points).map(|(x, _)| *x).collect();
    grid.retain(|x| x.is_finite());
    grid.sort_unstable_by(f64::total_cmp);
    grid.dedup();
    let columns: Vec<Vec<f64>> = series.iter().map(|series| aligned(series, &grid)).collect();
    let mut height: Vec<f64> = (0..grid.len())
        .map(|at| if columns.iter().any(|column| column[at].is_finite()) { 0.0 } else { f64::NAN })
        .collect();
    let mut layers = Vec::with_capacity(series.len());
    for column in columns {
        let layer = |((x, base), value): ((&f64, &mut f64), f64)| {
            let from = *base;
            *base += if value.is_finite() { value.max(0.0) } else { 0.0 };
            Point { x: *x, base: from, top: *base }
        };
        layers.push(grid.iter().zip(&mut height).zip(column).map(layer).collect());
    }
    layers
}

/// The values of a series at the places of the grid; not a number where it has none.
fn aligned(series: &Series, grid: &[f64]) -> Vec<f64> {
    let mut points = series.points.iter().filter(|(x, _)| x.is_finite()).peekable();
    let mut value_at = |place: &f64| {
        let mut value = f64::NAN;
        while let Some((_, y)) = points.next_if(|(x, _)| x <= place) {
            value = *y;
        }
        value
    };
    grid.iter().map(&mut value_at).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Mood;
    use super::*;

    fn series(points: &[(f64, f64)]) -> Series {
        Series { name: "s".into(), mood: Mood::Good, points: points.to_vec() }
    }

    fn tops(layer: &[Point]) -> String {
        let text = |point: &Point| format!("{}:{}-{} ", point.x, point.base, point.top);
        layer.iter().map(text).collect()
    }

    #[test]
    fn a_layer_stands_on_the_one_before() {
        let layers = stacked(&[series(&[(0.0, 1.0), (1.0, 2.0)]), series(&[(0.0, 10.0), (1.0, 20.0)])]);
        assert_eq!(tops(&layers[0]), "0:0-1 1:0-2 ");
        assert_eq!(tops(&layers[1]), "0:1-11 1:2-22 ");
    }

    #[test]
    fn a_missing_value_counts_as_none_and_a_gap_is_where_all_are_missing() {
        let nan = f64::NAN;
        let layers = stacked(&[
            series(&[(0.0, 1.0), (1.0, nan), (2.0, nan)]),
            series(&[(0.0, f64::INFINITY), (1.0, -4.0), (2.0, nan), (3.0, 5.0)]),
        ]);
        assert_eq!(tops(&layers[0]), "0:0-1 1:0-0 2:NaN-NaN 3:0-0 ");
        assert_eq!(tops(&layers[1]), "0:1-1 1:0-0 2:NaN-NaN 3:0-5 ");
    }
}
