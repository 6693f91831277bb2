//! `confirm`: a caller reads an installation id, and the operator reads a confirmation id back. `confirm/entry` takes the id group by
//! group.
//!
//! The portal is asked twice. The first time it only looks, so the operator sees whose key it is before anything is written.

mod entry;

use std::io::{self, BufRead as _, Read as _};

use anyhow::anyhow;
use clap::Args;
use kms_client_texts::{Language, Texts};
use program::code::{qr, rows};
use program::exit::{EX_DATAERR, EX_IOERR, EX_USAGE};
use program::output::{self, json_text};
use proto::portal::v1 as w;
use serde_json::json;
use shared::codes::InstallationId;
use shared::print::Lines;
use shared::reason::{Cause, Reason};
use shared::time::Timestamp;

use self::entry::{CodeEntry, EntryFault};
use super::Noted;
use super::ask::{PortalAt, ask, cause_of};
use super::failure::{Failure, OrExit as _};
use super::keys::listed::key_json;
use super::reasons::is_for_caller;
use super::shown::instant;

/// A code has some 140 characters with everything between its groups.
const CODE_MAX_BYTES: u64 = 4096;

#[derive(Debug, Args)]
pub(super) struct CodeCall {
    /// Installation id in digits or letters, or - to read it from standard input [default: ask for it, a group at a time].
    #[arg(value_name = "CODE")]
    code: Option<String>,
    /// Last month of a machine's confirmation, such as 2027-03 [default: as long as the key].
    #[arg(long, value_name = "MONTH", value_parser = end_of_month)]
    end_month: Option<Timestamp>,
    /// Number of the terms that a host has, as its file says [default: the last that were made].
    #[arg(long, value_name = "N")]
    terms: Option<u64>,
    /// Show the confirmation id in letters as well, for typing.
    #[arg(long)]
    letters: bool,
    /// Show the confirmation id as a QR code as well, for a camera.
    #[arg(long)]
    qr: bool,
    /// Show the key and what the call would cost, and confirm nothing.
    #[arg(long, requires = "code")]
    dry_run: bool,
    /// Language: en, nl, de or fr [default: that of LC_ALL, LC_MESSAGES or LANG].
    #[arg(long, value_name = "LANGUAGE", value_parser = language)]
    language: Option<Language>,
    #[command(flatten)]
    noted: Noted,
}

fn language(tag: &str) -> Result<Language, &'static str> {
    Language::from_tag(tag).ok_or("there are en, nl, de and fr")
}

fn own_language() -> Option<Language> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    Language::from_tag(&["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set)?)
}

/// The first instant after this month.
fn end_of_month(text: &str) -> Result<Timestamp, &'static str> {
    let first: jiff::civil::Date =
        format!("{text}-01").parse().map_err(|_| "write a month such as 2027-03")?;
    let (year, month) = (i64::from(first.year()), i64::from(first.month()));
    Ok(Timestamp::of_month(year + month / 12, month % 12 + 1))
}

/// A call, and the words in which the operator sees it.
struct Operator<'a> {
    at: &'a PortalAt,
    call: &'a CodeCall,
    texts: Texts,
}

pub(super) fn confirm(at: &PortalAt, call: &CodeCall) -> Result<String, Failure> {
    let language = call.language.or_else(own_language).unwrap_or_default();
    let texts = Texts::new(language).with_own(source(language));
    let operator = Operator { at, call, texts };
    let Some(code) = &call.code else {
        if call.noted.json {
            return Err(Failure {
                code: EX_USAGE,
                error: anyhow!("--json asks nothing; name the CODE, or -"),
            });
        }
        return operator.converse();
    };
    let mut read = String::new();
    let typed = if code == "-" {
        io::stdin().lock().take(CODE_MAX_BYTES).read_to_string(&mut read).or_exit(EX_IOERR)?;
        // Rows of a screen have letters before them.
        let mut entry = CodeEntry::default();
        read.lines().for_each(|line| drop(entry.add(line)));
        entry.whole().unwrap_or(read)
    } else {
        code.clone()
    };
    let id: InstallationId = typed.parse().or_exit(EX_DATAERR)?;
    let done =
        operator.ask(&id, call.dry_run, &call.noted.note)?.map_err(|cause| operator.refused(&cause))?;
    if call.noted.json {
        return Ok(json_text(&answer_json(&done)));
    }
    let told = operator.about(&done);
    if call.dry_run { Ok(told) } else { Ok(told + "\n" + &operator.to_read(&done)) }
}

impl Operator<'_> {
    /// Asks for everything on the terminal, or reads it from a pipe.
    fn converse(&self) -> Result<String, Failure> {
        let mut lines = io::stdin().lock().lines();
        let mut next = |prompt: &str| {
            show(&format!("{prompt} "))?;
            lines.next().transpose().or_exit(EX_IOERR)
        };
        show(&format!("{}\n", self.text("ask-first", &[])))?;
        let mut entry = CodeEntry::default();
        let (id, looked) = loop {
            let prompt = self.text("group", &[("group", &entry.next().to_string())]);
            let line = next(&prompt)?;
            let is_last = line.as_ref().is_none_or(|line| line.trim().is_empty());
            for fault in entry.add(line.as_deref().unwrap_or_default()) {
                show(&format!("{}\n", self.fault(fault)))?;
            }
            if let Some(found) = self.look(&entry, is_last)? {
                break found;
            }
            if line.is_none() {
                let text = self.text("code-partial", &[("have", &entry.have().to_string())]);
                return Err(Failure { code: EX_DATAERR, error: anyhow!("{text}") });
            }
        };
        show(&format!("\n{}\n", self.about(&looked)))?;
        let agreed = next(&self.text("confirm", &[]))?.unwrap_or_default().trim().to_lowercase();
        let yes = self.text("yes", &[]);
        if agreed.chars().next().is_none_or(|first| !yes.contains(first)) {
            return Ok(self.text("nothing-confirmed", &[]) + "\n");
        }
        let mut note = self.call.noted.note.clone();
        if note.is_empty() {
            let reason = next(&self.text("reason", &[]))?.unwrap_or_default();
            note.push_str(reason.trim());
        }
        let done = self.ask(&id, false, &note)?.map_err(|cause| self.refused(&cause))?;
        Ok(format!("\n{}", self.to_read(&done)))
    }

    /// Looks up whose key it is, once the id is whole. The first groups of a host's id may look like a machine's id, with an unknown key.
    fn look(
        &self,
        entry: &CodeEntry,
        is_last: bool,
    ) -> Result<Option<(InstallationId, w::ConfirmByCodeResponse)>, Failure> {
        let Some(typed) = entry.whole() else { return Ok(None) };
        let may_go_on = entry.may_go_on() && !is_last;
        match typed.parse::<InstallationId>() {
            Err(_) if may_go_on => Ok(None),
            Err(error) => {
                let text = self.text("code-wrong", &[("why", &error.to_string())]);
                Err(Failure { code: EX_DATAERR, error: anyhow!("{text}") })
            }
            Ok(id) => match self.ask(&id, true, "")? {
                Ok(looked) => Ok(Some((id, looked))),
                Err(cause) if may_go_on && cause.reason() == Some(Reason::KeyUnknown) => Ok(None),
                Err(cause) => Err(self.refused(&cause)),
            },
        }
    }

    /// What the portal says; why it refuses, if that is a reason for the caller.
    fn ask(
        &self,
        id: &InstallationId,
        dry_run: bool,
        note: &str,
    ) -> Result<Result<w::ConfirmByCodeResponse, Cause>, Failure> {
        let request = w::ConfirmByCodeRequest {
            installation_id: id.to_string(),
            dry_run,
            ends_at: self.call.end_month.map_or(0, Timestamp::unix_ms),
            terms: self.call.terms.unwrap_or_default(),
            note: note.to_owned(),
        };
        ask(self.at, async |mut portal| match portal.confirm_by_code(request).await {
            Ok(done) => Ok(Ok(done.into_inner())),
            Err(status) => cause_of(&status).filter(is_for_caller).map(Err).ok_or(status),
        })
    }

    /// What the operator reads to the caller: whom to ask, and that nothing on the machine is at fault.
    fn refused(&self, cause: &Cause) -> Failure {
        let intro = self.text("tell-caller", &[]);
        let (what, remedy) = (self.texts.cause(cause), self.texts.remedy(cause));
        Failure { code: EX_DATAERR, error: anyhow!("{}. {intro} {what} {remedy}", cause.code) }
    }

    fn fault(&self, fault: EntryFault) -> String {
        match fault {
            EntryFault::Wrong { group } => self.text("group-wrong", &[("group", &group.to_string())]),
            EntryFault::Length { group, has } => {
                self.text("group-length", &[("group", &group.to_string()), ("has", &has.to_string())])
            }
            EntryFault::Swapped { one, other } => {
                self.text("groups-swapped", &[("one", &one.to_string()), ("other", &other.to_string())])
            }
            EntryFault::TooMany { group } => self.text("too-many", &[("group", &group.to_string())]),
        }
    }

    /// What the key is, and what the call costs.
    fn about(&self, looked: &w::ConfirmByCodeResponse) -> String {
        let key = looked.key.clone().unwrap_or_default();
        let (taken, granted) = (key.taken.unwrap_or_default(), key.granted.unwrap_or_default());
        let organisation = key.organisation.unwrap_or_default().name;
        let of = [("number", &*key.number), ("product", &key.product_name), ("organisation", &organisation)];
        let mut lines = vec![self.text("key-of", &of)];
        match looked.host {
            None => {
                let (used, granted) = (taken.machines.to_string(), granted.machines.to_string());
                lines.push(self.text(if looked.known { "machine-known" } else { "machine-new" }, &[]));
                lines.push(self.text("used-machines", &[("used", &used), ("granted", &granted)]));
            }
            Some(w::ConfirmedHost { number, activation, terms, .. }) => {
                let (number, activation) = (number.to_string(), activation.to_string());
                let activations = granted.activations.to_string();
                let (used, granted) = (taken.hosts.to_string(), granted.hosts.to_string());
                let of = [("host", &*number), ("activation", &activation), ("activations", &activations)];
                lines.push(self.text(if looked.known { "host-known" } else { "host-new" }, &of));
                lines.push(self.text("used-hosts", &[("used", &used), ("granted", &granted)]));
                lines.push(self.text("terms-of", &[("terms", &terms.to_string())]));
            }
        }
        if !key.features.is_empty() {
            lines.push(self.text("features", &[("features", &key.features.join(", "))]));
        }
        lines.push(match instant(looked.ends_at) {
            None => self.text("ends-never", &[]),
            Some(ends_at) => {
                let date = self.texts.date(Timestamp::from_unix_ms(ends_at));
                self.text("ends", &[("date", &date)])
            }
        });
        lines.push(String::new());
        lines.join("\n")
    }

    /// What is read back.
    fn to_read(&self, done: &w::ConfirmByCodeResponse) -> String {
        let part = |key, code| format!("{}\n\n{code}", self.text(key, &[]));
        let letters = self.call.letters.then(|| {
            let words = self.spelling(&done.letters);
            let spelled = self.text("spelled", &[("words", &words)]);
            part("in-letters", rows(&done.letters)) + &spelled + "\n"
        });
        let qr = qr(&done.letters).filter(|_| self.call.qr).map(|(qr, _)| part("for-camera", qr));
        // A host with other terms takes no such code, and says so.
        let terms = done.host.filter(|host| 1 < host.last_terms);
        let terms = terms.map(|host| self.text("terms-of", &[("terms", &host.terms.to_string())]) + "\n");
        let parts = [Some(part("read-aloud", rows(&done.digits))), letters, qr, terms];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
    }

    /// The words for the letters of a code, as they are spelled over a telephone.
    fn spelling(&self, code: &str) -> String {
        let all = self.text("spelling", &[]);
        let is_needed = |word: &&str| word.chars().next().is_some_and(|letter| code.contains(letter));
        all.split(' ').filter(is_needed).collect::<Vec<_>>().join(", ")
    }

    fn text(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.texts.own(key, values)
    }
}

fn show(text: &str) -> Result<(), Failure> {
    output::write(&Lines(text).to_string()).or_exit(EX_IOERR)
}

fn answer_json(done: &w::ConfirmByCodeResponse) -> serde_json::Value {
    let host = done.host.map(|host| {
        json!({
            "number": host.number,
            "activation": host.activation,
            "terms": host.terms,
            "last_terms": host.last_terms,
        })
    });
    let code = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    json!({
        "key": done.key.as_ref().map(key_json),
        "known": done.known,
        "digits": code(&done.digits),
        "letters": code(&done.letters),
        "ends_at_ms": instant(done.ends_at),
        "host": host,
    })
}

const fn source(language: Language) -> &'static str {
    match language {
        Language::Dutch => include_str!("../texts/nl.ftl"),
        Language::German => include_str!("../texts/de.ftl"),
        Language::French => include_str!("../texts/fr.ftl"),
        // Whoever speaks another language is shown this one.
        _ => include_str!("../texts/en.ftl"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(source: &str) -> Vec<&str> {
        source
            .lines()
            .filter_map(|line| line.split_once(" ="))
            .map(|(key, _)| key)
            .filter(|key| !key.starts_with(' '))
            .collect()
    }

    #[test]
    fn every_language_has_every_text_with_all_of_its_values() {
        for &language in Language::ALL {
            let texts = Texts::new(language).with_own(source(language));
            assert_eq!(keys(source(language)), keys(source(Language::English)), "{language:?}");
            for key in keys(source(language)) {
                let names = [
                    "words",
                    "group",
                    "one",
                    "other",
                    "why",
                    "number",
                    "product",
                    "organisation",
                    "date",
                    "features",
                ];
                let numbers =
                    ["has", "have", "used", "granted", "host", "activation", "activations", "terms"];
                let named = names.iter().map(|name| (*name, *name));
                let values: Vec<_> = named.chain(numbers.iter().map(|name| (*name, "2"))).collect();
                let text = texts.own(key, &values);
                assert!(text != key && !text.contains(['{', '}']), "{language:?} {key}: {text}");
            }
        }
    }

    #[test]
    fn every_letter_of_a_code_has_a_word_in_every_language() {
        for &language in Language::ALL {
            let texts = Texts::new(language).with_own(source(language));
            let words = texts.own("spelling", &[]);
            let letters: String = words.split(' ').filter_map(|word| word.chars().next()).collect();
            assert_eq!(letters, "ABCDEFGHJKMNPQRSTVWXYZ", "{language:?}");
        }
    }

    #[test]
    fn a_month_ends_with_the_first_instant_of_the_next() {
        assert_eq!(end_of_month("2027-03"), Ok(Timestamp::of_month(2027, 4)));
        assert_eq!(end_of_month("2027-12"), Ok(Timestamp::of_month(2028, 1)));
        for wrong in ["2027", "2027-13", "03-2027", "2027-03-01", ""] {
            assert!(end_of_month(wrong).is_err(), "{wrong}");
        }
    }
}
