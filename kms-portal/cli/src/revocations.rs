//! The commands that take something back: `revoke`, `revocations`, `install-revocations`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use program::exit::{EX_CANTCREAT, EX_DATAERR};
use program::output::json_text;
use proto::portal::v1 as w;
use serde_json::{Value, json};
use shared::files;
use shared::product_key::KeyNumber;
use store::output::OutputFile;

use super::ask::{PortalAt, ask};
use super::failure::{Failure, OrExit as _};
use super::offline::read;
use super::shown::{hex, table, time};
use super::{Noted, Output};

#[derive(Debug, Args)]
pub(super) struct RevokeOrder {
    /// Number of a key, or id of a host, a host certificate or a machine, as `key show` prints it.
    subject: String,
    /// Reason, for those whom it concerns: it stands in the list. 200 bytes at most.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Revoke an id of a certificate or a confirmation that this portal does not know.
    #[arg(long)]
    unlisted: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum RevocationsVerb {
    /// List what was revoked, the latest first, and the lists that hosts and machines get.
    List(Output),
    /// Withdraw a revocation. Hosts and machines get the new list in the same way as the old one.
    ///
    /// A key stays blocked: unblock it if it may activate machines and hosts again. The portal cannot withdraw what a root has revoked.
    Withdraw {
        /// Number of a key, id of a host, a host certificate or a machine, or id in the list.
        subject: String,
        #[command(flatten)]
        noted: Noted,
    },
    /// Write the lists into a file, for a host without a way to the portal: `kms-host install-revocations FILE`.
    Export {
        /// File to write.
        file: PathBuf,
        /// Overwrite the file if it exists.
        #[arg(long)]
        force: bool,
    },
}

pub(super) fn revoke(at: &PortalAt, wanted: &RevokeOrder) -> Result<String, Failure> {
    let RevokeOrder { subject, reason, unlisted, json } = wanted;
    let (subject, reason, unlisted) = (subject.clone(), reason.clone(), *unlisted);
    let request = w::RevokeRequest { subject, reason, unlisted };
    let w::RevokeResponse { kind, added, number, is_new } =
        ask(at, async |mut portal| Ok(portal.revoke(request).await?.into_inner()))?;
    if *json {
        return Ok(json_text(&json!({ "kind": kind, "added": added, "list": number })));
    }
    let subject = &wanted.subject;
    let (what, then) = match kind.as_str() {
        "key" => (
            format!("Key {subject} is revoked and blocked"),
            "Its machines show a notice, and go on working.",
        ),
        "host" if subject.parse::<KeyNumber>().is_ok() => (
            format!("Key {subject} is revoked and blocked, and its hosts with it: {added}"),
            "They get no certificate any more. Machines accept no new lease of them, and keep those that they hold to their end.",
        ),
        "host" => (
            format!("Host {subject} is revoked"),
            "It gets no certificate any more. Machines accept no new lease of it, and keep those that they hold to their end.",
        ),
        "certificate" => (
            format!("Certificate {subject} is revoked"),
            "Its host can renew it. To keep the host from that, revoke the host.",
        ),
        "machine" => (format!("Machine {subject} is revoked"), "It shows a notice, and goes on working."),
        _ => (format!("{subject} is revoked"), ""),
    };
    if !is_new {
        return Ok(format!("Everything of {subject} was revoked before: list {number} stays.\n"));
    }
    Ok(format!(
        "{what}, in list {number}. {then}\nHosts fetch the list within a day. If this was a mistake: `kms-portal revocations withdraw \
         {subject}`\n"
    ))
}

pub(super) fn run(at: &PortalAt, command: RevocationsVerb) -> Result<String, Failure> {
    match command {
        RevocationsVerb::List(Output { json: true }) => Ok(json_text(&kept_json(&all(at)?))),
        RevocationsVerb::List(_) => Ok(kept_text(all(at)?)),
        RevocationsVerb::Withdraw { subject, noted } => withdraw(at, subject, noted),
        RevocationsVerb::Export { file, force } => {
            let output = OutputFile::check(&file, 0o644, force).or_exit(EX_CANTCREAT)?;
            export(&all(at)?, &output)
        }
    }
}

/// Everything that is revoked.
pub(super) fn all(at: &PortalAt) -> Result<w::ListRevocationsResponse, Failure> {
    ask(at, async |mut portal| Ok(portal.list_revocations(w::ListRevocationsRequest {}).await?.into_inner()))
}

fn withdraw(at: &PortalAt, subject: String, noted: Noted) -> Result<String, Failure> {
    let request = w::WithdrawRevocationRequest { subject: subject.clone(), note: noted.note };
    let w::WithdrawRevocationResponse { withdrawn, number } =
        ask(at, async |mut portal| Ok(portal.withdraw_revocation(request).await?.into_inner()))?;
    if noted.json {
        return Ok(json_text(&json!({ "withdrawn": withdrawn, "list": number })));
    }
    let unblock = subject.parse::<KeyNumber>().map_or_else(
        |_| String::new(),
        |number| format!("The key stays blocked: `kms-portal key unblock {number}`\n"),
    );
    Ok(format!(
        "{subject} is not revoked any more, and list {number} is without it. Hosts fetch the list within a day, and machines when they \
         ask.\n{unblock}"
    ))
}

pub(super) fn install(at: &PortalAt, file: &Path, noted: Noted) -> Result<String, Failure> {
    let lists = files::revocation_lists_from_pem(&read(file)?).or_exit(EX_DATAERR)?;
    let mut lines = Vec::new();
    let mut all = Vec::new();
    for list in lists {
        let request = w::InstallRevocationsRequest { list: Some(list), note: noted.note.clone() };
        let done = ask(at, async |mut portal| Ok(portal.install_revocations(request).await?.into_inner()))?;
        let w::InstallRevocationsResponse { number, by_root, revoked, is_newer } = done;
        let signer = if by_root { "a root" } else { "an issuing key" };
        lines.push(match (is_newer, by_root) {
            (false, _) => format!(
                "The list of {signer} is no newer than list {number}, which is installed: nothing is changed.\n"
            ),
            (true, true) => format!(
                "Installed list {number} of {signer}, with {revoked} revoked. Hosts fetch it within a day.\n"
            ),
            (true, false) => format!(
                "Took up what a list of {signer} revokes, {revoked} ids: list {number} has all of it.\n"
            ),
        });
        all.push(json!({ "list": number, "by_root": by_root, "revoked": revoked, "is_newer": is_newer }));
    }
    Ok(if noted.json { json_text(&json!(all)) } else { lines.concat() })
}

fn export(kept: &w::ListRevocationsResponse, output: &OutputFile) -> Result<String, Failure> {
    if kept.lists.is_empty() {
        return Ok("Nothing was revoked yet: no file is written.\n".to_owned());
    }
    let pem: String = kept.lists.iter().map(files::revocation_list_to_pem).collect();
    output.write(pem.as_bytes()).or_exit(EX_CANTCREAT)?;
    let file = output.path().display();
    Ok(format!("Wrote {file}. At a host: kms-host install-revocations {file}\n"))
}

fn kept_text(kept: w::ListRevocationsResponse) -> String {
    let list = |kept: Option<&w::KeptRevocations>, signer: &str| match kept {
        None => format!("List of {signer}: none.\n"),
        Some(list) => {
            let (number, issued_at) = (list.number, time(list.issued_at));
            format!("List of {signer}: number {number}, signed {issued_at}, with {} revoked.\n", list.revoked)
        }
    };
    let lists = list(kept.by_issuer.as_ref(), "the portal") + &list(kept.by_root.as_ref(), "a root");
    if kept.revoked.is_empty() {
        return lists;
    }
    let rows = kept
        .revoked
        .into_iter()
        .map(|one| vec![time(one.at), one.kind, one.subject, hex(&one.id), one.who, one.reason]);
    format!("{lists}\n{}", table(&["time", "what", "revoked", "id in the list", "by", "reason"], rows))
}

fn kept_json(kept: &w::ListRevocationsResponse) -> Value {
    let list = |kept: Option<&w::KeptRevocations>| {
        kept.map(
            |list| json!({ "number": list.number, "issued_at_ms": list.issued_at, "revoked": list.revoked }),
        )
    };
    let revoked = kept.revoked.iter().map(|one| {
        json!({
            "id": hex(&one.id),
            "kind": one.kind,
            "subject": one.subject,
            "at_ms": one.at,
            "who": one.who,
            "reason": one.reason,
        })
    });
    json!({
        "by_portal": list(kept.by_issuer.as_ref()),
        "by_root": list(kept.by_root.as_ref()),
        "revoked": revoked.collect::<Vec<_>>(),
    })
}
