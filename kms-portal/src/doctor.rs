//! Everything that can keep a portal from serving, checked one by one. Nothing is changed.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use server::admin::caller::user_name;
use server::admin::socket;
use server::listen;
use server::tls::{Flaw, Server};
use shared::time::{Length, Timestamp};

use crate::config::{FILE_NAME, PortalConfig, PortalSettingSources};
use crate::db::Db;
use crate::home::{PortalHome, PortalHomeError};
use crate::remedy;

/// A code certificate whose end is nearer than this is a warning: it takes a person and the offline tool to renew it.
const ENDS_SOON: Duration = Duration::from_hours(30 * 24);

/// Clocks that follow a time server differ by less than this, and a database answers in less.
const CLOCKS_APART: Duration = Duration::from_secs(10);

/// Hosts renew in the last 60 days of their certificates, and no certificate outlasts the issuing one. So that should be renewed before.
const ISSUER_ENDS_SOON: Duration = Duration::from_hours(90 * 24);

/// With less than this the disk counts as full: the database needs room even for what it is about to refuse.
const FREE_LEAST: u64 = 16 << 20;

/// With less than this somebody should look.
const FREE_ENOUGH: u64 = 256 << 20;

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalFinding {
    /// What was checked.
    pub what: &'static str,
    /// How it is.
    pub health: PortalHealth,
    /// What was found, and what to do about it.
    pub text: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortalHealth {
    /// As it should be.
    Ok,
    /// It serves, and somebody should look.
    Warn,
    /// It does not serve.
    Fail,
}

/// Checks the portal of this directory with these settings.
pub async fn examine(
    home: &PortalHome,
    sources: &PortalSettingSources,
    now: Timestamp,
) -> Vec<PortalFinding> {
    let user = user(home);
    if user.health == PortalHealth::Fail {
        return vec![user];
    }
    let is_served = socket::is_served(&home.socket_path());
    let settings = sources.read();
    let home =
        &settings.as_ref().map_or_else(|_| home.clone(), |settings| home.with_secrets(&settings.config));
    // First, because `now` was read only a moment ago.
    let clock = match &settings {
        Ok(settings) => clock(&settings.config, now).await,
        Err(_) => None,
    };
    let mut findings = vec![
        user,
        finding("roots", home.roots().map(|roots| format!("{} root keys", roots.keys().len()))),
        finding("pepper", home.pepper().map(|_| "there".to_owned())),
        issuer(home, now),
    ];
    findings.extend(codes(home, now));
    let open: Vec<_> = home.open_secrets().iter().map(|path| path.display().to_string()).collect();
    findings.push(match open.as_slice() {
        [] => ok("rights", "nobody else reads the secrets".to_owned()),
        open => {
            let open = open.join(" ");
            warn("rights", format!("others may read or write {open}: chmod 600 {open}"))
        }
    });
    match settings {
        Err(error) => findings.push(fail("settings", remedy::message(&error))),
        Ok(settings) => {
            let file = settings.file().display();
            let text = if settings.file().exists() {
                format!("{file} is valid")
            } else {
                format!("the defaults; no {file}")
            };
            findings.push(ok("settings", text));
            let database = home.look_at_database(&settings.config, is_served).await;
            findings.push(finding("database", database.map(str::to_owned)));
            findings.push(tls(home, &settings.config, now));
            findings.extend(clock);
            if !is_served {
                let addresses = [&settings.config.listen[..], &settings.config.staff_listen].concat();
                findings.push(match listen::try_all(&addresses) {
                    Ok(()) => ok("listen", "the addresses are free".to_owned()),
                    Err(error) => {
                        fail("listen", format!("{}; {}", remedy::cause(&error), error.remedy(FILE_NAME)))
                    }
                });
            }
        }
    }
    findings.extend(disk(home));
    let data = home.path().display();
    findings.push(if is_served {
        ok("served", "a portal answers staff".to_owned())
    } else {
        warn("served", format!("no portal serves this directory: kms-portal serve --data {data}"))
    });
    findings
}

/// Another user than the portal's sees a directory that it may not read.
fn user(home: &PortalHome) -> PortalFinding {
    let data = home.path().display();
    let own = rustix::process::geteuid();
    let owner = match home.path().metadata() {
        Ok(found) => found.uid(),
        Err(error) => {
            return fail(
                "user",
                format!(
                    "{data} cannot be looked at: {error}; name the data directory with --data; `kms-portal init --data {data}` makes a portal"
                ),
            );
        }
    };
    let name = user_name(owner).unwrap_or_else(|| owner.to_string());
    if own.is_root() || own.as_raw() == owner {
        return ok("user", format!("the directory belongs to {name}"));
    }
    let again = format!("look as that user: `runuser -u {name} -- kms-portal doctor --data {data}`");
    fail("user", format!("user {}, but the portal is {name}; {again}", own.as_raw()))
}

fn issuer(home: &PortalHome, now: Timestamp) -> PortalFinding {
    let issuer = match home.issuer() {
        Err(error) => return fail("issuer", remedy::message(&error)),
        Ok(issuer) => issuer,
    };
    let (begins, ends) = (issuer.certificate().not_before, issuer.certificate().not_after);
    let renew = "sign the request again with `kms-vendor issuer sign`, then run `kms-portal install-issuer`";
    if ends <= now {
        fail("issuer", format!("the issuing certificate has ended at {ends}; {renew}"))
    } else if now < begins {
        let text = format!(
            "the issuing certificate is valid only from {begins} on, and nothing can be signed until then"
        );
        fail("issuer", format!("{text}; see to the clock of this machine, or {renew}"))
    } else if ends <= now + ISSUER_ENDS_SOON {
        warn("issuer", format!("the issuing certificate ends in {}; {renew}", Length(ends.since(now))))
    } else {
        ok("issuer", format!("the issuing certificate is valid until {ends}"))
    }
}

/// Portals on one database compare their clocks with that of its server, and so with each other.
async fn clock(config: &PortalConfig, now: Timestamp) -> Option<PortalFinding> {
    if config.database.is_empty() {
        return None;
    }
    // The row of the database says why not.
    let server = Db::postgres_time(&config.database).await.ok()?;
    let apart = now.apart(server);
    if apart <= CLOCKS_APART {
        return Some(ok("clock", "it agrees with that of the database".to_owned()));
    }
    let (apart, side) = (Length(apart), if server < now { "ahead of" } else { "behind" });
    Some(warn(
        "clock",
        format!(
            "the clock of this machine is {apart} {side} that of the database, and what other portals on it sign may contradict what this \
             one signs: have all of them follow a time server"
        ),
    ))
}

/// Nothing where the vendor does not activate by codes.
fn codes(home: &PortalHome, now: Timestamp) -> Option<PortalFinding> {
    let signer = match home.code_signer() {
        Err(error) => return Some(fail("codes", remedy::message(&error))),
        Ok(signer) => signer?,
    };
    let how = home.how_to_certify_codes();
    Some(match signer.ends_at() {
        None => warn("codes", format!("no certificate of the code key is installed; {how}")),
        Some(ends) if ends <= now => {
            warn("codes", format!("the code certificate has ended at {ends}; {how}"))
        }
        Some(ends) if ends <= now + ENDS_SOON => {
            warn("codes", format!("the code certificate ends in {}; {how}", Length(ends.since(now))))
        }
        Some(ends) => ok("codes", format!("the code certificate is valid until {ends}")),
    })
}

fn tls(home: &PortalHome, config: &PortalConfig, now: Timestamp) -> PortalFinding {
    let tls = match config.read_tls(home.path()) {
        Err(error) => return fail("tls", remedy::message(&error)),
        Ok(tls) => tls,
    };
    let certificate = tls.server().map(Server::certificate);
    if let Some((certificate, flaw)) = certificate.and_then(|one| Some((one, one.flaw(now)?))) {
        let file = home.path().join(&config.tls_certificate);
        let text = format!("{}; {}", certificate.tell(flaw, now), home.how_to_renew_tls(certificate, &file));
        return if flaw == Flaw::EndsSoon { warn("tls", text) } else { fail("tls", text) };
    }
    match server::certificate::faults(&tls, now).first() {
        Some(fault) => warn("tls", fault.clone()),
        None => ok("tls", "the certificate is valid".to_owned()),
    }
}

/// On a full disk, every activation is refused.
fn disk(home: &PortalHome) -> Option<PortalFinding> {
    let free = store::file::free_bytes(home.path()).ok()?;
    let text = format!("{} MiB free", free >> 20);
    let remedy = "free some space: on a full disk no host and no machine is activated";
    Some(match free {
        0..FREE_LEAST => fail("disk", format!("{text}; {remedy}")),
        FREE_LEAST..FREE_ENOUGH => warn("disk", format!("{text}; {remedy}")),
        FREE_ENOUGH.. => ok("disk", text),
    })
}

fn finding(what: &'static str, found: Result<String, PortalHomeError>) -> PortalFinding {
    match found {
        Ok(text) => ok(what, text),
        Err(error) => fail(what, remedy::message(&error)),
    }
}

fn ok(what: &'static str, text: String) -> PortalFinding {
    PortalFinding { what, health: PortalHealth::Ok, text }
}

fn warn(what: &'static str, text: String) -> PortalFinding {
    PortalFinding { what, health: PortalHealth::Warn, text }
}

fn fail(what: &'static str, text: String) -> PortalFinding {
    PortalFinding { what, health: PortalHealth::Fail, text }
}
