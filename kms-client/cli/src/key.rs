//! The product key on this machine: `key set`, `key clear`, `key show`.

use std::io::{self, Read as _};

use kms_client::{Client, Reason};
use program::exit::{EX_IOERR, EX_USAGE};
use serde_json::json;

use crate::answer::{Answer, Failure};
use crate::cli::KeyCommand;
use crate::product::Inspected;
use crate::{license, show};

/// More than any key with dashes and spaces. A longer input is no key.
const INPUT_MAX_BYTES: u64 = 1024;

/// Enters, forgets or shows the product key.
pub(crate) async fn key(
    inspected: &Inspected,
    open: impl FnOnce() -> Result<Client, Failure>,
    command: &KeyCommand,
) -> Result<Answer, Failure> {
    match command {
        KeyCommand::Set { key, later } => {
            let key = if key == "-" { typed()? } else { key.clone() };
            set(&open()?, &key, *later).await
        }
        KeyCommand::Clear => {
            // If the product has not run yet, there is none to forget.
            if !inspected.is_not_begun() {
                open()?.clear_key().await?;
            }
            let snapshot = inspected.snapshot();
            let text = match snapshot.key {
                Some(key) => format!(
                    "Key {} is forgotten, and hosts are asked again. The vendor still counts its place, unless it was \
                     released.\n",
                    key.number
                ),
                None => "There was none.\n".to_owned(),
            };
            let number = snapshot.key.map(|key| key.number.to_string());
            Ok(Answer::done(text, json!({ "forgotten": number, "troubles": show::troubles_json(snapshot) })))
        }
        KeyCommand::Show => {
            let snapshot = inspected.snapshot();
            let text = match &snapshot.key {
                Some(_) => show::rows(&show::key(snapshot)),
                None => "No product key is entered: this machine is licensed by hosts.\n".to_owned(),
            };
            let json = json!({ "key": show::key_json(snapshot), "troubles": show::troubles_json(snapshot) });
            Ok(Answer::done(text + &show::rows(&show::troubles(snapshot)), json))
        }
    }
}

async fn set(client: &Client, key: &str, later: bool) -> Result<Answer, Failure> {
    let entered = if later { client.set_key_for_later(key).await } else { client.set_key(key).await };
    let number = entered.map_err(|cause| match cause.reason() {
        Some(Reason::KeyMalformed | Reason::KeyNewer | Reason::KeyOtherKind | Reason::KeyOtherProduct) => {
            Failure::new(EX_USAGE, format!("{cause}; {}", cause.remedy()))
        }
        _ => cause.into(),
    })?;
    let text = format!("Key {number} is entered.\n");
    if later {
        let snapshot = client.snapshot();
        let text = text + "Activate it with `kms-client activate`, or in the product.\n";
        return Ok(Answer::done(text, show::snapshot_json(&snapshot)));
    }
    let answer = license::activate(client).await?;
    Ok(Answer { text: text + &answer.text, ..answer })
}

fn typed() -> Result<String, Failure> {
    let mut text = String::new();
    let read = io::stdin().lock().take(INPUT_MAX_BYTES).read_to_string(&mut text);
    read.map(|_| text).map_err(|error| Failure::new(EX_IOERR, format!("standard input: {error}")))
}
