//! Commands that prepare a host: `init`, `request`, `install-certificate` and `install-revocations`.

use std::io;
use std::path::Path;

use kms_host::certificates::{Allowed, Difference, Installed};
use kms_host::clock::SystemClock;
use kms_host::config::SettingSources;
use kms_host::home::{Home, HomeError, Made, Put, TakenUp};
use program::exit::{EX_CANTCREAT, EX_CONFIG, EX_DATAERR, EX_UNAVAILABLE, EX_USAGE};
use program::output::json_text;
use server::fixable::FixableError;
use shared::time::{Clock as _, Length, Timestamp};
use store::regular;

use super::owner::{self, become_owner};
use super::{Failure, Noted, OrExit, lines, online};

pub(super) fn init(home: &Home, arguments: &super::Init) -> Result<String, Failure> {
    let settings =
        owner::settings(home, &SettingSources::new(arguments.engine.config.as_deref(), home.path()))?;
    super::config::warn(&settings);
    become_owner(home)?;
    let hour_width_ms = u64::try_from(arguments.hour.as_millis()).ok().filter(|width_ms| 0 < *width_ms);
    let hour_width_ms =
        hour_width_ms.ok_or_else(|| anyhow::anyhow!("--hour has to be at least 1ms")).or_exit(EX_USAGE)?;
    let mut made = home.init(settings.config.ledger, hour_width_ms, &mut rand::rng());
    if arguments.if_needed && matches!(made, Err(HomeError::AlreadyMade(_) | HomeError::Served(_))) {
        made = home.signing_key().map(|key| Made::nothing(key.public().host()));
    }
    let code = match &made {
        Err(HomeError::Served(_)) => EX_UNAVAILABLE,
        Err(HomeError::OtherEngine { .. }) => EX_CONFIG,
        _ => EX_CANTCREAT,
    };
    let made = made.or_exit(code)?;
    let (data, request) = (home.path().display(), home.request_path());
    if arguments.engine.json {
        return Ok(json_text(&serde_json::json!({
            "host": made.host.to_string(),
            "request": request,
            "made": { "ledger": made.ledger, "key": made.key, "request": made.request },
        })));
    }
    let host = made.host;
    let mut lines = match (made.ledger, made.key) {
        (true, true) => vec![format!("Made host {host} in {data}.")],
        (false, true) => vec![
            format!(
                "Made a signing key in {data}, beside the ledger that is there: this is host {host} now."
            ),
            "Whatever host was here before, this is another one, and needs a new certificate.".to_owned(),
        ],
        (true, false) => vec![
            format!("Made a new ledger for host {host} in {data}, whose key and certificates are kept."),
            "The count begins at zero; machines renew their leases, and no license is lost.".to_owned(),
        ],
        (false, false) if made.request => vec![format!("Wrote the request of host {host} in {data} again.")],
        (false, false) => vec![format!("Nothing is missing of host {host} in {data}.")],
    };
    if made.request {
        lines.push(format!("Send {} to the vendor, then put in the answer:", request.display()));
        lines.push(format!("  kms-host install-certificate ANSWER.pem --data {data}"));
        lines.push("Or, with a host key, ask the vendor's portal for it:".to_owned());
        lines.push(format!("  kms-host activate --portal URL --data {data}"));
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// For places from which the file cannot be copied: a container without a shell, a host behind ssh.
pub(super) fn request(home: &Home) -> Result<String, Failure> {
    become_owner(home)?;
    home.request().or_exit(EX_CONFIG)
}

/// Reads a file of the vendor; `-` is standard input.
pub(super) fn read_input(file: &Path) -> Result<Vec<u8>, HomeError> {
    let read =
        if file == Path::new("-") { regular::read_bounded(io::stdin().lock()) } else { regular::read(file) };
    read.map_err(|error| {
        let text = format!("{} cannot be read", file.display());
        FixableError::new(text, "name the file that the vendor has sent").because(error).into()
    })
}

pub(super) fn install_certificate(
    home: &Home,
    file: &Path,
    allowed: Allowed,
    json: bool,
) -> Result<String, Failure> {
    // Read the file first: the host's user may not read what is in root's own folder.
    let text = read_input(file);
    become_owner(home)?;
    let now = SystemClock::new().now();
    let put = text.and_then(|text| home.install_certificate(file, &text, allowed, now));
    let put = put.map_err(not_installed)?;
    let (mut lines, shown) = told(home, &put, now)?;
    if json {
        return Ok(json_text(&shown));
    }
    lines.push(match serving_process(home) {
        Some(_) => format!(
            "The running host takes it up without a restart:\n  kms-host reload --data {}\n",
            home.path().display()
        ),
        None => lines::to_serve(home),
    });
    Ok(lines.join("\n"))
}

/// A certificate that was not installed, with its exit code.
pub(super) fn not_installed(error: HomeError) -> Failure {
    let is_of_disk = matches!(error, HomeError::File(_) | HomeError::Unwritable(..));
    let code = if is_of_disk { EX_CANTCREAT } else { EX_DATAERR };
    Failure { code, error: error.into(), shown: String::new() }
}

/// What was installed, as lines and as JSON.
pub(super) fn told(
    home: &Home,
    put: &[Put],
    now: Timestamp,
) -> Result<(Vec<String>, serde_json::Value), Failure> {
    let all = home.certificates()?;
    let why_not = |one: &Installed| {
        let invalid = one.chain.check_valid_at(now).err().map(|error| error.to_string());
        all.why_not(one, now).map(|why| why.to_string()).or(invalid)
    };
    let shown: Vec<_> = put.iter().map(|put| installed_json(put, why_not(&put.installed))).collect();
    let mut first = shown[0].clone();
    first["all"] = shown.into();
    let mut lines = Vec::new();
    for Put { installed, differs, aside } in put {
        lines.push(installed_text(installed, why_not(installed)));
        lines.extend(aside.iter().map(|path| format!("  moved aside   {}", path.display())));
        if matches!(differs, Some(Difference::Organisation { .. })) {
            let warning = "Machines that are licensed to another organisation refuse this host until \
                           `kms-client organisation clear`.";
            lines.push(warning.to_owned());
        }
    }
    Ok((lines, first))
}

pub(super) fn install_revocations(home: &Home, file: &Path, json: bool) -> Result<String, Failure> {
    let text = read_input(file);
    become_owner(home)?;
    let taken_up = text.and_then(|text| home.install_revocations(file, &text)).or_exit(EX_DATAERR)?;
    if json {
        let lists = taken_up.iter().map(|list| {
            serde_json::json!({
                "number": list.number,
                "by_root": list.by_root,
                "revoked": list.revoked,
                "newer": list.is_newer,
            })
        });
        return Ok(json_text(&serde_json::json!({ "lists": lists.collect::<Vec<_>>() })));
    }
    let mut lines = Vec::new();
    for TakenUp { number, by_root, revoked, is_newer } in &taken_up {
        let signer = if *by_root { "a root" } else { "an issuing key" };
        lines.push(if *is_newer {
            format!("Installed revocation list {number} of {signer}, with {revoked} revoked.")
        } else {
            format!("Revocation list {number} of {signer} is no newer than the one that is installed: nothing is changed.")
        });
    }
    if taken_up.iter().any(|list| list.is_newer) && serving_process(home).is_some() {
        lines.push(format!(
            "The running host takes it up without a restart:\n  kms-host reload --data {}",
            home.path().display()
        ));
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

fn installed_json(put: &Put, why_not: Option<String>) -> serde_json::Value {
    let installed = &put.installed;
    let certificate = installed.chain.host();
    serde_json::json!({
        "certificate": certificate.id.to_string(),
        "product": certificate.product.to_string(),
        "product_name": certificate.product_name,
        "organisation": certificate.organisation_name,
        "not_before_ms": certificate.not_before.unix_ms(),
        "not_after_ms": installed.chain.ends_at().unix_ms(),
        "threshold": certificate.policy.threshold,
        "test": certificate.test,
        "why_not": why_not,
        "differs": put.differs.as_ref().map(ToString::to_string),
        "aside": put.aside,
    })
}

fn installed_text(installed: &Installed, why_not: Option<String>) -> String {
    let certificate = installed.chain.host();
    let (product, organisation) = (&certificate.product_name, &certificate.organisation_name);
    let digests: Vec<_> = installed.roots.keys().iter().map(|key| key.key_id().to_string()).collect();
    let test = if certificate.test { ", marked as TEST" } else { "" };
    let policy = &certificate.policy;
    let is_used = match why_not {
        None => "yes, for its product".to_owned(),
        Some(why) => format!("NOT NOW: {why}"),
    };
    let lines = [
        format!("Installed certificate {}{test}:", certificate.id),
        format!("  product       {product} ({})", certificate.product),
        format!("  organisation  {organisation} ({})", certificate.organisation),
        format!("  root digests  {}", digests.join(" ")),
        format!("  valid         {} to {}", certificate.not_before, installed.chain.ends_at()),
        format!("  threshold     {} machines in {}", policy.threshold, Length(policy.count_window)),
        format!(
            "  lease         {}, renewed every {}",
            Length(policy.validity),
            Length(policy.renew_interval)
        ),
        format!("  used          {is_used}"),
    ];
    lines.join("\n")
}

/// Has a running host take up what was installed, and says what is next.
pub(super) fn taken_up(home: &Home, note: String, done: &[String]) -> Result<String, Failure> {
    if serving_process(home).is_none() {
        return Ok(lines::to_serve(home));
    }
    let reloaded = online::reload(home, &Noted { note, json: false });
    reloaded.map_err(|failure| Failure { shown: done.join("\n") + "\n", ..failure })?;
    Ok("The running host has taken it up.\n".to_owned())
}

/// The process that serves this directory, if there is one and it is visible from here.
pub(crate) fn serving_process(home: &Home) -> Option<i32> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().ok()?;
    // 0 is a process in another namespace, such as a container's.
    runtime.block_on(server::admin::serving(&home.socket_path()))?.pid().filter(|pid| 0 < *pid)
}
