//! Checks what is on the disk: the user, the settings, the files and their owners, the key, the certificates.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use server::admin::caller::user_name;
use shared::certificate::{ChainError, HostCertificate};
use shared::reason::Word;
use shared::time::{Length, Timestamp};

use super::Finding;
use super::host::RunningHost;
use crate::certificates::{Certificates, ENDS_SOON, Installed, WhyNot};
use crate::config::{Config, SettingSources};
use crate::home::Home;
use crate::remedy;

/// The user that the host runs as.
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) name: String,
}

/// The user of the process that serves, or else the owner of the directory.
pub(super) fn owner(home: &Home, running: Option<&RunningHost>) -> Result<Owner, Finding> {
    let data = home.path().display();
    let of_directory = fs::metadata(home.path()).map_err(|error| {
        let remedy =
            format!("name the data directory with --data; `kms-host init --data {data}` makes a host");
        Finding::fail("user", format!("{data} cannot be looked at: {error}"), remedy)
    })?;
    let uid = running.map_or(of_directory.uid(), |running| running.uid);
    let name = user_name(uid).unwrap_or_else(|| uid.to_string());
    Ok(Owner { uid, name })
}

/// Checks that this user is the host's: another one sees other things than the host does.
pub(super) fn user(home: &Home, owner: &Owner) -> Finding {
    let (own, name) = (rustix::process::geteuid().as_raw(), &owner.name);
    let data = home.path().display();
    let again = format!("look as that user: `runuser -u {name} -- kms-host doctor --data {data}`");
    match own {
        own if own == owner.uid => Finding::ok("user", format!("{name}, as the host")),
        0 => Finding::warn(
            "user",
            format!("root, but the host is {name}: root can do more than {name}"),
            again,
        ),
        own => Finding::fail("user", format!("user {own}, but the host is {name}"), again),
    }
}

/// Checks the settings, and returns those that a host would start with now.
pub(super) fn settings(sources: &SettingSources) -> (Vec<Finding>, Option<Config>) {
    let settings = match sources.read() {
        Ok(settings) => settings,
        Err(error) => {
            let text = one_line(&remedy::cause(&error));
            return (vec![Finding::fail("settings", text, error.remedy())], None);
        }
    };
    let file = settings.file().display();
    let text = if settings.file().exists() {
        format!("{file} is valid")
    } else {
        format!("the defaults; no {file}")
    };
    let warnings = settings.warnings().into_iter();
    let warnings = warnings.map(|text| Finding::warn("settings", text, "unset, correct or remove it"));
    (std::iter::once(Finding::ok("settings", text)).chain(warnings).collect(), Some(settings.config))
}

/// Leaves out the picture that TOML draws of the faulty line: `2 | lissten = []`, and carets below it.
fn one_line(text: &str) -> String {
    let is_picture = |line: &&str| {
        line.split_once('|').is_some_and(|(margin, _)| margin.chars().all(|c| c == ' ' || c.is_ascii_digit()))
    };
    let lines: Vec<_> = text.lines().filter(|line| !is_picture(line)).map(str::trim).collect();
    lines.join(": ")
}

/// Checks owners and permissions. A repair by hand often leaves a file that belongs to root.
pub(super) fn files(home: &Home, owner: &Owner) -> Vec<Finding> {
    let (data, name) = (home.path(), &owner.name);
    let mut findings = Vec::new();
    let belongs_to_another =
        |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|found| found.uid() != owner.uid);
    if let Some(path) = paths(home).into_iter().find(belongs_to_another) {
        let remedy = format!("chown -R {name}: {}", data.display());
        findings.push(Finding::fail(
            "files",
            format!("{} does not belong to {name}", path.display()),
            remedy,
        ));
    }
    if let Some(key) = home.open_key() {
        let remedy = format!("chmod 600 {}; whoever has read it can sign leases as this host", key.display());
        findings.push(Finding::fail("files", format!("others may read or write {}", key.display()), remedy));
    }
    if fs::metadata(data).is_ok_and(|found| found.mode() & 0o077 != 0) {
        let remedy = format!("chmod 700 {}", data.display());
        findings.push(Finding::warn("files", format!("others may look into {}", data.display()), remedy));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("files", format!("all in {} belongs to {name} alone", data.display())));
    }
    findings
}

/// The directory and its content, two folders deep.
fn paths(home: &Home) -> Vec<PathBuf> {
    let inside = |path: &PathBuf| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let first = inside(&home.path().to_owned());
    let second: Vec<_> = first.iter().flat_map(inside).collect();
    std::iter::once(home.path().to_owned()).chain(first).chain(second).collect()
}

pub(super) fn key(home: &Home) -> Finding {
    match home.signing_key() {
        Ok(key) => Finding::ok("key", format!("that of host {}", key.public().host())),
        Err(error) => Finding::of("key", &error),
    }
}

/// One finding for each product.
pub(super) fn certificates(
    home: &Home,
    running: Option<&RunningHost>,
    now: Timestamp,
) -> (Certificates, Vec<Finding>) {
    let certificates = match home.certificates() {
        Ok(certificates) => certificates,
        Err(error) => return (Certificates::default(), vec![Finding::of("certificate", &error)]),
    };
    let found = |installed: &Installed| {
        let Some(revoked) = certificates.revocations(installed).of_chain(&installed.chain, now) else {
            return certificate(installed, running, now);
        };
        let HostCertificate { id, product_name, .. } = installed.chain.host();
        let text = format!("{product_name}: {id} was {revoked}");
        Finding::fail("certificate", text, Word::CERTIFICATE_REVOKED.remedy)
    };
    let mut findings: Vec<_> = certificates.products(now).map(|(_, installed)| found(installed)).collect();
    let is_served = !findings.is_empty();
    findings.extend(certificates.left_out().iter().map(|left_out| {
        let text = format!("{} is ignored: {}", left_out.path.display(), left_out.cause);
        let finding = if is_served { Finding::warn } else { Finding::fail };
        finding("certificate", text, left_out.remedy.clone())
    }));
    for product in certificates.each_product() {
        let is_answered = certificates.current(product, now).is_some();
        let unused = certificates.unused(product, now).into_iter();
        findings.extend(unused.map(|(one, why)| {
            let certificate = one.chain.host();
            let text = format!("{}: {} is not used: {why}", certificate.product_name, certificate.id);
            match why {
                WhyNot::Differs(difference) if is_answered => {
                    Finding::warn("certificate", text, difference.remedy())
                }
                WhyNot::Differs(difference) => {
                    let text = text + ". There is no other certificate: a reload refuses it, and a host that starts with it answers no machine";
                    Finding::fail("certificate", text, difference.remedy())
                }
                _ => Finding::ok("certificate", text),
            }
        }));
    }
    if findings.is_empty() {
        let remedy = format!(
            "send {} to the vendor, and put in the answer with `kms-host install-certificate`; with a host key, run `kms-host activate` \
             instead",
            home.request_path().display()
        );
        findings.push(Finding::fail("certificate", "no certificate is installed", remedy));
    }
    (certificates, findings)
}

fn certificate(installed: &Installed, running: Option<&RunningHost>, now: Timestamp) -> Finding {
    const RENEW: &str = "send host-request.pem to the vendor again, install the answer, and reload the host";
    let certificate = installed.chain.host();
    let (name, ends_at) = (&certificate.product_name, installed.chain.ends_at());
    let left = Length(ends_at.since(now));
    match installed.chain.check_valid_at(now) {
        Err(ChainError::NotYetValid { not_before }) => {
            let text = format!("{name}: not valid before {not_before}");
            return Finding::fail("certificate", text, "check the clock, or wait for that day");
        }
        Err(_) => return Finding::fail("certificate", format!("{name}: has ended at {ends_at}"), RENEW),
        Ok(()) => {}
    }
    let untold = |status: &proto::admin::v1::GetStatusResponse| {
        status.products.iter().all(|product| product.certificate != certificate.id.as_bytes()[..])
    };
    if running.and_then(RunningHost::status).is_some_and(untold) {
        let remedy = "`kms-host reload`, with the same --data";
        return Finding::warn("certificate", format!("{name}: the running host has not read it yet"), remedy);
    }
    if ends_at.since(now) < ENDS_SOON {
        return Finding::warn("certificate", format!("{name}: ends in {left}, at {ends_at}"), RENEW);
    }
    if certificate.test {
        let text = format!("{name}: marked as TEST, until {ends_at}");
        return Finding::warn(
            "certificate",
            text,
            "ask the vendor for one that is not, before machines depend on it",
        );
    }
    let id = certificate.id;
    Finding::ok(
        "certificate",
        format!("{name}: {id} is used, fits the key, and is valid until {ends_at} ({left})"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_the_file_is_told_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kms-host.toml"), "queue = 64\nlissten = []\n").unwrap();
        let (findings, config) = settings(&SettingSources::new(None, folder.path()));
        let text = &findings[0].text;
        assert!(config.is_none() && !text.contains(['\n', '^']), "{text}");
        assert!(
            text.contains("is not valid: TOML parse error at line 2, column 1: unknown field `lissten`"),
            "{text}"
        );
    }
}
