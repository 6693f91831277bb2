//! Machines of a closed network, activated by one file: `proxy collect`, `proxy carry`, `proxy apply`.
//!
//! The file has a block in PEM for each machine: its signed ask, and later its confirmation in that place. The library signs and
//! verifies; nothing that was done to the file on its way licenses anybody.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use kms_client::Client;
use program::exit::{EX_DATAERR, EX_IOERR, EX_UNAVAILABLE, EX_USAGE};
use serde_json::json;
use shared::files::{CONFIRMATION, MACHINE_ACTIVATION, all_from_pem, to_pem};
use zeroize::Zeroizing;

use crate::answer::{Answer, Failure};
use crate::cli::ProxyCommand;
use crate::product::Inspected;
use crate::{license, show};

/// Thousands of machines. A larger file is another one.
const FILE_MAX_BYTES: u64 = 16 << 20;

/// Adds an ask to the file, carries all of them, or takes the answer.
pub(crate) async fn proxy(
    inspected: &Inspected,
    open: impl FnOnce() -> Result<Client, Failure>,
    command: &ProxyCommand,
) -> Result<Answer, Failure> {
    match command {
        ProxyCommand::Collect { file } => collect(&open()?, file).await,
        ProxyCommand::Carry { file } => carry(inspected, file).await,
        ProxyCommand::Apply { file } => apply(&open()?, file).await,
    }
}

async fn collect(client: &Client, path: &Path) -> Result<Answer, Failure> {
    if client.snapshot().key.is_none() {
        let line =
            "no product key is entered on this machine; enter it with `kms-client key set --later KEY`";
        return Err(Failure::new(EX_USAGE, line));
    }
    let ask = Zeroizing::new(client.key_ask().await?);
    let mut blocks = if path.exists() { Blocks::read(path)? } else { Blocks::default() };
    if !blocks.asks.contains(&ask) {
        blocks.asks.push(ask);
        blocks.write(path)?;
    }
    let (asks, shown) = (blocks.asks.len(), path.display());
    let text = format!("{shown} has the asks of {asks} machines. Carry it to a machine with a network.\n");
    Ok(Answer::done(text, json!({ "asks": asks })))
}

async fn carry(inspected: &Inspected, path: &Path) -> Result<Answer, Failure> {
    let mut blocks = Blocks::read(path)?;
    let (mut refused, mut text) = (Vec::new(), String::new());
    for ask in std::mem::take(&mut blocks.asks) {
        match inspected.inspector.carry_ask(&ask).await {
            Ok(confirmation) => blocks.confirmations.push(Zeroizing::new(confirmation)),
            Err(cause) => {
                let _ = writeln!(text, "Not confirmed: {}", show::cause(&cause));
                refused.push(show::cause_json(&cause));
                blocks.asks.push(ask);
            }
        }
    }
    blocks.write(path)?;
    let (confirmed, left) = (blocks.confirmations.len(), blocks.asks.len());
    let shown = path.display();
    let _ = writeln!(text, "{shown} has {confirmed} confirmations, and {left} asks without one.");
    let code = if left == 0 { 0 } else { EX_UNAVAILABLE };
    Ok(Answer { text, json: json!({ "confirmed": confirmed, "left": left, "refused": refused }), code })
}

async fn apply(client: &Client, path: &Path) -> Result<Answer, Failure> {
    for confirmation in Blocks::read(path)?.confirmations {
        if client.apply_confirmation(&confirmation).await? {
            return Ok(Answer::done(license::shown(client), show::snapshot_json(&client.snapshot())));
        }
    }
    if client.snapshot().key.is_some_and(|key| key.confirmed_at.is_some()) {
        return Ok(Answer::done(license::shown(client), show::snapshot_json(&client.snapshot())));
    }
    let line = format!("{} has no confirmation for this machine; carry its ask first", path.display());
    Err(Failure::new(EX_UNAVAILABLE, line))
}

/// What is in the file.
#[derive(Default)]
struct Blocks {
    asks: Vec<Zeroizing<Vec<u8>>>,
    confirmations: Vec<Zeroizing<Vec<u8>>>,
}

impl Blocks {
    fn read(path: &Path) -> Result<Blocks, Failure> {
        let mut text = Zeroizing::new(Vec::new());
        let read = File::open(path).and_then(|file| file.take(FILE_MAX_BYTES).read_to_end(&mut text));
        read.map_err(|error| failed(path, &error))?;
        let bodies = |label| {
            let unusable = |error| Failure::new(EX_DATAERR, format!("{}: {error}", path.display()));
            all_from_pem(label, &text).map_err(unusable)
        };
        Ok(Blocks { asks: bodies(MACHINE_ACTIVATION)?, confirmations: bodies(CONFIRMATION)? })
    }

    /// Replaces the file at once. Its owner alone may read it, because product keys are in it.
    fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut text = Zeroizing::new(String::new());
        for (label, bodies) in [(MACHINE_ACTIVATION, &self.asks), (CONFIRMATION, &self.confirmations)] {
            for body in bodies {
                text.push_str(&Zeroizing::new(to_pem(label, body)));
            }
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        // A crash may have left one. If it cannot be removed, making it fails.
        let _ = fs::remove_file(&beside);
        let written = create(&beside).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, path)
        });
        written.map_err(|error| failed(path, &error))
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(EX_IOERR, format!("{}: {error}", path.display()))
}
