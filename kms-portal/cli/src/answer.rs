//! `answer`: requests that came as files. A host's gets the file that the host installs. A file of `kms-client proxy collect` gets the
//! confirmations of its machines, and each that is refused is named.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use program::carried::{CarriedFile, NotCarried};
use program::exit::{EX_CANTCREAT, EX_DATAERR, EX_NOINPUT};
use program::output::{self, json_text};
use prost::Message as _;
use proto::portal::v1 as w;
use proto::v1::Signed;
use serde_json::{Value, json};
use shared::activation::MachineActivation;
use shared::files::{self, HOST_ACTIVATION, MACHINE_ACTIVATION};
use shared::print::Lines;
use store::output::OutputFile;
use store::regular;
use tonic::Code;
use zeroize::Zeroizing;

use super::ask::{PortalAt, ask, refused};
use super::failure::{Failure, OrExit as _, warn};

/// Thousands of machines. A larger file is another one.
const FILE_MAX_MIB: u64 = 64;

#[derive(Debug, Args)]
pub(super) struct AnswerFile {
    /// File from `kms-host activate --request`, or from `kms-client proxy collect`. Keys are in it: delete it afterwards.
    request: PathBuf,
    /// File to write the answer to [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the file if it exists.
    #[arg(long, requires = "out")]
    force: bool,
    /// Print JSON instead of text.
    #[arg(long, requires = "out")]
    json: bool,
}

pub(super) fn answer(at: &PortalAt, wanted: &AnswerFile) -> Result<String, Failure> {
    let request = wanted.request.display();
    let text = read(&wanted.request)?;
    let machines = match CarriedFile::look(&wanted.request) {
        Ok(file) => Some(file),
        Err(NotCarried::Other(_)) => None,
        Err(error) => return Err(error).or_exit(EX_NOINPUT),
    };
    let has_host = !files::all_from_pem(HOST_ACTIVATION, &text).or_exit(EX_DATAERR)?.is_empty();
    let out = wanted.out.as_deref().map(|out| OutputFile::check(out, 0o644, wanted.force));
    let out = out.transpose().or_exit(EX_CANTCREAT)?;
    let error = match (has_host, machines) {
        (false, Some(machines)) => return answer_machines(at, wanted, out.as_ref(), &machines),
        (true, None) => return answer_host(at, wanted, out.as_ref(), &text),
        (true, Some(_)) => {
            anyhow!("{request} has requests of a host and of machines; put them into two files")
        }
        (false, None) => anyhow!(
            "{request} has no request: a file of a host has -----BEGIN {HOST_ACTIVATION}----- in it, one of machines \
             -----BEGIN {MACHINE_ACTIVATION}-----"
        ),
    };
    Err(Failure { code: EX_DATAERR, error })
}

fn answer_host(
    at: &PortalAt,
    wanted: &AnswerFile,
    out: Option<&OutputFile>,
    text: &[u8],
) -> Result<String, Failure> {
    let signed = files::host_activation_from_pem(text).or_exit(EX_DATAERR)?;
    let answer = ask(at, async |mut portal| {
        let request = w::AnswerHostRequest { ask: Some(signed) };
        Ok(portal.answer_host(request).await?.into_inner().answer.unwrap_or_default())
    })?;
    let pem = files::certificate_answer_to_pem(answer.chain, answer.roots);
    let Some(out) = out else { return Ok(pem) };
    out.write(pem.as_bytes()).or_exit(EX_CANTCREAT)?;
    let out = out.path();
    let (host, hosts) = (answer.host, answer.hosts);
    let (activation, activations) = (answer.activation, answer.activations);
    if wanted.json {
        return Ok(json_text(&json!({
            "host": host,
            "hosts": hosts,
            "activation": activation,
            "activations": activations,
            "file": out,
        })));
    }
    let out = out.display();
    Ok(format!(
        "Host {host} of {hosts}, activation {activation} of {activations}. Send {out} back; there: kms-host install-certificate {out}\n"
    ))
}

/// What became of one machine.
struct Answered {
    /// The machine.
    machine: String,
    /// The number of its key.
    key: String,
    /// How many machines of the key are activated and may be; or why this one is not.
    result: Result<(u64, u64), String>,
}

fn answer_machines(
    at: &PortalAt,
    wanted: &AnswerFile,
    out: Option<&OutputFile>,
    file: &CarriedFile,
) -> Result<String, Failure> {
    let mut damaged: Vec<_> = file.damaged().map(|(number, error)| (number, error.to_string())).collect();
    let (mut answered, mut confirmations) = (Vec::new(), String::new());
    ask(at, async |mut portal| {
        for (number, body) in file.numbered_asks() {
            let signed = Signed::decode(body.as_slice()).unwrap_or_default();
            // The portal would refuse it as well, and nobody would know which one it was.
            let (machine, key) = match MachineActivation::open(&signed) {
                Ok(ask) => (ask.machine().to_string(), ask.product_key.number().to_string()),
                Err(error) => {
                    damaged.push((number, error.cause().to_string()));
                    continue;
                }
            };
            let result = match portal.answer_machine(w::AnswerMachineRequest { ask: Some(signed) }).await {
                Ok(answer) => {
                    let answer = answer.into_inner().answer.unwrap_or_default();
                    let confirmation = answer.confirmation.unwrap_or_default();
                    confirmations.push_str(&files::confirmation_to_pem(&confirmation));
                    Ok((answer.used, answer.granted))
                }
                // These concern one machine. After any other, the next would meet the same.
                Err(status) if matches!(status.code(), Code::FailedPrecondition | Code::InvalidArgument) => {
                    Err(format!("{:#}", refused(status).error))
                }
                Err(status) => return Err(status),
            };
            answered.push(Answered { machine, key, result });
        }
        Ok(())
    })?;
    let confirmed = answered.iter().filter(|one| one.result.is_ok()).count();
    let all = answered.len() + damaged.len();
    if all == 0 {
        let file = wanted.request.display();
        let error =
            anyhow!("{file} has no request, only answers: on each machine, kms-client proxy apply {file}");
        return Err(Failure { code: EX_DATAERR, error });
    }
    for (number, error) in &damaged {
        warn(&format!("block {number} of the file cannot be used: {error}; collect from that machine again"));
    }
    let told = if let Some(out) = out.filter(|_| confirmed != 0) {
        out.write(confirmations.as_bytes()).or_exit(EX_CANTCREAT)?;
        let damaged = damaged.iter().map(|(number, _)| *number);
        told(&answered, damaged.collect(), out.path(), wanted.json)
    } else {
        for Answered { machine, key, result } in &answered {
            if let Err(cause) = result {
                warn(&format!("machine {machine}, key {key}: {cause}"));
            }
        }
        confirmations
    };
    if confirmed == all {
        return Ok(told);
    }
    output::print(&Lines(told).to_string(), 0);
    let error = anyhow!("{} of {all} machines were not confirmed; the others were", all - confirmed);
    Err(Failure { code: EX_DATAERR, error })
}

fn told(answered: &[Answered], damaged: Vec<usize>, out: &Path, as_json: bool) -> String {
    if as_json {
        let machines = answered.iter().map(|Answered { machine, key, result }| match result {
            Ok((used, granted)) => {
                json!({ "machine": machine, "key": key, "used": used, "granted": granted })
            }
            Err(cause) => json!({ "machine": machine, "key": key, "refused": cause }),
        });
        return json_text(
            &json!({ "file": out, "machines": machines.collect::<Value>(), "damaged_blocks": damaged }),
        );
    }
    let lines = answered.iter().map(|Answered { machine, key, result }| match result {
        Ok((used, granted)) => format!("{machine}: confirmed, {used} of {granted} machines of key {key}\n"),
        Err(cause) => format!("{machine}: NOT confirmed by key {key}: {cause}\n"),
    });
    let out = out.display();
    lines.collect::<String>() + &format!("Send {out} back; on each machine: kms-client proxy apply {out}\n")
}

/// Reads a request. Product keys are in it.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let read = regular::read_up_to(path, FILE_MAX_MIB).map(Zeroizing::new);
    read.with_context(|| format!("{} cannot be read", path.display())).or_exit(EX_NOINPUT)
}
