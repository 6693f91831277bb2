//! `answer`: a host's request that came as a file gets the file that the host installs.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use program::exit::{EX_CANTCREAT, EX_DATAERR};
use proto::portal::v1 as w;
use shared::files;

use super::ask::{PortalAt, ask};
use super::failure::{Failure, OrExit as _};
use super::offline::read;

#[derive(Debug, Args)]
pub(super) struct AnswerFile {
    /// File from `kms-host activate --request`. It has the key in it: delete it afterwards.
    request: PathBuf,
    /// File to write the answer to [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the file if it exists.
    #[arg(long, requires = "out")]
    force: bool,
}

pub(super) fn answer(at: &PortalAt, wanted: &AnswerFile) -> Result<String, Failure> {
    let text = read(&wanted.request)?;
    let signed = files::host_activation_from_pem(&text).or_exit(EX_DATAERR)?;
    if let Some(out) = wanted.out.as_ref().filter(|out| !wanted.force && out.exists()) {
        let error =
            anyhow!("{} exists; name another file with --out, or add --force to overwrite it", out.display());
        return Err(Failure { code: EX_CANTCREAT, error });
    }
    let answer = ask(at, async |mut portal| {
        let request = w::AnswerHostRequest { ask: Some(signed) };
        Ok(portal.answer_host(request).await?.into_inner().answer.unwrap_or_default())
    })?;
    let pem = files::certificate_answer_to_pem(answer.chain, answer.roots);
    let Some(out) = &wanted.out else { return Ok(pem) };
    let write = if wanted.force { store::file::replace } else { store::file::create_new };
    write(out, pem.as_bytes(), 0o644).or_exit(EX_CANTCREAT)?;
    Ok(format!(
        "Host {} of {}, activation {} of {}. Send {} back; there: kms-host install-certificate {}\n",
        answer.host,
        answer.hosts,
        answer.activation,
        answer.activations,
        out.display(),
        out.display()
    ))
}
