//! The layout of one chart: what stands where, and how much room each part needs.
//!
//! Every chart is drawn twice, wide for screens and paper and narrow for phones, and `style.css` shows one of the two:
//! letters that shrink with a drawing cannot be read. The series are drawn by `plot`, the bands by `bands`.

use super::axis::{Ruler, Tick};
use super::draw::{Drawing, breadth, escape, fitted};
use super::plot::{Frame, class, names, room_for_names};
use super::trace::{Trace, traces, values};
use super::{Chart, Form, Mood, bands, hover, plot};

/// Steps of the vertical axis.
const Y_STEPS: u32 = 5;

/// Above the plot, for the label of the vertical axis.
const HEAD: f64 = 30.0;

/// Below the plot, for the ticks and the label of the horizontal axis.
const FOOT: f64 = 44.0;

/// From one label of a tick to the next.
const TICK_SPACE: f64 = 14.0;

/// What a chart without points says.
pub(super) const NOTHING: &str = "<p class=\"nothing\">Nothing to show.</p>\n";

/// One of the two drawings of a chart.
#[derive(Clone, Copy, Debug)]
struct Variant {
    class: &'static str,
    width: f64,
    height: f64,
    /// Whether there is room to name the series at their ends, and a mouse to point with.
    desk: bool,
}

const WIDE: Variant = Variant { class: "wide", width: 880.0, height: 330.0, desk: true };
const NARROW: Variant = Variant { class: "narrow", width: 340.0, height: 270.0, desk: false };

/// The chart as HTML: a legend and the two drawings.
pub(super) fn render(chart: &Chart, heading: &str) -> String {
    let values = values(chart);
    let points = || values.iter().flatten();
    // A gap takes time, too: charts of the same run end at the same instant.
    let x = Ruler::exact(chart.x.scale, points().map(|point| point.x).filter(|x| x.is_finite()));
    let y = Ruler::rounded(chart.y.scale, points().map(|point| point.top), Y_STEPS);
    let Some((x, y)) = x.zip(y) else { return NOTHING.into() };
    let traces = traces(chart, &values, &x, &y);
    if traces.iter().flat_map(|trace| &trace.points).all(|point| point.top.is_nan()) {
        return NOTHING.into();
    }
    let label = spoken(chart, heading);
    let plan = Plan { chart, traces: &traces, x: &x, y: &y, label: &label };
    format!("{}{}{}", legend(chart), plan.drawn(WIDE), plan.drawn(NARROW))
}

/// All that both drawings of a chart need.
struct Plan<'a> {
    chart: &'a Chart,
    traces: &'a [Trace<'a>],
    x: &'a Ruler,
    y: &'a Ruler,
    label: &'a str,
}

impl Plan<'_> {
    fn drawn(&self, variant: Variant) -> String {
        let mut drawing = Drawing::new(variant.class, (variant.width, variant.height), self.label);
        let y_ticks = self.y.ticks(Y_STEPS);
        let left = y_ticks.iter().map(|tick| breadth(&tick.label)).fold(20.0, f64::max) + 10.0;
        let right = self.room_at_right(variant);
        let width = variant.width - left - right;
        let (bands, rows) = bands::laid_out(&self.chart.spans, self.x, left, width);
        let rows = f64::from(u32::try_from(rows).unwrap_or(0));
        let top = HEAD + rows * bands::ROW_HEIGHT + if bands.is_empty() { 0.0 } else { bands::BAR_HEIGHT };
        let frame = Frame { left, top, width, height: variant.height - FOOT - top };

        bands::draw(&mut drawing, &bands, &frame);
        draw_y_axis(&mut drawing, &y_ticks, &frame);
        let most = most_ticks(self.x, width);
        draw_x_axis(&mut drawing, &self.x.ticks(most), &frame);
        self.draw_labels(&mut drawing, &frame, variant);
        plot::draw(&mut drawing, self.chart.form, self.traces, &frame);
        bands::draw_edges(&mut drawing, &bands, &frame);
        if variant.desk {
            if room_for_ends(self.chart).is_some() {
                names(&mut drawing, self.chart.form, self.traces, &frame);
            }
            hover::draw(&mut drawing, self.chart, self.x, &frame);
        }
        drawing.finish()
    }

    fn room_at_right(&self, variant: Variant) -> f64 {
        // Half of the last tick's label stands beyond the plot.
        let tick = self.x.ticks(4).last().map_or(0.0, |tick| breadth(&tick.label) / 2.0).max(14.0);
        room_for_ends(self.chart).filter(|_| variant.desk).unwrap_or(tick)
    }

    fn draw_labels(&self, drawing: &mut Drawing, frame: &Frame, variant: Variant) {
        let y = fitted(&self.chart.y.label, variant.width - 8.0);
        drawing.text("axis-label", "start", (4.0, 14.0), &y);
        let x = fitted(&self.chart.x.label, variant.width - 8.0);
        let half = breadth(&x).min(variant.width) / 2.0;
        let middle = (frame.left + frame.width / 2.0).min(variant.width - half).max(half);
        drawing.text("axis-label", "middle", (middle, variant.height - 8.0), &x);
    }
}

fn draw_y_axis(drawing: &mut Drawing, ticks: &[Tick], frame: &Frame) {
    for tick in ticks {
        let y = frame.y(tick.share);
        drawing.line(grid_class(tick), (frame.left, y), (frame.right(), y));
        if !tick.label.is_empty() {
            drawing.text("tick", "end", (frame.left - 7.0, y + 4.0), &tick.label);
        }
    }
}

fn draw_x_axis(drawing: &mut Drawing, ticks: &[Tick], frame: &Frame) {
    for tick in ticks {
        let x = frame.x(tick.share);
        drawing.line(grid_class(tick), (x, frame.top), (x, frame.bottom()));
    }
    for tick in apart(ticks, frame) {
        drawing.text("tick", "middle", (frame.x(tick.share), frame.bottom() + 17.0), &tick.label);
    }
    drawing.line("axis", (frame.left, frame.bottom()), (frame.right(), frame.bottom()));
}

fn grid_class(tick: &Tick) -> &'static str {
    if tick.label.is_empty() { "grid faint" } else { "grid" }
}

/// The ticks whose labels have room beside each other; the last one always stays, as it says how far the axis goes.
fn apart<'a>(ticks: &'a [Tick], frame: &Frame) -> Vec<&'a Tick> {
    let extent = |tick: &Tick| {
        let half = breadth(&tick.label) / 2.0 + TICK_SPACE / 4.0;
        (frame.x(tick.share) - half, frame.x(tick.share) + half)
    };
    let mut labelled: Vec<&Tick> = ticks.iter().filter(|tick| !tick.label.is_empty()).collect();
    let Some(last) = labelled.pop() else { return Vec::new() };
    let mut free_from = f64::NEG_INFINITY;
    labelled.retain(|tick| {
        let (from, to) = extent(tick);
        let fits = free_from <= from && to <= extent(last).0;
        free_from = if fits { to } else { free_from };
        fits
    });
    labelled.push(last);
    labelled
}

/// How many ticks have room beside each other.
fn most_ticks(ruler: &Ruler, width: f64) -> u32 {
    let room = |most: u32| {
        let ticks = ruler.ticks(most);
        let widest = ticks.iter().map(|tick| breadth(&tick.label)).fold(0.0, f64::max);
        f64::from(most) * (widest + TICK_SPACE) <= width
    };
    (2..=10).rev().find(|most| room(*most)).unwrap_or(2)
}

/// The series by colour and name, uppermost first. On a wide screen only if they have no names at their ends.
fn legend(chart: &Chart) -> String {
    let moods: Vec<Mood> = chart.series.iter().map(|series| series.mood).collect();
    let mut items: Vec<String> = chart
        .series
        .iter()
        .enumerate()
        .map(|(nth, series)| {
            let class = class(&moods, nth);
            let key = format!(
                "<svg class=\"key\" viewBox=\"0 0 20 10\" aria-hidden=\"true\">{}</svg>",
                match chart.form {
                    Form::Lines | Form::Steps => format!("<path class=\"line {class}\" d=\"M1 5L19 5\"/>"),
                    Form::Stacked => format!("<path class=\"area {class}\" d=\"M3 0L17 0L17 10L3 10Z\"/>"),
                }
            );
            format!("<li>{key}{}</li>\n", escape(&series.name))
        })
        .collect();
    if chart.form == Form::Stacked {
        items.reverse();
    }
    let class = if room_for_ends(chart).is_some() { "legend spare" } else { "legend" };
    format!("<ul class=\"{class}\">\n{}</ul>\n", items.concat())
}

/// The room for the names of the series at their ends; `None` if a wide drawing cannot have them there.
fn room_for_ends(chart: &Chart) -> Option<f64> {
    let names: Vec<&str> = chart.series.iter().map(|series| series.name.as_str()).collect();
    room_for_names(&names, WIDE.height - FOOT - HEAD - 3.0 * bands::ROW_HEIGHT)
}

/// What the drawing shows, for readers who cannot see it.
fn spoken(chart: &Chart, heading: &str) -> String {
    let form = match chart.form {
        Form::Lines => "Line chart",
        Form::Stacked => "Stacked areas",
        Form::Steps => "Steps",
    };
    let names = chart.series.iter().map(|series| series.name.as_str()).collect::<Vec<_>>().join(", ");
    format!("{heading}. {form} of {names}: {} over {}.", chart.y.label, chart.x.label)
}

#[cfg(test)]
mod tests {
    use super::super::{Axis, Scale, Series, Span};
    use super::*;

    fn chart(form: Form, points: &[(f64, f64)]) -> Chart {
        let axis = |label: &str, scale| Axis { label: label.into(), scale };
        Chart {
            form,
            x: axis("time, s", Scale::Linear),
            y: axis("asks", Scale::Linear),
            series: vec![Series { name: "asks".into(), mood: Mood::Good, points: points.to_vec() }],
            spans: Vec::new(),
        }
    }

    /// The ways of the wide drawing, without its swatches.
    fn paths(html: &str) -> Vec<&str> {
        let wide = html.split("class=\"wide\"").nth(1).unwrap().split("</svg>").next().unwrap();
        wide.lines().filter(|line| line.starts_with("<path")).collect()
    }

    #[test]
    fn the_one_peak_among_a_hundred_thousand_points_is_drawn() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|at| (f64::from(at), 1.0)).collect();
        points[61_803].1 = 100.0;
        for form in [Form::Lines, Form::Stacked, Form::Steps] {
            let html = render(&chart(form, &points), "Asks");
            // The plot begins below the label of its axis: there the peak ends, and nothing else comes near.
            let at_the_top = paths(&html)[0].matches(&format!(" {HEAD}L")).count();
            assert!((1..=2).contains(&at_the_top), "{form:?}: {at_the_top}");
            assert!(html.len() < 120_000, "{form:?}: {} bytes", html.len());
        }
    }

    #[test]
    fn a_gap_is_not_bridged_and_a_lone_point_is_a_dot() {
        let nan = f64::NAN;
        let points = [(0.0, 1.0), (1.0, 1.0), (2.0, nan), (3.0, 1.0), (4.0, nan), (5.0, 2.0), (6.0, 2.0)];
        let lines = render(&chart(Form::Lines, &points), "Asks");
        assert_eq!(paths(&lines).len(), 2);
        assert_eq!(lines.matches("<circle").count(), 2, "one in each drawing");
        assert_eq!(paths(&render(&chart(Form::Steps, &points), "Asks")).len(), 3);
        assert_eq!(paths(&render(&chart(Form::Stacked, &points), "Asks")).len(), 3);
    }

    #[test]
    fn a_single_value_holds_to_the_end_as_a_step() {
        let mut threshold = chart(Form::Steps, &[(0.0, 25.0)]);
        let count = Series { name: "count".into(), mood: Mood::Good, points: vec![(0.0, 0.0), (60.0, 40.0)] };
        threshold.series.push(count);
        let html = render(&threshold, "Count");
        let ways = paths(&html);
        let end = |way: &str| way.rsplit(['M', 'L']).next().unwrap().split(' ').next().map(str::to_owned);
        assert_eq!(ways.len(), 2);
        assert_eq!(end(ways[0]), end(ways[1]));
    }

    #[test]
    fn a_gap_at_the_end_takes_its_time() {
        let html = render(&chart(Form::Lines, &[(0.0, 1.0), (50.0, 1.0), (100.0, f64::NAN)]), "Asks");
        assert!(html.contains(">100</text>"));
    }

    #[test]
    fn nothing_to_show_is_said() {
        let odd = [(f64::NAN, 1.0), (1.0, f64::NAN), (f64::INFINITY, f64::INFINITY)];
        for form in [Form::Lines, Form::Stacked, Form::Steps] {
            assert_eq!(render(&chart(form, &[]), "Asks"), NOTHING);
            assert_eq!(render(&chart(form, &odd), "Asks"), NOTHING);
            let none = Chart { series: Vec::new(), ..chart(form, &[]) };
            assert_eq!(render(&none, "Asks"), NOTHING);
        }
    }

    #[test]
    fn what_no_axis_can_show_does_not_break_the_drawing() {
        let odd = [-1e308, f64::NEG_INFINITY, -5.0, 0.0, 5e-324, 3.0, f64::INFINITY, 1e308, f64::NAN];
        let points: Vec<(f64, f64)> = odd.iter().flat_map(|x| odd.map(|y| (*x, y))).collect();
        for form in [Form::Lines, Form::Stacked, Form::Steps] {
            for scale in [Scale::Linear, Scale::Log, Scale::Nines] {
                let mut chart = chart(form, &points);
                (chart.x.scale, chart.y.scale) = (scale, scale);
                chart.spans = vec![Span { from: f64::NEG_INFINITY, to: f64::INFINITY, name: "all".into() }];
                let html = render(&chart, "Asks");
                assert!(!html.contains("inf\"") && !html.contains("NaN"), "{form:?} {scale:?}: {html}");
            }
        }
    }
}
