//! The page of a report: one file that needs no network, no script and nothing but a browser.
//!
//! The same [`Page`] gives the same bytes. `chart` draws the charts; `style.css` says how it all looks.

use super::draw::escape;
use super::{Body, Mood, Page, Section, Table, Tile, Verdict, chart};

/// How it looks; part of every page.
const STYLE: &str = include_str!("style.css");

/// Nothing may be fetched and nothing may run, even if a text should find its way past [`escape`].
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The whole page, as UTF-8 HTML.
pub fn render(page: &Page) -> String {
    let title = escape(&page.title);
    let lead = paragraph("lead", &page.lead);
    let verdict = verdict(&page.verdict);
    let tiles = tiles(&page.tiles);
    let sections: String = page.sections.iter().map(section).collect();
    let facts = facts(&page.facts);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<h1>{title}</h1>\n{lead}</header>\n{verdict}{tiles}{sections}{facts}</main>\n</body>\n</html>\n"
    )
}

/// A mark, a word and a sentence: the colour is not the only sign.
fn verdict(verdict: &Verdict) -> String {
    let (class, mark, word) = match verdict.mood {
        Mood::Good => ("good", "\u{2713}", "Good"),
        Mood::Warning => ("warning", "!", "Worth a look"),
        Mood::Bad => ("bad", "\u{2715}", "Bad"),
        Mood::Plain(_) => ("plain", "i", "Result"),
    };
    let headline = escape(&verdict.headline);
    let remark = |remark: &String| format!("<li>{}</li>\n", escape(remark));
    let remarks: String = verdict.remarks.iter().map(remark).collect();
    let remarks = if remarks.is_empty() { remarks } else { format!("<ul>\n{remarks}</ul>\n") };
    format!(
        "<section class=\"verdict {class}\" aria-label=\"Verdict\">\n<span class=\"mark\" aria-hidden=\"true\">{mark}\
         </span>\n<div>\n<p class=\"headline\"><strong>{word}</strong> {headline}</p>\n{remarks}</div>\n</section>\n"
    )
}

fn tiles(tiles: &[Tile]) -> String {
    let tile = |tile: &Tile| {
        let (label, value, note) = (escape(&tile.label), escape(&tile.value), escape(&tile.note));
        let note = if note.is_empty() { note } else { format!("<dd class=\"note\">{note}</dd>") };
        format!("<div class=\"tile\"><dt>{label}</dt><dd>{value}</dd>{note}</div>\n")
    };
    let tiles: String = tiles.iter().map(tile).collect();
    if tiles.is_empty() { tiles } else { format!("<dl class=\"tiles\">\n{tiles}</dl>\n") }
}

fn section(section: &Section) -> String {
    let (heading, text) = (escape(&section.heading), paragraph("", &section.text));
    let body = match &section.body {
        Body::Chart(chart) => chart::render(chart, &section.heading),
        Body::Table(rows) => table(rows, &section.heading),
    };
    format!("<section class=\"card\">\n<h2>{heading}</h2>\n{text}{body}</section>\n")
}

/// In a box of its own, that a keyboard can scroll as well.
fn table(table: &Table, heading: &str) -> String {
    if table.rows.is_empty() {
        return chart::NOTHING.into();
    }
    let column = |name: &String| format!("<th scope=\"col\">{}</th>", escape(name));
    let row = |row: &Vec<String>| format!("<tr>{}</tr>\n", cells(row));
    let head: String = table.head.iter().map(column).collect();
    let rows: String = table.rows.iter().map(row).collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n<table>\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n</div>\n",
        escape(heading)
    )
}

fn cells(row: &[String]) -> String {
    let cell = |(nth, text): (usize, &String)| match nth {
        0 => format!("<th scope=\"row\">{}</th>", escape(text)),
        _ => format!("<td>{}</td>", escape(text)),
    };
    row.iter().enumerate().map(cell).collect()
}

fn facts(facts: &[(&str, String)]) -> String {
    let fact = |(name, value): &(&str, String)| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(value))
    };
    let facts: String = facts.iter().map(fact).collect();
    if facts.is_empty() {
        return facts;
    }
    format!("<section class=\"card facts\">\n<h2>How it came about</h2>\n<dl>\n{facts}</dl>\n</section>\n")
}

fn paragraph(class: &str, text: &str) -> String {
    match (class, text) {
        (_, "") => String::new(),
        ("", text) => format!("<p>{}</p>\n", escape(text)),
        (class, text) => format!("<p class=\"{class}\">{}</p>\n", escape(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fleet_run, load_run, odd_run};
    use super::*;

    /// The tags of a page, in order, without the text between them.
    fn tags(html: &str) -> impl Iterator<Item = &str> {
        html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap())
    }

    /// Panics at the first tag that ends what has not begun, or is not ended itself.
    fn assert_balanced(html: &str) {
        let mut open = Vec::new();
        for tag in tags(html).filter(|tag| !tag.starts_with("!DOCTYPE") && !tag.ends_with('/')) {
            let name = tag.split_whitespace().next().unwrap();
            match name.strip_prefix('/') {
                Some(ended) => assert_eq!(open.pop(), Some(ended), "</{ended}>"),
                None if name == "meta" => {}
                None => open.push(name),
            }
            assert!(tag.matches('"').count().is_multiple_of(2), "<{tag}>");
        }
        assert!(open.is_empty(), "never ended: {open:?}");
    }

    #[test]
    fn every_page_is_well_formed() {
        for page in [load_run(), fleet_run(), odd_run()] {
            assert_balanced(&render(&page));
        }
    }

    #[test]
    fn a_page_needs_no_network_and_runs_nothing() {
        for page in [load_run(), fleet_run(), odd_run()] {
            let html = render(&page);
            assert!(html.contains("default-src 'none'; style-src 'unsafe-inline'"));
            for foreign in ["<script", "://", "src=", "href=", "url(", "@import"] {
                assert!(!tags(&html).any(|tag| tag.contains(foreign)), "{foreign}");
            }
            let handler = |tag: &str| tag.split('"').step_by(2).any(|outside| outside.contains(" on"));
            assert!(!tags(&html).any(handler));
            assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
        }
    }

    #[test]
    fn names_from_elsewhere_are_shown_and_not_obeyed() {
        let html = render(&odd_run());
        assert!(!html.contains("<script") && !html.contains("alert(\""));
        let title = "<title>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;more&#39;";
        assert!(html.contains(title));
    }

    #[test]
    fn the_same_page_is_the_same_bytes_and_not_many() {
        assert_eq!(render(&load_run()), render(&load_run()));
        let size = render(&load_run()).len();
        assert!(size < 250_000, "{size} bytes");
    }

    #[test]
    fn the_verdict_is_a_mark_and_a_word() {
        for (mood, mark, word) in [
            (Mood::Good, "\u{2713}", "Good"),
            (Mood::Warning, "!", "Worth a look"),
            (Mood::Bad, "\u{2715}", "Bad"),
            (Mood::Plain(3), "i", "Result"),
        ] {
            let told = verdict(&Verdict { mood, headline: "It holds.".into(), remarks: Vec::new() });
            assert!(
                told.contains(&format!(">{mark}</span>"))
                    && told.contains(&format!("<strong>{word}</strong> It holds."))
            );
            assert!(!told.contains("<ul>"), "no list without remarks");
        }
    }

    #[test]
    fn a_page_with_nothing_on_it_is_still_a_page() {
        let verdict = Verdict { mood: Mood::Plain(0), headline: String::new(), remarks: Vec::new() };
        let (tiles, sections, facts) = (Vec::new(), Vec::new(), Vec::new());
        let html =
            render(&Page { title: String::new(), lead: String::new(), verdict, tiles, sections, facts });
        assert_balanced(&html);
        assert!(!html.contains("class=\"card") && !html.contains("class=\"tiles"));
    }
}
