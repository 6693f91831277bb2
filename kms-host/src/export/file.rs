//! An export on disk, read twice by whoever makes something of it: whole to see that it holds, then row by row.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::{Checked, Checker, Fault, Head, PART_BYTES};

/// No line is longer. A part of a file grows by a third as base64, and its name has room beside it.
const LINE_BYTES_MAX: u64 = 2 * PART_BYTES as u64;

/// An export that is being read, behind its first line.
pub struct ExportFile {
    path: PathBuf,
    lines: BufReader<File>,
    line: Vec<u8>,
    checker: Checker,
}

/// What is in an export that was read to its end.
#[derive(Clone)]
pub struct Summary {
    /// Its first line.
    pub head: Head,
    /// The names of the files that it carries.
    pub files: Vec<String>,
    /// Machines of every product, in any state.
    pub machines: u64,
    /// Products.
    pub products: u64,
    /// Damaged rows that its ledger had, and that are not in it.
    pub left_out: u64,
    /// How long it is, in bytes.
    pub size_bytes: u64,
}

/// An export cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It cannot be read.
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// It is not whole, or no export.
    #[error("{} cannot be used: {fault}", path.display())]
    Faulty {
        /// The file.
        path: PathBuf,
        /// Why not.
        fault: Fault,
    },
}

impl ExportFile {
    /// Opens one and reads its first line.
    ///
    /// # Errors
    /// It cannot be read, or does not begin as an export.
    pub fn open(path: &Path) -> Result<(Head, ExportFile), ExportError> {
        let file = File::open(path).map_err(|error| ExportError::Unreadable(path.to_owned(), error))?;
        let lines = BufReader::with_capacity(256 * 1024, file);
        let mut file = ExportFile { path: path.to_owned(), lines, line: Vec::new(), checker: Checker::new() };
        match file.read()? {
            Some(Checked::Head(head)) => Ok((head, file)),
            _ => Err(file.faulty(Fault::NotExport)),
        }
    }

    /// What the next line says. After the last one there is none, and that is certain then.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub fn read(&mut self) -> Result<Option<Checked>, ExportError> {
        self.line.clear();
        // One byte more than any line has, so that one which is too long is not taken for one that was cut.
        let read = (&mut self.lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line);
        let length = read.map_err(|error| ExportError::Unreadable(self.path.clone(), error))?;
        let checked = match length {
            0 => self.checker.finish().map(|()| None),
            _ => self.checker.take(&self.line).map(Some),
        };
        checked.map_err(|fault| self.faulty(fault))
    }

    /// Reads a whole export. `progress` is told how many lines were read, from time to time.
    ///
    /// # Errors
    /// As [`read`](ExportFile::read).
    pub fn check(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<Summary, ExportError> {
        let (head, mut file) = ExportFile::open(path)?;
        let mut summary =
            Summary { head, files: Vec::new(), machines: 0, products: 0, left_out: 0, size_bytes: 0 };
        let mut lines = 0;
        while let Some(checked) = file.read()? {
            summary.add(&checked);
            lines += 1;
            progress(lines);
        }
        let size = file.lines.get_ref().metadata();
        summary.size_bytes = size.map_err(|error| ExportError::Unreadable(path.to_owned(), error))?.len();
        Ok(summary)
    }

    /// That the line which was read last does not belong where it is.
    pub fn damaged_here(&self) -> ExportError {
        self.faulty(Fault::Damaged { line: self.checker.line() })
    }

    fn faulty(&self, fault: Fault) -> ExportError {
        ExportError::Faulty { path: self.path.clone(), fault }
    }
}

impl Summary {
    fn add(&mut self, checked: &Checked) {
        use crate::ledger::Kept;
        match checked {
            Checked::File(part) if part.part == 0 => self.files.push(part.name.clone()),
            Checked::Row(Kept::Machine { .. }) => self.machines += 1,
            Checked::Row(Kept::Product { .. }) => self.products += 1,
            Checked::End(end) => self.left_out = end.left_out,
            Checked::Head(_) | Checked::File(_) | Checked::Row(_) => {}
        }
    }
}
