//! A ledger, or a whole host, as one file: what `export` and `backup` write, and `import` and `restore` read.
//!
//! The file is lines of JSON, each with a checksum, and the last one seals all before it: whoever reads it knows whether
//! it is whole before anything is made of it. docs/export.md has the format, exactly enough to write a reader. A backup is
//! an export that carries files besides, so there is one reader for both.
//!
//! Left to others: what rows a ledger keeps, and how a new one is made of them, is `ledger`'s; which files a host is,
//! `home`'s. Read next: `line.rs`, a row as its line; `writer.rs`; `checker.rs`, which believes nothing; `file.rs`.

mod line;

mod writer;

mod checker;
mod file;

use std::sync::Arc;

use bytes::Bytes;
use ledger::{LedgerError, Reader, Salvaged};
use shared::ids::HostId;
use shared::record::Meta;
use shared::time::Timestamp;
use tokio::sync::mpsc;

pub use checker::{CheckedLine, Checker, ExportFault};
pub use file::shown;
pub use file::{ExportError, ExportFile, ExportReader, Summary};
pub use line::End;
pub use writer::ExportWriter;

/// The format that this release writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// The most bytes of one file that a line carries.
pub const PART_BYTES: usize = 32 * 1024;

/// Rows that are read at a time: few enough that a worker which makes lines of them is back in a millisecond.
const PAGE_ROWS: usize = 256;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// A ledger.
    Export,
    /// A ledger, and the files of its host.
    Backup,
}

impl ExportKind {
    /// Its name, in the file and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            ExportKind::Export => "export",
            ExportKind::Backup => "backup",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<ExportKind> {
        [ExportKind::Export, ExportKind::Backup].into_iter().find(|kind| kind.name() == name)
    }
}

/// What the first line says.
#[derive(Clone)]
pub struct Head {
    /// What it is.
    pub kind: ExportKind,
    /// When it was begun, by the clock of whoever wrote it.
    pub made_at: Timestamp,
    /// The host, where it has a key.
    pub host: Option<HostId>,
    /// The release that wrote it.
    pub version: String,
    /// The ledger's id, the width of its hour, and its pepper: the file is as secret as the ledger.
    pub meta: Meta,
}

impl Head {
    /// Of a file that this release writes.
    pub fn new(kind: ExportKind, made_at: Timestamp, host: Option<HostId>, meta: Meta) -> Head {
        Head { kind, made_at, host, version: env!("CARGO_PKG_VERSION").to_owned(), meta }
    }
}

/// A part of a file that a backup carries.
#[derive(Clone, PartialEq, Eq)]
pub struct FilePart {
    /// Its path in the data directory, with `/` between folder and file.
    pub name: String,
    /// Its permissions.
    pub mode: u32,
    /// Which part it is, from 0; the parts of a file follow each other.
    pub part: u64,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Sends a ledger as lines, page by page, whole lines in each message; the ledger may be written to meanwhile.
///
/// It reads on when somebody has taken what was read before, so it holds a few pages and no more, and ends when nobody
/// listens. After an error nothing follows, and what was sent is without its last line.
pub async fn send(ledger: Arc<dyn Reader>, head: Head, to: mpsc::Sender<Result<Bytes, LedgerError>>) {
    let mut writer = ExportWriter::begin(&head);
    let mut after = None;
    loop {
        let page = match ledger.kept(after, PAGE_ROWS).await {
            Ok(page) => page,
            Err(error) => {
                // Nobody may be there to be told.
                let _ = to.send(Err(error)).await;
                return;
            }
        };
        page.rows.iter().for_each(|kept| writer.row(kept));
        writer.left_out(page.damaged);
        if to.send(Ok(writer.take().into())).await.is_err() {
            return;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let _ = to.send(Ok(writer.end().into())).await;
}

/// Sends what was salvaged of a ledger as lines. It blocks while nobody takes them.
pub fn send_salvaged(salvaged: &Salvaged, head: &Head, to: &mpsc::Sender<Result<Bytes, LedgerError>>) {
    let mut writer = ExportWriter::begin(head);
    for page in salvaged.rows.chunks(PAGE_ROWS) {
        for kept in page {
            writer.row(kept);
        }
        if to.blocking_send(Ok(writer.take().into())).is_err() {
            return;
        }
    }
    writer.left_out(salvaged.missing);
    let _ = to.blocking_send(Ok(writer.end().into()));
}
