//! `kms-host explain`: prints what a code means, whose fault it is, and what to do. It needs no host.

use serde_json::{Value, json};
use shared::reason::{Explained, Index, Reason, WORDS};

use super::{EX_USAGE, Failure, OrExit, json_text};

/// One reason, or all of them in the order in which an ask meets them.
pub(super) fn explain(code: Option<&str>, as_json: bool) -> Result<String, Failure> {
    let Some(text) = code else { return Ok(all(as_json)) };
    let known = Explained::typed(text)
        .map_err(|unknown| anyhow::anyhow!("{unknown}; `kms-host explain` lists all"))
        .or_exit(EX_USAGE)?;
    Ok(if as_json { json_text(&known_json(known)) } else { known.to_string() })
}

fn all(as_json: bool) -> String {
    if as_json {
        let reasons: Vec<_> = Reason::ALL.iter().map(|reason| known_json((*reason).into())).collect();
        let words: Vec<_> = WORDS.iter().map(|word| known_json((*word).into())).collect();
        return json_text(&json!({ "reasons": reasons, "words": words }));
    }
    format!("{Index}\n`kms-host explain CODE` says whose fault it is and what to do.\n")
}

fn known_json(known: Explained) -> Value {
    json!({
        "code": known.code(),
        "what": known.what(),
        "fault": known.fault().map(|fault| fault.to_string()),
        "remedy": known.remedy(),
    })
}
