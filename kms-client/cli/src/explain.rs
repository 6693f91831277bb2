//! `explain`: what a reason means, whose fault it is, and what to do. It needs no product.

use kms_client::Reason;
use serde_json::{Value, json};
use shared::reason::{Explained, Index, WORDS};

use crate::answer::{Answer, EX_USAGE, Failure};

/// One reason, or all of them in the order in which an ask meets them.
pub(crate) fn explain(code: Option<&str>) -> Result<Answer, Failure> {
    let Some(text) = code else {
        return Ok(all());
    };
    let known = Explained::typed(text)
        .map_err(|unknown| Failure::new(EX_USAGE, format!("{unknown}; `kms-client explain` lists all")))?;
    Ok(Answer::done(known.to_string(), known_json(known)))
}

fn all() -> Answer {
    let text = format!("{Index}\n`kms-client explain CODE` says whose fault it is and what to do.\n");
    let reasons: Vec<_> = Reason::ALL.iter().map(|reason| known_json((*reason).into())).collect();
    let words: Vec<_> = WORDS.iter().map(|word| known_json((*word).into())).collect();
    Answer::done(text, json!({ "reasons": reasons, "words": words }))
}

fn known_json(known: Explained) -> Value {
    json!({
        "code": known.code(),
        "what": known.what(),
        "fault": known.fault().map(|fault| fault.to_string()),
        "remedy": known.remedy(),
    })
}
