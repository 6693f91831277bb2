//! Writes an export into memory, a piece at a time, and seals it.

use std::mem;

use ledger::Kept;
use sha2::{Digest, Sha256};

use super::line::{ExportLine, Hex};
use super::{FilePart, Head};

/// An export that is being written. Fetch the pieces with [`take`](ExportWriter::take).
pub struct ExportWriter {
    digest: Sha256,
    rows: u64,
    left_out: u64,
    /// The lines that were not fetched yet.
    lines: Vec<u8>,
}

impl ExportWriter {
    /// Begins one.
    pub fn begin(head: &Head) -> ExportWriter {
        let mut writer = ExportWriter { digest: Sha256::new(), rows: 0, left_out: 0, lines: Vec::new() };
        ExportLine::from(head).write(&mut writer.lines);
        writer
    }

    /// Adds a row of the ledger.
    pub fn row(&mut self, kept: &Kept) {
        self.rows += 1;
        ExportLine::from(kept).write(&mut self.lines);
    }

    /// Adds a row of another export, as a whole line.
    pub fn line(&mut self, line: &[u8]) {
        self.rows += 1;
        self.lines.extend_from_slice(line);
    }

    /// Adds a part of a file.
    pub fn file(&mut self, part: FilePart) {
        self.rows += 1;
        let FilePart { name, mode, part, bytes } = part;
        ExportLine::File { name, mode, part, base64: super::line::Base64(bytes) }.write(&mut self.lines);
    }

    /// Notes the number of damaged rows of the ledger that are not in it.
    pub fn left_out(&mut self, rows: u64) {
        self.left_out += rows;
    }

    /// The number of bytes that [`take`](ExportWriter::take) would give.
    pub fn waiting(&self) -> usize {
        self.lines.len()
    }

    /// Whole lines, in order.
    pub fn take(&mut self) -> Vec<u8> {
        self.digest.update(&self.lines);
        mem::take(&mut self.lines)
    }

    /// What is left, and the last line.
    pub fn end(mut self) -> Vec<u8> {
        let mut rest = self.take();
        let sha256 = Hex(self.digest.finalize().into());
        ExportLine::End { rows: self.rows, left_out: self.left_out, sha256 }.write(&mut rest);
        rest
    }
}
