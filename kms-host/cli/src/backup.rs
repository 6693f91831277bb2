//! `kms-host backup` and `restore`: writes a whole host into one file, and creates a host from such a file.

use std::path::Path;

use kms_host::config::{FILE_NAME, SettingSources};
use kms_host::export::{CheckedLine, ExportKind, ExportWriter, Head, Summary, shown};
use kms_host::home::{Carried, Home, HomeError};
use ledger::Kept;
use program::exit::EX_IOERR;
use program::output::json_text;
use program::owner::hint_at_owner;
use serde_json::json;

use super::lines::{self, LedgerLines, Output};
use super::owner::{as_owner, become_owner};
use super::{Failure, OrExit, online, runtime};

/// Writes a backup, of a running host or of a stopped one.
pub(super) fn backup(home: &Home, wanted: &super::Backup) -> Result<String, Failure> {
    let file = &wanted.file;
    // As root, the command would follow every link in a directory of another user.
    let (files, host) = as_owner(home, || Ok((home.files()?, home.signing_key()?.public().host())))?;
    let files = with_settings(files, home, wanted.config.as_deref())?;
    let mut output = Output::private_to(file, wanted.force)?;
    let (mut machines, mut left_out) = (0_u64, 0);
    let writer = runtime()?.block_on(async {
        let mut ledger = LedgerLines::of(home, ExportKind::Backup).await?;
        let mut writer = None;
        ledger
            .each(|line, checked| {
                match (checked, &mut writer) {
                    (CheckedLine::Head(head), _) => {
                        let head = Head { kind: ExportKind::Backup, host: Some(host), ..head };
                        writer = Some(begin(&head, &files, &mut output)?);
                    }
                    (CheckedLine::Row(kept), Some(writer)) => {
                        machines += u64::from(matches!(kept, Kept::Machine { .. }));
                        writer.line(line);
                        if lines::WRITE_BYTES <= writer.waiting() {
                            output.write(&writer.take())?;
                        }
                    }
                    (CheckedLine::End(end), _) => left_out = end.left_out,
                    (CheckedLine::File(_) | CheckedLine::Row(_), _) => {}
                }
                Ok(())
            })
            .await?;
        writer.ok_or_else(|| anyhow::anyhow!("the ledger has come without a beginning")).or_exit(EX_IOERR)
    });
    let mut writer = writer?;
    writer.left_out(left_out);
    output.write(&writer.end())?;
    output.finish()?;
    let said = if wanted.json {
        let files: Vec<_> = files.iter().map(|file| &file.name).collect();
        json_text(
            &json!({ "file": file, "host": host.to_string(), "machines": machines, "files": files, "left_out": left_out }),
        )
    } else {
        format!(
            "Backed up host {host} with {} and {} to {}.\n{}Anyone with the file can act as this host: keep it secret, and not on \
             this disk alone.\n",
            online::number(machines, "machine"),
            online::number(files.len(), "file"),
            lines::written(file),
            lines::left_out(left_out),
        )
    };
    Ok(lines::beside(file, said))
}

/// Reads a backup or an export from start to end, and reports what it contains.
pub(super) fn check(file: &Path, as_json: bool) -> Result<String, Failure> {
    let file = lines::open(file)?;
    let summary = file.check(&mut lines::signs_of_life()).map_err(HomeError::from)?;
    if as_json {
        return Ok(json_text(&lines::summary_json(&summary)));
    }
    let Summary { head, files, machines, left_out, size_bytes, .. } = &summary;
    let host = head.host.map_or_else(|| "a host without a key".to_owned(), |host| format!("host {host}"));
    Ok(format!(
        "ok: {} is a whole {} of {host}, of {}: {} in ledger {}, {}, {} MiB.\n{}",
        shown(file.path()),
        head.kind.name(),
        head.made_at,
        online::number(*machines, "machine"),
        head.meta.ledger,
        online::number(files.len(), "file"),
        size_bytes.div_ceil(1 << 20),
        lines::left_out(*left_out),
    ))
}

/// Creates the host of a backup, in a directory that is empty or missing.
pub(super) fn restore(home: &Home, file: &Path, made_on: &super::NewLedger) -> Result<String, Failure> {
    // Opened first, because only root may be able to read it. The settings in the backup are read as the owner.
    let backup = lines::open(file)?;
    let config = made_on.config.as_deref();
    let named = config.map(|config| lines::wanted_engine(home, Some(config))).transpose()?;
    become_owner(home)?;
    let engine = || named.map_or_else(|| lines::wanted_engine(home, None), Ok);
    let summary = home.restore(&backup, engine, &mut lines::signs_of_life())?;
    let host = home.signing_key()?.public().host();
    if made_on.json {
        return Ok(json_text(&lines::summary_json(&summary)));
    }
    let data = home.path().display();
    let mut said = format!(
        "Restored host {host} into {data}, as it was at {}: {}, and {}.\n{}\
         The old host must never run again: two hosts with one key count separately, and each takes the other's leases for its own \
         forgotten ones.\n\
         Machines that it has answered since show newer leases; this one learns from them, loses no license, and says \
         LEDGER_RESTORED in `kms-host status`.\n",
        summary.head.made_at,
        online::number(summary.machines, "machine"),
        online::number(summary.files.len(), "file"),
        lines::left_out(summary.left_out),
    );
    said.extend(hint_at_owner(home.path()));
    Ok(said + &lines::to_serve(home))
}

/// The settings file in use, wherever it is. The backup has it as the file of the data directory.
fn with_settings(
    mut files: Vec<Carried>,
    home: &Home,
    config: Option<&Path>,
) -> Result<Vec<Carried>, Failure> {
    let sources = SettingSources::new(config, home.path());
    let settings = sources.file();
    let is_elsewhere = settings != home.path().join(FILE_NAME);
    if is_elsewhere && (config.is_some() || settings.exists()) {
        files.retain(|file| file.name != FILE_NAME);
        let open = || Ok(Carried::open(FILE_NAME.to_owned(), settings)?);
        files.push(if sources.is_in_data() { as_owner(home, open)? } else { open()? });
        files.sort_by(|one, other| one.name.cmp(&other.name));
    }
    Ok(files)
}

/// The first lines of a backup: what it is, and every file.
fn begin(head: &Head, files: &[Carried], output: &mut Output) -> Result<ExportWriter, Failure> {
    let mut writer = ExportWriter::begin(head);
    for file in files {
        let mut written = Ok(());
        file.read(|part| {
            writer.file(part);
            if written.is_ok() {
                written = output.write(&writer.take());
            }
        })?;
        written?;
    }
    Ok(writer)
}
