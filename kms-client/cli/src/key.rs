//! The product key on this machine: `key set`, `key clear`, `key show`, and by codes `key installation-id` and `key confirm`.

use std::io;

use kms_client::{Cause, Client, EnteredKey, InstallationCode, Reason};
use program::code::{qr, rows, typed_confirmation};
use program::exit::{EX_DATAERR, EX_IOERR, EX_USAGE};
use program::typed;
use serde_json::json;

use crate::answer::{Answer, Failure};
use crate::cli::KeyCommand;
use crate::product::Inspected;
use crate::{license, show};

/// More than any key or code with dashes and spaces.
const INPUT_MAX_BYTES: u64 = 4096;

/// Enters, forgets or shows the product key.
pub(crate) async fn key(
    inspected: &Inspected,
    open: impl FnOnce() -> Result<Client, Failure>,
    command: &KeyCommand,
) -> Result<Answer, Failure> {
    match command {
        KeyCommand::Set { key, later } => {
            let key = if key == "-" {
                typed::line("Product key, 25 characters in five groups: ", INPUT_MAX_BYTES)
                    .map_err(unreadable)?
            } else {
                key.clone()
            };
            // A look is enough to see that, and begins no state.
            inspected.inspector.check_key(&key).map_err(|cause| refused(EX_USAGE, &cause))?;
            set(&open()?, &key, *later).await
        }
        KeyCommand::InstallationId { qr } => {
            let code = inspected.inspector.installation_id().map_err(not_confirmed)?;
            Ok(to_read_out(&code, *qr))
        }
        KeyCommand::Confirm { code } => {
            let code = if *code == ["-"] {
                typed_confirmation(INPUT_MAX_BYTES).map_err(unreadable)?
            } else {
                code.join(" ")
            };
            if inspected.snapshot().key.is_none() {
                // A look is enough to see that, and begins no state.
                return Err(not_confirmed(Reason::KeyMissing.into()));
            }
            confirm(&open()?, &code).await
        }
        KeyCommand::Clear => {
            // If the product has not run yet, there is none to forget.
            if !inspected.is_not_begun() {
                open()?.clear_key().await?;
            }
            let snapshot = inspected.snapshot();
            let text = snapshot.key.map_or_else(|| "There was none.\n".to_owned(), |key| forgotten(&key));
            let number = snapshot.key.map(|key| key.number.to_string());
            Ok(Answer::done(text, json!({ "forgotten": number, "troubles": show::troubles_json(snapshot) })))
        }
        KeyCommand::Show => {
            let snapshot = inspected.snapshot();
            let text = match &snapshot.key {
                Some(_) => show::rows(
                    &show::key(snapshot).into_iter().chain(show::revoked(snapshot)).collect::<Vec<_>>(),
                ),
                None => "No product key is entered: this machine is licensed by hosts.\n".to_owned(),
            };
            let (key, troubles) = (show::key_json(snapshot), show::troubles_json(snapshot));
            let json = json!({ "key": key, "revoked": snapshot.revoked, "troubles": troubles });
            Ok(Answer::done(text + &show::rows(&show::troubles(snapshot)), json))
        }
    }
}

async fn set(client: &Client, key: &str, later: bool) -> Result<Answer, Failure> {
    let before = client.snapshot();
    let number = if later { client.set_key_for_later(key).await? } else { client.set_key(key).await? };
    let text = format!("Key {number} is entered.\n");
    let snapshot = client.snapshot();
    if snapshot.is_licensed_by_key() {
        let text = text + "It has activated this machine already.\n" + &license::shown(client);
        return Ok(Answer::done(text, show::snapshot_json(&snapshot)));
    }
    if later {
        let text = text + "Activate it with `kms-client activate`, or in the product.\n";
        return Ok(Answer::done(
            text + &show::key_before(&before, &snapshot),
            show::snapshot_json(&snapshot),
        ));
    }
    let answer = license::activate(client).await?;
    Ok(Answer { text: text + &answer.text, ..answer })
}

/// What is left of a key that was cleared.
fn forgotten(key: &EnteredKey) -> String {
    let number = key.number;
    let (keys, place) = match (key.before, key.activated()) {
        (Some(before), _) => {
            (format!("Keys {number} and {before} are"), format!("the place of key {before}"))
        }
        (None, Some(_)) => (format!("Key {number} is"), "its place".to_owned()),
        (None, None) => {
            return format!(
                "Key {number} is forgotten, and hosts are asked again. If the vendor counts a place of it, \
                 `kms-client release --key {number}` gives that back.\n"
            );
        }
    };
    let activated = key.activated().unwrap_or(number);
    format!(
        "{keys} forgotten, and hosts are asked again. The vendor counts {place} until `kms-client release --key {activated}` gives \
         it back.\n"
    )
}

/// The installation id, in rows that are read aloud.
fn to_read_out(code: &InstallationCode, with_qr: bool) -> Answer {
    let [digits, letters] = [code.digits(), code.letters()];
    let mut text = format!(
        "Installation id of this machine, for key {}. Read it to the vendor:\n\n{}\nOr type it, or send it:\n\n{}",
        code.key(),
        rows(&digits),
        rows(&letters),
    );
    if let Some((qr, _)) = qr(&letters).filter(|_| with_qr) {
        text = text + "\nOr show it to a camera:\n\n" + &qr;
    }
    text += "\nThen enter the confirmation id, in digits or letters:\n  kms-client key confirm -\n";
    let json = json!({ "key_number": code.key().to_string(), "digits": digits, "letters": letters });
    Answer::done(text, json)
}

async fn confirm(client: &Client, code: &str) -> Result<Answer, Failure> {
    let before = client.snapshot();
    let snapshot = client.enter_confirmation(code).await.map_err(not_confirmed)?;
    let number = snapshot.key.map(|key| format!(" for key {}", key.number)).unwrap_or_default();
    let text =
        format!("Confirmed{number}.\n{}{}", show::key_before(&before, &snapshot), license::shown(client));
    Ok(Answer::done(text, show::snapshot_json(&snapshot)))
}

fn not_confirmed(cause: Cause) -> Failure {
    let code = match cause.reason() {
        Some(Reason::KeyMissing) => EX_USAGE,
        Some(
            Reason::CodeMalformed | Reason::CodeNewer | Reason::CodeOtherInstallation | Reason::CodeEnded,
        ) => EX_DATAERR,
        _ => return cause.into(),
    };
    refused(code, &cause)
}

fn refused(code: u8, cause: &Cause) -> Failure {
    Failure::new(code, format!("{cause}; {}", cause.remedy()))
}

fn unreadable(error: io::Error) -> Failure {
    Failure::new(EX_IOERR, format!("standard input: {error}"))
}
