//! Machines of a closed network, activated by one file: `proxy collect`, `proxy carry`, `proxy apply`.
//!
//! The file has a block in PEM for each machine: its signed ask, and later its confirmation in that place. The library signs and
//! verifies; nothing that was done to the file on its way licenses anybody.

use std::fmt::Write as _;
use std::path::Path;

use kms_client::{Cause, Client, Reason};
use program::carried::{Body, CarriedFile, NotCarried};
use program::exit::{EX_DATAERR, EX_IOERR, EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE};
use serde_json::json;

use crate::answer::{Answer, Failure};
use crate::cli::ProxyCommand;
use crate::product::Inspected;
use crate::{license, show};

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
    let ask = Body::new(client.key_ask().await?);
    let mut file = CarriedFile::collect(path).map_err(failed)?;
    file.add(ask);
    file.save().map_err(failed)?;
    let (asks, shown) = (file.asks().count(), path.display());
    let mut text =
        format!("Machines whose asks are in {shown}: {asks}. Carry it to a machine with a network.\n");
    let code = damaged(&file, &mut text);
    Ok(Answer { text, json: json!({ "asks": asks, "damaged": file.damaged().count() }), code })
}

async fn carry(inspected: &Inspected, path: &Path) -> Result<Answer, Failure> {
    let mut file = CarriedFile::change(path).map_err(failed)?;
    let (mut refused, mut text) = (Vec::new(), String::new());
    let asks: Vec<_> = file.asks().cloned().collect();
    for ask in asks {
        match inspected.inspector.carry_ask(&ask).await {
            Ok(confirmation) => file.confirm(&ask, confirmation),
            Err(cause) => {
                let _ = writeln!(text, "Not confirmed: {}", show::cause(&cause));
                refused.push(show::cause_json(&cause));
                if keeps_others(&cause) {
                    break;
                }
            }
        }
    }
    file.save().map_err(failed)?;
    let (confirmed, left) = (file.confirmations().count(), file.asks().count());
    let shown = path.display();
    let _ = writeln!(text, "Confirmations in {shown}: {confirmed}; asks without one: {left}.");
    let code = damaged(&file, &mut text);
    let code = if left == 0 { code } else { EX_UNAVAILABLE };
    let json = json!({
        "confirmed": confirmed,
        "left": left,
        "damaged": file.damaged().count(),
        "refused": refused,
    });
    Ok(Answer { text, json, code })
}

/// Whether the other asks would fail for the same cause.
fn keeps_others(cause: &Cause) -> bool {
    matches!(
        cause.reason(),
        Some(
            Reason::NoPortalKnown
                | Reason::PortalCaBad
                | Reason::PortalCertificateBad
                | Reason::PortalUnreachable
                | Reason::PortalFailed
                | Reason::TooManyWrongKeys
        )
    )
}

async fn apply(client: &Client, path: &Path) -> Result<Answer, Failure> {
    let before = client.snapshot();
    for confirmation in CarriedFile::look(path).map_err(failed)?.confirmations() {
        if client.apply_confirmation(confirmation).await? {
            let now = client.snapshot();
            let text = show::key_before(&before, &now) + &license::shown(client);
            return Ok(Answer::done(text, show::snapshot_json(&now)));
        }
    }
    if client.snapshot().key.is_some_and(|key| key.confirmed_at.is_some()) {
        return Ok(Answer::done(license::shown(client), show::snapshot_json(&client.snapshot())));
    }
    let line = format!("{} has no confirmation for this machine; carry its ask first", path.display());
    Err(Failure::new(EX_UNAVAILABLE, line))
}

/// Says what cannot be read. It stays in the file.
fn damaged(file: &CarriedFile, text: &mut String) -> u8 {
    for (number, error) in file.damaged() {
        let _ = writeln!(
            text,
            "Block {number} is not read, and left in the file: {error}. Collect again on that machine."
        );
    }
    if file.damaged().next().is_none() { 0 } else { EX_DATAERR }
}

fn failed(error: NotCarried) -> Failure {
    let code = match error {
        NotCarried::Io { .. } => EX_IOERR,
        NotCarried::Other(_) => EX_DATAERR,
        NotCarried::Busy(_) => EX_TEMPFAIL,
    };
    Failure::new(code, error.to_string())
}
