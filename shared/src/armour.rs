//! Text that people send and edit: undoes what mail programs and editors do to it, in one place.
//!
//! Requests, certificates and keys travel in armour, `-----BEGIN LABEL-----` to `-----END LABEL-----`. [`find`] takes them out of
//! whatever surrounds them and returns each in the one form that a strict reader takes: what is in them is signed or has a
//! length of its own, so only the wrapping may have suffered. [`plain`] reads other text, such as TOML or a list of hosts.
//!
//! Forgiven are text before and behind, several blocks, a byte order mark, UTF-16, `\r`, blank lines, indentation, quotation
//! marks (`> `), line breaks that are missing or were added, and quoted-printable. `docs/protocol.md` 2. No bytes are
//! decoded here: `files` does, and knows the labels.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use zeroize::{Zeroize as _, Zeroizing};

const BEGIN: &str = "-----BEGIN";
const END: &str = "-----END";
const DASHES: &str = "-----";

/// RFC 7468 2: "Generators MUST wrap the base64-encoded lines so that each line consists of exactly 64 characters".
const LINE_CHARS: usize = 64;

/// The longest label that is one; what is longer is prose.
const LABEL_MAX_BYTES: usize = 64;

/// A block in armour, in the form that a strict reader takes. It may hold a key, so it is wiped when it is dropped.
pub type Block = Zeroizing<String>;

/// Every different block of this label, in order; there is at least one.
///
/// # Errors
/// No whole block is there: the error says what there is instead.
pub fn find(text: &[u8], label: &str) -> Result<Vec<Block>, ArmourError> {
    whole(text, |found| found == label)
}

/// The one block of this label. The same one twice, as in a mail that quotes another, is one.
///
/// # Errors
/// No whole block is there, or several that differ.
pub fn find_one(text: &[u8], label: &str) -> Result<Block, ArmourError> {
    let mut blocks = find(text, label)?;
    match blocks.pop() {
        Some(block) if blocks.is_empty() => Ok(block),
        _ => Err(ArmourError::Several),
    }
}

/// Every different block of any label, one after the other, for a reader of files that are not ours.
///
/// # Errors
/// No block is there, or one is cut or damaged and its label has no whole one.
pub fn find_all(text: &[u8]) -> Result<Block, ArmourError> {
    let blocks = whole(text, |_| true)?;
    let mut all = Zeroizing::new(String::with_capacity(blocks.iter().map(|block| block.len()).sum()));
    for block in &blocks {
        all.push_str(block);
    }
    Ok(all)
}

/// The text of a file in which armour is looked for. Armour is ASCII; the prose around it may be in any encoding.
pub fn text(bytes: &[u8]) -> String {
    decoded(bytes).unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned())
}

/// Text that somebody has edited, without byte order mark, with `\n` at the end of each line, and without quotation marks where
/// every line has one. Lines stay where they are.
///
/// # Errors
/// It is not UTF-8, and not UTF-16 with a byte order mark.
pub fn plain(bytes: &[u8]) -> Result<String, NotText> {
    let text = decoded(bytes).ok_or(NotText)?.replace("\r\n", "\n").replace('\r', "\n");
    let is_quoted = |line: &str| line.trim_start().starts_with('>');
    let is_blank = |line: &str| line.trim().is_empty();
    if text.lines().all(is_blank) || !text.lines().all(|line| is_blank(line) || is_quoted(line)) {
        return Ok(text);
    }
    let unquoted = |line: &str| {
        let line = line.trim_start().trim_start_matches('>');
        line.strip_prefix(' ').unwrap_or(line).to_owned()
    };
    Ok(text.lines().map(unquoted).collect::<Vec<_>>().join("\n"))
}

/// The part of a TOML file that came in a mail: lines before the first that is TOML, and behind the last, are blank. Lines stay
/// where they are, so that an error names the right one. It is for files that tools write and nobody edits: in one that is
/// edited, a line that is no TOML is a mistake.
pub fn settings(text: &str) -> String {
    let is_setting = |line: &str| {
        let line = line.trim_start();
        let key = line.split_once('=').map_or("", |(key, _)| key.trim_end());
        let is_key =
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        is_key || line.starts_with(['#', '"', ']', '['])
    };
    // RFC 3676 4.3: a line of two dashes and a blank begins a signature.
    let lines = text.lines().take_while(|line| line.trim_end() != "--").collect::<Vec<_>>();
    let (first, last) =
        (lines.iter().position(|line| is_setting(line)), lines.iter().rposition(|line| is_setting(line)));
    let Some((first, last)) = first.zip(last) else { return text.to_owned() };
    let kept = |(number, line)| if (first..=last).contains(&number) { line } else { "" };
    let mut kept = lines.into_iter().enumerate().map(kept).collect::<Vec<_>>().join("\n");
    kept.push('\n');
    kept
}

/// The different whole blocks of the labels that are wanted.
fn whole(text: &[u8], is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Block>, ArmourError> {
    let text = Zeroizing::new(self::text(text));
    let (mut blocks, mut labels) = (Vec::<Block>::new(), Vec::new());
    let (mut flaw, mut other) = (None, None);
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once(BEGIN) {
        rest = after;
        let Some((label, after)) = label(after) else { continue };
        if !is_wanted(&label) {
            other.get_or_insert(label);
            continue;
        }
        match block(&label, after) {
            Ok(block) => {
                labels.push(label);
                if !blocks.contains(&block) {
                    blocks.push(block);
                }
            }
            Err(error) => flaw = flaw.or(Some((label, error))),
        }
    }
    match flaw {
        Some((label, error)) if !labels.contains(&label) => Err(error),
        _ if blocks.is_empty() => Err(other.map_or(ArmourError::Missing, ArmourError::Other)),
        _ => Ok(blocks),
    }
}

/// The label of a line that has begun, and what follows the line.
fn label(text: &str) -> Option<(String, &str)> {
    let (label, after) = text.split_once(DASHES)?;
    let words: Vec<_> =
        label.split(|c: char| c.is_whitespace() || c == '>').filter(|word| !word.is_empty()).collect();
    let label = words.join(" ");
    (!label.is_empty() && label.len() <= LABEL_MAX_BYTES).then_some((label, after))
}

/// The block that begins here, to its END line.
fn block(label: &str, text: &str) -> Result<Block, ArmourError> {
    // Another one that begins first leaves this one without an end.
    let text = text.split(BEGIN).next().unwrap_or_default();
    let (body, after) = text.split_once(END).ok_or(ArmourError::Cut)?;
    if self::label(after).is_none_or(|(ends, _)| ends != label) {
        return Err(ArmourError::Damaged);
    }
    let mut base64 = base64(body).ok_or(ArmourError::Damaged)?;
    let lines = base64.len().div_ceil(LINE_CHARS);
    let mut block = Zeroizing::new(String::with_capacity(base64.len() + lines + 2 * label.len() + 32));
    let edge = |edge, block: &mut String| {
        for part in [edge, " ", label, DASHES, "\n"] {
            block.push_str(part);
        }
    };
    edge(BEGIN, &mut block);
    let mut left = base64.as_str();
    while !left.is_empty() {
        let (line, rest) = left.split_at(LINE_CHARS.min(left.len()));
        block.push_str(line);
        block.push('\n');
        left = rest;
    }
    edge(END, &mut block);
    base64.zeroize();
    Ok(block)
}

/// The characters of base64 in a body, and the padding that they need. Everything else that may stand between them says
/// nothing; nothing if there is more.
fn base64(body: &str) -> Option<String> {
    // Quoted-printable writes `=` as `=3D`, and an `=` at the end of a line that it breaks. The padding follows from the rest.
    let mut base64 = String::with_capacity(body.len() + 2);
    let mut rest = body;
    while let Some(c) = rest.chars().next() {
        rest = rest.strip_prefix("=3D").unwrap_or(rest.get(c.len_utf8()..).unwrap_or_default());
        match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/' => base64.push(c),
            // A soft hyphen, and blanks of no width.
            '=' | '>' | '|' | '\u{AD}' | '\u{200B}' | '\u{2060}' | '\u{FEFF}' => {}
            c if c.is_whitespace() => {}
            _ => return None,
        }
    }
    let padding = match base64.len() % 4 {
        0 => "",
        2 => "==",
        3 => "=",
        _ => return None,
    };
    base64.push_str(padding);
    (!base64.is_empty()).then_some(base64)
}

/// UTF-8, or UTF-16 where a mark says so.
fn decoded(bytes: &[u8]) -> Option<String> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, []) = bytes.as_chunks::<2>() else { return None };
        char::decode_utf16(pairs.iter().copied().map(unit)).collect::<Result<String, _>>().ok()
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] | rest => core::str::from_utf8(rest).ok().map(ToOwned::to_owned),
    }
}

/// No whole block of the label that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArmourError {
    /// There is no armour at all.
    #[error("there is no -----BEGIN line in it")]
    Missing,
    /// There is armour of another label, this one first.
    #[error("it holds a {0}")]
    Other(String),
    /// A block begins and does not end.
    #[error("it is cut: the -----END line is missing")]
    Cut,
    /// There is something in a block that does not belong there, or something is missing.
    #[error("what stands between its -----BEGIN and -----END lines is damaged")]
    Damaged,
    /// There are several that differ, and one is wanted.
    #[error("it holds several that differ")]
    Several,
}

/// Bytes that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not text in UTF-8")]
pub struct NotText;
