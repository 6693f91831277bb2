//! The command `explain`: what a code means, whose fault it is, and what to do. It needs neither a host nor a product.

use serde_json::{Value, json};
use shared::reason::{Explained, Index, Reason, WORDS};

/// One code, or all of them in the order in which an ask meets them, as text and as JSON.
///
/// # Errors
/// There is no such code; the text says what to do with `program`.
pub fn explain(program: &str, code: Option<&str>) -> Result<(String, Value), String> {
    let Some(code) = code else {
        let text = format!("{Index}\n`{program} explain CODE` says whose fault it is and what to do.\n");
        let reasons: Vec<_> = Reason::ALL.iter().map(|reason| to_json((*reason).into())).collect();
        let words: Vec<_> = WORDS.iter().map(|word| to_json((*word).into())).collect();
        return Ok((text, json!({ "reasons": reasons, "words": words })));
    };
    match Explained::typed(code) {
        Ok(known) => Ok((known.to_string(), to_json(known))),
        Err(unknown) => Err(format!("{unknown}; `{program} explain` lists all")),
    }
}

fn to_json(known: Explained) -> Value {
    json!({
        "code": known.code(),
        "what": known.what(),
        "fault": known.fault().map(|fault| fault.to_string()),
        "remedy": known.remedy(),
    })
}
