//! The account that licenses this machine: `account sign-in`, `account sign-out` and `account show`.

use kms_client::{Client, Clock as _, Length, SignIn, Snapshot, SystemClock};
use program::code::qr;
use program::exit::EX_IOERR;
use program::output;
use serde_json::{Value, json};
use shared::print::Json;

use crate::answer::{Answer, Failure};
use crate::cli::AccountCommand;
use crate::product::Inspected;
use crate::run::stop;
use crate::{license, show};

/// Signs somebody in or out, or shows who is.
pub(crate) async fn account(
    inspected: &Inspected,
    open: impl FnOnce() -> Result<Client, Failure>,
    command: &AccountCommand,
    as_json: bool,
) -> Result<Answer, Failure> {
    match command {
        AccountCommand::SignIn { no_qr } => sign_in(&open()?, !no_qr, as_json).await,
        AccountCommand::SignOut => {
            // If the product has not run yet, nobody is signed in.
            if inspected.snapshot().account.is_none() {
                return Ok(Answer::done("Nobody is signed in.\n", shown_json(inspected.snapshot())));
            }
            let client = open()?;
            client.sign_out().await?;
            let text = format!("Signed out.\n{}", license::shown(&client));
            Ok(Answer::done(text, shown_json(&client.snapshot())))
        }
        AccountCommand::Show => {
            let snapshot = inspected.snapshot();
            let rows = show::account(snapshot);
            let text = if rows.is_empty() {
                "Nobody is signed in: `kms-client account sign-in`.\n".to_owned()
            } else {
                show::rows(&rows)
            };
            Ok(Answer::done(text + &show::rows(&show::troubles(snapshot)), shown_json(snapshot)))
        }
    }
}

async fn sign_in(client: &Client, with_qr: bool, as_json: bool) -> Result<Answer, Failure> {
    let stop = stop().map_err(|error| Failure::new(EX_IOERR, format!("no signals: {error}")))?;
    let shown = client.sign_in().await?;
    let text = if as_json { format!("{}\n", Json(code_json(&shown))) } else { code_text(&shown, with_qr) };
    output::unless_closed(output::write(&text))
        .map_err(|error| Failure::new(EX_IOERR, format!("standard output: {error}")))?;
    tokio::select! {
        done = client.finish_sign_in() => done?,
        () = stop => return Ok(Answer::done("", Value::Null)),
    }
    let snapshot = client.snapshot();
    let who = snapshot.account.as_ref().map(|account| account.account.clone()).unwrap_or_default();
    Ok(Answer::done(format!("Signed in as {who}.\n{}", license::shown(client)), shown_json(&snapshot)))
}

fn code_text(shown: &SignIn, with_qr: bool) -> String {
    let SignIn { user_code, uri, uri_with_code, expires_at, .. } = shown;
    let left = Length(expires_at.since(SystemClock::new().now()));
    let qr = qr(uri_with_code).filter(|_| with_qr);
    let qr = qr.map(|(qr, _)| format!("Or show this to a camera:\n\n{qr}\n")).unwrap_or_default();
    format!(
        "Open this page in a browser, on any device:\n\n  {uri}\n\nSign in there, and type this code:\n\n  {user_code}\n\n{qr}\
         Waiting for up to {left} until somebody has typed it. Ctrl-C leaves.\n"
    )
}

fn code_json(shown: &SignIn) -> Value {
    json!({
        "user_code": shown.user_code,
        "uri": shown.uri,
        "uri_with_code": shown.uri_with_code,
        "expires_at_ms": shown.expires_at.unix_ms(),
    })
}

fn shown_json(snapshot: &Snapshot) -> Value {
    json!({ "account": show::account_json(snapshot), "troubles": show::troubles_json(snapshot) })
}
