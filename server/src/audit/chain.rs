//! The lines of the audit log, and whether each continues the one before. Pure: bytes in, a verdict out. The portal chains the rows of
//! its database by the same rule.
//!
//! A line has the SHA-256 of the line before it, so whatever is edited or taken out afterwards shows at the next line. Only
//! the end has no next line: whoever keeps the last digest elsewhere sees that, too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use shared::time::Timestamp;

/// SHA-256 of a line without its end.
pub type LineDigest = [u8; 32];

/// One line, as the file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Its number: 1, 2, 3.
    pub seq: u64,
    /// When, RFC 3339.
    pub at: String,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The user who asked.
    pub uid: u32,
    /// The name of that user, if it is known.
    pub user: Option<String>,
    /// The process that asked, where it could be told.
    pub pid: Option<i32>,
    /// What was changed, in the words of the command.
    pub action: String,
    /// With what.
    pub parameters: BTreeMap<String, String>,
    /// The reason that the caller gave.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Which change this line takes back: it was written down, and then did not take effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failed>,
    /// The digest of the line before, in hexadecimal; none on the first.
    pub previous: Option<String>,
}

/// A change that did not take effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The number of its line.
    pub seq: u64,
    /// Why.
    pub cause: String,
}

/// What reading a log from its first line on has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many lines it has.
    pub lines: u64,
    /// How many of them a crash has cut; they stay for people to read, and are no break.
    pub cut: u64,
    /// The number of the last whole line; 0 where there is none.
    pub seq: u64,
    /// The digest of the last line, whether or not it could be read.
    pub last: Option<LineDigest>,
    /// Where it is broken first.
    pub broken: Option<Break>,
}

/// A place at which a log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The line in the file, from 1.
    pub line: u64,
    /// What is wrong there.
    pub cause: String,
}

impl Checked {
    /// Goes on to the next line.
    ///
    /// One that cannot be read was cut by a crash, and the next line continues it like any other. If it was damaged later, that next
    /// line does not.
    pub(super) fn follow(&mut self, bytes: &[u8]) {
        let Ok(line) = serde_json::from_slice::<AuditLine>(bytes) else {
            self.lines += 1;
            self.cut += 1;
            self.last = Some(digest(bytes));
            return;
        };
        self.follow_link(bytes, line.seq, line.previous.as_deref());
    }

    /// Goes on to the next line, which says that it has this number, and this digest of the line before.
    pub fn follow_link(&mut self, bytes: &[u8], seq: u64, previous: Option<&str>) {
        self.lines += 1;
        self.look_at(seq, previous);
        self.seq = seq;
        self.last = Some(digest(bytes));
    }

    /// Looks whether it ends where it should: with a line of this digest.
    pub fn expect_end(&mut self, end: &LineDigest) {
        if self.last.as_ref() != Some(end) {
            let cause =
                "the last line is not the one that was written last: that one was changed or taken away";
            self.break_here(cause.to_owned());
        }
    }

    fn look_at(&mut self, seq: u64, previous: Option<&str>) {
        let expected = self.last.as_ref().map(hex);
        let cause = match previous {
            previous if previous == expected.as_deref() && seq == self.seq + 1 => return,
            previous if previous == expected.as_deref() => {
                format!("its number is {seq}, and {} is next", self.seq + 1)
            }
            _ if self.lines == 1 => "lines before it were taken away".to_owned(),
            _ => "the line before it was changed, or lines between the two were taken out".to_owned(),
        };
        self.break_here(cause);
    }

    /// Only the first break counts: what comes after it follows from it.
    fn break_here(&mut self, cause: String) {
        let line = self.lines;
        self.broken.get_or_insert(Break { line, cause });
    }
}

/// The digest of a line without its end.
pub fn digest(line: &[u8]) -> LineDigest {
    Sha256::digest(line).into()
}

/// In hexadecimal.
pub fn hex(digest: &LineDigest) -> String {
    data_encoding::HEXLOWER.encode(digest)
}

/// RFC 3339, to the second.
pub(super) fn rfc3339(at: Timestamp) -> String {
    at.to_string().replace(' ', "T")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64, action: &str, previous: Option<&[u8]>) -> Vec<u8> {
        let at = Timestamp::from_unix_ms(1_763_777_150_999);
        let line = AuditLine {
            seq,
            at: rfc3339(at),
            at_ms: at.unix_ms(),
            uid: 0,
            user: Some("root".to_owned()),
            pid: Some(7),
            action: action.to_owned(),
            parameters: BTreeMap::from([("machine".to_owned(), "00".repeat(16))]),
            note: String::new(),
            failed: None,
            previous: previous.map(|line| hex(&digest(line))),
        };
        serde_json::to_vec(&line).unwrap()
    }

    /// Three lines that continue one another.
    fn three() -> [Vec<u8>; 3] {
        let first = line(1, "machine block", None);
        let second = line(2, "machine unblock", Some(&first));
        let third = line(3, "machine forget", Some(&second));
        [first, second, third]
    }

    fn check(lines: &[impl AsRef<[u8]>]) -> Checked {
        let mut checked = Checked::default();
        for line in lines {
            checked.follow(line.as_ref());
        }
        checked
    }

    fn broken_at(lines: &[impl AsRef<[u8]>]) -> Option<u64> {
        check(lines).broken.map(|broken| broken.line)
    }

    #[test]
    fn lines_that_continue_one_another_are_whole() {
        let lines = three();
        let checked = check(&lines);
        assert_eq!((checked.lines, checked.cut, checked.seq, checked.broken), (3, 0, 3, None));
        assert_eq!(checked.last, Some(digest(&lines[2])));
        assert_eq!(check(&[] as &[Vec<u8>]), Checked::default());
    }

    #[test]
    fn a_line_that_was_edited_shows_at_the_next_one() {
        let [first, second, third] = three();
        let edited = String::from_utf8(second).unwrap().replace("unblock", "tickle").into_bytes();
        assert_eq!(broken_at(&[first, edited, third]), Some(3));
    }

    #[test]
    fn a_line_that_was_taken_out_or_put_elsewhere_shows() {
        let [first, second, third] = three();
        assert_eq!(broken_at(&[&first, &third]), Some(2));
        assert_eq!(broken_at(&[&second, &third]), Some(1), "the beginning is gone");
        assert_eq!(broken_at(&[&first, &third, &second]), Some(2));
        let [first, ..] = three();
        let renumbered = line(3, "machine unblock", Some(&first));
        assert_eq!(broken_at(&[first, renumbered]), Some(2));
    }

    #[test]
    fn a_line_that_a_crash_has_cut_is_no_break_and_one_that_was_cut_later_is() {
        let [first, second, _] = three();
        let cut = &second[..second.len() / 2];
        let next = line(2, "machine forget", Some(cut));
        let checked = check(&[&first[..], cut, &next]);
        assert_eq!((checked.cut, checked.seq, checked.broken), (1, 2, None));
        let third = line(3, "machine forget", Some(&second));
        assert_eq!(broken_at(&[&first[..], cut, &third]), Some(3));
    }

    #[test]
    fn an_end_that_is_not_the_one_that_was_written_shows() {
        let lines = three();
        let mut checked = check(&lines[..2]);
        checked.expect_end(&digest(&lines[1]));
        assert_eq!(checked.broken, None);
        checked.expect_end(&digest(&lines[2]));
        assert_eq!(checked.broken.map(|broken| broken.line), Some(2));
    }
}
