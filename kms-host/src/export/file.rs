//! An export on disk. It is read twice: as a whole to verify it, then row by row.
//!
//! It is opened once, before the process gives up its rights.

use std::env;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::path::{self, Path, PathBuf};

use ledger::Kept;
use store::regular;

use super::{CheckedLine, Checker, ExportFault, Head, PART_BYTES};

/// No line is longer. A part of a file grows by a third as base64, and its name has room beside it.
const LINE_BYTES_MAX: u64 = 2 * PART_BYTES as u64;

/// The name of a file in a sentence.
pub fn shown(path: &Path) -> path::Display<'_> {
    if path == Path::new("-") { Path::new("standard input").display() } else { path.display() }
}

/// The bytes of a stream to copy at a time.
const SPOOL_BYTES: usize = 64 * 1024;

/// A file that is open and may be an export.
pub struct ExportFile {
    path: PathBuf,
    file: File,
}

/// An export that is being read, after its first line.
pub struct ExportReader {
    path: PathBuf,
    lines: BufReader<File>,
    line: Vec<u8>,
    checker: Checker,
}

/// The summary of an export that was read to its end.
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
    /// Damaged rows of its ledger, which are not in it.
    pub left_out: u64,
    /// Its length in bytes.
    pub size_bytes: u64,
}

/// An export cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It cannot be read.
    #[error("{} cannot be read", shown(.0))]
    Unreadable(PathBuf, #[source] io::Error),
    /// Standard input cannot be copied to a file, to be read twice.
    #[error("standard input cannot be copied to {}", .0.display())]
    NotSpooled(PathBuf, #[source] io::Error),
    /// It is not a whole export.
    #[error("{} cannot be used: {fault}", shown(path))]
    Faulty {
        /// The file.
        path: PathBuf,
        /// Why not.
        fault: ExportFault,
    },
}

impl ExportError {
    /// What to do.
    pub fn remedy(&self) -> &'static str {
        match self {
            ExportError::Unreadable(..) => "see that it is a regular file that this user may read",
            ExportError::NotSpooled(..) => "free space there, or name another folder with TMPDIR",
            ExportError::Faulty { fault, .. } => fault.remedy(),
        }
    }
}

impl ExportFile {
    /// Opens a file without reading it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path) -> Result<ExportFile, ExportError> {
        match regular::open(path, File::options().read(true)) {
            Ok(file) => Ok(ExportFile { path: path.to_owned(), file }),
            Err(error) => Err(ExportError::Unreadable(path.to_owned(), error)),
        }
    }

    /// Copies a stream to a file without a name, which nobody else can open, because it is read twice.
    ///
    /// # Errors
    /// It cannot be read, or there is no space for it.
    pub fn spool(from: &mut impl io::Read) -> Result<ExportFile, ExportError> {
        let unspooled = |error| ExportError::NotSpooled(env::temp_dir(), error);
        let path = PathBuf::from("-");
        let (mut file, mut bytes) = (tempfile::tempfile().map_err(unspooled)?, vec![0; SPOOL_BYTES]);
        loop {
            match from.read(&mut bytes) {
                Ok(0) => return Ok(ExportFile { path, file }),
                Ok(length) => file.write_all(&bytes[..length]).map_err(unspooled)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ExportError::Unreadable(path, error)),
            }
        }
    }

    /// Its path; `-` for standard input.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it from its beginning. Only one reader may read at a time.
    ///
    /// # Errors
    /// It cannot be read, or does not begin as an export.
    pub fn read(&self) -> Result<(Head, ExportReader), ExportError> {
        let mut file = self.file.try_clone().map_err(|error| self.unreadable(error))?;
        file.rewind().map_err(|error| self.unreadable(error))?;
        let mut reader = ExportReader {
            path: self.path.clone(),
            lines: BufReader::with_capacity(256 * 1024, file),
            line: Vec::new(),
            checker: Checker::default(),
        };
        match reader.read()? {
            Some(CheckedLine::Head(head)) => Ok((head, reader)),
            _ => Err(reader.faulty(ExportFault::NotExport)),
        }
    }

    /// Reads all of it. `progress` gets the number of lines read.
    ///
    /// # Errors
    /// As [`ExportReader::read`].
    pub fn check(&self, progress: &mut dyn FnMut(u64)) -> Result<Summary, ExportError> {
        let size_bytes = self.file.metadata().map_err(|error| self.unreadable(error))?.len();
        let (head, mut reader) = self.read()?;
        let mut summary =
            Summary { head, files: Vec::new(), machines: 0, products: 0, left_out: 0, size_bytes };
        while let Some(checked) = reader.read()? {
            summary.add(&checked);
            progress(reader.checker.line());
        }
        Ok(summary)
    }

    fn unreadable(&self, error: io::Error) -> ExportError {
        ExportError::Unreadable(self.path.clone(), error)
    }
}

impl ExportReader {
    /// The content of the next line; none after the last line, once the whole file is verified.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub fn read(&mut self) -> Result<Option<CheckedLine>, ExportError> {
        self.line.clear();
        let read = (&mut self.lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line);
        let length = read.map_err(|error| ExportError::Unreadable(self.path.clone(), error))?;
        let checked = match length {
            0 => self.checker.finish().map(|()| None),
            _ => self.checker.take(&self.line).map(Some),
        };
        checked.map_err(|fault| self.faulty(fault))
    }

    /// The error for a line in the wrong place: the one that was read last.
    pub fn damaged_here(&self) -> ExportError {
        self.faulty(ExportFault::Damaged { line: self.checker.line() })
    }

    fn faulty(&self, fault: ExportFault) -> ExportError {
        ExportError::Faulty { path: self.path.clone(), fault }
    }
}

impl Summary {
    fn add(&mut self, checked: &CheckedLine) {
        match checked {
            CheckedLine::File(part) if part.part == 0 => self.files.push(part.name.clone()),
            CheckedLine::Row(Kept::Machine { .. }) => self.machines += 1,
            CheckedLine::Row(Kept::Product { .. }) => self.products += 1,
            CheckedLine::End(end) => self.left_out = end.left_out,
            CheckedLine::Head(_) | CheckedLine::File(_) | CheckedLine::Row(_) => {}
        }
    }
}
