//! Commands that prepare a portal: `init`, `install-issuer` and `install-code-key`.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use kms_portal::config::PortalSettingSources;
use kms_portal::home::{InstalledCertificate, MadeCodeKey, PortalHome};
use kms_portal::remedy;
use program::exit::{EX_CANTCREAT, EX_CONFIG, EX_IOERR, EX_NOINPUT, EX_NOPERM};
use program::output::json_text;
use program::owner;
use serde_json::json;
use shared::certificate::IssuingCertificate;
use shared::time::Clock as _;
use store::regular;
use tokio::runtime::Runtime;
use wire::SystemClock;

use super::ask::PortalAt;
use super::failure::{self, Failure, OrExit as _};
use super::{Init, staff};

/// Run as root, works as the owner of the data directory from now on, so that the service can read what root makes.
pub(super) fn become_owner(home: &PortalHome) -> Result<(), Failure> {
    owner::become_owner(home.path()).or_exit(EX_CANTCREAT)
}

/// Does this as the owner of the data directory. The calling thread keeps its user.
pub(super) fn as_owner<T: Send>(
    home: &PortalHome,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    owner::as_owner(home.path(), work).or_exit(EX_CANTCREAT)?
}

/// Whoever may not read the directory cannot know what is missing there.
fn check_may_read(data: &Path) -> Result<(), Failure> {
    match data.read_dir() {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let owner = data.metadata().map(|found| format!(", {},", found.uid())).unwrap_or_default();
            let error = anyhow!(
                "this user may not read {}; run the command as root, or as the user{owner} to whom it belongs",
                data.display()
            );
            Err(Failure { code: EX_NOPERM, error })
        }
        _ => Ok(()),
    }
}

/// The directory, with its secrets where the settings say. If the settings cannot be read, the secrets are in the directory itself.
fn with_secrets(home: &PortalHome) -> PortalHome {
    let settings = PortalSettingSources::new(None, home.path()).read();
    settings.map_or_else(|_| home.clone(), |settings| home.with_secrets(&settings.config))
}

pub(super) fn init(home: &PortalHome, wanted: &Init) -> Result<String, Failure> {
    let roots = wanted.roots.as_deref().map(read).transpose()?;
    check_may_read(home.path())?;
    become_owner(home)?;
    let home = &with_secrets(home);
    let now = SystemClock::new().now();
    let made = runtime()?.block_on(home.init(roots.as_deref(), &wanted.names, now, &mut rand::rng()))?;
    let codes = if wanted.codes { home.init_codes(&mut rand::rng())? } else { MadeCodeKey::default() };
    let (data, request) = (home.path().display(), home.request_path());
    if wanted.output.json {
        return Ok(json_text(&json!({
            "request": request,
            "code_request": wanted.codes.then(|| home.code_request_path()),
            "authority": home.authority_path(),
            "made": {
                "key": made.key,
                "request": made.request,
                "database": made.database,
                "tls": made.tls,
                "authority": made.authority,
                "code_key": codes.key,
                "code_request": codes.request,
            },
        })));
    }
    let mut lines = Vec::new();
    if !made.is_something() && codes == MadeCodeKey::default() {
        return Ok(format!("Nothing is missing of the portal in {data}.\n"));
    }
    if made.key && made.database {
        lines.push(format!("Made a portal in {data}."));
    } else {
        lines.push(format!("Made what was missing of the portal in {data}."));
    }
    if made.authority {
        let authority = home.authority_path();
        lines.push(format!("Its TLS authority, for hosts and products, is {}.", authority.display()));
    }
    if made.tls && !made.authority {
        lines.push(format!("Its TLS certificate is made anew. A portal that runs takes it up with `kms-portal reload --data {data}`."));
    }
    if made.request {
        let request = request.display();
        lines.push(format!("Carry {request} to the vendor's offline tool, then install the answer:"));
        lines.push(format!("  kms-vendor issuer sign --request {request} --out issuing.pem"));
        lines.push(format!("  kms-portal install-issuer issuing.pem --data {data}"));
    }
    if codes.request {
        let request = home.code_request_path();
        let request = request.display();
        lines.push(format!("Carry {request} to the vendor's offline tool, for the key that confirms codes:"));
        lines.push(format!("  kms-vendor code-key sign --request {request} --out code.pem"));
        lines.push(format!("  kms-portal install-code-key code.pem --data {data}"));
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

pub(super) fn install_issuer(
    home: &PortalHome,
    file: &Path,
    anyway: bool,
    json: bool,
) -> Result<String, Failure> {
    let text = read(file)?;
    become_owner(home)?;
    let home = &with_secrets(home);
    let InstalledCertificate { certificate: issuer, is_new } =
        home.install_issuer(&text, file, SystemClock::new().now(), anyway)?;
    let certificate = issuer.certificate();
    let is_served = take_up(home, "the issuing certificate")?;
    if json {
        return Ok(json_text(&json!({
            "not_before_ms": certificate.not_before.unix_ms(),
            "not_after_ms": certificate.not_after.unix_ms(),
            "is_new": is_new,
            "taken_up": is_served,
        })));
    }
    let next = if is_served {
        "The running portal has taken it up.".to_owned()
    } else {
        format!("Serve with `kms-portal serve --data {}`.", home.path().display())
    };
    let done = installed(is_new, "issuing", certificate);
    Ok(format!("{done}\n{next}\n"))
}

/// The issuing or code certificate that is there now.
fn installed(is_new: bool, kind: &str, certificate: &IssuingCertificate) -> String {
    let until = certificate.not_after;
    if is_new {
        format!("Installed the {kind} certificate, valid until {until}.")
    } else {
        format!("This {kind} certificate, valid until {until}, is installed already: nothing is changed.")
    }
}

pub(super) fn install_code_key(home: &PortalHome, file: &Path, json: bool) -> Result<String, Failure> {
    let text = read(file)?;
    become_owner(home)?;
    let home = &with_secrets(home);
    let InstalledCertificate { certificate, is_new } =
        home.install_code_key(&text, file, SystemClock::new().now())?;
    let is_served = take_up(home, "the code certificate")?;
    let limits = &certificate.limits;
    if json {
        let sets = certificate.feature_sets.iter().map(|set| set.iter().collect::<Vec<_>>());
        return Ok(json_text(&json!({
            "not_before_ms": limits.not_before.unix_ms(),
            "not_after_ms": limits.not_after.unix_ms(),
            "feature_sets": sets.collect::<Vec<_>>(),
            "is_new": is_new,
            "taken_up": is_served,
        })));
    }
    let next = if is_served { "The running portal has taken it up.\n" } else { "" };
    let done = installed(is_new, "code", limits);
    let file = file.display();
    Ok(format!("{done}\n{next}Products need it, too: `kms-vendor product rust NAME --code-key {file}`.\n"))
}

/// Has a portal that runs take up what was installed. Returns whether one runs.
fn take_up(home: &PortalHome, what: &str) -> Result<bool, Failure> {
    if !server::admin::socket::is_served(&home.socket_path()) {
        return Ok(false);
    }
    staff::reload(&PortalAt::here(home), false).map_err(|Failure { code, error }| {
        let (error, data) = (remedy::message(&*error), home.path().display());
        let error = anyhow!(
            "{what} is installed, and the portal that runs has not taken it up: {error}. Then `kms-portal reload --data {data}`"
        );
        Failure { code, error }
    })?;
    Ok(true)
}

pub(super) fn check_config(home: &PortalHome, file: Option<&Path>) -> Result<String, Failure> {
    let settings = PortalSettingSources::new(file, home.path()).read().or_exit(EX_CONFIG)?;
    settings.config.read_tls(home.path()).or_exit(EX_CONFIG)?;
    for warning in settings.warnings() {
        failure::warn(&warning);
    }
    Ok(format!("ok: {} is valid\n", settings.file().display()))
}

/// For what is done at a database.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit(EX_IOERR)
}

/// Reads a small file that somebody has named.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    regular::read(file).with_context(|| format!("{} cannot be read", file.display())).or_exit(EX_NOINPUT)
}
