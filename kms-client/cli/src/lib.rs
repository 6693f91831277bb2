//! The life of the process: arguments, log, one command, its answer or its error.
//!
//! This program calls the library `kms_client` and prints. It is a library itself for [`product_file`], which other programs read as
//! well. Read `cli.rs` next, then the commands in the order of the `mod` lines, then `show.rs` for their texts.

mod cli;

mod account;
mod hosts;
mod key;
mod license;
mod machine;
mod proxy;
mod run;
mod wizard;

mod answer;
mod given;
mod owner;
mod product;
pub mod product_file;
mod show;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::CommandFactory as _;
use program::exit::{EX_IOERR, EX_USAGE};
use program::explain::explain;
use program::{arguments, output};
use serde_json::Value;
use shared::print::{Lines, OneLine};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::answer::{Answer, Failure};
use crate::cli::{Cli, Command};
use crate::given::GivenOptions;

/// `kms-client` with the arguments of this process, to its exit code.
pub fn main() -> ExitCode {
    main_with(std::env::args_os())
}

/// `kms-client` with these arguments, its name first, to its exit code.
pub fn main_with(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let cli: Cli = match arguments::parse(Cli::command(), arguments) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    log();
    let given = GivenOptions::of(&cli.setting);
    match carry_out(&cli) {
        Ok(answer) => print(answer, &given, cli.json),
        Err(failure) => {
            let _ = writeln!(io::stderr(), "error: {}", OneLine(given.complete(&failure.line)));
            ExitCode::from(failure.code)
        }
    }
}

/// Carries out the command on this thread.
fn carry_out(cli: &Cli) -> Result<Answer, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(EX_IOERR, format!("no event queue: {error}")))?;
    let done = runtime.block_on(command(cli));
    // The system may still be looking up a name. Do not wait for that.
    runtime.shutdown_background();
    done
}

async fn command(cli: &Cli) -> Result<Answer, Failure> {
    let inspect = || product::inspect(&cli.setting);
    let open_to_keep = || product::open_to_keep(&cli.setting);
    match &cli.command {
        Command::Status => Ok(license::status(&inspect()?)),
        Command::Activate => license::activate(&open_to_keep()?).await,
        Command::Discover => Ok(hosts::discover(&inspect()?.inspector).await),
        Command::Key(command) => key::key(&inspect()?, open_to_keep, command).await,
        Command::Account(command) => account::account(&inspect()?, open_to_keep, command, cli.json).await,
        Command::Wizard(arguments) => wizard::wizard(&open_to_keep()?, arguments, cli).await,
        Command::Proxy(command) => proxy::proxy(&inspect()?, open_to_keep, command).await,
        Command::Host(command) => hosts::configured(&inspect()?, command).await,
        Command::Organisation(command) => machine::organisation(&inspect()?, open_to_keep, *command).await,
        Command::Release { key } => license::release(&open_to_keep()?, *key).await,
        Command::Identity(command) => machine::identity(open_to_keep, command).await,
        Command::Run => run::run(&product::open(&cli.setting)?, cli).await,
        Command::Explain { code } => match explain("kms-client", code.as_deref()) {
            Ok((text, json)) => Ok(Answer::done(text, json)),
            Err(line) => Err(Failure::new(EX_USAGE, line)),
        },
    }
}

/// Logs on standard error what KMS_LOG asks for, such as `KMS_LOG=kms_client=debug`.
fn log() {
    let filter = EnvFilter::builder().with_env_var("KMS_LOG").with_default_directive(LevelFilter::OFF.into());
    tracing_subscriber::fmt().with_env_filter(filter.from_env_lossy()).with_writer(io::stderr).init();
}

fn print(mut answer: Answer, given: &GivenOptions, as_json: bool) -> ExitCode {
    given.complete_json(&mut answer.json);
    let text = match (as_json, &answer.json) {
        (true, Value::Null) => String::new(),
        (true, json) => output::json_text(json),
        (false, _) => Lines(given.complete(&answer.text)).to_string(),
    };
    output::print(&text, answer.code)
}
