//! `explain`: what a reason means, whose fault it is, what to do. Works without a product.

use kms_client::Reason;
use serde_json::{Value, json};
use shared::reason::{Explained, Index};

use crate::answer::{Answer, EX_USAGE, Failure};

/// One reason, or all of them in the order in which an ask meets them.
pub(crate) fn explain(code: Option<&str>) -> Result<Answer, Failure> {
    let Some(text) = code else {
        return Ok(all());
    };
    let reason = Reason::typed(text)
        .map_err(|unknown| Failure::new(EX_USAGE, format!("{unknown}; `kms-client explain` lists all")))?;
    Ok(Answer::done(Explained(reason).to_string(), reason_json(reason)))
}

fn all() -> Answer {
    let text = format!("{Index}\n`kms-client explain CODE` says whose fault it is and what to do.\n");
    let reasons: Vec<_> = Reason::ALL.iter().map(|reason| reason_json(*reason)).collect();
    Answer::done(text, json!({ "reasons": reasons }))
}

fn reason_json(reason: Reason) -> Value {
    json!({
        "code": reason.code(),
        "what": reason.outline(),
        "fault": reason.fault().to_string(),
        "remedy": reason.remedy(),
    })
}
