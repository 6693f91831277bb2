//! The running portal as a whole: `status`, `reload`, `audit`, `audit verify`.

use anyhow::anyhow;
use program::exit::EX_DATAERR;
use program::output::json_text;
use proto::portal::v1 as w;
use serde_json::json;

use super::ask::{PortalAt, ask};
use super::failure::Failure;
use super::shown::{hex, instant, table, time};

/// The portal's status.
pub(super) fn get_status(at: &PortalAt) -> Result<w::GetStatusResponse, Failure> {
    ask(at, async |mut portal| Ok(portal.get_status(w::GetStatusRequest {}).await?.into_inner()))
}

pub(super) fn status(at: &PortalAt, as_json: bool) -> Result<String, Failure> {
    let status = get_status(at)?;
    if as_json {
        return Ok(json_text(&json!({
            "version": status.version,
            "listening": status.listening,
            "staff_listening": status.staff_listening,
            "started_at_ms": status.started_at,
            "now_ms": status.now,
            "issuer_not_before_ms": status.issuer_not_before,
            "issuer_not_after_ms": status.issuer_not_after,
            "issuer_revoked_at_ms": instant(status.issuer_revoked_at),
            "tls_not_after_ms": instant(status.tls_not_after),
            "code_key_not_after_ms": instant(status.code_key_not_after),
            "code_key_revoked_at_ms": instant(status.code_key_revoked_at),
            "products": status.products,
            "organisations": status.organisations,
        })));
    }
    let staff = match status.staff_listening.as_slice() {
        [] => "by the socket alone".to_owned(),
        addresses => format!("at {}", addresses.join(" ")),
    };
    let mut lines = vec![
        format!("Serving {} since {}.", status.listening.join(" "), time(status.started_at)),
        format!("Staff is served {staff}."),
        format!(
            "Issuing certificate: valid from {} until {}.",
            time(status.issuer_not_before),
            time(status.issuer_not_after)
        ),
        format!("TLS certificate: valid until {}.", time(status.tls_not_after)),
        format!("Products: {}, organisations: {}.", status.products, status.organisations),
    ];
    if let Some(at) = instant(status.issuer_revoked_at) {
        lines.push(format!(
            "A root has revoked the issuing certificate, from {} on: the portal signs nothing.",
            time(at)
        ));
    }
    if let Some(ends_at) = instant(status.code_key_not_after) {
        lines.push(format!("Code certificate: valid until {}.", time(ends_at)));
    }
    if let Some(at) = instant(status.code_key_revoked_at) {
        lines.push(format!(
            "A root has revoked the code certificate, from {} on: no machine is confirmed under it.",
            time(at)
        ));
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

pub(super) fn reload(at: &PortalAt, as_json: bool) -> Result<String, Failure> {
    let done = ask(at, async |mut portal| Ok(portal.reload(w::ReloadRequest {}).await?.into_inner()))?;
    let waiting = done.waiting_for_restart;
    if as_json {
        return Ok(json_text(&json!({ "reloaded": true, "waiting_for_restart": waiting })));
    }
    let read = "Settings, roots, certificates and the files of TLS are read again.\n".to_owned();
    Ok(if waiting.is_empty() {
        read
    } else {
        format!("{read}These settings have changed and wait for a restart: {}.\n", waiting.join(", "))
    })
}

pub(super) fn audit(at: &PortalAt, limit: u32, as_json: bool) -> Result<String, Failure> {
    let changes = ask(at, async |mut portal| {
        Ok(portal.list_changes(w::ListChangesRequest { before: 0, limit }).await?.into_inner().changes)
    })?;
    if as_json {
        let changes: Vec<_> = changes
            .iter()
            .map(|change| {
                json!({
                    "number": change.number,
                    "at_ms": change.at,
                    "who": change.who,
                    "what": change.what,
                    "subject": change.subject,
                    "note": change.why,
                    "previous": hex(&change.previous),
                })
            })
            .collect();
        return Ok(json_text(&json!(changes)));
    }
    let rows = changes.into_iter().map(|change| {
        vec![change.number.to_string(), time(change.at), change.who, change.what, change.subject, change.why]
    });
    Ok(table(&["number", "time", "who", "change", "of", "note"], rows))
}

pub(super) fn verify(at: &PortalAt, as_json: bool) -> Result<String, Failure> {
    let checked = verified(at)?;
    let last = hex(&checked.last);
    if let Some(broken) = broken(&checked) {
        return Err(Failure { code: EX_DATAERR, error: anyhow!(broken) });
    }
    Ok(if as_json {
        json_text(&json!({ "changes": checked.changes, "last": last }))
    } else if checked.changes == 0 {
        "Nothing was changed yet.\n".to_owned()
    } else {
        format!(
            "{} changes, and each continues the one before. The digest of the last is\n  {last}\nKeep it elsewhere: who may write in the \
             database could write all of it anew, and `kms-portal audit --json` shows this digest as `previous` of change {}.\n",
            checked.changes,
            checked.changes + 1
        )
    })
}

pub(super) fn verified(at: &PortalAt) -> Result<w::VerifyChangesResponse, Failure> {
    ask(at, async |mut portal| Ok(portal.verify_changes(w::VerifyChangesRequest {}).await?.into_inner()))
}

/// What is wrong with the changes, and what to do.
pub(super) fn broken(checked: &w::VerifyChangesResponse) -> Option<String> {
    let w::VerifyChangesResponse { broken_at, cause, .. } = checked;
    (*broken_at != 0).then(|| {
        format!(
            "the record of changes was altered at change {broken_at}: {cause}; find out who may write in the database, and compare it \
             with a backup"
        )
    })
}
