//! Pages like those of real runs, to test the drawing with and to look at it.
//!
//! `cargo test -p kms-report testing -- --ignored --nocapture` writes them to the folder for temporary files
//! and says where, for a look in a browser.

use super::{Axis, Body, Chart, Form, Mood, Page, Scale, Section, Series, Span, Table, Tile, Verdict, html};

/// Noise that is the same in every run.
struct Noise(u32);

impl Noise {
    /// From 0 up to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0 >> 8) / f64::from(1_u32 << 24)
    }
}

fn axis(label: &str, scale: Scale) -> Axis {
    Axis { label: label.into(), scale }
}

fn series(name: &str, mood: Mood, points: impl Iterator<Item = (f64, f64)>) -> Series {
    Series { name: name.into(), mood, points: points.collect() }
}

fn span(from: f64, to: f64, name: &str) -> Span {
    Span { from, to, name: name.into() }
}

fn section(heading: &str, text: &str, chart: Chart) -> Section {
    Section { heading: heading.into(), text: text.into(), body: Body::Chart(chart) }
}

fn facts(facts: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    facts.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn phases() -> Vec<Span> {
    vec![
        span(0.0, 30.0, "ramp"),
        span(30.0, 150.0, "steady"),
        span(150.0, 153.0, "host stalled"),
        span(153.0, 180.0, "after"),
    ]
}

fn over_time(form: Form, y: Axis, series: Vec<Series>) -> Chart {
    Chart { form, x: axis("time, s", Scale::Linear), y, series, spans: phases() }
}

/// Ten thousand machines on a Monday morning, and a host that stalls for three seconds.
pub(super) fn load_run() -> Page {
    let mut noise = Noise(7);
    let seconds = || (0..=180_u32).map(f64::from);
    let stalled = |t: f64| (150.0..153.0).contains(&t);
    let ramp = |t: f64| (t / 30.0).min(1.0);
    let leases = seconds()
        .map(|t| (t, if stalled(t) { 0.0 } else { (ramp(t) * 820.0 + noise.next() * 60.0).round() }));
    let leases = series("lease", Mood::Good, leases.collect::<Vec<_>>().into_iter());
    let waiting =
        series("waiting", Mood::Plain(1), seconds().map(|t| (t, (90.0 - t * 4.0).max(0.0).round())));
    let refused = series("refusal", Mood::Warning, seconds().map(|t| (t, if t > 60.0 { 12.0 } else { 0.0 })));
    let errors = seconds()
        .map(|t| (t, if stalled(t) { 400.0 } else { f64::from(u8::from((76.5..77.5).contains(&t))) * 6.0 }));
    let errors = series("error", Mood::Bad, errors);
    let answers = over_time(
        Form::Stacked,
        axis("answers per second", Scale::Linear),
        vec![leases, waiting, refused, errors],
    );

    let mut latency = |name: &str, mood, typical: f64, spread: f64, most: f64| {
        let points = seconds().map(|t| {
            let wild = if noise.next() > 0.93 { noise.next() * spread * 6.0 } else { noise.next() * spread };
            let value = if stalled(t) { f64::NAN } else { typical * (1.0 + wild) };
            (t, if (153.0..155.0).contains(&t) { most } else { value })
        });
        series(name, mood, points.collect::<Vec<_>>().into_iter())
    };
    let latencies = vec![
        latency("p50", Mood::Plain(0), 1.3, 0.2, 800.0),
        latency("p99", Mood::Plain(1), 7.0, 0.7, 2_600.0),
        latency("max", Mood::Plain(2), 21.0, 1.6, 3_000.0),
    ];
    let latency_over_time = over_time(Form::Lines, axis("latency, ms", Scale::Log), latencies);

    let shares = || (0..=60_u32).map(|nth| 1.0 - 10_f64.powf(-f64::from(nth) / 12.0)).chain([1.0]);
    let open = shares().map(|p| (p, 1.2 / (1.0 - p).max(1e-5).powf(0.68)));
    let from_sending = shares().map(|p| (p, 1.1 / (1.0 - p).max(1e-5).powf(0.34)));
    let distribution = Chart {
        form: Form::Lines,
        x: axis("share of all asks", Scale::Nines),
        y: axis("latency, ms", Scale::Log),
        series: vec![
            series("from when it was due", Mood::Plain(0), open),
            series("from when it was sent", Mood::Plain(3), from_sending),
        ],
        spans: Vec::new(),
    };

    let count = series("count", Mood::Plain(0), seconds().step_by(5).map(|t| (t, (ramp(t) * 64.0).floor())));
    let threshold = series("threshold", Mood::Bad, [(0.0, 25.0)].into_iter());
    let counts = over_time(Form::Steps, axis("machines", Scale::Linear), vec![count, threshold]);

    let reason = |name: &str, mood, at: f64, height: f64| {
        series(name, mood, seconds().map(move |t| (t, if (t - at).abs() < 2.0 { height } else { 0.0 })))
    };
    let errors = vec![
        reason("no answer in time", Mood::Bad, 151.0, 380.0),
        reason("connection refused", Mood::Plain(0), 152.0, 120.0),
        reason("connection reset", Mood::Plain(2), 77.0, 6.0),
        reason("no such product", Mood::Plain(4), 500.0, 0.0),
    ];
    let errors = over_time(Form::Lines, axis("errors per second", Scale::Linear), errors);

    let row = |cells: [&str; 6]| cells.map(str::to_owned).to_vec();
    let table = Table {
        head: row(["answer", "asks", "share", "p50, ms", "p99, ms", "max, ms"]),
        rows: vec![
            row(["lease", "132,604", "98.1%", "1.31", "11.8", "3,000"]),
            row(["waiting", "1,125", "0.8%", "1.12", "8.4", "24"]),
            row(["refusal", "1,428", "1.0%", "1.08", "7.9", "19"]),
            row(["no answer in time", "1,206", "0.1%", "", "", ""]),
        ],
    };
    Page {
        title: "Monday morning at kms.example.com".into(),
        lead: "10,000 machines, each with a key of its own, asked one host for 3 minutes, at a rate that a slow host cannot slow down.".into(),
        verdict: Verdict {
            mood: Mood::Warning,
            headline: "The host keeps up with 820 asks per second, but stalled once for 3 seconds.".into(),
            remarks: vec![
                "1,206 asks had no answer in time, all of them from second 150 to second 153.".into(),
                "All 132,604 leases were verified; none is wrong or missing.".into(),
            ],
        },
        tiles: vec![
            Tile::new("Answers", "135,157", "of 136,363 asks"),
            Tile::new("Rate", "822 /s", "820 /s were set"),
            Tile::new("Latency, p50", "1.31 ms", ""),
            Tile::new("Latency, p99", "11.8 ms", "at most 50 ms are asked for"),
            Tile::new("Latency, max", "3.00 s", "while the host stalled"),
            Tile::new("Errors", "1,206", "0.9% of all asks"),
        ],
        sections: vec![
            section("Answers per second", "By outcome. The dip at second 150 is the host that does not answer.", answers),
            section("Latency over time", "From the instant at which an ask was due, so that time spent waiting for a slow host counts.", latency_over_time),
            section("Distribution of latency", "Each line further right is ten times rarer. Where the lines part, asks had to wait before they were sent.", distribution),
            section("Count and threshold", "The host issues leases once its count has reached the threshold.", counts),
            section("Errors by reason", "", errors),
            Section { heading: "Answers".into(), text: "All asks of the run.".into(), body: Body::Table(table) },
        ],
        facts: facts(&[
            ("Scenario", "monday"), ("Machines", "10,000"), ("Rate", "820 asks per second, open loop"), ("Connections", "one per ask"),
            ("Seed", "20,260,105"), ("Host", "kms.example.com:21688"), ("Version", "kms-simulator 0.1.0"), ("Started", "2026-01-05T07:00:00Z"),
        ]),
    }
}

/// Two years of ten thousand machines, and a host that is away for 200 days.
pub(super) fn fleet_run() -> Page {
    let days = || (0..=730_u32).map(f64::from);
    let away = |day: f64| (300.0..500.0).contains(&day);
    let grace = |day: f64| match day {
        day if day < 20.0 => 10_000.0 * (1.0 - day / 20.0),
        day if away(day) && day > 345.0 => (10_000.0 * (day - 345.0) / 60.0).min(10_000.0) - lapsed(day),
        day if (500.0..506.0).contains(&day) => 10_000.0 - lapsed(day),
        day => 120.0 + 60.0 * (day / 7.0).fract(),
    };
    let states = vec![
        series(
            "licensed",
            Mood::Good,
            days().map(|day| (day, (10_000.0 - grace(day) - lapsed(day)).max(0.0))),
        ),
        series("in grace", Mood::Warning, days().map(|day| (day, grace(day)))),
        series("lapsed", Mood::Bad, days().map(|day| (day, lapsed(day)))),
    ];
    let spans = || {
        vec![span(120.0, 134.0, "holidays"), span(300.0, 500.0, "host away"), span(485.0, 499.0, "holidays")]
    };
    let x = || axis("time, days", Scale::Linear);
    let states = Chart {
        form: Form::Stacked,
        x: x(),
        y: axis("machines", Scale::Linear),
        series: states,
        spans: spans(),
    };
    let mut noise = Noise(3);
    let asks = (0..=730 * 24_u32).map(|hour| {
        let day = f64::from(hour) / 24.0;
        let work = if hour % 24 >= 7 && hour % 24 < 18 && (hour / 24) % 7 < 5 { 1.0 } else { 0.1 };
        (
            day,
            work * (180.0 + 120.0 * noise.next()) * if away(day) { 4.0 } else { 1.0 }
                + if (500.0..500.1).contains(&day) { 9_400.0 } else { 0.0 },
        )
    });
    let asks = series("asks", Mood::Plain(0), asks.collect::<Vec<_>>().into_iter());
    let rate = Chart {
        form: Form::Lines,
        x: x(),
        y: axis("asks per hour", Scale::Linear),
        series: vec![asks],
        spans: spans(),
    };
    Page {
        title: "How long may the host be down?".into(),
        lead: "10,000 machines over 730 days in virtual time, by the rules that real machines and hosts follow.".into(),
        verdict: Verdict {
            mood: Mood::Bad,
            headline: "With the host away from day 300 to day 500, 9,940 machines lapse; the first one after 88 days.".into(),
            remarks: vec!["Up to 87 days no machine would have lapsed.".into()],
        },
        tiles: vec![Tile::new("First lapse", "88 days", "after the host went away"), Tile::new("Lapsed at most", "9,940", "on day 469"), Tile::new("All licensed again", "6 days", "after it came back"), Tile::new("Busiest hour", "9,732 asks", "2.7 per second")],
        sections: vec![section("States of the machines", "Machines by state at noon of each day.", states), section("Asks at the host", "By the hour.", rate)],
        facts: facts(&[("Machines", "10,000"), ("Seed", "1"), ("Renewal interval", "7 days"), ("Lease", "180 days"), ("Threshold", "25")]),
    }
}

fn lapsed(day: f64) -> f64 {
    if (388.0..503.0).contains(&day) { ((day - 388.0) * 130.0).min(9_940.0) } else { 0.0 }
}

/// What no run should make, but one might.
pub(super) fn odd_run() -> Page {
    let evil = "<script>alert(\"1\")</script> & 'more' of a name that is far too long for its place";
    let lines = |count: u8| {
        (0..count)
            .map(|nth| {
                series(evil, Mood::Plain(nth), (0..5_u32).map(move |x| (f64::from(x), f64::from(nth))))
            })
            .collect()
    };
    let chart = |form, x, y, series, spans| {
        section(evil, "", Chart { form, x: axis(evil, x), y: axis(evil, y), series, spans })
    };
    let crowd =
        (0..30_u32).map(|nth| span(f64::from(nth) / 10.0, f64::from(nth) / 10.0 + 0.05, "outage")).collect();
    let one = |x: f64, y: f64| vec![series("one", Mood::Good, [(x, y)].into_iter())];
    let wide = Table { head: vec![evil.into(); 6], rows: vec![vec![evil.into(); 6], vec![String::new(); 6]] };
    let nines =
        (0..12_u32).map(|nines| (1.0 - 0.1_f64.powf(f64::from(nines)), f64::from(nines) * 12_345_678.0));
    Page {
        title: evil.into(),
        lead: evil.into(),
        verdict: Verdict { mood: Mood::Plain(0), headline: evil.into(), remarks: vec![evil.into()] },
        tiles: vec![Tile::new(evil, "123,456,789,012", evil), Tile::new("", "", "")],
        sections: vec![
            chart(Form::Lines, Scale::Linear, Scale::Linear, lines(4), crowd),
            chart(Form::Stacked, Scale::Linear, Scale::Linear, lines(30), Vec::new()),
            chart(
                Form::Lines,
                Scale::Nines,
                Scale::Linear,
                vec![series("nines", Mood::Bad, nines)],
                Vec::new(),
            ),
            chart(Form::Lines, Scale::Linear, Scale::Log, one(0.0, 3.0), vec![span(0.0, 0.0, "one")]),
            chart(Form::Steps, Scale::Linear, Scale::Linear, one(5.0, -0.03), Vec::new()),
            chart(Form::Stacked, Scale::Log, Scale::Linear, one(1e6, 1e12), Vec::new()),
            chart(Form::Lines, Scale::Linear, Scale::Linear, Vec::new(), Vec::new()),
            Section { heading: "Wide".into(), text: String::new(), body: Body::Table(wide) },
            Section { heading: "Empty".into(), text: String::new(), body: Body::Table(Table::default()) },
        ],
        facts: facts(&[(evil, evil), ("", "")]),
    }
}

#[test]
#[ignore = "writes the pages for a look in a browser"]
fn write_the_samples() {
    for (name, page) in [("load", load_run()), ("fleet", fleet_run()), ("odd", odd_run())] {
        let file = std::env::temp_dir().join(format!("kms-report-{name}.html"));
        std::fs::write(&file, html::render(&page)).unwrap();
        println!("{}", file.display());
    }
}
