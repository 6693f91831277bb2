//! A result as a page of a report: its words, tables and series. `report` draws it.
//!
//! This file has the sentences, figures and tables, `charts` the series. Seconds on the horizontal axes count from the
//! whole second of the wall clock in which the run began.

mod charts;

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use shared::reason::Reason;
use shared::time::Timestamp;

use super::merge::SEVERAL_SEEDS;
use super::outcome;
use super::result::{HostCount, LoadResult, Phase, Second, Spread};
use super::table;
use report::figures::{count, counted, latency_or_dash, per_second, rate};
use report::{Body, Mood, Page, Section, Table, Tile, Verdict};

/// The page of a run, or of several that were merged.
pub(crate) fn page(result: &LoadResult) -> Page {
    let shown = without_preparation(result);
    let sections = [
        charts::throughput(&shown),
        charts::planned(&shown),
        charts::latencies(&shown),
        charts::distribution(result),
        charts::counts(&shown),
        charts::troubles_over_time(&shown),
        Some(phases(result)),
        came_of_it(result),
        troubles(result),
    ];
    Page {
        title: format!("Load: {}", result.scenario),
        lead: format!("{}. {} asked {}.", result.about, counted(result.machines, "machine"), result.host),
        verdict: verdict(result),
        tiles: tiles(result, &shown),
        sections: sections.into_iter().flatten().collect(),
        facts: facts(result),
    }
}

/// The run without the closed phases that it begins with and that are not measured: a fleet is made as fast as it can be,
/// and beside that what it then does would lie flat.
fn without_preparation(result: &LoadResult) -> LoadResult {
    let left_out = result.phases.iter().take_while(|phase| phase.prepares()).count();
    let mut shown = result.clone();
    let Some(from_s) = result.phases.get(left_out).map(|phase| phase.from_s) else { return shown };
    shown.phases.drain(..left_out);
    for phase in &mut shown.phases {
        (phase.from_s, phase.to_s) = (phase.from_s - from_s, phase.to_s - from_s);
    }
    #[expect(clippy::cast_possible_truncation, reason = "a float saturates as an integer")]
    let from_ms = (from_s * 1000.0) as i64;
    shown.began_at_ms = result.began_at_ms.saturating_add(from_ms);
    shown.seconds.retain(|second| !second.prepares);
    shown
}

fn verdict(result: &LoadResult) -> Verdict {
    let stalls: Vec<_> = result.phases.iter().filter_map(table::stalled).collect();
    // That processes had seeds of their own is as it should be.
    let notable = result.remarks.iter().any(|remark| remark != SEVERAL_SEEDS) || !stalls.is_empty();
    let mood = match (result.errors.is_empty(), notable) {
        (false, _) => Mood::Bad,
        (true, true) => Mood::Warning,
        (true, false) => Mood::Good,
    };
    let remarks = result.errors.iter().cloned().chain(stalls).chain(result.remarks.iter().cloned());
    Verdict { mood, headline: table::verdict(result), remarks: remarks.collect() }
}

fn tiles(result: &LoadResult, shown: &LoadResult) -> Vec<Tile> {
    let measured = result.measured_together();
    let quantile = |of: fn(&Phase) -> &Spread, share| of(measured.as_ref()?).quantile(share);
    let latency = |label: &str, share| {
        let [due, sent] = [quantile(|phase| &phase.response, share), quantile(|phase| &phase.service, share)]
            .map(latency_or_dash);
        Tile::new(format!("{label}, from when due"), due, format!("{sent} from when sent"))
    };
    let asked = sum(result.phases.iter().map(|phase| phase.asked));
    let failed = sum(result.phases.iter().map(|phase| trouble(&phase.outcomes)));
    let mut tiles = vec![
        busiest(shown),
        latency("p50", 0.5),
        latency("p99", 0.99),
        Tile::new("refused or failed", count(failed), format!("of {}", counted(asked, "ask"))),
    ];
    if let Some(HostCount { count: counted, threshold, asked, .. }) = result.counted {
        let says = if asked { "the host says" } else { "the latest answer says" };
        let note = format!("{says}; the threshold is {}", count(threshold));
        tiles.push(Tile::new("count at the end", count(counted), note));
    }
    tiles.push(Tile::new(
        "leases verified",
        count(result.verified.leases),
        table::verified(&result.verified),
    ));
    tiles
}

/// The second with the most answers, against the mean of all that are drawn.
fn busiest(result: &LoadResult) -> Tile {
    let answers = |second: &Second| {
        sum(second.outcomes.iter().filter(|(name, _)| outcome::is_answer(name)).map(|(_, number)| *number))
    };
    let most = result.seconds.iter().map(answers).max().unwrap_or(0);
    let ends = result.phases.iter().map(|phase| phase.to_s).fold(0.0, f64::max);
    let mean = per_second(sum(result.seconds.iter().map(answers)), ends);
    Tile::new("answers in the busiest second", count(most), format!("{}/s on the whole", rate(mean)))
}

/// Each reason, how often it came, and what to do.
fn troubles(result: &LoadResult) -> Option<Section> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (code, number) in result.phases.iter().flat_map(|phase| &phase.outcomes) {
        if outcome::is_trouble(code) {
            let sum = sums.entry(code).or_default();
            *sum = sum.saturating_add(*number);
        }
    }
    sums.first_key_value()?;
    let remedy =
        |code: &str| Reason::from_code(code).map_or("this release does not know the reason", Reason::remedy);
    let row = |(code, number): (&str, u64)| [code.to_owned(), count(number), remedy(code).to_owned()];
    let body = Body::Table(Table::of(["reason", "asks", "what to do"], sums.into_iter().map(row)));
    Some(Section { heading: "What the reasons mean".into(), text: String::new(), body })
}

/// As it is printed, but for the last column: names of reasons are long, and `came_of_it` has room for them.
fn phases(result: &LoadResult) -> Section {
    let mut table = table::phases(result);
    for cells in table.rows.iter_mut().chain([&mut table.head]) {
        cells.pop();
    }
    let text = "Latencies count from when an ask was due; the service time counts from when it was sent.";
    Section { heading: "Phases".into(), text: text.into(), body: Body::Table(table) }
}

/// A row for each outcome, a column for each phase.
fn came_of_it(result: &LoadResult) -> Option<Section> {
    let outcomes: BTreeSet<_> = result.phases.iter().flat_map(|phase| phase.outcomes.keys()).collect();
    outcomes.first()?;
    let row = |name: &String| {
        let numbers = result.phases.iter().map(|phase| count(phase.outcomes.get(name).copied().unwrap_or(0)));
        iter::once(name.clone()).chain(numbers).collect::<Vec<_>>()
    };
    let head = iter::once("asks").chain(result.phases.iter().map(|phase| phase.name.as_str()));
    let body = Body::Table(Table::of(head, outcomes.into_iter().map(row)));
    Some(Section { heading: "What came of the asks".into(), text: String::new(), body })
}

fn facts(result: &LoadResult) -> Vec<(&'static str, String)> {
    let signed = if result.signed_before { "before the clock started" } else { "while the clock ran" };
    vec![
        ("host", result.host.clone()),
        ("began", Timestamp::from_unix_ms(result.began_at_ms).to_string()),
        ("machines", count(result.machines)),
        ("where they stand", table::standing(result)),
        ("connections", result.connections.clone()),
        ("addresses asked from", count(result.sources)),
        ("asks were signed", signed.to_owned()),
        ("seed", result.seed.to_string()),
        ("processes", result.processes.to_string()),
        ("kms-simulator", env!("CARGO_PKG_VERSION").to_owned()),
    ]
}

fn trouble(outcomes: &BTreeMap<String, u64>) -> u64 {
    sum(outcomes.iter().filter(|(name, _)| outcome::is_trouble(name)).map(|(_, number)| *number))
}

fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::super::testing::results::{BEGAN_AT_MS, overloaded, stalled};
    use super::*;

    fn table_of<'a>(page: &'a Page, heading: &str) -> &'a Table {
        let section = page.sections.iter().find(|section| section.heading == heading).unwrap();
        let Body::Table(table) = &section.body else { panic!("{heading} is no table") };
        table
    }

    fn headings(page: &Page) -> Vec<&str> {
        page.sections.iter().map(|section| section.heading.as_str()).collect()
    }

    #[test]
    fn a_run_without_errors_has_no_word_of_them() {
        let page = page(&stalled());
        assert_eq!(
            headings(&page),
            [
                "Answers per second",
                "Asks due and done",
                "Latency over time",
                "Latency distribution",
                "Count against threshold",
                "Phases",
                "What came of the asks"
            ]
        );
        assert_eq!(
            (page.verdict.mood, page.verdict.headline.as_str()),
            (Mood::Warning, "every expectation holds")
        );
        assert!(page.verdict.remarks[0].starts_with("peak: asks waited"), "{:?}", page.verdict);
        let tiles: Vec<_> =
            page.tiles.iter().map(|tile| (tile.label.as_str(), tile.value.as_str())).collect();
        assert_eq!(
            tiles,
            [
                ("answers in the busiest second", "170"),
                ("p50, from when due", "800 ms"),
                ("p99, from when due", "1.68 s"),
                ("refused or failed", "0"),
                ("count at the end", "10"),
                ("leases verified", "200")
            ]
        );
        assert!(page.facts.contains(&("began", "2023-11-14 22:13:20Z".into())));
    }

    #[test]
    fn what_prepares_a_run_is_not_drawn_beside_it() {
        let (whole, shown) = (stalled(), without_preparation(&stalled()));
        assert_eq!((whole.phases.len(), shown.phases.len()), (2, 1));
        assert_eq!((shown.phases[0].name.as_str(), shown.phases[0].from_s), ("peak", 0.0));
        assert_eq!(shown.began_at_ms, whole.began_at_ms + 2000);
        assert!(shown.seconds.len() < whole.seconds.len());
        let of = |result: &LoadResult| {
            result.seconds.iter().filter_map(|second| second.outcomes.get("LEASE")).sum::<u64>()
        };
        assert_eq!(of(&shown), of(&whole), "all leases were given in what is drawn");
    }

    #[test]
    fn a_run_is_good_if_nothing_is_to_be_said_but_that_seeds_differ() {
        let mut result = overloaded(1, BEGAN_AT_MS);
        result.errors.clear();
        result.remarks = vec![SEVERAL_SEEDS.to_owned()];
        assert_eq!(page(&result).verdict.mood, Mood::Good);
        result.remarks.insert(0, "the tool was late".into());
        assert_eq!(page(&result).verdict.mood, Mood::Warning);
    }

    #[test]
    fn every_cell_has_its_head_and_every_outcome_its_row() {
        let page = page(&stalled());
        let came = table_of(&page, "What came of the asks");
        assert_eq!(came.head, ["asks", "ramp", "peak"]);
        assert_eq!(came.rows, [["LEASE", "0", "200"], ["WAITING", "10", "0"]]);
        let phases = table_of(&page, "Phases");
        assert_eq!(phases.head.last().unwrap(), "service p99");
        assert_eq!(phases.rows[1].last().unwrap(), "1.00 ms");
        assert!(phases.rows.iter().all(|row| row.len() == phases.head.len()));
    }

    /// Terminal, JSON and HTML were counted apart, and a headline of one was a preparation of another.
    #[test]
    fn terminal_json_and_page_have_one_set_of_figures() {
        for result in [stalled(), overloaded(1, BEGAN_AT_MS)] {
            let json = serde_json::to_string(&result).unwrap();
            let read: LoadResult = serde_json::from_str(&json).unwrap();
            assert_eq!(table::text(&read), table::text(&result), "the terminal shows what the file has");
            let html = report::html::render(&page(&read));
            let rows = table::phases(&read).rows;
            let cells = rows.iter().flat_map(|row| &row[..row.len() - 1]);
            let verified = table::verified(&read.verified);
            let counted = read.counted.map(|counted| count(counted.count));
            let measured = read.measured_together().unwrap();
            let [p50, p99] = [0.5, 0.99].map(|share| latency_or_dash(measured.response.quantile(share)));
            for figure in cells.chain([&verified, &p50, &p99]).chain(&counted) {
                let shown = [format!(">{figure}<"), format!(">{figure}:")];
                assert!(shown.iter().any(|shown| html.contains(shown)), "no {figure} on the page");
            }
        }
    }

    #[test]
    fn every_chart_over_time_ends_at_the_same_instant() {
        let result = stalled();
        let page = page(&result);
        let ends = page.sections.iter().filter_map(|section| match &section.body {
            Body::Chart(chart) if chart.x.label == "time, s" => Some((&section.heading, chart)),
            _ => None,
        });
        let mut seen = Vec::new();
        for (heading, chart) in ends {
            for series in &chart.series {
                let end = series.points.iter().map(|(x, _)| *x).fold(0.0, f64::max);
                assert!((end - 2.5).abs() < 1e-9, "{heading}, {}: {end}", series.name);
            }
            seen.push(heading.as_str());
        }
        assert_eq!(
            seen,
            ["Answers per second", "Asks due and done", "Latency over time", "Count against threshold"]
        );
    }

    #[test]
    fn a_refusal_is_counted_and_explained() {
        let page = page(&overloaded(1, BEGAN_AT_MS));
        assert_eq!(page.verdict.mood, Mood::Bad);
        assert_eq!((page.tiles[3].value.as_str(), page.tiles[3].note.as_str()), ("5", "of 50 asks"));
        assert!(!headings(&page).contains(&"Count against threshold"));
        let meaning =
            page.sections.iter().find(|section| section.heading == "What the reasons mean").unwrap();
        let Body::Table(table) = &meaning.body else { panic!("{meaning:?} is no table") };
        assert_eq!(table.rows, [["OVERLOADED", "5", Reason::Overloaded.remedy()]]);
    }
}
