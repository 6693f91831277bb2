//! `run`: the library's loop in this process, with a line for each change, until a signal stops it.

use std::io::{self, Write as _};

use kms_client::{Client, Clock as _, Snapshot, SystemClock};
use program::exit::EX_IOERR;
use serde_json::Value;
use shared::print::{Json, OneLine};

use crate::answer::{Answer, Failure};
use crate::cli::Cli;
use crate::given::GivenOptions;
use crate::show;

/// Runs and renews until Ctrl-C or SIGTERM.
pub(crate) async fn run(client: &Client, cli: &Cli) -> Result<Answer, Failure> {
    let stop = stop().map_err(|error| Failure::new(EX_IOERR, format!("no signals: {error}")))?;
    let mut watch = client.watch();
    let agent = client.run(stop);
    tokio::pin!(agent);
    let given = cli.json.then(|| GivenOptions::of(&cli.setting));
    let mut shown = String::new();
    loop {
        if show_change(&client.snapshot(), given.as_ref(), &mut shown).is_err() {
            // The reader is gone, as in `kms-client run | head`.
            break;
        }
        tokio::select! {
            () = &mut agent => break,
            changed = watch.changed() => if changed.is_err() { break },
        }
    }
    Ok(Answer::done("", Value::Null))
}

/// Prints one line, unless it is the same as the last one: at every renewal only the serial and the timer change. In JSON it has
/// remedies, and so commands.
fn show_change(snapshot: &Snapshot, in_json: Option<&GivenOptions>, shown: &mut String) -> io::Result<()> {
    let change = show::change(snapshot);
    if change == *shown {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    if let Some(given) = in_json {
        let mut json = show::snapshot_json(snapshot);
        given.complete_json(&mut json);
        writeln!(stdout, "{}", Json(json))?;
    } else {
        writeln!(stdout, "{}  {}", SystemClock::new().now(), OneLine(&change))?;
    }
    *shown = change;
    stdout.flush()
}

/// Ready when the process is told to stop. The handlers are installed when this returns, before anything is printed.
#[cfg(unix)]
pub(crate) fn stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ready when the process is told to stop.
#[cfg(not(unix))]
pub(crate) fn stop() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a handler Ctrl-C ends the process at once.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
