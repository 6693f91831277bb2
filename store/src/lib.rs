//! sled 0.34 and fjall 3, made durable: what [`Store::sync`] has acknowledged is on the disk.
//!
//! The host's ledger stands on this crate, and the vendor's service will. It keeps bytes under keys, writes
//! them in atomic batches and knows nothing of what they mean. Encoding, checksums of single records, backup
//! and the grouping of writers belong to the callers. A store is made on one [`Engine`] and stays with it; a caller
//! may bring an engine of its own ([`Store::open_with`]).
//!
//! No engine alone does what we promise, so each known weakness has one answer here:
//!
//! | sled 0.34.7 | here |
//! |---|---|
//! | `flush()` calls `sync_file_range` on Linux, which leaves the disk's cache and the file's length alone | [`Store::sync`] calls fdatasync after it |
//! | a new database's directory entries are never synced | [`Store::open`] syncs files, directory and parent |
//! | a batch's memory grows far faster than the batch (5,000 records took 5.8 GB) | [`MAX_BATCH`] |
//! | a page above 128 KiB goes into a file of its own, which is never synced | [`MAX_KEY_BYTES`], [`MAX_VALUE_BYTES`] |
//! | the lock of a process just killed may be held a moment longer | [`Store::open`] tries again for five seconds |
//! | a lost tail of the log opens as an older state, or as an empty store | a mark of the last sync, compared at [`Store::open`] |
//! | opening a damaged store changes it, and a second try may pass with less | [`Store::open`] tries a copy first, unless the store was closed in order and no file was touched since; without a copy a refusal is noted in a file, and holds |
//! | opening writes, even for whoever only reads | [`Store::look`] opens a copy |
//! | a snapshot that is not finished, or damaged, keeps a whole log from opening | it is left out, and made anew from the log |
//! | nothing tells a crash from an orderly end | a note of the end and of every file, and [`Store::was_closed_in_order`] |
//! | closing after a failed sync may panic | a store that has stopped is leaked, not closed |
//! | damage may panic inside sled | [`OpenError::Damaged`], [`ReadError::Damaged`] |
//!
//! | fjall 3.1.13 | here |
//! |---|---|
//! | a lost tail of the journal opens as an older state | the same mark |
//! | damage in the list of tables, or in a table's contents, may abort the process | [`Store::open`] compares their checksums before |
//! | opening writes, and may cut what it then refuses | the same copies; tables are linked |
//! | a keyspace that is lost, or its file `current`, begins anew, empty | [`Store::open`] looks for each |
//! | a batch's checksum leaves out its sequence number: one bit of it brings back older records | every batch carries a floor for it; [`Store::open`] looks whether the numbers grow and fit |
//! | a sealed journal is cut at its first bad entry, and the next one goes on behind it | [`Store::open`] compares where each ends before and after |
//! | an error that a thread of its own met in a sync is known only after the fact | each sync looks for it in the same hold of the lock, and once more behind |
//! | a making that was cut short does not open again | it is made under another name, and renamed |
//! | after a failed sync it says only that it is poisoned | the disk is asked once more for the cause |
//! | the whole journal is read when it opens | one of up to 80 MB, and for a while the one before it |
//!
//! ```
//! use kms_store::{Batch, Engine, Store};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! # let directory = home.path();
//! let store = Store::open(directory, Engine::Sled, 64 << 20)?;
//! let mut batch = Batch::new();
//! batch.put("machine/1", "seen");
//! batch.put("count", 1_u64.to_be_bytes());
//! store.write(batch)?;
//! store.sync()?; // Only now may anybody be told.
//! assert_eq!(store.get(b"machine/1")?.as_deref(), Some(&b"seen"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! On both, a failed write leaves pages in memory that Linux takes for written. They would be acknowledged with the next sync, so
//! a store that was not closed in order is read from the disk: its pages are dropped first.
//!
//! # What is not promised
//!
//! - **Damage in the middle of sled's log**: bits that rot, blocks that something else overwrote. sled passes over
//!   what it cannot read, and records whose newest version lay there come back older or not at all. Of 450 such
//!   damages 52 opened so, with up to 2 % of the records older or missing; none gave a value that nobody wrote.
//!   A caller who must notice keeps a count or a sum of its records, and checks it. fjall has a checksum on every
//!   block of a table and refuses to read it; a journal that is damaged is refused.
//! - **A sealed journal of fjall's that somebody deletes**, when it is the oldest. And while four of its memtables wait for a
//!   disk that takes nothing, fjall's own write does not return.
//! - **A disk that lies** about having emptied its cache.
//! - **Network file systems.** Their locks and syncs are their own.
//!
//! # What is left of a damaged store
//!
//! [`salvage`] reads the files of either engine by itself, and returns every record whose value passes the caller's own checksum.
//!
//! # How this is tested
//!
//! Every story of `tests/suite` is told on both engines. `killed.rs` kills a real process under load; that proves that
//! batches are whole and the lock is waited for, but no sync, because the page cache outlives the process. `damaged.rs`
//! and `damaged_fjall.rs` break closed stores; `untouched.rs` checks that a store which is looked at or refused stays as it was. A
//! test in `engine/sled.rs` gives a sync a descriptor whose fdatasync fails. Only a power cut shows that the disk keeps what
//! fdatasync promised: `kms-faults power-cut` does that, on an image, and with `--failed-writes` after a write that failed.
//!
//! Read next: `store.rs`, then `store/opening.rs`, `copy.rs` and `engine.rs`. `salvage.rs` does without an engine. `file.rs` is
//! for the other files that must survive, such as keys, and `regular.rs` reads them.

mod store;

mod batch;
mod copy;

mod engine;

mod closed;
mod lock;
mod mark;
mod place;

mod salvage;

mod bytes;
mod error;
pub mod file;
pub mod output;
pub mod regular;

pub use batch::{Batch, MAX_BATCH, MAX_KEY_BYTES, MAX_VALUE_BYTES, TooLarge};
pub use closed::is_empty;
pub use engine::{Backing, Engine, Fault, Opened, Record, Records, UnknownEngine};
pub use error::{OpenError, ReadError, SyncError, WriteError};
pub use place::{Gone, Place};
pub use salvage::{Salvaged, Verify, salvage};
pub use store::Store;
