//! `run`: the library's loop on this process, with a line for each change, until it is told to stop.

use std::io::{self, Write as _};

use kms_client::{Client, Clock as _, Snapshot, SystemClock};
use serde_json::Value;
use shared::print::{Json, OneLine};

use crate::answer::{Answer, EX_IOERR, Failure};
use crate::show;

/// Stays and renews until Ctrl-C or SIGTERM.
pub(crate) async fn run(client: &Client, as_json: bool) -> Result<Answer, Failure> {
    let stop = stop().map_err(|error| Failure::new(EX_IOERR, format!("no signals: {error}")))?;
    let mut watch = client.watch();
    let agent = client.run(stop);
    tokio::pin!(agent);
    let mut said = String::new();
    loop {
        if say(&client.snapshot(), as_json, &mut said).is_err() {
            // Nobody reads any more, as in `kms-client run | head`.
            break;
        }
        tokio::select! {
            () = &mut agent => break,
            changed = watch.changed() => if changed.is_err() { break },
        }
    }
    Ok(Answer::done("", Value::Null))
}

/// One line, if it is not the one that was said last: the serial and the timer move at every renewal.
fn say(snapshot: &Snapshot, as_json: bool, said: &mut String) -> io::Result<()> {
    let change = show::change(snapshot);
    if change == *said {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    if as_json {
        writeln!(stdout, "{}", Json(show::snapshot_json(snapshot)))?;
    } else {
        writeln!(stdout, "{}  {}", SystemClock::new().now(), OneLine(&change))?;
    }
    *said = change;
    stdout.flush()
}

/// Ready when the process is told to stop. The handlers stand when this returns, before anything is said.
#[cfg(unix)]
fn stop() -> io::Result<impl Future<Output = ()>> {
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
fn stop() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a handler the system ends the process, which is what was wanted.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
