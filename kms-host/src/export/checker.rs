//! Reads an export line by line, and verifies every line.

use std::path::{Component, Path};

use ledger::Kept;
use sha2::{Digest, Sha256};

use super::line::{End, ExportLine, LineContent, MAGIC, Unreadable};
use super::{ExportKind, FORMAT, FilePart, Head};

/// The content of one line.
pub enum CheckedLine {
    /// The first.
    Head(Head),
    /// A part of a file.
    File(FilePart),
    /// A row of the ledger.
    Row(Kept),
    /// The last. Everything before it is as it was written.
    End(End),
}

/// Why a file is not a whole export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportFault {
    /// It does not begin like an export.
    #[error("it is no export or backup of kms-host")]
    NotExport,
    /// A later release has written it.
    #[error("it has format {found}, and this release reads up to {FORMAT}")]
    Newer {
        /// Its format.
        found: u32,
    },
    /// A line is not what was written.
    #[error("it is damaged at line {line}, and nothing was made of it")]
    Damaged {
        /// Which line.
        line: u64,
    },
    /// It has no last line.
    #[error("it was cut short after line {line}, and nothing was made of it")]
    Cut {
        /// The last line that is whole.
        line: u64,
    },
}

impl ExportFault {
    /// What to do.
    pub fn remedy(self) -> &'static str {
        match self {
            ExportFault::NotExport => "name the file that `kms-host export` or `kms-host backup` has written",
            ExportFault::Newer { .. } => "take the release that wrote it, or a newer one",
            ExportFault::Damaged { .. } | ExportFault::Cut { .. } => {
                "take another copy of it, or an earlier one"
            }
        }
    }
}

/// Takes the lines of an export, in order. The default is before the first.
#[derive(Default)]
pub struct Checker {
    line: u64,
    digest: Sha256,
    progress: Progress,
    buffer: Vec<u8>,
}

#[derive(Default)]
enum Progress {
    #[default]
    Nothing,
    /// The head was read, then this many rows; whether any of them was of the ledger.
    Rows {
        kind: ExportKind,
        rows: u64,
        of_ledger: bool,
    },
    Ended,
}

impl Checker {
    /// Checks the next line, with the byte that ends it.
    ///
    /// # Errors
    /// [`ExportFault`], after which no line is of any use.
    pub fn take(&mut self, line: &[u8]) -> Result<CheckedLine, ExportFault> {
        if !line.ends_with(b"\n") {
            return Err(if self.line == 0 && !line.starts_with(MAGIC) {
                ExportFault::NotExport
            } else {
                self.cut()
            });
        }
        self.line += 1;
        let damaged = ExportFault::Damaged { line: self.line };
        let checked = match &mut self.progress {
            Progress::Nothing => {
                let head = self.head(line)?;
                self.progress = Progress::Rows { kind: head.kind, rows: 0, of_ledger: false };
                CheckedLine::Head(head)
            }
            Progress::Rows { kind, rows, of_ledger } => {
                let said = ExportLine::read(line, &mut self.buffer).and_then(LineContent::try_from);
                match said.map_err(|Unreadable| damaged)? {
                    // Files come first, because the settings among them name the ledger's engine.
                    LineContent::File(part)
                        if *kind == ExportKind::Backup && !*of_ledger && is_inside(&part.name) =>
                    {
                        *rows += 1;
                        CheckedLine::File(part)
                    }
                    LineContent::Row(kept) => {
                        *rows += 1;
                        *of_ledger = true;
                        CheckedLine::Row(kept)
                    }
                    LineContent::End(end, sha256)
                        if end.rows == *rows && sha256 == *self.digest.clone().finalize() =>
                    {
                        self.progress = Progress::Ended;
                        CheckedLine::End(end)
                    }
                    LineContent::File(_) | LineContent::End(..) => return Err(damaged),
                }
            }
            Progress::Ended => return Err(damaged),
        };
        self.digest.update(line);
        Ok(checked)
    }

    /// The number of checked lines.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Checks that the file may end here.
    ///
    /// # Errors
    /// [`ExportFault::Cut`].
    pub fn finish(&self) -> Result<(), ExportFault> {
        match self.progress {
            Progress::Ended => Ok(()),
            Progress::Nothing => Err(ExportFault::NotExport),
            Progress::Rows { .. } => Err(self.cut()),
        }
    }

    fn head(&mut self, line: &[u8]) -> Result<Head, ExportFault> {
        let damaged = |Unreadable| ExportFault::Damaged { line: 1 };
        if !line.starts_with(MAGIC) {
            return Err(ExportFault::NotExport);
        }
        match ExportLine::format(line, &mut self.buffer).map_err(damaged)? {
            found if FORMAT < found => return Err(ExportFault::Newer { found }),
            _ => {}
        }
        match ExportLine::read(line, &mut self.buffer).map_err(damaged)? {
            ExportLine::KmsHostExport(head) => Head::try_from(head).map_err(damaged),
            _ => Err(ExportFault::NotExport),
        }
    }

    fn cut(&self) -> ExportFault {
        ExportFault::Cut { line: self.line }
    }
}

/// Whether a path stays inside the data directory, and names a file that a host would carry.
fn is_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    !name.is_empty() && !name.ends_with('/') && parts.all(|part| matches!(part, Component::Normal(_)))
}
