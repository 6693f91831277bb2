//! `kms-host export` and `import`: writes a ledger into a file, and creates a ledger from one, on any engine.

use std::path::Path;

use kms_host::export::{CheckedLine, ExportKind, Summary};
use kms_host::home::Home;
use ledger::Kept;
use program::output::json_text;
use program::owner::hint_at_owner;
use serde_json::json;

use super::lines::{self, LedgerLines, Output};
use super::owner::become_owner;
use super::{Failure, online, runtime};

/// Exports from the running host, or from the ledger if none runs. A salvage reads the ledger's files without the engine.
pub(super) fn export(home: &Home, wanted: &super::Export) -> Result<String, Failure> {
    let (file, salvage) = (&wanted.file, wanted.salvage);
    let mut output = Output::to(file, wanted.force)?;
    let (mut machines, mut pending) = (0_u64, Vec::new());
    let end = runtime()?.block_on(async {
        let mut ledger = if salvage {
            LedgerLines::salvaged(home).await?
        } else {
            LedgerLines::of(home, ExportKind::Export).await?
        };
        ledger
            .each(|line, checked| {
                machines += u64::from(matches!(checked, CheckedLine::Row(Kept::Machine { .. })));
                pending.extend_from_slice(line);
                if lines::WRITE_BYTES <= pending.len() {
                    output.write(&pending)?;
                    pending.clear();
                }
                Ok(())
            })
            .await
    })?;
    output.write(&pending)?;
    output.finish()?;
    let said = if wanted.json {
        json_text(&json!({ "file": file, "machines": machines, "left_out": end.left_out }))
    } else {
        let next = if salvage {
            to_put_back(home, file)
        } else {
            format!("`kms-host import {}` makes a ledger of it.\n", file.display())
        };
        format!(
            "Exported {} to {}.\n{}It is as secret as the ledger. {next}",
            online::number(machines, "machine"),
            lines::written(file),
            lines::left_out(end.left_out),
        )
    };
    Ok(lines::beside(file, said))
}

/// The next steps after a salvage.
fn to_put_back(home: &Home, file: &Path) -> String {
    let (data, file) = (home.path().display(), file.display());
    format!(
        "What could not be read is missing, or is there as it was before; a machine that was forgotten may be back.\n\
         To serve what was saved:\n  mv {data}/ledger {data}/ledger.damaged\n  kms-host import {file} --data {data}\n"
    )
}

/// Creates the ledger of a host that does not run.
pub(super) fn import(home: &Home, file: &Path, made_on: &super::NewLedger) -> Result<String, Failure> {
    // Opened first, because only root may be able to read it.
    let (file, engine) = (lines::open(file)?, lines::wanted_engine(home, made_on.config.as_deref())?);
    become_owner(home)?;
    let summary = home.import(&file, engine, &mut lines::signs_of_life())?;
    if made_on.json {
        let mut shown = lines::summary_json(&summary);
        shown["engine"] = engine.name().into();
        return Ok(json_text(&shown));
    }
    let Summary { head, machines, left_out, .. } = &summary;
    let data = home.path().display();
    let mut said = format!(
        "Made ledger {} of {}, on {}, in {data}; it is of {}. Its count was added up anew.\n{}",
        head.meta.ledger,
        online::number(*machines, "machine"),
        engine.name(),
        head.made_at,
        lines::left_out(*left_out),
    );
    if head.kind == ExportKind::Backup {
        said += "The file is a backup. Only its ledger was taken: `kms-host restore` puts back the host.\n";
    }
    said += "No other host with this ledger may serve any more, because each of the two would count only a part of the machines.\n";
    said.extend(hint_at_owner(home.path()));
    Ok(said + &lines::to_serve(home))
}
