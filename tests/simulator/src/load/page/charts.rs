//! The drawings of a page: series over the seconds of a run, and the distribution of latencies.
//!
//! Each function returns nothing if there is nothing to draw.

use std::collections::BTreeSet;

use super::sum;
use crate::load::outcome::{self, LEASE, WAITING};
use crate::load::result::{LoadResult, Phase, Second, Spread};
use report::figures::ms;
use report::{Axis, Body, Chart, Form, Mood, Scale, Section, Series, Span};

/// Resolution of a distribution: points for each further nine, and the number of nines.
const POINTS: u32 = 12;
const NINES: u32 = 7;

/// The answers of each second, refusals in one band. Asks without an answer are in `troubles_over_time`.
pub(super) fn throughput(result: &LoadResult) -> Option<Section> {
    let of = |name: &'static str| move |second: &Second| second.outcomes.get(name).copied().unwrap_or(0);
    let series = [
        line("leases", Mood::Good, by_second(result, of(LEASE))),
        line("waiting", Mood::Plain(0), by_second(result, of(WAITING))),
        line("refused", Mood::Bad, by_second(result, refused)),
    ];
    let series = series.into_iter().filter(|series| series.points.iter().any(|(_, value)| 0.0 < *value));
    section(
        "Answers per second",
        "The answers of each second, once the fleet was there. Asks that nobody answered are not among them. The first and the \
         last second may not be whole.",
        over_time(result, Form::Stacked, axis("per second", Scale::Linear), series.collect()),
    )
}

/// Only where arrivals were planned: in a closed phase an ask is due when the one before is done.
pub(super) fn planned(result: &LoadResult) -> Option<Section> {
    result.phases.iter().find(|phase| phase.open)?;
    let done = |second: &Second| sum(second.outcomes.values().copied());
    let series = vec![
        line("due", Mood::Plain(0), by_second(result, |second| second.due)),
        line("done", Mood::Plain(1), by_second(result, done)),
    ];
    section(
        "Asks due and done",
        "How many asks were due in each second, and how many were done. Where done falls below due, asks wait.",
        over_time(result, Form::Lines, axis("per second", Scale::Linear), series),
    )
}

/// Percentiles of each second.
pub(super) fn latencies(result: &LoadResult) -> Option<Section> {
    let of = |quantile: fn(&Spread) -> Option<u64>| {
        with_gaps(result, f64::NAN, |second| quantile(&second.response).map_or(f64::NAN, ms))
    };
    let series = vec![
        line("p50", Mood::Plain(0), of(|spread| spread.quantile(0.5))),
        line("p99", Mood::Plain(1), of(|spread| spread.quantile(0.99))),
        line("max", Mood::Plain(2), of(Spread::max)),
    ];
    section(
        "Latency over time",
        "Of the asks that were done in each second, from when each was due.",
        over_time(result, Form::Lines, axis("latency, ms", Scale::Log), series),
    )
}

/// The latency of every share of the asks, for each measured phase: from the plan, and as a tool that waits would show it.
pub(super) fn distribution(result: &LoadResult) -> Option<Section> {
    let mut series = Vec::new();
    for phase in result.measured().filter(|phase| 0 < phase.response.len()) {
        let mut add = |what: &str, spread: &Spread| {
            let mood = Mood::Plain(u8::try_from(series.len()).unwrap_or(u8::MAX));
            series.push(line(&format!("{}, {what}", phase.name), mood, by_share(spread)));
        };
        if phase.open {
            add("from when due", &phase.response);
        }
        add("from when sent", &phase.service);
    }
    let x = axis("share of asks that were as fast or faster", Scale::Nines);
    let y = axis("latency, ms", Scale::Log);
    let chart = Chart { form: Form::Lines, x, y, series, spans: Vec::new() };
    section(
        "Latency distribution",
        "A client that waits for an answer before it asks again sees only the time from when an ask was sent. Machines do \
         not wait for each other: what they have to bear is the time from when they were due.",
        chart,
    )
}

/// As answers named them.
pub(super) fn counts(result: &LoadResult) -> Option<Section> {
    result.seconds.iter().find(|second| second.count.is_some())?;
    let points = |of: fn(&Second) -> Option<f64>| {
        result.seconds.iter().filter_map(|second| Some((at_s(result, second), of(second)?))).collect()
    };
    let series = vec![
        line("count", Mood::Plain(0), points(|second| second.count.map(float))),
        line("threshold", Mood::Plain(1), points(|second| second.threshold.map(f64::from))),
    ];
    section(
        "Count against threshold",
        "As answers named them. From the threshold on the host gives leases.",
        over_time(result, Form::Steps, axis("machines", Scale::Linear), series),
    )
}

/// Refusals and failures, each code by itself.
pub(super) fn troubles_over_time(result: &LoadResult) -> Option<Section> {
    let codes: BTreeSet<_> = result.seconds.iter().flat_map(|second| second.outcomes.keys()).collect();
    let codes = codes.into_iter().filter(|code| outcome::is_trouble(code));
    let series = codes.zip((0..=u8::MAX).cycle()).map(|(code, colour)| {
        let of = |second: &Second| second.outcomes.get(code).copied().unwrap_or(0);
        line(code, Mood::Plain(colour), by_second(result, of))
    });
    section(
        "Errors by reason",
        "Asks that were refused, or failed, in each second.",
        over_time(result, Form::Stacked, axis("per second", Scale::Linear), series.collect()),
    )
}

/// A heading and a drawing, if there is something to draw.
fn section(heading: &str, text: &str, chart: Chart) -> Option<Section> {
    let drawn = chart.series.iter().any(|series| !series.points.is_empty());
    drawn.then(|| Section { heading: heading.to_owned(), text: text.to_owned(), body: Body::Chart(chart) })
}

/// Over the seconds of the run, with its phases marked. Every chart of a page ends at the same instant.
fn over_time(result: &LoadResult, form: Form, y: Axis, mut series: Vec<Series>) -> Chart {
    let ends_s = result.seconds.iter().map(|second| at_s(result, second)).fold(0.0, f64::max);
    for Series { points, .. } in &mut series {
        if points.last().is_some_and(|(at_s, _)| *at_s < ends_s) {
            points.push((ends_s, f64::NAN));
        }
    }
    let spans = result.phases.iter().map(|phase| span(result, phase)).collect();
    Chart { form, x: axis("time, s", Scale::Linear), y, series, spans }
}

fn refused(second: &Second) -> u64 {
    let is_refusal = |name: &str| outcome::is_trouble(name) && outcome::is_answer(name);
    sum(second.outcomes.iter().filter(|(name, _)| is_refusal(name)).map(|(_, number)| *number))
}

fn axis(label: &str, scale: Scale) -> Axis {
    Axis { label: label.to_owned(), scale }
}

fn line(name: &str, mood: Mood, points: Vec<(f64, f64)>) -> Series {
    Series { name: name.to_owned(), mood, points }
}

fn span(result: &LoadResult, phase: &Phase) -> Span {
    let into_second_s = float(result.began_at_ms.rem_euclid(1000).unsigned_abs()) / 1000.0;
    Span { from: phase.from_s + into_second_s, to: phase.to_s + into_second_s, name: phase.name.clone() }
}

fn by_second(result: &LoadResult, of: impl Fn(&Second) -> u64) -> Vec<(f64, f64)> {
    with_gaps(result, 0.0, |second| float(of(second)))
}

/// A point for each second in which something happened. Where nothing did, the line falls to `nothing` and comes back.
fn with_gaps(result: &LoadResult, nothing: f64, of: impl Fn(&Second) -> f64) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::with_capacity(result.seconds.len());
    for second in &result.seconds {
        let at_s = at_s(result, second);
        if let Some((before_s, _)) = points.last().copied() {
            let (from_s, to_s) = (before_s + 1.0, at_s - 1.0);
            points.extend((from_s <= to_s).then_some((from_s, nothing)));
            points.extend((from_s < to_s).then_some((to_s, nothing)));
        }
        points.push((at_s, of(second)));
    }
    points
}

/// Up to the share that the number of values can tell from one.
fn by_share(spread: &Spread) -> Vec<(f64, f64)> {
    let most = 1.0 - 1.0 / float(spread.len()).max(1.0);
    let shares = (0..=NINES * POINTS).map(|nth| 1.0 - 10_f64.powf(-f64::from(nth) / f64::from(POINTS)));
    let shares = shares.take_while(|share| *share < most).chain([most]);
    shares.filter_map(|share| Some((share, ms(spread.quantile(share)?)))).collect()
}

/// The middle of the second, so that it lies among the phases where it belongs.
fn at_s(result: &LoadResult, second: &Second) -> f64 {
    let (began_at_s, at_s) = (result.began_at_ms.div_euclid(1000), second.at_unix_s);
    let apart = float(at_s.abs_diff(began_at_s));
    0.5 + if at_s < began_at_s { -apart } else { apart }
}

#[expect(clippy::cast_precision_loss, reason = "a place in a drawing")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::testing::results::{BEGAN_AT_MS, overloaded, stalled};

    fn chart_in(section: Option<Section>) -> Chart {
        let Some(Section { body: Body::Chart(chart), .. }) = section else {
            panic!("{section:?} is no chart")
        };
        chart
    }

    fn names(chart: &Chart) -> Vec<&str> {
        chart.series.iter().map(|series| series.name.as_str()).collect()
    }

    #[test]
    fn refusals_are_drawn_in_their_own_colour_and_by_reason() {
        let result = overloaded(1, BEGAN_AT_MS);
        let drawn = chart_in(throughput(&result));
        assert_eq!(names(&drawn), ["leases", "refused"]);
        assert_eq!((drawn.series[0].mood, drawn.series[1].mood), (Mood::Good, Mood::Bad));
        let by_reason = chart_in(troubles_over_time(&result));
        assert_eq!(names(&by_reason), ["OVERLOADED"]);
        assert!((by_reason.series[0].points.iter().map(|(_, y)| y).sum::<f64>() - 5.0).abs() < 1e-9);
    }

    /// A host that is away showed its best rate: every ask failed at once.
    #[test]
    fn an_ask_that_nobody_answers_is_no_answer() {
        let mut result = overloaded(1, BEGAN_AT_MS);
        for second in &mut result.seconds {
            second.outcomes = [("HOST_UNREACHABLE".to_owned(), 5000), ("LEASE".to_owned(), 1)].into();
        }
        let drawn = chart_in(throughput(&result));
        assert_eq!(names(&drawn), ["leases"]);
        assert_eq!(names(&chart_in(troubles_over_time(&result))), ["HOST_UNREACHABLE"]);
    }

    #[test]
    fn a_stall_stands_as_zero_among_the_answers_and_as_a_gap_among_the_latencies() {
        let result = super::super::without_preparation(&stalled());
        let throughput = chart_in(throughput(&result));
        let leases = &throughput.series[0].points;
        assert_eq!(*leases, [(0.5, 30.0), (1.5, 0.0), (2.5, 170.0)]);
        let p50 = &chart_in(latencies(&result)).series[0].points;
        assert!(p50.iter().any(|(_, y)| y.is_nan()), "{p50:?}");
        assert_eq!((throughput.spans[0].from, throughput.spans[0].to), (0.6, 2.6));
    }

    #[test]
    fn seconds_in_which_nothing_happened_fall_to_zero_however_many_they_are() {
        let mut result = overloaded(1, BEGAN_AT_MS);
        result.seconds.truncate(1);
        for at in [3, 1_000_000_000] {
            let second = Second { at_unix_s: result.seconds[0].at_unix_s + at, due: 4, ..Second::default() };
            result.seconds.push(second);
        }
        let due = by_second(&result, |second| second.due);
        let due: Vec<_> = due.iter().skip(1).copied().collect();
        assert_eq!(
            due,
            [(1.5, 0.0), (2.5, 0.0), (3.5, 4.0), (4.5, 0.0), (999_999_999.5, 0.0), (1e9 + 0.5, 4.0)]
        );
    }

    #[test]
    fn the_distribution_ends_where_the_asks_do_and_shows_both_ways_of_counting() {
        let result = stalled();
        let chart = chart_in(distribution(&result));
        assert_eq!(names(&chart), ["peak, from when due", "peak, from when sent"]);
        let last = |nth: usize| chart.series[nth].points.last().copied().unwrap();
        assert!((last(0).0 - 0.995).abs() < 1e-9, "200 asks: {:?}", last(0));
        assert!(1000.0 < last(0).1 && last(1).1 < 10.0, "{:?} and {:?}", last(0), last(1));
        assert_eq!((chart.x.scale, chart.y.scale), (Scale::Nines, Scale::Log));
    }
}
