//! `fleet`: years of a fleet in seconds, by the real rules, without sockets.
//!
//! What a machine does follows from `shared::license`, what a host does from `shared::count` and `shared::doubt`; only
//! time is virtual, and nothing is signed. A plan has one result, to the byte: the time that it took goes to stderr.
//!
//! Read next: `options`, the command line; `play`, the loop; `round` and `host`, the two sides; `back`, how long the hosts
//! may be away; `down`, what users see if they stay away.

mod options;
mod play;

mod agenda;
mod license;
mod machine;

mod host;
mod round;

mod back;
mod down;
mod history;
mod page;
mod result;
mod settings;
mod table;

mod calendar;
mod chance;
mod outage;
mod week;

use std::path::Path;

use anyhow::Context;
use kms_client::{Clock, SystemClock};
use program::exit::{EX_CANTCREAT, EX_IOERR, EX_USAGE};

pub(crate) use self::options::Plan;
use self::result::Found;
use crate::exit::{Failure, OrExit};

/// Plays a fleet, prints the result, and writes it to files if that is wanted.
///
/// # Errors
/// The plan does not hold, or the files cannot be written.
pub(crate) fn run(plan: Plan) -> Result<(), Failure> {
    let clock = SystemClock::new();
    plan.check().or_exit(EX_USAGE)?;
    let out = plan.out.clone();
    let found = Found::of(&play::play(plan).or_exit(EX_USAGE)?);
    if let Some(out) = &out {
        write(&found, out)
            .with_context(|| format!("cannot write into {}: name another --out", out.display()))
            .or_exit(EX_CANTCREAT)?;
    }
    crate::print(&table::text(&found)).or_exit(EX_IOERR)?;
    eprintln!("played in {:.1} s", clock.monotonic().as_secs_f64());
    Ok(())
}

fn write(found: &Found, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let json = serde_json::to_string_pretty(found)?;
    std::fs::write(folder.join("fleet.json"), json + "\n")?;
    std::fs::write(folder.join("fleet.html"), report::html::render(&page::page(found)))?;
    Ok(())
}
