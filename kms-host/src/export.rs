//! A ledger, or a whole host, as one file: `export` and `backup` write it, and `import` and `restore` read it.
//!
//! The file is lines of JSON, each with a checksum, and the last one seals all before it. So a reader knows whether the file is whole
//! before it makes anything from it. docs/export.md has the format, precisely enough to write a reader. A backup is an export with
//! files, so both have the same reader.
//!
//! The crate `ledger` has the rows and makes a ledger from them, and `home` has the files of a host. Read next: `line.rs`, a row as its
//! line; `writer.rs`; `checker.rs`, which verifies every line; `file.rs`.

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

/// The most bytes of a file in one line.
pub const PART_BYTES: usize = 32 * 1024;

/// Rows to read at a time: few enough that a worker makes lines of them in a millisecond.
const PAGE_ROWS: usize = 256;

/// The kind of a file.
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

/// The content of the first line.
#[derive(Clone)]
pub struct Head {
    /// What it is.
    pub kind: ExportKind,
    /// The time at which it was begun, by the clock of the writer.
    pub made_at: Timestamp,
    /// The host, if it has a key.
    pub host: Option<HostId>,
    /// The release that wrote it.
    pub version: String,
    /// The ledger's id, the width of its hour, and its pepper: the file is as secret as the ledger.
    pub meta: Meta,
}

impl Head {
    /// The head of a file that this release writes.
    pub fn new(kind: ExportKind, made_at: Timestamp, host: Option<HostId>, meta: Meta) -> Head {
        Head { kind, made_at, host, version: env!("CARGO_PKG_VERSION").to_owned(), meta }
    }
}

/// A part of a file in a backup.
#[derive(Clone, PartialEq, Eq)]
pub struct FilePart {
    /// Its path in the data directory, with `/` between folder and file.
    pub name: String,
    /// Its permissions.
    pub mode: u32,
    /// The number of the part, from 0; the parts of a file follow each other.
    pub part: u64,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Sends a ledger as lines, page by page, with whole lines in each message. The ledger may be written to meanwhile.
///
/// It continues when the receiver has taken what was read before, so it holds only a few pages. It ends if there is no receiver any
/// more. After an error nothing follows, and the last line is missing.
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

/// Sends the salvaged rows of a ledger as lines. It blocks until the receiver takes them.
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
