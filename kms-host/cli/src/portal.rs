//! `activate`: a host key, entered once, gets the host its certificate from the vendor's portal.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;
use kms_host::certificates::Allowed;
use kms_host::clock::SystemClock;
use kms_host::config::SettingSources;
use kms_host::home::Home;
use kms_host::portal::{NotCertified, PortalWay};
use program::exit::{
    EX_CANTCREAT, EX_CONFIG, EX_DATAERR, EX_IOERR, EX_NOINPUT, EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE,
};
use program::output::json_text;
use program::typed;
use shared::files;
use shared::product_key::{KeyError, ProductKey};
use shared::reason::Reason;
use shared::time::Clock as _;
use store::output::OutputFile;

use super::code::{self, ByCode};
use super::owner::{self, become_owner};
use super::{Allow, Failure, OrExit, offline, runtime};

#[derive(Debug, Args)]
pub(super) struct Activate {
    /// Host key that you bought: 25 characters in any case, with or without dashes. Without it, or with -, the command asks for it, so
    /// that the key is in no shell history. A pipe is not asked: its first line is the key.
    key: Option<String>,
    /// Address of the vendor's portal, such as https://activation.example.com [default: the setting `portal`].
    #[arg(long, value_name = "URL")]
    portal: Option<String>,
    /// File with the CA of the portal's TLS certificate [default: the setting `portal_ca`, else the CAs of this system].
    #[arg(long, value_name = "FILE")]
    portal_ca: Option<PathBuf>,
    /// Settings file [default: kms-host.toml in the data directory, if it exists].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write what would be sent to a file, for a host without a way to the portal. The key is in it. The vendor answers it with a
    /// file for `install-certificate`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["portal", "portal_ca"])]
    request: Option<PathBuf>,
    /// Activate by codes, for a host without any way to the portal: print the installation id to read to the vendor. The file has the
    /// terms of the key and comes with it; the key itself is not needed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["portal", "portal_ca", "request"])]
    terms: Option<PathBuf>,
    /// Confirmation id that the vendor has read back, in digits or letters; - is standard input.
    #[arg(long, value_name = "CODE", requires = "terms")]
    confirm: Option<String>,
    #[command(flatten)]
    allow: Allow,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// A key has 25 characters; whoever pipes a larger file has taken the wrong one.
const LINE_MAX_BYTES: u64 = 4096;

pub(super) fn activate(home: &Home, wanted: &Activate) -> Result<String, Failure> {
    let Allow { new_organisation: organisation, new_vendor: vendor, test } = wanted.allow;
    let allowed = Allowed { organisation, vendor, test };
    if let Some(terms) = &wanted.terms {
        let key = wanted.key.as_ref().map(|key| entered(Some(key))).transpose()?;
        let (confirm, json) = (wanted.confirm.as_deref(), wanted.json);
        return code::activate(home, &ByCode { terms, confirm, key, allowed, json });
    }
    let settings = owner::settings(home, &SettingSources::new(wanted.config.as_deref(), home.path()))?;
    if let Some(file) = &wanted.request {
        // An earlier request may be replaced: it is made again from the same key.
        let is_request =
            store::regular::read(file).is_ok_and(|text| files::host_activation_from_pem(&text).is_ok());
        let output = if is_request {
            OutputFile::check(file, 0o600, true)
        } else {
            OutputFile::check_new(file, 0o600)
        };
        let output = output.or_exit(EX_CANTCREAT)?;
        let key = entered(wanted.key.as_deref())?;
        // The file is written by the user who named it: the host's own may not write in root's folder.
        let request = owner::as_owner(home, || {
            let _turn = home.activating().or_exit(EX_TEMPFAIL)?;
            home.activation_file(&key, &SystemClock::new(), &mut rand::rng()).map_err(not_certified)
        })?;
        output.write(request.as_bytes()).or_exit(EX_CANTCREAT)?;
        let (file, data) = (file.display(), home.path().display());
        return Ok(format!(
            "Wrote {file}. The key is in it: send it to the vendor alone, then put in the answer:\n  \
             kms-host install-certificate ANSWER.pem --data {data}\n"
        ));
    }
    let mut config = settings.config;
    let is_set = !config.portal.is_empty();
    config.portal = wanted.portal.clone().unwrap_or(config.portal);
    let way = PortalWay::of(&config, home.path()).or_exit(EX_USAGE)?;
    let mut way = way.ok_or_else(no_portal).or_exit(EX_CONFIG)?;
    if let Some(file) = &wanted.portal_ca {
        // Read it first: the host's user may not read what is in root's own folder.
        let authorities = store::regular::read(file).with_context(|| file.display().to_string());
        way = way.certified_by(authorities.or_exit(EX_NOINPUT)?);
    }
    // Nobody has to type a key for a command that fails without it.
    let key = entered(wanted.key.as_deref())?;
    become_owner(home)?;
    let _turn = home.activating().or_exit(EX_TEMPFAIL)?;
    let certified = certified(home, &key, allowed, &way)?;
    let (host, activation) = (certified.host, certified.activation);
    let (mut lines, mut shown) = offline::told(home, &certified.put, SystemClock::new().now())?;
    lines.insert(
        0,
        format!(
            "Activated by key {}: host {} of {}, activation {} of {}.",
            key.number(),
            host.0,
            host.1,
            activation.0,
            activation.1
        ),
    );
    let next = offline::taken_up(home, format!("activated by key {}", key.number()), &lines)?;
    if wanted.json {
        shown["key_number"] = key.number().to_string().into();
        shown["host"] = host.0.into();
        shown["hosts"] = host.1.into();
        shown["activation"] = activation.0.into();
        shown["activations"] = activation.1.into();
        return Ok(json_text(&shown));
    }
    lines.push(next);
    if !is_set {
        let address = &way.address;
        lines.push(format!(
            "To have it renewed before it ends, put this into kms-host.toml:\n  portal = \"{address}\""
        ));
        if let Some(file) = &wanted.portal_ca {
            let file = std::path::absolute(file).or_exit(EX_USAGE)?;
            lines.push(format!("  portal_ca = {:?}\n", file.display().to_string()));
        }
    }
    Ok(lines.join("\n"))
}

/// The key from the command line or standard input.
fn entered(argument: Option<&str>) -> Result<ProductKey, Failure> {
    let text = match argument {
        Some(key) if key != "-" => key.to_owned(),
        _ => typed::line("Host key, 25 characters in five groups: ", LINE_MAX_BYTES).or_exit(EX_IOERR)?,
    };
    if text.trim().is_empty() {
        let none = anyhow!("no key was entered: it has 25 characters, in five groups");
        return Err(Failure { code: EX_USAGE, error: none, shown: String::new() });
    }
    text.parse().map_err(|error: KeyError| not_certified(NotCertified::Refused(error.into())))
}

fn certified(
    home: &Home,
    key: &ProductKey,
    allowed: Allowed,
    way: &PortalWay,
) -> Result<kms_host::portal::Certified, Failure> {
    let runtime = runtime()?;
    let done = runtime.block_on(way.activate(home, key, allowed, Arc::new(SystemClock::new())));
    // The system may still be looking up a name. Do not wait for that.
    runtime.shutdown_background();
    done.map_err(not_certified)
}

fn no_portal() -> anyhow::Error {
    anyhow!(
        "it is not known where the vendor's portal is; name it with --portal https://NAME, or with `portal` in kms-host.toml; \
         without a way there, use --request FILE, or --terms FILE to activate by codes"
    )
}

fn not_certified(error: NotCertified) -> Failure {
    let cause = match error {
        NotCertified::Home(error) => return offline::not_installed(error),
        NotCertified::Refused(cause) => cause,
    };
    let code = match cause.reason() {
        Some(Reason::PortalUnreachable | Reason::Overloaded | Reason::Stopping) => EX_UNAVAILABLE,
        _ => EX_DATAERR,
    };
    Failure { code, error: NotCertified::Refused(cause).into(), shown: String::new() }
}
