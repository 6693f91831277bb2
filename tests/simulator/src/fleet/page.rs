//! The page that a play makes: what the table says, drawn over time.
//!
//! `report` draws it.

use report::{Axis, Body, Chart, Form, Mood, Page, Scale, Section, Series, Span, Tile, Verdict};
use shared::time::Length;

use super::back::{Back, whole_days};
use super::calendar::{date, dated};
use super::down::Down;
use super::result::{Found, Return, Sample};
use super::settings;
use report::figures::{count, counted};

pub(crate) fn page(found: &Found) -> Page {
    let plan = &found.plan;
    let mut sections = vec![standing(found), counts(found), asks(found), answers(found)];
    sections.extend(found.back.as_ref().map(safe));
    sections.extend(found.down.as_ref().map(for_good));
    if !found.returns.is_empty() {
        sections.push(returns(&found.returns));
    }
    Page {
        title: format!("A fleet of {} over {}", counted(plan.machines, "machine"), counted(plan.days, "day")),
        lead: format!(
            "Played in virtual time by the rules of the product: {} and {}; nothing was sent. Day 0 is Monday, {}.",
            counted(plan.machines, "machine"),
            counted(plan.hosts, "host"),
            date(0.0)
        ),
        verdict: verdict(found),
        tiles: tiles(found),
        sections,
        facts: settings::lines(plan),
    }
}

fn verdict(found: &Found) -> Verdict {
    let summary = &found.summary;
    let warned = found.samples.iter().map(|sample| sample.warned).max().unwrap_or(0);
    let (mood, headline) = if 0 < summary.ever_lapsed {
        (Mood::Bad, format!("The leases of {} ended.", counted(summary.ever_lapsed, "machine")))
    } else if 0 < warned {
        (
            Mood::Warning,
            format!("No lease ended, and up to {} showed a warning at once.", counted(warned, "machine")),
        )
    } else {
        (Mood::Good, "No lease ended, and no user saw a warning.".to_owned())
    };
    Verdict { mood, headline, remarks: found.answer.iter().cloned().collect() }
}

fn tiles(found: &Found) -> Vec<Tile> {
    let summary = &found.summary;
    let mut tiles = vec![
        Tile::new(
            "Licensed at the end",
            count(summary.licensed_at_end),
            format!("of {}", counted(found.plan.machines, "machine")),
        ),
        Tile::new(
            "Steady rate",
            summary.steady_per_s.map_or("-".to_owned(), |rate| format!("{rate:.4}/s")),
            format!("machines / renewal interval: {:.4}/s", summary.arithmetic_per_s),
        ),
        Tile::new(
            "Busiest hour",
            counted(summary.peak_hour.asks, "ask"),
            format!("on {}", summary.peak_hour.when()),
        ),
    ];
    tiles.extend(found.back.as_ref().and_then(|back| {
        let (warning, lapse) = (whole_days(back.warning_days?), whole_days(back.lapse_days?));
        let note = format!("and back, and no licensed machine warns; {lapse} and no lease ends");
        Some(Tile::new("The host may be down", counted(warning, "day"), note))
    }));
    tiles
}

fn standing(found: &Found) -> Section {
    let series = [
        band(found, "licensed", Mood::Good, |sample| sample.licensed - sample.overdue - sample.expiring),
        band(found, "licensed, renewal overdue", Mood::Plain(0), |sample| sample.overdue),
        band(found, "licensed, ends soon", Mood::Warning, |sample| sample.expiring),
        band(found, "in grace", Mood::Plain(1), |sample| sample.in_grace),
        band(found, "lapsed", Mood::Bad, |sample| sample.lapsed),
        band(found, "never activated, grace over", Mood::Plain(2), |sample| sample.never_activated),
    ];
    Section {
        heading: "Where the fleet stands".to_owned(),
        text: "Machines by what their product shows. Machines that end soon, have lapsed or were never activated show a warning; no function is taken away.".to_owned(),
        body: chart(found, Form::Stacked, "machines", series.into()),
    }
}

fn counts(found: &Found) -> Section {
    let count = |host: usize| {
        let points =
            found.samples.iter().map(|sample| (sample.day, sample.counts[host].map_or(f64::NAN, number)));
        let mood = Mood::Plain(u8::try_from(host).expect("8 hosts at the most"));
        Series { name: format!("host {}", host + 1), mood, points: points.collect() }
    };
    let mut series: Vec<_> = (0..usize::from(found.plan.hosts)).map(count).collect();
    let policy = found.plan.policy();
    series.push(band(found, "threshold", Mood::Bad, |_| u64::from(policy.threshold)));
    Section {
        heading: "Count and threshold".to_owned(),
        text: format!(
            "Machines that each host has seen within {}. Below the threshold it issues leases only on the evidence of an earlier one.",
            Length(policy.count_window)
        ),
        body: chart(found, Form::Lines, "machines counted", series),
    }
}

fn asks(found: &Found) -> Section {
    let mean = found.samples.iter().map(|sample| (sample.day, sample.asks_per_hour)).collect();
    let series = vec![
        Series { name: "mean".to_owned(), mood: Mood::Plain(0), points: mean },
        band(found, "busiest hour", Mood::Plain(1), |sample| sample.peak_hour_asks),
    ];
    Section {
        heading: "Asks at running hosts".to_owned(),
        text: format!(
            "Asks an hour in each stretch of {} h: the mean, and the busiest hour.",
            found.step_hours
        ),
        body: chart(found, Form::Lines, "asks an hour", series),
    }
}

fn answers(found: &Found) -> Section {
    let names = found.summary.answers.keys();
    let series = names.zip(0..).map(|(name, place)| {
        let mood = match *name {
            "LEASE" => Mood::Good,
            "HOST_UNREACHABLE" => Mood::Bad,
            _ => Mood::Plain(place),
        };
        band(found, name, mood, |sample| sample.answers.get(name).copied().unwrap_or(0))
    });
    Section {
        heading: "Answers".to_owned(),
        text: format!(
            "By their names, in each stretch of {} h. HOST_UNREACHABLE is an ask to a host that is down.",
            found.step_hours
        ),
        body: chart(found, Form::Lines, "answers", series.collect()),
    }
}

fn safe(back: &Back) -> Section {
    Section {
        heading: "How long may the host be down?".to_owned(),
        text: format!(
            "{} This is for hosts that come back: they reach every machine in time, also a laptop that is off the network for a part of the outage.",
            back.answer()
        ),
        body: Body::Table(back.table(["So that", "Days down at most"])),
    }
}

fn for_good(down: &Down) -> Section {
    Section {
        heading: "And if it never comes back?".to_owned(),
        text: format!("{} All hosts stop on {}.", down.sentence(), dated(down.from_day)),
        body: Body::Table(down.table(["Seen", "Days down"])),
    }
}

fn returns(returns: &[Return]) -> Section {
    Section {
        heading: "After an outage".to_owned(),
        text: "Machines without a lease when a host came back, and how long until they had one. After an outage longer than a count window the host doubts its clock until machines that it knows confirm it.".to_owned(),
        body: Body::Table(Return::table(returns)),
    }
}

fn band(found: &Found, name: &str, mood: Mood, height: impl Fn(&Sample) -> u64) -> Series {
    let points = found.samples.iter().map(|sample| (sample.day, number(height(sample)))).collect();
    Series { name: name.to_owned(), mood, points }
}

fn chart(found: &Found, form: Form, label: &str, series: Vec<Series>) -> Body {
    let axis = |label: &str| Axis { label: label.to_owned(), scale: Scale::Linear };
    let spans =
        found.outages.iter().map(|(name, from, to)| Span { from: *from, to: *to, name: name.clone() });
    Body::Chart(Chart {
        form,
        x: axis(&format!("day; 0 is {}", date(0.0))),
        y: axis(label),
        series,
        spans: spans.collect(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 machines or asks")]
fn number(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::super::options::tests::plan;
    use super::super::play::play;
    use super::*;

    #[test]
    fn every_series_has_a_point_for_every_sample_and_the_bands_add_up() {
        let found = Found::of(&play(plan("--machines 40 --days 30 --outage 10-12 --hosts 2")).unwrap());
        let page = page(&found);
        let samples = found.samples.len();
        for section in &page.sections {
            match &section.body {
                Body::Chart(chart) => {
                    assert!(chart.series.iter().all(|series| series.points.len() == samples));
                    assert_eq!((chart.spans.len(), chart.spans[0].from, chart.spans[0].to), (1, 10.0, 12.0));
                }
                Body::Table(table) => assert!(table.rows.iter().all(|row| row.len() == table.head.len())),
            }
        }
        let Body::Chart(standing) = &page.sections[0].body else { panic!("the first is a chart") };
        let at_the_end: f64 = standing.series.iter().map(|series| series.points[samples - 1].1).sum();
        assert!((at_the_end - 40.0).abs() < 1e-9);
    }
}
