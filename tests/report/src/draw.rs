//! Writes SVG, and the text in it: the one place where something foreign becomes markup.
//!
//! Names come from files and from hosts, so every text goes through [`escape`]. Coordinates have one decimal, so that the
//! same drawing is the same bytes. Colours are left to the classes of `style.css`.

use std::fmt::Write;

/// The font size that all widths are estimated for; `style.css` has the same.
const FONT_SIZE: f64 = 12.0;

/// A drawing that is being written.
#[derive(Debug)]
pub(super) struct Drawing(String);

impl Drawing {
    /// An empty drawing. The label is for readers who cannot see it.
    pub(super) fn new(class: &str, (width, height): (f64, f64), label: &str) -> Drawing {
        let mut drawing = Drawing(String::new());
        drawing.put(format_args!(
            "<svg class=\"{class}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
            coordinate(width),
            coordinate(height),
            escape(label)
        ));
        drawing
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(coordinate);
        self.put(format_args!("<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>\n"));
    }

    /// A box that says its title when it is pointed at; without one if that is empty.
    pub(super) fn rect(&mut self, class: &str, corner: (f64, f64), size: (f64, f64), title: &str) {
        let [x, y, width, height] = [corner.0, corner.1, size.0.max(0.0), size.1.max(0.0)].map(coordinate);
        let at = format!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"");
        if title.is_empty() {
            self.put(format_args!("{at}/>\n"));
        } else {
            self.put(format_args!("{at}><title>{}</title></rect>\n", escape(title)));
        }
    }

    /// `anchor` says which side of the text stands at its place: `start`, `middle` or `end`.
    pub(super) fn text(&mut self, class: &str, anchor: &str, (x, y): (f64, f64), text: &str) {
        let ([x, y], text) = ([x, y].map(coordinate), escape(text));
        self.put(format_args!(
            "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x}\" y=\"{y}\">{text}</text>\n"
        ));
    }

    pub(super) fn dot(&mut self, class: &str, (x, y): (f64, f64)) {
        let [x, y] = [x, y].map(coordinate);
        self.put(format_args!("<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>\n"));
    }

    /// A way from corner to corner, closed or not by its class only: an area is filled.
    pub(super) fn path(&mut self, class: &str, corners: impl Iterator<Item = (f64, f64)>) {
        self.put(format_args!("<path class=\"{class}\" d=\""));
        for (nth, (x, y)) in corners.enumerate() {
            let letter = if nth == 0 { 'M' } else { 'L' };
            self.put(format_args!("{letter}{} {}", coordinate(x), coordinate(y)));
        }
        self.0.push_str("\"/>\n");
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a string takes all that is written");
    }
}

/// The text, such that a browser shows it and obeys none of it; for attributes, too.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(character),
            // These turn the direction of what follows, beyond their own text.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => safe.push('\u{fffd}'),
            control if control.is_control() => safe.push('\u{fffd}'),
            plain => safe.push(plain),
        }
    }
    safe
}

/// About how wide the text is in pixels; rather too wide than too narrow, as fonts differ.
pub(super) fn breadth(text: &str) -> f64 {
    let ems = text.chars().map(|character| match character {
        'i' | 'j' | 'l' | ' ' | '.' | ',' | ':' | ';' | '\'' | '|' | 'I' => 0.34,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.97,
        'A'..='Z' => 0.74,
        wide if u32::from(wide) >= 0x2e80 => 1.1,
        _ => 0.64,
    });
    ems.sum::<f64>() * FONT_SIZE
}

/// The text, or as much of it as there is room for. Empty if that would be next to nothing.
pub(super) fn fitted(text: &str, room: f64) -> String {
    if breadth(text) <= room {
        return text.to_owned();
    }
    let mut short = String::new();
    for character in text.chars() {
        short.push(character);
        if breadth(&short) > room - FONT_SIZE {
            short.pop();
            break;
        }
    }
    let short = short.trim_end();
    if short.chars().count() < 3 { String::new() } else { format!("{short}\u{2026}") }
}

/// With one decimal, and no more than it needs.
fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        let evil = "\"><script>alert('1')</script>&\u{0}\u{202e}";
        let expected = "&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;\u{fffd}\u{fffd}";
        assert_eq!(escape(evil), expected);
        let mut drawing = Drawing::new("wide", (10.0, 10.0), evil);
        drawing.text("label", "start", (0.0, 0.0), evil);
        drawing.rect("band", (0.0, 0.0), (1.0, 1.0), evil);
        let drawing = drawing.finish();
        assert_eq!(drawing.matches(expected).count(), 3);
        assert!(!drawing.contains("<script"));
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!([1.0, 0.25, -0.04, 12.36].map(coordinate), ["1", "0.2", "0", "12.4"]);
    }

    #[test]
    fn a_long_text_is_cut_and_a_hopeless_one_left_out() {
        assert_eq!(fitted("ramp", 100.0), "ramp");
        assert_eq!(fitted("the host is away", 80.0), "the host i\u{2026}");
        assert_eq!(fitted("the host is away", 20.0), "");
    }
}
