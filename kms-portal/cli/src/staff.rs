//! The running portal as a whole: `status`, `reload`, `audit`.

use kms_portal::home::PortalHome;
use program::output::json_text;
use proto::portal::v1 as w;
use serde_json::json;

use super::ask::ask;
use super::failure::Failure;
use super::shown::{instant, table, time};

pub(super) fn status(home: &PortalHome, as_json: bool) -> Result<String, Failure> {
    let status =
        ask(home, async |mut portal| Ok(portal.get_status(w::GetStatusRequest {}).await?.into_inner()))?;
    if as_json {
        return Ok(json_text(&json!({
            "version": status.version,
            "listening": status.listening,
            "started_at_ms": status.started_at,
            "now_ms": status.now,
            "issuer_not_before_ms": status.issuer_not_before,
            "issuer_not_after_ms": status.issuer_not_after,
            "tls_not_after_ms": instant(status.tls_not_after),
            "code_key_not_after_ms": instant(status.code_key_not_after),
            "products": status.products,
            "organisations": status.organisations,
        })));
    }
    let mut lines = vec![
        format!("Serving {} since {}.", status.listening.join(" "), time(status.started_at)),
        format!("Issuing certificate: valid until {}.", time(status.issuer_not_after)),
        format!("TLS certificate: valid until {}.", time(status.tls_not_after)),
        format!("Products: {}, organisations: {}.", status.products, status.organisations),
    ];
    if let Some(ends_at) = instant(status.code_key_not_after) {
        lines.push(format!("Code certificate: valid until {}.", time(ends_at)));
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

pub(super) fn reload(home: &PortalHome, as_json: bool) -> Result<String, Failure> {
    ask(home, async |mut portal| portal.reload(w::ReloadRequest {}).await)?;
    Ok(if as_json {
        json_text(&json!({ "reloaded": true }))
    } else {
        "The certificates of both keys and the files of TLS are read again.\n".to_owned()
    })
}

pub(super) fn audit(home: &PortalHome, limit: u32, as_json: bool) -> Result<String, Failure> {
    let changes = ask(home, async |mut portal| {
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
