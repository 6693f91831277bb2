//! The terms of a host key: the file that a host needs to be activated by codes.

use std::path::Path;

use program::exit::EX_CANTCREAT;
use proto::portal::v1 as w;
use shared::files::{HOST_TERMS, to_pem};
use shared::time::Timestamp;
use store::output::OutputFile;

use crate::ask::{PortalAt, ask};
use crate::failure::{Failure, OrExit as _};
use crate::shown::time;

/// Terms, as their file has them.
pub(super) struct MadeTerms {
    pub(super) number: u64,
    pub(super) made_at: i64,
    pub(super) ends_at: i64,
    pub(super) file: String,
}

/// Makes terms of this key as it is sold now. If nothing has changed, returns those that were made last.
pub(super) fn make(at: &PortalAt, key: &str, note: &str) -> Result<MadeTerms, Failure> {
    let request = w::MakeTermsRequest { number: key.to_owned(), note: note.to_owned() };
    let made = ask(at, async |mut portal| Ok(portal.make_terms(request).await?.into_inner()))?;
    let (year, month, day) = Timestamp::from_unix_ms(made.made_at).date();
    let file = format!(
        "Terms {} of host key {key}, of {year}-{month:02}-{day:02}. A host is activated by codes with this file:\n  \
         kms-host activate --terms FILE\nIts administrator reads the codes to you before {}.\n\n{}",
        made.terms,
        time(made.ends_at),
        to_pem(HOST_TERMS, &made.body)
    );
    Ok(MadeTerms { number: made.terms, made_at: made.made_at, ends_at: made.ends_at, file })
}

/// Where to write the terms of a key. A folder gets a file for each key. `force` is the command's option, if it has one.
pub(super) fn output(out: &Path, key: &str, force: Option<bool>) -> Result<OutputFile, Failure> {
    let file = if out.is_dir() { out.join(format!("{key}-terms.pem")) } else { out.to_owned() };
    let output = match force {
        Some(force) => OutputFile::check(&file, 0o644, force),
        None => OutputFile::check_new(&file, 0o644),
    };
    output.or_exit(EX_CANTCREAT)
}

pub(super) fn write(output: &OutputFile, terms: &MadeTerms) -> Result<(), Failure> {
    output.write(terms.file.as_bytes()).or_exit(EX_CANTCREAT)
}
